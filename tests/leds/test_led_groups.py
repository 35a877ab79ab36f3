"""How LEDs stand to each other: update, violations and failures differ by that alone (PPC 2.4)."""

from __future__ import annotations

import random

import pytest
from led_signals import Disturbance, edges_of, lit_at

from devices.leds.groups import Relation, relate
from devices.leds.pattern import Blink, Burst, Off, On
from devices.leds.reading import Reading
from devices.leds.waveform import newest

Shown = Off | On | Blink | Burst


def _reading(
    pattern: Shown, phase: float, rng: random.Random, jitter_s: float = 0.01, anomaly: str = "none"
) -> Reading:
    initial = lit_at(pattern, phase)
    edges = Disturbance(rng, jitter_s, anomaly).apply(edges_of(pattern, 0.0, 10.0, phase), 0.0, 10.0, initial)
    return newest(edges, 0.0, 10.0, initial)


@pytest.mark.parametrize("anomaly", ["none", "missed", "repeated", "false"])
@pytest.mark.parametrize(
    "pattern", [Blink(0.1, 0.5), Blink(0.25, 0.5), Blink(0.5, 0.5), Blink(1.0, 0.5), Blink(2.0, 0.5)]
)
@pytest.mark.parametrize(("shift", "relation"), [(0.0, "together"), (0.5, "alternating"), (0.27, "unrelated")])
def test_two_blinking_leds_keep_their_phase(pattern: Blink, shift: float, relation: str, anomaly: str) -> None:
    """PWR and wMT blink together or alternately (PPC 2.4)."""
    found = []
    for seed in range(6):
        rng = random.Random(f"{pattern} {shift} {anomaly} {seed}")
        phase = rng.random()
        readings = {
            "PWR": _reading(pattern, phase, rng, anomaly=anomaly),
            "wMT": _reading(pattern, (phase + shift) % 1.0, rng, anomaly=anomaly),
        }
        found.append(relate(readings).relation.value)
    assert set(found) <= {relation, "undecided"}
    assert found.count(relation) >= 4


def test_three_leds_blink_together_while_an_update_is_installed() -> None:
    """PWR, TLS and wMT together (PPC 2.4); a third one out of step is not that."""
    rng = random.Random(1)
    together = {line: _reading(Blink(0.5, 0.5), 0.2, rng) for line in ("PWR", "TLS", "wMT")}
    group = relate(together)
    assert group.relation is Relation.TOGETHER
    assert [figure.name for figure in group.figures] == ["phase PWR to TLS", "phase PWR to wMT", "phase TLS to wMT"]
    assert all(abs(figure.value) < 0.05 and figure.uncertainty for figure in group.figures)
    assert relate({**together, "TLS": _reading(Blink(0.5, 0.5), 0.7, rng)}).relation is Relation.UNRELATED


def test_bursts_are_together_by_their_first_flash() -> None:
    rng = random.Random(2)
    heartbeat = Burst(2, 0.1, 0.1, 1.5)
    assert (
        relate({"PWR": _reading(heartbeat, 0.3, rng), "LMC": _reading(heartbeat, 0.3, rng)}).relation
        is Relation.TOGETHER
    )
    assert (
        relate({"PWR": _reading(heartbeat, 0.3, rng), "LMC": _reading(heartbeat, 0.5, rng)}).relation
        is Relation.UNRELATED
    )


@pytest.mark.parametrize(
    ("one", "two", "relation"),
    [
        (On(), On(), "together"),
        (Off(), On(), "unrelated"),
        (On(), Blink(0.5, 0.5), "unrelated"),
        (Blink(0.5, 0.5), Blink(1.0, 0.5), "unrelated"),
        (Blink(2.0, 0.25), Blink(2.0, 0.75), "unrelated"),
        (Blink(0.5, 0.5), Blink(0.53, 0.5), "unrelated"),
    ],
)
def test_leds_that_do_different_things_are_unrelated(one: Shown, two: Shown, relation: str) -> None:
    rng = random.Random(3)
    assert relate({"PWR": _reading(one, 0.1, rng), "TLS": _reading(two, 0.1, rng)}).relation.value == relation


def test_phases_that_wander_are_unrelated() -> None:
    rng = random.Random(4)
    readings = {"PWR": _reading(Blink(0.5, 0.5), 0.1, rng, 0.0), "TLS": _reading(Blink(0.51, 0.5), 0.1, rng, 0.0)}
    group = relate(readings)
    assert group.relation is Relation.UNRELATED
    assert "wanders" in group.why


def test_a_group_with_an_undecided_led_is_undecided_and_says_which() -> None:
    rng = random.Random(5)
    group = relate({"PWR": _reading(Blink(0.5, 0.5), 0.1, rng), "TLS": newest([], 0.0, 1.0, initial=True)})
    assert group.relation is Relation.UNDECIDED
    assert "TLS" in str(group)


def test_one_led_is_no_group() -> None:
    with pytest.raises(ValueError, match="at least two"):
        relate({"PWR": newest([], 0.0, 1.0)})
