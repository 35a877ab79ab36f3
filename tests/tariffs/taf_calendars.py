"""Random switch tables."""

from __future__ import annotations

from datetime import time

from hypothesis import strategies as st

from firmware.metering.tariffs.calendar import Calendar, DayProfile, Season, SpecialDay, Week

STAGES = (1, 2, 3)
_NAMES = ("a", "b", "c")


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    """Three day profiles, two weeks, one to three seasons, a few special days; the default stage is 1."""
    days = []
    for name in _NAMES:
        starts = sorted(draw(st.sets(st.integers(0, 95), max_size=5)) | {0})
        days.append(
            DayProfile(name, tuple((time(one // 4, one % 4 * 15), draw(st.sampled_from(STAGES))) for one in starts))
        )
    week = st.lists(st.sampled_from(_NAMES), min_size=7, max_size=7).map(tuple)
    weeks = [Week("v", draw(week)), Week("w", draw(week))]
    dates = draw(st.sets(st.tuples(st.integers(1, 12), st.integers(1, 28)), min_size=1, max_size=3))
    seasons = [Season(f"{m}-{d}", m, d, draw(st.sampled_from(("v", "w")))) for m, d in sorted(dates)]
    known = draw(st.sets(st.tuples(st.integers(1, 12), st.integers(1, 28)), max_size=3)) | {(3, 29), (10, 25)}
    special = [SpecialDay(m, d, draw(st.sampled_from(_NAMES))) for m, d in sorted(known)]
    return Calendar(days, weeks, seasons, special, 1)
