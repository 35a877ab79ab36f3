"""What the tariff engine needs of a reading: one register of one meter at one instant of the grid.

A value is an integer with a power of ten; nothing is rounded. Whether it may be billed follows from its status word
(han 5.3): critical and fatal ones are treated like missing ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

from devices.protocols.trudi.status import Severity, severity_of_word
from firmware.metering.status_word import GatewayBit, StatusWord
from firmware.metering.tariffs.errors import TariffError
from firmware.metering.values import Reading

_WORD: Final = re.compile(r"[0-9A-Fa-f]{16}")
_OBIS: Final = re.compile(r"(\d+)-(\d+):(\d+)\.(\d+)\.(\d+)\*(\d+)")
ERROR_STAGE: Final = 63
"""Value group E of the error register (han 5.6)."""
TOTAL: Final = 0
"""Value group E of the total register."""


@dataclass(frozen=True, slots=True)
class Amount:
    """An exact number of the unit: `value` times ten to the power of `scaler`. Amounts of any scalers add up."""

    value: int
    scaler: int = 0

    def scaled(self, scaler: int) -> int:
        """The value with a scaler not above its own."""
        return self.value if scaler == self.scaler else self.value * int(10 ** (self.scaler - scaler))

    def __add__(self, other: Amount) -> Amount:
        if other.scaler == self.scaler:
            return Amount(self.value + other.value, self.scaler)
        scaler = min(self.scaler, other.scaler)
        return Amount(self.scaled(scaler) + other.scaled(scaler), scaler)

    def __neg__(self) -> Amount:
        return Amount(-self.value, self.scaler)

    def __sub__(self, other: Amount) -> Amount:
        return self + -other

    def __lt__(self, other: Amount) -> bool:
        if other.scaler == self.scaler:
            return self.value < other.value
        scaler = min(self.scaler, other.scaler)
        return self.scaled(scaler) < other.scaled(scaler)

    def __str__(self) -> str:
        return format(Decimal(self.value).scaleb(self.scaler), "f")

    def plain(self) -> list[int]:
        """As plain data."""
        return [self.value, self.scaler]


@dataclass(frozen=True, slots=True)
class Source:
    """A register of a meter.

    Attributes:
        meter: number of the meter.
        obis: ``1-0:1.8.0*255``.
    """

    meter: str
    obis: str

    def __str__(self) -> str:
        return f"{self.obis} of meter {self.meter}"


@dataclass(frozen=True, slots=True)
class Point:
    """What one register said for one instant of the grid.

    Attributes:
        source: which register.
        at_s: grid instant, seconds since 1970.
        amount: None: there is no value.
        status: status word of the value.
        unit: COSEM unit code, None: not given.
    """

    source: Source
    at_s: int
    amount: Amount | None
    status: StatusWord
    unit: int | None = None

    @property
    def usable(self) -> bool:
        """Whether it may be billed."""
        return self.amount is not None and severity(self.status).usable

    def plain(self) -> list[Any]:
        """As plain data, without its source."""
        amount = None if self.amount is None else self.amount.plain()
        return [self.at_s, amount, str(self.status), self.unit]


def point_of(source: Source, plain: list[Any]) -> Point:
    """A point from what `Point.plain` gave."""
    at_s, amount, status, unit = plain
    return Point(source, at_s, amount_of(amount), word_of(status), unit)


def amount_of(plain: list[int] | None) -> Amount | None:
    """An amount from what `Amount.plain` gave."""
    return None if plain is None else Amount(plain[0], plain[1])


@lru_cache(maxsize=1024)
def word_of(text: str) -> StatusWord:
    """A status word from its 16 hexadecimal digits. Raises TariffError for other text."""
    if not _WORD.fullmatch(text):
        raise TariffError(f"a status word has 16 hexadecimal digits, {text[:40]!r} is none")
    return StatusWord(int(text[:8], 16), int(text[8:], 16))


@lru_cache(maxsize=1024)
def severity(word: StatusWord) -> Severity:
    """How grave a status word is. The half of a radio meter has a layout of its own and is left out (wan-core 7.3)."""
    text = str(word)
    return severity_of_word(text[:8] + "20000000" if word.has(GatewayBit.RADIO) else text)


@lru_cache(maxsize=1024)
def with_bits(word: StatusWord, *bits: GatewayBit) -> StatusWord:
    """The word with further bits of the gateway's half set."""
    gateway = word.gateway
    for bit in bits:
        gateway |= 1 << (31 - bit)
    return StatusWord(gateway, word.meter)


NO_VALUE: Final = with_bits(StatusWord(), GatewayBit.NO_VALUE)


def united(words: Iterable[StatusWord]) -> StatusWord:
    """The word of a value made of several: bits of the gateway that any of them has.

    The meters' halves are united when all are wired meters'; with a radio meter among them, whose layouts differ, the
    meter's half is empty. What it says of errors is in the gateway's bits 14 and 15 as well.
    """
    different = tuple(dict.fromkeys(words))
    return different[0] if len(different) == 1 else _united(different)


@lru_cache(maxsize=1024)
def _united(words: tuple[StatusWord, ...]) -> StatusWord:
    gateway = meter = 0
    for one in words or (StatusWord(),):
        gateway |= one.gateway
        meter |= one.meter
    return StatusWord(gateway, 0 if any(one.has(GatewayBit.RADIO) for one in words) else meter)


MOST_FACTOR: Final = 100_000
MOST_DECIMALS: Final = 4
"""Bounds of a transformer factor (assumed): a counter of twelve digits stays within 64 bits."""
ENERGY_AND_POWER: Final = frozenset(range(27, 33))
"""COSEM units that a transformer factor is about: W, VA, var, Wh, VAh, varh."""


@lru_cache(maxsize=64)
def factor_of(factor: Decimal) -> Amount | None:
    """A transformer factor as an amount with a scaler not above 0, None: no exact factor within the bounds."""
    if not factor.is_finite() or not 0 < factor <= MOST_FACTOR:
        return None
    for decimals in range(MOST_DECIMALS + 1):
        value = Fraction(factor) * 10**decimals
        if value.denominator == 1:
            return Amount(value.numerator, -decimals)
    return None


def points(reading: Reading, sources: Iterable[Source], factor: Amount | None = None) -> list[Point]:
    """The points that a stored reading has for those of `sources` that are of its meter.

    A register that is not in the reading, or has no number, gives a point without value and with status bit 13. Energy
    and power are multiplied by `factor`, exactly: the scaler stays unless the factor has decimals (wan-core 7.4).
    """
    word = word_of(reading.status)
    entries = {one.obis: one for one in reading.entries}
    found = []
    for source in sources:
        if source.meter != reading.meter:
            continue
        entry = entries.get(source.obis)
        value = None if entry is None else entry.value
        if entry is None or isinstance(value, bool) or not isinstance(value, int):
            found.append(Point(source, reading.grid_s, None, with_bits(word, GatewayBit.NO_VALUE)))
        else:
            amount = Amount(value, entry.scaler or 0)
            if factor is not None and entry.unit in ENERGY_AND_POWER:
                amount = Amount(amount.value * factor.value, amount.scaler + factor.scaler)
            found.append(Point(source, reading.grid_s, amount, word, entry.unit))
    return found


def groups(obis: str) -> tuple[int, ...]:
    """Value groups A to F of an OBIS code. Raises TariffError for what is none."""
    match = _OBIS.fullmatch(obis)
    found = () if match is None else tuple(int(one) for one in match.groups())
    if not found or max(found) > 255:
        raise TariffError(f"{obis[:40]!r} is no OBIS code, one is written like 1-0:1.8.0*255")
    return found


@lru_cache(maxsize=256)
def staged(obis: str, stage: int) -> str:
    """The register of the same quantity for a tariff stage."""
    a, b, c, d, _, f = groups(obis)
    return f"{a}-{b}:{c}.{d}.{stage}*{f}"


@lru_cache(maxsize=256)
def counts_up(obis: str) -> bool:
    """Whether a register only grows: time integrals of electricity, and what other media count."""
    a, _, _, d, _, _ = groups(obis)
    return a != 1 or d == 8
