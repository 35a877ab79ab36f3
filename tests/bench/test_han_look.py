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
from devices.han.content import HanContract, RawAnswer
from devices.han.errors import NotUnderstood
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


def answering(monkeypatch: pytest.MonkeyPatch, number: str, status: Callable[[str], int]) -> list[str]:
    """A gateway whose certificate says `number`; the targets that are asked for."""
    asked: list[str] = []

    class Client:
        link: Any = type("Link", (), {"number": number})()

        async def raw(self, method: str, target: str, *, authenticate: bool = True) -> RawAnswer:
            assert (method, authenticate) == ("GET", False)
            asked.append(target)
            return RawAnswer(status(target), {}, b"", {})

        async def close(self) -> None: ...

    monkeypatch.setattr(han_look, "open_client", lambda *_: Client())
    return asked


async def looked(product: str) -> None:
    await look(Clock(asyncio.get_running_loop()), product, HanOnBench(address="h", user="a", password_env="A"))


@pytest.mark.parametrize("status", [200, 307, 401, 403, 503])
async def test_one_request_is_enough_where_all_is_well(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    asked = answering(monkeypatch, "", lambda _: status)
    await looked("conexa")
    assert asked == ["/smgw/m2m"]


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
