"""The use cases that gateways do not have, and the answer to a profile of one ([PPC] 1, [CASA] 2.4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from firmware.metering.tariffs.errors import ProfileError

SUPPORTED: Final = frozenset((1, 2, 6, 7, 9, 10, 14))
"""What the gateways of the three makers do ([PPC] software 1.1 and later; 1.0 only TAF-1, 2, 6 and 7)."""
NAMES: Final[Mapping[int, str]] = MappingProxyType(
    {
        1: "data-sparing tariff",
        2: "time-variable tariff",
        3: "load-variable tariff",
        4: "consumption-variable tariff",
        5: "event-variable tariff",
        6: "reading on demand",
        7: "load profile",
        8: "extreme values",
        9: "actual feed-in",
        10: "grid state",
        11: "control of devices",
        12: "prepaid",
        13: "values shown over the WAN",
        14: "high-frequency values for extra services",
    }
)
"""wan-core 7.6."""
ANSWER: Final = 400
"""HTTP status for a profile that the gateway cannot work with (wan-core 6.2)."""
EVENT: Final = "evaluation_profile_rejected"
"""Neutral name of the log entry, P10219; its parameter is `reason`."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a use case is not taken, and what the gateway answers.

    Attributes:
        use_case: its number.
        reason: in words.
        answer: HTTP status.
        event: neutral name of the log entry.
    """

    use_case: int
    reason: str
    answer: int = ANSWER
    event: str = EVENT


class UseCaseRefused(ProfileError):
    """A profile of a use case that the gateway does not have."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


def refusal(use_case: int, supported: frozenset[int] = SUPPORTED) -> Refusal | None:
    """The answer to a profile of this use case; None: it is taken.

    Args:
        use_case: number of the TAF.
        supported: what the gateway has; a use case that this engine lacks is refused all the same.
    """
    if use_case in supported & SUPPORTED:
        return None
    name = NAMES.get(use_case)
    if name is None:
        return Refusal(use_case, f"there is no TAF-{use_case}, tariff use cases have the numbers 1 to 14")
    return Refusal(use_case, f"TAF-{use_case} ({name}) is not supported by this gateway")
