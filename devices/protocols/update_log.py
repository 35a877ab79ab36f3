"""Update log of the SMARTY BZ-PLUS v2: values, signed octets, pages on the wire, trust rule ([BZ] 5, lmn-wired 5).

The octets that the maker's meters sign are unknown. What is signed here is the proposal of lmn-wired 5.6 (assumed):

    status    "UL1S" | server id (10) | count u16 | full u8
    entries   "UL1E" | server id (10) | count u16 | every entry (33): number u16, second index u32, event u8,
              1.8.0 u64 Wh, 2.8.0 u64 Wh, version as 8 octets of ASCII padded with zeros, CRC u16

All numbers are big-endian. The server id is in it so that a log cannot be moved to another meter. A version that is
padded with spaces is read as well, and a signature counts over either padding: both say the same. An octet by octet
table is in docs/wired-meters.md.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from itertools import product
from typing import Final

from devices.protocols.p256 import SigningKey, key_problem, signature_problem, verify
from devices.protocols.sml.server_id import LENGTH_OCTETS, SERVER_ID_LENGTH

ENTRY_OCTETS: Final = 33
PAGE_ENTRIES: Final = 7
"""Entries that fit into one message of the service protocol."""
MAX_ENTRIES: Final = 0xFFFF
VERSION_OCTETS: Final = 8
SERVER_ID_OCTETS: Final = SERVER_ID_LENGTH
PADDING: Final = (b"\0", b" ")
"""What fills a version up to its 8 octets: as it is written here, and as others may do."""

_STATUS: Final = struct.Struct(">HB")
_ENTRY: Final = struct.Struct(f">HIBQQ{VERSION_OCTETS}sH")
_PAGE: Final = struct.Struct(">HB")


class UpdateLogError(ValueError):
    """Octets that are no part of an update log, or values that do not fit into one.

    Attributes:
        offset: of the octet that is wrong or missing.
    """

    def __init__(self, reason: str, offset: int = 0) -> None:
        self.offset = offset
        super().__init__(reason)


class Event(IntEnum):
    """What an entry tells ("Event-Typ")."""

    FAILED = 0
    SUCCEEDED = 1


@dataclass(frozen=True, slots=True)
class UpdateLogStatus:
    """Status of the log.

    Attributes:
        count: entries stored.
        full: no further entry is possible; nothing is ever overwritten.
    """

    count: int
    full: bool

    def __post_init__(self) -> None:
        _within(self.count, MAX_ENTRIES, "count of entries", 0)

    def to_bytes(self) -> bytes:
        """Three octets."""
        return _STATUS.pack(self.count, self.full)

    @classmethod
    def from_bytes(cls, data: bytes) -> UpdateLogStatus:
        """Read three octets. Raises UpdateLogError for anything else."""
        if len(data) != _STATUS.size:
            raise UpdateLogError(f"a log status of {len(data)} octets instead of {_STATUS.size}", len(data))
        count, full = _STATUS.unpack(data)
        if full > 1:
            raise UpdateLogError(f"a log that is {full:02x} is neither full (01) nor not (00)", 2)
        return cls(count, bool(full))


@dataclass(frozen=True, slots=True)
class UpdateLogEntry:
    """One update attempt.

    Attributes:
        number: counts from 1.
        second_index: of the meter at the event, s.
        event: failed or succeeded.
        register_1_8_0: total drawn at the event, Wh.
        register_2_8_0: total fed in at the event, Wh.
        version: of the APP-FW that runs after a success, such as V2.0; empty after a failure (printed "n.A.").
        crc: of the APP-FW that runs after a success; 0 after a failure.
    """

    number: int
    second_index: int
    event: Event
    register_1_8_0: int
    register_2_8_0: int
    version: str = ""
    crc: int = 0

    def __post_init__(self) -> None:
        _within(self.number, MAX_ENTRIES, "running number", 0)
        _within(self.second_index, 0xFFFF_FFFF, "second index", 2)
        _within(self.register_1_8_0, 2**64 - 1, "register 1.8.0", 7)
        _within(self.register_2_8_0, 2**64 - 1, "register 2.8.0", 15)
        _within(self.crc, 0xFFFF, "CRC", 31)
        if len(self.version) > VERSION_OCTETS or not all("!" <= sign <= "~" for sign in self.version):
            raise UpdateLogError(f"version {self.version!r} is not up to 8 printable characters", 23)

    def to_bytes(self, padding: bytes = PADDING[0]) -> bytes:
        """33 octets; `padding` is the octet that fills the version up."""
        return _ENTRY.pack(
            self.number,
            self.second_index,
            self.event,
            self.register_1_8_0,
            self.register_2_8_0,
            self.version.encode("ascii").ljust(VERSION_OCTETS, padding),
            self.crc,
        )

    @classmethod
    def from_bytes(cls, data: bytes, offset: int = 0) -> UpdateLogEntry:
        """Read 33 octets, the version padded with zeros or with spaces; `offset` is where they stand, for the error.
        Raises UpdateLogError for anything else."""
        if len(data) != ENTRY_OCTETS:
            raise UpdateLogError(f"an entry of {len(data)} octets instead of {ENTRY_OCTETS}", offset + len(data))
        number, second_index, event, drawn, fed, version, crc = _ENTRY.unpack(data)
        if event not in frozenset(Event):
            raise UpdateLogError(f"event type {event} is neither 0 nor 1", offset + 6)
        text = version.rstrip(version[-1:] if version[-1:] in PADDING else b"").decode("latin-1")
        try:
            return cls(number, second_index, Event(event), drawn, fed, text, crc)
        except UpdateLogError as problem:
            raise UpdateLogError(str(problem), offset + problem.offset) from None


def signed_status(server_id: bytes, status: UpdateLogStatus) -> bytes:
    """The octets that the signature of the status is over (assumed). Raises UpdateLogError unless the server id has
    10 octets, with or without zeros that fill it up in a station record."""
    return b"UL1S" + _bound(server_id) + status.to_bytes()


def signed_entries(server_id: bytes, entries: Sequence[UpdateLogEntry], padding: bytes = PADDING[0]) -> bytes:
    """The octets that the one signature of all entries is over (assumed). Raises UpdateLogError as `signed_status`."""
    _within(len(entries), MAX_ENTRIES, "number of entries", 0)
    parts = [b"UL1E", _bound(server_id), len(entries).to_bytes(2, "big")]
    return b"".join(parts + [entry.to_bytes(padding) for entry in entries])


def to_page(first: int, entries: Sequence[UpdateLogEntry]) -> bytes:
    """Entries from number `first` on for one answer, at most PAGE_ENTRIES of them; none behind the last one."""
    if len(entries) > PAGE_ENTRIES:
        raise UpdateLogError(f"{len(entries)} entries, a page has {PAGE_ENTRIES}", 2)
    _within(first, MAX_ENTRIES, "first number", 0)
    return _PAGE.pack(first, len(entries)) + b"".join(entry.to_bytes() for entry in entries)


def from_page(data: bytes) -> tuple[int, tuple[UpdateLogEntry, ...]]:
    """First number and entries of a page. Raises UpdateLogError for anything else."""
    if len(data) < _PAGE.size:
        raise UpdateLogError(f"a page of {len(data)} octets", len(data))
    first, count = _PAGE.unpack_from(data)
    if count > PAGE_ENTRIES or len(data) != _PAGE.size + count * ENTRY_OCTETS:
        raise UpdateLogError(f"{count} entries in a page of {len(data)} octets", 2)
    starts = range(_PAGE.size, len(data), ENTRY_OCTETS)
    return first, tuple(UpdateLogEntry.from_bytes(data[start : start + ENTRY_OCTETS], start) for start in starts)


@dataclass(frozen=True, slots=True)
class UpdateLog:
    """A log as it was read.

    Attributes:
        server_id: of the meter; 10 octets where it has a device number.
        public_key: X|Y that the meter itself sent.
        status, status_signature: the status and r|s over it.
        entries, entries_signature: all entries and one r|s over them; empty for an empty log.
    """

    server_id: bytes
    public_key: bytes
    status: UpdateLogStatus
    status_signature: bytes
    entries: tuple[UpdateLogEntry, ...] = ()
    entries_signature: bytes = b""

    @classmethod
    def signed(cls, server_id: bytes, key: SigningKey, full: bool, entries: Sequence[UpdateLogEntry]) -> UpdateLog:
        """A log with these entries, signed by `key`."""
        status = UpdateLogStatus(len(entries), full)
        over_entries = key.sign(signed_entries(server_id, entries)) if entries else b""
        return cls(
            server_id,
            key.public,
            status,
            key.sign(signed_status(server_id, status)),
            tuple(entries),
            over_entries,
        )


class Check(Enum):
    """Result of one of the three checks."""

    OK = "ok"
    NOK = "nok"
    SKIPPED = "skipped"
    """The key was not compared with the label."""
    NONE = "none"
    """The log is empty, there is no entry to check."""
    IMPOSSIBLE = "impossible"
    """What was signed is unknown: neither right nor wrong can be shown."""


class Trust(Enum):
    """Verdict about a log."""

    TRUSTED = "trusted"
    NOT_TRUSTED = "not trusted"


KEY_CHECKS: Final = (Check.OK, Check.NOK, Check.SKIPPED)
STATUS_CHECKS: Final = (Check.OK, Check.NOK, Check.IMPOSSIBLE)
ENTRIES_CHECKS: Final = (Check.OK, Check.NOK, Check.NONE, Check.IMPOSSIBLE)

_TRUSTED: Final = frozenset({(Check.OK, Check.OK, Check.OK), (Check.OK, Check.OK, Check.NONE)})

TRUST: Final[Mapping[tuple[Check, Check, Check], Trust]] = {
    case: Trust.TRUSTED if case in _TRUSTED else Trust.NOT_TRUSTED
    for case in product(KEY_CHECKS, STATUS_CHECKS, ENTRIES_CHECKS)
}
"""Key, status and entries check -> trust ([BZ] 5.2.5): all three OK; the last falls away for an empty log."""


@dataclass(frozen=True, slots=True)
class LogChecks:
    """The three checks of a log.

    Attributes:
        key: the label's key against the meter's.
        status: signature of the status.
        entries: signature of the entries.
    """

    key: Check
    status: Check
    entries: Check

    @property
    def trust(self) -> Trust:
        """By the rule of [BZ] 5.2.5."""
        return TRUST[self.key, self.status, self.entries]


def check_key(label: bytes | None, meter_key: bytes) -> Check:
    """Whether the key on the label is the one that the meter sent; `label` None: not compared."""
    if label is None:
        return Check.SKIPPED
    return Check.OK if label == meter_key and key_problem(meter_key) is None else Check.NOK


def check_log(log: UpdateLog, label: bytes | None) -> LogChecks:
    """The three checks; the signatures are verified with the key that the meter sent.

    Args:
        log: as read.
        label: key from the type plate, 64 octets; None when the user skips that.
    """
    over_status = check_status(log.public_key, log.server_id, log.status, log.status_signature)
    if log.status.count == 0 and not log.entries:
        over_entries = Check.NONE
    else:
        over_entries = check_entries(log.public_key, log.server_id, log.entries, log.entries_signature)
    return LogChecks(check_key(label, log.public_key), over_status, over_entries)


def check_status(key: bytes, server_id: bytes, status: UpdateLogStatus, signature: bytes) -> Check:
    """Whether `signature` is one by `key` over `status`; IMPOSSIBLE for a server id that the layout has no room for."""
    return _check(key, signature, lambda: (signed_status(server_id, status),))


def check_entries(key: bytes, server_id: bytes, entries: Sequence[UpdateLogEntry], signature: bytes) -> Check:
    """Whether `signature` is one by `key` over `entries`, with either padding; IMPOSSIBLE as in `check_status`."""
    return _check(key, signature, lambda: tuple(signed_entries(server_id, entries, octet) for octet in PADDING))


def _check(key: bytes, signature: bytes, layouts: Callable[[], tuple[bytes, ...]]) -> Check:
    if signature_problem(signature) is not None:
        return Check.NOK
    try:
        signed = layouts()
    except UpdateLogError:
        return Check.IMPOSSIBLE
    return Check.OK if any(verify(key, octets, signature) for octets in signed) else Check.NOK


def _bound(server_id: bytes) -> bytes:
    """The 10 octets that a log is bound to: what stands between the zeros that fill a station record up."""
    spare = len(server_id) - SERVER_ID_OCTETS
    if spare == 0:
        return server_id
    if spare > 0:
        for own, filling in (server_id[:-spare], server_id[-spare:]), (server_id[spare:], server_id[:spare]):
            if own[0] in LENGTH_OCTETS and not any(filling):
                return own
    raise UpdateLogError(f"a server id of {len(server_id)} octets, an update log belongs to one of 10", 4)


def _within(value: int, largest: int, what: str, offset: int) -> None:
    if not 0 <= value <= largest:
        raise UpdateLogError(f"{what} {value} is not between 0 and {largest}", offset)
