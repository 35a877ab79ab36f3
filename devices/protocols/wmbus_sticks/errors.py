"""The error family of the sticks' serial protocols."""

from __future__ import annotations


class StickError(ValueError):
    """Octets that are no message of the stick, or values that fit into none.

    Attributes:
        reason: what is wrong.
        offset: where, in octets from the start of what was given.
    """

    def __init__(self, reason: str, offset: int = 0) -> None:
        self.reason = reason
        self.offset = offset
        super().__init__(f"{reason} (at octet {offset})")
