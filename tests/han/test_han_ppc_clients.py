"""The call sequences of han 2.4 that concern PPC's portal, as `devices.han.sequences` replays them."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from han_ppc_rack import (
    EXPORT,
    GAP,
    IMPORT,
    METER,
    PASSWORDS,
    SPANS,
    Ppc,
    counted,
    login,
    meter,
    ppc,
    reading_at,
    tariff,
)
from han_rack import reading_statements

from devices.han.link import HanLink
from devices.han.login import Login, Settings
from devices.han.sequences import ppc_current, ppc_lists
from devices.han.sequences.ppc_markup import PATH
from devices.han.sequences.visit import NIST, BoundReached, Findings, Told, Visit
from firmware.security.module import SecurityModule

BERLIN = ZoneInfo("Europe/Berlin")
LATEST = datetime(2026, 3, 30, 10, 0, tzinfo=UTC)
AT = LATEST + timedelta(seconds=1)


@pytest.fixture
async def gateway() -> AsyncIterator[Ppc]:
    async with ppc() as found:
        yield found


async def replayed(gateway: Ppc, program: Callable[..., Awaitable[Findings]], **more: Any) -> tuple[Findings, Visit]:
    """What a program finds for alice, and its visit."""
    alice = Login("alice", PASSWORDS["alice"])
    async with HanLink(gateway.clock, Settings(*gateway.address, curves=NIST), alice) as link:
        visit = Visit(link, gateway.clock.now(), rng=random.Random(1))
        return await program(visit, **more), visit


def shown(value: int) -> str:
    return f"{value / 10_000:.4f}"


def told(obis: str = IMPORT) -> Told:
    """The newest value of a register."""
    return Told(METER.lower(), obis, Decimal(shown(counted(LATEST, obis))), "kWh", AT)


def test_values_are_those_of_the_sheet() -> None:
    assert shown(7_249_204) == "724.9204"


async def test_home_assistant_reads_poll_after_poll(gateway: Ppc) -> None:
    for _ in range(3):
        found, visit = await replayed(gateway, ppc_current.home_assistant)
        assert found.told == (told(), told(EXPORT))
        assert visit.statuses == [401, 200, 200, 200, 200]
        await gateway.clock.sleep(900)


async def test_the_library_reads_versions_without_a_token(gateway: Ppc) -> None:
    found, _ = await replayed(gateway, ppc_current.library)
    assert found.told == (told(), told(EXPORT))
    assert found.more["names"] == [f"01005e318002.{METER.lower()}.sm"]
    versions = found.more["versions"]
    assert [row[0] for row in versions] == ["smgw-bootstream", "smgw-services"]
    assert int(versions[0][1]) >= 24052 and int(versions[1][1]) >= 25334
    assert all(re.fullmatch(r"[0-9a-f]{64}", row[2]) for row in versions)


async def test_the_challenge_is_that_of_the_sheet(gateway: Ppc) -> None:
    async with HanLink(gateway.clock, Settings(*gateway.address, curves=NIST), Login("nobody")) as link:
        answer = await link.request("GET", PATH, authenticate=False)
    assert re.fullmatch(
        r'Digest realm="SmartMeterGateway",qop="auth",algorithm="MD5",nonce="[0-9a-f]{32}",opaque="[0-9a-f]{32}"',
        answer.headers["www-authenticate"],
    )


async def test_node_red_reads_with_one_nonce(gateway: Ppc) -> None:
    for _ in range(2):
        found, visit = await replayed(gateway, ppc_current.node_red)
        assert visit.digest.count == 3
        assert visit.statuses == [401, 200, 200, 200]
        assert found.told == (told(),)
        assert found.more == {
            "meterid": f"{METER.lower()}.sm",
            "updateinterval": "900",
            "wert": shown(counted(LATEST)),
            "einheit": "kWh",
            "timestamp": "2026-03-30 12:00:01",
            "istvalide": "1",
            "obis": "1-0:1.8.0",
        }
        await gateway.clock.sleep(60)


@pytest.mark.parametrize(
    ("day", "quarters"), [("2026-03-28", 96), ("2026-03-29", 92), ("2025-10-26", 100)], ids=["gap", "spring", "autumn"]
)
async def test_the_history_has_every_quarter_hour_of_the_day(gateway: Ppc, day: str, quarters: int) -> None:
    """Han 2.3, 5.5: 92 and 100 quarter hours on the days of the change, both passes of the repeated hour listed."""
    begin = datetime.fromisoformat(day)
    found, visit = await replayed(gateway, ppc_lists.history, day=begin.date())
    assert visit.statuses == [401, 200] * 5  # a new handshake for each request
    assert len(set(found.more["mids"])) == 2
    own = [(time, value) for time, obis, value, _ in found.more["rows"] if obis == "1-0:1.8.0"]
    within = [time for time, _ in own if time.date() == begin.date()]
    assert len(within) == quarters - (1 if day == "2026-03-28" else 0)  # one instant has no value there
    wanted = []
    at = datetime(begin.year, begin.month, begin.day, tzinfo=BERLIN).astimezone(UTC)
    while at.astimezone(BERLIN).date() == begin.date():
        wanted.append(at)
        at += timedelta(minutes=15)
    assert len(wanted) == quarters
    wanted = [one for one in [*wanted, at] if one != GAP]
    assert own == [
        ((one + timedelta(seconds=1)).astimezone(BERLIN).replace(tzinfo=None), shown(counted(one)))
        for one in reversed(wanted)
    ]
    assert [one for one in found.told if one.obis == IMPORT] == [
        Told(METER.lower(), IMPORT, Decimal(shown(counted(one))), "kWh", one + timedelta(seconds=1)) for one in wanted
    ]


async def test_the_library_reads_profile_and_first_register_of_the_exports(gateway: Ppc) -> None:
    begin = datetime(2026, 3, 28, 23, tzinfo=UTC)
    found, _ = await replayed(gateway, ppc_lists.library_exports, begin=begin)
    assert {one.obis for one in found.told} == {IMPORT}
    assert found.told[0] == Told(METER.lower(), IMPORT, Decimal(counted(LATEST)).scaleb(-1), "Wh", AT)
    assert len(found.told) == int((LATEST - begin) / timedelta(minutes=15)) + 1
    assert set(found.more["registers"]) == {f"01005e318002.{METER.lower()}.sm"}


async def test_the_extractor_reads_both_registers_of_the_saved_file(gateway: Ppc) -> None:
    begin, end = datetime(2026, 3, 28, 10, tzinfo=UTC), datetime(2026, 3, 28, 14, 0, 1, tzinfo=UTC)
    found, _ = await replayed(gateway, ppc_lists.extractor, begin=begin, end=end)
    wanted = [begin + timedelta(minutes=15) * at for at in range(17)]
    assert list(found.told) == [
        Told(METER.lower(), obis, Decimal(counted(at, obis)).scaleb(-1), "Wh", at + timedelta(seconds=1))
        for obis in (IMPORT, EXPORT)
        for at in reversed(wanted)
        if at != GAP
    ]


async def test_lutarym_finds_every_label(gateway: Ppc) -> None:
    found, _ = await replayed(gateway, ppc_current.lutarym)
    assert found.told == (told(), told(EXPORT))
    ((label, facts),) = found.more["meters"].items()
    assert label == f"01005e318002.{METER.lower()}.sm"
    assert facts["Ausleseintervall"] == "900"
    assert facts["synced"] == "2026-03-30 11:30:00"
    assert re.fullmatch("[0-9a-f]{128} [0-9a-f]{128}", facts["signs"])
    tariffs = found.more["tariffs"]
    assert sorted(tariffs) == ["TAF1_OCT_B+E", "TAF2_OCT_B+E", "TAF7_OCT_B+E"]
    for label, facts in tariffs.items():
        assert all(value for value in facts.values()), facts
        assert facts["TAF-Typ"].startswith(f"{label[:4]} ")
        assert facts["Ende Validierungsperiode"] == "unbegrenzt"
        assert facts["Beginn Validierungsperiode"] == "2026-03-01 00:00:00"
        assert facts["table_tafvalues_col_domain"] == f"{METER.lower()}.sm"
        assert facts["table_tafvalues_col_obis"] == "1-0:1.8.0"
    march = str(31 * 86_400 - 3600)
    assert [tariffs[name]["Abrechnungsperiode (sek.)"] for name in sorted(tariffs)] == [march, march, "0"]


async def test_open_hab_reads_the_newest_value_of_each_register(gateway: Ppc) -> None:
    """Its rows are numbered within a reading, so those of older readings do not come after (OH)."""
    found, _ = await replayed(gateway, ppc_current.open_hab)
    assert found.told == (told(), told(EXPORT))


async def test_the_next_poll_behind_a_new_reading_shows_it(gateway: Ppc) -> None:
    """The table of current values is made once for a reading, not once for a meter."""
    for quarters in (0, 1, 2):
        at = LATEST + timedelta(minutes=15 * quarters)
        if quarters:
            module = SecurityModule(gateway.rack.memory)
            gateway.rack.memory.commit(reading_statements(module, (reading_at(METER, at),)))
        found, _ = await replayed(gateway, ppc_current.home_assistant)
        values = [(one.obis, str(one.value), one.at) for one in found.told]
        captured = at + timedelta(seconds=1)
        assert values == [(obis, shown(counted(at, obis)), captured) for obis in (IMPORT, EXPORT)]


async def logged_in(gateway: Ppc) -> None:
    """An earlier login; what is logged is stored in the gateway's own time."""
    await replayed(gateway, ppc_current.library)
    await gateway.clock.sleep(1)


async def test_trudi_walks_through_contracts_pages_and_log(gateway: Ppc) -> None:
    await logged_in(gateway)
    span = {"begin": datetime(2025, 9, 30, 22, tzinfo=UTC), "end": datetime(2026, 3, 31, 22, tzinfo=UTC)}
    result, _ = await replayed(gateway, ppc_lists.transparency, **span)
    found = result.more
    assert found["TAF2_OCT_B+E"] == [
        ("TAF2 Zeitvariabler Tarif",),
        ("2026-03-01 00:00:00", "2026-04-01 00:00:00", "laufend"),
    ]
    staged = found["TAF2_OCT_B+E registers"]
    assert {row[4] for row in staged} == {"0", "1", "2", "63"}
    assert all(row[3] == f"1-0:1.8.{row[4]}" for row in staged)
    assert [row[5] for row in staged] == sorted((row[5] for row in staged), reverse=True)
    assert staged[0][5] == "2026-03-30 06:00:00"
    by_stage = {row[4]: Decimal(row[1]) for row in staged[:4]}
    at = datetime(2026, 3, 30, 4, tzinfo=UTC)
    assert str(by_stage["0"]) == shown(counted(at))
    rise = counted(at) - counted(datetime(2026, 3, 27, 12, tzinfo=UTC))
    assert str(by_stage["1"] + by_stage["2"] + by_stage["63"]) == shown(rise)
    assert found["TAF7_OCT_B+E"][1] == ("2026-03-01 00:00:00", "unbegrenzt", "laufend")
    registers = found["TAF7_OCT_B+E registers"]
    quarters = int((LATEST - datetime(2026, 3, 27, 12, tzinfo=UTC)) / timedelta(minutes=15)) + 1
    assert len(registers) == 2 * quarters
    assert registers[0] == ("gültig", shown(counted(LATEST)), "kWh", "1-0:1.8.0", "0", "2026-03-30 12:00:00")
    assert ("nicht vorhanden", "", "", "1-0:1.8.0", "0", "2026-03-28 13:00:00") in registers
    assert {row[0] for row in registers} == {"gültig", "ungültig", "nicht vorhanden"}
    logged = found["log"]
    assert ("INFO", "10228", "erfolgreich") in [row[1:] for row in logged]
    assert [row[0] for row in logged] == sorted((row[0] for row in logged), reverse=True)
    assert {row[1] for row in logged} <= {"INFO", "WARNING", "ERROR", "FATAL"}
    # 193 instants in October, 281 in March, two registers each, none at the gap: pages of 200 instants, newest first
    assert found["pages"] == {f"01005e318002.{METER.lower()}.sm": [398, 400, 148]}


async def test_trudi_tells_both_passes_of_the_hour_in_october_apart_in_registers_too() -> None:
    contract = tariff(7, begin="2025-10-24T22:00:00Z")
    async with ppc(profiles=(meter(METER, "alice"), contract, login("alice"))) as gateway:
        await logged_in(gateway)
        found, _ = await replayed(gateway, ppc_lists.transparency)
        registers = {one.instant: one.value for one in found.told if one.instant is not None}
        first, last = SPANS[0]
        instants = [
            first + timedelta(minutes=15 * number) for number in range((last - first) // timedelta(minutes=15) + 1)
        ]
        assert [str(registers[at]) for at in instants] == [shown(counted(at)) for at in instants]


async def test_trudi_asks_for_the_log_of_its_span_only(gateway: Ppc) -> None:
    await logged_in(gateway)
    await gateway.clock.sleep(3600)
    begin = gateway.clock.now() - timedelta(minutes=30)
    await logged_in(gateway)
    found, _ = await replayed(gateway, ppc_lists.transparency, begin=begin)
    logged = [row[0] for row in found.more["log"]]
    assert logged and min(logged) >= f"{begin.astimezone(BERLIN):%Y-%m-%d %H:%M:%S}"


async def test_trudi_reads_all_pages_of_billing_periods(monkeypatch: pytest.MonkeyPatch) -> None:
    """One day each, 30 in all, ten on a page."""
    daily = tariff(1, billing={"unit": "day", "count": 1})
    profiles = (meter(METER, "alice"), daily, login("alice"))
    async with ppc(profiles=profiles, han_ppc_register_page=10) as gateway:
        await logged_in(gateway)
        span = {"begin": datetime(2026, 2, 28, 23, tzinfo=UTC), "end": AT}
        found, _ = await replayed(gateway, ppc_lists.transparency, **span)
        periods = found.more["TAF1_OCT_B+E"][1:]
        assert [one[0] for one in periods] == [f"2026-03-{day:02} 00:00:00" for day in range(30, 0, -1)]
        monkeypatch.setattr(ppc_lists, "PAGES", 2)
        with pytest.raises(BoundReached, match="showTarification has more than 2 pages"):
            await replayed(gateway, ppc_lists.transparency, **span)


async def test_trudi_drops_no_page_of_values_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    """474 instants, 20 on a page; the registers are on one."""
    async with ppc(han_ppc_values_page=20, han_ppc_register_page=2000) as gateway:
        await logged_in(gateway)
        span = {"begin": datetime(2025, 9, 30, 22, tzinfo=UTC), "end": AT}
        monkeypatch.setattr(ppc_lists, "PAGES", 24)
        found, _ = await replayed(gateway, ppc_lists.transparency, **span)
        assert [len(one) for one in found.more["pages"].values()] == [24]
        monkeypatch.setattr(ppc_lists, "PAGES", 23)
        with pytest.raises(BoundReached, match="showMeterValues has more than 23 pages"):
            await replayed(gateway, ppc_lists.transparency, **span)
