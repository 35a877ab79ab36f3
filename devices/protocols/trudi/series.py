"""Which lists of an export are billed, and what they count: one series for each meter and register (han 5.5, 5.6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from typing import Final

from devices.protocols.trudi.errors import TariffError
from devices.protocols.trudi.export import ListReading, Register, ValueList
from devices.protocols.trudi.received import tolerance
from devices.protocols.trudi.supplier import QUARTER, SupplierFile

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Scale:
    """What one step of an amount is.

    Attributes:
        unit: espi:uom, 72 for Wh.
        exponent: power of ten of that unit.
    """

    unit: int
    exponent: int


@dataclass(frozen=True, slots=True)
class Series:
    """The usable readings of a register of a meter.

    Attributes:
        register: of the meter.
        meter: its id.
        points: instant on the quarter-hour raster, UTC -> value in steps of `scale`.
        scale: the finest of all lists of the quantity.
        line: where its list stands.
    """

    register: Register
    meter: str
    points: Mapping[datetime, int]
    scale: Scale
    line: int | None

    def __str__(self) -> str:
        return f"{self.register} of meter {self.meter}"


def series_of(lists: Sequence[ValueList], supplier: SupplierFile) -> list[Series]:
    """The series of the quantities that the supplier's file has stages for, in the order of the lists.

    Raises:
        TariffError: lists that must not be added up: other registers, other units, the same one twice; two readings for
            one instant.
    """
    found: list[Series] = []
    billed = [one for one in lists if _billed(one, supplier)]
    for quantity in dict.fromkeys(one.register.quantity for one in billed):
        of_quantity = [one for one in billed if one.register.quantity == quantity]
        _check_alike(of_quantity)
        scale = Scale(of_quantity[0].unit, min(one.exponent for one in of_quantity))
        found += [
            _series([one for one in of_quantity if one.meter.lower() == meter], scale, supplier)
            for meter in dict.fromkeys(one.meter.lower() for one in of_quantity)
        ]
    return found


def _billed(values: ValueList, supplier: SupplierFile) -> bool:
    """Whether there are stages for a list; one that only looks like it is refused."""
    if supplier.stages_for(values.register):
        return True
    like = next((one.register for one in supplier.stages if one.register.c == values.register.c), None)
    if like is not None:
        a, b, c, d = like.quantity
        reason = f"{_told(values)} cannot be billed with the tariff stages of {a}-{b}:{c}.{d}"
        raise TariffError(f"{reason}: value groups A, B and D are others", values.line, "values")
    return False


def _check_alike(lists: Sequence[ValueList]) -> None:
    """Lists of several meters are added up, but only where all of them are the same register in the same unit."""
    for one in lists[1:]:
        first = lists[0]
        if one.register != first.register:
            reason = f"{_told(first)} and {_told(one)} cannot be added up: the same register of all meters is right"
            raise TariffError(reason, one.line, "values")
        if one.unit != first.unit:
            reason = f"{_told(first)} and {_told(one)} cannot be added up: their uom are {first.unit} and {one.unit}"
            raise TariffError(reason, one.line, "values")
    for one, other in combinations(lists, 2):
        same = one.meter.lower() == other.meter.lower()
        if same and (one.scaler, one.multiplier) == (other.scaler, other.multiplier):
            raise TariffError(f"{_told(other)} is there twice: one list for each meter and register is right",
                              other.line, "values")  # fmt: skip


def _series(lists: Sequence[ValueList], scale: Scale, supplier: SupplierFile) -> Series:
    """One series; a register that changed its scaler has a list for each."""
    points: dict[datetime, int] = {}
    for one in lists:
        factor = 10 ** (one.exponent - scale.exponent)
        for at, value in usable_points(one, supplier.begin, supplier.end).items():
            if at in points:
                reason = f"two lists of {_told(one).removeprefix('the list ')} have a reading for {at.isoformat()}"
                raise TariffError(reason, one.line, "values")
            points[at] = value * factor
    first = lists[0]
    return Series(first.register, first.meter, dict(sorted(points.items())), scale, first.line)


def usable_points(values: ValueList, begin: datetime, end: datetime) -> dict[datetime, int]:
    """Instant on the quarter-hour raster in UTC, `begin` to `end`, -> value of the usable reading for it.

    Raises:
        TariffError: two usable readings for one instant.
    """
    found: dict[datetime, ListReading] = {}
    for reading, at in _on_raster(values):
        if not reading.severity.usable or not begin <= at <= end:
            continue
        if at in found:
            other = found[at]
            both = f"{_told(values)} has two readings for {at.astimezone(begin.tzinfo).isoformat()}"
            which = f"{other.value}{_place(other)} and {reading.value}{_place(reading)}"
            raise TariffError(f"{both}: {which}, one is right", reading.line, "values")
        found[at] = reading
    return {at: reading.value for at, reading in found.items()}


def _on_raster(values: ValueList) -> Iterable[tuple[ListReading, datetime]]:
    """The readings that are for a quarter of an hour, with it."""
    beside = tolerance(values.period_s)
    for one in values.readings:
        told = (one.at if one.target is None else one.target).astimezone(UTC)
        nearest = _EPOCH + QUARTER * round((told - _EPOCH) / QUARTER)
        if told == nearest or (one.target is None and abs(told - nearest) <= beside):
            yield one, nearest


def _told(values: ValueList) -> str:
    return f"the list {values.register} of meter {values.meter}"


def _place(reading: ListReading) -> str:
    return "" if reading.line is None else f" (line {reading.line})"
