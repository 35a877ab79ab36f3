"""Sessions of all products: idle limit, longest session, bounds on their number."""

from __future__ import annotations

import random

from devices.clock import Clock
from firmware.han.sessions import Limits, OpenSessions, Session, new_id, same


def begin(clock: Clock, found: OpenSessions[Session], owner: str = "alice") -> tuple[Session, list[Session]]:
    made = Session(new_id(random.Random(len(list(found)))), owner, clock.seconds(), clock.seconds())
    return made, found.add(made)


async def test_a_session_ends_idle_or_old(clock: Clock) -> None:
    found: OpenSessions[Session] = OpenSessions(clock, Limits(600, 2000))
    one, _ = begin(clock, found)
    for _ in range(4):
        await clock.sleep(450)
        assert found.of(one.id) is one
        found.used(one)
    await clock.sleep(300)
    assert found.of(one.id) is None, "older than the longest"
    assert list(found) == [one], "it stays until it is ended"
    other, _ = begin(clock, found)
    await clock.sleep(600)
    assert found.of(other.id) is None, "idle"
    found.end(other)
    assert list(found) == [one]


async def test_of_too_many_the_one_that_was_used_longest_ago_ends(clock: Clock) -> None:
    found: OpenSessions[Session] = OpenSessions(clock, Limits(600, 2000, most=3))
    made = []
    for number in range(3):
        made.append(begin(clock, found, f"user-{number}")[0])
        await clock.sleep(1)
    found.used(made[0])
    fourth, ended = begin(clock, found, "user-0")
    assert ended == [made[1]]
    assert [one.owner for one in found] == ["user-2", "user-0", "user-0"] and found.of(made[1].id) is None
    assert found.of(fourth.id) is fourth


async def test_a_user_has_as_many_as_the_product_allows(clock: Clock) -> None:
    found: OpenSessions[Session] = OpenSessions(clock, Limits(600, 2000, per_user=1))
    first, _ = begin(clock, found)
    other, _ = begin(clock, found, "bob")
    second, ended = begin(clock, found)
    assert ended == [first] and list(found) == [other, second]


async def test_using_an_ended_session_does_not_bring_it_back(clock: Clock) -> None:
    found: OpenSessions[Session] = OpenSessions(clock, Limits(600, 2000))
    one, _ = begin(clock, found)
    found.end(one)
    found.used(one)
    assert found.of(one.id) is None and found.of(None) is None and found.of("") is None


def test_secrets_of_any_letters_can_be_compared() -> None:
    assert same("abc", "abc") and not same("abc", "abd") and not same("abc", "\udcff")
