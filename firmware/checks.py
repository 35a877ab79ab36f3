"""Checks of what is stored, at boot and in the self-test; each looks at the real octets.

A finding names the neutral cause of an operating state; what a product does about it is in its table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware.metering.values import broken_readings
from firmware.storage.memory import NonVolatileMemory, digest
from firmware.unit import Unit


@dataclass(frozen=True)
class Finding:
    """Something is not as it must be.

    Attributes:
        cause: neutral name of the cause.
        detail: what exactly, for the log.
        critical: whether normal operation cannot go on.
    """

    cause: str
    detail: str
    critical: bool = True


Check = Callable[[Unit], Finding | None]


def _image(slot: str, cause: str, *, critical: bool = True) -> Check:
    def check(unit: Unit) -> Finding | None:
        stored = unit.memory.image(slot)
        if stored is None:
            return Finding(cause, f"{slot} is missing", critical)
        if digest(stored[1]) != stored[2]:
            return Finding(cause, f"{slot} does not fit its hash", critical)
        return None

    return check


def version_check(unit: Unit) -> Finding | None:
    """The active version is the expected one."""
    stored = unit.memory.image("firmware")
    expected = unit.memory.setting("expected_version")
    if stored is not None and stored[0] != expected:
        return Finding("software_version_differs", f"version {stored[0]} is active, {expected} is expected")
    return None


def hardware_check(unit: Unit) -> Finding | None:
    """The board is the one that the software was put on."""
    expected = unit.memory.setting("hardware")
    if unit.hardware_serial != expected:
        return Finding("hardware_change", f"the board is {unit.hardware_serial}, {expected} is expected")
    return None


def database_check(unit: Unit) -> Finding | None:
    """Readings and settings fit their digests."""
    broken = broken_settings(unit.memory)
    if broken:
        return Finding("storage_integrity", f"setting {broken[0]} does not fit its digest")
    readings = broken_readings(unit.memory, unit.options.integrity_check_readings)
    if readings:
        meter, grid_s = readings[0]
        return Finding("storage_integrity", f"reading of {meter} at {grid_s} does not fit its digest")
    return None


def broken_settings(memory: NonVolatileMemory) -> list[str]:
    """Names of the settings whose text does not fit the digest."""
    rows = memory.query("SELECT name, value, digest FROM setting ORDER BY name")
    return [name for name, text, stored in rows if digest(f"{name}={text}".encode()) != stored]


kernel_check = _image("kernel", "kernel_corrupt")
firmware_check = _image("firmware", "firmware_integrity")
partition_check = _image("update_partition", "inactive_partition_bad_30_days", critical=False)
