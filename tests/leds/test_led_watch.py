"""The watch says what each LED shows at any time, wakes whoever waits, and stays small."""

from __future__ import annotations

import asyncio

import pytest

from devices.clock import Clock, wall_seconds
from devices.leds.emulated import EmulatedLeds
from devices.leds.groups import Relation
from devices.leds.pattern import Blink, Flash, Match, Off, On, Pulsed, Undecided, matches
from devices.leds.watch import MAX_EDGES, LedWatch
from devices.ports.led_lines import LedEdge


class HandClock:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.t = 0.0

    def __call__(self) -> float:
        return self.t


@pytest.fixture
def hand() -> HandClock:
    return HandClock()


def _blink(hand: HandClock, leds: EmulatedLeds, line: str, half_s: float, until: float) -> None:
    lit = not leds.levels()[line]
    at = hand.t + half_s
    while at < until:
        hand.t = at
        leds.set(line, lit)
        lit = not lit
        at += half_s
    hand.t = until


def test_a_led_is_undecided_first_then_off_then_on(hand: HandClock) -> None:
    leds = EmulatedLeds(hand, ("PWR", "TLS"))
    watch = LedWatch(hand, leds)
    assert watch.lines == ("PWR", "TLS")
    assert isinstance(watch.reading("PWR").pattern, Undecided)
    check = watch.next_check("PWR")
    assert check == pytest.approx(2.5, abs=1e-3)
    assert check is not None
    hand.t = check
    assert watch.reading("PWR").pattern == Off()
    hand.t = 5.0
    leds.set("PWR", lit=True)
    assert isinstance(watch.reading("PWR").pattern, Undecided)
    hand.t = watch.next_check("PWR") or 0.0
    assert hand.t == pytest.approx(7.5, abs=1e-3)
    assert watch.reading("PWR").pattern == On()
    assert watch.reading("PWR").start == 5.0


def test_without_edges_nothing_more_is_to_be_checked(hand: HandClock) -> None:
    watch = LedWatch(hand, EmulatedLeds(hand, ("PWR",)))
    hand.t = 3.0
    assert watch.next_check() is None
    assert watch.next_check("PWR", 3.0) is None


def test_a_blink_that_stops_is_noticed_at_the_next_check(hand: HandClock) -> None:
    leds = EmulatedLeds(hand, ("PWR",))
    watch = LedWatch(hand, leds)
    _blink(hand, leds, "PWR", 0.25, 4.0)
    assert isinstance(watch.reading("PWR").pattern, Blink)
    last = watch.edges("PWR")[-1][0]
    check = watch.next_check("PWR")
    assert check is not None
    assert last + 0.5 < check < last + 0.6
    assert isinstance(watch.reading("PWR", check - 0.01).pattern, Blink)
    assert isinstance(watch.reading("PWR", check).pattern, Undecided)


async def test_whoever_sleeps_until_the_next_check_or_edge_misses_no_decision(clock: Clock) -> None:
    leds = EmulatedLeds(clock.seconds, ("TLS",))
    watch = LedWatch(clock.seconds, leds)
    woken = asyncio.Event()
    watch.subscribe(lambda _: woken.set())
    seen: list[tuple[str, float]] = []

    async def look() -> None:
        while True:
            text = str(watch.reading("TLS").pattern)
            if not text.startswith("undecided") and (not seen or seen[-1][0] != text):
                seen.append((text, round(clock.seconds(), 2)))
            check = watch.next_check("TLS")
            woken.clear()
            try:
                async with asyncio.timeout(None if check is None else check - clock.seconds()):
                    await woken.wait()
            except TimeoutError:
                continue

    task = asyncio.ensure_future(look())
    await clock.sleep_until(4.0)
    for i in range(24):
        leds.set("TLS", i % 2 == 0)
        await clock.sleep_until(4.0 + (i + 1) * 0.125)
    await clock.sleep_until(20.0)
    task.cancel()
    assert [text for text, _ in seen] == ["off", "blinking 250 ms, 50 %", "off"]
    assert [at for _, at in seen] == [2.5, pytest.approx(6.25, abs=0.3), pytest.approx(9.38, abs=0.02)]
    assert matches(watch.whole("TLS", 20.0).pattern, Pulsed(Blink(0.25, 0.5), 3.0)) is Match.YES
    assert [str(part.pattern) for part in watch.segments("TLS", 30.0)] == ["off", "blinking 250 ms, 50 %", "off"]


def test_a_packet_is_a_flash_in_the_whole_window(hand: HandClock) -> None:
    leds = EmulatedLeds(hand, ("wMT",))
    watch = LedWatch(hand, leds)
    hand.t = 4.0
    leds.set("wMT", lit=True)
    hand.t = 4.2
    leds.set("wMT", lit=False)
    hand.t = 7.0
    assert watch.whole("wMT", 7.0).pattern == Flash(pytest.approx(0.2))
    assert watch.reading("wMT").pattern == Off()


def test_two_leds_blink_together(hand: HandClock) -> None:
    leds = EmulatedLeds(hand, ("PWR", "TLS"))
    watch = LedWatch(hand, leds)
    for i in range(20):
        hand.t = 0.25 * (i + 1)
        leds.set("PWR", i % 2 == 0)
        leds.set("TLS", i % 2 == 0)
    assert watch.group(("PWR", "TLS")).relation is Relation.TOGETHER


def test_a_reading_that_is_carried_on_is_the_same_as_one_made_anew(hand: HandClock) -> None:
    leds = EmulatedLeds(hand, ("PWR",))
    often, seldom = LedWatch(hand, leds), LedWatch(hand, leds)
    often.subscribe(lambda _: str(often.reading("PWR")))
    for half, until in ((0.05, 6.0), (0.25, 12.0), (0.125, 15.0), (30.0, 20.0)):
        _blink(hand, leds, "PWR", half, until)
        one, two = often.reading("PWR").pattern, seldom.reading("PWR").pattern
        assert type(one) is type(two)
        assert isinstance(two, On | Off) or matches(one, two) is Match.YES


def test_history_is_bounded_in_time_and_number(hand: HandClock) -> None:
    leds = EmulatedLeds(hand, ("PWR",))
    watch = LedWatch(hand, leds, history_s=10.0)
    _blink(hand, leds, "PWR", 0.05, 100.0)
    assert len(watch.edges("PWR")) < 10.0 / 0.05 + 300
    assert isinstance(watch.reading("PWR").pattern, Blink)
    _blink(hand, leds, "PWR", 0.0001, 103.0)
    assert len(watch.edges("PWR")) <= MAX_EDGES
    assert isinstance(watch.reading("PWR").pattern, Undecided)


def test_a_thousand_edges_per_second_cost_less_than_a_fifth_of_the_time(hand: HandClock) -> None:
    """Fifty LEDs in the fastest pattern, each looked at after each edge; a busy machine may take thrice that."""
    lines = tuple(f"L{i}" for i in range(50))
    leds = EmulatedLeds(hand, lines)
    watch = LedWatch(hand, leds)
    began = wall_seconds()
    for i in range(100):
        for number, line in enumerate(lines):
            hand.t = 0.05 * (i + 1) + 0.0005 * number
            leds.set(line, i % 2 == 0)
            watch.reading(line)
            watch.next_check(line)
    assert wall_seconds() - began < 5.0 * 0.2 * 3


def test_edges_that_come_late_are_put_in_their_place(hand: HandClock) -> None:
    leds = EmulatedLeds(hand, ("PWR",))
    watch = LedWatch(hand, leds)
    watch._seen(LedEdge(2.0, "PWR", lit=False))
    watch._seen(LedEdge(1.0, "PWR", lit=True))
    watch._seen(LedEdge(1.0, "TLS", lit=True))
    hand.t = 3.0
    assert watch.edges("PWR") == [(1.0, True), (2.0, False)]
    assert watch.edges("PWR", 1.5) == [(2.0, False)]


def test_after_closing_nothing_is_taken_in(hand: HandClock) -> None:
    leds = EmulatedLeds(hand, ("PWR",))
    watch = LedWatch(hand, leds)
    watch.close()
    watch.close()
    leds.set("PWR", lit=True)
    assert watch.edges("PWR") == []
    assert watch.levels() == {"PWR": False}


def test_setting_a_led_to_what_it_shows_is_no_edge(hand: HandClock) -> None:
    leds = EmulatedLeds(hand, ("PWR",))
    seen: list[LedEdge] = []
    end = leds.subscribe(seen.append)
    leds.set("PWR", lit=False)
    leds.set("PWR", lit=True)
    end()
    end()
    leds.set("PWR", lit=False)
    assert [edge.lit for edge in seen] == [True]
    with pytest.raises(KeyError):
        leds.set("TLS", lit=True)
    with pytest.raises(ValueError, match="must differ"):
        EmulatedLeds(hand, ("PWR", "PWR"))
