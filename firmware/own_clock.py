"""The gateway's own clock: an oscillator that may run fast or slow, and the buffered real time clock beside it.

The laboratory's clock is the physics here: it says how much true time has gone by. The firmware only ever sees what
its own oscillator made of it. Times are UTC in integer microseconds since 1970.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from devices.clock import Clock
from firmware.storage.memory import NonVolatileMemory

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime."""
    return (moment - EPOCH) // _MICROSECOND


def from_us(microseconds: int) -> datetime:
    """The datetime of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=microseconds)


def iso(microseconds: int) -> str:
    """ISO 8601 with Z and three decimals, as in logs and value records."""
    return from_us(microseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class OwnClock:
    """System time of the firmware: volatile, started from the real time clock.

    Args:
        clock: true time.
        drift_ppm: how much too fast it runs.
        start_us: what it shows at the start.
        known: whether that is the time; else it is a guess.

    Attributes:
        known: False until an authentic time has come where the start was a guess.
    """

    def __init__(self, clock: Clock, drift_ppm: float, start_us: int, *, known: bool = True) -> None:
        self._clock = clock
        self.known = known
        self.rate = 1.0 + drift_ppm * 1e-6
        self._true_s = clock.seconds()
        self._shown_us = start_us
        self.on_step: list[Callable[[int], None]] = []
        """Called with the step in microseconds whenever the clock was set."""

    def now_us(self) -> int:
        """What it shows."""
        return self._shown_us + round((self._clock.seconds() - self._true_s) * self.rate * 1e6)

    def now(self) -> datetime:
        """What it shows, as a datetime."""
        return from_us(self.now_us())

    def step_to(self, shown_us: int) -> int:
        """Set it; returns the step in microseconds."""
        step = shown_us - self.now_us()
        self._true_s = self._clock.seconds()
        self._shown_us = shown_us
        for listener in tuple(self.on_step):
            listener(step)
        return step

    def call_at(self, shown_us: int, callback: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        """Run `callback` when it will show `shown_us`, unless it is set before; in the past: at once."""
        true_s = self._true_s + (shown_us - self._shown_us) / (self.rate * 1e6)
        return self._clock.call_at(max(true_s, self._clock.seconds()), callback, *args)


DEFECTS = ("mute", "stopped", "no_buffer")
"""Defects of the clock chip: it does not answer, it stands still, it loses the time with mains."""


class RealTimeClock:
    """The buffered clock chip: keeps time without mains for its reserve, and the instant at which mains failed.

    Its registers lie in the unit (:meth:`NonVolatileMemory.register`), so they outlive the gateway object too. What the
    buffer has given in one power cut it has not for the next one until it is charged again.

    Args:
        clock: true time.
        memory: where the registers lie, and the chip's planted defect ``rtc``.
        drift_ppm: how much too fast it runs.
        reserve_s: how long a full buffer keeps it running without mains, in seconds.
        recharge_s: how long an empty buffer takes to be full again with mains, in seconds; 0: no time.
    """

    def __init__(
        self, clock: Clock, memory: NonVolatileMemory, drift_ppm: float, reserve_s: float, recharge_s: float = 0.0
    ) -> None:
        self._clock = clock
        self._memory = memory
        self._rate = 1.0 + drift_ppm * 1e-6
        self._reserve_us = round(reserve_s * 1e6)
        self._recharge_us = round(recharge_s * 1e6)
        if memory.register("rtc") is None:
            self._write(self._true_us())

    def _true_us(self) -> int:
        return to_us(self._clock.now())

    @property
    def _defect(self) -> Any:
        return self._memory.fault("rtc")

    def set(self, shown_us: int) -> None:
        """Write the time registers; a chip that does not answer takes nothing."""
        if self._defect != "mute":
            self._write(shown_us)

    def _write(self, shown_us: int | None) -> None:
        self._memory.set_register("rtc", {"true_us": self._true_us(), "shown_us": shown_us})

    def kill(self) -> None:
        """The buffer is empty: the chip has lost the time."""
        self._write(None)

    def read(self) -> int | None:
        """What it shows, None when it lost the time or does not answer."""
        stored, defect = self._memory.register("rtc"), self._defect
        if stored is None or stored["shown_us"] is None or defect == "mute":
            return None
        if defect == "stopped":
            return int(stored["shown_us"])
        return int(stored["shown_us"]) + round((self._true_us() - int(stored["true_us"])) * self._rate)

    def stop(self) -> None:
        """It stands still at what it shows now (fault port)."""
        shown = self.read()
        if shown is not None:
            self._write(shown)

    def mains_lost(self) -> None:
        """The chip notes the instant at which its supply went over to the buffer (assumed: time stamp register)."""
        noted = {"true_us": self._true_us(), "shown_us": self.read(), "left_us": self._left_us()}
        self._memory.set_register("rtc_mains", noted)

    def _left_us(self) -> int:
        """How long the buffer could keep it running now, with mains on since `mains_back`."""
        since = self._memory.register("rtc_buffer")
        if since is None or not self._recharge_us:
            return self._reserve_us
        charged = (self._true_us() - int(since["true_us"])) * self._reserve_us // self._recharge_us
        return min(self._reserve_us, int(since["left_us"]) + charged)

    def mains_back(self) -> tuple[int | None, bool]:
        """The chip gets mains again.

        Returns:
            The noted instant of the failure as the chip shows it (None: none noted), and whether time was kept.
        """
        stored = self._memory.register("rtc_mains")
        if stored is None:
            return None, self.read() is not None
        self._memory.set_register("rtc_mains", None)
        left_us = int(stored.get("left_us", self._reserve_us)) - (self._true_us() - int(stored["true_us"]))
        if left_us < 0 or self._defect == "no_buffer":
            self.kill()
        self._memory.set_register("rtc_buffer", {"true_us": self._true_us(), "left_us": max(0, left_us)})
        lost_at = stored["shown_us"]
        return (None if lost_at is None else int(lost_at)), self.read() is not None
