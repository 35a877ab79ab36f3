"""Runs inside a User-Mode Linux: the kernel's GPIO simulator plays LEDs, the bench's driver and analyser watch them.

Not a test module: ``make test-gpio`` starts it (run_uml.sh). Prints one line per check and exits with 1 when one fails.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from devices.clock import Clock, RealLoop
from devices.errors import BenchError
from devices.leds.gpio import GpioLeds, find_chips
from devices.leds.groups import Relation
from devices.leds.pattern import Blink, Burst, Match, Off, On, Pattern, matches
from devices.leds.vcd import VcdWriter, read_vcd
from devices.leds.watch import LedWatch
from devices.leds.waveform import analyse

sys.path.insert(0, str(Path(__file__).parents[1] / "leds"))
from led_signals import edges_of, lit_at

CONFIGFS = Path("/sys/kernel/config/gpio-sim")
LEDS = ("PWR", "TLS", "LMC", "wMT")
SHOWN_S = 8.0
ROUNDS: tuple[tuple[Pattern, ...], ...] = (
    (Off(), On(), Blink(0.1, 0.5), Blink(0.25, 0.5)),
    (Blink(0.5, 0.5), Blink(1.0, 0.5), Burst(2, 0.1, 0.1, 1.5), Burst(1, 0.1, 0.1, 2.0)),
    (Blink(2.0, 0.25), Blink(2.0, 0.75), Burst(3, 0.1, 0.1, 2.0), Burst(7, 0.1, 0.1, 2.0)),
)


class Checks:
    """Counts what holds and what does not."""

    def __init__(self) -> None:
        self.failed = 0

    def __call__(self, good: bool, text: str) -> None:
        self.failed += not good
        print(("ok    " if good else "FAIL  ") + text, flush=True)  # noqa: T201 - a program for people


class SimulatedChip:
    """A bank of gpio-sim: lines whose level is set by a file."""

    def __init__(self, name: str, lines: dict[int, str], count: int = 8) -> None:
        self._device = CONFIGFS / name
        self._bank = self._device / "bank0"
        self._bank.mkdir(parents=True)
        (self._bank / "num_lines").write_text(str(count))
        (self._bank / "label").write_text(name)
        self._lines = lines
        for offset, line in lines.items():
            (self._bank / f"line{offset}").mkdir()
            (self._bank / f"line{offset}" / "name").write_text(line)
        (self._device / "live").write_text("1")
        self.chip = (self._bank / "chip_name").read_text().strip()
        platform = (self._device / "dev_name").read_text().strip()
        root = Path("/sys/devices/platform") / platform / self.chip
        self._pulls = {i: os.open(root / f"sim_gpio{i}" / "pull", os.O_WRONLY) for i in range(count)}

    def pull(self, offset: int, *, up: bool) -> None:
        os.pwrite(self._pulls[offset], b"pull-up" if up else b"pull-down", 0)

    def close(self) -> None:
        for fd in self._pulls.values():
            os.close(fd)
        (self._device / "live").write_text("0")
        for offset in self._lines:
            (self._bank / f"line{offset}").rmdir()
        self._bank.rmdir()
        self._device.rmdir()


@contextmanager
def simulated(name: str, lines: dict[int, str]) -> Iterator[SimulatedChip]:
    chip = SimulatedChip(name, lines)
    try:
        yield chip
    finally:
        chip.close()


async def play(
    clock: Clock, chip: SimulatedChip, shown: dict[int, Pattern], seconds: float, *, low: bool = False
) -> None:
    """Show a pattern on each line for some time, at absolute times."""
    begin = clock.seconds() + 0.1
    changes = []
    for offset, pattern in shown.items():
        phase = 0.13 * offset
        chip.pull(offset, up=lit_at(pattern, phase) != low)  # type: ignore[arg-type]
        edges = edges_of(pattern, begin, begin + seconds, phase)  # type: ignore[arg-type]
        changes += [(t, offset, lit) for t, lit in edges]
    for t, offset, lit in sorted(changes):
        await clock.sleep_until(t)
        chip.pull(offset, up=lit != low)
    await clock.sleep_until(begin + seconds)


async def check_patterns(clock: Clock, check: Checks) -> None:
    """Every kind of pattern through kernel, driver, watch; the recording says the same."""
    with simulated("smgw-leds", {0: "LED_PWR", 1: "LED_TLS"}) as chip:
        chips = find_chips()
        check(any("smgw-leds" in what for what in chips.values()), f"chips found: {chips}")
        notes: list[str] = []
        lines: dict[str, int | str] = {"PWR": "LED_PWR", "TLS": "LED_TLS", "LMC": 2, "wMT": 3}
        leds = GpioLeds(clock, chip.chip, lines, on_note=notes.append)
        watch = LedWatch(clock.seconds, leds)
        recording = Path("/tmp/leds.vcd")
        writer = VcdWriter(recording, leds.lines, leds.levels(), start=clock.seconds())
        leds.subscribe(writer.write)
        spans = []
        for shown in ROUNDS:
            await play(clock, chip, dict(enumerate(shown)), SHOWN_S)
            now = clock.seconds()
            spans.append((now - SHOWN_S + 0.5, now))
            for led, pattern in zip(LEDS, shown, strict=True):
                reading = watch.reading(led, now, window=SHOWN_S)
                figures = ", ".join(
                    f"{f.name} {f.value * 1e3:.2f} ± {(f.uncertainty or 0) * 1e3:.2f} ms"
                    for f in reading.figures
                    if f.unit == "s"
                )
                good = matches(reading.pattern, pattern) is Match.YES
                check(
                    good,
                    f"{led} shows {pattern}: seen {reading.pattern}; {figures}; {len(reading.anomalies)} anomalies",
                )
        check(not notes, f"no edge was dropped: {notes}")
        check(watch.group(("PWR", "TLS")).relation is Relation.UNRELATED, "PWR and TLS are unrelated")
        await play(clock, chip, {0: Blink(0.5, 0.5)}, 0.0)
        writer.close(clock.seconds())
        recorded = read_vcd(recording)
        for (start, end), shown in zip(spans, ROUNDS, strict=True):
            for led, pattern in zip(LEDS, shown, strict=True):
                reading = analyse(recorded.of(led), start, end, recorded.level_at(led, start))
                check(matches(reading.pattern, pattern) is Match.YES, f"recording of {led} shows {reading.pattern}")
        leds.close()
        leds.close()


async def check_groups(clock: Clock, check: Checks) -> None:
    """Together and alternating, lit when the line is low, with the kernel's debounce."""
    with simulated("smgw-low", {}) as chip:
        for offset in range(2):
            chip.pull(offset, up=True)
        leds = GpioLeds(clock, chip.chip, {"PWR": 0, "wMT": 1}, active_low=True, debounce_s=0.005)
        check(leds.levels() == {"PWR": False, "wMT": False}, "active low: a high line is a dark LED")
        watch = LedWatch(clock.seconds, leds)
        for shift, relation in ((0.0, Relation.TOGETHER), (0.25, Relation.ALTERNATING)):
            begin = clock.seconds() + 0.3
            for cycle in range(16):
                for offset, t in sorted(enumerate((0.0, shift)), key=lambda item: item[1]):
                    await clock.sleep_until(begin + cycle * 0.5 + t)
                    chip.pull(offset, up=False)
                    if not shift:
                        continue
                    chip.pull(1 - offset, up=True)
                if not shift:
                    await clock.sleep_until(begin + cycle * 0.5 + 0.25)
                    chip.pull(0, up=True)
                    chip.pull(1, up=True)
            group = watch.group(("PWR", "wMT"), window=5.0)
            check(
                group.relation is relation,
                f"{group}, {[f'{f.name} {f.value:.3f} ± {f.uncertainty:.3f}' for f in group.figures]}",
            )
        leds.close()


async def check_overflow(clock: Clock, check: Checks) -> None:
    """More edges than the kernel keeps: noticed, and the level is right afterwards."""
    with simulated("smgw-fast", {}) as chip:
        notes: list[str] = []
        leds = GpioLeds(clock, chip.chip, {"PWR": 0}, event_buffer=16, on_note=notes.append)
        await clock.sleep(0.05)
        tick = clock.seconds()
        for number in range(60):
            chip.pull(0, up=number % 2 == 0)
            tick += 0.03
            while clock.seconds() < tick:  # the loop does not turn, nobody reads
                await _no_turn(tick - clock.seconds())
        chip.pull(0, up=True)
        await clock.sleep(0.2)
        check(leds.levels() == {"PWR": True}, f"after too many edges the level is right; notes: {notes}")
        check(bool(notes), "dropped edges are noticed")
        leds.close()


async def _no_turn(seconds: float) -> None:
    """Hold up the whole program, as a busy one would."""
    import select

    select.select([], [], [], seconds)


async def check_errors(clock: Clock, check: Checks) -> None:
    """What is not there is named, with what is."""
    with simulated("smgw-errors", {0: "LED_PWR"}) as chip:
        tries: tuple[tuple[str, Callable[[], object]], ...] = (
            ("gpiochip77", lambda: GpioLeds(clock, "gpiochip77", {"PWR": 0})),
            ("LED_TLS", lambda: GpioLeds(clock, chip.chip, {"TLS": "LED_TLS"})),
            ("99", lambda: GpioLeds(clock, chip.chip, {"TLS": 99})),
            ("in use", lambda: GpioLeds(clock, chip.chip, {"PWR": 0})),
        )
        held = GpioLeds(clock, chip.chip, {"PWR": "LED_PWR"})
        for name, attempt in tries:
            try:
                attempt()
            except BenchError as error:
                check(name in str(error), str(error))
            else:
                check(good=False, text=f"no error for {name}")
        held.close()


async def main() -> int:
    clock = Clock(asyncio.get_running_loop())
    check = Checks()
    check(good=True, text=f"kernel {os.uname().release}")
    for part in (check_patterns, check_groups, check_overflow, check_errors):
        await part(clock, check)
    check(check.failed == 0, f"{check.failed} checks failed; {clock.seconds():.1f} s of the kernel's time")
    return 1 if check.failed else 0


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=RealLoop) as runner:
        sys.exit(runner.run(main()))
