"""How many: ``3``, ``at least 2``, ``at most 5``, ``none``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_WRITTEN = re.compile(r"(?:(at least|at most|exactly)\s+)?(\d{1,9})\Z")


@dataclass(frozen=True)
class Count:
    """A range of whole numbers.

    Attributes:
        least: smallest number that is right.
        most: largest one, None: no bound.
    """

    least: int
    most: int | None

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and number >= self.least and (self.most is None or number <= self.most)

    def of(self, one: str, several: str) -> str:
        """The count with its noun: ``at least 1 entry``, ``no entries``."""
        return f"{self} {one if (self.most or self.least) == 1 else several}"

    def __str__(self) -> str:
        if self.most is None:
            return f"at least {self.least}"
        if self.least == self.most:
            return "no" if self.most == 0 else f"exactly {self.most}"
        return f"at most {self.most}" if self.least == 0 else f"{self.least} to {self.most}"


def parse_count(value: Any) -> Count:
    """Read ``3``, ``at least 2``, ``at most 5`` or ``none``."""
    if isinstance(value, Count):
        return value
    text = str(value).strip()
    if text in ("none", "no"):
        return Count(0, 0)
    match = _WRITTEN.match(text)
    if match is None or isinstance(value, bool):
        raise ValueError(f"{value!r} is not a count: write 3, 'at least 2', 'at most 5' or none")
    number = int(match[2])
    return {"at least": Count(number, None), "at most": Count(0, number)}.get(match[1] or "", Count(number, number))


Counted = Annotated[
    Count,
    BeforeValidator(parse_count),
    WithJsonSchema({"type": ["string", "integer"], "examples": [3, "at least 2", "at most 5", "none"]}),
]
