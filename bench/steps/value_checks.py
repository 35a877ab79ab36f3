"""What stored values can be checked for beyond their number: their marks, their grid, the energy that flowed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from bench.expect import Look, Truth
from bench.quantity import ENERGY, parse, text_of
from devices.protocols.sml.obis import format_obis, parse_obis

if TYPE_CHECKING:
    from bench.rig import Rig

POLL_S = 5.0
"""Seconds between two readings of the stored values while something is waited for."""

MARKS: Final = {"fatal": 8, "time_invalid": 9, "warning": 12, "missing": 13, "tampered": 14}
"""Mark -> its bit in the gateway word of the status (wan-core 7.3)."""

METER_MARKS: Final = {"meter_fatal": 17}
"""Mark -> its bit in the meter's word, counted from the left as well (wan-core 7.3)."""

WINDOW_SHARE: Final = 0.01
"""How late after its instant a value may be read, as a share of the registration period (wan-core 7.4)."""
LATENCY_S: Final = 2.0
"""How old a value may be when the gateway has it (wan-core 7.4)."""
CLOCK_S: Final = 0.1
"""How far a synchronised gateway's clock may be from the bench's (assumed)."""


def has_mark(row: dict[str, Any], mark: str) -> bool:
    """Whether the status of a stored row carries a mark. Bit 0 is the leftmost bit of the text form (wan-core 7.3)."""
    bit = MARKS[mark] if mark in MARKS else 32 + METER_MARKS[mark]
    return bool(int(row["status"], 16) >> (63 - bit) & 1)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


@dataclass(frozen=True)
class OnGrid:
    """Every instant of the grid between the first stored entry and the last stands there exactly once.

    A value was read at its instant or at most 1 % of the period later; an entry that marks a gap counts as well.
    """

    meter: str
    period: timedelta
    settle_s: float = 0.0

    def sentence(self) -> str:
        return (
            f"the stored entries of meter {self.meter} stand on the grid of {text_of(self.period)}, each instant once"
        )

    async def look(self, rig: Rig) -> Look:
        rows = await rig.records.values(rig.meter_id(self.meter), attributes=True)
        trouble = self._trouble(rows)
        instants = sorted({row["grid_time"] for row in rows})
        seen = f"{len(instants)} instants" + (f" from {instants[0]} to {instants[-1]}" if instants else "")
        return Look(Truth.NO if trouble else Truth.YES, trouble or seen, rig.clock.seconds() + POLL_S)

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
class FollowsLoad:
    """Every stored value of an energy register is what the given load makes of it.

    The expected figure is worked out from the scenario's load and start value alone: it was reached when the value
    was captured, and no earlier than the longest latency before.
    """

    meter: str
    register: str
    settle_s: float = 0.0

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
        for row in rows:
            captured = (_instant(row["capture_time"]) - rig.clock.start).total_seconds()
            least = self.flowed(rig, captured - LATENCY_S - CLOCK_S)
            most = self.flowed(rig, captured + CLOCK_S)
            if row["unit"] != ENERGY.base or not least <= Decimal(row["value"]) <= most:
                seen = f"{row['value']} {row['unit']} of {row['capture_time']}, {least} to {most} Wh have flowed"
                return Look(Truth.NO, seen, again)
        return Look(Truth.YES, f"{len(rows)} values, the last {rows[-1]['value']} Wh", again)

    def flowed(self, rig: Rig, seconds: float) -> Decimal:
        """What the register shows at a time of the bench, in Wh to the milliwatt-hour, rounded down."""
        from devices.meters.catalogue import make_profile

        given = rig.meters[self.meter].given
        energy = make_profile(given.load, rig.clock).energy(max(0, round(seconds * 1e6)))
        nanojoule = energy.drawn if parse_obis(self.register)[2] == 1 else energy.fed
        start = next((text for code, text in given.registers.items() if parse_obis(code) == parse_obis(self.register)))
        milliwatt_hours = parse(start, ENERGY) * 1000 + nanojoule // 3_600_000_000
        return Decimal(milliwatt_hours).scaleb(-3)
