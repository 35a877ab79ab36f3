"""What can happen to a profile."""

from __future__ import annotations

from enum import StrEnum


class Change(StrEnum):
    """What has happened to a profile, as those are told who work with it."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"
