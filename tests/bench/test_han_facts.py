"""What the bench relies on at the home interface is noted by the cases that used it, and by no others."""

from __future__ import annotations

import asyncio
import runpy
from datetime import timedelta
from typing import Any

import pytest

from bench import han_assumptions
from bench.han_access import HanAccess
from bench.han_assumptions import FACTS, Use, note_every, note_used
from bench.han_credentials import make_credential
from bench.timeline import Timeline
from devices.clock import Clock, run, wall_now
from devices.han import assumed
from devices.han.casa import CasaClient
from devices.han.content import RawAnswer
from devices.han.login import Login, Settings


class Noted(dict[str, tuple[object, str, str]]):
    def __call__(self, name: str, value: object, source: str, why: str) -> None:
        self[name] = (value, source, why)


@pytest.mark.parametrize(
    ("product", "use", "name"),
    [
        ("casa", "selftest", "home interface, CASA, path of the self-test"),
        ("conexa", "device", "home interface, CONEXA, smgw-time without a zone"),
        (
            "conexa",
            "unready",
            "home interface, CONEXA, a signed profile is there after the begin of its contract within",
        ),
        ("ppc", "list", "home interface, PPC, an hour that comes twice"),
        ("ppc", "trudi", "home interface, PPC, number of the gateway"),
        ("casa", "poll_gently", "home interface, pause between two looks"),
    ],
)
def test_a_fact_belongs_to_what_was_done_at_this_product(product: str, use: Use, name: str) -> None:
    noted, others = Noted(), Noted()
    note_used(noted, product, (use,))
    assert name in noted
    for other in ("ppc", "conexa", "casa"):
        if other != product:
            note_used(others, other, (use,))
    assert (name in others) == (name.count(",") == 1)
    note_used(others, product, ("session",))
    assert list(others)[-1] == "home interface, a session is taken up again for"


def test_no_two_facts_of_a_product_are_called_alike_with_different_values() -> None:
    for product in ("ppc", "conexa", "casa"):
        named: dict[str, str] = {}
        for one in FACTS:
            if one.products in ((), (product,)) and not one.name.startswith("pause"):
                assert named.setdefault(f"{one.name}{one.products}", one.value) == one.value


def test_what_is_told_is_what_the_clients_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each figure stands in one place: with another one there, another one is told."""
    monkeypatch.setattr(assumed, "CASA_SELFTEST", "/elsewhere")
    monkeypatch.setattr(assumed, "CONEXA_EDGE", timedelta(seconds=7))
    monkeypatch.setattr(assumed, "NO_SUPPLIER", "nobody")
    told = runpy.run_path(str(han_assumptions.__file__))["FACTS"]
    values = {one.name: one.value for one in told}
    assert values["path of the self-test"] == "POST /elsewhere"
    assert values["a capture lies beside its instant of the grid by at most"] == "7 s"
    assert values["supplier where none is told"] == "nobody"


async def test_a_casa_is_told_to_test_itself_at_the_path_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Link:
        async def request(self, method: str, target: str, **_: Any) -> RawAnswer:
            asked.append(f"{method} {target}")
            return RawAnswer(200, {}, b"", {})

    await CasaClient(Link()).selftest()  # type: ignore[arg-type]
    assert asked == [one.value for one in FACTS if one.uses == ("selftest",)]


def test_a_pause_of_the_bench_file_is_told_with_the_default() -> None:
    noted = Noted()
    note_every(noted, 1.0, 900.0)
    (value, source, why) = noted.pop("home interface, pause between two logins")
    assert (value, source) == ("1 s", "bench file, for han 2.1") and "default: 900 s" in why
    note_every(noted, 0.0, 0.0)
    assert not noted


def test_a_session_that_is_too_old_is_noted_when_it_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    class Client:
        def __init__(self, login: Login) -> None:
            self.link: Any = type("Link", (), {"login": login, "number": "", "fingerprint": "", "certificate": b""})()

        async def login(self) -> None: ...
        async def logout(self) -> None: ...
        async def close(self) -> None: ...
        async def device(self) -> Any:
            return type("Info", (), {"id": "1", "firmware": "1", "components": ()})()

    monkeypatch.setattr("devices.han.open.open_client", lambda clock, product, settings, login, **_: Client(login))
    told: list[bool] = []

    async def work() -> None:
        clock = Clock(asyncio.get_running_loop())
        access = HanAccess(
            clock, Timeline(clock), "casa", lambda: Settings("h"), {"one": Login("one", "p")}, every=timedelta(0)
        )
        access.assume = noted = Noted()
        for wait_s in (0.0, 299.0, 301.0):
            await clock.sleep(wait_s)
            await access.client()
            told.append("home interface, a session is taken up again for" in noted)

    run(work(), virtual=True)
    assert told == [False, False, True]


@pytest.mark.parametrize(("product", "curve"), [("ppc", "secp256r1"), ("casa", "secp256r1"), ("conexa", "secp384r1")])
def test_users_get_certificates_of_one_make(product: str, curve: str) -> None:
    import random

    now = wall_now()
    one, again = (make_credential("berta", product, now, random.Random(7)) for _ in range(2))
    other = make_credential("berta", product, now)
    assert one.key_pem == again.key_pem and one.key_pem != other.key_pem
    assert {one.key.curve.name, other.key.curve.name} == {curve}
    assert one.certificate.subject == other.certificate.subject
    assert [each.oid for each in one.certificate.extensions] == [each.oid for each in other.certificate.extensions]
