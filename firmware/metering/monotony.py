"""Registers that only grow: a reading in which one of them fell carries the warning bit (wan-core 7.4).

It is stored as it was read; what use cases reckon leaves it out (`tariffs.sums`). A register is compared with its last
good value, so the warning stays until it is past that. Values that may not be billed are compared with nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from firmware.metering.status_word import GatewayBit, StatusWord
from firmware.metering.tariffs.readings import Amount, counts_up, groups, severity, with_bits, word_of
from firmware.metering.values import Entry, read
from firmware.storage.memory import NonVolatileMemory

ELECTRICITY: Final = 1
"""Value group A of electricity, whose registers are told apart by their code; those of others by their unit."""
COUNTED: Final = frozenset((13, 14, 19, 25, 30))
"""COSEM units that other media count in: cubic metres, the same corrected, litres, joule, watt-hours."""


class Monotony:
    """The last good value of each register of each meter.

    Args:
        memory: where the readings lie; a run begins with the last ones that were stored.
    """

    def __init__(self, memory: NonVolatileMemory) -> None:
        self._memory = memory
        self._good: dict[str, dict[str, Amount]] = {}

    def judged(self, meter: str, word: StatusWord, entries: Iterable[Entry]) -> StatusWord:
        """The status of a reading, with the warning bit when a register fell."""
        if not severity(word).usable:
            return word
        good = self._good.get(meter)
        if good is None:
            good = self._good[meter] = self._stored(meter)
        fell = False
        for obis, amount in _counted(entries):
            if obis in good and amount < good[obis]:
                fell = True
            else:
                good[obis] = amount
        return with_bits(word, GatewayBit.WARNING) if fell else word

    def _stored(self, meter: str) -> dict[str, Amount]:
        """From the last reading without a warning on, in which nothing had fallen; among later ones the highest."""
        sql = (
            "SELECT grid_s FROM reading WHERE meter = ? AND capture_us IS NOT NULL AND substr(status, 4, 1) < '8'"
            " ORDER BY grid_s DESC LIMIT 1"
        )  # the fourth digit of a status word begins with bit 12
        rows = self._memory.query(sql, (meter,))
        good: dict[str, Amount] = {}
        for reading in read(self._memory, meter, int(rows[0][0]) if rows else None):
            if severity(word_of(reading.status)).usable:
                for obis, amount in _counted(reading.entries):
                    if obis not in good or good[obis] < amount:
                        good[obis] = amount
        return good


def _counted(entries: Iterable[Entry]) -> Iterable[tuple[str, Amount]]:
    for one in entries:
        if isinstance(one.value, int) and not isinstance(one.value, bool) and _grows(one.obis, one.unit):
            yield one.obis, Amount(one.value, one.scaler or 0)


@lru_cache(maxsize=1024)
def _grows(obis: str, unit: int | None) -> bool:
    return counts_up(obis) and (groups(obis)[0] == ELECTRICITY or unit in COUNTED)
