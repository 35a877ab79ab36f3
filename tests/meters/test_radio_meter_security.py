"""Protection of radio meters' telegrams, judged by a reader that shares no code with them (lmn-wireless 3)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from radio_judge import crc, judge
from radio_rack import KEY, MAIN, NUMBERS, RadioRack, read, value_of

from devices.clock import Clock
from devices.meters.radio.plan import Access, Protection
from devices.ports.radio import RadioMode
from devices.protocols.mbus.records import decode_records
from devices.protocols.mbus.telegram import decode

ANNEX_N_KEY = bytes.fromhex("0102030405060708090A0B0C0D0E0F11")
PLAIN = bytes.fromhex("2F2F0C1427048502046D32371F1502FD170000")
"""28504.27 m3, 2008-05-31 23:50, no error."""
BLOCKS = "9058475F4BC91DF878B80A1B0F98B629024AAC727942BFC549233C0140829B93"
MODES = {Protection.NONE: 0, Protection.PROFILE_A: 5, Protection.PROFILE_B: 7, Protection.PROFILE_D: 10}


@pytest.mark.parametrize(
    ("key", "telegram", "counter"),
    [
        (
            ANNEX_N_KEY,
            "2E4493157856341233037A2A0020255923C95AAA26D1B2E7493B013EC4A6F6D3529B520EDFF0EA6DEFC99D6D69EBF3",
            -1,
        ),
        (KEY, "434493157856341233038C2075900F002C25B30A000021924D4F2FB66E017A7500200710" + BLOCKS, 2739),
        (
            KEY,
            "530824484433221103378E80753A63665544330A31900F002C25B30A0000AF5D74DF73A600D97278563412931533037500200710"
            + BLOCKS,
            2739,
        ),
    ],
)
def test_the_judge_reads_the_published_examples(key: bytes, telegram: str, counter: int) -> None:
    judged = judge(bytes.fromhex(telegram), key)
    assert judged.genuine
    assert judged.plain.rstrip(b"\x2f") == PLAIN
    assert judged.counter == counter
    assert not judge(bytes.fromhex(telegram), bytes(16)).genuine


def test_the_judge_reads_encryption_in_the_extended_link_layer() -> None:
    key = bytes.fromhex("28F64A24988064A079AA2C807D6102AE")
    telegram = "2A442D2C998734761B168D2091D37CAC21E1D68CDAFFCD3DC452BD802913FF7B1706CA9E355D6C2701CC24"
    judged = judge(bytes.fromhex(telegram), key)
    assert judged.genuine
    assert judged.plain.hex().upper() == "02FF20710004130819000044130819000061" + "5B7F616713"
    assert not judge(bytes.fromhex(telegram), KEY).genuine


def test_the_judges_crc_is_that_of_the_standard() -> None:
    assert crc(b"123456789") == 0xC2B7


@pytest.mark.parametrize("mode", [RadioMode.T1, RadioMode.C1_B])
@pytest.mark.parametrize("kind", list(NUMBERS))
@pytest.mark.parametrize("protection", list(Protection))
async def test_every_kind_is_genuine_with_every_protection(
    clock: Clock, protection: Protection, kind: str, mode: RadioMode
) -> None:
    rack = RadioRack(clock)
    rack.meter(kind, 0, protection=protection, mode=mode, counter=1000).start()
    for number in (1000, 1001, 1002):
        telegram = await rack.next()
        judged, records = read(telegram)
        assert judged.genuine
        assert judged.mode == MODES.get(protection, -1)
        assert judged.counter == (number if protection.counts else -1)
        assert value_of(records, "energy" if kind in ("electricity", "heat") else "volume") == 100
        if protection is not Protection.NONE:
            assert not judge(telegram, bytes(16)).genuine
            assert judged.plain[:40] not in telegram


@pytest.mark.parametrize("protection", list(MODES))
async def test_a_radio_adapter_sends_under_its_own_address(clock: Clock, protection: Protection) -> None:
    rack = RadioRack(clock)
    rack.meter("gas", 0, adapter="7RAD0311223344", protection=protection).start()
    telegram = await rack.next()
    judged, records = read(telegram)
    assert judged.link == "2448443322110303"
    assert judged.ci == 0x72
    assert judged.genuine
    assert value_of(records, "volume") == 100
    opened = decode(telegram, KEY)
    assert opened.meter.id == "12345678"


async def test_records_behind_the_encrypted_ones_are_in_the_clear(clock: Clock) -> None:
    rack = RadioRack(clock)
    rack.meter(
        "gas",
        0,
        protection=Protection.PROFILE_A,
        compact=False,
        records=("volume",),
        clear_records=("gas_temperature",),
    ).start()
    telegram = await rack.next()
    assert telegram.endswith(bytes.fromhex("02669600"))
    judged, records = read(telegram)
    assert judged.clear == bytes.fromhex("02669600")
    assert [one.value for one in records] == [100, Decimal("15.0")]


async def test_a_meter_may_do_without_a_header(clock: Clock) -> None:
    rack = RadioRack(clock)
    rack.meter("water", 0, protection=Protection.NONE, no_header=True).start()
    judged = judge(await rack.next(), KEY)
    assert judged.ci == 0x78
    assert decode_records(judged.plain).records


@pytest.mark.parametrize(
    "protection", [Protection.PROFILE_A, Protection.PROFILE_B, Protection.PROFILE_D, Protection.ELL]
)
async def test_what_a_bidirectional_meter_sends_is_as_genuine(clock: Clock, protection: Protection) -> None:
    rack = RadioRack(clock)
    rack.meter(protection=protection, access=Access()).start()
    telegram = await rack.next()
    assert telegram[10] == (0x8D if protection is Protection.ELL else 0x8C)
    assert telegram[11] & 0xE4 == 0xE4, "bidirectional, fast, synchronous, accessible"
    assert judge(telegram, KEY).genuine


async def test_no_session_of_the_extended_link_layer_comes_twice(clock: Clock) -> None:
    rack = RadioRack(clock)
    meter = rack.meter(protection=Protection.ELL, interval_s=5)
    meter.start()
    await rack.several(100)
    meter.power_off()
    meter.power_on()
    await rack.several(100)
    sessions = [one.telegram[13:17] for one in rack.heard]
    assert len(set(sessions)) == 200


@pytest.mark.parametrize("kind", list(NUMBERS))
@pytest.mark.parametrize("protection", list(Protection))
async def test_the_projects_own_reader_agrees_with_the_judge(clock: Clock, kind: str, protection: Protection) -> None:
    rack = RadioRack(clock)
    rack.meter(kind, 500, protection=protection).start()
    await clock.sleep(3600)
    telegram = await rack.next()
    judged, opened = judge(telegram, KEY), decode(telegram, KEY)
    assert opened.trouble == ""
    assert opened.apl == judged.plain
    assert opened.counter == (judged.counter if judged.counter >= 0 else None)
    assert opened.mac_valid is (True if protection.counts else None)
    assert MAIN[kind]
