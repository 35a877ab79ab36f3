"""The mains of the gateway: on, off, and cuts of exact length at exact instants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from devices.clock import Clock
from devices.errors import UsageError
from devices.power.relay import Switch

SWITCH_WITHIN_S = 2.0
"""How long the relay may take to switch (assumed)."""


@dataclass(frozen=True, slots=True)
class MainsChange:
    """The mains was switched.

    Attributes:
        t: ``clock.seconds()`` at which the relay had confirmed.
        commanded: ``clock.seconds()`` at which it was told; the contact moved between the two.
        on: True: power is there.
    """

    t: float
    commanded: float
    on: bool


class Mains:
    """Power for one gateway through one switch.

    All instants are absolute, so that a row of cuts does not drift. A cut that is cancelled leaves the mains as it
    stands: what safe means is said by the relay (`ModbusRelay.at_close`).

    Attributes:
        on_change: called for every switching (evidence), also when it changed nothing.
    """

    def __init__(
        self,
        clock: Clock,
        relay: Switch,
        on_change: Callable[[MainsChange], None] | None = None,
        *,
        switch_within_s: float = SWITCH_WITHIN_S,
    ) -> None:
        self.on_change = on_change
        self._clock = clock
        self._relay = relay
        self._within = switch_within_s

    async def on(self) -> MainsChange:
        """Switch on. Raises BenchError when the relay does not do it in time."""
        return await self._switch(True)

    async def off(self) -> MainsChange:
        """Switch off. Raises BenchError when the relay does not do it in time."""
        return await self._switch(False)

    async def is_on(self) -> bool:
        """What the relay says. Raises BenchError."""
        return await self._relay.read(self._clock.deadline(self._within))

    async def cut(self, for_s: float | timedelta) -> tuple[MainsChange, MainsChange]:
        """Switch off and on again, `for_s` seconds after it was told to switch off."""
        span = _span(for_s, "a cut")
        off = await self.off()
        await self._clock.sleep_until(off.commanded + span)
        return off, await self.on()

    async def cut_at(
        self, instant: float | datetime, for_s: float | timedelta | None = None
    ) -> tuple[MainsChange, MainsChange | None]:
        """Switch off at `instant`; with `for_s` on again after that many seconds.

        Args:
            instant: seconds of the clock, or an aware datetime.
            for_s: length of the cut; None: stay off.

        Raises:
            UsageError: the instant has passed.
            BenchError: the relay does not follow.
        """
        await self._clock.sleep_until(self._future(instant))
        if for_s is None:
            return await self.off(), None
        return await self.cut(for_s)

    async def repeat(
        self, times: int, every: float | timedelta, for_s: float | timedelta
    ) -> list[tuple[MainsChange, MainsChange]]:
        """Cut `times` times, beginning now and then each `every` seconds, each time for `for_s`."""
        period, span = _span(every, "the distance of two cuts"), _span(for_s, "a cut")
        if times < 1:
            raise UsageError(f"a cut cannot be repeated {times} times", hint="at least once")
        if times > 1 and span >= period:
            raise UsageError(f"a cut of {span:g} s does not fit into a period of {period:g} s")
        begin = self._clock.seconds()
        cuts = []
        for number in range(times):
            await self._clock.sleep_until(begin + number * period)
            cuts.append(await self.cut(span))
        return cuts

    async def _switch(self, on: bool) -> MainsChange:
        commanded = self._clock.seconds()
        await self._relay.set(on, self._clock.deadline(self._within))
        change = MainsChange(self._clock.seconds(), commanded, on)
        if self.on_change is not None:
            self.on_change(change)
        return change

    def _future(self, instant: float | datetime) -> float:
        at = (instant - self._clock.start).total_seconds() if isinstance(instant, datetime) else instant
        if at < self._clock.seconds():
            raise UsageError(f"the mains cannot be cut {self._clock.seconds() - at:g} s ago")
        return at


def _span(span: float | timedelta, what: str) -> float:
    seconds = span.total_seconds() if isinstance(span, timedelta) else float(span)
    if seconds <= 0:
        raise UsageError(f"{what} must be longer than 0 s, not {seconds:g} s")
    return seconds
