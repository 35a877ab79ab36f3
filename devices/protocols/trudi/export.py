"""The gateway's export, IF_Adapter_TRuDI (han 5.2): value lists with their readings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from devices.protocols.trudi.errors import FormatError, StatusWordError
from devices.protocols.trudi.status import AnyOrder, BitOrder, Severity, identified, severity_of_word
from devices.protocols.trudi.xml import ESPI, Element, read_root, text_of

_OBIS = re.compile(r"[0-9A-Fa-f]{12}\Z")
_STATUS = re.compile(r"[0-9A-Fa-f]{16}\Z")
_INT48 = 1 << 47
_U32 = (1 << 32) - 1


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
    def quantity(self) -> tuple[int, int, int, int]:
        """Value groups A to D: what is measured, without the tariff stage."""
        return self.groups[:4]

    @property
    def c(self) -> int:
        """Value group C."""
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
        line: where it stands.
        older_word: its status word was taken to be in the older order of bits.
    """

    value: int
    at: datetime
    target: datetime | None
    severity: Severity
    signature: str = ""
    line: int | None = None
    older_word: bool = False


@dataclass(frozen=True, slots=True)
class ListBlock:
    """One IntervalBlock of a list.

    Attributes:
        begin: start of its interval.
        duration_s: length of its interval.
        first: place of its first reading in the list.
        count: number of its readings.
        line: where it stands.
    """

    begin: datetime
    duration_s: int
    first: int
    count: int
    line: int | None

    @property
    def end(self) -> datetime:
        """Its end, which belongs to it; UTC, since seconds do not follow the wall clock."""
        return self.begin.astimezone(UTC) + timedelta(seconds=self.duration_s)


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
        blocks: its spans in the order of the file.
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
    blocks: tuple[ListBlock, ...] = ()

    @property
    def original(self) -> bool:
        """Whether it is a list of original readings: the middle of its name is the meter's id."""
        return _is_original(self.logical_name, self.meter)

    @property
    def exponent(self) -> int:
        """Power of ten of one step of the values, in `unit`."""
        return self.scaler + self.multiplier


@dataclass(frozen=True, slots=True)
class ReadCertificate:
    """A certificate of the file.

    Attributes:
        id: certId.
        kind: certType.
        der: certContent.
        line: where it stands.
    """

    id: int
    kind: int
    der: bytes
    line: int | None


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
        gateway_certificates: certIds of SMGW.
        certificates: certificates of the file.
        line: where the usage point stands.
    """

    usage_point: str
    kind: int
    customer: str
    supplier: str
    gateway: str
    tariff: str
    lists: tuple[ValueList, ...]
    gateway_certificates: tuple[int, ...] = ()
    certificates: tuple[ReadCertificate, ...] = ()
    line: int | None = None


def register_of(element: Element) -> Register:
    """An obisCode of twelve hexadecimal digits."""
    if not _OBIS.match(element.text):
        reason = f"{element.name} is {element.text[:40]!r}, twelve hexadecimal digits are right, as 0100010800ff"
        raise FormatError(reason, element.line, element.name)
    octets = bytes.fromhex(element.text)
    return Register((octets[0], octets[1], octets[2], octets[3], octets[4], octets[5]))


def read_export(octets: bytes, order: AnyOrder = "auto") -> Export:
    """Read a gateway's export; `received.check` has the rules that it should keep beyond that.

    Raises:
        FormatError: this is none, with line and element.
    """
    point = read_root(octets)
    if point.has("AnalysisProfile") and not point.has("MeterReading"):
        reason = "this is a supplier's file, not a gateway's export: it has an AnalysisProfile and no MeterReading"
        raise FormatError(f"{reason} (are the two files swapped?)", point.line, "AnalysisProfile")
    customer, party, gateway = point.maybe("Customer"), point.maybe("InvoicingParty"), point.one("SMGW")
    return Export(
        usage_point=point.one("usagePointId").text,
        kind=point.one("ServiceCategory", ESPI).one("kind", ESPI).number(),
        customer="" if customer is None else text_of(customer, "customerId"),
        supplier="" if party is None else text_of(party, "invoicingPartyId"),
        gateway=gateway.one("smgwId").text,
        tariff=point.one("tariffName").text,
        lists=tuple(_list(one, order) for one in point.all("MeterReading")),
        gateway_certificates=tuple(one.number(0, 255) for one in gateway.all("certId")),
        certificates=tuple(_certificate(one) for one in point.all("Certificate")),
        line=point.line,
    )


def _certificate(element: Element) -> ReadCertificate:
    return ReadCertificate(
        element.one("certId").number(0, 255),
        element.one("certType").number(1, 3),
        element.one("certContent").octets(),
        element.line,
    )


def _list(element: Element, order: AnyOrder) -> ValueList:
    kind = element.one("ReadingType")
    period, scaler = kind.maybe("measurementPeriod"), kind.maybe("scaler")
    name, meter = kind.one("qualifiedLogicalName").text, element.one("Meter").one("meterId").text
    original = _is_original(name, meter)
    readings: list[ListReading] = []
    blocks: list[ListBlock] = []
    for block in element.all("IntervalBlock"):
        first = len(readings)
        readings += [_reading(one, order, original=original) for one in block.all("IntervalReading")]
        interval = block.one("interval")
        begin, duration = interval.one("start").instant(), interval.one("duration").number(0, _U32)
        blocks.append(ListBlock(begin, duration, first, len(readings) - first, block.line))
    return ValueList(
        meter=meter,
        register=register_of(kind.one("obisCode")),
        logical_name=name,
        unit=kind.one("uom", ESPI).number(),
        multiplier=kind.one("powerOfTenMultiplier", ESPI).number(),
        scaler=0 if scaler is None else scaler.number(-128, 127),
        period_s=None if period is None else period.number(0, _U32),
        readings=tuple(readings),
        line=element.line,
        blocks=tuple(blocks),
    )


def _is_original(logical_name: str, meter: str) -> bool:
    parts = logical_name.split(".")
    return len(parts) >= 3 and ".".join(parts[1:-1]).lower() == meter.lower()


def _reading(element: Element, order: AnyOrder, *, original: bool) -> ListReading:
    target = element.maybe("targetTime")
    severity, older = _severity(element, order, original=original)
    return ListReading(
        value=element.one("value", ESPI).number(-_INT48, _INT48),
        at=element.one("timePeriod").one("start").instant(),
        target=None if target is None else target.instant(),
        severity=severity,
        signature=text_of(element, "signature"),
        line=element.line,
        older_word=older,
    )


def _severity(element: Element, order: AnyOrder, *, original: bool) -> tuple[Severity, bool]:
    """The graver one of both words, where both are given, and whether the word is in the older order.

    Only original readings are billed, so only they are strict.

    Raises:
        FormatError: no status, or one of another form.
        StatusWordError: a word of an original reading lacks the bits that are always set, and nothing else tells the
            status.
    """
    found = []
    older = False
    word, ptb = element.maybe("statusFNN"), element.maybe("statusPTB")
    if word is not None:
        if not _STATUS.match(word.text):
            reason = f"statusFNN is {word.text[:40]!r}, 16 hexadecimal digits are right, as A000000020000000"
            raise FormatError(reason, word.line, word.name)
        right = _order(word.text) if order == "auto" else order if identified(word.text, order) else None
        if right is None and original and (ptb is None or order != "auto"):
            raise _unidentified(word, order)
        older = right == "msb" and order == "auto"
        found.append(severity_of_word(word.text, right or ("lsb" if order == "auto" else order)))
    if ptb is not None:
        found.append(Severity(ptb.number(0, 4)))
    if not found:
        raise FormatError("a reading has neither statusFNN nor statusPTB", element.line, element.name)
    return max(found), older


def _order(word: str) -> BitOrder | None:
    """In which order a word has the bits that are always set, the current one first; None: in neither."""
    if identified(word, "lsb"):
        return "lsb"
    return "msb" if identified(word, "msb") else None


def _unidentified(word: Element, order: AnyOrder) -> StatusWordError:
    reason = f"statusFNN is {word.text}, without the bits that are always set (gateway 0x1 and 0x4, meter 0x4)"
    other: BitOrder = "msb" if order == "lsb" else "lsb"
    if order != "auto" and identified(word.text, other):
        first = {"lsb": "bit 0", "msb": "bit 31"}
        return StatusWordError(f"{reason} when {first[order]} comes first; with {first[other]} first they are there",
                               word.line, other)  # fmt: skip
    return StatusWordError(reason, word.line, "")
