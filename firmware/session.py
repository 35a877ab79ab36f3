"""One run of the firmware, from reset to loss of power or to the next reset; everything in it is volatile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

from firmware.checks import Finding, firmware_check, kernel_check, partition_check, version_check
from firmware.control import DOUBT, LAST_SYNC, Control
from firmware.display import Display
from firmware.fault_codes import COMPONENT_CODE, START_CODES
from firmware.han.service import HanService
from firmware.lmn.direct import DirectLine
from firmware.lmn.service import LmnService
from firmware.lmn.wireless.service import RadioService
from firmware.metering.core import MeteringCore
from firmware.metering.signing import SignAhead, SignAtOnce, Signer
from firmware.ntp_client import DateRange, NtpClient
from firmware.own_clock import OwnClock, iso, to_us
from firmware.profiles.at_work import ProfilesAtWork
from firmware.security.module import SecurityModule
from firmware.selftest import SECURITY, SelfTest
from firmware.separation import SeparationWatch
from firmware.states import RUN
from firmware.storage.memory import setting_statement
from firmware.storage.writer import StorageWriter
from firmware.timekeeping import TimeKeeper, TimeLimits
from firmware.unit import Start, Unit
from firmware.update import Installer

Restart = Callable[[Start], None]


class Session:
    """The running firmware.

    Args:
        unit: the hardware it runs on.
        start: why it starts.
        lost_at_us: when mains was lost according to the clock chip, None: unknown or not lost.
        rtc_alive: whether the clock chip kept the time.
        restart: how it resets itself.
        crashed: told when a task of the emulation itself fails.

    Attributes:
        phase: ``off``, name of the boot phase, or ``ready``.
    """

    def __init__(
        self,
        unit: Unit,
        start: Start,
        lost_at_us: int | None,
        rtc_alive: bool,
        restart: Restart,
        crashed: Callable[[BaseException], None],
    ) -> None:
        self.unit = unit
        self.phase = "off"
        self._start_reason = start
        self._lost_at_us = lost_at_us
        self._rtc_alive = rtc_alive
        self._restart = restart
        self._crashed = crashed
        self._going_down = False
        self._tasks: set[asyncio.Task[None]] = set()
        options = unit.options
        shown_us = unit.rtc.read() if rtc_alive else None
        first_us = self._latest_known_us() if shown_us is None else shown_us
        self.own = OwnClock(unit.clock, options.clock_drift_ppm, first_us, known=shown_us is not None)
        self.writer = StorageWriter(unit.clock, unit.memory, options.storage_write_time_s)
        self.display = Display(unit.product, unit.panel)
        off_us = lost_at_us if start is Start.POWER else self.own.now_us()
        self.control = Control(unit, self.own, self.writer, off_us)
        self.control.on_state = self._state_changed
        self.control.on_restart = lambda: self.restart(Start.INTEGRITY)
        self.time = self._time_keeper()
        self.control.time = self.time
        self.time.on_state = self._time_changed
        self.lmn = LmnService(unit, self.control, self.writer, self.own, self.refresh_bus)
        security = SecurityModule(unit.memory)
        direct = unit.cables.direct
        self.signer: Signer = SignAtOnce(security.sign) if direct is None else SignAhead(security.sign)
        self.metering = MeteringCore(
            unit,
            self.control,
            self.own,
            self.writer,
            security,
            self.signer,
            self.lmn.read if direct is None else DirectLine(direct).read,
            self.spawn,
        )
        self.registration = self.metering.registration
        self.radio_registration = self.metering.radio_registration
        self.room = self.metering.room
        self.lmn.profiles = lambda: self.registration.profiles
        self.radio = RadioService(unit, self.control, self.writer, self.own, self.display, self.radio_registration)
        self.profiles = ProfilesAtWork(
            unit, self.control, self.writer, self.own, self.metering, self.lmn, self.radio, self.spawn
        ).store
        self.separation = SeparationWatch(unit, self.control)
        self.selftest = SelfTest(unit, self.control, self.own, self.writer, self.separation, self.restart)
        self.han = HanService(
            unit, self.control, self.own, self.time, self.profiles, self.selftest, self.spawn, crashed
        )
        self.han.present = self.metering.present
        self.installer = Installer(unit, self.control, self.writer, self.display, self.restart)

    @property
    def _device(self) -> str:
        return self.unit.config.device_id

    # --- life

    def begin(self) -> None:
        """Reset is released."""
        self.spawn(self._life())

    def end(self) -> None:
        """Loss of power or reset: whatever was going on is gone."""
        self.phase = "off"
        self._stop_services()
        self.signer.close()
        self.writer.cut()
        self.display.dark()

    async def settle(self) -> None:
        """Wait until all that was captured is signed and stored. Raises PowerLost when mains fails before that."""
        self.signer.flush()
        await self.writer.flush()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start something that ends with this session."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def restart(self, reason: Start) -> None:
        """Shut down in order and start again: what was handed in for storage is stored first."""
        self.spawn(self._shut_down(reason))

    async def _shut_down(self, reason: Start) -> None:
        if self._going_down:
            return
        self._going_down = True
        if reason is Start.COMMAND:
            self.control.event("restart_commanded", device=self._device)
        if reason is not Start.INTEGRITY:  # its cause has told so
            self.control.event("restart", reason=reason.value)
        self.control.journal.stop()
        if reason is Start.INTEGRITY:
            self.writer.put([setting_statement("integrity_suspect", True)])
        await self.writer.flush()
        self._restart(reason)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._crashed(error)

    def _stop_services(self) -> None:
        current = asyncio.current_task() if _inside_task() else None
        for task in tuple(self._tasks):
            if task is not current:
                task.cancel()
        self.time.stop()
        self.metering.stop()
        self.radio.stop()
        self.lmn.stop()
        self.separation.stop()
        self.han.stop()

    async def _life(self) -> None:
        unit = self.unit
        if unit.memory.fault("base_software_missing") is not None:
            return
        due = unit.clock.seconds()
        for phase in unit.product.boot:
            self.phase = phase.phase
            self.display.boot(phase.leds)
            if phase.phase == "services_starting" and not self._begin_services():
                return
            options = unit.options
            scale = options.boot_scale if "duration" in phase.assumed else options.boot_scale_printed
            due += phase.duration_s * scale
            await unit.clock.sleep_until(due)
        if self._going_down or self._services_fail():
            return
        await self._ready()

    def _latest_known_us(self) -> int:
        """Where the own clock starts when the clock chip lost the time: the latest time the memory knows of."""
        known = [to_us(datetime.fromisoformat(self.unit.options.ntp_earliest))]
        for latest in ("SELECT MAX(time_us) FROM log", "SELECT MAX(capture_us) FROM reading"):
            known.extend(row[0] for row in self.unit.memory.query(latest) if row[0] is not None)
        return max(known)

    def _time_keeper(self) -> TimeKeeper:
        unit, options = self.unit, self.unit.options
        limits = TimeLimits(
            max_interval_s=options.sync_max_interval_s or unit.product.number("sync_max_interval", 36 * 3600.0),
            warn_after_s=options.sync_warn_after_s or unit.product.number("sync_warning_after", 4 * 3600.0),
            tolerance_s=unit.product.number("deviation_share", 0.03) * self._shortest_period_s(),
            poll_s=options.ntp_poll_interval_s,
            retry_s=options.ntp_retry_interval_s,
        )
        self.control.time_tolerance_s = limits.tolerance_s
        dates = DateRange(
            to_us(datetime.fromisoformat(options.ntp_earliest)), to_us(datetime.fromisoformat(options.ntp_latest))
        )
        wait_s = options.ntp_answer_wait_s
        client = NtpClient(unit.clock, self.own, unit.config.time_server, unit.rng, dates, wait_s)
        last, doubt = unit.memory.setting(LAST_SYNC), unit.memory.setting(DOUBT)
        return TimeKeeper(unit.clock, self.own, unit.rtc, limits, client, self.control, last, doubt)

    def _shortest_period_s(self) -> float:
        """The tolerance is a share of the smallest registration period (wan-core 7.4)."""
        smallest = self.unit.product.number("registration_period_min", 900.0)
        return min(smallest, float(self.unit.options.registration_period_s))

    # --- boot

    def _begin_services(self) -> bool:
        """The boot loader's checks, then the services; False when the boot ends here."""
        for check in (kernel_check, firmware_check, version_check):
            finding = check(self.unit)
            if finding is not None and not self._survives(finding):
                return False
        self._partition_age()
        if self.unit.memory.setting("integrity_suspect") is not None:
            self.writer.put([("DELETE FROM setting WHERE name = ?", ("integrity_suspect",))])
        self._log_start()
        self.control.restore()
        return self.control.states.effects.services

    def _survives(self, finding: Finding) -> bool:
        """What the product does about a finding of the boot loader; False: the boot ends here."""
        once = self.unit.product.choice("integrity_restarts_once", "false") == "true"
        first = self.unit.memory.setting("integrity_suspect") is None
        cause = finding.cause
        if cause == "kernel_corrupt" and self.unit.product.rule(cause) is None:
            cause = "firmware_integrity"  # the secure start checks all components ([PPC] 4.4)
        # found for the first time it is reported and the device restarts; found again it is final ([CASA] 8)
        restarts = cause == "firmware_integrity" and once and first
        self.control.cause(cause, via="runtime" if restarts else "boot_check", reason=finding.detail)
        return self.control.states.effects.services and not self._going_down

    def _partition_age(self) -> None:
        """A bad inactive partition is bearable for a while ([CONEXA] D-2.1)."""
        memory = self.unit.memory
        since = memory.setting("partition_bad_since_us")
        if partition_check(self.unit) is None:
            if since is not None:
                self.writer.put([("DELETE FROM setting WHERE name = ?", ("partition_bad_since_us",))])
            return
        if since is None:
            self.writer.put([setting_statement("partition_bad_since_us", self.own.now_us())])
            return
        rule = self.unit.product.rule("inactive_partition_bad_30_days", "boot_check")
        bearable_s = 30 * 86_400.0 if rule is None or rule.after_s is None else rule.after_s
        if self.own.now_us() - since >= bearable_s * 1e6:
            self.control.cause("inactive_partition_bad_30_days", via="boot_check")

    def _log_start(self) -> None:
        control = self.control
        if self._start_reason is Start.POWER:
            if self._lost_at_us is not None:
                control.event("power_lost", time=iso(self._lost_at_us))
            control.event("power_restored")
        code = START_CODES.get(self._start_reason.value)
        if code is not None:
            control.event("unexpected_start", code=code)
        control.journal.begin()
        self.time.start(rtc_alive=self._rtc_alive)
        self.installer.after_start()

    def _services_fail(self) -> bool:
        """The security checks before normal operation; True when the boot ends here."""
        memory = self.unit.memory
        failing = memory.fault("boot_check_fails")
        reason = self._insecure()
        if failing or reason:
            if failing:
                memory.plant_fault("boot_check_fails", failing - 1 or None)
            self.control.cause("boot_checks_fail", via="boot_check", reason=reason)
            if self.control.states.state == "boot_loop":
                self.restart(Start.BOOT_CHECKS)
                return True
        violation = memory.fault("violation")
        if violation is not None:
            self.control.cause("security_violation", **violation)
        return not self.control.states.effects.services

    def _insecure(self) -> str:
        """What the security checks of the boot find, where the product has such; empty when all is well."""
        if self.unit.product.rule("boot_checks_fail", "boot_check") is None:
            return ""
        findings = (check(self.unit) for check in SECURITY)
        return "; ".join(one.detail for one in findings if one is not None)

    async def _ready(self) -> None:
        unit, control = self.unit, self.control
        self.phase = "ready"
        self.display.ready()
        self._state_changed(RUN, control.states.state)
        control.event("gateway_started", device=self._device)
        control.event("special_functions", functions="none")
        if control.states.state == RUN:
            for event in unit.product.enter_events(RUN):
                control.event(event)
        self.profiles.load()
        self.room.begin()
        self.spawn(self.time.run())
        if unit.cables.direct is None:
            self.spawn(self.lmn.run())
        self.spawn(self.separation.run())
        self.spawn(self.selftest.run(self._start_reason))
        for name, fault in unit.memory.faults().items():
            self.meet(name, fault)
        self.metering.start()
        self.radio.start()
        self.han.start()

    # --- defects that come up while it runs

    def meet(self, name: str, fault: Any) -> None:
        """A planted defect shows itself to the running firmware."""
        if self.phase != "ready":
            return
        if name == "component":
            self.spawn(self._component_failed(fault))
        elif name == "lmn_certificate_expired":
            self.control.cause("lmn_certificate_expired", device=self._device, profile="LMN")
        elif name == "log_service":
            self.spawn(self._log_service_failed(fault))
        elif name == "bus_overload":
            self.control.event("overload_detected", resource="supply of the meter bus", measure="none")
            self.refresh_bus()
        elif name == "radio_module":
            self.radio.module_failed(str(fault))
        elif name == "violation":
            self.control.cause("security_violation", **fault)

    async def _component_failed(self, fault: dict[str, Any]) -> None:
        """An essential component died: metering stops while it is started again and again ([PPC] 2.6)."""
        component, options = fault["component"], self.unit.options
        self.control.event("service_died", service=component, code=COMPONENT_CODE)
        self.control.cause("component_does_not_start", component=component)
        for _ in range(1 if fault["restartable"] else options.component_restart_attempts):
            await self.unit.clock.sleep(options.component_restart_delay_s)
        if fault["restartable"]:
            self.unit.memory.plant_fault("component", None)
            self.control.event("service_restarted", service=component)
            self.control.cleared("component_does_not_start")
        else:
            self.control.cause("component_cannot_restart", component=component, variant=fault.get("variant"))

    async def _log_service_failed(self, fault: dict[str, Any]) -> None:
        """The service of a log cannot write or died; what needs it stops until it works again ([PPC] 10, 10000 ff.)."""
        book, how, options = fault["book"], fault["how"], self.unit.options
        self.control.journal.fail(book, how)
        for _ in range(1 if fault["restartable"] else options.component_restart_attempts):
            await self.unit.clock.sleep(options.component_restart_delay_s)
        if fault["restartable"]:
            self.unit.memory.plant_fault("log_service", None)
            self.control.journal.recover(book, how)
        else:
            self.control.cause("component_cannot_restart", component=f"{book} log")

    # --- consequences of states

    def _state_changed(self, old: str, new: str) -> None:
        states, gravest = self.control.states, self.control.states.gravest()
        variant = None if gravest is None else gravest.variant
        if self.phase == "ready" or not states.effects.services:
            phase = "together" if gravest is None else gravest.parameters.get("phase", "together")
            self.display.state(new, variant, phase)
            self.refresh_ports()
        if not states.effects.services:
            self._stop_services()
            return
        if self.phase == "ready" and self.control.may_capture():
            self.metering.fill_gaps()
        self.refresh_bus()

    def refresh_ports(self) -> None:
        """The sockets, what is plugged in and what the state takes away: link LEDs and the home interface."""
        self.han.refresh()
        if self.phase == "ready" or not self.control.states.effects.services:
            self.display.ports(frozenset(self.unit.linked), self.control.states.effects.dark_sockets)

    def _time_changed(self) -> None:
        self.control.marks()
        self.refresh_bus()

    def refresh_bus(self) -> None:
        """LMC: lit with the first meter that has an address, and what else the product shows there."""
        if self.phase != "ready" or not self.control.states.effects.services:
            return
        product, options = self.unit.product, self.unit.options
        overload = self.unit.memory.fault("bus_overload") is not None
        if overload and options.lmc_shows_bus_overload and product.signal("bus_overload"):
            self.display.bus("bus_overload")
        elif not self.lmn.present:
            self.display.bus("no_meter")
        elif not self.time.valid and options.lmc_shows_invalid_time and product.signal("time_invalid"):
            self.display.bus("time_invalid")
        elif product.choice("lmc_needs_time_sync", "false") == "true" and not self.time.synced:
            self.display.bus("no_meter")
        else:
            self.display.bus("meter_addressed")


def _inside_task() -> bool:
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False
