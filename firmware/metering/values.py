"""The list of original readings: one reading per meter and grid instant, with all that the meter said.

Integers keep their scaler, octet strings stay octets: nothing is rounded and nothing is left out, so a stored reading
can be compared with what another program read from the same meter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from devices.protocols.sml.units import unit_name
from firmware.metering.signed_octets import logical_name, signed_octets
from firmware.own_clock import iso
from firmware.storage.memory import NonVolatileMemory, Statement, digest

Value = int | bytes | bool | None
NO_REGISTER: Final = "0-0:0.0.0*0"
"""Stands for all registers of a meter in the signature of a gap (assumed)."""
READING_OCTETS: Final = 90
"""Room that a reading takes without its values (measured: SQLite, meter numbers of 14 characters)."""
VALUE_OCTETS: Final = 130
"""Room that a value takes with its signature of 64 octets (measured)."""
DERIVED_OCTETS: Final = 230
"""Room that a derived value takes (measured)."""
SENT_OCTETS: Final = 200
"""Room that an entry of the sent list takes (measured)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One register of a reading.

    Attributes:
        obis: ``1-0:1.8.0*255``.
        value: integer (times 10**scaler), octets, bool, or None when the meter sent none.
        scaler: power of ten, None without one.
        unit: COSEM unit code, None without one.
        status: the meter's status beside the value, None without one.
        signature: r || s over its signed octets; None before it is stored.
    """

    obis: str
    value: Value
    scaler: int | None = None
    unit: int | None = None
    status: int | None = None
    signature: bytes | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What one meter said for one instant of the registration grid.

    Attributes:
        meter: number of the meter.
        grid_s: grid instant, seconds since 1970.
        capture_us: when it was read, microseconds since 1970 on the gateway's clock; None for a gap.
        status: combined status word, 16 hexadecimal digits.
        entries: what was read, in the meter's order; empty for a gap.
        signature: of a gap, which stands for all registers of the meter; None before it is stored, and with values.
    """

    meter: str
    grid_s: int
    capture_us: int | None
    status: str
    entries: tuple[Entry, ...] = ()
    signature: bytes | None = None

    @property
    def gap(self) -> bool:
        """Whether there was nothing to read."""
        return self.capture_us is None


def _kind(value: Value) -> tuple[str, Any]:
    if value is None:
        return "none", None
    if isinstance(value, bool):
        return "bool", str(int(value))
    if isinstance(value, int):
        return "int", str(value)
    return "octets", bytes(value)


def _value(kind: str, stored: Any) -> Value:
    if kind == "int":
        return int(stored)
    if kind == "bool":
        return bool(stored == "1")
    return bytes(stored) if kind == "octets" else None


def octets_to_sign(reading: Reading) -> list[bytes]:
    """What is signed of a reading: the octets of each register in its order, or the one of a gap."""
    if reading.gap:
        return [signed_octets(logical_name(NO_REGISTER, reading.meter), reading.status, None, None, None, None)]
    return [
        signed_octets(
            logical_name(one.obis, reading.meter), reading.status, reading.capture_us, one.value, one.scaler, one.unit
        )
        for one in reading.entries
    ]


def digest_of(reading: Reading) -> bytes:
    """Over all of a reading, its signatures included."""
    return _digest(reading, reading.signature, [one.signature for one in reading.entries])


def _digest(reading: Reading, own: bytes | None, signatures: Sequence[bytes | None]) -> bytes:
    parts: list[object] = [reading.meter, reading.grid_s, reading.capture_us, reading.status, own]
    for one, signature in zip(reading.entries, signatures, strict=True):
        parts += (one.obis, one.value, one.scaler, one.unit, one.status, signature)
    return digest(repr(parts).encode())


_HEAD = "INSERT OR IGNORE INTO reading VALUES (?, ?, ?, ?, ?, ?)"
_ENTRY = "INSERT OR IGNORE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def store(readings: Iterable[Reading]) -> list[Statement]:
    """The statements that store signed readings; an instant that is stored already stays as it is."""
    return _statements((one, one.signature, [entry.signature for entry in one.entries]) for one in readings)


def store_signed(readings: Iterable[Reading], signatures: Iterable[bytes]) -> list[Statement]:
    """The same of readings and the signatures of all that `octets_to_sign` gave for them, one after the other."""
    following = iter(signatures)
    return _statements(
        (one, next(following), ()) if one.gap else (one, None, list(islice(following, len(one.entries))))
        for one in readings
    )


def _statements(signed: Iterable[tuple[Reading, bytes | None, Sequence[bytes | None]]]) -> list[Statement]:
    heads: list[Statement] = []
    entries: list[Statement] = []
    for one, own, signatures in signed:
        meter, grid_s = one.meter, one.grid_s
        heads.append((_HEAD, (meter, grid_s, one.capture_us, one.status, own, _digest(one, own, signatures))))
        for position, entry in enumerate(one.entries):
            kind, value = _kind(entry.value)
            row = (
                meter, grid_s, position, entry.obis, kind, value, entry.scaler, entry.unit, entry.status,
                signatures[position],
            )  # fmt: skip
            entries.append((_ENTRY, row))
    return heads + entries


def last_grid(memory: NonVolatileMemory, meter: str) -> int | None:
    """The latest grid instant stored for a meter, None when there is none."""
    rows = memory.query("SELECT grid_s FROM reading WHERE meter = ? ORDER BY grid_s DESC LIMIT 1", (meter,))
    return int(rows[0][0]) if rows else None


def used_octets(memory: NonVolatileMemory) -> int:
    """Room that all stored values take, derived ones and the list of what was sent included."""
    counts = [memory.query(f"SELECT COUNT(*) FROM {table}")[0][0] for table in ("reading", "entry", "derived", "sent")]
    rooms = (READING_OCTETS, VALUE_OCTETS, DERIVED_OCTETS, SENT_OCTETS)
    return sum(count * room for count, room in zip(counts, rooms, strict=True))


def read(
    memory: NonVolatileMemory, meter: str | None = None, since_s: int | None = None, until_s: int | None = None
) -> list[Reading]:
    """Stored readings by time and meter, all or those of one meter, from `since_s` on and before `until_s`."""
    where = "WHERE grid_s >= ? AND grid_s < ?"
    parameters: list[Any] = [
        since_s if since_s is not None else -(1 << 62), until_s if until_s is not None else 1 << 62,
    ]  # fmt: skip
    if meter is not None:
        where += " AND meter = ?"
        parameters.append(meter)
    entries: dict[tuple[str, int], list[Entry]] = {}
    columns = "meter, grid_s, obis, kind, value, scaler, unit, status, signature"
    for row in memory.query(f"SELECT {columns} FROM entry {where} ORDER BY grid_s, meter, position", parameters):
        one = Entry(row[2], _value(row[3], row[4]), *row[5:9])
        entries.setdefault((row[0], row[1]), []).append(one)
    heads = memory.query(
        f"SELECT meter, grid_s, capture_us, status, signature FROM reading {where} ORDER BY grid_s, meter", parameters
    )
    return [
        Reading(meter, grid_s, capture_us, status, tuple(entries.get((meter, grid_s), ())), signature)
        for meter, grid_s, capture_us, status, signature in heads
    ]


def broken_readings(memory: NonVolatileMemory, limit: int) -> list[tuple[str, int]]:
    """Meter and grid instant of those among the `limit` latest readings whose content does not fit its digest."""
    newest = memory.query("SELECT grid_s FROM reading ORDER BY grid_s DESC LIMIT 1 OFFSET ?", (limit,))
    return _broken(memory, None if not newest else int(newest[0][0]) + 1, None)


def broken_from(memory: NonVolatileMemory, since_s: int | None, count: int) -> tuple[list[tuple[str, int]], int | None]:
    """The same of about `count` readings from `since_s` on, and where to go on; None: at the begin."""
    following = memory.query(
        "SELECT grid_s FROM reading WHERE grid_s >= ? ORDER BY grid_s LIMIT 1 OFFSET ?",
        (since_s if since_s is not None else -(1 << 62), count),
    )
    until = int(following[0][0]) if following else None
    if until is not None and until == since_s:  # more meters than `count`
        until += 1
    return _broken(memory, since_s, until), until


def _broken(memory: NonVolatileMemory, since_s: int | None, until_s: int | None) -> list[tuple[str, int]]:
    bounds = (since_s if since_s is not None else -(1 << 62), until_s if until_s is not None else 1 << 62)
    rows = memory.query("SELECT meter, grid_s, digest FROM reading WHERE grid_s >= ? AND grid_s < ?", bounds)
    wanted = {(meter, grid_s): stored for meter, grid_s, stored in rows}
    broken = []
    for one in read(memory, since_s=since_s, until_s=until_s):
        try:
            good = wanted[(one.meter, one.grid_s)] == digest_of(one)
        except (ValueError, TypeError):
            good = False
        if not good:
            broken.append((one.meter, one.grid_s))
    return broken


def as_rows(reading: Reading) -> list[dict[str, Any]]:
    """A reading as the maintenance port shows it: one row per register, one row without value for a gap."""
    common = {
        "meter": reading.meter,
        "grid_time": iso(reading.grid_s * 1_000_000),
        "capture_time": None if reading.capture_us is None else iso(reading.capture_us),
        "status": reading.status,
    }
    if reading.gap:
        return [{**common, "obis": None, "value": None, "unit": None, "scaler": None, "gap": True}]
    return [
        {
            **common,
            "obis": one.obis,
            "value": _shown(one),
            "unit": None if one.unit is None else unit_name(one.unit),
            "scaler": one.scaler,
            "gap": False,
            "kind": _kind(one.value)[0],
            "unit_code": one.unit,
            "meter_status": one.status,
        }
        for one in reading.entries
    ]


def _shown(entry: Entry) -> str | None:
    """Numbers as exact decimals, octets as hexadecimal digits."""
    if entry.value is None:
        return None
    if isinstance(entry.value, bool):
        return "true" if entry.value else "false"
    if isinstance(entry.value, bytes):
        return entry.value.hex()
    return format(Decimal(entry.value).scaleb(entry.scaler or 0), "f")
