"""Checks of what is stored, at boot and in the self-test; each looks at the real octets.

A finding names the neutral cause of an operating state; what a product does about it is in its table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware.metering.derived import broken as broken_derived
from firmware.metering.evaluation import broken_states
from firmware.metering.outbox import broken_deliveries
from firmware.metering.values import broken_readings
from firmware.own_clock import OwnClock
from firmware.storage.memory import NonVolatileMemory, digest
from firmware.unit import Unit

STORAGE = "storage_integrity"
"""Cause: what is stored is no longer what was stored."""
PROFILE = "profile/"
"""How the names of the settings begin in which profiles lie."""


@dataclass(frozen=True)
class Finding:
    """Something is not as it must be.

    Attributes:
        cause: neutral name of the cause.
        detail: what exactly, for the log.
        critical: whether normal operation cannot go on.
        code: fault code of products that have such, where it is not that of the cause.
    """

    cause: str
    detail: str
    critical: bool = True
    code: int | None = None


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
    """The active version is the expected one; what was expected may be damaged, which `settings_check` tells."""
    stored = unit.memory.image("firmware")
    expected = unit.memory.setting("expected_version")
    if stored is not None and stored[0] != expected and "expected_version" not in broken_settings(unit.memory):
        return Finding("software_version_differs", f"version {stored[0]} is active, {expected} is expected")
    return None


def hardware_check(unit: Unit) -> Finding | None:
    """The board is the one that the software was put on; damage as with `version_check`."""
    expected = unit.memory.setting("hardware")
    if unit.hardware_serial != expected and "hardware" not in broken_settings(unit.memory):
        return Finding("hardware_change", f"the board is {unit.hardware_serial}, {expected} is expected")
    return None


def settings_check(unit: Unit) -> Finding | None:
    """The settings fit their digests."""
    broken = [name for name in broken_settings(unit.memory) if not name.startswith(PROFILE)]
    return Finding(STORAGE, f"setting {broken[0]} does not fit its digest") if broken else None


def profiles_check(unit: Unit) -> Finding | None:
    """The stored profiles fit their digests."""
    broken = [name for name in broken_settings(unit.memory) if name.startswith(PROFILE)]
    return Finding(STORAGE, f"{broken[0]} does not fit its digest") if broken else None


def readings_check(unit: Unit) -> Finding | None:
    """The latest original readings fit their digests."""
    broken = broken_readings(unit.memory, unit.options.integrity_check_readings)
    if not broken:
        return None
    meter, grid_s = broken[0]
    return Finding(STORAGE, f"reading of {meter} at {grid_s} does not fit its digest")


def derived_check(unit: Unit) -> Finding | None:
    """The latest derived values, what the use cases know, and what waits to be sent, fit their digests."""
    broken = broken_derived(unit.memory, unit.options.integrity_check_readings)
    if broken:
        profile, at_s = broken[0]
        return Finding(STORAGE, f"derived value of {profile} at {at_s} does not fit its digest")
    states = broken_states(unit.memory)
    if states:
        return Finding(STORAGE, f"state of the evaluation profile {states[0]} does not fit its digest")
    waiting = broken_deliveries(unit.memory)
    if waiting:
        return Finding(STORAGE, f"a delivery of {waiting[0]} that waits does not fit its digest")
    return None


def rtc_check(unit: Unit, own: OwnClock, tolerance_s: float) -> Finding | None:
    """The real time clock answers, and goes like the gateway's own clock, where that knows the time.

    Not critical: with mains and a time server the gateway can do without it (assumed).
    """
    if not own.known:
        return None
    shown = unit.rtc.read()
    if shown is None:
        return Finding("real_time_clock", "the real time clock does not tell the time", critical=False)
    off_s = (shown - own.now_us()) / 1e6
    if abs(off_s) > tolerance_s:
        return Finding("real_time_clock", f"the real time clock is {off_s:.0f} s off", critical=False)
    return None


def broken_settings(memory: NonVolatileMemory) -> list[str]:
    """Names of the settings whose text does not fit the digest."""
    rows = memory.query("SELECT name, value, digest FROM setting ORDER BY name")
    return [name for name, text, stored in rows if digest(f"{name}={text}".encode()) != stored]


kernel_check = _image("kernel", "kernel_corrupt")
firmware_check = _image("firmware", "firmware_integrity")
partition_check = _image("update_partition", "inactive_partition_bad_30_days", critical=False)
