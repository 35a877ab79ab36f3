"""Files of the transparency software as profiles and readings of the tariff engine."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from taf_parts import QUARTER, profile

from devices.protocols.trudi.export import Export, ValueList, read_export
from devices.protocols.trudi.supplier import SupplierFile, read_supplier
from firmware.metering.status_word import GatewayBit, StatusWord
from firmware.metering.tariffs.calendar import Calendar, DayProfile, SpecialDay
from firmware.metering.tariffs.profile import EvaluationProfile, Term
from firmware.metering.tariffs.readings import Amount, Point, Source, with_bits

VECTORS = Path(__file__).parents[1] / "vectors" / "trudi"
BITS = (None, GatewayBit.WARNING, GatewayBit.NO_VALUE, GatewayBit.TIME_INVALID, GatewayBit.FATAL)
"""A bit of the gateway that stands for each class of the statusPTB."""


def published(values: str) -> tuple[Export, SupplierFile]:
    """One of the published exports and the supplier's file for it."""
    return read_export((VECTORS / values).read_bytes()), read_supplier(
        (VECTORS / "supplier_single_day.xml").read_bytes()
    )


def source_of(values: ValueList) -> Source:
    """The register that a list is of."""
    return Source(values.meter, str(values.register))


def calendar_of(supplier: SupplierFile) -> Calendar:
    """The supplier's switch table: each day of it is a special day."""
    days = [DayProfile(one.id, one.switches) for one in supplier.profiles.values()]
    special = [SpecialDay(day.month, day.day, names[0], day.year) for day, names in supplier.days.items()]
    return Calendar(days, special=special, default=supplier.default)


def profile_of(values: ValueList, supplier: SupplierFile) -> EvaluationProfile:
    """The evaluation profile of a supplier's file."""
    return profile(
        2, int(supplier.begin.timestamp()), int(supplier.end.timestamp()), Term(source_of(values)),
        stages=tuple(one.number for one in supplier.stages), calendar=calendar_of(supplier),
    )  # fmt: skip


def points_of(values: ValueList) -> list[Point]:
    """The readings of a list, each at the nearest quarter of an hour."""
    found = []
    for one in values.readings:
        at_s = round((one.target or one.at).timestamp() / QUARTER) * QUARTER
        bit = BITS[one.severity]
        status = StatusWord() if bit is None else with_bits(StatusWord(), bit)
        found.append(Point(source_of(values), at_s, Amount(one.value, values.scaler), status, 30))
    return found


def days_between(first: date, last: date) -> list[date]:
    """The dates from the first to the last one."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def wall(*parts: int) -> datetime:
    """A local time."""
    return datetime(*parts, tzinfo=ZoneInfo("Europe/Berlin"))
