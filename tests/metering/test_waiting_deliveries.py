"""A power cut at any commit: what waits for market participants is there, and nothing is sent twice (wan-core 7.6).

The core of one product samples and registers a meter for half an hour. Participants take what waits every few minutes.
After each commit a copy of the memory is kept, which is what a cut at that moment leaves.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import pytest
from core_parts import BEGIN, BEGIN_S, METER, copy_of

from devices.clock import Clock
from devices.gateway_types import load
from firmware.metering.evaluation import broken_states
from firmware.metering.outbox import Outbox, Waiting, broken_deliveries, sent_octets
from firmware.metering.tariffs.local_time import local
from firmware.metering.tariffs.measured import Measured
from firmware.metering.tariffs.profile import Aggregate, EvaluationProfile, Sending, Term, Threshold
from firmware.metering.tariffs.readings import Amount, Source
from firmware.security.module import SecurityModule
from firmware.simulation import Simulation
from firmware.storage.memory import NonVolatileMemory, Statement

ClockAt = Callable[[datetime], Clock]
POWER, ENERGY = "1-0:16.7.0*255", "1-0:1.8.0*255"
MINUTES = 31
KEEPING, LOSING = "ppc", "conexa"


def _answer(at_us: int) -> Sequence[tuple[str, int, int, int]]:
    minute = (at_us // 1_000_000 - BEGIN_S) // 60
    return ((ENERGY, 1000 + minute, 0, 30), (POWER, 300 if minute % 10 == 4 else 100, 0, 27))


def _profile(taf: int, sending: Sending, *recipients: str, period_s: int = 60) -> EvaluationProfile:
    return EvaluationProfile(
        name=f"taf{taf}",
        use_case=taf,
        terms=(Term(Source(METER, ENERGY if taf == 6 else POWER)),),
        consumer="consumer-1",
        begin_s=BEGIN_S,
        recipients=recipients,
        period_s=period_s,
        pseudonym="" if taf == 6 else "p-1",
        sending=sending,
    )


LIMIT = Threshold(Source(METER, POWER), Amount(200))
PROFILES = (
    _profile(6, Sending(), "supplier", period_s=900),
    _profile(9, Sending(on_demand=True, thresholds=(LIMIT,)), "dso"),
    _profile(10, Sending(every_s=300, aggregates=(Aggregate.MEAN,)), "dso", "tso"),
    _profile(14, Sending(every_s=600, thresholds=(LIMIT,)), "service"),
)


class _Kept(NonVolatileMemory):
    """Keeps a copy of itself after each commit, with its instant and what waited in the outbox by then."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.outbox: Outbox | None = None
        self.copies: list[tuple[NonVolatileMemory, datetime, tuple[Waiting, ...]]] = []

    def commit(self, statements: Iterable[Statement]) -> None:
        super().commit(statements)
        if self.outbox is not None:
            self.copies.append((copy_of(self), self._clock.now(), self.outbox.waiting))


def _core(clock: Clock, memory: NonVolatileMemory, product: str) -> Simulation:
    options = {"signature_curve": "secp256r1"}
    return Simulation(load(product), clock, memory, random.Random(7), {METER: _answer}, PROFILES, options=options)


async def _run(simulation: Simulation, clock: Clock, minutes: int, *, take: bool = True) -> None:
    """Orders of the administrator at minutes 3 and 7, and participants who take what waits at minutes 12 and 22."""
    core = simulation._core
    begin = (BEGIN - clock.now()).total_seconds()

    def at(minute: float, deed: Callable[[], object]) -> None:
        if begin + minute * 60 > 0:
            clock.call_at(clock.seconds() + begin + minute * 60, deed)

    def take_all() -> None:
        for one in core.outbox.waiting:
            core.outbox.sent(one)

    at(3.5, lambda: core.demand("taf9"))
    at(7.5, lambda: core.order_reading("taf6", local(BEGIN_S).date(), "supplier"))
    if take:
        at(12.5, take_all)
        at(22.5, take_all)
    await simulation.run(minutes * 60 + begin)


def _stored(memory: NonVolatileMemory) -> list[tuple[str, int, str]]:
    return memory.query("SELECT profile, delivery, recipient FROM waiting ORDER BY number")


def _samples(outbox: Outbox) -> Counter[int]:
    """Instants of the samples of TAF-14 that wait."""
    return Counter(value.at_s for one in outbox.waiting if one.use_case == 14 for value in one.delivery.values)


@pytest.mark.parametrize("product", [KEEPING, LOSING, "casa"])
async def test_a_cut_at_any_commit_leaves_what_waits_and_nothing_that_was_sent(clock_at: ClockAt, product: str) -> None:
    """CONEXA keeps no measured values ([CONEXA] E-5.7), for CASA the same is assumed; a reading on demand always is."""
    clock = clock_at(BEGIN)
    memory = _Kept(clock)
    simulation = _core(clock, memory, product)
    memory.outbox = simulation._core.outbox
    await _run(simulation, clock, MINUTES)
    waited: set[str] = set()
    for cut, _, _ in memory.copies:
        stored = [row[0] for row in _stored(cut)]
        waited |= set(stored)
        assert broken_deliveries(cut) == []
        assert broken_states(cut) == []
        for name, recipients in (("taf9", 1), ("taf10", 2), ("taf14", 1)) if product == KEEPING else ():
            made = _made(cut, name) * recipients
            assert stored.count(name) + _count(cut, "sent", name) == made
    assert waited == ({"taf6", "taf9", "taf10", "taf14"} if product == KEEPING else {"taf6"})


def _made(memory: NonVolatileMemory, profile: str) -> int:
    """How many deliveries a use case has made by what is stored of it."""
    rows = memory.query("SELECT state FROM evaluation WHERE profile = ?", (profile,))
    return int(json.loads(rows[0][0])["own"]["number"]) if rows else 0


def _count(memory: NonVolatileMemory, table: str, profile: str) -> int:
    return int(memory.query(f"SELECT COUNT(*) FROM {table} WHERE profile = ?", (profile,))[0][0])


async def test_after_a_cut_at_any_commit_each_value_is_sent_once(clock_at: ClockAt) -> None:
    """What was taken before the cut, what waits after it, and what is unsent make up all samples, each once."""
    clock = clock_at(BEGIN)
    memory = _Kept(clock)
    simulation = _core(clock, memory, KEEPING)
    memory.outbox = simulation._core.outbox
    await _run(simulation, clock, MINUTES)
    tried = 0
    for cut, cut_at, _ in memory.copies:
        sent = cut.query("SELECT begin_s, end_s, count FROM sent WHERE profile = 'taf14'")
        again = _core(clock_at(cut_at + timedelta(seconds=70)), cut, KEEPING)
        outbox = again._core.outbox
        case = again.evaluation.case("taf14")
        assert isinstance(case, Measured)
        waiting = _samples(outbox)
        found = waiting + Counter(one.at_s for one in case.unsent if one.at_s not in waiting)
        for begin_s, end_s, count in sent:
            instants = range(begin_s, end_s + 1, 60)
            assert len(instants) == count
            found.update(instants)
        assert set(found.values()) <= {1}
        if found:
            tried += 1
            assert sorted(found) == list(range(min(found), max(found) + 1, 60))
            assert min(found) == BEGIN_S
            assert cut_at.timestamp() - max(found) < 61.0  # the newest may be in the commit behind this one
    assert tried > 10


async def test_what_waits_is_taken_after_the_cut_and_stands_in_the_sent_list_once(clock_at: ClockAt) -> None:
    memory, clock = NonVolatileMemory(), clock_at(BEGIN)
    await _run(_core(clock, memory, KEEPING), clock, 20, take=False)
    before = _stored(memory)
    assert {name for name, _, _ in before} == {"taf6", "taf9", "taf10", "taf14"}
    clock = clock_at(BEGIN + timedelta(minutes=40))
    again = _core(clock, memory, KEEPING)
    outbox = again._core.outbox
    assert [(one.profile, one.delivery.number, one.recipient) for one in outbox.waiting] == before
    for one in outbox.waiting:
        outbox.sent(one)
    await asyncio.sleep(1)
    assert _stored(memory) == []
    rows = outbox.read()
    assert [(row["profile"], row["recipient"]) for row in rows] == [(name, who) for name, _, who in before]
    security = SecurityModule(memory)
    for row in rows:
        signature = row.pop("signature")
        assert security.verify(sent_octets(*row.values()), signature)
    third = _core(clock_at(BEGIN + timedelta(minutes=50)), memory, KEEPING)
    assert third._core.outbox.waiting == ()
    case = third.evaluation.case("taf14")
    assert isinstance(case, Measured)
    assert case.unsent == ()


async def test_a_delivery_that_was_given_up_stays_so_and_its_values_are_unsent(clock_at: ClockAt) -> None:
    memory, clock = NonVolatileMemory(), clock_at(BEGIN)
    await _run(_core(clock, memory, KEEPING), clock, 20, take=False)
    again = _core(clock_at(BEGIN + timedelta(minutes=40)), memory, KEEPING)
    for one in again._core.outbox.waiting:
        again._core.outbox.give_up(one)
    await asyncio.sleep(1)
    third = _core(clock_at(BEGIN + timedelta(minutes=50)), memory, KEEPING)
    assert third._core.outbox.waiting == ()
    case = third.evaluation.case("taf14")
    assert isinstance(case, Measured)
    assert [one.at_s for one in case.unsent] == [BEGIN_S + 60 * minute for minute in range(21)]


async def test_an_option_says_otherwise(clock_at: ClockAt) -> None:
    for product, choice, kept in ((KEEPING, "lose", {"taf6"}), (LOSING, "keep", {"taf6", "taf9", "taf10", "taf14"})):
        memory, clock = NonVolatileMemory(), clock_at(BEGIN)
        options = {"signature_curve": "secp256r1", "measured_values_at_cut": choice}
        core = Simulation(load(product), clock, memory, random.Random(7), {METER: _answer}, PROFILES, options=options)
        await _run(core, clock, 20, take=False)
        assert {name for name, _, _ in _stored(memory)} == kept


async def test_a_profile_of_the_same_name_has_nothing_to_do_with_what_waits(clock_at: ClockAt) -> None:
    memory, clock = NonVolatileMemory(), clock_at(BEGIN)
    core = _core(clock, memory, KEEPING)
    await _run(core, clock, 20, take=False)
    core._core.forget("taf14")
    await asyncio.sleep(1)
    again = _core(clock_at(BEGIN + timedelta(minutes=40)), memory, KEEPING)
    old = [one for one in again._core.outbox.waiting if one.profile == "taf14"]
    assert old
    assert {one.delivery.number for one in old} == {0}
    again._core.outbox.give_up(old[0])
    case = again.evaluation.case("taf14")
    assert isinstance(case, Measured)
    assert case.unsent == ()


async def test_what_does_not_fit_its_digest_is_not_sent_and_is_found(clock_at: ClockAt) -> None:
    memory, clock = NonVolatileMemory(), clock_at(BEGIN)
    await _run(_core(clock, memory, KEEPING), clock, 8, take=False)
    count = len(_stored(memory))
    memory.commit([("UPDATE waiting SET recipient = 'somebody' WHERE number = 1", ())])
    again = _core(clock_at(BEGIN + timedelta(minutes=40)), memory, KEEPING)
    assert len(again._core.outbox.waiting) == count - 1
    assert len(broken_deliveries(memory)) == 1
