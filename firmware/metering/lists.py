"""The three lists of values: original, derived, sent (wan-core 7.1).

Readings come from registration. Each value is signed, then stored together with what the use cases make of it, in one
commit. What was sent to whom is entered when a delivery has reached its receiver.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from firmware.metering import derived, values
from firmware.metering.evaluation import Evaluation, Outcome
from firmware.metering.signing import Signer
from firmware.metering.tariffs.entries import Delivery
from firmware.metering.tariffs.local_time import utc
from firmware.metering.tariffs.profile import EvaluationProfile
from firmware.metering.values import Reading
from firmware.storage.memory import Statement
from firmware.storage.writer import StorageWriter


class Listener(Protocol):
    """What the lists tell."""

    def event(self, event: str, /, **parameters: object) -> None:
        """Log a neutral event."""

    def stored(self, octets: int) -> None:
        """Values of that size were handed in for storage."""


class ValueLists:
    """Takes readings, gives them to the evaluation, signs and stores.

    Args:
        writer: how everything gets to the memory.
        signer: who signs.
        evaluation: the use cases.
        listener: the rest of the gateway.
    """

    def __init__(self, writer: StorageWriter, signer: Signer, evaluation: Evaluation, listener: Listener) -> None:
        self._writer = writer
        self._signer = signer
        self._listener = listener
        self.evaluation = evaluation
        self.made = 0
        """Values that were handed in, originals and derived ones, gaps as one each."""
        self.on_delivery: Callable[[Delivery, EvaluationProfile], None] = lambda delivery, profile: None
        """Measured values are to be sent."""
        self.on_ended: Callable[[str], None] = lambda profile: None
        """An evaluation profile has done its last reading."""

    def put(self, readings: Sequence[Reading]) -> None:
        """Readings in the order of time for each meter; an instant that is stored already stays as it is."""
        self._finish(readings, self.evaluation.take(readings))

    def sampled(self, readings: Sequence[Reading]) -> None:
        """Samples for the use cases of measured values; they are not stored."""
        self._finish((), self.evaluation.take(readings, sampled=True))

    def evaluate(self, profile: EvaluationProfile, now_s: int, *, anew: bool = False) -> None:
        """Put an evaluation profile in force, `anew`: whatever is stored of it; errors as `Evaluation.add`."""
        self._finish((), self.evaluation.add(profile, now_s, anew=anew))

    def forget(self, profile: str) -> None:
        """Put an evaluation profile out of force; its entries stay."""
        statements = self.evaluation.remove(profile)
        self._signer.submit((), lambda _: self._writer.put(statements))  # behind what is being signed

    async def flush(self) -> None:
        """Wait until what is signed is stored. Raises PowerLost when mains fails before that."""
        await self._writer.flush()

    def tidy(self, now_s: int) -> None:
        """Delete what use cases that have ended must not keep any longer."""
        self._finish((), self.evaluation.tidy(now_s))

    def end_at(self, profile: str, end_s: int | None) -> None:
        """The validity of a profile ends at another instant, None: it is open; errors as `Evaluation.end_at`."""
        self._finish((), self.evaluation.end_at(profile, end_s))

    def _finish(self, readings: Sequence[Reading], outcome: Outcome) -> None:
        if not readings and not (outcome.derived or outcome.events or outcome.deliveries or outcome.statements):
            return
        octets = [text for one in readings for text in values.octets_to_sign(one)]
        own = len(octets)
        octets += [one.octets for one in outcome.derived]
        self.made += len(octets)
        self._signer.submit(octets, lambda signatures: self._store(readings, own, outcome, signatures))
        if outcome.events or outcome.deleted or outcome.deliveries:  # what is told or sent must not wait for instants
            self._signer.flush()

    def _store(self, readings: Sequence[Reading], own: int, outcome: Outcome, signatures: Sequence[bytes]) -> None:
        """Store with the signatures, the first `own` of which are the readings'."""
        statements: list[Statement] = values.store_signed(readings, signatures[:own])
        statements += derived.store(outcome.derived, signatures[own:])
        statements += outcome.statements
        with self._writer.together():
            self._writer.put(statements)
            self._tell(outcome)
            for delivery, profile in outcome.deliveries:
                self.on_delivery(delivery, profile)
        kept = sum(len(one.entries) for one in readings)
        octets = values.READING_OCTETS * len(readings) + values.VALUE_OCTETS * kept
        latest: dict[str, int] = {}
        for profile, before_s in outcome.deleted:
            latest[profile.name] = max(before_s, latest.get(profile.name, before_s))
        gone = sum(self.evaluation.held_before(name, before_s) for name, before_s in latest.items())
        octets += values.DERIVED_OCTETS * (len(outcome.derived) - gone)
        if octets:
            self._listener.stored(octets)

    def _tell(self, outcome: Outcome) -> None:
        for event, profile in outcome.events:
            self._listener.event(event.name, consumer=profile.consumer, **event.parameters)
            if event.name == "evaluation_profile_ended":
                self.on_ended(profile.name)
        for profile, before_s in outcome.deleted:
            told = {"profile": profile.name, "domain": profile.name, "time": utc(before_s)}
            self._listener.event("derived_values_deleted", consumer=profile.consumer, **told)
