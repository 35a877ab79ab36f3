from __future__ import annotations

import asyncio
import os
import tty
from datetime import UTC, datetime, timedelta

import pytest

from devices.clock import VIRTUAL_EPOCH, Clock, VirtualDeadlock, run, wall_seconds


async def test_virtual_hours_cost_no_wall_time(clock: Clock) -> None:
    begin = wall_seconds()
    await clock.sleep(36 * 3600)
    assert clock.seconds() == 36 * 3600
    assert wall_seconds() - begin < 1
    assert clock.now() == VIRTUAL_EPOCH + timedelta(hours=36)


async def test_timers_still_fire_after_two_to_the_24_seconds(clock: Clock) -> None:
    """The resolution of asyncio's own loop vanishes in float64 there (feasibility 6)."""
    await clock.sleep(2.0**24 + 1)
    for period in range(1, 50):
        await clock.sleep_until(2.0**24 + 1 + period * 900)
    assert clock.seconds() == 2.0**24 + 1 + 49 * 900


async def test_data_written_to_a_pseudo_terminal_arrives_before_time_jumps(clock: Clock) -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    heard: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().add_reader(master, lambda: heard.set_result(clock.seconds()))
    clock.call_later(10, os.write, slave, b"x")
    try:
        assert await asyncio.wait_for(heard, 1000) == 10
    finally:
        asyncio.get_running_loop().remove_reader(master)
        os.close(master)
        os.close(slave)


async def test_a_thread_is_waited_for_instead_of_jumping(clock: Clock) -> None:
    result = await asyncio.wait_for(asyncio.to_thread(lambda: sum(range(200_000))), 3600)
    assert result == 19999900000
    assert clock.seconds() < 3600


def test_a_run_that_waits_for_nothing_ends_with_an_error_instead_of_hanging() -> None:
    async def wait_for_ever() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(VirtualDeadlock, match="no timer is due"):
        run(wait_for_ever(), virtual=True)


@pytest.mark.asyncio(loop_factories=["real"])
async def test_the_real_clock_shows_utc_and_never_goes_back() -> None:
    clock = Clock(asyncio.get_running_loop())
    assert not clock.virtual
    before = clock.now()
    await clock.sleep(0.01)
    assert clock.now() > before
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)


async def test_a_clock_may_start_at_any_instant() -> None:
    clock = Clock(asyncio.get_running_loop(), datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC))
    await clock.sleep(1)
    assert clock.now() == datetime(2028, 3, 1, tzinfo=UTC)


async def test_nested_waits_share_one_deadline(clock: Clock) -> None:
    deadline = clock.deadline(timedelta(seconds=10))
    await clock.sleep(4)
    assert deadline.remaining == 6
    await clock.sleep(7)
    assert deadline.passed
    assert deadline.remaining == 0
