"""Deliveries and the sent list: who got what, signed and told (wan-core 7.1, 7.6)."""

from __future__ import annotations

import random
from typing import Any

import pytest
from core_parts import BEGIN_S, ENERGY, METER

from devices.clock import Clock
from firmware.metering import outbox, values
from firmware.metering.evaluation import Evaluation
from firmware.metering.outbox import Outbox
from firmware.metering.status_word import GatewayBit, StatusWord, combined
from firmware.metering.tariffs.measured import Measured
from firmware.metering.tariffs.profile import EvaluationProfile, Sending, Term
from firmware.metering.tariffs.readings import Source
from firmware.metering.values import Entry, Reading
from firmware.own_clock import OwnClock, to_us
from firmware.security.module import SecurityModule, make_keys
from firmware.storage.memory import NonVolatileMemory
from firmware.storage.writer import StorageWriter

WORD = str(combined(frozenset({GatewayBit.NOT_FOR_BILLING}), None))


class _Told:
    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.octets = 0

    def event(self, event: str, /, **parameters: object) -> None:
        self.events.append((event, parameters))

    def stored(self, octets: int) -> None:
        self.octets += octets


class _Desk:
    """An outbox behind a TAF-14 profile whose every sample goes out."""

    def __init__(self, clock: Clock, *recipients: str) -> None:
        self.memory, self.told = NonVolatileMemory(), _Told()
        make_keys(self.memory, random.Random(1), "brainpoolP256r1")
        self.security = SecurityModule(self.memory)
        self.evaluation = Evaluation(self.memory)
        self.clock = clock
        writer = StorageWriter(clock, self.memory, 0.0)
        own = OwnClock(clock, 0.0, to_us(clock.now()))
        self.outbox = Outbox(self.memory, writer, own, self.security.sign, self.evaluation, self.told)
        self.profile = EvaluationProfile(
            name="grid-state",
            use_case=14,
            terms=(Term(Source(METER, ENERGY)),),
            consumer="consumer-1",
            begin_s=BEGIN_S,
            recipients=recipients,
            period_s=60,
            pseudonym="p-1",
            sending=Sending(each=True),
        )
        self.evaluation.add(self.profile, BEGIN_S)

    @property
    def case(self) -> Measured:
        case = self.evaluation.case(self.profile.name)
        assert isinstance(case, Measured)
        return case

    def sample(self, minute: int) -> None:
        reading = Reading(METER, BEGIN_S + 60 * minute, 1, WORD, (Entry(ENERGY, minute, 0, 30),))
        for delivery, profile in self.evaluation.take([reading], sampled=True).deliveries:
            self.outbox.put(delivery, profile)

    async def sent(self) -> list[dict[str, Any]]:
        await self.clock.sleep(1)
        return self.outbox.read()


async def test_what_was_sent_is_a_signed_entry_and_a_log_entry(clock: Clock) -> None:
    desk = _Desk(clock, "emt-1")
    desk.sample(1)
    (waiting,) = desk.outbox.waiting
    assert [one.meter for one in waiting.delivery.values] == ["p-1"]
    assert StatusWord().gateway != waiting.delivery.values[0].status.gateway
    desk.outbox.sent(waiting)
    (row,) = await desk.sent()
    begin = "2025-12-31T23:01:00Z"
    text = f"smgw-sent-1\n1\ngrid-state\nemt-1\neach\n{begin}\n{begin}\n1\n2026-01-05T00:00:00Z\n"
    assert desk.security.verify(text.encode(), row["signature"])
    assert [event for event, _ in desk.told.events] == ["values_delivered"]
    assert desk.outbox.waiting == ()
    assert desk.case.unsent == ()


async def test_what_nobody_got_goes_with_the_next_delivery(clock: Clock) -> None:
    desk = _Desk(clock, "emt-1")
    desk.sample(1)
    desk.outbox.give_up(desk.outbox.waiting[0])
    assert [event for event, _ in desk.told.events] == ["values_not_delivered"]
    desk.sample(2)
    assert [one.amount.value for one in desk.outbox.waiting[0].delivery.values if one.amount] == [1, 2]
    assert await desk.sent() == []


async def test_without_a_recipient_values_stay_unsent(clock: Clock) -> None:
    desk = _Desk(clock)
    desk.sample(1)
    desk.sample(2)
    assert desk.outbox.waiting == ()
    assert len(desk.case.unsent) == 2


@pytest.mark.parametrize("first_fails", [True, False])
async def test_values_that_one_of_two_has_got_are_not_sent_again(clock: Clock, first_fails: bool) -> None:
    desk = _Desk(clock, "emt-1", "emt-2")
    desk.sample(1)
    first, second = desk.outbox.waiting
    (desk.outbox.give_up if first_fails else desk.outbox.sent)(first)
    assert len(desk.case.unsent) == (1 if first_fails else 0)
    (desk.outbox.sent if first_fails else desk.outbox.give_up)(second)
    assert desk.case.unsent == ()
    assert len(await desk.sent()) == 1


async def test_the_outbox_is_bounded_and_the_oldest_is_given_up(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MOST_WAITING", 20)
    desk = _Desk(clock, "emt-1")
    for minute in range(1, 23):
        desk.sample(minute)
    assert len(desk.outbox.waiting) == 20
    assert [event for event, _ in desk.told.events] == ["values_not_delivered"] * 2


async def test_numbers_go_on_after_a_restart(clock: Clock) -> None:
    desk = _Desk(clock, "emt-1")
    desk.sample(1)
    desk.outbox.sent(desk.outbox.waiting[0])
    await desk.sent()
    writer = StorageWriter(clock, desk.memory, 0.0)
    own = OwnClock(clock, 0.0, to_us(clock.now()))
    again = Outbox(desk.memory, writer, own, desk.security.sign, desk.evaluation, desk.told)
    desk.sample(2)
    again.put(desk.outbox.waiting[0].delivery, desk.profile)
    again.sent(again.waiting[0])
    assert [row["number"] for row in await desk.sent()] == [1, 2]


async def test_what_was_sent_takes_room_and_its_signature_is_checked(clock: Clock) -> None:
    desk = _Desk(clock, "supplier")
    for minute in range(4):
        desk.sample(minute)
    for one in desk.outbox.waiting[:3]:
        desk.outbox.sent(one)
    await clock.sleep(1)
    assert desk.told.octets == values.used_octets(desk.memory) == 3 * values.SENT_OCTETS
    assert outbox.broken_sent(desk.memory, 10, desk.security.verify) is None
    desk.memory.commit([("UPDATE sent SET recipient = 'another' WHERE number = 2", ())])
    assert outbox.broken_sent(desk.memory, 10, desk.security.verify) == 2
    assert outbox.broken_sent(desk.memory, 1, desk.security.verify) is None
