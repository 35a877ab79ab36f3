"""The list of original readings: one reading per meter and grid instant, with all that the meter said.

Integers keep their scaler, octet strings stay octets: nothing is rounded and nothing is left out, so a stored reading
can be compared with what another program read from the same meter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from devices.protocols.sml.units import unit_name
from firmware.own_clock import iso
from firmware.storage.memory import NonVolatileMemory, Statement, digest, plain_json

Value = int | bytes | bool | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One register of a reading.

    Attributes:
        obis: ``1-0:1.8.0*255``.
        value: integer (times 10**scaler), octets, bool, or None when the meter sent none.
        scaler: power of ten, None without one.
        unit: COSEM unit code, None without one.
        status: the meter's status beside the value, None without one.
    """

    obis: str
    value: Value
    scaler: int | None = None
    unit: int | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What one meter said for one instant of the registration grid.

    Attributes:
        meter: number of the meter.
        grid_s: grid instant, seconds since 1970.
        capture_us: when it was read, microseconds since 1970 on the gateway's clock; None for a gap.
        status: combined status word, 16 hexadecimal digits.
        entries: what was read, in the meter's order; empty for a gap.
    """

    meter: str
    grid_s: int
    capture_us: int | None
    status: str
    entries: tuple[Entry, ...] = ()

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


def _digest(reading: Reading) -> bytes:
    entries = [
        [one.obis, one.value.hex() if isinstance(one.value, bytes) else one.value, one.scaler, one.unit, one.status]
        for one in reading.entries
    ]
    return digest(plain_json([reading.meter, reading.grid_s, reading.capture_us, reading.status, entries]).encode())


def store(readings: Iterable[Reading]) -> list[Statement]:
    """The statements that store readings; an instant that is stored already stays as it is."""
    statements: list[Statement] = []
    for one in readings:
        head = (one.meter, one.grid_s, one.capture_us, one.status, _digest(one))
        statements.append(("INSERT OR IGNORE INTO reading VALUES (?, ?, ?, ?, ?)", head))
        for position, entry in enumerate(one.entries):
            kind, value = _kind(entry.value)
            row = (one.meter, one.grid_s, position, entry.obis, kind, value, entry.scaler, entry.unit, entry.status)
            statements.append(("INSERT OR IGNORE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row))
    return statements


def last_grid(memory: NonVolatileMemory, meter: str) -> int | None:
    """The latest grid instant stored for a meter, None when there is none."""
    rows = memory.query("SELECT MAX(grid_s) FROM reading WHERE meter = ?", (meter,))
    return None if rows[0][0] is None else int(rows[0][0])


def used_octets(memory: NonVolatileMemory) -> int:
    """Room that the stored readings take (assumed: 100 octets per register, 70 per reading; feasibility 7)."""
    registers = memory.query("SELECT COUNT(*) FROM entry")[0][0]
    readings = memory.query("SELECT COUNT(*) FROM reading")[0][0]
    return int(registers) * 100 + int(readings) * 70


def read(memory: NonVolatileMemory, meter: str | None = None, since_s: int | None = None) -> list[Reading]:
    """Stored readings in the order of time and meter, all or those of one meter, from `since_s` on."""
    where = "WHERE grid_s >= ?"
    parameters: list[Any] = [since_s if since_s is not None else -(1 << 62)]
    if meter is not None:
        where += " AND meter = ?"
        parameters.append(meter)
    entries: dict[tuple[str, int], list[Entry]] = {}
    columns = "meter, grid_s, obis, kind, value, scaler, unit, status"
    for row in memory.query(f"SELECT {columns} FROM entry {where} ORDER BY grid_s, meter, position", parameters):
        one = Entry(row[2], _value(row[3], row[4]), row[5], row[6], row[7])
        entries.setdefault((row[0], row[1]), []).append(one)
    heads = memory.query(
        f"SELECT meter, grid_s, capture_us, status FROM reading {where} ORDER BY grid_s, meter", parameters
    )
    return [
        Reading(meter, grid_s, capture_us, status, tuple(entries.get((meter, grid_s), ())))
        for meter, grid_s, capture_us, status in heads
    ]


def broken_readings(memory: NonVolatileMemory, limit: int) -> list[tuple[str, int]]:
    """Meter and grid instant of those among the `limit` latest readings whose content does not fit its digest."""
    newest = memory.query("SELECT grid_s FROM reading ORDER BY grid_s DESC LIMIT 1 OFFSET ?", (limit,))
    since = None if not newest else int(newest[0][0]) + 1
    wanted = {
        (meter, grid_s): stored
        for meter, grid_s, stored in memory.query(
            "SELECT meter, grid_s, digest FROM reading WHERE grid_s >= ?", (since if since is not None else -(1 << 62),)
        )
    }
    broken = []
    for one in read(memory, since_s=since):
        try:
            good = wanted[(one.meter, one.grid_s)] == _digest(one)
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
