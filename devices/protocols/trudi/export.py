"""The gateway's export, IF_Adapter_TRuDI (han 5.2): value lists with their readings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from devices.protocols.trudi.errors import FormatError
from devices.protocols.trudi.status import BitOrder, Severity, severity_of_word
from devices.protocols.trudi.xml import ESPI, Element, read_root, text_of

_OBIS = re.compile(r"[0-9A-Fa-f]{12}\Z")


@dataclass(frozen=True, slots=True)
class Register:
    """An OBIS code as six numbers, value groups A to F."""

    groups: tuple[int, int, int, int, int, int]

    def __str__(self) -> str:
        a, b, c, d, e, f = self.groups
        return f"{a}-{b}:{c}.{d}.{e}*{f}"

    def stage(self, number: int) -> Register:
        """The register of the same quantity for a tariff stage."""
        a, b, c, d, _, f = self.groups
        return Register((a, b, c, d, number, f))

    @property
    def c(self) -> int:
        """Value group C, the quantity."""
        return self.groups[2]

    @property
    def e(self) -> int:
        """Value group E, the tariff stage."""
        return self.groups[4]


@dataclass(frozen=True, slots=True)
class ListReading:
    """One reading of a list.

    Attributes:
        value: integer in the file's own unit.
        at: when it was captured.
        target: nominal instant, None: not given.
        severity: how grave its status is.
        signature: as in the file, empty without one.
    """

    value: int
    at: datetime
    target: datetime | None
    severity: Severity
    signature: str = ""


@dataclass(frozen=True, slots=True)
class ValueList:
    """One MeterReading of the export.

    Attributes:
        meter: meterId.
        register: obisCode.
        logical_name: ``<obis>.<meter id>.sm`` for an original list, ``<obis>.<TAF id>.sm`` for a derived one.
        unit: espi:uom, 72 for Wh.
        multiplier: espi:powerOfTenMultiplier.
        scaler: of the values.
        period_s: measurementPeriod, None: not given.
        readings: in the order of the file.
        line: where it stands.
    """

    meter: str
    register: Register
    logical_name: str
    unit: int
    multiplier: int
    scaler: int
    period_s: int | None
    readings: tuple[ListReading, ...]
    line: int | None

    @property
    def original(self) -> bool:
        """Whether it is a list of original readings: the middle of its name is the meter's id."""
        parts = self.logical_name.split(".")
        return len(parts) >= 3 and ".".join(parts[1:-1]).lower() == self.meter.lower()


@dataclass(frozen=True, slots=True)
class Export:
    """A gateway's export.

    Attributes:
        usage_point: usagePointId.
        kind: espi:kind, 0 for electricity.
        customer: customerId.
        supplier: invoicingPartyId.
        gateway: smgwId.
        tariff: tariffName.
        lists: value lists.
    """

    usage_point: str
    kind: int
    customer: str
    supplier: str
    gateway: str
    tariff: str
    lists: tuple[ValueList, ...]


def register_of(element: Element) -> Register:
    """An obisCode of twelve hexadecimal digits."""
    if not _OBIS.match(element.text):
        reason = f"{element.name} is {element.text[:40]!r}, twelve hexadecimal digits are right, as 0100010800ff"
        raise FormatError(reason, element.line, element.name)
    octets = bytes.fromhex(element.text)
    return Register((octets[0], octets[1], octets[2], octets[3], octets[4], octets[5]))


def read_export(octets: bytes, order: BitOrder = "lsb") -> Export:
    """Read a gateway's export. Raises FormatError with line and element for what is none."""
    point = read_root(octets)
    customer, party = point.maybe("Customer"), point.maybe("InvoicingParty")
    return Export(
        usage_point=point.one("usagePointId").text,
        kind=point.one("ServiceCategory", ESPI).one("kind", ESPI).number(),
        customer="" if customer is None else text_of(customer, "customerId"),
        supplier="" if party is None else text_of(party, "invoicingPartyId"),
        gateway=point.one("SMGW").one("smgwId").text,
        tariff=point.one("tariffName").text,
        lists=tuple(_list(one, order) for one in point.all("MeterReading")),
    )


def _list(element: Element, order: BitOrder) -> ValueList:
    kind = element.one("ReadingType")
    period, scaler = kind.maybe("measurementPeriod"), kind.maybe("scaler")
    readings = [_reading(one, order) for block in element.all("IntervalBlock") for one in block.all("IntervalReading")]
    return ValueList(
        meter=element.one("Meter").one("meterId").text,
        register=register_of(kind.one("obisCode")),
        logical_name=kind.one("qualifiedLogicalName").text,
        unit=kind.one("uom", ESPI).number(),
        multiplier=kind.one("powerOfTenMultiplier", ESPI).number(),
        scaler=0 if scaler is None else scaler.number(),
        period_s=None if period is None else period.number(),
        readings=tuple(readings),
        line=element.line,
    )


def _reading(element: Element, order: BitOrder) -> ListReading:
    target = element.maybe("targetTime")
    return ListReading(
        value=element.one("value", ESPI).number(),
        at=element.one("timePeriod").one("start").instant(),
        target=None if target is None else target.instant(),
        severity=_severity(element, order),
        signature=text_of(element, "signature"),
    )


def _severity(element: Element, order: BitOrder) -> Severity:
    """The graver one of both words, where both are given."""
    found = []
    word, ptb = element.maybe("statusFNN"), element.maybe("statusPTB")
    if word is not None:
        try:
            found.append(severity_of_word(word.text, order))
        except ValueError:
            reason = f"statusFNN is {word.text[:40]!r}, 16 hexadecimal digits are right, as A000000020000000"
            raise FormatError(reason, word.line, word.name) from None
    if ptb is not None:
        number = ptb.number()
        if not 0 <= number <= 4:
            raise FormatError(f"statusPTB is {number}, 0 to 4 are right", ptb.line, ptb.name)
        found.append(Severity(number))
    if not found:
        raise FormatError("a reading has neither statusFNN nor statusPTB", element.line, element.name)
    return max(found)
