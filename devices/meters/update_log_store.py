"""What a SMARTY BZ-PLUS v2 keeps without mains: firmware banks, the installation under way, the signed update log.

Everything that must agree stands in one record, written whole into the older of two places: when mains go in the midst
of it, the newer place is still good. So an installation and its log entry can never part.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from devices.protocols.app_image import Version
from devices.protocols.p256 import OCTETS, SigningKey, verify
from devices.protocols.update_log import (
    ENTRY_OCTETS,
    UpdateLogEntry,
    UpdateLogStatus,
    signed_entries,
    signed_status,
)

CHUNK: Final = 64
"""Octets that the memory takes at once; mains can go between two chunks."""

_SLOT: Final = struct.Struct(">II")
_CHECK_OCTETS: Final = 4
_RECORD: Final = struct.Struct(">BBH")
_BANK: Final = struct.Struct(">BBBH")
_BANKS: Final = 2
_NONE: Final = 0xFF


class PowerLost(Exception):
    """Mains went while something was written; whoever runs on these mains stops at once."""


class NonVolatile:
    """Memory that keeps what it holds without mains, and stops where it is when they go.

    Attributes:
        on_write: called before each chunk with what is written; may switch the mains off. None: nobody listens.
        writes: chunks written so far.
    """

    def __init__(self, powered: Callable[[], bool]) -> None:
        """Make an empty one that writes while `powered` says so."""
        self.on_write: Callable[[str], None] | None = None
        self.writes = 0
        self._powered = powered

    def write(self, place: bytearray, data: bytes, what: str) -> None:
        """Replace what `place` holds by `data`, chunk by chunk. Raises PowerLost."""
        for start in range(0, len(data), CHUNK):
            if self.on_write is not None:
                self.on_write(what)
            if not self._powered():
                raise PowerLost(what)
            if start == 0:
                place.clear()
            place += data[start : start + CHUNK]
            self.writes += 1


class SafeRecord:
    """A record that is there whole, in its new form or in its old one.

    Args:
        memory: where it is written.
        first: what the factory stored.
    """

    def __init__(self, memory: NonVolatile, first: bytes) -> None:
        self._memory = memory
        self._places = (bytearray(_slot(1, first)), bytearray())

    def load(self) -> bytes:
        """The newest whole record."""
        return max((self._read(place) for place in self._places), key=lambda found: found[0])[1]

    def store(self, record: bytes) -> None:
        """Replace it. Raises PowerLost, and then holds the old record or the new one."""
        numbers = [self._read(place)[0] for place in self._places]
        older = self._places[numbers.index(min(numbers))]
        self._memory.write(older, _slot(max(numbers) + 1, record), "record")

    @staticmethod
    def _read(place: bytearray) -> tuple[int, bytes]:
        """Number and record of a place; (0, empty) when it is damaged or was never written."""
        octets = bytes(place)
        if len(octets) < _SLOT.size + _CHECK_OCTETS:
            return 0, b""
        body, check = octets[:-_CHECK_OCTETS], octets[-_CHECK_OCTETS:]
        number, length = _SLOT.unpack_from(body)
        if zlib.crc32(body).to_bytes(_CHECK_OCTETS, "big") != check or length != len(body) - _SLOT.size:
            return 0, b""
        return number, body[_SLOT.size :]


def _slot(number: int, record: bytes) -> bytes:
    body = _SLOT.pack(number, len(record)) + record
    return body + zlib.crc32(body).to_bytes(_CHECK_OCTETS, "big")


@dataclass(frozen=True, slots=True)
class Firmware:
    """An application firmware in a bank.

    Attributes:
        version: of it.
        crc: CRC-16/X-25 over its payload, as the log shows it.
    """

    version: Version
    crc: int


@dataclass(frozen=True, slots=True)
class Journal:
    """All that must agree.

    Attributes:
        banks: firmware in the two banks; None: empty or being written.
        running: bank that the application boots from.
        pending: bank that is being installed, None when none is.
        entries: the update log.
        status_signature, entries_signature: over status and entries as they were when signed.
    """

    banks: tuple[Firmware | None, Firmware | None]
    running: int = 0
    pending: int | None = None
    entries: tuple[UpdateLogEntry, ...] = ()
    status_signature: bytes = b""
    entries_signature: bytes = b""

    @property
    def firmware(self) -> Firmware:
        """What the application boots from."""
        found = self.banks[self.running]
        assert found is not None, "the running bank is never empty"
        return found

    def to_bytes(self) -> bytes:
        """As a record."""
        pending = _NONE if self.pending is None else self.pending
        parts = [_RECORD.pack(self.running, pending, len(self.entries))]
        for bank in self.banks:
            there = bank is not None
            version, crc = (bank.version, bank.crc) if bank is not None else (Version(0, 0), 0)
            parts.append(_BANK.pack(there, version.major, version.minor, crc))
        parts += [entry.to_bytes() for entry in self.entries]
        return b"".join([*parts, self.status_signature.ljust(OCTETS, b"\0"), self.entries_signature])

    @classmethod
    def from_bytes(cls, record: bytes) -> Journal:
        """Read a record that `to_bytes` made."""
        running, pending, count = _RECORD.unpack_from(record)
        place = _RECORD.size
        banks: list[Firmware | None] = []
        for start in range(place, place + _BANKS * _BANK.size, _BANK.size):
            there, major, minor, crc = _BANK.unpack_from(record, start)
            banks.append(Firmware(Version(major, minor), crc) if there else None)
        place += _BANKS * _BANK.size
        end = place + count * ENTRY_OCTETS
        entries = tuple(
            UpdateLogEntry.from_bytes(record[start : start + ENTRY_OCTETS]) for start in range(place, end, ENTRY_OCTETS)
        )
        return cls(
            (banks[0], banks[1]),
            running,
            None if pending == _NONE else pending,
            entries,
            record[end : end + OCTETS],
            record[end + OCTETS :],
        )


class UpdateLogStore:
    """Journal and banks in non-volatile memory, with the key that signs the log.

    Attributes:
        memory: what it is written to.
        key: of the log; never leaves the metrology.
        capacity: entries that the log takes.
        banks: payloads of the two firmware banks; empty for what the factory installed.
    """

    def __init__(
        self,
        powered: Callable[[], bool],
        server_id: bytes,
        key: SigningKey,
        capacity: int,
        factory: Firmware,
        history: Sequence[UpdateLogEntry] = (),
    ) -> None:
        """Make the memory of a meter that runs `factory` and has logged `history`."""
        self.memory = NonVolatile(powered)
        self.key = key
        self.capacity = capacity
        self.banks = (bytearray(), bytearray())
        self._server_id = server_id
        self._record = SafeRecord(
            self.memory, self._signed(Journal((factory, None), entries=tuple(history))).to_bytes()
        )

    def journal(self) -> Journal:
        """As it stands in the memory."""
        return Journal.from_bytes(self._record.load())

    def commit(self, journal: Journal) -> None:
        """Store `journal` with the log as it is. Raises PowerLost."""
        self._record.store(journal.to_bytes())

    def append(self, journal: Journal, entry: UpdateLogEntry) -> None:
        """Store `journal` with one more entry and new signatures, and no installation under way. Raises PowerLost."""
        self.commit(self._signed(replace(journal, pending=None, entries=(*journal.entries, entry))))

    def fill(self, bank: int, payload: bytes) -> None:
        """Write a payload into a bank. Raises PowerLost and leaves half of it there."""
        self.memory.write(self.banks[bank], payload, f"bank {bank}")

    def status(self, journal: Journal) -> UpdateLogStatus:
        """Status of a journal's log."""
        return UpdateLogStatus(len(journal.entries), len(journal.entries) >= self.capacity)

    def sound(self, journal: Journal) -> bool:
        """Whether the stored log still carries its own signatures; one that does not must never be signed anew."""
        status, key = signed_status(self._server_id, self.status(journal)), self.key.public
        if not verify(key, status, journal.status_signature):
            return False
        return not journal.entries or verify(
            key, signed_entries(self._server_id, journal.entries), journal.entries_signature
        )

    def _signed(self, journal: Journal) -> Journal:
        over_status = self.key.sign(signed_status(self._server_id, self.status(journal)))
        entries = signed_entries(self._server_id, journal.entries)
        return replace(
            journal,
            status_signature=over_status,
            entries_signature=self.key.sign(entries) if journal.entries else b"",
        )
