"""The room for values: how much is taken, which steps are told, when metering has to stop (wan-core 7.7, 8.3).

PPC warns at 30 and 20 percent and stops when nothing is free ([PPC] 10: 10257 to 10260); CASA locks itself with less
than 10 percent ([CASA] 8, 9.3.7: 19007/2); CONEXA stops when the administrator's limit is reached ([CONEXA] D-2.2).
"""

from __future__ import annotations

from devices.gateway_types.parts import Store
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
        self._step = 0

    @property
    def used(self) -> float:
        """Share of the room that is taken, 0 to 1."""
        return 1.0 - self._free / self._unit.options.storage_capacity_octets

    @property
    def _free(self) -> int:
        return max(0, self._unit.options.storage_capacity_octets - self._ballast - self._readings)

    def begin(self) -> None:
        """Count what is stored, and judge it."""
        self._ballast = self._unit.memory.setting(BALLAST, 0)
        self._readings = used_octets(self._unit.memory)
        self._control.on_stored = self.add
        self._step = self._present_step()
        self._judge()

    def add(self, octets: int) -> None:
        """Values were stored, or with a negative number deleted."""
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
                self._control.event(step.event, percent=self._percent)
        before, self._step = self._step, self._present_step()
        if self._step < before and store.room_event is not None:
            self._control.event(store.room_event, percent=self._percent)
        self._control.storage_low = bool(self._told)
        if self._full(store):
            self._control.cause("storage_full", percent=self._percent)
        elif self._control.cleared("storage_full") and store.back_event is not None:
            self._control.event(store.back_event, percent=self._percent)

    def _full(self, store: Store) -> bool:
        """At the limit, or below it where a document prints a share: less than 10 percent ([CASA] 8)."""
        capacity = self._unit.options.storage_capacity_octets
        if "full_at_free" not in store.assumed:
            limit = round(store.full_at_free * capacity)
            return self._free < limit or not self._free
        share = max(store.full_at_free, 1.0 - self._unit.options.storage_limit)
        return self._free <= round(share * capacity)

    @property
    def _percent(self) -> int:
        return round(self._free * 100 / self._unit.options.storage_capacity_octets)

    def _present_step(self) -> int:
        step = self._unit.options.log_room_step_percent
        return self._percent // step if step > 0 else 0
