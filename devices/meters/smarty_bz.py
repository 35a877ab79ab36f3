"""Sagemcom SMARTY BZ-PLUS v2 as device under test: a base meter with two CPUs and an update log ([BZ], lmn-wired 5).

The metrology CPU measures, keeps and signs the log and controls updates; the application CPU runs the firmware that can
be updated, and speaks on the bus.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Final

from devices.clock import Clock
from devices.meters.base_meter import BaseMeter
from devices.meters.base_objects import STANDARD_REGISTERS
from devices.meters.load_profile import LoadProfile
from devices.meters.model import Service
from devices.meters.registers import NANOJOULE_PER_WH, UNIT_WH, Register
from devices.meters.smarty_application import ApplicationCpu
from devices.meters.smarty_metrology import (
    EVENTS,
    FACTORY,
    METROLOGY_VERSION,
    UPDATE_FAULTS,
    MetrologyCpu,
    UpdateRules,
    UpdateTiming,
)
from devices.meters.update_log_store import Firmware, UpdateLogStore
from devices.protocols.app_image import BENCH_MAKER, Version
from devices.protocols.p256 import SigningKey
from devices.protocols.smarty_service import METER_TYPE, SELECTOR, CrcOrder
from devices.protocols.sml.objects import DRAWN, FED
from devices.protocols.sml.server_id import device_number
from devices.protocols.sml.server_id import server_id as server_id_of
from devices.protocols.update_log import MAX_ENTRIES, UpdateLogEntry

__all__ = ["EVENTS", "LOG_CAPACITY", "UPDATE_FAULTS", "SmartyBz", "UpdateTiming"]

LOG_CAPACITY: Final = 16
"""Entries that fit into the log (assumed, lmn-wired 5.6)."""


class SmartyBz(BaseMeter):
    """A SMARTY BZ-PLUS v2.

    Attributes:
        metrology_cpu: log and updates.
        application_cpu: the service protocol.
        on_bus: told False when the application CPU goes silent for an installation and True when it is back, freshly
            booted: its station has to do the same. None: nobody listens.
        on_event: told what happens, see EVENTS; None: nobody listens.
        metrology_version: of the MTR-FW, which is never updated.
    """

    metrology_version: Final = METROLOGY_VERSION

    def __init__(
        self,
        clock: Clock,
        identity: str | bytes = "1SAG0021061001",
        registers: Sequence[Register] = STANDARD_REGISTERS,
        profile: LoadProfile | None = None,
        *,
        rng: random.Random | None = None,
        log_capacity: int = LOG_CAPACITY,
        history: Sequence[UpdateLogEntry] = (),
        version: str = str(FACTORY.version),
        firmware_crc: int = FACTORY.crc,
        maker_key: bytes | None = None,
        meter_type: str = METER_TYPE,
        allow_downgrade: bool = False,
        crc_order: CrcOrder = CrcOrder.HIGH_FIRST,
        timing: UpdateTiming | None = None,
        **base: Any,
    ) -> None:
        """Make a meter.

        Args:
            clock: the laboratory's.
            identity: device number or server id of a meter by SAG. SmlError for anything else.
            registers, profile: see BaseMeter; registers without 1.8.0 or 2.8.0 log the energy that flowed.
            rng: where the key of the log comes from; unless told, it follows from the identity.
            log_capacity: entries that fit into the log.
            history: entries that are in it from the start, signed by this meter. ValueError when it holds fewer.
            version, firmware_crc: of the firmware that the factory installed. ImageError for a version unlike V2.0.
            maker_key: X|Y of who may sign images; the bench's own maker unless told.
            meter_type: type code that images must carry.
            allow_downgrade: load lower versions too.
            crc_order: of the inner check of the service protocol.
            timing: how long an update takes.
            base: the rest of BaseMeter's arguments.
        """
        if not max(1, len(history)) <= log_capacity <= MAX_ENTRIES:
            raise ValueError(f"a log for {log_capacity} entries: {max(1, len(history))} to {MAX_ENTRIES} are possible")
        server_id = server_id_of(identity) if isinstance(identity, str) else identity
        number = device_number(server_id)
        key = SigningKey.generate(rng) if rng is not None else SigningKey.named(f"log of {server_id.hex()}")
        factory = Firmware(Version.parse(version), firmware_crc)
        super().__init__(clock, server_id, registers, profile, public_key=key.public, **base)
        store = UpdateLogStore(lambda: self.metrology.powered, self.server_id, key, log_capacity, factory, history)
        rules = UpdateRules(maker_key or BENCH_MAKER.public, meter_type, allow_downgrade)
        self.on_bus: Callable[[bool], None] | None = None
        self.on_event: Callable[[str, dict[str, object]], None] | None = None
        self.metrology_cpu = MetrologyCpu(clock, self, self.server_id, store, rules, timing or UpdateTiming())
        self.metrology_cpu.on_application = self._application
        self.metrology_cpu.on_event = self._event
        self.application_cpu = ApplicationCpu(
            self.metrology_cpu,
            number,
            running=self.metrology.powered,
            meter_type=meter_type,
            crc_order=crc_order,
        )
        self._show_versions()

    @property
    def label_key(self) -> bytes:
        """X|Y on the type plate: the key of the log, whatever fault is provoked."""
        return self.metrology_cpu.store.key.public

    @property
    def firmware(self) -> str:
        """Name and version of the running APP-FW: ENSO-MME V2.0."""
        return self.application_cpu.firmware

    def services(self) -> dict[int, Service]:
        """What answers on the vendor's protocol selector."""
        return {SELECTOR: self.application_cpu}

    def power(self, on: bool) -> None:
        """Mains of the meter on or off; at once, in the midst of whatever it does."""
        before = self.metrology.powered
        super().power(on)
        if on == before:
            return
        self.application_cpu.running = on
        if on:
            self.metrology_cpu.boot()
            self._show_versions()
        else:
            self.metrology_cpu.halt()

    def answer(self, request: bytes) -> bytes:
        """See BaseMeter; nothing while the application CPU does not run."""
        return super().answer(request) if self.application_cpu.running else b""

    def provoke(self, kind: str, on: bool = True) -> None:
        """Make a fault of UPDATE_FAULTS happen, or stop it. ValueError for another kind."""
        if kind not in UPDATE_FAULTS:
            raise ValueError(f"there is no fault {kind!r}; there are {', '.join(UPDATE_FAULTS)}")
        (self.metrology_cpu.faults.add if on else self.metrology_cpu.faults.discard)(kind)

    def second_index(self) -> int:
        """Seconds that the meter ran."""
        return self.metrology.second_index()

    def totals(self) -> tuple[int, int]:
        """Registers 1.8.0 and 2.8.0, cut down to whole Wh."""
        reading, energy = self.metrology.reading(), self.metrology.energy()
        flowed = {DRAWN: energy.drawn // NANOJOULE_PER_WH, FED: energy.fed // NANOJOULE_PER_WH}
        for register in self.registers:
            if register.obis in flowed and register.unit == UNIT_WH:
                value, scaler = register.value(reading), register.scaler
                flowed[register.obis] = value * int(10**scaler) if scaler >= 0 else value // int(10**-scaler)
        return flowed[DRAWN], flowed[FED]

    def _show_versions(self) -> None:
        """The COSEM objects of both versions follow the CPUs."""
        self.software = (METROLOGY_VERSION, str(self.metrology_cpu.firmware.version).removeprefix("V"))

    def _application(self, running: bool) -> None:
        self.application_cpu.running = running
        self._show_versions()
        self._event("application", {"running": running})
        if self.on_bus is not None:
            self.on_bus(running)

    def _event(self, kind: str, details: dict[str, object]) -> None:
        if self.on_event is not None:
            self.on_event(kind, details)
