"""What decoding gives: text for standard output, damage for standard error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong at which octet of the input."""

    offset: int
    reason: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was found in octets.

    Attributes:
        text: for people, or JSON.
        damages: what could not be read, in the order of the input.
        whole: how many files or frames were good.
        what: one of them by name.
        begun: how many begin in the octets, as far as their kind shows that; a single damaged one is malformed input,
            several are a recording of which every part is damaged.
    """

    text: str
    damages: Sequence[Damage]
    whole: int
    what: str
    begun: int = 0
