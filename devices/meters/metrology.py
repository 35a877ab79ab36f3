"""What a base meter measures, whether or not anybody asks: energy, power, second index, status."""

from __future__ import annotations

from collections.abc import Callable

from devices.clock import Clock
from devices.meters.grid import NOMINAL, Grid, Reading
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
        phases: which of L1, L2, L3 carry voltage (1 to 3); may be changed.
        faults: status bits that are set by hand: FATAL, MAGNET, FIELD_REVERSED ...
        backstop: whether the registers cannot run backwards (status bit 16); such a meter counts no feed-in.
        grid: voltage, frequency and angles at its terminals; may be changed.
        on_fault: told of each status bit that is set or cleared by hand, and of each opening of the cover; None:
            nobody listens.
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
        grid: Grid = NOMINAL,
    ) -> None:
        self.phases = phases
        self.faults = StatusWord(0)
        self.backstop = backstop
        self.grid = grid
        self.on_fault: Callable[[StatusWord, bool], None] | None = None
        self._clock = clock
        self._profile = profile
        self._energies = [Energy(), Energy(), Energy()]
        self._tariff = 0
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

    def ran_since(self, seconds: float) -> None:
        """It has had mains since an earlier instant of the clock, and all that has flowed since then is counted; only
        for a meter that was just made."""
        self._since_us = round(seconds * US_PER_S)

    def load(self, profile: LoadProfile) -> None:
        """From now on another load; what was counted stays."""
        self._settle()
        self._profile = profile

    @property
    def tariff(self) -> int:
        """Tariff that counts at present, 1 or 2; 0: none does."""
        return self._tariff

    def switch_tariff(self, tariff: int) -> None:
        """From now on energy also counts for tariff 1 or 2, or with 0 for none."""
        if tariff not in (0, 1, 2):
            raise ValueError(f"a meter has tariffs 1 and 2, not {tariff}")
        self._settle()
        self._tariff = tariff

    def energy(self, tariff: int = 0) -> Energy:
        """Nanojoules since the meter was made, exact, of one tariff or (0) of all; never falls."""
        counted = self._energies[tariff]
        if self._since_us is None or tariff not in (0, self._tariff):
            return counted
        flowed = self._profile.energy(self._now_us()) - self._profile.energy(self._since_us)
        counted = counted + flowed
        return Energy(counted.drawn, 0) if self.backstop else counted

    def reading(self) -> Reading:
        """Everything measured, as of now."""
        energies = (self.energy(0), self.energy(1), self.energy(2))
        reversed_field = StatusWord.FIELD_REVERSED in self.faults
        live = self.phases if self.powered else ()
        return Reading(energies, self.milliwatts(), live, self.grid, reversed_field)

    def milliwatts(self) -> tuple[int, int, int]:
        """Momentary power per phase; where a phase has no voltage, all of it is on the others."""
        if self._since_us is None:
            return 0, 0, 0
        return share(self._profile.power(self._now_us()), self.phases or (1,))

    def second_index(self) -> int:
        """Seconds that the meter had mains, whole ones."""
        return self._ran_now_us() // US_PER_S

    def open_cover(self) -> None:
        """Somebody opens the cover: bit 10 is set for COVER_LATCH_S."""
        self._cover_until = self._ran_now_us() + COVER_LATCH_S * US_PER_S
        if self.on_fault is not None:
            self.on_fault(StatusWord.COVER_OPENED, True)

    def close_cover(self) -> None:
        """The latch of an opened cover is reset before its time."""
        self._cover_until = None

    def fault(self, bits: StatusWord, on: bool = True) -> None:
        """Set or clear status bits by hand."""
        changed = bits & (~self.faults if on else self.faults)
        self.faults = self.faults | bits if on else self.faults & ~bits
        if self.on_fault is not None:
            for bit in changed:
                self.on_fault(bit, on)

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
        self._energies = [self.energy(tariff) for tariff in range(3)]
        self._ran_us = self._ran_now_us()
        self._since_us = self._now_us()
