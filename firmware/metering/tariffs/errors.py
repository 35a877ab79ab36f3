"""What can be wrong with what is asked of the tariff engine."""

from __future__ import annotations


class TariffError(ValueError):
    """A calendar, a profile or a request cannot be worked with; the message says what would be right."""


class CalendarError(TariffError):
    """A calendar that is no calendar, or that says nothing of a day."""


class ProfileError(TariffError):
    """An evaluation profile that makes no sense, or a change of one that is not allowed."""
