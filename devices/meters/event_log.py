"""A meter's own event log: what happened to it, when, and what its status was (lmn-wired 4.4)."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from devices.meters.status_word import StatusWord

CAPACITY: Final = 200
"""Entries that a meter keeps, the oldest falls out (assumed)."""


class MeterEvent(IntEnum):
    """Event numbers (assumed; no public source lists them)."""

    POWER_LOST = 1
    POWER_RESTORED = 2
    FATAL_BEGUN = 3
    FATAL_ENDED = 4
    MAGNET_BEGUN = 5
    MAGNET_ENDED = 6
    COVER_OPENED = 7
    COVER_RESET = 8
    FIELD_REVERSED = 9
    FIELD_RIGHT = 10
    SETTING_CHANGED = 11
    """The entry names the changed object in place of the status word."""
    TARIFF_SWITCHED = 12
    OTHER = 99
    """A status bit without an event of its own was set or cleared by hand."""


OF_STATUS_BIT: Final[dict[tuple[StatusWord, bool], MeterEvent]] = {
    (StatusWord.FATAL, True): MeterEvent.FATAL_BEGUN,
    (StatusWord.FATAL, False): MeterEvent.FATAL_ENDED,
    (StatusWord.MAGNET, True): MeterEvent.MAGNET_BEGUN,
    (StatusWord.MAGNET, False): MeterEvent.MAGNET_ENDED,
    (StatusWord.COVER_OPENED, True): MeterEvent.COVER_OPENED,
    (StatusWord.FIELD_REVERSED, True): MeterEvent.FIELD_REVERSED,
    (StatusWord.FIELD_REVERSED, False): MeterEvent.FIELD_RIGHT,
}
"""Status bit, set or cleared, to event."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One event.

    Attributes:
        event: what happened.
        second_index: when.
        status: status word right after it.
        changed: OBIS code of the object that was written, None where the event is none of that.
        value: what was written there.
    """

    event: MeterEvent
    second_index: int
    status: StatusWord
    changed: bytes | None = None
    value: int | bytes | bool | None = None


class EventLog:
    """Keeps the last events, without mains too, and counts all of them.

    Attributes:
        counts: how often each event happened since the meter was made, whether or not its entry is still there.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.counts: Counter[MeterEvent] = Counter()
        self._entries: deque[LogEntry] = deque(maxlen=capacity)

    def add(self, entry: LogEntry) -> None:
        """An event happened."""
        self.counts[entry.event] += 1
        self._entries.append(entry)

    def entries(self, begin: int | None = None, end: int | None = None) -> tuple[LogEntry, ...]:
        """Entries from one second index to another, both included; oldest first (assumed)."""
        return tuple(
            entry
            for entry in self._entries
            if (begin is None or entry.second_index >= begin) and (end is None or entry.second_index <= end)
        )
