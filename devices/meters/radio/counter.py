"""The transmission counter of a radio meter: 32 bits that only rise, over power losses too (lmn-wireless 1)."""

from __future__ import annotations

from typing import Final

LARGEST: Final = 0xFFFF_FFFF


class CounterExhausted(Exception):
    """The counter is at its end: it must neither overflow nor be reset (TR-03116-3 7.1)."""


class TransmissionCounter:
    """Counts telegrams; what lies in non-volatile memory is never behind what was used.

    The memory is written a block ahead: after a loss of power the counter goes on behind the block, so that no number
    is used twice though not every telegram is a write.

    Attributes:
        stored: the number in non-volatile memory; all up to it may have been used.
    """

    def __init__(self, first: int, block: int = 1) -> None:
        """Make a counter; ValueError for numbers that it cannot have.

        Args:
            first: number of the first telegram.
            block: telegrams per write to the memory.
        """
        if not 1 <= first <= LARGEST or block < 1:
            raise ValueError(f"a transmission counter begins between 1 and {LARGEST}, and is stored every 1 or more")
        self._block = block
        self._last = first - 1
        self.stored = first - 1

    @property
    def last(self) -> int:
        """Number of the last telegram."""
        return self._last

    @property
    def left(self) -> int:
        """Telegrams that may still be sent."""
        return LARGEST - self._last

    def take(self) -> int:
        """The number of the next telegram. Raises CounterExhausted when there is none."""
        if self._last >= LARGEST:
            raise CounterExhausted(f"the transmission counter has reached {LARGEST:#x}")
        self._last += 1
        self._store()
        return self._last

    def jump(self, by: int) -> None:
        """Leave out numbers; not beyond the end."""
        self._last = min(LARGEST, self._last + by)
        self._store()

    def power_lost(self) -> None:
        """What was not in non-volatile memory is gone."""
        self._last = self.stored

    def _store(self) -> None:
        if self._last > self.stored:
            self.stored = min(LARGEST, self._last + self._block - 1)
