"""The meter's station on the bus, spoken to with octets made by hand from the fact sheet (lmn-wired 1 and 2)."""

from __future__ import annotations

import random
from typing import Any

import pytest
from bus_bench import SAG, Bench, Master, invite_until_all_are_listed
from hand_made import cut, frame, record, x25

from devices.clock import Clock
from devices.meters.base_meter import BaseMeter
from devices.meters.catalogue import make_meter
from devices.meters.discovery import Discovery
from devices.meters.replay_meter import ReplayMeter
from devices.meters.wired_station import Busy, WiredStation
from devices.ports.base import LineSettings
from devices.ports.pty import pty_pair
from devices.ports.serial import open_serial
from devices.protocols.hdlc_link import LinkLimits
from devices.rs485.bus import Rs485Bus

INVITE = bytes.fromhex("7E A009 FE03 0203 13 842A 7E")
"""Row 1 of the service tool's trace: an invite with an empty list."""

OCTET_S = 10 / 921_600


@pytest.fixture
async def bench(clock: Clock) -> Bench:
    return Bench(clock)


def meter_of(clock: Clock, serial: int) -> BaseMeter:
    return BaseMeter(clock, f"1EMH00{serial:08d}")


async def linked(bench: Bench, address: int = 0x66, **options: Any) -> WiredStation:
    """A station at 0x66 with its link up on selector 3."""
    station = bench.station(address=address, **options)
    head = f"{address << 1:02X}070207"
    answer = await bench.master.say(frame(head + "93"))
    assert answer == frame(f"0207{address << 1:02X}0773")
    return station


# --- discovery


async def test_the_invite_of_the_trace_is_answered_with_a_record_from_the_chosen_address(bench: Bench) -> None:
    station = bench.station()
    answer = await bench.master.say(INVITE)
    assert station.address is not None
    assert 3 <= station.address <= 0x7E
    wire = bytes([station.address << 1])
    assert answer[:8] == bytes.fromhex("7E A02B 0203") + wire + bytes.fromhex("03 13"), "length 2B as in row 2"
    assert answer == frame(f"0203{wire.hex()}0313", record(station.address, 0, SAG))
    assert bench.events == [
        (station.name, "addressed", {"address": station.address, "slot": 0, "listed": False}),
    ]


async def test_an_invite_is_answered_5_to_14_ms_behind_its_last_bit(bench: Bench) -> None:
    waits = set()
    stations = [bench.station(meter_of(bench.clock, number), seed=number) for number in range(40)]
    for station in stations:
        station.plug(False)
    for station in stations:
        station.plug(True)
        await bench.master.say(INVITE)
        end = bench.evidence[-1][0] - 45 * OCTET_S
        waits.add(round((end - bench.evidence[-2][0]) * 1000, 3))
        station.plug(False)
    assert waits == set(range(5, 15))


async def test_a_record_is_answered_as_the_first_listed_address_plus_one(bench: Bench) -> None:
    station = bench.station()
    others = record(0x20, 0, b"\x0a" + bytes(9)) + record(0x30, 0, b"\x0a" + bytes(8) + b"1")
    answer = await bench.master.say(frame("FE03020313", others))
    assert station.address == 0x21
    assert cut(answer)[0][10:42] == record(0x21, 0, SAG)


@pytest.mark.parametrize("listed", [(0x20, 0x21), (0x7E, 0x10), (0x01, 0x10)])
async def test_an_address_that_is_taken_or_out_of_range_is_chosen_anew(bench: Bench, listed: tuple[int, ...]) -> None:
    station = bench.station()
    others = b"".join(record(address, 0, bytes([0x0A, address] * 5)) for address in listed)
    await bench.master.say(frame("FE03020313", others))
    assert station.address is not None
    assert 3 <= station.address <= 0x7E
    assert station.address not in listed


async def test_a_listed_meter_adopts_address_and_slot_and_keeps_silent(bench: Bench) -> None:
    station = bench.station()
    others = record(0x20, 1, b"\x0a" + bytes(9))
    answer = await bench.master.say(frame("FE03020313", others + record(0x44, 2, SAG)))
    assert answer == b""
    assert (station.address, station.slot, station.listed) == (0x44, 2, True)
    assert bench.events == [(station.name, "addressed", {"address": 0x44, "slot": 2, "listed": True})]


async def test_a_presence_check_is_answered_in_the_listed_slot(bench: Bench) -> None:
    stations = [bench.station(meter_of(bench.clock, number)) for number in range(4)]
    listed = b"".join(record(0x10 + n, n + 1, station.meter.server_id) for n, station in enumerate(stations))
    answer = await bench.master.say(frame("FE05020513", listed))
    assert [one[10:42] for one in cut(answer)] == [listed[start : start + 32] for start in range(0, 128, 32)]
    assert [one[3:8].hex() for one in cut(answer)] == [f"0205{(0x10 + n) << 1:02x}0513" for n in range(4)]
    (asked, *_), *answers = bench.evidence
    starts = [at - 45 * OCTET_S - asked for at, *_ in answers]
    assert starts == pytest.approx([0.005, 0.015, 0.025, 0.035], abs=1e-9)


async def test_whoever_is_not_listed_keeps_silent_in_a_presence_check(bench: Bench) -> None:
    station = bench.station()
    assert await bench.master.say(frame("FE05020513", record(0x10, 1, b"\x0a" + bytes(9)))) == b""
    assert station.address is None


async def test_an_invite_without_poll_bit_is_followed_but_not_answered(bench: Bench) -> None:
    station = bench.station()
    assert await bench.master.say(frame("FE03020303")) == b""
    assert station.address is not None
    await bench.master.say(frame("FE03020303", record(0x44, 0, SAG)))
    assert station.address == 0x44


async def test_two_meters_get_different_addresses_and_do_not_collide(bench: Bench) -> None:
    one, two = (bench.station(meter_of(bench.clock, number), seed=number) for number in (1, 2))
    answers = cut(await bench.master.say(INVITE))
    assert len(answers) == 2
    assert one.address != two.address
    assert bench.bus.collisions == 0


async def test_two_answers_at_the_same_time_collide_and_both_are_heard_later(bench: Bench) -> None:
    waits = {seed: Discovery(SAG, SAG, random.Random(seed)).invited(b"") for seed in range(100)}
    same = next(seed for seed in range(1, 100) if waits[seed] == waits[0])
    one, two = (bench.station(meter_of(bench.clock, seed), seed=seed) for seed in (0, same))
    answer = await bench.master.say(INVITE)
    assert bench.bus.collisions == 2
    with pytest.raises(AssertionError):
        cut(answer)
    known = await invite_until_all_are_listed(bench, 2, rounds=10)
    assert {station.meter.server_id for station in (one, two)} == {entry[2:12] for entry in known}
    assert one.address != two.address


async def test_who_finds_his_address_listed_for_somebody_else_gives_it_up(bench: Bench) -> None:
    station = bench.station(address=0x44)
    await bench.master.say(frame("FE05020513", record(0x44, 1, b"\x0a" + bytes(9))))
    assert station.address is None
    assert bench.kinds() == ["address_lost"]
    await bench.master.say(INVITE)
    assert station.address is not None


async def test_32_meters_on_one_bus_all_get_addresses(bench: Bench) -> None:
    stations = [bench.station(meter_of(bench.clock, number), seed=number) for number in range(32)]
    known = await invite_until_all_are_listed(bench, 32, rounds=120)
    assert len({station.address for station in stations}) == 32
    before = bench.bus.collisions
    checked = b"".join(entry[:1] + bytes([slot]) + entry[2:] for slot, entry in enumerate(known, 1))
    answers = cut(await bench.master.say(frame("FE05020513", checked), 0.4))
    assert b"".join(one[10:42] for one in answers) == checked
    assert bench.bus.collisions == before, "slots keep 32 answers apart"


# --- link


async def test_the_service_tools_session_of_the_manual_runs_frame_by_frame(bench: Bench) -> None:
    """Rows 3 to 14 of the trace, requests in full; answers by header with the HCS as printed (lmn-wired 2)."""
    answers = {bytes.fromhex("000311EDAC"): bytes(30), bytes.fromhex("000312DF37"): bytes(18)}
    bench.station(address=0x66, services={0x70: answers.__getitem__})
    rows = [
        ("7E A009 CCE1 02E1 93 003B 7E", "7E A009 02E1 CCE1 73 40EC 7E"),
        ("7E A010 CCE1 02E1 10 50EA 000311EDAC 7340 7E", "7E A009 02E1 CCE1 31 568D 7E"),
        ("7E A009 CCE1 02E1 11 1A9C 7E", "7E A029 02E1 CCE1 30 BF19"),
        ("7E A010 CCE1 02E1 32 40E8 000312DF37 5F00 7E", "7E A009 02E1 CCE1 51 50EE 7E"),
        ("7E A009 CCE1 02E1 31 18BD 7E", "7E A01D 02E1 CCE1 52 D78E"),
        ("7E A009 CCE1 02E1 51 1EDE 7E", "7E A009 02E1 CCE1 51 50EE 7E"),
    ]
    for said, expected in rows:
        answer = await bench.master.say(bytes.fromhex(said))
        assert answer.startswith(bytes.fromhex(expected)), said
    assert bench.kinds() == ["connected", "request", "answer", "request", "answer"]


async def test_a_smarty_answers_on_the_selector_of_its_maker_unasked_for_services(bench: Bench) -> None:
    """Rows 3 to 8 of the trace; the header of row 8 says that its answer has 30 octets (lmn-wired 2)."""
    bench.station(make_meter(bench.clock, "smarty_bz_plus_v2"), address=0x66)
    assert await bench.master.say(frame("CCE102E193")) == frame("02E1CCE173")
    assert await bench.master.say(frame("CCE102E110", bytes.fromhex("000311EDAC"))) == frame("02E1CCE131")
    answer = await bench.master.say(frame("CCE102E111"))
    assert answer.startswith(bytes.fromhex("7E A029 02E1 CCE1 30 BF19"))
    assert await bench.master.say(frame("CC07020793")) == frame("0207CC0773"), "and COSEM in the clear as any other"


async def test_snrm_gets_ua_and_disc_ends_the_link(bench: Bench) -> None:
    await linked(bench)
    assert await bench.master.say(frame("CC07020753")) in (frame("0207CC0773"), frame("0207CC071F"))
    assert await bench.master.say(frame("CC07020711")) == frame("0207CC071F"), "RR without link: DM"
    assert bench.kinds() == ["connected", "disconnected"]


async def test_frames_for_others_and_foreign_selectors_are_not_answered(bench: Bench) -> None:
    bench.station(address=0x66)
    assert await bench.master.say(frame("CE07020793")) == b"", "address 0x67"
    assert await bench.master.say(frame("CCE102E193")) == b"", "a vendor's selector"
    assert await bench.master.say(frame("CC0D020D93")) == frame("020DCC0D1F"), "pairing is not there: DM"
    assert await bench.master.say(frame("CC070607 93")) == b"", "another station asks"
    assert bench.kinds() == []


async def test_a_request_is_acknowledged_first_and_answered_when_polled(bench: Bench) -> None:
    await linked(bench)
    answer = await _ask(bench, b"\x1b\x1b\x1b\x1b nonsense")
    assert answer.startswith(bytes.fromhex("1B1B1B1B01010101"))
    assert bytes.fromhex("8181C7C7FE08") in answer, "attention: not understood"


async def _ask(bench: Bench, request: bytes, first: str = "31") -> bytes:
    """One exchange on selector 3 right after SNRM: I, its RR or RNR, then polls until the I comes."""
    assert await bench.master.say(frame("CC07020710", request), 0.003) == frame("0207CC07" + first)
    return await _poll(bench)


async def _poll(bench: Bench) -> bytes:
    answer = b""
    for number in range(8):
        for _ in range(10):
            (got,) = cut(await bench.master.say(frame(f"CC0702 07 {number << 5 | 0x11:02X}"), 0.02))
            if not got[7] & 1:
                break
            assert got[7] in (0x31, 0x35), got.hex(" ")
        assert got[7] == 0x30 | number << 1
        answer += got[10:-3]
        if not got[1] & 0x08:
            return answer
    raise AssertionError("more than eight segments")


@pytest.mark.parametrize(
    ("busy", "first", "then"),
    [(Busy.READY, "31", "31"), (Busy.FIRST_NOT_READY, "35", "31"), (Busy.NOT_READY, "35", "35")],
)
async def test_a_busy_meter_says_rr_or_rnr_until_it_has_the_answer(
    bench: Bench, busy: Busy, first: str, then: str
) -> None:
    await linked(bench, busy=busy)
    assert await bench.master.say(frame("CC07020710", b"request"), 0.003) == frame("0207CC07" + first)
    assert await bench.master.say(frame("CC07020711"), 0.003) == frame("0207CC07" + then)
    assert len(await _poll(bench)) > 40


async def test_a_long_answer_comes_in_segments(bench: Bench) -> None:
    long = bytes(range(256)) * 11
    await linked(bench, services={3: lambda _: long}, limits=LinkLimits(max_information=1024))
    assert await _ask(bench, b"?") == long
    sizes = [len(octets) - 13 for _, source, octets, _ in bench.evidence if source != "gateway" and len(octets) > 20]
    assert sizes == [1024, 1024, 768]


async def test_an_answer_too_long_for_the_link_is_reported_and_the_link_stays(bench: Bench) -> None:
    await linked(bench, services={3: lambda _: bytes(70_000)})
    assert await bench.master.say(frame("CC07020710", b"?")) == frame("0207CC0731")
    assert bench.kinds() == ["connected", "request", "unexpected"]
    assert await bench.master.say(frame("CC07020711")) == frame("0207CC0731")


async def test_a_link_is_forgotten_after_120_s_without_a_frame(bench: Bench) -> None:
    await linked(bench)
    await bench.clock.sleep(119)
    assert await bench.master.say(frame("CC07020711")) == frame("0207CC0711")
    await bench.clock.sleep(121)
    assert bench.kinds() == ["connected", "disconnected"]
    assert await bench.master.say(frame("CC07020711")) == frame("0207CC071F")


async def test_a_spoilt_frame_is_not_answered_and_the_next_one_is(bench: Bench) -> None:
    station = bench.station(address=0x66)
    snrm = frame("CC07020793")
    for index in range(len(snrm)):
        for bit in (0x01, 0x80):
            bad = bytearray(snrm)
            bad[index] ^= bit
            await bench.master.say(bytes(bad))
            assert await bench.master.say(snrm) == frame("0207CC0773"), f"after octet {index} was {bad[index]:02X}"
    assert bench.kinds().count("connected") == 2 * len(snrm)
    assert station.address == 0x66


async def test_a_frame_in_pieces_is_put_together_and_a_torn_one_dropped(bench: Bench) -> None:
    bench.station(address=0x66)
    snrm = frame("CC07020793")
    assert await bench.master.say(snrm[:5], 0.02) == b""
    assert await bench.master.say(snrm[5:]) == frame("0207CC0773")
    assert await bench.master.say(snrm[:5], 0.5) == b""
    assert await bench.master.say(snrm) == frame("0207CC0773"), "the pause ended the torn frame"


# --- switches


async def test_without_mains_everything_is_forgotten_and_an_invite_brings_the_meter_back(bench: Bench) -> None:
    station = await linked(bench)
    station.power(False)
    assert station.address is None
    assert await bench.master.say(frame("CC07020711")) == b""
    station.power(True)
    await bench.clock.sleep(1)
    assert await bench.master.say(frame("CC07020711")) == b""
    assert len(cut(await bench.master.say(INVITE))) == 1
    station.restart()
    assert await bench.master.say(INVITE) == b"", "it boots"
    assert [data["on"] for _, kind, data in bench.events if kind == "power"] == [False, True, False, True]


async def test_a_meter_that_is_off_in_mid_answer_says_nothing_more(bench: Bench) -> None:
    station = await linked(bench)
    bench.master.port.write(frame("CC07020710", b"request"))
    await bench.clock.sleep(0.0012)
    station.power(False)
    assert await bench.master.say(b"", 0.1) == b""


async def test_out_of_the_socket_a_meter_keeps_its_address(bench: Bench) -> None:
    station = await linked(bench)
    station.plug(False)
    assert await bench.master.say(frame("CC07020711")) == b""
    station.plug(True)
    assert await bench.master.say(frame("CC07020711")) == frame("0207CC0711")
    assert station.address == 0x66


async def test_a_silent_meter_hears_and_says_nothing(bench: Bench) -> None:
    station = await linked(bench)
    station.silent = True
    assert await bench.master.say(INVITE) == b""
    assert await bench.master.say(frame("FE03020313", record(0x20, 1, SAG))) == b""
    station.silent = False
    assert await bench.master.say(frame("FE05020513", record(0x20, 1, SAG))) != b""
    assert station.address == 0x20
    station.close()
    assert await bench.master.say(INVITE) == b""


async def test_a_broadcast_without_sense_changes_nothing(bench: Bench) -> None:
    station = bench.station(address=0x44)
    assert await bench.master.say(frame("FE03020313", bytes(31))) == b""
    assert await bench.master.say(frame("FE0B020B13", bytes(32))) == b""
    assert station.address == 0x44
    assert bench.kinds() == ["unexpected", "unexpected"]


@pytest.mark.asyncio(loop_factories=["virtual", "real"])
async def test_a_meter_is_read_over_a_pseudo_terminal_as_over_memory(clock: Clock) -> None:
    end, path = pty_pair(clock, LineSettings())
    bench = Bench(clock)
    bench.bus = Rs485Bus(clock, end)
    port = open_serial(path, LineSettings())
    bench.master = Master(clock, port)
    bench.station(address=0x66, meter=ReplayMeter(clock, SAG, b"as recorded"), services={3: lambda _: bytes(2000)})
    try:
        assert await bench.master.say(frame("CC07020793")) == frame("0207CC0773")
        assert await bench.master.say(frame("CC07020710", b"?" * 300), 0.1) == frame("0207CC0731")
        (first,) = cut(await bench.master.say(frame("CC07020711"), 0.1))
        assert first[10:-3] == bytes(1024)
        assert x25(first[1:-3]).to_bytes(2, "little") == first[-3:-1]
    finally:
        port.close()
        bench.bus.close()
