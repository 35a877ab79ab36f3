"""The step ``han: {get: ...}``: with credentials it is a login of its own, and a refused login is no refused path."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web

from bench.cli import main
from bench.config import BenchFile
from bench.han_access import HanAccess
from bench.han_forecast import forecast
from bench.scenario.loader import load
from bench.steps.han import HanStep
from bench.timeline import Timeline
from bench.verdict import Verdict
from devices.clock import Clock, run
from devices.errors import BenchError
from devices.han.content import DeviceInfo, RawAnswer
from devices.han.errors import LoginRefused
from devices.han.login import Login, Settings
from firmware.han.server import HanServer

SCENARIO = Path(__file__).parents[2] / "scenarios" / "home" / "without_credentials.yaml"
QUARTER = timedelta(minutes=15)


class _Client:
    """Notes logins and requests with credentials; answers as it is told."""

    def __init__(
        self, clock: Clock, login: Login, answer: RawAnswer | Exception, seen: list[tuple[str, float]]
    ) -> None:
        self._clock, self._answer, self._seen = clock, answer, seen
        self.link = SimpleNamespace(login=login, certificate=b"", fingerprint="", number="")

    async def login(self) -> None:
        self._seen.append(("login", self._clock.seconds()))

    async def raw(self, method: str, target: str, *, authenticate: bool = True) -> RawAnswer:
        self._seen.append((target if authenticate else "anonymous", self._clock.seconds()))
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    async def logout(self) -> None: ...

    async def device(self) -> DeviceInfo:
        return DeviceInfo("", "1")

    async def close(self) -> None: ...


def answer(status: int, **headers: str) -> RawAnswer:
    return RawAnswer(status, {name.replace("_", "-"): value for name, value in headers.items()}, b"", {})


def asked(
    monkeypatch: pytest.MonkeyPatch, host: str, told: RawAnswer | Exception, *steps: HanStep | None
) -> tuple[list[Verdict], list[tuple[str, float]]]:
    """Run steps one after the other at a real PPC; None: the user's client is asked for. Verdicts, and what came."""
    seen: list[tuple[str, float]] = []
    verdicts: list[Verdict] = []
    monkeypatch.setattr(
        "devices.han.open.open_client",
        lambda clock, product, settings, login, **_: _Client(clock, login, told, seen),
    )

    async def work() -> None:
        clock = Clock(asyncio.get_running_loop())
        users = {"anna": Login("anna", "a")}
        access = HanAccess(clock, Timeline(clock), "ppc", lambda: Settings(host), users, every=QUARTER, real=True)
        for step in steps:
            if step is None:
                await access.client()
            else:
                verdicts.append((await step.run(cast(Any, SimpleNamespace(han=access)))).verdict)
        await access.close()

    run(work(), virtual=True)
    return verdicts, seen


def get(status: int | str, **more: Any) -> HanStep:
    return HanStep.model_validate({"get": "/path", "status": status, **more})


def test_with_credentials_it_keeps_the_pause_and_ends_the_session_that_was_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verdicts, seen = asked(monkeypatch, "get-1", answer(200), None, get(200), None)
    assert verdicts == [Verdict.PASS]
    assert seen == [("login", 0), ("/path", 900), ("login", 1800)]


def test_credentials_that_nobody_has_tried_are_tried_first_and_that_is_forecast(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, seen = asked(monkeypatch, "get-2", answer(404), get("4xx"))
    assert seen == [("login", 0), ("/path", 900)]
    file = tmp_path / "one.yaml"
    told = {"id": "T-1", "title": "one", "gateways": ["ppc"], "needs": ["han"], "given": {"han": {"site": "own"}}}
    file.write_text(json.dumps({**told, "steps": [{"han": {"get": "/path", "status": "4xx"}}]}))
    han = {"address": "get-2", "user": "anna", "password_env": "PASSWORD"}
    bench = BenchFile.model_validate({"name": "cellar", "gateway": {"type": "ppc", "han": han}})
    assert forecast(load([file]), bench) == "1 case, up to 2 logins, 15 min apart: about 15 min"


def test_what_needs_no_credentials_needs_no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts, seen = asked(
        monkeypatch, "get-3", answer(401), None, get(401, anonymous=True), get("4xx", anonymous=True)
    )
    assert verdicts == [Verdict.PASS, Verdict.PASS]
    assert seen == [("login", 0), ("anonymous", 0), ("anonymous", 0)]


@pytest.mark.parametrize(
    ("told", "status", "verdict"),
    [
        (answer(404), "4xx", Verdict.PASS),
        (answer(403), "4xx", Verdict.PASS),
        (answer(200), "4xx", Verdict.FAIL),
        (answer(200), 200, Verdict.PASS),
        (RawAnswer(200, {}, b"<p>Fehler: Anmeldung fehlgeschlagen</p>", {}), 200, Verdict.FAIL),
        (answer(401), "4xx", Verdict.FAIL),
        (LoginRefused("the gateway refuses 'anna'"), "4xx", Verdict.FAIL),
        (answer(403, retry_after="300"), "4xx", Verdict.FAIL),
        (LoginRefused("the gateway refuses 'anna'"), 404, Verdict.FAIL),
        (LoginRefused("the gateway refuses 'anna'"), 401, Verdict.PASS),
    ],
)
def test_a_login_that_is_refused_is_no_refusal_of_the_path(
    monkeypatch: pytest.MonkeyPatch, told: RawAnswer | Exception, status: int | str, verdict: Verdict
) -> None:
    assert asked(monkeypatch, "get-4", told, None, get(status))[0] == [verdict]


def test_wrong_credentials_are_the_bench_files(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_: object) -> None:
        raise LoginRefused("no")

    monkeypatch.setattr(_Client, "login", refuse)
    with pytest.raises(BenchError, match="what the bench file says of its user"):
        asked(monkeypatch, "get-5", answer(404), get("4xx"))


@pytest.mark.parametrize("product", ["ppc", "conexa", "casa"])
def test_a_gateway_that_takes_no_digest_for_a_path_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, product: str
) -> None:
    made = HanServer.__init__
    challenge = 'Digest realm="SmartMeterGateway", qop="auth", algorithm="MD5", nonce="{:032x}", opaque="{:032x}"'

    @web.middleware
    async def otherwise(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.raw_path.endswith("/etc/passwd"):
            return web.Response(status=401, headers={"WWW-Authenticate": challenge.format(1, 2)})
        return await handler(request)

    def make(server: HanServer, clock: object, application: web.Application, *more: object, **named: object) -> None:
        made(server, clock, application, *more, **named)  # type: ignore[arg-type]
        application.middlewares.insert(0, otherwise)

    monkeypatch.setattr(HanServer, "__init__", make)
    out = tmp_path / "run"
    main(["run", str(SCENARIO), "--gateway", product, "--out", str(out), "--plain"])
    verdict = json.loads(next((out / "cases").glob("*/verdict.json")).read_text())
    assert verdict["verdict"] == "fail"
    assert "the login was refused, not the path" in verdict["reason"]
