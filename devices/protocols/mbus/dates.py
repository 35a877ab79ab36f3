"""Dates and times of day as meters send them: types G, F, I and J (lmn-wireless 4.2). They carry no time zone.

A date with a field "every" (day 0, month 15, year 127, hour 31, minute 63), one that does not exist, and one that its
meter marked as invalid reads as None.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from typing import Final

from devices.protocols.mbus.errors import RecordError

_INVALID: Final = 0x80
_SUMMER_TIME: Final = 0x80
_TWO_DIGIT_YEARS: Final = 80

MeterTime = date | datetime | time


def read_date(octets: bytes) -> MeterTime | None:
    """The date of two octets (G), date and time of four (F) or six (I), the time of day of three (J); None for others.

    Datetimes are naive: what clock a meter keeps is not in the record.
    """
    reader = _READERS.get(len(octets))
    if reader is None:
        return None
    try:
        return reader(octets)
    except ValueError:
        return None


def summer_time(octets: bytes) -> bool:
    """Whether the date and time of four octets says that its meter keeps summer time."""
    return len(octets) == 4 and bool(octets[1] & _SUMMER_TIME)


def _day(low: int, high: int) -> tuple[int, int, int]:
    """Year of the century, month, day; raises ValueError for a year that means "every"."""
    year = low >> 5 | (high & 0xF0) >> 1
    if year >= 100:
        raise ValueError("every year")
    return year, high & 0x0F, low & 0x1F


def _full_year(year: int) -> int:
    return year + (2000 if year <= _TWO_DIGIT_YEARS else 1900)


def _type_g(octets: bytes) -> date:
    year, month, day = _day(octets[0], octets[1])
    return date(_full_year(year), month, day)


def _type_f(octets: bytes) -> datetime:
    minute, hour, low, high = octets
    if minute & _INVALID:
        raise ValueError("marked as invalid")
    year, month, day = _day(low, high)
    hundreds = hour >> 5 & 3
    full = 1900 + 100 * hundreds + year if hundreds else _full_year(year)
    return datetime(full, month, day, hour & 0x1F, minute & 0x3F)  # noqa: DTZ001 - the meter names no zone


def _type_i(octets: bytes) -> datetime:
    second, minute, hour, low, high, _ = octets
    if minute & _INVALID:
        raise ValueError("marked as invalid")
    year, month, day = _day(low, high)
    when = time(hour & 0x1F, minute & 0x3F, second & 0x3F)
    return datetime.combine(date(_full_year(year), month, day), when)


def _type_j(octets: bytes) -> time:
    return time(octets[2] & 0x1F, octets[1] & 0x3F, octets[0] & 0x3F)


_READERS: Final[dict[int, Callable[[bytes], MeterTime]]] = {2: _type_g, 3: _type_j, 4: _type_f, 6: _type_i}


def write_date(day: date) -> bytes:
    """Type G; raises RecordError outside of 1981 to 2080."""
    if not 1981 <= day.year <= 2080:
        raise RecordError(f"type G holds years from 1981 to 2080, not {day.year}")
    year = day.year % 100
    return bytes((day.day | (year & 7) << 5, day.month | (year & 0x78) << 1))


def write_date_time(moment: datetime, *, summer: bool = False, invalid: bool = False) -> bytes:
    """Type F, without seconds; raises RecordError outside of 1981 to 2299.

    Args:
        summer: the meter keeps summer time.
        invalid: the meter does not trust its clock.
    """
    if not 1981 <= moment.year <= 2299:
        raise RecordError(f"type F holds years from 1981 to 2299, not {moment.year}")
    hundreds, year = divmod(moment.year - 1900, 100)
    return bytes(
        (
            moment.minute | (_INVALID if invalid else 0),
            moment.hour | hundreds << 5 | (_SUMMER_TIME if summer else 0),
            moment.day | (year & 7) << 5,
            moment.month | (year & 0x78) << 1,
        )
    )


def write_date_time_seconds(moment: datetime) -> bytes:
    """Type I, to the second, with its weekday; week of the year 0, not given. Raises RecordError as write_date."""
    return bytes((moment.second, moment.minute, moment.hour | moment.isoweekday() << 5)) + write_date(moment) + b"\0"


def write_time(moment: time) -> bytes:
    """Type J."""
    return bytes((moment.second, moment.minute, moment.hour))
