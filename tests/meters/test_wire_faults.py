"""Faults of a meter on the wire, seen by a master that knows nothing of them (lmn-wired 6)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from bus_bench import SAG, Bench
from hand_made import cut, frame, record, x25

from devices.clock import Clock
from devices.errors import UsageError
from devices.meters.base_meter import BaseMeter
from devices.meters.replay_meter import ReplayMeter
from devices.meters.wire_faults import FAULTS, TARGETS, make_fault
from devices.meters.wired_station import WiredStation
from devices.protocols.hdlc import Frame, FrameKind, FrameReader, HdlcError
from devices.protocols.sml.messages import (
    CloseRequest,
    GetListRequest,
    GetListResponse,
    Message,
    OpenRequest,
    encode_messages,
)
from devices.protocols.sml.transport import decode_file, encode_file

INVITE = bytes.fromhex("7E A009 FE03 0203 13 842A 7E")
SNRM, POLL, REQUEST = frame("CC07020793"), frame("CC07020711"), frame("CC07020710", b"request")
UA, RR_0, RR_1 = frame("0207CC0773"), frame("0207CC0711"), frame("0207CC0731")
DM, FRMR = frame("0207CC071F"), frame("0207CC0797")
OTHER = b"\x0a\x01EMH\0" + bytes(4)
ANSWER = bytes(range(40))


@pytest.fixture
async def bench(clock: Clock) -> Bench:
    return Bench(clock)


async def linked(bench: Bench, **options: Any) -> WiredStation:
    station = bench.station(address=0x66, services={3: lambda _: ANSWER}, **options)
    assert await bench.master.say(SNRM) == UA
    return station


def strikes(bench: Bench) -> list[dict[str, object]]:
    return [data for _, kind, data in bench.events if kind == "fault"]


def is_whole(octets: bytes) -> bool:
    try:
        cut(octets)
    except (AssertionError, IndexError):
        return False
    return True


# --- the catalogue


def test_every_fault_of_the_sheet_is_in_the_catalogue_with_a_sentence_and_its_parameters() -> None:
    wanted = """duplicate_address foreign_address late_answer out_of_slot collision wrong_id rnr_forever silence
        flipped_hcs flipped_fcs flipped_information wrong_nr wrong_ns segmented length_lie cut_frame no_closing_flag
        wrong_selector unknown_control frmr dm ua_unasked restart_in_session noise double_answer slow_octets"""
    assert set(wanted.split()) == set(FAULTS)
    for kind in FAULTS.values():
        assert re.match(r"[a-z].{10,}[^.]$", kind.sentence)
        assert all(target in TARGETS for target in kind.on)
        assert all(parameter.meaning for parameter in kind.parameters.values())


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("duplicate_adress", {}, "did you mean 'duplicate_address'"),
        ("quiet", {}, "there are duplicate_address, "),
        ("silence", {"times": 0}, "0 times"),
        ("silence", {"times": True}, "True times"),
        ("silence", {"on": "discovry"}, "did you mean 'discovery'"),
        ("silence", {"on": ["I", "R"]}, "cannot strike 'R'"),
        ("silence", {"by_s": 1}, "no parameter 'by_s'"),
        ("late_answer", {"by": 1}, "did you mean 'by_s'"),
        ("late_answer", {"by_s": -1}, "a number from 0 to 3600 s"),
        ("late_answer", {"by_s": "1 s"}, "a number from 0 to 3600 s"),
        ("wrong_nr", {"by": 8}, "a whole number from 1 to 7"),
        ("wrong_nr", {"by": 1.5}, "a whole number from 1 to 7"),
        ("wrong_id", {"where": "nowhere"}, "record, list, both"),
        ("wrong_id", {"id": "x"}, "a device number"),
        ("flipped_information", {"mended": 1}, "true or false"),
        ("unknown_control", {"octet": 0x73}, "a known one"),
    ],
)
def test_a_fault_that_does_not_exist_is_refused_in_words(name: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        make_fault(name, **given)


async def test_a_fault_strikes_as_often_as_told_and_tells_each_time(bench: Bench) -> None:
    station = await linked(bench)
    station.fault("silence", 2)
    answers = [await bench.master.say(POLL) for _ in range(3)]
    assert answers == [b"", b"", RR_0]
    assert strikes(bench) == [
        {"fault": "silence", "frame": "66>01 sel 03 RR NR=0", "done": 1, "left": 1},
        {"fault": "silence", "frame": "66>01 sel 03 RR NR=0", "done": 2, "left": 0},
    ]
    assert station.faults == ()


async def test_a_fault_without_number_strikes_until_it_is_cleared(bench: Bench) -> None:
    station = await linked(bench)
    station.fault("silence")
    station.fault("noise")
    assert [await bench.master.say(POLL) for _ in range(9)] == [b""] * 9
    station.clear_faults("silence")
    assert [fault.name for fault in station.faults] == ["noise"]
    station.clear_faults()
    assert await bench.master.say(POLL) == RR_0
    assert strikes(bench)[-1]["left"] is None


async def test_only_the_frames_that_were_named_are_struck(bench: Bench) -> None:
    station = await linked(bench)
    station.fault("silence", on=["I", "discovery"])
    assert await bench.master.say(REQUEST) == RR_1
    assert await bench.master.say(POLL) == b"", "the answer is an I frame"
    station.clear_faults()
    assert cut(await bench.master.say(POLL))[0][10:-3] == ANSWER, "it was not lost"
    station.fault("silence", on="presence")
    assert await bench.master.say(INVITE) != b""
    listed = record(station.address or 0, 1, SAG)
    assert await bench.master.say(frame("FE05020513", listed)) == b""


async def test_the_same_seed_gives_the_same_faults(clock: Clock) -> None:
    seen = []
    for _ in range(2):
        bench = Bench(clock)
        station = await linked(bench)
        station.fault("noise", octets=20)
        station.fault("flipped_fcs")
        seen.append([await bench.master.say(POLL) for _ in range(5)])
    assert seen[0] == seen[1]
    assert len(set(seen[0])) == 5


# --- in place of the right frame


@pytest.mark.parametrize(
    ("kind", "answer"), [("frmr", FRMR), ("dm", DM), ("ua_unasked", UA), ("rnr_forever", frame("0207CC0715"))]
)
async def test_another_kind_of_frame_comes_once_and_then_the_right_one(bench: Bench, kind: str, answer: bytes) -> None:
    station = await linked(bench)
    station.fault(kind, 1)
    assert await bench.master.say(POLL) == answer
    assert await bench.master.say(POLL) == RR_0


async def test_a_meter_that_is_never_ready_has_its_answer_still(bench: Bench) -> None:
    station = await linked(bench)
    station.fault("rnr_forever")
    assert await bench.master.say(REQUEST) == frame("0207CC0735")
    assert {await bench.master.say(POLL) for _ in range(20)} == {frame("0207CC0735")}
    station.clear_faults()
    assert cut(await bench.master.say(POLL))[0][10:-3] == ANSWER


async def test_numbers_are_wrong_by_what_was_told(bench: Bench) -> None:
    station = await linked(bench)
    station.fault("wrong_nr", 1, by=3)
    assert await bench.master.say(POLL) == frame("0207CC0771")
    station.fault("wrong_ns", 1, by=2)
    assert await bench.master.say(REQUEST) == RR_1
    assert cut(await bench.master.say(POLL))[0][7] == 0x34, "NS 2 in place of 0, NR 1"
    assert cut(await bench.master.say(POLL))[0][7] == 0x30


async def test_the_segmentation_bit_is_set_though_nothing_follows(bench: Bench) -> None:
    station = await linked(bench)
    station.fault("segmented", 1)
    await bench.master.say(REQUEST)
    (got,) = cut(await bench.master.say(POLL))
    assert got[1] == 0xA8
    assert await bench.master.say(frame("CC07020731")) == RR_1, "and nothing more comes"


async def test_answers_come_from_a_foreign_address_or_under_another_selector(bench: Bench) -> None:
    station = await linked(bench)
    station.fault("foreign_address", 1, address=0x44)
    assert await bench.master.say(POLL) == frame("0207880711")
    station.fault("foreign_address", 1)
    assert await bench.master.say(POLL) == frame("0207CE0711"), "nobody else is known: the next address"
    station.fault("wrong_selector", 1)
    assert await bench.master.say(POLL) == frame("020BCC0B11")


async def test_a_known_address_of_somebody_else_is_taken_for_the_foreign_one(bench: Bench) -> None:
    station = await linked(bench)
    await bench.master.say(frame("FE03020303", record(0x66, 0, SAG) + record(0x20, 0, OTHER)))
    station.fault("foreign_address", 1)
    assert await bench.master.say(POLL) == frame("0207400711")


# --- damaged octets


@pytest.mark.parametrize(
    ("kind", "given", "reason"),
    [
        ("flipped_hcs", {}, "header check sequence is wrong"),
        ("flipped_fcs", {}, "frame check sequence is wrong"),
        ("flipped_information", {}, "frame check sequence is wrong"),
        ("length_lie", {"by": 4}, "frame ends early"),
        ("length_lie", {"by": -4}, "closing flag"),
        ("cut_frame", {}, "frame ends early"),
        ("cut_frame", {"keep": 5}, "frame ends early"),
        ("no_closing_flag", {}, "frame ends early"),
    ],
)
async def test_the_damage_is_the_one_that_was_ordered(
    bench: Bench, kind: str, given: dict[str, Any], reason: str
) -> None:
    station = await linked(bench)
    await bench.master.say(REQUEST)
    station.fault(kind, 1, **given)
    damaged = await bench.master.say(POLL)
    assert not is_whole(damaged)
    reader = FrameReader()
    found = [*reader.feed(damaged), *reader.idle()]
    errors = [one for one in found if isinstance(one, HdlcError)]
    assert not [one for one in found if isinstance(one, Frame)]
    assert reason in errors[0].reason
    assert len(strikes(bench)) == 1
    assert cut(await bench.master.say(POLL))[0][10:-3] == ANSWER, "the wire is good again"


async def test_a_control_octet_that_nobody_knows_comes_in_a_good_frame(bench: Bench) -> None:
    station = await linked(bench)
    station.fault("unknown_control", 1)
    strange = await bench.master.say(POLL)
    assert strange == frame("0207CC07BF")
    assert Frame.from_bytes(strange).control.kind is FrameKind.UNKNOWN
    assert await bench.master.say(POLL) == RR_0, "the wire is good again"


async def test_one_bit_is_wrong_and_not_more(bench: Bench) -> None:
    station = await linked(bench)
    await bench.master.say(REQUEST)
    good = await bench.master.say(POLL)
    for kind, place in (("flipped_hcs", (8, 10)), ("flipped_fcs", (-3, -1)), ("flipped_information", (10, -3))):
        station.fault(kind, 1, bit=9)
        bad = await bench.master.say(POLL)
        wrong = [index for index, (one, other) in enumerate(zip(good, bad, strict=True)) if one != other]
        assert wrong == [range(len(good))[place[0]] + 1], kind
        assert good[wrong[0]] ^ bad[wrong[0]] == 2


async def test_a_wrong_bit_can_hide_behind_a_good_frame_check(bench: Bench) -> None:
    station = await linked(bench)
    await bench.master.say(REQUEST)
    station.fault("flipped_information", 1, bit=0, mended=True)
    (got,) = cut(await bench.master.say(POLL))
    assert got[10:-3] == b"\x01" + ANSWER[1:]


async def test_frames_without_information_have_no_header_check_of_their_own(bench: Bench) -> None:
    station = await linked(bench)
    station.fault("flipped_hcs", 1)
    assert await bench.master.say(POLL) == RR_0
    assert len(station.faults) == 1, "still to come"


async def test_a_lying_header_is_checked_by_what_it_says(bench: Bench) -> None:
    station = await linked(bench)
    await bench.master.say(REQUEST)
    station.fault("length_lie", 1, by=100)
    damaged = await bench.master.say(POLL)
    assert (damaged[1] & 7) << 8 | damaged[2] == len(damaged) - 2 + 100
    assert x25(damaged[1:8]).to_bytes(2, "little") == damaged[8:10]


async def test_noise_goes_before_the_frame_and_holds_no_flag(bench: Bench) -> None:
    station = await linked(bench)
    station.fault("noise", 1, octets=30)
    octets = await bench.master.say(POLL)
    assert octets[30:] == RR_0
    assert 0x7E not in octets[:30]


# --- at the wrong time


async def test_a_late_answer_comes_although_the_gateway_asked_anew(bench: Bench) -> None:
    station = await linked(bench)
    station.fault("late_answer", 1, by_s=0.3)
    assert await bench.master.say(POLL, 0.2) == b""
    assert await bench.master.say(POLL, 0.05) == RR_0
    assert await bench.master.say(b"", 0.1) == RR_0, "that of the first poll"


async def test_an_answer_out_of_its_slot_comes_in_that_of_another(bench: Bench) -> None:
    station = bench.station(address=0x66)
    listed = record(0x20, 1, OTHER) + record(0x66, 2, SAG)
    begins = []
    for by_slots in (None, 1.0, -1.0, 0.5):
        station.clear_faults()
        if by_slots is not None:
            station.fault("out_of_slot", by_slots=by_slots)
        bench.evidence.clear()
        await bench.master.say(frame("FE05020513", listed), 0.4)
        (asked, *_), (ends, _, octets, _) = bench.evidence
        begins.append(round((ends - asked - len(octets) * 10 / 921_600) * 1000, 3))
    assert begins == [15.0, 25.0, 5.0, 20.0], "milliseconds behind the check; slots are 10 ms apart"


async def test_somebody_else_talks_over_the_answer(bench: Bench) -> None:
    station = await linked(bench)
    station.fault("collision", 1)
    bench.evidence.clear()
    heard = await bench.master.say(POLL)
    assert not is_whole(heard)
    assert bench.bus.collisions == 2
    assert [(source, spoilt) for _, source, _, spoilt in bench.evidence[1:]] == [
        (station.name, True),
        (f"{station.name}, talked over", True),
    ]
    assert await bench.master.say(POLL) == RR_0
    station.clear_faults()
    assert bench.station(name=f"{station.name}, talked over"), "the other one has left the bus"


async def test_the_same_frame_twice_and_a_pause_within_a_frame(bench: Bench) -> None:
    station = await linked(bench)
    station.fault("double_answer", 1)
    assert await bench.master.say(POLL) == RR_0 * 2
    station.fault("slow_octets", 1, pause_s=0.030, behind=4)
    assert await bench.master.say(POLL, 0.1) == RR_0
    (first, part), (second, rest) = bench.master.heard
    assert (part, rest) == (RR_0[:4], RR_0[4:])
    assert second - first - len(rest) * 10 / 921_600 == pytest.approx(0.030)


async def test_faults_can_be_combined(bench: Bench) -> None:
    station = await linked(bench)
    for kind in ("late_answer", "noise", "wrong_nr", "double_answer"):
        station.fault(kind, 1, **({"by_s": 0.1} if kind == "late_answer" else {}))
    assert await bench.master.say(POLL, 0.09) == b""
    octets = await bench.master.say(b"", 0.1)
    noise = octets[:8]
    assert octets == (noise + frame("0207CC0731")) * 2
    assert len(strikes(bench)) == 4
    assert await bench.master.say(POLL) == RR_0


# --- addresses, ids, restarts


async def test_a_duplicate_address_is_taken_from_the_list_and_listened_to(bench: Bench) -> None:
    station = bench.station()
    station.fault("duplicate_address", 1)
    listed = record(0x20, 0, OTHER)
    (got,) = cut(await bench.master.say(frame("FE03020313", listed)))
    assert got == frame("0203400313", record(0x20, 0, SAG))
    assert station.address == 0x20
    assert await bench.master.say(frame("40070207 93")) == frame("0207400773"), "it answers under the other's address"
    await bench.master.say(frame("FE03020313", listed))
    assert station.address not in (None, 0x20), "the list names another one there: it chooses anew"


async def test_with_an_empty_list_there_is_no_address_to_take(bench: Bench) -> None:
    station = bench.station()
    station.fault("duplicate_address", 1)
    assert is_whole(await bench.master.say(INVITE))
    assert len(station.faults) == 1
    assert strikes(bench) == []


async def test_a_listed_meter_answers_the_check_from_the_address_of_another(bench: Bench) -> None:
    station = bench.station(address=0x66)
    station.fault("duplicate_address", 1)
    listed = record(0x20, 1, OTHER) + record(0x66, 2, SAG)
    (got,) = cut(await bench.master.say(frame("FE05020513", listed)))
    assert got == frame("0205400513", record(0x20, 2, SAG))


async def test_a_wrong_id_stands_in_the_record_and_in_the_list(bench: Bench) -> None:
    station = bench.station(BaseMeter(bench.clock, SAG))
    station.fault("wrong_id", on="discovery", id="1SAG0021061002")
    wrong = SAG[:-1] + b"\x8a"
    (got,) = cut(await bench.master.say(INVITE))
    assert got[12:40] == wrong.ljust(14, b"\0") * 2
    assert station.address is not None
    head = f"{station.address << 1:02X}070207"
    await bench.master.say(frame(head + "93"))
    bodies = (OpenRequest(b"g", b"f"), GetListRequest(b"g", wrong), CloseRequest())
    await bench.master.say(frame(head + "10", encode_file(encode_messages([Message(b"1", 0, 0, b) for b in bodies]))))
    (got,) = cut(await bench.master.say(frame(head + "11")))
    answer = decode_file(got[10:-3]).messages[1].body
    assert isinstance(answer, GetListResponse)
    assert answer.server_id == answer.val_list[1].value == wrong
    assert [one["frame"] for one in strikes(bench)][1:] == ["list"]
    assert isinstance(station.meter, BaseMeter)
    assert station.meter.claimed_id is None


async def test_the_own_id_with_another_last_octet_is_told_unless_one_is_given(bench: Bench) -> None:
    station = bench.station()
    station.fault("wrong_id", 1, where="record")
    (got,) = cut(await bench.master.say(INVITE))
    assert got[12:22] == SAG[:-1] + b"\x88"
    (got,) = cut(await bench.master.say(INVITE))
    assert got[12:22] == SAG


async def test_a_recording_cannot_tell_another_id_in_its_answers(bench: Bench) -> None:
    station = bench.station(ReplayMeter(bench.clock, SAG, b"recorded"))
    with pytest.raises(UsageError, match="no other id"):
        station.fault("wrong_id", where="list")
    station.fault("wrong_id", where="record")


async def test_the_meter_restarts_in_the_middle_of_its_session(bench: Bench) -> None:
    station = await linked(bench)
    station.fault("restart_in_session", 1, frames=3)
    assert [await bench.master.say(POLL) for _ in range(4)] == [RR_0, RR_0, RR_0, b""]
    assert bench.kinds()[-3:] == ["fault", "power", "power"]
    assert station.address is None
    await bench.clock.sleep(1)
    assert is_whole(await bench.master.say(INVITE)), "it is there again"


async def test_a_meter_that_was_switched_off_meanwhile_stays_off(bench: Bench) -> None:
    station = await linked(bench)
    station.fault("restart_in_session", 1, frames=1)
    station.fault("late_answer", 1)
    bench.master.port.write(POLL)
    await bench.clock.sleep(0.0005)
    station.power(False)
    await bench.clock.sleep(5)
    assert not station.powered
