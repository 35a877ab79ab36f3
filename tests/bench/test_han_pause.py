"""A real PPC is left alone for a quarter of an hour between two logins (han 2.1)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bench.assembly import open_rig
from bench.config import load_bench
from bench.han_access import HanAccess
from bench.products import gateway_type
from bench.scenario.loader import load
from bench.timeline import Timeline
from devices.clock import Clock, run
from devices.han.content import DeviceInfo
from devices.han.login import Login, Settings

HOME = Path(__file__).parents[2] / "scenarios" / "home"
QUARTER = timedelta(minutes=15)


class _Link:
    def __init__(self, login: Login) -> None:
        self.login, self.certificate, self.fingerprint, self.number = login, b"", "", ""


class _Client:
    """Takes every login and notes when it came."""

    def __init__(self, clock: Clock, login: Login, logins: list[float]) -> None:
        self._clock, self._logins, self.link = clock, logins, _Link(login)

    async def login(self) -> None:
        self._logins.append(self._clock.seconds())

    async def logout(self) -> None:
        """Nothing."""

    async def device(self) -> DeviceInfo:
        return DeviceInfo("", "1")

    async def close(self) -> None:
        """Nothing."""


@pytest.fixture
def logins(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When each login was, in seconds of the bench."""
    found: list[float] = []

    def opened(clock: Clock, product: str, settings: Settings, login: Login, **more: Any) -> Any:
        return _Client(clock, login, found)

    monkeypatch.setattr("devices.han.open.open_client", opened)
    return found


def access(clock: Clock, host: str, every: timedelta) -> tuple[HanAccess, Timeline]:
    timeline = Timeline(clock)
    users = {"anna": Login("anna", "a"), "otto": Login("otto", "o")}
    return HanAccess(clock, timeline, "ppc", lambda: Settings(host), users, every=every, real=True), timeline


def virtually(work: Coroutine[Any, Any, None]) -> None:
    run(work, virtual=True)


def test_logins_are_a_quarter_of_an_hour_apart(logins: list[float]) -> None:
    async def work() -> None:
        clock = Clock(asyncio.get_running_loop())
        users, timeline = access(clock, "ppc-1", QUARTER)
        await users.client("anna")
        await users.client("anna")  # the same session
        await clock.sleep(300)
        await users.client("otto")  # another user counts as well
        await users.end("anna")
        await users.client("anna")
        await clock.sleep(2000)
        await users.client("otto")  # long enough ago, though the session has to be a new one
        await users.close()
        pauses = [one.data["seconds"] for one in timeline.events if one.kind == "han_pause"]
        assert pauses == [600, 900]

    virtually(work())
    assert logins == [0, 900, 1800, 3800]


def test_the_next_case_waits_too_and_another_gateway_does_not(logins: list[float]) -> None:
    async def work() -> None:
        clock = Clock(asyncio.get_running_loop())
        for host in ("ppc-2", "ppc-3", "ppc-2"):
            users, _ = access(clock, host, QUARTER)
            await users.client()
            await users.close()
            await clock.sleep(60)

    virtually(work())
    assert logins == [0, 60, 900]


def test_without_a_time_between_nobody_waits(logins: list[float]) -> None:
    async def work() -> None:
        clock = Clock(asyncio.get_running_loop())
        users, _ = access(clock, "ppc-4", timedelta(0))
        for name in ("anna", "otto"):
            await users.client(name)
            await users.end(name)

    virtually(work())
    assert logins == [0, 0]


@pytest.mark.parametrize(
    ("product", "more", "apart"), [("ppc", {}, 900), ("ppc", {"every": "2 min"}, 120), ("casa", {}, 0)]
)
def test_a_bench_file_is_as_gentle_as_its_product_needs(
    tmp_path: Path, logins: list[float], product: str, more: dict[str, str], apart: int
) -> None:
    (tmp_path / "password").write_text("geheim\n")
    han = {"address": f"{product}-5-{apart}", "user": "anna", "password_file": str(tmp_path / "password"), **more}
    file = tmp_path / "cellar.yaml"
    file.write_text(json.dumps({"name": "cellar", "gateway": {"type": product, "han": han}}))
    bench, _ = load_bench(str(file))
    case = next(one for one in load([HOME / "login_and_reading.yaml"]) if one.gateway == product)

    async def work() -> None:
        clock = Clock(asyncio.get_running_loop())
        timeline = Timeline(clock)
        async with open_rig(clock, timeline, case, gateway_type(product), bench, tmp_path, 1) as rig:
            for _ in range(2):
                await rig.han.client()
                await rig.han.end(None)

    virtually(work())
    assert logins == [0, apart]
