"""How long values are kept: what is older goes once a day, and its going is logged (wan-core 7.1, 7.7).

The log of a consumer tells of his own values only (wan-core 8.1); of values that nobody can be named for the other logs
tell alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from firmware.config import Options
from firmware.metering.contracts import contract, contracts
from firmware.metering.tariffs.local_time import next_midnight, utc
from firmware.metering.values import DERIVED_OCTETS, READING_OCTETS, SENT_OCTETS, VALUE_OCTETS
from firmware.own_clock import OwnClock
from firmware.storage.memory import NonVolatileMemory
from firmware.storage.writer import StorageWriter

_US: Final = 1_000_000
_DAY_S: Final = 86_400
_DELAY_S: Final = 60
"""How long after midnight deletion begins, so that it does not get in the way of registration."""


class Listener(Protocol):
    """What deletion tells."""

    def event(self, event: str, /, **parameters: object) -> None:
        """Log a neutral event."""

    def stored(self, octets: int) -> None:
        """So much room is taken now, or with a negative number free again."""

    def may_capture(self) -> bool:
        """Whether the operating state lets the lists be worked on."""


class Retention:
    """Deletes what is too old, each day after local midnight.

    Args:
        own: the gateway's clock.
        memory: where the lists lie.
        writer: how deletions get there.
        options: how long values are kept.
        listener: the rest of the gateway.
    """

    def __init__(
        self, own: OwnClock, memory: NonVolatileMemory, writer: StorageWriter, options: Options, listener: Listener
    ) -> None:
        self._own = own
        self._memory = memory
        self._writer = writer
        self._options = options
        self._listener = listener
        self._timer: asyncio.TimerHandle | None = None
        self._owed = False
        self.owner: Callable[[str], str] = lambda meter: ""
        """Whose a meter is by its profile, empty: it has none."""
        self.on_sweep: Callable[[int], None] = lambda now_s: None
        """Called with each sweep, seconds since 1970: whoever keeps values for a time of his own deletes as well."""

    def start(self) -> None:
        """Delete what is too old by now, then daily."""
        self._own.on_step.append(self._stepped)
        self.sweep()
        self._arm()

    def stop(self) -> None:
        """No further deletion."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._stepped in self._own.on_step:
            self._own.on_step.remove(self._stepped)

    def sweep(self) -> None:
        """Delete what is too old now; nothing while the time is unknown or the state forbids it."""
        self._owed = not self._own.known or not self._listener.may_capture()
        if self._owed:
            return
        now_s = self._own.now_us() // _US
        with self._writer.together():
            if self._options.retention_original_days > 0:
                self._originals(now_s - round(self._options.retention_original_days * _DAY_S))
            if self._options.retention_derived_days > 0:
                self._derived(now_s - round(self._options.retention_derived_days * _DAY_S))
                self._sent(now_s - round(self._options.retention_derived_days * _DAY_S))
            self.on_sweep(now_s)

    def catch_up(self) -> None:
        """Delete what was due while the time was unknown or the state forbade it."""
        if self._owed:
            self.sweep()

    def _originals(self, before_s: int) -> None:
        meters = self._memory.query("SELECT DISTINCT meter FROM reading WHERE grid_s < ? ORDER BY meter", (before_s,))
        if not meters:
            return
        readings = self._count("reading", "grid_s < ?", (before_s,))
        entries = self._count("entry", "grid_s < ?", (before_s,))
        self._writer.put([(f"DELETE FROM {table} WHERE grid_s < ?", (before_s,)) for table in ("entry", "reading")])
        for (meter,) in meters:
            told = {"meter": meter, "time": utc(before_s)}
            self._listener.event("original_values_deleted", consumer=self._owner_of(str(meter)), **told)
        self._listener.stored(-readings * READING_OCTETS - entries * VALUE_OCTETS)

    def _derived(self, before_s: int) -> None:
        for profile in self._first_column("derived", "profile"):
            count = self._count("derived", "profile = ? AND at_s < ?", (profile, before_s))
            if not count:
                continue
            self._writer.put([("DELETE FROM derived WHERE profile = ? AND at_s < ?", (profile, before_s))])
            told = {"profile": profile, "domain": profile, "time": utc(before_s)}
            known = contract(self._memory, profile)
            self._listener.event("derived_values_deleted", consumer="" if known is None else known.consumer, **told)
            self._listener.stored(-count * DERIVED_OCTETS)

    def _sent(self, before_s: int) -> None:
        """The list of what was sent is kept as long as what it proves; its last entry stays, as numbers go on from it.

        No product has a message for this.
        """
        old = "sent_us < ? AND number < (SELECT MAX(number) FROM sent)"
        count = self._count("sent", old, (before_s * _US,))
        if count:
            self._writer.put([(f"DELETE FROM sent WHERE {old}", (before_s * _US,))])
            self._listener.stored(-count * SENT_OCTETS)

    def _owner_of(self, meter: str) -> str:
        """Whose a meter is, by its profile or, when that is deleted, by a contract about it; empty: nobody knows."""
        by_contract = (
            one.consumer
            for one in contracts(self._memory).values()
            if meter in (registered for registered, _ in one.registers)
        )
        return self.owner(meter) or next(by_contract, "")

    def _count(self, table: str, where: str, parameters: tuple[object, ...]) -> int:
        return int(self._memory.query(f"SELECT COUNT(*) FROM {table} WHERE {where}", parameters)[0][0])

    def _first_column(self, table: str, column: str) -> list[str]:
        """Different values of the first column of the key, each found by one step in the index."""
        found: list[str] = []
        while True:
            sql = f"SELECT MIN({column}) FROM {table} WHERE {column} > ?"
            following = self._memory.query(sql, (found[-1] if found else "",))[0][0]
            if following is None:
                return found
            found.append(following)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due_s = next_midnight(self._own.now_us() // _US - _DELAY_S) + _DELAY_S
        self._timer = self._own.call_at(due_s * _US, self._due)

    def _due(self) -> None:
        self._timer = None
        self.sweep()
        self._arm()

    def _stepped(self, step_us: int) -> None:
        self._arm()
        self.catch_up()
