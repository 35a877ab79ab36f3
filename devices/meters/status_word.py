"""Status word of a wired base meter: 32 bits, read as 1-0:96.5.0*255 and beside every billing register."""

from __future__ import annotations

from enum import IntFlag


class StatusWord(IntFlag):
    """Bits of lmn-wired 4.4; 0, 1 and 3 to 7 are always 0.

    TEMPORARY has no bit of its own in a base meter: the gateway takes tampering for a critical temporary fault
    (wan-core 7.3), so the magnet bit stands for it (assumed).
    """

    BASE_METER = 1 << 2
    """Always 1: this is a base meter."""
    ABOVE_START_UP = 1 << 8
    """More power flows than the meter needs to start counting."""
    MAGNET = 1 << 9
    """A magnet is or was at work."""
    COVER_OPENED = 1 << 10
    """The cover was opened; stays for 24 h."""
    SUM_FEEDS = 1 << 11
    """The sum of the phases flows into the grid (-A)."""
    L1_FEEDS = 1 << 12
    L2_FEEDS = 1 << 13
    L3_FEEDS = 1 << 14
    FIELD_REVERSED = 1 << 15
    """The rotating field is not L1-L2-L3."""
    BACKSTOP = 1 << 16
    """Registers cannot run backwards."""
    FATAL = 1 << 17
    """Fatal error: values are not to be used."""
    L1_VOLTAGE = 1 << 18
    L2_VOLTAGE = 1 << 19
    L3_VOLTAGE = 1 << 20

    TEMPORARY = MAGNET


FEEDS = (StatusWord.L1_FEEDS, StatusWord.L2_FEEDS, StatusWord.L3_FEEDS)
"""Direction bits by phase."""

VOLTAGE = (StatusWord.L1_VOLTAGE, StatusWord.L2_VOLTAGE, StatusWord.L3_VOLTAGE)
"""Voltage bits by phase."""
