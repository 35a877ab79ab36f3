"""What the value of a named default may be, and how that is said to who wrote something else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


class Shape(Protocol):
    """Reads what a file says."""

    def read(self, value: Any) -> Any:
        """The value, in its right type. Raises ValueError for what it cannot be."""

    def right(self) -> str:
        """What would be right, in words."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number from `least` to `most`."""

    least: float
    most: float

    def read(self, value: Any) -> float:
        """As float."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.least <= value <= self.most:
            raise ValueError(value)
        return float(value)

    def right(self) -> str:
        """See Shape."""
        return f"a number from {self.least:g} to {self.most:g}"


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from `least` to `most`."""

    least: int
    most: int

    def read(self, value: Any) -> int:
        """As int."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.least <= value <= self.most:
            raise ValueError(value)
        if int(value) != value:
            raise ValueError(value)
        return int(value)

    def right(self) -> str:
        """See Shape."""
        return f"a whole number from {self.least} to {self.most}"


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    def read(self, value: Any) -> bool:
        """As bool."""
        if not isinstance(value, bool):
            raise ValueError(value)
        return value

    def right(self) -> str:
        """See Shape."""
        return "true or false"


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of some words."""

    words: tuple[str, ...]

    def read(self, value: Any) -> str:
        """The word."""
        if value not in self.words:
            raise ValueError(value)
        return str(value)

    def right(self) -> str:
        """See Shape."""
        return f"one of {', '.join(self.words)}"


@dataclass(frozen=True, slots=True)
class SomeOf:
    """A list of some words, each once."""

    words: tuple[str, ...]

    def read(self, value: Any) -> tuple[str, ...]:
        """The words in their order."""
        if not isinstance(value, list | tuple) or not value or any(one not in self.words for one in value):
            raise ValueError(value)
        if len(set(value)) != len(value):
            raise ValueError(value)
        return tuple(value)

    def right(self) -> str:
        """See Shape."""
        return f"a list of some of {', '.join(self.words)}"
