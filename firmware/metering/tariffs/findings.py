"""What is wrong with a profile: the rule, the answer, the reason in words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken rule.

    Attributes:
        rule: ``V7``, as in wan-core 6.2.
        answer: HTTP status, 400 for the content, 409 for what does not fit the other profiles.
        reason: in words, parameter of the event `evaluation_profile_rejected`.
    """

    rule: str
    answer: int
    reason: str
