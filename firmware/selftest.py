"""The self-test: what it checks, who may start it and how often, what a failure leads to.

PPC restarts the device and tells the result after the start ([PPC] 4.4). CONEXA tests at start, every 4 h and on
demand, then not again for 600 s (han 3.4). CASA tests on demand at most once in 24 h (han 4.1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware.checks import (
    Check,
    Finding,
    database_check,
    firmware_check,
    hardware_check,
    kernel_check,
    partition_check,
    version_check,
)
from firmware.control import Control
from firmware.own_clock import OwnClock, iso
from firmware.separation import SeparationWatch
from firmware.storage.memory import setting_statement
from firmware.storage.writer import StorageWriter
from firmware.unit import Start, Unit

CHECKS: tuple[Check, ...] = (
    kernel_check,
    firmware_check,
    version_check,
    hardware_check,
    database_check,
    partition_check,
)

ADMINISTRATOR = "administrator"
"""May order it whatever the product's document says."""
PENDING = "selftest_pending"
LAST = "selftest_last_us"


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

    async def run(self, start: Start) -> None:
        """The tests that nobody asks for: after the start, then periodically where the product does so."""
        rules = self._unit.product.selftest
        initiator = self._unit.memory.setting(PENDING)
        if initiator is not None:
            self._writer.put([("DELETE FROM setting WHERE name = ?", (PENDING,))])
        await self.check(log=initiator is not None or rules.at_start, at_start=True)
        begin, turn = self._unit.clock.seconds(), 0
        if rules.period_s is None:
            if self._unit.product.watches("firmware_integrity"):
                await self._watch_firmware()
            return
        while True:
            turn += 1
            await self._unit.clock.sleep_until(begin + turn * rules.period_s)
            await self.check(log=True, at_start=False)

    async def _watch_firmware(self) -> None:
        """Between self-tests the hash of the running firmware alone is checked."""
        begin, turn = self._unit.clock.seconds(), 0
        while True:
            turn += 1
            await self._unit.clock.sleep_until(begin + turn * self._unit.options.integrity_check_interval_s)
            finding = firmware_check(self._unit)
            if finding is not None:
                self._draw(finding, "runtime")

    async def order(self, initiator: str) -> Order:
        """Somebody wants a self-test; CONEXA and CASA carry it out before this returns."""
        rules = self._unit.product.selftest
        refused = self._refusal(rules.lock_s)
        if initiator not in (*rules.initiators, ADMINISTRATOR):
            refused = Order(False, f"a {initiator} may not order it")
        if refused is not None:
            self._control.event("selftest_refused", outcome="failure", initiator=initiator, reason=refused.reason)
            return refused
        self._control.event("selftest_started", initiator=initiator)
        await self._writer.commit([setting_statement(LAST, self._own.now_us())])
        if rules.restarts:
            await self._writer.commit([setting_statement(PENDING, initiator)])
            self._restart(Start.SELFTEST)
            return Order(True)
        await self.check(log=True, at_start=False)
        return Order(True)

    def _refusal(self, lock_s: float | None) -> Order | None:
        if self._running:
            return Order(False, "a self-test is under way")
        last = self._unit.memory.setting(LAST)
        if not lock_s or last is None:
            return None
        again_us = last + round(lock_s * 1e6)
        if self._own.now_us() >= again_us:
            return None
        return Order(False, f"the next self-test is possible at {iso(again_us)}", again_us)

    async def check(self, *, log: bool, at_start: bool) -> list[Finding]:
        """Carry out all checks and draw the consequences; returns what was found."""
        self._running = True
        try:
            findings = [found for check in CHECKS if (found := check(self._unit)) is not None]
            broken = self._control.journal.broken()
            if broken:
                findings.append(Finding("storage_integrity", f"log entry {broken[0]} does not fit its hash"))
            if log and not at_start and (wiring := await self._separation.test()) is not None:
                findings.append(wiring)
        finally:
            self._running = False
        self._conclude(findings, log=log)
        for finding in findings:
            self._draw(finding)
        return findings

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

    def _draw(self, finding: Finding, via: str = "selftest") -> None:
        if finding.critical:
            self._control.cause(finding.cause, via=via, reason=finding.detail)
