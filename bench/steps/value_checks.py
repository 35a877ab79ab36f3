"""What stored values can be checked for beyond their number: their marks, their grid, the energy that flowed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import floor
from typing import TYPE_CHECKING, Any, Final

from bench.expect import Look, Truth
from bench.flow import Load, energy, read_load
from bench.quantity import ENERGY, POWER, Kind, parse, text_of
from bench.scenario.radio_models import GivenRadioMeter
from bench.steps.led_looks import look_at_meanings
from bench.value_signatures import original, public_key, verifies
from devices.protocols.sml.obis import format_obis, parse_obis

if TYPE_CHECKING:
    from bench.rig import Rig
    from bench.scenario.meter_models import GivenMeter

ELECTRICITY: Final = 1
"""Medium in value group A of an OBIS code."""
POLL_S = 5.0
"""Seconds between two readings of the stored values while something is waited for."""

MARKS: Final = {
    "not_for_billing": 1,
    "fatal": 8,
    "time_invalid": 9,
    "warning": 12,
    "missing": 13,
    "tampered": 14,
    "radio_error": 15,
    "radio": 17,
}
"""Mark -> its bit in the gateway word of the status (wan-core 7.3)."""

METER_MARKS: Final = {"meter_fatal": 17, "radio_flag": 7, "radio_permanent": 28, "radio_abnormal": 31}
"""Mark -> its bit in the meter's word, counted from the left as well (wan-core 7.3): of a radio meter its first error
flag, and of the status octet behind the flags a permanent error and the lower bit of an abnormal condition."""

WINDOW_SHARE: Final = 0.01
"""How late after its instant a value may be read, as a share of the registration period (wan-core 7.4)."""
LATENCY_S: Final = 2.0
"""How old a value may be when the gateway has it (wan-core 7.4)."""
RADIO_LATENCY: Final = timedelta(minutes=15)
"""How old a value may be when it comes by radio, where telegrams may get lost meanwhile (assumed)."""
CLOCK_S: Final = 0.1
"""How far a synchronised gateway's clock may be from the bench's (assumed)."""


def has_mark(row: dict[str, Any], mark: str) -> bool:
    """Whether the status of a stored row carries a mark. Bit 0 is the leftmost bit of the text form (wan-core 7.3)."""
    bit = MARKS[mark] if mark in MARKS else 32 + METER_MARKS[mark]
    return bool(int(row["status"], 16) >> (63 - bit) & 1)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def not_storing(rig: Rig) -> Look:
    """Whether it is seen that the gateway has a reason to store no values: no mains, or a state that forbids it."""
    events = rig.timeline.select("power")
    if events and events[-1].kind == "off":
        return Look(Truth.YES, "the gateway has no mains")
    if rig.fitted_leds is None:
        return Look(Truth.NO, "")
    undecided: Look | None = None
    for state in rig.gateway_type.states.values():
        if state.effects.capture or state.leds is None:
            continue
        shown = look_at_meanings(rig, rig.gateway_type.signals_for(state.leds))
        if shown.truth is Truth.YES:
            return Look(Truth.YES, f"no value is stored in the state {state.name}")
        if shown.truth is Truth.UNDECIDED:
            undecided = Look(Truth.UNDECIDED, f"it may be in the state {state.name}: {shown.seen}")
    return undecided or Look(Truth.NO, "")


@dataclass(frozen=True)
class OnGrid:
    """Every instant of the grid between the first stored entry and the last stands there exactly once.

    A value was read at its instant or at most 1 % of the period later; an entry that marks a gap counts as well. One
    instant alone is no grid, and the last one is the latest that has passed, as long as the gateway stores values:
    without the mains, or while its LEDs show a state in which its maker lets it store none, the grid may end earlier.
    """

    meter: str
    period: timedelta
    settle_s: float = 0.0
    polled: bool = True

    def sentence(self) -> str:
        return (
            f"the stored entries of meter {self.meter} stand on the grid of {text_of(self.period)}, each instant once"
        )

    async def look(self, rig: Rig) -> Look:
        rows = await rig.records.values(rig.meter_id(self.meter), attributes=True)
        again = rig.clock.seconds() + POLL_S
        instants = sorted({row["grid_time"] for row in rows})
        trouble = self._trouble(rows)
        if trouble:
            return Look(Truth.NO, trouble, again)
        seen = f"{len(instants)} instants from {instants[0]} to {instants[-1]}"
        if len(instants) < 2:
            return Look(Truth.NO, f"one instant only, {instants[0]}", again)
        late = rig.clock.now() - _instant(instants[-1])
        allowed = RADIO_LATENCY if self.meter in rig.radio_meters else timedelta(seconds=LATENCY_S + CLOCK_S)
        if late <= self.period * (1 + WINDOW_SHARE) + allowed:
            return Look(Truth.YES, seen, again)
        rest = not_storing(rig)
        if rest.truth is Truth.NO:
            text = f"the last stored instant, {instants[-1]}, is {text_of(round(late.total_seconds(), 3))} old"
            return Look(Truth.NO, text, again)
        return Look(rest.truth, f"{seen}; {rest.seen}", again)

    def _trouble(self, rows: list[dict[str, Any]]) -> str:
        """What is wrong, empty when nothing is."""
        if not rows:
            return "nothing is stored"
        heads: dict[str, str | None] = {}
        for row in rows:
            if heads.setdefault(row["grid_time"], row["capture_time"]) != row["capture_time"]:
                return f"the instant {row['grid_time']} stands there with two times of capture"
        several = [row for row in rows if row["obis"] is not None]
        if len({(row["grid_time"], row["obis"]) for row in several}) != len(several):
            return "a register stands there twice for one instant"
        return self._uneven(heads)

    def _uneven(self, heads: dict[str, str | None]) -> str:
        midnight = datetime(2000, 1, 1, tzinfo=UTC)
        before: datetime | None = None
        for text in sorted(heads):
            instant, captured = _instant(text), heads[text]
            if (instant - midnight) % self.period:
                return f"{text} is no multiple of {text_of(self.period)}"
            if before is not None and instant - before != self.period:
                return f"between {before:%H:%M:%S} and {text} an instant is missing"
            before = instant
            late = timedelta(0) if captured is None else _instant(captured) - instant
            if not timedelta(0) <= late <= self.period * WINDOW_SHARE:
                return f"the value for {text} was read at {captured}"
        return ""


@dataclass(frozen=True)
class OriginalsSigned:
    """The signature of every stored value, and of every gap, verifies over the documented octets."""

    meter: str
    settle_s: float = 0.0
    polled: bool = True

    def sentence(self) -> str:
        return f"the signature of every stored entry of meter {self.meter} verifies"

    async def look(self, rig: Rig) -> Look:
        number = rig.meter_id(self.meter)
        answer = await rig.records.signed_values(number)
        rows, again = answer["rows"], rig.clock.seconds() + POLL_S
        if not rows:
            return Look(Truth.NO, "nothing is stored", again)
        key = public_key(answer["key"], answer["curve"])
        bad = [row for row in rows if not verifies(key, original(row), row["meter"])]
        if bad:
            what = bad[0]["obis"] or "gap"
            return Look(Truth.NO, f"{len(bad)} of {len(rows)} do not, the first {what} of {bad[0]['grid_time']}", again)
        return Look(Truth.YES, f"{len(rows)} signatures", again)


@dataclass(frozen=True)
class FollowsLoad:
    """Every stored value of an energy register is what the given load makes of it.

    The expected figure is worked out from the scenario's load and start value alone, by `bench.flow`, which shares
    nothing with the emulated meter: it was reached when the value was captured, and no earlier than the longest
    latency before.
    """

    meter: str
    register: str
    settle_s: float = 0.0
    polled: bool = True

    def sentence(self) -> str:
        return (
            f"every stored value of register {self.register} of meter {self.meter} is the energy that has flowed "
            f"when it was captured (up to {text_of(LATENCY_S)} before)"
        )

    async def look(self, rig: Rig) -> Look:
        wanted = format_obis(parse_obis(self.register))
        rows = await rig.records.values(rig.meter_id(self.meter))
        rows = [row for row in rows if row["obis"] == wanted and not has_mark(row, "missing")]
        again = rig.clock.seconds() + POLL_S
        if not rows:
            return Look(Truth.NO, "no value stored", again)
        given = rig.given_meter(self.meter)
        amount, rate = kinds_of(given)
        load = read_load(given.load, rate)
        for row in rows:
            captured = _instant(row["capture_time"])
            least = self.flowed(rig, load, captured - timedelta(seconds=LATENCY_S + CLOCK_S))
            most = self.flowed(rig, load, captured + timedelta(seconds=CLOCK_S))
            value = Decimal(row["value"])
            if isinstance(given, GivenRadioMeter):
                least -= Decimal(1).scaleb(row["scaler"] or 0)  # telegrams carry whole steps
            if row["unit"] != amount.base or not least <= value <= most:
                flowed = f"{least} to {most} {amount.base} have flowed"
                seen = f"{row['value']} {row['unit']} of {row['capture_time']}, {flowed}"
                return Look(Truth.NO, seen, again)
        return Look(Truth.YES, f"{len(rows)} values, the last {rows[-1]['value']} {amount.base}", again)

    def flowed(self, rig: Rig, load: Load, at: datetime) -> Decimal:
        """What the register shows at an instant, in Wh or m3 to the thousandth, rounded down."""
        given = rig.given_meter(self.meter)
        code = parse_obis(self.register)
        drawn, fed = energy(load, rig.clock.start, max(at, rig.clock.start))
        start = next(text for name, text in given.registers.items() if parse_obis(name) == code)
        moved = fed if code[0] == ELECTRICITY and code[2] == 2 else drawn
        return Decimal(int(parse(start, kinds_of(given)[0]) * 1000) + floor(moved * 1000)).scaleb(-3)


def kinds_of(given: GivenMeter | GivenRadioMeter) -> tuple[Kind, Kind]:
    """What the registers of a meter count, and what its load is."""
    return (given.amount, given.rate) if isinstance(given, GivenRadioMeter) else (ENERGY, POWER)
