"""The self-test: what it checks, who may start it and how often, what a failure leads to.

PPC restarts the device and tells the result after the start ([PPC] 4.4). CONEXA tests at start, every 4 h and on
demand, then not again for 600 s (han 3.4). CASA tests on demand at most once in 24 h (han 4.1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from firmware.checks import (
    STORAGE,
    Check,
    Finding,
    derived_check,
    firmware_check,
    hardware_check,
    kernel_check,
    partition_check,
    profiles_check,
    readings_check,
    rtc_check,
    settings_check,
    version_check,
)
from firmware.control import Control
from firmware.fault_codes import LOG_CODES
from firmware.key_checks import KEY_UNUSABLE, certificate_check, key_check, value_signatures_check
from firmware.metering.values import broken_from
from firmware.own_clock import OwnClock, iso
from firmware.separation import SeparationWatch
from firmware.storage.memory import setting_statement
from firmware.storage.writer import StorageWriter
from firmware.unit import Start, Unit

CHECKS: Mapping[str, Check] = {
    "kernel": kernel_check,
    "firmware": firmware_check,
    "version": version_check,
    "hardware": hardware_check,
    "settings": settings_check,
    "profiles": profiles_check,
    "readings": readings_check,
    "derived_values": derived_check,
    "update_partition": partition_check,
    "signature_key": key_check,
    "certificate": certificate_check,
}
"""Checks that look at the unit alone; :meth:`SelfTest.check` adds those of logs, signatures, clock and sockets."""
SECURITY: tuple[Check, ...] = (key_check, certificate_check)
"""Those of them that a product which checks its security at boot makes there too ([CONEXA] D-2.4)."""

ADMINISTRATOR = "administrator"
"""May order it whatever the product's document says."""
UNDER_WAY: Final = "a self-test is under way"
NOT_BEFORE: Final = "the next self-test is possible at {time}"
NOT_ALLOWED: Final = "a {initiator} may not order it"
"""Why an order is refused; what fills a place has no blanks."""
PENDING = "selftest_pending"
LAST = "selftest_last_us"
RESULT = "selftest_result"


@dataclass(frozen=True)
class Order:
    """Answer to whoever asked for a self-test.

    Attributes:
        accepted: whether it is carried out.
        reason: why not.
        next_us: when it is possible again, on the gateway's clock.
    """

    accepted: bool
    reason: str = ""
    next_us: int | None = None


class SelfTest:
    """Carries out the self-test by the product's rules.

    Args:
        unit: what is tested.
        control: who is told.
        own: the gateway's clock.
        writer: what has to survive a restart.
        separation: the test of the sockets.
        restart: resets the device.
    """

    def __init__(
        self,
        unit: Unit,
        control: Control,
        own: OwnClock,
        writer: StorageWriter,
        separation: SeparationWatch,
        restart: Callable[[Start], None],
    ) -> None:
        self._unit = unit
        self._control = control
        self._own = own
        self._writer = writer
        self._separation = separation
        self._restart = restart
        self._running = False
        self._ordered = False
        self._watched_s: int | None = None
        self.result: dict[str, Any] | None = unit.memory.setting(RESULT)
        """Of the latest test whose result was logged: when, at whose order, and what each check found."""

    async def run(self, start: Start) -> None:
        """The tests that nobody asks for: after the start, then periodically where the product does so."""
        rules = self._unit.product.selftest
        initiator = self._unit.memory.setting(PENDING)
        wanted = initiator is not None or rules.at_start
        await self.check(log=wanted, at_start=True, all_entries=wanted, initiator=initiator or "start")
        begin, turn = self._unit.clock.seconds(), 0
        if rules.period_s is None:
            await self._watch()
            return
        while True:
            turn += 1
            await self._unit.clock.sleep_until(begin + turn * rules.period_s)
            await self.check(log=True, at_start=False, initiator="period")

    async def _watch(self) -> None:
        """What a product without periodic self-test looks at all the time: its software, and its values."""
        product, begin, turn = self._unit.product, self._unit.clock.seconds(), 0
        software = product.watches("firmware_integrity")
        stored = product.choice("values_checked_cyclically", "false") == "true"
        while software or stored:
            turn += 1
            await self._unit.clock.sleep_until(begin + turn * self._unit.options.integrity_check_interval_s)
            finding = firmware_check(self._unit) if software else None
            if finding is None and stored:
                finding = self._next_values()
            if finding is not None:
                self._draw(finding, "runtime")

    def _next_values(self) -> Finding | None:
        """Go on through the original values, round and round ([CASA] 4.2.4)."""
        broken, self._watched_s = broken_from(
            self._unit.memory, self._watched_s, self._unit.options.integrity_check_cycle_readings
        )
        if not broken:
            return None
        meter, grid_s = broken[0]
        return Finding(STORAGE, f"reading of {meter} at {grid_s} does not fit its digest")

    async def order(self, initiator: str) -> Order:
        """Somebody wants a self-test; CONEXA and CASA carry it out, and store its result, before this returns."""
        rules = self._unit.product.selftest
        refused = self._refusal()
        if initiator not in (*rules.initiators, ADMINISTRATOR):
            refused = Order(False, NOT_ALLOWED.format(initiator=initiator))
        if refused is not None:
            self._control.event("selftest_refused", outcome="failure", initiator=initiator, reason=refused.reason)
            return refused
        self._ordered = True  # before the first await: the lock is kept only once it is stored
        try:
            await self._carry_out(initiator)
        finally:
            self._ordered = rules.restarts  # a restart ends this run
        return Order(True)

    async def _carry_out(self, initiator: str) -> None:
        self._control.event("selftest_started", initiator=initiator)
        ordered = [setting_statement(LAST, self._own.now_us())]
        if self._unit.product.selftest.restarts:
            await self._writer.commit([*ordered, setting_statement(PENDING, initiator)])
            self._restart(Start.SELFTEST)
            return
        await self._writer.commit(ordered)
        await self.check(log=True, at_start=False, initiator=initiator)
        await self._writer.flush()

    @property
    def again_us(self) -> int | None:
        """When the lock behind the latest order is over, microseconds since 1970; None: nothing is locked."""
        last_us, lock_s = self._unit.memory.setting(LAST), self._unit.product.selftest.lock_s
        return None if last_us is None or not lock_s else int(last_us) + round(lock_s * 1e6)

    def _refusal(self) -> Order | None:
        if self._running or self._ordered:
            return Order(False, UNDER_WAY)
        again_us = self.again_us
        if again_us is None or self._own.now_us() >= again_us:
            return None
        return Order(False, NOT_BEFORE.format(time=iso(again_us)), again_us)

    async def check(self, *, log: bool, at_start: bool, all_entries: bool = True, initiator: str = "") -> list[Finding]:
        """Carry out all checks and draw the consequences; returns what was found.

        Without `all_entries` only the newest entries of the logs and the newest signatures are looked at, so that a
        start takes no time.
        """
        self._running = True
        try:
            found = {name: check(self._unit) for name, check in CHECKS.items()}
            found["logs"] = self._logs(at_start=at_start, all_entries=all_entries)
            options = self._unit.options
            newest = options.integrity_check_signatures if all_entries else options.integrity_check_signatures_at_start
            found["value_signatures"] = value_signatures_check(self._unit, newest)
            found["real_time_clock"] = rtc_check(self._unit, self._own, self._control.time_tolerance_s)
            if log and not at_start:
                found["separation"] = await self._separation.test()
        finally:
            self._running = False
        findings = [one for one in found.values() if one is not None]
        with self._writer.together():  # an order is done when its result and what follows from it are stored
            if log:
                self._keep(found, initiator)
            self._conclude(findings, log=log)
            for finding in findings:
                self._draw(finding)
        return findings

    def _logs(self, *, at_start: bool, all_entries: bool) -> Finding | None:
        broken = self._control.journal.broken(None if all_entries else self._unit.options.integrity_check_log_entries)
        if not broken:
            return None
        code = LOG_CODES["start" if at_start else "running"]
        return Finding(STORAGE, f"log entry {broken[0]} does not fit its hash", code=code)

    def _keep(self, found: Mapping[str, Finding | None], initiator: str) -> None:
        """The result can be read later, also after a restart; an order over a restart is done with it."""
        checks = [
            {"name": name, "good": one is None}
            | ({} if one is None else {"cause": one.cause, "detail": one.detail, "critical": one.critical})
            for name, one in found.items()
        ]
        good = all(one is None for one in found.values())
        self.result = {"time": iso(self._own.now_us()), "initiator": initiator, "good": good, "checks": checks}
        self._writer.put([setting_statement(RESULT, self.result), ("DELETE FROM setting WHERE name = ?", (PENDING,))])

    def _conclude(self, findings: list[Finding], *, log: bool) -> None:
        """Log the result where that is wanted, and draw the consequence of what has none of its own."""
        if not findings:
            if log:
                self._control.event("selftest_passed")
            return
        severe = [one for one in findings if one.critical]
        errors = "; ".join(one.detail for one in findings)
        told = {
            "fixable": len(findings) - len(severe),
            "severe": len(severe),
            "count": len(findings),
            "errors": errors,
        }
        rule = self._unit.product.rule("selftest_critical", "selftest")
        alone = any(self._unit.product.rule(one.cause, "selftest") is None for one in severe)
        if log and (rule is None or not alone or "selftest_failed" not in rule.events):
            self._control.event("selftest_failed", outcome="failure", **told)
        if alone:
            self._control.cause("selftest_critical", via="selftest", **told)
        if rule is None and any(one.cause == KEY_UNUSABLE for one in severe):
            self._boot_again()

    def _boot_again(self) -> None:
        """Where a critical error has no operating state of its own, the checks at boot are those that hold the device
        back ([CONEXA] D-2.4, wan-core 9.2: S8)."""
        if self._unit.product.rule("boot_checks_fail", "boot_check") is not None:
            self._restart(Start.BOOT_CHECKS)

    def _draw(self, finding: Finding, via: str = "selftest") -> None:
        if finding.critical:
            more = {} if finding.code is None else {"code": finding.code}
            self._control.cause(finding.cause, via=via, reason=finding.detail, **more)
