"""The PPC client against pages in the form of the fact sheet, chapters 2.1 to 2.3."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from han_stand_in import Digest, Headers, make_certificate, serving

from devices.clock import Clock
from devices.errors import BenchError
from devices.han.errors import LoginLocked, NotUnderstood, SessionEnded
from devices.han.link import HanLink
from devices.han.login import Login, Settings
from devices.han.ppc import PpcClient
from devices.han.ppc_pages import Page

METER = "1lgz0072999211"
HEAD = "<html><body><form><input type='hidden' name='tkn' value='{tkn}'></form>"
FOOT = (
    "<p id='div_timestamp'>2026-10-25 04:00:00<br>Letzte Synchronisation: 2026-10-25 03:55:00</p>"
    "<p id='div_fwversion'>00861-34788</p></body></html>"
)
LOCKED = "<h1>Fehler</h1><p>Anmeldung fehlgeschlagen. Bitte versuchen Sie es in 4 Minuten und 31 Sekunden erneut.</p>"


def row(number: int, time: str, obis: str, value: str, quote: str = "'", typo: bool = False) -> str:
    """A row of the table of values, as the pages have it."""
    name = "table_metervaleus_col_obis" if typo else "table_metervalues_col_obis"
    cells = [("timestamp", time), ("istvalide", "1"), ("name", "Wirkarbeit"), ("wert", value), ("einheit", "kWh")]
    told = "".join(f"<td id={quote}table_metervalues_col_{key}{quote}>{text}</td>" for key, text in cells)
    return f"<tr id={quote}table_metervalues_line{number}{quote}>{told}<td id={quote}{name}{quote}>{obis}</td></tr>"


def table(rows: list[str], more: bool = False) -> str:
    button = "<button id='table_metervalues_button_nextpage'>weiter</button>" if more else ""
    return f"<table id='metervalue'>{''.join(rows)}</table>{button}"


class StandIn:
    """Answers like a PPC: one session, tokens that change, ids that change."""

    def __init__(self) -> None:
        self.digest = Digest("kunde", "geheim.")
        self.session = 0
        self.asked: list[dict[str, str]] = []
        self.pages: dict[tuple[str, str], str] = {}
        self.locked = False
        self.old = False

    def __call__(self, method: str, target: str, headers: Headers, body: bytes) -> tuple[int, Headers, bytes]:
        html = {"Content-type": "text/html; charset=utf-8"}
        if not self.digest.right(method, target, headers):
            return 401, self.digest.challenge(), b""
        if self.locked:
            return 200, html, LOCKED.encode()
        if method == "GET":
            self.session += 1
            page = HEAD.format(tkn="t0") + "<h1 id='headline_willkommen'>Willkommen</h1>" + FOOT
            if self.old:
                return 200, html, f"sessionid=s{self.session}&{page}".encode()
            return 200, {**html, "Set-Cookie": f"session=s{self.session};secure;HttpOnly"}, page.encode()
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        self.asked.append(form)
        if headers.get("cookie") != f"session=s{self.session}":
            return 200, html, b""
        found = self.pages.get((form["action"], form.get("page", "1")), "<h1>ok</h1>")
        return 200, html, (HEAD.format(tkn=f"t{len(self.asked)}") + found + FOOT).encode()


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    return make_certificate(tmp_path, "gateway")


def client_at(clock: Clock, port: int) -> PpcClient:
    return PpcClient(HanLink(clock, Settings("127.0.0.1", port), Login("kunde", "geheim.")))


METERFORM = (
    "<form id='form_meterform'><select id='meterform_select_meter' name='mid'>"
    f"<option value='4711'>01005e318002.{METER}.sm</option></select></form>"
)


async def test_a_cycle_reads_meters_and_values(clock: Clock, pem: Path) -> None:
    server = StandIn()
    server.pages["meterform", "1"] = METERFORM
    rows = [row(0, "2026-10-25 03:45:00", "1-0:1.8.0", "724.9204"), row(1, "", "1-0:2.8.0", "3", typo=True)]
    server.pages["showMeterProfile", "1"] = table(rows)
    server.pages["swversions", "1"] = (
        "<table><tr><td>smgw-bootstream</td><td>00861</td><td>ab</td></tr>"
        "<tr><td>smgw-services</td><td>34788</td><td>cd</td></tr></table>"
    )
    async with serving(server, pem) as port:
        client = client_at(clock, port)
        assert await client.meters() == (METER,)
        reading = await client.current(METER)
        device = await client.device()
        await client.logout()
        await client.close()
    assert reading.at == datetime(2026, 10, 25, 2, 45, tzinfo=UTC)
    assert [(one.obis, str(one.exact)) for one in reading.values] == [
        ("1-0:1.8.0*255", "724920.4"),
        ("1-0:2.8.0*255", "3E+3"),
    ]
    assert device.firmware == "00861-34788"
    assert [one.name for one in device.components] == ["smgw-bootstream", "smgw-services"]
    assert [form["action"] for form in server.asked][-1] == "logout"
    assert [form["tkn"] for form in server.asked] == [f"t{number}" for number in range(len(server.asked))]


async def test_both_passes_of_the_hour_that_comes_twice(clock: Clock, pem: Path) -> None:
    """Newest first, over pages, local times without a zone; on 25 October 2026 the hour from 02:00 comes twice."""
    server = StandIn()
    server.pages["meterform", "1"] = METERFORM
    server.pages["showMeterValuesForm", "1"] = "<form name='input_metervalues'><input name='mid' value='815'></form>"
    times = [
        "03:00",
        *(f"02:{minute}" for minute in ("45", "30", "15", "00")),
        *(f"02:{m}" for m in ("45", "30", "15", "00")),
        "01:45",
    ]
    rows = [
        row(number, f"2026-10-25 {time}:00", "1-0:1.8.0", str(100 - number), '"') for number, time in enumerate(times)
    ]
    server.pages["showMeterValues", "1"] = table(rows[:6], more=True)
    server.pages["showMeterValues", "2"] = table(rows[6:])
    begin, end = datetime(2026, 10, 24, 23, 45, tzinfo=UTC), datetime(2026, 10, 25, 2, 0, tzinfo=UTC)
    async with serving(server, pem) as port:
        client = client_at(clock, port)
        found = await client.originals(METER, begin, end)
        await client.close()
    assert [(one.at - begin).total_seconds() / 900 for one in found] == list(range(10))
    assert [one.values[0].exact for one in found] == [value * 1000 for value in range(91, 101)]
    asked = next(form for form in server.asked if form["action"] == "showMeterValues")
    assert (asked["mid"], asked["from"], asked["to"]) == ("815", "2026-10-25 00:45:00", "2026-10-25 04:00:00")


async def test_a_list_of_more_pages_than_are_read_is_not_taken_for_a_whole_one(
    clock: Clock, pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.han.ppc.MOST_PAGES", 2)
    server = StandIn()
    server.pages["meterform", "1"] = METERFORM
    server.pages["showMeterValuesForm", "1"] = "<form name='input_metervalues'><input name='mid' value='815'></form>"
    for number in (1, 2):
        at = f"2026-10-25 0{3 - number}:00:00"
        server.pages["showMeterValues", str(number)] = table([row(0, at, "1-0:1.8.0", "1")], more=True)
    begin, end = datetime(2026, 10, 24, tzinfo=UTC), datetime(2026, 10, 26, tzinfo=UTC)
    async with serving(server, pem) as port:
        client = client_at(clock, port)
        with pytest.raises(BenchError, match="showMeterValues has more than 2 pages"):
            await client.originals(METER, begin, end)
        await client.close()


async def test_a_locked_gateway_answers_200_without_a_cookie(clock: Clock, pem: Path) -> None:
    server = StandIn()
    server.locked = True
    async with serving(server, pem) as port:
        client = client_at(clock, port)
        with pytest.raises(LoginLocked) as locked:
            await client.login()
        await client.close()
    assert locked.value.remaining_s == 4 * 60 + 31


async def test_a_second_login_ends_the_first_session(clock: Clock, pem: Path) -> None:
    server = StandIn()
    server.pages["meterform", "1"] = METERFORM
    async with serving(server, pem) as port:
        first, second = client_at(clock, port), client_at(clock, port)
        await first.login()
        await second.login()
        assert await second.meters() == (METER,)
        with pytest.raises(SessionEnded):
            await first.meters()
        await first.close()
        await second.close()


async def test_old_firmware_writes_the_session_in_front_of_the_page(clock: Clock, pem: Path) -> None:
    server = StandIn()
    server.old = True
    server.pages["meterform", "1"] = METERFORM
    async with serving(server, pem) as port:
        client = client_at(clock, port)
        assert await client.meters() == (METER,)
        await client.close()


async def test_a_page_without_the_table_is_not_understood(clock: Clock, pem: Path) -> None:
    server = StandIn()
    server.pages["meterform", "1"] = METERFORM
    async with serving(server, pem) as port:
        client = client_at(clock, port)
        with pytest.raises(NotUnderstood, match="metervalue"):
            await client.current(METER)
        await client.close()


@pytest.mark.parametrize("octets", [b"", b"\x00\xff" * 50, b"<table id='metervalue'><tr><td", b"<!-- " * 1000])
def test_broken_pages_raise_nothing_else(octets: bytes) -> None:
    page = Page(octets, "trial")
    assert page.token == ""
    assert page.versions == ""
    assert list(page.three()) == []
