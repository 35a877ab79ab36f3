"""What is to be sent to market participants, and the list of what was sent (wan-core 7.1).

A delivery waits here for its channel. When it has reached its receiver it becomes a signed entry of the sent list and
a log entry; when it was given up the use case gets its values back, and that is logged as well.

What waits is stored in the commit that holds what it follows from, and goes from there in the commit of its sent
entry, so a power cut neither loses a delivery nor lets it be sent twice. Where the product does not keep measured
values over a power cut, TAF-9, 10 and 14 wait in volatile memory.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from firmware.config import Options
from firmware.metering.evaluation import Evaluation
from firmware.metering.sent_values import values_of
from firmware.metering.signing import Sign
from firmware.metering.tariffs.entries import Cause, Delivery, Derived, derived_of
from firmware.metering.tariffs.local_time import local, utc
from firmware.metering.tariffs.measured import Measured
from firmware.metering.tariffs.profile import MEASURED, EvaluationProfile
from firmware.metering.values import SENT_OCTETS
from firmware.own_clock import OwnClock
from firmware.product import Product
from firmware.storage.memory import NonVolatileMemory, Statement, digest, plain_json
from firmware.storage.writer import StorageWriter

ON_DEMAND: Final = 6
"""TAF-6, reading on demand."""
ON_DEMAND_DELIVERED: Final = "on_demand_values_delivered"
"""CASA tells readings on demand from other deliveries (E16005 and E16001)."""
EDGE_DELIVERED: Final = {Cause.FIRST: "first_values_delivered", Cause.LAST: "last_values_delivered"}
"""It also tells first and last readings from them (E16002, E16003)."""
MOST_WAITING = 1000
"""Deliveries that may wait; then the oldest is given up."""


class Listener(Protocol):
    """What sending tells."""

    def event(self, event: str, /, **parameters: object) -> None:
        """Log a neutral event."""

    def stored(self, octets: int) -> None:
        """So much was handed in for storage."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A delivery on its way to one receiver.

    Attributes:
        number: its place in their order.
        profile, use_case, consumer: of the evaluation profile that it comes from, which may be deleted meanwhile.
        recipient: name of the communication profile.
        delivery: what is sent.
        kept: whether it outlives a power cut.
    """

    number: int
    profile: str
    use_case: int
    consumer: str
    recipient: str
    delivery: Delivery
    kept: bool

    @property
    def statement(self) -> Statement:
        """What stores it."""
        one = self.delivery
        values = [value.plain() for value in one.values]
        text = plain_json([self.use_case, self.consumer, str(one.cause), one.at_s, one.lost, values, one.span])
        row = (self.number, self.profile, one.number, self.recipient, text)
        return ("INSERT OR REPLACE INTO waiting VALUES (?, ?, ?, ?, ?, ?)", (*row, _digest(row)))


def keeps_measured(product: Product, options: Options) -> bool:
    """Whether values of TAF-9, 10 and 14 outlive a power cut."""
    if options.measured_values_at_cut == "type":
        return product.choice("measured_values_outlive_cut", "true") == "true"
    return options.measured_values_at_cut == "keep"


def outliving(profile: EvaluationProfile, *, measured: bool) -> EvaluationProfile:
    """The profile as the product carries it out: where it keeps no measured values, none outlive a power cut."""
    if measured or profile.use_case not in MEASURED:
        return profile
    return replace(profile, sending=replace(profile.sending, persistent=False))


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
        self._waiting = deque(_stored(memory))
        self._last = max([0, *(row[0] for row in memory.query("SELECT number FROM waiting"))])
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
            self._failed(profile.name, delivery.number)
        kept = profile.use_case not in MEASURED or profile.sending.persistent
        with self._writer.together():
            for recipient in wanted:
                while len(self._waiting) >= MOST_WAITING:
                    self.give_up(self._waiting[0])
                self._last += 1
                about = (profile.name, profile.use_case, profile.consumer)
                one = Waiting(self._last, *about, recipient, delivery, kept)
                self._waiting.append(one)
                if kept:
                    self._writer.put([one.statement])
            if kept and wanted and delivery.cause is Cause.DEMAND and profile.use_case in MEASURED:
                self._writer.put(self._evaluation.state_statements(profile.name))  # with readings their commit has it

    def sent(self, one: Waiting) -> None:
        """A delivery has reached its receiver."""
        self._waiting.remove(one)
        (begin_s, end_s), sent_us = one.delivery.bounds, self._own.now_us()
        count = len(self.values(one))
        fields = (self._next, one.profile, one.recipient, str(one.delivery.cause), begin_s, end_s, count)
        self._next += 1
        signature = self._sign(sent_octets(*fields, sent_us))
        case = self._evaluation.case(one.profile)
        if isinstance(case, Measured):
            case.delivered(one.delivery.number)
        with self._writer.together():
            self._writer.put([("INSERT INTO sent VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*fields, sent_us, signature))])
            self._writer.put(self._gone(one))
            self._listener.stored(SENT_OCTETS)
            self._tell("values_delivered", one, count)

    def give_up(self, one: Waiting) -> None:
        """A delivery could not be brought to its receiver; values that nobody has got are unsent again."""
        self._waiting.remove(one)
        self._failed(one.profile, one.delivery.number)
        with self._writer.together():
            self._writer.put(self._gone(one))
            self._tell("values_not_delivered", one, len(self.values(one)), outcome="failure")

    def release(self, profile: str) -> None:
        """The profile is out of force: what waits stays, but another profile of that name has nothing to do with it."""
        for place, one in enumerate(self._waiting):
            if one.profile == profile and one.delivery.number:
                released = self._waiting[place] = replace(one, delivery=replace(one.delivery, number=0))
                if one.kept:
                    self._writer.put([released.statement])

    def values(self, one: Waiting) -> tuple[Derived, ...]:
        """What a delivery brings, in the order of time."""
        return values_of(self._memory, one.profile, one.use_case, one.delivery)

    def read(self) -> list[dict[str, Any]]:
        """The sent list, oldest first."""
        columns = ("number", "profile", "recipient", "cause", "begin_s", "end_s", "count", "sent_us", "signature")
        rows = self._memory.query(f"SELECT {', '.join(columns)} FROM sent ORDER BY number")
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def _gone(self, one: Waiting) -> list[Statement]:
        """What forgets a delivery that waits no longer, and stores what its use case made of that."""
        if not one.kept:
            return []
        state = self._evaluation.state_statements(one.profile) if one.use_case in MEASURED else []
        return [("DELETE FROM waiting WHERE number = ?", (one.number,)), *state]

    def _failed(self, profile: str, number: int) -> None:
        """When nobody waits for a delivery any more, its use case gets back what nobody has got."""
        case = self._evaluation.case(profile)
        waits = any(one.profile == profile and one.delivery.number == number for one in self._waiting)
        if isinstance(case, Measured) and not waits:
            case.failed(number)

    def _tell(self, event: str, one: Waiting, count: int, outcome: str = "success") -> None:
        begin_s, end_s = one.delivery.bounds
        told: dict[str, Any] = {"begin": utc(begin_s), "end": utc(end_s), "count": count}
        told |= {"profile": one.profile, "participant": one.recipient, "outcome": outcome}
        special = ON_DEMAND_DELIVERED if one.use_case == ON_DEMAND else EDGE_DELIVERED.get(one.delivery.cause, "")
        if event == "values_delivered" and self.knows(special):
            event, told["day"], told["time"] = special, local(begin_s).date().isoformat(), utc(end_s)
        self._listener.event(event, consumer=one.consumer, **told)


def sent_octets(
    number: int, profile: str, recipient: str, cause: str, begin_s: int, end_s: int, count: int, sent_us: int
) -> bytes:
    """What the signature of an entry of the sent list covers: its fields as lines of text (assumed)."""
    fields = (number, profile, recipient, cause, utc(begin_s), utc(end_s), count, utc(sent_us // 1_000_000))
    return "".join(f"{one}\n" for one in ("smgw-sent-1", *fields)).encode()


def broken_sent(memory: NonVolatileMemory, limit: int, verify: Callable[[bytes, bytes], bool]) -> int | None:
    """The newest among the `limit` latest entries of the sent list whose signature does not verify; None: all do."""
    columns = "number, profile, recipient, cause, begin_s, end_s, count, sent_us, signature"
    for *fields, signature in memory.query(f"SELECT {columns} FROM sent ORDER BY number DESC LIMIT ?", (limit,)):
        if not verify(sent_octets(*fields), signature):
            return int(fields[0])
    return None


_COLUMNS: Final = "number, profile, delivery, recipient, content, digest"


def _digest(row: tuple[int, str, int, str, str]) -> bytes:
    return digest(repr(row).encode())


def _stored(memory: NonVolatileMemory) -> list[Waiting]:
    """What waited before a power cut, oldest first; what does not fit its digest is left for the self-test."""
    found = []
    for *row, stored in memory.query(f"SELECT {_COLUMNS} FROM waiting ORDER BY number"):
        place, profile, number, recipient, text = row
        if _digest((place, profile, number, recipient, text)) != stored:
            continue
        use_case, consumer, cause, at_s, lost, values, span = json.loads(text)
        found_values = tuple(derived_of(one) for one in values)
        bounds = None if span is None else (span[0], span[1])
        delivery = Delivery(number, Cause(cause), at_s, found_values, lost, bounds)
        found.append(Waiting(place, profile, use_case, consumer, recipient, delivery, kept=True))
    return found


def broken_deliveries(memory: NonVolatileMemory) -> list[str]:
    """Profiles of waiting deliveries that do not fit their digests."""
    rows = memory.query(f"SELECT {_COLUMNS} FROM waiting ORDER BY number")
    return [row[1] for row in rows if _digest(row[:5]) != row[5]]
