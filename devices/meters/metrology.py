"""What a base meter measures, whether or not anybody asks: energy, power, second index, status."""

from __future__ import annotations

from devices.clock import Clock
from devices.meters.load_profile import US_PER_S, Energy, LoadProfile
from devices.meters.registers import share
from devices.meters.status_word import FEEDS, VOLTAGE, StatusWord

START_UP_MILLIWATT = 5_000
"""Power from which the meter counts as loaded (status bit 8; assumed: 0.4 % of 5 A at 230 V, rounded up)."""
COVER_LATCH_S = 24 * 3600
"""How long an opened cover stays in the status word, in seconds of the second index (lmn-wired 4.4)."""


class Metrology:
    """Integrates a load profile while the meter has power, and knows its own state.

    Without mains there is no load behind the meter either: energy, second index and status stand still, the load
    profile's time goes on.

    Attributes:
        phases: which of L1, L2, L3 carry voltage (1 to 3).
        faults: status bits that are set by hand: FATAL, MAGNET, FIELD_REVERSED ...
        backstop: whether the registers cannot run backwards (status bit 16); such a meter counts no feed-in.
    """

    def __init__(
        self,
        clock: Clock,
        profile: LoadProfile,
        *,
        phases: tuple[int, ...] = (1, 2, 3),
        second_index: int = 0,
        backstop: bool = False,
        powered: bool = True,
    ) -> None:
        self.phases = phases
        self.faults = StatusWord(0)
        self.backstop = backstop
        self._clock = clock
        self._profile = profile
        self._energy = Energy()
        self._ran_us = second_index * US_PER_S
        self._since_us: int | None = self._now_us() if powered else None
        self._cover_until: int | None = None

    @property
    def powered(self) -> bool:
        """Whether the meter has mains."""
        return self._since_us is not None

    def power(self, on: bool) -> None:
        """Mains of the meter on or off."""
        self._settle()
        if on and self._since_us is None:
            self._since_us = self._now_us()
        elif not on:
            self._since_us = None

    def load(self, profile: LoadProfile) -> None:
        """From now on another load; what was counted stays."""
        self._settle()
        self._profile = profile

    def energy(self) -> Energy:
        """Nanojoules since the meter was made, exact; never falls."""
        if self._since_us is None:
            return self._energy
        flowed = self._energy + self._profile.energy(self._now_us()) - self._profile.energy(self._since_us)
        return Energy(flowed.drawn, 0) if self.backstop else flowed

    def milliwatts(self) -> tuple[int, int, int]:
        """Momentary power per phase; all of it on the only phase of a single-phase meter."""
        if self._since_us is None:
            return 0, 0, 0
        milliwatt = self._profile.power(self._now_us())
        if self.phases == (1, 2, 3):
            return share(milliwatt)
        on = self.phases[0] if self.phases else 1
        return milliwatt * (on == 1), milliwatt * (on == 2), milliwatt * (on == 3)

    def second_index(self) -> int:
        """Seconds that the meter had mains, whole ones."""
        return self._ran_now_us() // US_PER_S

    def open_cover(self) -> None:
        """Somebody opens the cover: bit 10 is set for COVER_LATCH_S."""
        self._cover_until = self._ran_now_us() + COVER_LATCH_S * US_PER_S

    def fault(self, bits: StatusWord, on: bool = True) -> None:
        """Set or clear status bits by hand."""
        self.faults = self.faults | bits if on else self.faults & ~bits

    def status(self) -> StatusWord:
        """The status word as of now."""
        word = StatusWord.BASE_METER | self.faults
        per_phase = self.milliwatts()
        for phase in self.phases:
            word |= VOLTAGE[phase - 1]
        for bit, milliwatt in zip(FEEDS, per_phase, strict=True):
            if milliwatt < 0:
                word |= bit
        if sum(per_phase) < 0:
            word |= StatusWord.SUM_FEEDS
        if abs(sum(per_phase)) >= START_UP_MILLIWATT:
            word |= StatusWord.ABOVE_START_UP
        if self.backstop:
            word |= StatusWord.BACKSTOP
        if self._cover_until is not None and self._ran_now_us() < self._cover_until:
            word |= StatusWord.COVER_OPENED
        return word

    def _now_us(self) -> int:
        return round(self._clock.seconds() * US_PER_S)

    def _ran_now_us(self) -> int:
        return self._ran_us + (self._now_us() - self._since_us if self._since_us is not None else 0)

    def _settle(self) -> None:
        if self._since_us is None:
            return
        self._energy, self._ran_us = self.energy(), self._ran_now_us()
        self._since_us = self._now_us()
