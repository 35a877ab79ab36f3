"""Who sends more than the band allows: time on the air within the last hour, per transmitter (lmn-wireless 2.3)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DutyExceeded:
    """A transmitter has been on the air for longer than it may be.

    Attributes:
        at_s: when it began the telegram that was too much, seconds of the clock.
        sender: its name.
        share: of the window that it was on the air, with that telegram.
        limit: share that is allowed.
    """

    at_s: float
    sender: str
    share: float
    limit: float

    def __str__(self) -> str:
        return f"{self.sender} was on the air for {self.share:.3%} of an hour, allowed are {self.limit:.1%}"


class DutyCycle:
    """Time on the air of one transmitter within a sliding window.

    Args:
        sender: name of the transmitter.
        limit: share of the window that is allowed.
        window_s: length of the window.
    """

    def __init__(self, sender: str, limit: float, window_s: float) -> None:
        self.sender = sender
        self.limit = limit
        self._window_s = window_s
        self._sent: deque[tuple[float, float]] = deque()
        self._sum_s = 0.0
        self._over = False

    def share(self, now_s: float) -> float:
        """Share of the window before `now_s` that it was on the air."""
        self._forget(now_s)
        return self._sum_s / self._window_s

    def sent(self, at_s: float, airtime_s: float) -> DutyExceeded | None:
        """It begins to send; says so once when that is too much, and anew after it has been below the limit."""
        self._forget(at_s)
        self._sent.append((at_s, airtime_s))
        self._sum_s += airtime_s
        share = self._sum_s / self._window_s
        was, self._over = self._over, share > self.limit
        return DutyExceeded(at_s, self.sender, share, self.limit) if self._over and not was else None

    def _forget(self, now_s: float) -> None:
        while self._sent and self._sent[0][0] <= now_s - self._window_s:
            self._sum_s -= self._sent.popleft()[1]
        if not self._sent:
            self._sum_s = 0.0
