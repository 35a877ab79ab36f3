"""What holds the parts together while the gateway runs: events go to the journal, causes to the states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from firmware.fault_codes import CAUSE_CODES
from firmware.logs.journal import Journal
from firmware.metering.mark_history import MarkHistory
from firmware.metering.status_word import GatewayBit
from firmware.own_clock import OwnClock
from firmware.security.module import SecurityModule
from firmware.states import RUN, OperatingStates, Present
from firmware.storage.memory import digest, setting_statement
from firmware.storage.writer import StorageWriter
from firmware.timekeeping import CAUSES as TIME_CAUSES
from firmware.timekeeping import TimeKeeper
from firmware.unit import Unit

KEPT = "kept_causes"
LAST_SYNC = "last_sync_us"
DOUBT = "time_doubt"


class Control:
    """Events, causes and the operating state of one run.

    Args:
        unit: the hardware.
        own: the gateway's clock.
        writer: how settings and entries are stored.
        off_us: when the run before ended, microseconds since 1970, None: not known.
    """

    def __init__(self, unit: Unit, own: OwnClock, writer: StorageWriter, off_us: int | None = None) -> None:
        self.unit = unit
        self.writer = writer
        self.time: TimeKeeper | None = None
        self.journal = Journal(
            unit.product,
            unit.memory,
            writer,
            own,
            unit.options,
            unit.config.consumers,
            self.cause,
            self.cleared,
            SecurityModule(unit.memory),
        )
        self.states = OperatingStates(unit.product, self._came_up, self._changed, self._restart)
        self.on_restart: Callable[[], None] = lambda: None
        """Called when a cause asks for a restart of the device."""
        self.on_state: Callable[[str, str], None] = lambda old, new: None
        """Called after a change of the operating state with the old and the new one."""
        self.on_stored: Callable[[int], None] = lambda octets: None
        """Called with the size of readings that were handed in for storage."""
        self.storage_low = False
        self.time_tolerance_s = 27.0
        """How far clocks may be apart (set by the session)."""
        self._marked = MarkHistory(unit.memory, writer, own, off_us)
        self._kept: dict[str, dict[str, Any]] = unit.memory.setting(KEPT, {})
        self._doubted = unit.memory.setting(DOUBT) is not None

    # --- what parts tell

    def event(self, event: str, /, **parameters: Any) -> None:
        """Log a neutral event."""
        self.journal.event(event, **parameters)

    def cause(self, name: str, /, *, via: str = "runtime", **parameters: Any) -> bool:
        """A cause of an operating state has come up; returns whether the product reacts to it."""
        reacts = self.states.begin(name, parameters, via)
        self.marks()
        return reacts

    def cleared(self, name: str, /, *, by_administrator: bool = False) -> bool:
        """A cause is gone; returns whether that was possible."""
        gone = self.states.end(name, by_administrator=by_administrator)
        if gone:
            self._keep()
            self.marks()
        return gone

    def synchronised(self, at_us: int) -> None:
        """Keep the time of the last synchronisation; the clock is no longer doubted."""
        kept = [setting_statement(LAST_SYNC, at_us)]
        if self._doubted:
            kept.append(("DELETE FROM setting WHERE name = ?", (DOUBT,)))
            self._doubted = False
        self.writer.put(kept)

    def doubted(self, told: Mapping[str, Any]) -> None:
        """Keep that the clock was too far off, and what was told of it."""
        self._doubted = True
        self.writer.put([setting_statement(DOUBT, dict(told))])

    def stored(self, octets: int) -> None:
        """Readings of that size were handed in."""
        self.on_stored(octets)

    # --- what parts ask

    def may_capture(self) -> bool:
        """Whether values are captured now.

        Where the product marks values while the time is invalid, that alone does not stop capture.
        """
        policy = self.unit.options.time_invalid_policy
        if policy == "type":
            policy = self.unit.product.choice("time_invalid_policy", "stop")
        if policy == "mark":
            return self.states.effects_without(TIME_CAUSES).capture
        return self.states.effects.capture

    def marks(self) -> frozenset[GatewayBit]:
        """Gateway bits that every value of this moment carries; remembered for entries that are made later."""
        bits = set()
        if self.time is not None and not self.time.valid:
            bits.add(GatewayBit.TIME_INVALID)
        if not self.states.effects_without(TIME_CAUSES).capture:
            bits.add(GatewayBit.FATAL)
        if self.storage_low or self.journal.low or (self.time is not None and self.time.holdover):
            bits.add(GatewayBit.WARNING)
        marks = frozenset(bits)
        self._marked.note(marks)
        return marks

    def marks_at(self, at_s: int) -> frozenset[GatewayBit]:
        """The marks of an instant that is over, seconds since 1970; none while the firmware did not run."""
        return self._marked.at(at_s * 1_000_000)

    def restore(self) -> None:
        """Causes that outlive a restart come up again."""
        for name, parameters in dict(self._kept).items():
            self.states.begin(name, parameters)

    # --- consequences

    def _restart(self) -> None:
        self.on_restart()

    def _came_up(self, present: Present) -> None:
        cause = present.rule.cause
        told: dict[str, Any] = {"code": CAUSE_CODES.get(cause, ""), "device": self.unit.config.device_id}
        told["hash"] = digest(f"{cause} {told['code']}".encode()).hex()[:16]
        told |= present.parameters
        consumer = told.pop("consumer", None) or None
        for event in present.rule.events:
            self.event(event, consumer=consumer, **told)
        self._keep()

    def _keep(self) -> None:
        kept = {name: one.parameters for name, one in self.states.present.items() if one.rule.keeps}
        if kept != self._kept:
            self._kept = kept
            self.writer.put([setting_statement(KEPT, kept)])

    def _changed(self, old: str, new: str) -> None:
        product = self.unit.product
        gravest = self.states.gravest()
        told = {} if gravest is None else {"cause": gravest.rule.cause}
        said = () if gravest is None else gravest.rule.events
        events = product.exit_events(old) if new == RUN else product.enter_events(new, said)
        for event in events:
            self.event(event, **told)
        self.on_state(old, new)
