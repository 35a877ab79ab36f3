"""What is read at the home interface, in the same form for every product. All instants are aware, in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

State = Literal["ready", "running", "archive"]
"""Where a contract is in its life, as CONEXA calls it (han 3.2)."""
UNITS: Final = {27: "W", 28: "VA", 29: "var", 30: "Wh", 31: "VAh", 32: "varh", 33: "A", 35: "V", 44: "Hz", 8: "deg",
                13: "m3", 14: "m3"}  # fmt: skip
"""DLMS unit code -> symbol."""
LOCAL_ZONE: Final = "Europe/Berlin"


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the software: name, version, checksum in hex (empty where the product tells none)."""

    name: str
    version: str
    checksum: str = ""


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """What the gateway tells of itself.

    Attributes:
        id: its number, empty where the consumer is not told.
        firmware: version as the product prints it.
        components: parts of its software with checksums.
        time: its clock.
        state: status word or other words on its state, empty where it tells none.
        synchronised: when its clock was last set, None: not told.
        consumer: the user's id, empty where it is not told.
    """

    id: str
    firmware: str
    components: tuple[Component, ...] = ()
    time: datetime | None = None
    state: str = ""
    synchronised: datetime | None = None
    consumer: str = ""


@dataclass(frozen=True, slots=True)
class Value:
    """One register of a reading.

    Attributes:
        obis: full code, ``1-0:1.8.0*255``.
        number: integer, times 10**scaler in `unit`.
        scaler: power of ten.
        unit: DLMS code, 30 for Wh; 0: not told.
        signature: of the gateway, r || s; empty where the product tells none here.
    """

    obis: str
    number: int
    scaler: int
    unit: int
    signature: bytes = b""

    @property
    def exact(self) -> Decimal:
        """The value in its unit."""
        return Decimal(self.number).scaleb(self.scaler)

    @property
    def symbol(self) -> str:
        """Its unit, empty when it is not told."""
        return UNITS.get(self.unit, "")


@dataclass(frozen=True, slots=True)
class Reading:
    """The registers of a meter, or of a contract, at one instant.

    Attributes:
        meter: number of the meter; of derived values: the contract.
        at: capture time.
        target: instant of the grid, None: not told.
        values: registers; empty: there is none (a gap).
        status: status word, 16 hexadecimal digits, bit 0 of each half first; empty: not told.
        valid: what the product says in words, None: nothing.
    """

    meter: str
    at: datetime
    target: datetime | None
    values: tuple[Value, ...]
    status: str = ""
    valid: bool | None = None

    @property
    def instant(self) -> datetime:
        """The grid's instant, or where it is not told the capture time."""
        return self.target or self.at

    def value(self, obis: str) -> Value | None:
        """One register."""
        return next((one for one in self.values if one.obis == obis), None)


@dataclass(frozen=True, slots=True)
class Period:
    """A billing period; `end` None: it is running."""

    begin: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True)
class HanContract:
    """A contract (han 5.1).

    Attributes:
        id: TafId, how the product names it.
        taf: number of its use case.
        name: TafName.
        description: in words.
        meters: whose registers it has.
        registers: meter and OBIS code of each, empty where the product does not tell.
        metering_point, supplier, consumer: ids, empty where they are not told.
        begin, end: validity, None: open.
        periods: billing periods; none for TAF-7.
        state: ready, running or archive.
        capture_s: registration period, None: not told.
        profile: the signed TAF profile, CMS in DER; empty: not told.
    """

    id: str
    taf: int
    name: str
    description: str = ""
    meters: tuple[str, ...] = ()
    registers: tuple[tuple[str, str], ...] = ()
    metering_point: str = ""
    supplier: str = ""
    consumer: str = ""
    begin: datetime | None = None
    end: datetime | None = None
    periods: tuple[Period, ...] = ()
    state: State = "running"
    capture_s: int | None = None
    profile: bytes = b""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An entry of the consumer's log.

    Attributes:
        number: record number, None: not told.
        at: when.
        level: INFO, WARNING, ERROR, FATAL.
        text: message.
        success: outcome, None: not told.
        event, sub_event: ids, None: not told.
        vendor: id of the maker.
    """

    number: int | None
    at: datetime
    level: str
    text: str
    success: bool | None = None
    event: int | None = None
    sub_event: int | None = None
    vendor: str = ""


@dataclass(frozen=True, slots=True)
class HanCertificate:
    """A certificate: what it is for (``tls``, ``signature``, ``sub_ca``), DER."""

    kind: Literal["tls", "signature", "sub_ca"]
    der: bytes


@dataclass(frozen=True, slots=True)
class SelfTestAnswer:
    """What the gateway said to the order of a self-test.

    Attributes:
        accepted: it will do it.
        text: what it said.
        status: HTTP status.
        next_at: when it may be ordered again, None: not said.
    """

    accepted: bool
    text: str
    status: int
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer as it came.

    Attributes:
        status: HTTP status.
        headers: in small letters; of several of one name the last.
        body: octets.
        cookies: what it sets, name -> value.
        fields: all headers as they came, names in small letters, in their order.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    cookies: dict[str, str]
    fields: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """The body as UTF-8, whatever else is in it replaced."""
        return self.body.decode("utf-8", "replace")
