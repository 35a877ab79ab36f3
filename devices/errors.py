"""The error tree of the project: three branches that must never be confused in a report.

    SmgwBenchError
    ├── UsageError    what the user wrote or asked for is wrong        -> exit code 2
    ├── BenchError    the bench itself is in trouble (port, relay ...) -> verdict ``error``, exit code 3
    └── DeviceError   the device under test behaves wrongly            -> verdict ``fail``, exit code 1

Codecs in :mod:`devices.protocols` raise their own families; whoever calls them decides which branch it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class SmgwBenchError(Exception):
    """Base of everything that the project raises on purpose."""


@dataclass(frozen=True)
class Place:
    """Where in a file something stands; lines and columns count from 1.

    Attributes:
        file: the file as the user named it.
        line: line number, or None when the whole file is meant.
        column: column number, or None.
    """

    file: str | Path
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        text = str(self.file)
        if self.line is not None:
            text += f":{self.line}"
            if self.column is not None:
                text += f":{self.column}"
        return text


class UsageError(SmgwBenchError):
    """Something that a person wrote (scenario, bench file, option) is wrong.

    Attributes:
        message: what is wrong and with which field.
        place: file, line and column, where there is a file.
        hint: what would be right.
    """

    def __init__(self, message: str, *, place: Place | None = None, hint: str | None = None) -> None:
        self.message = message
        self.place = place
        self.hint = hint
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}" if self.place else self.message
        return f"{text} ({self.hint})" if self.hint else text


class UsageErrors(UsageError):
    """Several mistakes found in one go, so that a file is mended once and not once per mistake."""

    def __init__(self, errors: list[UsageError]) -> None:
        self.errors = errors
        super().__init__("\n".join(str(error) for error in errors))


class BenchError(SmgwBenchError):
    """The bench cannot do its work: a port is missing, a relay does not answer, a disk is full."""


class DeviceError(SmgwBenchError):
    """The device under test does something that it must not do."""
