"""What is to be sent to market participants, and the list of what was sent (wan-core 7.1).

A delivery waits here for its channel. When it has reached its receiver it becomes a signed entry of the sent list and
a log entry; when it was given up the use case gets its values back, and that is logged as well.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from firmware.metering.evaluation import Evaluation
from firmware.metering.signing import Sign
from firmware.metering.tariffs.entries import Delivery
from firmware.metering.tariffs.local_time import local, utc
from firmware.metering.tariffs.measured import Measured
from firmware.metering.tariffs.profile import EvaluationProfile
from firmware.own_clock import OwnClock
from firmware.storage.memory import NonVolatileMemory
from firmware.storage.writer import StorageWriter

ON_DEMAND: Final = 6
"""TAF-6, reading on demand."""
ON_DEMAND_DELIVERED: Final = "on_demand_values_delivered"
"""CASA tells readings on demand from other deliveries (E16005 and E16001)."""
MOST_WAITING = 1000
"""Deliveries that may wait; then the oldest is given up."""


class Listener(Protocol):
    """What sending tells."""

    def event(self, event: str, /, **parameters: object) -> None:
        """Log a neutral event."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A delivery on its way to one receiver."""

    profile: EvaluationProfile
    delivery: Delivery
    recipient: str


class Outbox:
    """Deliveries that wait, and the list of those that were sent.

    Args:
        memory: where the sent list lies.
        writer: how entries get there.
        own: the gateway's clock.
        sign: signs an entry.
        evaluation: whose use cases are told what became of their values.
        listener: the rest of the gateway.
    """

    def __init__(
        self,
        memory: NonVolatileMemory,
        writer: StorageWriter,
        own: OwnClock,
        sign: Sign,
        evaluation: Evaluation,
        listener: Listener,
    ) -> None:
        self._memory = memory
        self._writer = writer
        self._own = own
        self._sign = sign
        self._evaluation = evaluation
        self._listener = listener
        self.knows: Callable[[str], bool] = lambda event: False
        """Whether the product has a message of its own for an event."""
        self._waiting: deque[Waiting] = deque()
        self._reached: set[tuple[str, int]] = set()
        """Deliveries that at least one receiver has got while others still wait: profile and number."""
        last = memory.query("SELECT MAX(number) FROM sent")[0][0]
        self._next = 1 if last is None else int(last) + 1

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """What was not sent yet, oldest first."""
        return tuple(self._waiting)

    def put(self, delivery: Delivery, profile: EvaluationProfile, recipients: tuple[str, ...] | None = None) -> None:
        """Something is to be sent to each of the recipients, None: to those of the profile.

        Without any its values stay unsent.
        """
        wanted = profile.recipients if recipients is None else recipients
        if not wanted:
            self._settle(profile.name, delivery.number)
        for recipient in wanted:
            while len(self._waiting) >= MOST_WAITING:
                self.give_up(self._waiting[0])
            self._waiting.append(Waiting(profile, delivery, recipient))

    def sent(self, one: Waiting) -> None:
        """A delivery has reached its receiver."""
        self._waiting.remove(one)
        instants = [value.at_s for value in one.delivery.values]
        begin_s, end_s, sent_us = min(instants), max(instants), self._own.now_us()
        fields = (self._next, one.profile.name, one.recipient, str(one.delivery.cause), begin_s, end_s, len(instants))
        self._next += 1
        signature = self._sign(sent_octets(*fields, sent_us))
        with self._writer.together():
            self._writer.put([("INSERT INTO sent VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*fields, sent_us, signature))])
            self._tell("values_delivered", one, begin_s, end_s)
        self._reached.add((one.profile.name, one.delivery.number))
        self._settle(one.profile.name, one.delivery.number)

    def give_up(self, one: Waiting) -> None:
        """A delivery could not be brought to its receiver."""
        self._waiting.remove(one)
        instants = [value.at_s for value in one.delivery.values]
        self._tell("values_not_delivered", one, min(instants), max(instants), outcome="failure")
        self._settle(one.profile.name, one.delivery.number)

    def read(self) -> list[dict[str, Any]]:
        """The sent list, oldest first."""
        columns = ("number", "profile", "recipient", "cause", "begin_s", "end_s", "count", "sent_us", "signature")
        rows = self._memory.query(f"SELECT {', '.join(columns)} FROM sent ORDER BY number")
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def _settle(self, profile: str, number: int) -> None:
        """When nobody waits for a delivery any more, tell the use case whether anybody has got it."""
        if any(one.profile.name == profile and one.delivery.number == number for one in self._waiting):
            return
        reached = (profile, number) in self._reached
        self._reached.discard((profile, number))
        case = self._evaluation.case(profile)
        if isinstance(case, Measured):
            (case.delivered if reached else case.failed)(number)

    def _tell(self, event: str, one: Waiting, begin_s: int, end_s: int, outcome: str = "success") -> None:
        told = {"begin": utc(begin_s), "end": utc(end_s), "count": len(one.delivery.values)}
        told |= {"profile": one.profile.name, "participant": one.recipient, "outcome": outcome}
        if event == "values_delivered" and one.profile.use_case == ON_DEMAND and self.knows(ON_DEMAND_DELIVERED):
            event, told["day"] = ON_DEMAND_DELIVERED, local(begin_s).date().isoformat()
        self._listener.event(event, consumer=one.profile.consumer, **told)


def sent_octets(
    number: int, profile: str, recipient: str, cause: str, begin_s: int, end_s: int, count: int, sent_us: int
) -> bytes:
    """What the signature of an entry of the sent list covers: its fields as lines of text (assumed)."""
    fields = (number, profile, recipient, cause, utc(begin_s), utc(end_s), count, utc(sent_us // 1_000_000))
    return "".join(f"{one}\n" for one in ("smgw-sent-1", *fields)).encode()
