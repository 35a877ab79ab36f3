"""The physical unit: what is soldered in and what was set in the factory; it is there with and without power."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from enum import Enum

from devices.clock import Clock
from firmware.config import GatewayCables, GatewayConfig, Options
from firmware.leds import LedPanel
from firmware.own_clock import RealTimeClock
from firmware.product import Product
from firmware.security.certificates import make_certificates
from firmware.security.module import make_keys
from firmware.storage.memory import NonVolatileMemory, Statement, digest, firmware_image, setting_statement


class Start(Enum):
    """Why the gateway starts."""

    POWER = "power"
    COMMAND = "command"
    SELFTEST = "selftest"
    INTEGRITY = "integrity"
    BOOT_CHECKS = "boot_checks"
    UPDATE = "update"
    UNKNOWN = "unknown"
    UNEXPECTED_COMMAND = "unexpected_command"
    EXTERNAL_WATCHDOG = "external_watchdog"
    INTERNAL_WATCHDOG = "internal_watchdog"
    HARDWARE_RESET = "hardware_reset"


@dataclass(frozen=True)
class Unit:
    """One gateway as hardware.

    Attributes:
        clock: the laboratory's clock, the physics of this unit.
        product: what the manuals say of it.
        memory: flash, clock registers, planted defects.
        cables: its ends of the cables.
        panel: its LEDs.
        rng: the one source of randomness.
        rtc: the buffered clock.
        config: what it was told.
        options: assumed defaults after overrides.
        linked: Ethernet sockets at which a device is plugged in: HAN, CLS, WAN; it changes as people plug.
        ports: TCP ports that were chosen for sockets whose configuration leaves it open; they stay through restarts.
    """

    clock: Clock
    product: Product
    memory: NonVolatileMemory
    cables: GatewayCables
    panel: LedPanel
    rng: random.Random
    rtc: RealTimeClock
    config: GatewayConfig
    options: Options
    linked: set[str] = field(default_factory=lambda: {"HAN", "CLS", "WAN"})
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def hardware_serial(self) -> str:
        """What the board says of itself; a changed board says something else."""
        changed = self.memory.fault("hardware")
        return self.config.device_id if changed is None else f"{self.config.device_id}/{changed}"

    def leave_factory(self) -> None:
        """Write images and factory settings, make keys and certificates, unless they are there."""
        make_keys(self.memory, self.rng, self.options.signature_curve)
        make_certificates(self.memory, self.rng, self.config.device_id, self.options, self.clock.now())
        if self.memory.image("firmware") is not None:
            return
        version = self.config.software or self.product.software
        statements: list[Statement] = [
            image_statement("firmware", version, firmware_image("firmware", version)),
            image_statement("kernel", version, firmware_image("kernel", version)),
            image_statement("update_partition", version, firmware_image("firmware", version)),
            setting_statement("expected_version", version),
            setting_statement("hardware", self.config.device_id),
        ]
        self.memory.commit(statements)


def image_statement(slot: str, version: str, octets: bytes) -> Statement:
    """The statement that writes an image with its hash."""
    return ("INSERT OR REPLACE INTO image VALUES (?, ?, ?, ?)", (slot, version, octets, digest(octets)))
