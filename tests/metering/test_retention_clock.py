"""Deletion is not missed when the clock is set just after midnight, nor when the state forbids it at that time."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime

from devices.clock import Clock
from firmware.config import Options
from firmware.metering import values
from firmware.metering.retention import Retention
from firmware.metering.values import Reading
from firmware.own_clock import OwnClock
from firmware.storage.memory import NonVolatileMemory
from firmware.storage.writer import StorageWriter

ClockAt = Callable[[datetime], Clock]
EVENING = datetime(2026, 1, 5, 22, 30, tzinfo=UTC)
MIDNIGHT = datetime(2026, 1, 5, 23, tzinfo=UTC)
OLD_S = int(datetime(2026, 1, 4, tzinfo=UTC).timestamp())
GAP = "A004000020000000"


class Host:
    """The rest of the gateway."""

    def __init__(self) -> None:
        self.allowed = True
        self.told: list[str] = []

    def event(self, event: str, /, **parameters: object) -> None:
        self.told.append(event)

    def stored(self, octets: int) -> None:
        pass

    def may_capture(self) -> bool:
        return self.allowed


def desk(clock: Clock) -> tuple[NonVolatileMemory, Host, OwnClock, Retention]:
    memory, host = NonVolatileMemory(), Host()
    memory.commit(values.store([Reading("m", OLD_S, None, GAP, (), random.Random(1).randbytes(64))]))
    own = OwnClock(clock, 0.0, int(clock.now().timestamp() * 1e6), known=True)
    writer = StorageWriter(clock, memory, 0.01)
    options = Options(retention_original_days=1.95)
    return memory, host, own, Retention(own, memory, writer, options, host)


async def test_a_synchronisation_in_the_minute_after_midnight_does_not_put_deletion_off(clock_at: ClockAt) -> None:
    clock = clock_at(EVENING)
    memory, host, own, retention = desk(clock)
    retention.start()
    assert len(values.read(memory)) == 1
    await clock.sleep((MIDNIGHT - clock.now()).total_seconds() + 45)
    own.step_to(own.now_us())
    await clock.sleep(60)
    retention.stop()
    assert values.read(memory) == []
    assert host.told == ["original_values_deleted"]


async def test_what_the_state_forbade_is_deleted_when_metering_goes_on(clock_at: ClockAt) -> None:
    clock = clock_at(EVENING)
    memory, host, _, retention = desk(clock)
    retention.start()
    host.allowed = False
    await clock.sleep(3600)
    assert len(values.read(memory)) == 1
    host.allowed = True
    retention.catch_up()
    retention.catch_up()
    await clock.sleep(1)
    retention.stop()
    assert values.read(memory) == []
    assert host.told == ["original_values_deleted"]
