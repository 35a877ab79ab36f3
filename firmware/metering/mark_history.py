"""Which gateway bits held when: the marks of an entry that is made later are those of its own instant (wan-core 7.3).

While metering stands still nothing is stored; the gaps are made when it goes on, in another state of the gateway and
perhaps after a power cut. So each change of the marks is stored with its time. Of a time in which the firmware did not
run nothing is said: its gaps have bit 13 alone. The same holds for what the clock jumped over, as far as the marks
before the jump said nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import itemgetter
from typing import Final

from firmware.metering.status_word import GatewayBit
from firmware.own_clock import OwnClock
from firmware.storage.memory import NonVolatileMemory, setting_statement
from firmware.storage.writer import StorageWriter

Marks = frozenset[GatewayBit]
Change = tuple[int, Marks]
"""Microseconds since 1970, and what holds from then on."""
SETTING: Final = "marks"
MOST: Final = 256
"""Changes that are kept, about 30 octets each; of instants before the first one nothing is said."""
_NONE: Final[Marks] = frozenset()


class MarkHistory:
    """The changes of the marks, by the gateway's own clock.

    Args:
        memory: where those of earlier runs lie.
        writer: how changes get there.
        own: the gateway's clock.
        off_us: when the run before ended, microseconds since 1970; None: nobody knows, then it is taken to have ended
            with the last thing that was stored.
    """

    def __init__(
        self, memory: NonVolatileMemory, writer: StorageWriter, own: OwnClock, off_us: int | None = None
    ) -> None:
        self._writer = writer
        self._own = own
        stored = memory.setting(SETTING, [])
        self._past: list[Change] = [(at_us, frozenset(map(GatewayBit, bits))) for at_us, bits in stored]
        self._run: list[Change] = []
        if self._past and self._past[-1][1]:
            end_us = _last_stored_us(memory) if off_us is None else off_us
            self._past = _with(self._past, (max(end_us, self._past[-1][0]), _NONE))
            self._store()
        own.on_step.append(self._stepped)

    def note(self, marks: Marks) -> None:
        """These hold from now on."""
        if marks != self._now:
            self._run = _with(self._run, (self._own.now_us(), marks))
            self._store()

    def at(self, at_us: int) -> Marks:
        """The marks of an instant, microseconds since 1970."""
        changes = self._changes
        place = bisect_right(changes, at_us, key=itemgetter(0))
        return changes[place - 1][1] if place else _NONE

    @property
    def _now(self) -> Marks:
        return self._run[-1][1] if self._run else _NONE

    @property
    def _changes(self) -> list[Change]:
        if not self._run:
            return self._past
        begin_us = self._run[0][0]
        return [*(one for one in self._past if one[0] < begin_us), *self._run]

    def _stepped(self, step_us: int) -> None:
        """The clock was set. Where it had been a guess, this run was all the time off by the step."""
        if not self._own.known:
            self._run = [(at_us + step_us, marks) for at_us, marks in self._run]
        elif step_us < 0 and self._run:
            self._run = _with(self._run, (self._own.now_us(), self._now))
        if self._run:
            self._store()

    def _store(self) -> None:
        kept = [[at_us, sorted(int(bit) for bit in marks)] for at_us, marks in self._changes[-MOST:]]
        self._writer.put([setting_statement(SETTING, kept)])


def _with(changes: list[Change], change: Change) -> list[Change]:
    """With one more change; what lies at its instant or behind it never was. A bounded number."""
    return [*(one for one in changes if one[0] < change[0]), change][-MOST:]


def _last_stored_us(memory: NonVolatileMemory) -> int:
    known = [memory.query(f"SELECT MAX({column}) FROM {table}")[0][0] for table, column in _DATED]
    return max((int(one) for one in known if one is not None), default=0)


_DATED: Final = (("log", "time_us"), ("reading", "capture_us"))
