"""Live progress in the terminal: the four LEDs as they blink, the step in hand, time and verdicts; or plain lines."""

from __future__ import annotations

from collections import Counter
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, TextIO

from bench.han_pause import waiting
from bench.quantity import printable, text_of
from bench.runner import CaseResult, Progress, StepResult
from bench.scenario.loader import Case
from bench.timeline import Event
from devices.clock import wall_seconds

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

    from bench.config import BenchFile

LEDS = ("PWR", "TLS", "LMC", "wMT")
COLOURS = {
    "ppc": ("green",) * 4,
    "conexa": ("green", "green", "green", "blue"),
    "casa": ("green", "green", "green", "blue"),
}
VERDICT_STYLE = {"pass": "green", "inconc": "yellow", "fail": "bold red", "error": "bold magenta", "none": "dim"}
REFRESH_S = 1 / 15
"""Wall seconds between two pictures in virtual time, where bench time runs far faster than anyone can look."""


class LiveListener(Protocol):
    """A display that is a context manager and listens to a session."""

    def __enter__(self) -> LiveListener: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def tell(self, text: str) -> None: ...

    def begin_case(self, case: Case, number: int, total: int) -> None: ...

    def end_case(self, result: CaseResult, number: int, total: int) -> None: ...

    def progress_of(self, case: Case) -> Progress | None: ...


def listener_for(out: TextIO, *, plain: bool, bench: BenchFile) -> LiveListener:
    """The live display on a terminal, plain lines elsewhere."""
    if plain or not out.isatty():
        return PlainLines(out)
    return Display(out, bench)


class PlainLines:
    """One line per case, and one per pause before a login, for CI logs and pipes."""

    def __init__(self, out: TextIO) -> None:
        self._out: TextIO | None = out

    def __enter__(self) -> PlainLines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._print()

    def _print(self, *lines: str) -> None:
        """The run goes on when nobody reads any more, as in ``| head``; `bench.cli` then says so by its exit code."""
        if self._out is None:
            return
        try:
            for line in lines:
                print(line, file=self._out)
            self._out.flush()
        except BrokenPipeError:
            self._out = None

    def tell(self, text: str) -> None:
        """A line of its own, unless it is empty."""
        if text:
            self._print(text)

    def begin_case(self, case: Case, number: int, total: int) -> None:
        """Nothing is told before a case has ended, but pauses."""

    def end_case(self, result: CaseResult, number: int, total: int) -> None:
        line = f"[{number:{len(str(total))}}/{total}] {result.verdict!s:6} {result.case.key}"
        times = f"{text_of(round(result.bench_s, 3))} of bench time in {result.wall_s:.2f} s"
        reason = [f"        {printable(result.reason)}"] if result.reason else []
        self._print(f"{line}  ({times})", *reason)

    def progress_of(self, case: Case) -> Progress | None:
        return Progress(event=lambda event: self.tell(waiting(event)))


class Display:
    """The live display: what the person at the rack would see, and how far the run is."""

    def __init__(self, out: TextIO, bench: BenchFile) -> None:
        from rich.console import Console

        self._console = Console(file=out)
        self._bench = bench
        self._live: Live | None = None
        self._counts: Counter[str] = Counter()
        self._case: Case | None = None
        self._place = ""
        self._step = self._waiting = ""
        self._bench_time = 0.0
        self._lit = dict.fromkeys(LEDS, False)
        self._drawn = 0.0
        self._begin = self._case_begin = wall_seconds()
        self._real_time = bench.time == "real"

    def __enter__(self) -> Display:
        from rich.live import Live

        # In real time long stretches pass without an event: there the display also goes on by itself.
        self._live = Live(
            get_renderable=self._picture,
            console=self._console,
            auto_refresh=self._real_time,
            refresh_per_second=8,
            transient=True,
        )
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, trace)

    def tell(self, text: str) -> None:
        """A line that stays above the picture, unless it is empty."""
        if text:
            self._console.print(text, markup=False, highlight=False)

    def begin_case(self, case: Case, number: int, total: int) -> None:
        self._case, self._place, self._step, self._waiting = case, f"{number}/{total}", "", ""
        self._lit = dict.fromkeys(LEDS, False)
        self._bench_time = 0.0
        self._case_begin = wall_seconds()
        self._draw(force=True)

    def end_case(self, result: CaseResult, number: int, total: int) -> None:
        from rich.text import Text

        verdict = str(result.verdict)
        self._counts[verdict] += 1
        line = Text(f"{verdict:6} ", style=VERDICT_STYLE[verdict])
        line.append(result.case.key, style="default")
        line.append(f"  {text_of(round(result.bench_s, 3))} in {result.wall_s:.2f} s", style="dim")
        if result.reason:
            line.append(f"\n       {result.reason}", style="default")
        self._console.print(line)
        self._draw(force=True)

    def progress_of(self, case: Case) -> Progress | None:
        return Progress(event=self._event, step=self._begin_step)

    def _begin_step(self, step: StepResult) -> None:
        self._step = step.sentence
        self._bench_time = step.started
        self._draw()

    def _event(self, event: Event) -> None:
        self._bench_time = event.t
        if told := waiting(event):
            self._waiting = told
        elif event.source in ("han", "step"):
            self._waiting = ""
        if event.source == "led":
            self._lit[event.data["line"]] = event.data["lit"]
        self._draw()

    def _draw(self, *, force: bool = False) -> None:
        now = wall_seconds()
        if self._live is not None and (force or now - self._drawn >= REFRESH_S):
            self._drawn = now
            self._live.refresh()

    def _picture(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        product = self._case.gateway if self._case else ""
        leds = Text()
        for name, colour in zip(LEDS, COLOURS.get(product, ("green",) * 4), strict=True):
            leds.append("● " if self._lit.get(name) else "○ ", style=f"bold {colour}" if self._lit.get(name) else "dim")
            leds.append(f"{name}   ")
        counts = Text()
        for verdict, style in VERDICT_STYLE.items():
            if self._counts[verdict]:
                counts.append(f"{self._counts[verdict]} {verdict}  ", style=style)
        table = Table.grid(padding=(0, 2))
        table.add_row(Text("case", style="dim"), Text(f"{self._place}  {self._case.key if self._case else ''}"))
        table.add_row(Text("LEDs", style="dim"), leds)
        table.add_row(Text("step", style="dim"), Text(self._step))
        if self._waiting:
            table.add_row(Text("", style="dim"), Text(self._waiting, style="yellow"))
        bench_time = wall_seconds() - self._case_begin if self._real_time else self._bench_time
        times = f"{_clock(bench_time)} bench   {_clock(wall_seconds() - self._begin)} wall   {self._bench.name}"
        table.add_row(Text("time", style="dim"), Text(times))
        table.add_row(Text("so far", style="dim"), counts)
        return table


def _clock(seconds: float) -> str:
    days, rest = divmod(int(seconds), 86400)
    text = f"{rest // 3600:02d}:{rest % 3600 // 60:02d}:{rest % 60:02d}"
    return f"{days} d {text}" if days else text
