"""What a tool says to a person: lines, a question, a progress bar; in German or English."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal, TextIO

from bench.tools.words import WORDS
from devices.clock import Clock

Language = Literal["de", "en"]
_YES: Final = {"de": ("j", "ja"), "en": ("y", "yes")}
_NO: Final = {"de": ("n", "nein"), "en": ("n", "no")}
LONGEST_LINE: Final = 8192
"""Octets that an answer may have; a scanned code has some hundreds."""


class Screen:
    """Where a tool speaks.

    Attributes:
        language: of everything said.
    """

    def __init__(
        self,
        language: Language = "de",
        out: TextIO | None = None,
        keyboard: TextIO | None = None,
        *,
        quiet: bool = False,
    ) -> None:
        """Speak to people.

        Args:
            language: of everything said.
            out: where to; standard output unless told.
            keyboard: where answers come from; standard input unless told.
            quiet: lines are dropped, because the output is for programs.
        """
        self.language: Language = language
        self._out = out or sys.stdout
        self._keyboard: TextIO | None = keyboard or sys.stdin  # None where it was closed, as by <&-
        self._quiet = quiet

    @property
    def interactive(self) -> bool:
        """Whether somebody can be asked."""
        return not self._quiet and self._out.isatty() and self._keyboard is not None and self._keyboard.isatty()

    def say(self, name: str, /, **values: object) -> None:
        """A sentence of WORDS."""
        self.line(self.word(name, **values))

    def line(self, text: str = "") -> None:
        """A line as it is."""
        if not self._quiet:
            self._out.write(text.rstrip("\n") + "\n")
            self._out.flush()

    def word(self, name: str, /, **values: object) -> str:
        """A sentence of WORDS in the language of this screen."""
        text = WORDS[name][0 if self.language == "de" else 1]
        return text.format(**values) if values else text

    async def ask(self, clock: Clock, prompt: str, within_s: float) -> str | None:
        """A line from the keyboard without its end; None when none came in time or the keyboard is gone."""
        if self._keyboard is None:
            return None
        self._out.write(prompt + " ")
        self._out.flush()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str | None] = loop.create_future()
        timer = clock.call_later(within_s, _settle, answer, None)
        descriptor = self._keyboard.fileno()
        typed = bytearray()

        def readable() -> None:
            octets = os.read(descriptor, LONGEST_LINE)
            typed.extend(octets)
            if not octets or len(typed) > LONGEST_LINE:
                _settle(answer, None)
            elif b"\n" in typed:
                _settle(answer, typed.split(b"\n", 1)[0].decode("utf-8", "replace").strip())

        loop.add_reader(descriptor, readable)
        try:
            return await answer
        finally:
            loop.remove_reader(descriptor)
            timer.cancel()

    async def confirm(self, clock: Clock, question: str, within_s: float) -> bool:
        """Yes or no; what is neither is asked again twice and then counts as no, and so does silence."""
        for _ in range(3):
            answer = await self.ask(clock, question, within_s)
            if answer is None:
                self.line()
                return False
            if answer.casefold() in _YES[self.language]:
                return True
            if answer.casefold() in _NO[self.language]:
                return False
        return False

    @contextmanager
    def progress(self, name: str, unit: str = "B") -> Iterator[Progress]:
        """A progress bar on a terminal, a few lines elsewhere."""
        text = self.word(name)
        if self._quiet:
            yield Progress()
        elif self._out.isatty():
            yield from _bar(text, unit, self._out)
        else:
            yield _Lines(self, text, unit)


class Progress:
    """Told how far something is; this one keeps it to itself."""

    def __call__(self, done: int, size: int) -> None:
        """`done` of `size`."""


class _Lines(Progress):
    """Says a line at each quarter."""

    def __init__(self, screen: Screen, text: str, unit: str) -> None:
        self._screen, self._text, self._unit = screen, text, unit
        self._said = -1

    def __call__(self, done: int, size: int) -> None:
        quarter = 4 * done // size if size else 4
        if quarter > self._said:
            self._said = quarter
            self._screen.line(f"{self._text}: {100 * done // size if size else 100:3d} % ({done}/{size} {self._unit})")


def _bar(text: str, unit: str, out: TextIO) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn(text),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} " + unit),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(file=out)) as bars:
        task = bars.add_task(text, total=1)

        class Bar(Progress):
            def __call__(self, done: int, size: int) -> None:
                bars.update(task, completed=done, total=max(size, 1))

        yield Bar()


def _settle(answer: asyncio.Future[str | None], value: str | None) -> None:
    if not answer.done():
        answer.set_result(value)
