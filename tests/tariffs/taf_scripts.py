"""Random lives of a use case: what its meters say, when the host goes on, where power fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hypothesis import strategies as st
from taf_parts import GOOD, TIME_INVALID, A, B, at

from firmware.metering.status_word import GatewayBit, StatusWord, combined, combined_radio
from firmware.metering.tariffs.readings import NO_VALUE, Amount, Point, Source, with_bits

Act = Point | tuple[Literal["advance"], int]
STARTS = (at(2026, 3, 28, 20), at(2026, 10, 24, 20), at(2028, 2, 28, 18), at(2026, 12, 31, 12), at(2026, 1, 10))
STEP_S = 900
SAID: dict[str, StatusWord | None] = {
    "good": GOOD,
    "warned": with_bits(GOOD, GatewayBit.WARNING),
    "radio": combined_radio(frozenset(), b"\x08"),
    "not billed": with_bits(GOOD, GatewayBit.NOT_FOR_BILLING),
    "time invalid": TIME_INVALID,
    "fatal": with_bits(GOOD, GatewayBit.FATAL),
    "tampered": combined(frozenset(), 1 << 2 | 1 << 10),
    "fell": GOOD,
    "gap": NO_VALUE,
    "nothing": None,
    "late": GOOD,
}
"""What a meter may say at an instant; "nothing" and "late" are no reading in time."""


@dataclass(frozen=True)
class Script:
    """The life of a use case.

    Attributes:
        begin_s, instants: the validity; one more instant than `instants`.
        acts: readings, and where the host says that no more readings will come.
        said: instant -> meter -> reading in time, for reckoning by other means.
    """

    begin_s: int
    instants: int
    acts: tuple[Act, ...]
    said: dict[int, dict[Source, Point]]

    @property
    def end_s(self) -> int:
        return self.begin_s + self.instants * STEP_S


@st.composite
def scripts(draw: st.DrawFn, sources: Sequence[Source] = (A, B), most: int = 130) -> Script:
    """Readings of all registers around a day on which something is special; the host goes on after each instant."""
    begin_s, count = draw(st.sampled_from(STARTS)), draw(st.integers(2, most))
    kinds = st.one_of(st.sampled_from(("good", "good", "good", "warned")), st.sampled_from(sorted(SAID)))
    plan = draw(
        st.lists(st.tuples(*(st.tuples(kinds, st.integers(0, 90)) for _ in sources)), min_size=count, max_size=count)
    )
    quiet = draw(st.integers(1, 4))
    totals = dict.fromkeys(sources, 1000)
    acts: list[Act] = []
    said: dict[int, dict[Source, Point]] = {}
    for number, told in enumerate(plan):
        at_s = begin_s + number * STEP_S
        late: list[Point] = []
        for source, (kind, step) in zip(sources, told, strict=True):
            totals[source] += step
            status = SAID[kind]
            if status is None:
                continue
            value = totals[source] - 500 if kind == "fell" else totals[source]
            amount = None if kind == "gap" else Amount(value, -1)
            one = Point(source, at_s, amount, status, 30)
            if kind == "late":
                late.append(one)
                continue
            acts.append(one)
            said.setdefault(at_s, {})[source] = one
        if late or number % quiet == 0 or number == count - 1:
            acts.append(("advance", at_s))
        acts += late
    return Script(begin_s, count - 1, tuple(acts), said)
