"""What a bench file with a home interface says wrong is told with its place and what would be right, before any run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bench import han_look
from bench.applicability import not_applicable
from bench.config import BenchFile, load_bench
from bench.han_access import HanAccess
from bench.han_look import WrongPlace, look, look_first
from bench.han_models import HanOnBench
from bench.products import clauses_of
from bench.scenario.loader import load
from bench.timeline import Timeline
from bench.tools.export_han import Asked, _span, access
from devices.clock import Clock
from devices.errors import BenchError, UsageError
from devices.han.conexa import ConexaClient
from devices.han.content import HanContract, RawAnswer
from devices.han.errors import LoginLocked, LoginRefused, NotUnderstood, Refused
from devices.han.login import Login, Settings

HOME = Path(__file__).parents[2] / "scenarios" / "home"


def bench_file(folder: Path, address: str, **more: Any) -> Path:
    password = folder / "password"
    password.write_text("geheim.\n")
    han = {"address": address, "user": "hks2", "password_file": str(password), **more.pop("han", {})}
    file = folder / "cellar.yaml"
    file.write_text(f"name: cellar\ngateway:\n  type: casa\n  han: {json.dumps(han)}\n{json.dumps(more)[1:-1]}\n")
    return file


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("https://192.168.1.200/", "without 'https://' and path: write it like 192.168.1.200:443"),
        ("192.168.1.200:99999", "'99999' is no port from 1 to 65535"),
        ("192.168.1.200:", "'' is no port"),
        ("192.168.1.200:https", "'https' is no port"),
        ("a gateway", "'a gateway' is no host name and no IP address"),
        ("[fe80::zz]:443", "'fe80::zz' is no host name and no IP address"),
        ("", "at least 1 character"),
    ],
)
def test_an_address_that_is_none_is_a_mistake_in_the_file(tmp_path: Path, address: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_bench(str(bench_file(tmp_path, address)))
    assert told in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'cellar.yaml'}:4:")


@pytest.mark.parametrize(
    ("address", "where"),
    [
        ("gateway.local", ("gateway.local", 443)),
        ("192.168.1.200:8443", ("192.168.1.200", 8443)),
        ("::1", ("::1", 443)),
        ("[::1]", ("::1", 443)),
        ("[::1]:8443", ("::1", 8443)),
    ],
)
def test_host_and_port_of_an_address(address: str, where: tuple[str, int]) -> None:
    assert HanOnBench(address=address, user="a", password_env="A").where == where


def test_only_a_bench_with_nothing_but_the_cable_says_where_it_reaches(tmp_path: Path) -> None:
    bench, _ = load_bench(str(bench_file(tmp_path, "[::1]:8443")))
    assert bench.only_han == "[::1]:8443"
    assert load_bench("emulated")[0].only_han == ""
    more = BenchFile.model_validate({**bench.model_dump(exclude_defaults=True), "time_server": {"port": 1123}})
    assert more.only_han == ""


DIGEST = {"www-authenticate": 'Digest realm="SmartMeterGateway", nonce="7"'}


def answered(status: int, text: str = "", **headers: str) -> RawAnswer:
    return RawAnswer(status, {name.replace("_", "-"): value for name, value in headers.items()}, text.encode(), {})


def answering(monkeypatch: pytest.MonkeyPatch, number: str, answer: Callable[[str], RawAnswer | int]) -> list[str]:
    """A gateway whose certificate says `number`; the targets that are asked for. Status 401 alone: with a digest."""
    asked: list[str] = []

    class Client:
        link: Any = type("Link", (), {"number": number})()

        async def raw(self, method: str, target: str, *, authenticate: bool = True) -> RawAnswer:
            assert (method, authenticate) == ("GET", False)
            asked.append(target)
            found = answer(target)
            return found if isinstance(found, RawAnswer) else RawAnswer(found, DIGEST if found == 401 else {}, b"", {})

        async def close(self) -> None: ...

    monkeypatch.setattr(han_look, "open_client", lambda *_: Client())
    return asked


async def looked(product: str) -> None:
    await look(Clock(asyncio.get_running_loop()), product, HanOnBench(address="h", user="a", password_env="A"))


PPC, CONEXA, CASA = "/cgi-bin/hanservice.cgi", "/smgw/m2m", "/json/systeminformations"
LOCKED = "<h1>Fehler</h1><p>Anmeldung fehlgeschlagen. Bitte warten Sie 4 Minuten 12 Sekunden.</p>"


@pytest.mark.parametrize(
    ("product", "answer"),
    [
        ("ppc", 401),
        ("conexa", 401),
        ("casa", 401),
        ("ppc", answered(200, LOCKED)),
        ("conexa", answered(307, location="/smgw/m2m/hks2.sm/json")),
        ("casa", answered(403, retry_after="290")),
        ("casa", answered(403, "<p>gesperrt, noch 4 Minuten 50 Sekunden</p>")),
        ("casa", answered(503, "<p>Kein Zugriff. Der Gateway-Administrator ist informiert.</p>")),
    ],
)
async def test_one_request_is_enough_where_all_is_well(
    monkeypatch: pytest.MonkeyPatch, product: str, answer: RawAnswer | int
) -> None:
    asked = answering(monkeypatch, "", lambda _: answer)
    await looked(product)
    assert asked == [{"ppc": PPC, "conexa": CONEXA, "casa": CASA}[product]]


@pytest.mark.parametrize("product", ["ppc", "conexa", "casa"])
@pytest.mark.parametrize(
    "answer",
    [
        answered(200, "<h1>Welcome to nginx</h1>"),
        answered(302, location="/login"),
        answered(307, location="/login"),
        answered(401, www_authenticate='Basic realm="router"'),
        answered(403, "Forbidden"),
        answered(500),
        answered(503, "Service Unavailable"),
    ],
)
async def test_a_server_that_answers_every_path_alike_is_no_gateway(
    monkeypatch: pytest.MonkeyPatch, product: str, answer: RawAnswer
) -> None:
    answering(monkeypatch, "", lambda _: answer)
    with pytest.raises(WrongPlace, match=f"h:443 does not answer as a {product}: status {answer.status}") as caught:
        await looked(product)
    assert caught.value.field == ("han", "address")
    assert "is it the address of the gateway?" in str(caught.value)


async def test_a_conexa_that_tests_itself_closes_its_own_interface_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(monkeypatch, "", lambda target: 403 if target == CONEXA else 404)
    await looked("conexa")
    assert asked == [CONEXA, PPC]
    answering(monkeypatch, "", lambda _: 403)
    with pytest.raises(WrongPlace, match="a self-test runs, or was less than 10 minutes ago: try again then"):
        await looked("conexa")


async def test_the_number_in_the_certificate_says_whose_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where every path asks for credentials, and where a product has nothing at its path at the moment."""
    answering(monkeypatch, "eppc0210495730", lambda _: 401)
    with pytest.raises(WrongPlace, match=r"h:443 is a ppc, not a casa .write 'type: ppc'.") as caught:
        await looked("casa")
    assert (caught.value.field, caught.value.right) == (("type",), "ppc")
    answering(monkeypatch, "eemh0009264154", lambda _: 404)
    await looked("casa")


async def test_what_is_no_gateway_is_told_as_a_wrong_address(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(monkeypatch, "", lambda _: 404)
    with pytest.raises(WrongPlace, match=r"is no casa: it has no /json/systeminformations .status 404.") as caught:
        await looked("casa")
    assert caught.value.field == ("han", "address") and len(asked) == 3


def test_nothing_is_asked_where_no_case_is_for_the_gateway(tmp_path: Path) -> None:
    """Nobody listens at port 1, which would be told."""
    bench, source = load_bench(str(bench_file(tmp_path, "127.0.0.1:1")))
    cases = [case for case in load([HOME]) if case.gateway == "casa"]
    look_first(bench, source, [case for case in cases if not_applicable(case, bench) is not None])
    with pytest.raises(BenchError, match=r"cellar.yaml:4:\d+: 'address': 127.0.0.1:1 cannot be reached"):
        look_first(bench, source, cases)


def test_a_password_that_is_not_there_is_told_once_with_its_place(tmp_path: Path) -> None:
    bench, source = load_bench(str(bench_file(tmp_path, "127.0.0.1:1", han={"password_file": "/no/such/file"})))
    with pytest.raises(UsageError, match=r"cellar.yaml:4:\d+: the password file /no/such/file cannot be read"):
        look_first(bench, source, load([HOME]))


async def test_a_first_login_that_is_answered_like_another_product_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a bench that can switch the gateway off nothing was looked at before."""

    class Client:
        async def login(self) -> None:
            raise NotUnderstood("login", "neither a session nor a word on why not")

        async def close(self) -> None: ...

    monkeypatch.setattr("devices.han.open.open_client", lambda *_, **__: Client())
    clock = Clock(asyncio.get_running_loop())
    for real, kind in ((True, BenchError), (False, NotUnderstood)):
        han = HanAccess(
            clock, Timeline(clock), "ppc", lambda: Settings("never-seen"), {"a": Login("a", "b")}, real=real
        )
        with pytest.raises(kind, match="neither a session"):
            await han.client()


async def test_a_lock_is_not_blamed_on_the_bench_file_and_a_refused_login_names_its_fields(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refusals: list[Exception] = [LoginLocked("no logins for 292 s", 292), LoginRefused("it refuses 'a'")]

    class Client:
        async def login(self) -> None:
            raise refusals.pop(0)

        async def close(self) -> None: ...

    monkeypatch.setattr("devices.han.open.open_client", lambda *_, **__: Client())
    clock = Clock(asyncio.get_running_loop(), datetime(2026, 1, 5, 12, tzinfo=UTC))
    logins = {"a": Login("a", "b")}
    han = HanAccess(clock, Timeline(clock), "conexa", lambda: Settings("locked"), logins, real=True)
    with pytest.raises(BenchError, match=r"the gateway is locked until \d\d:\d\d:\d\d, after others") as caught:
        await han.client()
    assert "bench file" not in str(caught.value)
    with pytest.raises(BenchError, match=r"refuses 'a'; look at 'user' and password .*conexa that is locked may say"):
        await han.client()
    with pytest.raises(BenchError, match="not asked again: the gateway does not take what the bench file says"):
        await han.client()


async def test_a_conexa_that_tests_itself_at_the_first_login_is_not_told_as_another_type(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Link:
        async def request(self, *_: str, **__: Any) -> RawAnswer:
            return answered(403)

        async def close(self) -> None: ...

    monkeypatch.setattr("devices.han.open.open_client", lambda *_, **__: ConexaClient(Link()))  # type: ignore[arg-type]
    clock = Clock(asyncio.get_running_loop())
    han = HanAccess(clock, Timeline(clock), "conexa", lambda: Settings("testing"), {"a": Login("a", "b")}, real=True)
    with pytest.raises(Refused, match="403: a self-test runs, or was less than 10 minutes ago") as caught:
        await han.client()
    assert "is the type right" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"known": "AABB"}, "--fingerprint: a fingerprint is the SHA-256 of the certificate, 64 hex digits"),
        ({"address": "https://h"}, "--han: host and port alone, without 'https://' and path: write it like"),
        ({"user": ""}, "--user: "),
    ],
)
def test_the_options_of_the_export_are_told_in_one_line(given: dict[str, str], told: str) -> None:
    plain: dict[str, Any] = {"address": "h", "user": "a", "password_file": Path("p"), "certificate": None, "key": None}
    with pytest.raises(UsageError) as caught:
        access(**{**plain, "known": None, **given})
    assert str(caught.value).startswith(told) and "\n" not in str(caught.value)
    assert "pydantic" not in str(caught.value)


def test_a_clause_says_nothing_of_another_product() -> None:
    written = ("PPC 4.1", "CONEXA E-5", "CASA 7.2", "FNN 6.2", "BZ 5", "TRuDI 015")
    assert clauses_of("casa", written) == ("CASA 7.2", "FNN 6.2", "BZ 5", "TRuDI 015")
    assert clauses_of("bz_plus_v2", written) == ("FNN 6.2", "BZ 5", "TRuDI 015")
    assert clauses_of("", written) == written


def test_a_contract_that_has_not_begun_has_no_values_yet() -> None:
    begin, now = datetime(2026, 11, 30, 23, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC)
    contract = HanContract(id="house-bill", taf=1, name="bill", begin=begin, state="ready")
    han = HanOnBench(address="h", user="a", password_env="A")
    with pytest.raises(UsageError, match="contract house-bill has no values yet: it begins at 2026-11-30T23:00:00"):
        _span(contract, now, Asked("casa", han))
    backwards = Asked("casa", han, begin_s=1_800_000_000, end_s=1_700_000_000)
    with pytest.raises(UsageError, match="the span ends before it begins"):
        _span(contract, now, backwards)
