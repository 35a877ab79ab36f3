"""Bidirectional radio meters: the access window, installation, alarms (lmn-wireless 2.2, 2.4)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from radio_gateway import ACK, CNF_IR, FCB, REQ_UD1, REQ_UD2, SND_NKE, command, empty
from radio_judge import judge
from radio_rack import KEY, RadioRack

from devices.clock import Clock
from devices.meters.radio.meter import RadioMeter
from devices.meters.radio.plan import Access, Installation
from devices.ports.radio import RadioMode, Reception
from devices.protocols.mbus.records import decode_records
from devices.wmbus.airtime import airtime

METER = bytes.fromhex("9315214365870102")
"""1ELS0187654321 in the link layer."""
OTHER = bytes.fromhex("9315224365870102")


def answering(rack: RadioRack, *answers: bytes, delay_s: float = 0.002) -> None:
    """The gateway answers the next telegrams, one answer each."""
    left = list(answers)

    def answer(_: Reception) -> None:
        if left:
            rack.clock.call_later(delay_s, rack.gateway.send, left.pop(0), RadioMode.OTHER_T)

    rack.answer = answer


def a_meter(rack: RadioRack, **access: object) -> RadioMeter:
    return rack.meter(access=Access(**access), compact=False)  # type: ignore[arg-type]


def control(telegram: bytes) -> int:
    return telegram[1]


async def test_a_request_is_answered_with_records_after_the_delay(clock: Clock) -> None:
    rack = RadioRack(clock)
    a_meter(rack).start()
    answering(rack, empty(REQ_UD2, METER))
    first, second = await rack.several(2)
    assert [control(first), control(second)] == [0x44, 0x08]
    assert judge(second, KEY).counter == judge(first, KEY).counter + 1
    assert decode_records(judge(second, KEY).plain).records
    asked = 0.002 + airtime(empty(REQ_UD2, METER), RadioMode.OTHER_T)
    answered = rack.heard[1].at_s - airtime(second, RadioMode.T1)
    assert answered - rack.heard[0].at_s == pytest.approx(asked + 0.002, abs=1e-6)


async def test_the_same_frame_count_bit_gets_the_same_answer_again(clock: Clock) -> None:
    rack = RadioRack(clock)
    a_meter(rack).start()
    answering(rack, empty(REQ_UD2, METER), empty(REQ_UD2, METER), empty(REQ_UD2 | FCB, METER), empty(SND_NKE, METER))
    _, first, again, next_one = await rack.several(4)
    assert again == first
    assert judge(next_one, KEY).counter == judge(first, KEY).counter + 1
    await clock.sleep(1)
    assert rack.happened("access_ended") == [{}]


@pytest.mark.parametrize("delay_s", [0.0, 0.06, 1.0])
async def test_who_answers_outside_of_the_window_is_not_heard(clock: Clock, delay_s: float) -> None:
    rack = RadioRack(clock)
    a_meter(rack).start()
    answering(rack, empty(REQ_UD2, METER), delay_s=delay_s)
    await rack.next()
    await clock.sleep(10)
    assert len(rack.heard) == 1


@pytest.mark.parametrize(("fast", "delay_s"), [(True, 0.1), (False, 1.0)])
async def test_in_mode_c_the_window_comes_later(clock: Clock, fast: bool, delay_s: float) -> None:
    rack = RadioRack(clock)
    rack.meter(access=Access(fast=fast), mode=RadioMode.C1_A, compact=False).start()
    answering(rack, empty(REQ_UD2, METER), delay_s=delay_s)
    assert [control(one) for one in await rack.several(2, 1000)] == [0x44, 0x08]


async def test_telegrams_to_another_meter_and_noise_are_let_be(clock: Clock) -> None:
    rack = RadioRack(clock)
    a_meter(rack).start()
    answering(rack, empty(REQ_UD2, OTHER), bytes((20, 0x5B, *range(19))))
    await rack.several(2, 4000)
    assert {control(one.telegram) for one in rack.heard} == {0x44}


async def test_a_unidirectional_meter_hears_nothing(clock: Clock) -> None:
    rack = RadioRack(clock)
    rack.meter(compact=False).start()
    answering(rack, empty(REQ_UD2, METER))
    await clock.sleep(1700)
    assert {control(one.telegram) for one in rack.heard} == {0x44}


async def test_a_command_counts_once_and_only_when_it_is_authentic(clock: Clock) -> None:
    rack = RadioRack(clock)
    a_meter(rack).start()
    good = command(METER, KEY, 5, bytes.fromhex("02FD170100"))
    forged = command(METER, bytes(16), 6, bytes.fromhex("02FD170100"))
    answering(rack, good)
    assert [control(one) for one in await rack.several(2)] == [0x44, 0x00]
    assert "02fd170100" in str(rack.happened("command")[0]["apl"])
    answering(rack, forged)
    await rack.next()
    await clock.sleep(1)
    answering(rack, good)
    await rack.next()
    await clock.sleep(1)
    assert [one["reason"] for one in rack.happened("command_refused")][-1] == "counter 5 is not greater"
    assert len(rack.happened("command")) == 1
    assert len(rack.happened("command_refused")) == 2
    assert control(rack.heard[-1].telegram) == 0x44


async def test_installation_telegrams_stop_after_six(clock: Clock) -> None:
    rack = RadioRack(clock)
    meter = rack.meter(compact=False)
    meter.install()
    assert meter.installing
    await clock.sleep(1000)
    assert [control(one.telegram) for one in rack.heard] == [0x46] * 6
    gaps = [after.at_s - before.at_s for before, after in pairwise(rack.heard)]
    assert gaps == pytest.approx([30] * 5, abs=0.01)
    assert not meter.installing
    told = {one.quantity for one in decode_records(judge(rack.heard[0].telegram, KEY).plain).records}
    assert {"datetime", "error_flags"} <= told, "at least time and status"


async def test_installation_ends_after_five_minutes_in_any_case(clock: Clock) -> None:
    rack = RadioRack(clock)
    rack.meter(compact=False, installation=Installation(telegrams=100, interval_s=45)).install()
    await clock.sleep(1000)
    assert len(rack.heard) == 7


async def test_a_confirmation_ends_the_installation(clock: Clock) -> None:
    rack = RadioRack(clock)
    meter = a_meter(rack)
    meter.install()
    await rack.next()
    answering(rack, empty(CNF_IR, METER))
    await clock.sleep(1000)
    assert [control(one.telegram) for one in rack.heard] == [0x46, 0x46]
    assert meter.confirmations == 1
    assert rack.happened("confirmed") == [{"by": "GMH 66778899"}]


async def test_an_alarm_of_a_unidirectional_meter_goes_out_at_once(clock: Clock) -> None:
    rack = RadioRack(clock)
    meter = rack.meter("gas", 0, compact=False)
    meter.alarm(0x0004)
    judged = judge(await rack.next(1), KEY)
    assert judged.status == 0x03
    assert [one.value for one in decode_records(judged.plain).records if one.quantity == "error_flags"] == [4]
    meter.clear_alarm()
    meter.start()
    assert judge(await rack.next(), KEY).status == 0


async def test_an_alarm_of_a_bidirectional_meter_is_announced_until_it_is_acknowledged(clock: Clock) -> None:
    rack = RadioRack(clock)
    meter = a_meter(rack)
    meter.alarm()
    await clock.sleep(100)
    assert [control(one.telegram) for one in rack.heard] == [0x48] * 3
    answering(rack, empty(ACK, METER))
    meter.alarm()
    await clock.sleep(100)
    assert [control(one.telegram) for one in rack.heard] == [0x48] * 4
    assert rack.happened("acknowledged") == [{}]


@pytest.mark.parametrize(("alarmed", "answer"), [(False, 0x00), (True, 0x08)])
async def test_who_asks_for_alarms_gets_one_or_an_ack(clock: Clock, alarmed: bool, answer: int) -> None:
    rack = RadioRack(clock)
    meter = a_meter(rack, demand_retries=0)
    if alarmed:
        meter.alarm()
    meter.start()
    answering(rack, empty(REQ_UD1, METER))
    assert [control(one) for one in await rack.several(2)] == [0x44, answer]


async def test_only_each_third_telegram_opens_the_window(clock: Clock) -> None:
    rack = RadioRack(clock)
    meter = a_meter(rack, every=3)
    meter.start()
    accessible: list[bool] = []

    def ask(_: Reception) -> None:
        clock.call_later(0.002, rack.gateway.send, empty(SND_NKE, METER), RadioMode.OTHER_T)

    rack.answer = ask
    for _ in range(6):
        before = len(rack.happened("access_ended"))
        await rack.next()
        await clock.sleep(1)
        accessible.append(len(rack.happened("access_ended")) > before)
    assert accessible == [True, False, False, True, False, False]


async def test_without_supply_a_meter_neither_sends_nor_hears(clock: Clock) -> None:
    rack = RadioRack(clock)
    meter = a_meter(rack)
    meter.start()
    await rack.next()
    meter.power_off()
    answering(rack, empty(REQ_UD2, METER))
    await clock.sleep(4000)
    assert len(rack.heard) == 1
    meter.power_on()
    await rack.next()
