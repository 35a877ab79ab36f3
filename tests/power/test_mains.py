"""Cuts of the mains have exact lengths at exact instants and do not drift."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from devices.clock import Clock, Deadline
from devices.errors import BenchError, UsageError
from devices.ports.base import LineSettings
from devices.ports.pty import pty_pair
from devices.power.mains import Mains, MainsChange
from devices.power.modbus_link import ModbusRtu
from devices.power.relay import ModbusRelay
from devices.power.relay_board import EmulatedRelayBoard


class SlowSwitch:
    """A switch that takes 20 ms, or never answers."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.state = True
        self.dead = False

    async def set(self, on: bool, deadline: Deadline | None = None) -> None:
        assert deadline is not None
        if self.dead:
            await self.clock.sleep(deadline.remaining)
            raise BenchError("no answer from unit 1")
        await self.clock.sleep(0.02)
        self.state = on

    async def read(self, deadline: Deadline | None = None) -> bool:
        return self.state


@pytest.fixture
async def changes() -> list[MainsChange]:
    return []


@pytest.fixture
async def mains(clock: Clock, changes: list[MainsChange]) -> Mains:
    return Mains(clock, SlowSwitch(clock), changes.append)


async def test_on_and_off_are_evidence_with_the_time_between_command_and_confirmation(
    clock: Clock, mains: Mains, changes: list[MainsChange]
) -> None:
    await mains.off()
    assert await mains.is_on() is False
    await clock.sleep(1)
    await mains.on()
    assert await mains.is_on() is True
    assert changes == [MainsChange(0.02, 0.0, False), MainsChange(1.04, 1.02, True)]


async def test_a_cut_lasts_as_long_as_asked(clock: Clock, mains: Mains) -> None:
    off, on = await mains.cut(timedelta(milliseconds=500))
    assert on.commanded - off.commanded == pytest.approx(0.5)
    assert on.t - off.t == pytest.approx(0.5)


async def test_a_cut_comes_at_the_instant_asked_for(clock: Clock, mains: Mains) -> None:
    off, on = await mains.cut_at(clock.start + timedelta(seconds=12.5), 3)
    assert off.commanded == 12.5
    assert on is not None
    assert on.commanded == 15.5
    off, on = await mains.cut_at(100.0)
    assert (off.commanded, on) == (100, None)
    with pytest.raises(UsageError, match="cannot be cut"):
        await mains.cut_at(50.0)


async def test_a_row_of_cuts_does_not_drift(mains: Mains) -> None:
    cuts = await mains.repeat(200, every=10, for_s=0.3)
    assert [off.commanded for off, _ in cuts] == [pytest.approx(10 * number) for number in range(200)]


async def test_impossible_cuts_are_refused_before_anything_is_switched(
    mains: Mains, changes: list[MainsChange]
) -> None:
    for cut in (mains.cut(0), mains.repeat(0, 1, 0.5), mains.repeat(2, 1, 1), mains.repeat(2, 0, 1)):
        with pytest.raises(UsageError):
            await cut
    assert changes == []


async def test_a_relay_that_does_not_answer_is_trouble_of_the_bench(clock: Clock, changes: list[MainsChange]) -> None:
    switch = SlowSwitch(clock)
    switch.dead = True
    with pytest.raises(BenchError, match="no answer"):
        await Mains(clock, switch, changes.append, switch_within_s=1.5).off()
    assert clock.seconds() == 1.5
    assert changes == []


@pytest.mark.asyncio(loop_factories=["virtual", "real"])
async def test_the_contact_follows_through_modbus(clock: Clock) -> None:
    line = LineSettings(baudrate=115_200)
    port, path = pty_pair(clock, line)
    moves: list[tuple[float, bool]] = []
    board = EmulatedRelayBoard(clock, port, on_change=lambda _, on: moves.append((clock.seconds(), on)))
    async with ModbusRelay(clock, ModbusRtu(path, line)) as relay:
        mains = Mains(clock, relay)
        await mains.on()
        cuts = await asyncio.wait_for(mains.repeat(3, every=0.15, for_s=0.05), 10)
    tolerance = 1e-6 if clock.virtual else 0.03
    assert [on for _, on in moves] == [True] + [False, True] * 3
    falls = [t for t, on in moves if not on]
    rises = [t for t, on in moves if on][1:]
    assert [rise - fall for fall, rise in zip(falls, rises, strict=True)] == [pytest.approx(0.05, abs=tolerance)] * 3
    assert falls[2] - falls[0] == pytest.approx(0.3, abs=tolerance)
    assert all(off.commanded <= fall <= off.t for (off, _), fall in zip(cuts, falls, strict=True))
    board.close()
    port.close()
