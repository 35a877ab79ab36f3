"""The room for readings: how much is taken, which steps are told, when metering has to stop (wan-core 7.7)."""

from __future__ import annotations

from firmware.control import Control
from firmware.metering.values import used_octets
from firmware.storage.memory import setting_statement
from firmware.storage.writer import StorageWriter
from firmware.unit import Unit

BALLAST = "storage_ballast"
"""Octets taken by something else than readings (fault port)."""


class StorageRoom:
    """Watches the room.

    Args:
        unit: capacity, product's steps.
        control: who is told.
        writer: how the ballast is stored.
    """

    def __init__(self, unit: Unit, control: Control, writer: StorageWriter) -> None:
        self._unit = unit
        self._control = control
        self._writer = writer
        self._ballast = 0
        self._readings = 0
        self._told: set[str] = set()

    @property
    def used(self) -> float:
        """Share of the room that is taken, 0 to 1."""
        return min(1.0, (self._ballast + self._readings) / self._unit.options.storage_capacity_octets)

    def begin(self) -> None:
        """Count what is stored, and judge it."""
        self._ballast = self._unit.memory.setting(BALLAST, 0)
        self._readings = used_octets(self._unit.memory)
        self._control.on_stored = self.add
        self._judge()

    def add(self, octets: int) -> None:
        """Readings were stored."""
        self._readings += octets
        self._judge()

    def fill(self, share: float) -> float:
        """Take room until `share` of it is used, or free what was taken this way; returns the share then."""
        wanted = round(share * self._unit.options.storage_capacity_octets)
        self._ballast = max(0, wanted - self._readings)
        self._writer.put([setting_statement(BALLAST, self._ballast)])
        self._judge()
        return self.used

    def _judge(self) -> None:
        store, free = self._unit.product.store("storage"), 1.0 - self.used
        for step in store.warnings:
            if free > step.free:
                self._told.discard(step.event)
            elif step.event not in self._told:
                self._told.add(step.event)
                self._control.event(step.event, percent=round(free * 100))
        self._control.storage_low = bool(self._told)
        limit = max(store.full_at_free, 1.0 - self._unit.options.storage_limit)
        if "full_at_free" not in store.assumed:
            limit = store.full_at_free
        if free <= limit:
            self._control.cause("storage_full", percent=round(free * 100))
        elif self._control.cleared("storage_full") and store.back_event is not None:
            self._control.event(store.back_event, percent=round(free * 100))
