"""The transmission counter only rises, over power losses too (TR-03116-3 7.1, lmn-wireless 1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from radio_judge import judge
from radio_rack import KEY, RadioRack

from devices.clock import Clock
from devices.meters.radio.counter import LARGEST, CounterExhausted, TransmissionCounter


@given(st.lists(st.sampled_from(["take", "lose", "jump"]), max_size=60), st.integers(1, 20))
def test_no_number_is_used_twice_whatever_happens(deeds: list[str], block: int) -> None:
    counter = TransmissionCounter(1, block)
    used = [0]
    for deed in deeds:
        if deed == "take":
            used.append(counter.take())
        elif deed == "lose":
            counter.power_lost()
        else:
            counter.jump(3)
    assert used == sorted(set(used))


def test_the_counter_neither_overflows_nor_begins_anew() -> None:
    counter = TransmissionCounter(LARGEST - 1, block=50)
    assert [counter.take(), counter.take()] == [LARGEST - 1, LARGEST]
    assert counter.left == 0
    with pytest.raises(CounterExhausted):
        counter.take()
    counter.power_lost()
    with pytest.raises(CounterExhausted):
        counter.take()


def test_a_counter_begins_at_one_or_above() -> None:
    with pytest.raises(ValueError, match="begins between 1 and"):
        TransmissionCounter(0)


@pytest.mark.parametrize(("block", "expected"), [(1, [7, 8, 9, 10, 11]), (10, [7, 8, 17, 18, 27])])
async def test_a_meter_goes_on_where_its_memory_says(clock: Clock, block: int, expected: list[int]) -> None:
    rack = RadioRack(clock)
    meter = rack.meter(counter=7, counter_block=block)
    meter.start()
    numbers = []
    for count in (2, 2, 1):
        numbers += [judge(one, KEY).counter for one in await rack.several(count)]
        meter.power_off()
        await clock.sleep(5000)
        meter.power_on()
    assert numbers == expected


async def test_a_meter_at_its_last_number_falls_silent(clock: Clock) -> None:
    rack = RadioRack(clock)
    meter = rack.meter(counter=LARGEST)
    meter.start()
    await clock.sleep(1000)
    assert len(rack.heard) == 1
    assert not meter.sending
    assert len(rack.happened("counter_exhausted")) == 1
