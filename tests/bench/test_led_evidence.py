"""Whether LEDs did what they must *all the time* is judged by every edge: replayed waveforms, one verdict each."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from bench.config import load_bench
from bench.runner import CaseResult, run_case
from bench.scenario.loader import cases_of
from bench.scenario.source import parse
from bench.verdict import Verdict

LINES = ("PWR", "TLS", "LMC", "wMT")
HEAD = "id: E-1\ntitle: Evidence\ngateways: [ppc]\nneeds: [leds]\n"
BENCH = "name: replay\ntime: virtual\ngateway: {emulated: true}\nleds: {recorded: waveform.vcd}\n"
Edge = tuple[float, str, bool]


def off_and_on(line: str, at: float, lasted: float) -> list[Edge]:
    return [(at, line, False), (at + lasted, line, True)]


def on_and_off(line: str, at: float, lasted: float) -> list[Edge]:
    return [(at, line, True), (at + lasted, line, False)]


def blink(lines: Iterable[str], begin: float, end: float, lit: float, dark: float) -> list[Edge]:
    edges, at = [], begin
    while at < end - 1e-9:
        for line in lines:
            edges += on_and_off(line, at, lit)
        at += lit + dark
    return edges


def replay(tmp_path: Path, body: str, edges: Iterable[Edge], *, lit: str = "PWR", lasts: float = 400.0) -> CaseResult:
    """Run steps on a waveform in which `lit` LEDs are on at the begin."""
    codes = dict(zip(LINES, "abcd", strict=True))
    text = ["$timescale 1 us $end", *(f"$var wire 1 {code} {line} $end" for line, code in codes.items())]
    text += ["$enddefinitions $end", "#0", "$dumpvars"]
    text += [f"{int(line in lit.split())}{code}" for line, code in codes.items()]
    text.append("$end")
    for t, line, level in sorted(edges):
        text += [f"#{round(t * 1e6)}", f"{int(level)}{codes[line]}"]
    text.append(f"#{round(lasts * 1e6)}")
    vcd = tmp_path / "waveform.vcd"
    vcd.write_text("\n".join(text) + "\n", encoding="ascii")
    (tmp_path / "replay.yaml").write_text(BENCH.replace("waveform.vcd", str(vcd)), encoding="utf-8")
    bench, _ = load_bench(str(tmp_path / "replay.yaml"))
    (case,) = cases_of(parse(HEAD + body, Path("e.yaml")))
    return run_case(case, bench, tmp_path / "case", seed=1, replay=[])


STEADY = "steps:\n  - leds: {PWR: on, for: 5 min}\n"


@pytest.mark.parametrize("lasted", [0.031, 0.05, 0.1, 1.0, 1.9, 2.4, 2.6, 20.0])
def test_an_outage_breaks_a_steady_led_however_short(tmp_path: Path, lasted: float) -> None:
    result = replay(tmp_path, STEADY, off_and_on("PWR", 150.0, lasted))
    assert result.verdict is Verdict.FAIL
    assert "held for 150 s only" in result.reason


@pytest.mark.parametrize("lasted", [0.001, 0.005, 0.019, 0.029])
def test_one_disturbance_of_some_milliseconds_is_tolerated_and_told(tmp_path: Path, lasted: float) -> None:
    result = replay(tmp_path, STEADY, off_and_on("PWR", 150.0, lasted))
    assert result.verdict is Verdict.PASS
    assert f"tolerated: PWR was off for {round(lasted * 1e3)} ms from 150.000 s" in result.steps[-1].seen


def test_disturbances_that_come_again_and_again_are_not_tolerated(tmp_path: Path) -> None:
    edges = [edge for at in range(100, 110, 3) for edge in off_and_on("PWR", float(at), 0.005)]
    result = replay(tmp_path, STEADY, edges)
    assert result.verdict is Verdict.FAIL
    assert "times before in 10 s" in result.reason


def test_disturbances_that_are_rare_are_tolerated(tmp_path: Path) -> None:
    edges = [edge for at in range(20, 290, 15) for edge in off_and_on("PWR", float(at), 0.005)]
    result = replay(tmp_path, STEADY, edges)
    assert result.verdict is Verdict.PASS
    assert "and 13 more" in result.steps[-1].seen


def test_outages_of_1900_ms_every_ten_seconds_fail(tmp_path: Path) -> None:
    edges = [edge for at in range(10, 290, 10) for edge in off_and_on("PWR", float(at), 1.9)]
    assert replay(tmp_path, STEADY, edges).verdict is Verdict.FAIL


def test_an_undisturbed_led_passes(tmp_path: Path) -> None:
    result = replay(tmp_path, STEADY, [])
    assert (result.verdict, result.bench_s) == (Verdict.PASS, 300.0)
    assert "tolerated" not in result.steps[-1].seen


def test_what_a_recording_does_not_hold_is_not_passed(tmp_path: Path) -> None:
    result = replay(tmp_path, STEADY, [], lasts=60.0)
    assert result.verdict is Verdict.INCONC
    assert "the recording was over at 60.000 s" in result.reason


HEARTBEAT = "steps:\n  - leds: {PWR: blinking 1 s, for: 2 min}\n"


def blinking(*silences: tuple[float, float]) -> list[Edge]:
    """One second of period with silences (from, until), in which the LED is dark."""
    edges = blink(["PWR"], 0.0, 200.0, 0.5, 0.5)
    return [edge for edge in edges if not any(begin <= edge[0] <= end for begin, end in silences)]


def test_a_blink_that_goes_on_passes(tmp_path: Path) -> None:
    assert replay(tmp_path, HEARTBEAT, blinking(), lit="").verdict is Verdict.PASS


def test_a_blink_with_one_flash_too_few_passes_and_tells_it(tmp_path: Path) -> None:
    """One missed pair of edges in ten seconds is what sensing may lose."""
    result = replay(tmp_path, HEARTBEAT, [edge for edge in blinking() if edge[0] != 60.5], lit="")
    assert result.verdict is Verdict.PASS
    assert "missed edge" in result.steps[-1].seen


@pytest.mark.parametrize(("begin", "end"), [(59.9, 62.0), (59.9, 61.6), (59.9, 64.6)])
def test_a_blink_that_pauses_does_not_pass(tmp_path: Path, begin: float, end: float) -> None:
    result = replay(tmp_path, HEARTBEAT, blinking((begin, end)), lit="")
    assert result.verdict is Verdict.FAIL
    assert "59" in result.reason or "held for 59" in result.reason


ALWAYS = "watch:\n  - always: {leds: {TLS: off}}\nsteps:\n  - wait: 60 s\n"


@pytest.mark.parametrize("lasted", [0.05, 1.0, 2.4, 3.0])
@pytest.mark.parametrize("at", [0.5, 30.0, 57.0])
def test_a_led_that_must_always_be_dark_and_lights_up_fails(tmp_path: Path, at: float, lasted: float) -> None:
    result = replay(tmp_path, ALWAYS, on_and_off("TLS", at, lasted))
    assert result.verdict is Verdict.FAIL
    assert result.monitors[0]["reason"].startswith(f"at {at:.3f} s: TLS")


def test_a_led_that_lights_up_for_a_moment_at_the_very_end_is_not_passed(tmp_path: Path) -> None:
    result = replay(tmp_path, ALWAYS, on_and_off("TLS", 59.9, 0.2))
    assert result.verdict is Verdict.FAIL


def test_what_a_monitor_tolerates_is_told(tmp_path: Path) -> None:
    result = replay(tmp_path, ALWAYS, on_and_off("TLS", 30.0, 0.004))
    assert result.verdict is Verdict.PASS
    assert result.monitors[0]["reason"] == "tolerated: TLS was on for 4 ms from 30.000 s"


NEVER = "watch:\n  - never: {leds: alarm}\nsteps:\n  - wait: 60 s\n"


@pytest.mark.parametrize(
    ("lasted", "verdict"),
    [
        (10.0, Verdict.FAIL),
        (6.0, Verdict.FAIL),
        (4.0, Verdict.INCONC),
        (2.0, Verdict.INCONC),
        (1.0, Verdict.INCONC),
    ],
)
def test_an_alarm_that_is_too_short_to_be_sure_of_is_not_passed(
    tmp_path: Path, lasted: float, verdict: Verdict
) -> None:
    """[PPC] 2.4: all LEDs dark but PWR, then PWR and TLS blink together with a period of 0.5 s."""
    edges = [(20.0, "PWR", False), *blink(["PWR", "TLS"], 20.25, 20.25 + lasted, 0.25, 0.25)]
    result = replay(tmp_path, NEVER, [*edges, (20.25 + lasted, "PWR", True)])
    assert result.verdict is verdict
    if verdict is Verdict.INCONC:
        assert "may have been that the LEDs show 'stopped' (PWR, TLS" in result.reason


def test_the_led_test_is_no_alarm(tmp_path: Path) -> None:
    """[PPC] 2.4: short flashes of all four at the same time, for three seconds, then PWR blinks and stays on."""
    edges = blink(LINES, 2.0, 5.0, 0.1, 0.4) + blink(["PWR"], 8.0, 20.0, 0.25, 0.25) + [(20.0, "PWR", True)]
    assert replay(tmp_path, NEVER, edges, lit="").verdict is Verdict.PASS


def test_a_led_that_must_never_go_out_and_does_for_a_second_is_not_passed(tmp_path: Path) -> None:
    body = "watch:\n  - never: {leds: {PWR: off}}\nsteps:\n  - wait: 60 s\n"
    assert replay(tmp_path, body, off_and_on("PWR", 30.0, 1.0)).verdict is Verdict.INCONC
    assert replay(tmp_path, body, off_and_on("PWR", 30.0, 3.0)).verdict is Verdict.FAIL
    edges = [*blink(["PWR"], 30.5, 50.0, 0.5, 0.5), (50.0, "PWR", True)]
    assert replay(tmp_path, body, edges).verdict is not Verdict.FAIL


WITHIN = "steps:\n  - leds: {PWR: off, within: 35 s}\n"


@pytest.mark.parametrize(
    ("at", "verdict"),
    [
        (10.0, Verdict.PASS),
        (34.973, Verdict.PASS),
        (35.2, Verdict.PASS),
        (35.3, Verdict.FAIL),
        (36.0, Verdict.FAIL),
        (44.0, Verdict.FAIL),
        (90.0, Verdict.FAIL),
    ],
)
def test_the_edge_counts_against_the_limit_and_not_the_time_to_decide(
    tmp_path: Path, at: float, verdict: Verdict
) -> None:
    """A quarter of a second is granted to every limit (`bench.expect.LATE_S`)."""
    result = replay(tmp_path, WITHIN, [(at, "PWR", False)])
    assert result.verdict is verdict
    assert "undecided" not in result.reason
    if verdict is Verdict.FAIL and at < 50:
        assert f"so after {at:g} s only, not within 35 s" in result.reason


def test_a_blink_that_ends_in_time_ends_in_time(tmp_path: Path) -> None:
    edges = [*blink(["PWR"], 0.0, 34.5, 0.25, 0.25), (34.9, "PWR", True), (34.973, "PWR", False)]
    assert replay(tmp_path, WITHIN, edges, lit="").verdict is Verdict.PASS


def test_a_hold_counts_from_the_edge(tmp_path: Path) -> None:
    """Off for 12.4 s is off for 10 s, though 2.5 s of it pass before anybody can be sure."""
    body = "steps:\n  - leds: {PWR: off, for: 10 s, within: 10 s}\n"
    edges = [*blink(["PWR"], 0.0, 2.5, 0.25, 0.25), (2.5, "PWR", True), (2.63, "PWR", False), (15.03, "PWR", True)]
    result = replay(tmp_path, body, edges, lit="")
    assert result.verdict is Verdict.PASS
    assert "after 2.63 s" in result.steps[-1].seen
    assert result.bench_s == pytest.approx(12.63, abs=0.1)


def test_a_hold_that_breaks_in_time_may_begin_anew(tmp_path: Path) -> None:
    body = "steps:\n  - leds: {PWR: on, for: 20 s, within: 15 s}\n"
    assert replay(tmp_path, body, off_and_on("PWR", 9.0, 1.0)).verdict is Verdict.PASS
    assert replay(tmp_path, body, off_and_on("PWR", 15.5, 1.0)).verdict is Verdict.FAIL
    assert replay(tmp_path, body, [*off_and_on("PWR", 9.0, 1.0), *off_and_on("PWR", 20.0, 1.0)]).verdict is Verdict.FAIL


def test_what_breaks_behind_the_end_of_a_hold_breaks_nothing(tmp_path: Path) -> None:
    body = "steps:\n  - leds: {PWR: on, for: 20 s}\n  - wait: 30 s\n"
    assert replay(tmp_path, body, off_and_on("PWR", 20.5, 1.0)).verdict is Verdict.PASS
