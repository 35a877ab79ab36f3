"""The use cases at work: readings go in as they are stored, what follows is stored in the same commit.

What a use case knows is stored together with everything that it gives to be kept, and at least every `REPLAY_MOST`
readings. After a start it is given the original readings again that were stored since, which by then have given
nothing to be kept. So a gateway that starts again goes on as if nothing had happened. Samples lie nowhere else: the
state of a use case whose samples outlive a power cut is stored with each of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from firmware.metering import values
from firmware.metering.derived import STORED, DerivedEntry
from firmware.metering.tariffs.engine import use_case
from firmware.metering.tariffs.entries import Deletion, Delivery, Derived, Event, Output
from firmware.metering.tariffs.measured import Measured
from firmware.metering.tariffs.profile import MEASURED, EvaluationProfile
from firmware.metering.tariffs.readings import Amount, Source, points
from firmware.metering.tariffs.taf7 import Taf7
from firmware.metering.tariffs.use_case import UseCase
from firmware.metering.values import Reading
from firmware.storage.memory import NonVolatileMemory, Statement, digest

_COMPACT = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


REPLAY_MOST: Final = 96
"""Readings after which a use case's state is stored at the latest: a day of one meter at 15 minutes."""


@dataclass(slots=True)
class Outcome:
    """What follows from a batch of readings.

    Attributes:
        derived: entries to be signed and stored.
        events: to be logged: event, and the profile that it is about.
        deliveries: what is to be sent: delivery, and its profile.
        statements: deletions and states of the use cases, to be stored with the readings.
        deleted: profiles and the instants before which their entries go.
    """

    derived: list[DerivedEntry] = field(default_factory=list)
    events: list[tuple[Event, EvaluationProfile]] = field(default_factory=list)
    deliveries: list[tuple[Delivery, EvaluationProfile]] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    deleted: list[tuple[EvaluationProfile, int]] = field(default_factory=list)


@dataclass(slots=True)
class _Running:
    """A use case at work.

    Attributes:
        case: the use case.
        sources: its registers by meter.
        factor: transformer factor of a meter.
        captured: when the readings of the instants that are not decided yet were captured, the last for each.
        unstored: readings that it saw since its state was stored.
    """

    case: UseCase
    sources: dict[str, tuple[Source, ...]]
    factor: Callable[[str], Amount | None]
    captured: dict[int, int] = field(default_factory=dict)
    unstored: int = 0

    def take(self, reading: Reading, outcome: Outcome) -> bool:
        """Give it a reading and add what follows to `outcome`; returns whether any of that is to be kept or told."""
        self.unstored += 1
        if reading.capture_us is not None:
            self.captured[reading.grid_s] = max(reading.capture_us, self.captured.get(reading.grid_s, 0))
        kept = False
        for point in points(reading, self.sources[reading.meter], self.factor(reading.meter)):
            outputs = self.case.take(point)
            if outputs and self.sort(outputs, outcome):
                kept = True
        decided_s = self.case.decided_s
        while self.captured and (at_s := next(iter(self.captured))) <= decided_s:
            del self.captured[at_s]
        return kept

    def sort(self, outputs: list[Output], outcome: Outcome) -> bool:
        """Add outputs to what has to be done with them; returns whether any is to be kept or told."""
        profile = self.case.profile
        places: dict[int, int] = {}
        kept = False
        for one in outputs:
            if isinstance(one, Derived):
                if one.kind not in STORED:
                    continue
                place = places[one.at_s] = places.get(one.at_s, -1) + 1
                capture_us = None if one.amount is None else self.captured.get(one.at_s)
                outcome.derived.append(DerivedEntry(profile.name, place, one, capture_us))
            elif isinstance(one, Event):
                outcome.events.append((one, profile))
            elif isinstance(one, Delivery):
                outcome.deliveries.append((one, profile))
            elif isinstance(one, Deletion):
                outcome.deleted.append((profile, one.before_s))
                sql = "DELETE FROM derived WHERE profile = ? AND at_s < ?"
                outcome.statements.append((sql, (profile.name, one.before_s)))
            kept = True
        return kept


class Evaluation:
    """The evaluation profiles in force.

    Args:
        memory: where the states of the use cases lie.
    """

    def __init__(self, memory: NonVolatileMemory) -> None:
        self._memory = memory
        self.factor: Callable[[str], Amount | None] = lambda meter: None
        """Transformer factor of a meter, None: it has none."""
        self._running: dict[str, _Running] = {}
        self._by_meter: dict[str, list[_Running]] = {}

    @property
    def profiles(self) -> dict[str, EvaluationProfile]:
        """The profiles in force by name."""
        return {name: one.case.profile for name, one in self._running.items()}

    def case(self, name: str) -> UseCase | None:
        """The use case of a profile, None when there is none of that name."""
        running = self._running.get(name)
        return None if running is None else running.case

    def add(self, profile: EvaluationProfile, now_s: int, *, anew: bool = False) -> Outcome:
        """Put a profile in force, from its begin or, unless `anew`, from where it was when the gateway stopped.

        Gives what follows from readings that are stored already and that its stored state has not seen. Samples are
        not among them, so measured values go on from `now_s`.

        Raises:
            TariffError: the profile makes no sense, or its use case is not offered.
        """
        case = use_case(profile, None if anew else self._stored_state(profile.name))
        if isinstance(case, Taf7):
            case.listing = False  # its list is the list of original readings (han 5.2)
        sources: dict[str, tuple[Source, ...]] = {}
        for source in case.profile.sources:
            sources[source.meter] = (*sources.get(source.meter, ()), source)
        running = self._running[profile.name] = _Running(case, sources, self.factor)
        self._arrange()
        if isinstance(case, Measured):
            outcome = Outcome()
            if running.sort(case.skip_to(now_s, self._waiting(profile.name)), outcome):
                outcome.statements.append(_state(running))
            return outcome
        return self._replay(running)

    def remove(self, name: str) -> list[Statement]:
        """Put a profile out of force; gives the statements that forget its state. Its entries stay."""
        self._running.pop(name, None)
        self._arrange()
        return [("DELETE FROM evaluation WHERE profile = ?", (name,))]

    def end_at(self, name: str, end_s: int | None) -> Outcome:
        """The validity of a profile ends at another instant, None: it is open.

        Raises:
            KeyError: no such profile.
            ProfileError: the instant is past or none of the grid.
        """
        outcome = Outcome()
        running = self._running[name]
        running.sort(running.case.end_at(end_s), outcome)
        outcome.statements.append(_state(running))
        return outcome

    def take(self, readings: Iterable[Reading], *, sampled: bool = False) -> Outcome:
        """What follows from readings, which are given in the order of time for each meter.

        Args:
            readings: registered ones, for the use cases of values that are kept.
            sampled: they are samples, for the use cases of measured values.
        """
        outcome = Outcome()
        stale: dict[str, _Running] = {}
        for reading in readings:
            for running in self._by_meter.get(reading.meter, ()):
                case = running.case
                if case.ended or sampled != (case.profile.use_case in MEASURED):
                    continue
                most = 1 if sampled and case.profile.sending.persistent else REPLAY_MOST
                if running.take(reading, outcome) or running.unstored >= most:
                    stale[case.profile.name] = running
        outcome.statements += [_state(one) for one in stale.values()]
        return outcome

    def tidy(self, now_s: int) -> Outcome:
        """What use cases that have ended still have to delete: daily values grow too old after the end as well."""
        outcome = Outcome()
        for running in self._running.values():
            if running.case.ended and running.sort(running.case.advance(now_s), outcome):
                outcome.statements.append(_state(running))
        return outcome

    def held_before(self, profile: str, at_s: int) -> int:
        """How many derived entries of a profile are stored from before an instant."""
        sql = "SELECT COUNT(*) FROM derived WHERE profile = ? AND at_s < ?"
        return int(self._memory.query(sql, (profile, at_s))[0][0])

    def state_statements(self, name: str) -> list[Statement]:
        """What stores all that a use case knows by now; nothing for a profile that is not in force."""
        running = self._running.get(name)
        return [] if running is None else [_state(running)]

    def _waiting(self, name: str) -> set[int]:
        """Numbers of the deliveries of a profile that wait for their receivers since before a power cut."""
        return {row[0] for row in self._memory.query("SELECT delivery FROM waiting WHERE profile = ?", (name,))}

    def _stored_state(self, name: str) -> Any:
        """None when there is none, or one that does not fit its digest: the readings make up for it."""
        rows = self._memory.query("SELECT state, digest FROM evaluation WHERE profile = ?", (name,))
        return json.loads(rows[0][0]) if rows and _digest(name, rows[0][0]) == rows[0][1] else None

    def _replay(self, running: _Running) -> Outcome:
        """Give a use case the stored readings that it has not seen, or saw after its state was stored."""
        outcome = Outcome()
        since_s = running.case.decided_s + 1
        kept = [
            running.take(reading, outcome)
            for meter in running.sources
            for reading in values.read(self._memory, meter, since_s)
        ]
        if any(kept):
            outcome.statements.append(_state(running))
        return outcome

    def _arrange(self) -> None:
        self._by_meter = {}
        for running in self._running.values():
            for meter in running.sources:
                self._by_meter.setdefault(meter, []).append(running)


def _state(running: _Running) -> Statement:
    running.unstored = 0
    text = _COMPACT(running.case.state())
    name = running.case.profile.name
    return ("INSERT OR REPLACE INTO evaluation VALUES (?, ?, ?)", (name, text, _digest(name, text)))


def _digest(name: str, text: str) -> bytes:
    return digest(f"{name}={text}".encode())


def broken_states(memory: NonVolatileMemory) -> list[str]:
    """Profiles whose stored state does not fit its digest."""
    rows = memory.query("SELECT profile, state, digest FROM evaluation ORDER BY profile")
    return [name for name, text, stored in rows if _digest(name, text) != stored]
