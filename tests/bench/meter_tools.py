"""A person in front of a tool: a screen that is read back, a keyboard that types, a folder of an emulated meter."""

from __future__ import annotations

import os
from io import StringIO
from pathlib import Path
from types import TracebackType
from typing import TextIO

from bench.tools.connection import EMULATED, Way
from bench.tools.screen import Language, Screen
from devices.protocols.p256 import SigningKey
from devices.rs485.adapter import AdapterSettings

LABEL = SigningKey.named("log of 0a015341470001415d89").public
"""Key on the type plate of the meter that `--port emulated` plays against."""


class Person:
    """Sits at a terminal; a context manager.

    Attributes:
        screen: what the tool speaks to.
    """

    def __init__(self, language: Language = "de", *, answers: tuple[str, ...] = (), terminal: bool = True) -> None:
        self._reader, self._writer = os.openpty() if terminal else os.pipe()
        if terminal:
            self._reader, self._writer = self._writer, self._reader
        self._keyboard: TextIO = os.fdopen(self._reader, "r")
        self._out = _Terminal() if terminal else StringIO()
        self.screen = Screen(language, self._out, self._keyboard)
        for answer in answers:
            self.type(answer)

    def type(self, text: str) -> None:
        """A line."""
        os.write(self._writer, text.encode() + b"\n")

    @property
    def seen(self) -> str:
        """All that stood on the screen."""
        return self._out.getvalue()

    def __enter__(self) -> Person:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._keyboard.close()
        os.close(self._writer)


class _Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def emulated(state: Path | None = None, *, allow_downgrade: bool = False) -> Way:
    """The way to the emulated meter."""
    return Way(AdapterSettings(EMULATED), state=state, allow_downgrade=allow_downgrade)
