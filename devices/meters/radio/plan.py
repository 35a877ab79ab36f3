"""What a radio meter is like: its kind, identity, protection, what it sends and how often."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from devices.errors import UsageError
from devices.meters.radio.counter import LARGEST
from devices.meters.radio.identity import address_of
from devices.meters.radio.kinds import KINDS, KindTable
from devices.ports.radio import RadioMode
from devices.protocols.mbus.link import Address


class Protection(Enum):
    """How telegrams are protected (lmn-wireless 3)."""

    NONE = "none"
    """Mode 0: in the clear."""
    PROFILE_A = "profile_a"
    """Mode 5: AES-CBC with the persistent key, no MAC, no counter."""
    PROFILE_B = "profile_b"
    """Mode 7: AES-CBC and AFL with CMAC, keys derived per telegram, transmission counter."""
    PROFILE_D = "profile_d"
    """Mode 10: AES-CCM, keys derived per telegram, transmission counter."""
    ELL = "ell"
    """AES-CTR in the extended link layer."""

    @property
    def counts(self) -> bool:
        """Whether telegrams carry the transmission counter."""
        return self in (Protection.PROFILE_B, Protection.PROFILE_D)


class ProfileKind(Enum):
    """Kind of compact profile, its VIFE (lmn-wireless 4.6)."""

    REGISTERS = 0x1E
    PLAIN = 0x1F
    INVERSE = 0x13


@dataclass(frozen=True, slots=True)
class CompactProfile:
    """A compact profile in the telegrams.

    Attributes:
        spacing_s: between two readings, on whole multiples of it in UTC.
        values: readings behind the base, at most.
        kind: which VIFE.
        storage: storage number of base and profile; 1F begins at 8.
        registers: which are told, by OBIS code; empty: the one that is billed.
    """

    spacing_s: int
    values: int = 12
    kind: ProfileKind = ProfileKind.PLAIN
    storage: int = 8
    registers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Access:
    """How a bidirectional meter can be reached (lmn-wireless 2.4).

    Attributes:
        fast: D bit: the partner may answer at once.
        delay_s: from the end of a telegram to the begin of the answer to it; None: as the mode has it, T2 2 ms, C2
            100 ms or, when not fast, 1 s.
        window_s: how long after that an answer may begin (assumed).
        turns: answers to the partner in one go, at most (assumed).
        every: each so-manieth telegram opens the window.
        demand_retries: how often an alarm is announced (ACC-DMD) until somebody acknowledges it (assumed).
        demand_interval_s: time between these (assumed).
    """

    fast: bool = True
    delay_s: float | None = None
    window_s: float = 0.05
    turns: int = 16
    every: int = 1
    demand_retries: int = 3
    demand_interval_s: float = 10.0

    def delay(self, mode: RadioMode) -> float:
        """Seconds from the end of a telegram to the begin of the answer."""
        if self.delay_s is not None:
            return self.delay_s
        if mode is RadioMode.S1:
            return 0.010
        if mode is RadioMode.T1:
            return 0.002
        return 0.1 if self.fast else 1.0


@dataclass(frozen=True, slots=True)
class Installation:
    """Installation telegrams (SND-IR), KNX 7 in lmn-wireless 2.4.

    Attributes:
        telegrams: how many are sent at most.
        interval_s: time between two of them.
        longest_s: after this the meter stops in any case.
    """

    telegrams: int = 6
    interval_s: float = 30.0
    longest_s: float = 300.0


@dataclass(frozen=True)
class RadioMeterPlan:
    """A radio meter. `plan_for` fills in what a kind of meter usually has.

    Attributes:
        kind: electricity, gas, water or heat.
        number: on its case, as 7ELS3312345678.
        key: 16 octets; None: follows from the number.
        protection: of its telegrams.
        mode: how it sends: S1, T1, C1_A or C1_B.
        interval_s: nominal time between two telegrams.
        jitter: share by which an interval differs at most (EN 13757-4: depends on the access number; assumed).
        synchronous: the interval follows from the access number, so that a receiver can foretell it; else it is drawn.
        registers: code to begin, in kWh or m3.
        records: names of `devices.meters.radio.contents.RECORDS`, in the order of the telegram.
        profile: compact profile behind the records; None: none.
        full_every: each so-manieth telegram is a full frame, those between are compact frames; 1: all are full.
        manufacturer_tail: maker's data behind DIF 0F.
        clear_records: records (by name) that are sent unencrypted behind the encrypted ones, mode 5 only.
        counter: transmission counter of the first telegram.
        counter_block: telegrams per write of the counter to non-volatile memory.
        status: bits of the status byte that are always set.
        zone: zone of the meter's clock.
        clock_offset_s: by how much the meter's clock is ahead.
        adapter: number of the radio adapter that sends for the meter (long header); None: it sends itself.
        no_header: TPL without header (CI 78); only without encryption or with that of the ELL.
        access: None: unidirectional.
        installation: telegrams of the installation mode.
        access_number: of the first telegram; None: drawn.
        flow_c, return_c: temperatures of a heat meter.
        gas_c, gas_bar: temperature and pressure of gas.
        battery_days: days that the battery lasts at the begin.
    """

    kind: str
    number: str
    key: bytes | None = None
    protection: Protection = Protection.PROFILE_B
    mode: RadioMode = RadioMode.T1
    interval_s: float = 900.0
    jitter: float = 0.03
    synchronous: bool = True
    registers: Mapping[str, Decimal] = field(default_factory=dict)
    records: tuple[str, ...] = ()
    profile: CompactProfile | None = None
    full_every: int = 1
    manufacturer_tail: bytes = b""
    clear_records: tuple[str, ...] = ()
    counter: int = 1
    counter_block: int = 1
    status: int = 0
    zone: str = "UTC"
    clock_offset_s: float = 0.0
    adapter: str | None = None
    no_header: bool = False
    access: Access | None = None
    installation: Installation = Installation()
    access_number: int | None = None
    flow_c: Decimal = Decimal(70)
    return_c: Decimal = Decimal(40)
    gas_c: Decimal = Decimal(15)
    gas_bar: Decimal = Decimal("1.013")
    battery_days: int = 3650

    def __post_init__(self) -> None:
        address = self.address
        if address.type not in self.table.types:
            hint = f"its number begins with {' or '.join(self.table.media)}"
            raise UsageError(f"{self.number} is no {self.kind} meter", hint=hint)
        if self.key is not None and len(self.key) != 16:
            raise UsageError(f"the key of {self.number} has {len(self.key)} octets", hint="16")
        for name, least, most in _BOUNDS:
            value = getattr(self, name)
            if not least <= value <= most:
                raise UsageError(f"{name} of {self.number} cannot be {value!r}", hint=f"from {least:g} to {most:g}")
        if self.mode is RadioMode.OTHER_T:
            raise UsageError(f"{self.number} cannot send as its partner does", hint="S1, T1, C1A or C1B")
        if self.full_every > 1 and (self.manufacturer_tail or self.clear_records):
            raise UsageError(f"compact frames of {self.number} hold records alone", hint="no maker's data, none clear")
        if self.clear_records and self.protection is not Protection.PROFILE_A:
            raise UsageError(f"only mode 5 leaves records of {self.number} in the clear", hint="profile_a")
        if self.no_header and self.protection not in (Protection.NONE, Protection.ELL):
            raise UsageError(f"encryption of {self.number} needs a header", hint="protection none or ell")
        if self.adapter is not None and (self.no_header or self.protection is Protection.ELL):
            raise UsageError(f"an adapter sends for {self.number} with a long header", hint="not with ell, no_header")
        if self.adapter is not None:
            address_of(self.adapter)
        _zone(self.zone)

    @property
    def table(self) -> KindTable:
        """What is usual for the kind. Raises UsageError for an unknown one."""
        if self.kind not in KINDS:
            raise UsageError(f"there is no radio meter of kind {self.kind!r}", hint=f"there are {', '.join(KINDS)}")
        return KINDS[self.kind]

    @property
    def address(self) -> Address:
        """The meter's address."""
        return address_of(self.number)

    @property
    def key_octets(self) -> bytes:
        """Its key."""
        return self.key if self.key is not None else key_of(self.number)

    @property
    def time_zone(self) -> ZoneInfo:
        """Zone of its clock."""
        return _zone(self.zone)

    def but(self, **changes: Any) -> RadioMeterPlan:
        """This plan with changes."""
        return replace(self, **changes)


_BOUNDS: Final = (
    ("interval_s", 0.5, 86_400 * 31),
    ("jitter", 0, 0.5),
    ("counter", 1, LARGEST),
    ("counter_block", 1, 1_000_000),
    ("full_every", 1, 1000),
    ("status", 0, 0xFF),
    ("battery_days", 0, 32_767),
)


def key_of(number: str) -> bytes:
    """The key of an emulated meter that was given none: 16 octets that follow from its number."""
    return hashlib.sha256(b"key of an emulated radio meter" + number.encode("ascii")).digest()[:16]


def plan_for(kind: str, number: str, *, compact: bool | None = None, **options: Any) -> RadioMeterPlan:
    """A meter as its kind usually is: interval, records, and with `compact` the OMS compact profile.

    Args:
        kind: electricity, gas, water or heat.
        number: on its case.
        compact: whether it sends the compact profile; None: electricity and gas do.
        options: fields of RadioMeterPlan, which go before what is usual.

    Raises UsageError for what cannot be.
    """
    if kind not in KINDS:
        raise UsageError(f"there is no radio meter of kind {kind!r}", hint=f"there are {', '.join(KINDS)}")
    table = KINDS[kind]
    with_profile = table.profile_by_default if compact is None else compact
    usual: dict[str, Any] = {
        "interval_s": table.compact_interval_s if with_profile else table.interval_s,
        "records": table.records,
        "profile": CompactProfile(table.spacing_s) if with_profile else None,
    }
    return RadioMeterPlan(kind, number, **{**usual, **options})


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise UsageError(f"there is no time zone {name!r}", hint="UTC or Europe/Berlin") from None
