"""What all use cases have in common: validity, order, what they keep between two readings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from firmware.metering.tariffs.entries import Cause, Delivery, Derived, Event, Kind, Output
from firmware.metering.tariffs.errors import ProfileError
from firmware.metering.tariffs.local_time import utc
from firmware.metering.tariffs.profile import SENDS_LISTS, EvaluationProfile
from firmware.metering.tariffs.readings import Point
from firmware.metering.tariffs.rows import Row, Rows


class UseCase(ABC):
    """One evaluation profile at work.

    Readings of registers or instants that are not the profile's are left alone. The state is plain data: a use case
    that is made anew from the same profile and restored goes on as if nothing had happened.

    Args:
        profile: an evaluation profile without findings (`rules.findings`).
    """

    def __init__(self, profile: EvaluationProfile) -> None:
        self.profile = profile
        self._rows = Rows(profile.sources, profile.begin_s, profile.end_s, profile.period_s)
        self._started = False
        self._unsent_s: int | None = None
        """First instant with an entry of its list that no delivery has."""

    @property
    def ended(self) -> bool:
        """Whether the last reading of the validity is done."""
        return self._rows.over

    @property
    def decided_s(self) -> int:
        """The last instant of the grid that is done; readings for it and before it are late."""
        return self._rows.next_s - self.profile.period_s

    def take(self, point: Point) -> list[Output]:
        """One more reading; gives what follows from it, in the order of time."""
        return self._outputs(self._rows.take(point))

    def advance(self, until_s: int) -> list[Output]:
        """No reading for an instant up to and with `until_s` will come any more: what is missing is missing."""
        return self._outputs(self._rows.advance(until_s))

    def end_at(self, end_s: int | None) -> list[Output]:
        """The validity ends, or ends at another instant (E20032); None: it is open.

        Raises:
            ProfileError: the validity is over, the instant is done already or is none of the grid.
        """
        if self.ended:
            raise ProfileError(f"evaluation profile {self.profile.name} has ended already")
        if end_s is not None:
            if end_s % self.profile.period_s:
                reason = f"is no multiple of the registration period of {self.profile.period_s} s"
                raise ProfileError(f"the end {utc(end_s)} {reason}")
            if end_s < self._rows.next_s or end_s <= self.profile.begin_s:
                raise ProfileError(f"the end {utc(end_s)} is past: readings are evaluated up to {utc(self.decided_s)}")
        self.profile = replace(self.profile, end_s=end_s)
        self._rows.end_s = end_s
        told = {"profile": self.profile.name, "time": "open" if end_s is None else utc(end_s)}
        return [Event("end_date_corrected", self.decided_s, told)]

    def send_to(self, recipients: tuple[str, ...]) -> None:
        """The recipients have changed; the only other thing that may change while a profile is running."""
        self.profile = replace(self.profile, recipients=recipients)

    def state(self) -> dict[str, Any]:
        """Everything that it knows, as plain data."""
        return {
            "use_case": self.profile.use_case,
            "end_s": self.profile.end_s,
            "started": self._started,
            "unsent_s": self._unsent_s,
            "rows": self._rows.state(),
            "own": self._own_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken. Raises ProfileError when it is the state of another use case."""
        if state["use_case"] != self.profile.use_case:
            raise ProfileError(f"this is the state of TAF-{state['use_case']}, not of TAF-{self.profile.use_case}")
        self.profile = replace(self.profile, end_s=state["end_s"])
        self._started = state["started"]
        self._unsent_s = state.get("unsent_s")
        self._rows.end_s = state["end_s"]
        self._rows.restore(state["rows"])
        self._own_restore(state["own"])

    def _outputs(self, rows: Iterable[Row]) -> list[Output]:
        found: list[Output] = []
        for row in rows:
            first, last = not self._started, row.at_s == self.profile.end_s
            if first:
                found.append(self._start(row.at_s))
            edge = Kind.FIRST if first else Kind.LAST if last else None
            self._row(row, edge, found)
            if self._sends_lists:
                self._send(row.at_s, edge, found)
            if last:
                found.append(self._end(row.at_s))
        return found

    @property
    def _sends_lists(self) -> bool:
        """Whether entries of its list go to market participants by themselves (TAF-1, 2 and 7)."""
        sending = self.profile.sending
        timed = sending.each or sending.every_s is not None
        return timed and bool(self.profile.recipients) and self.profile.use_case in SENDS_LISTS

    def _send(self, at_s: int, edge: Kind | None, found: list[Output]) -> None:
        """First and last reading go at once, what lies between at each entry or at multiples of the sending period."""
        sending = self.profile.sending
        entered = self._lists_all or any(isinstance(one, Derived) and one.at_s == at_s for one in found)
        if entered and self._unsent_s is None:
            self._unsent_s = at_s
        cause: Cause | None = None
        if edge is not None:
            cause = Cause.FIRST if edge is Kind.FIRST else Cause.LAST
        elif sending.each and entered:
            cause = Cause.EACH
        elif sending.every_s is not None and at_s % sending.every_s == 0:
            cause = Cause.PERIODIC
        if cause is not None and self._unsent_s is not None:
            found.append(Delivery(0, cause, at_s, (), span=(self._unsent_s, at_s)))
            self._unsent_s = None

    @property
    def _lists_all(self) -> bool:
        """Whether its list has an entry for every instant."""
        return False

    def _start(self, at_s: int) -> Event:
        self._started = True
        meters = ", ".join(dict.fromkeys(one.meter for one in self.profile.sources))
        return Event("tariff_started", at_s, {"profile": self.profile.name, "meters": meters})

    def _end(self, at_s: int) -> Event:
        return Event("evaluation_profile_ended", at_s, {"profile": self.profile.name})

    @abstractmethod
    def _row(self, row: Row, edge: Kind | None, found: list[Output]) -> None:
        """Add to `found` what follows from one instant; `edge`: it is the first or the last of the validity."""

    @abstractmethod
    def _own_state(self) -> Any:
        """What the use case itself knows, as plain data."""

    @abstractmethod
    def _own_restore(self, state: Any) -> None:
        """Take over what `_own_state` gave."""
