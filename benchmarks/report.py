"""How long the reports of 500 cases with 10,000 steps take (goals: JSON and JUnit 1 s, HTML 2 s; hil-anchors F)."""

from __future__ import annotations

import json
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

from bench.report.build import build_report
from bench.report.html import render_html
from bench.report.junit import render_junit
from bench.report.run_folder import read_run_folder
from bench.report.summary import closing_summary
from devices.clock import wall_seconds

CASES = 500
STEPS = 20


def make(folder: Path) -> None:
    """A run of `CASES` cases with `STEPS` steps, LEDs and a bus trace each."""
    from stored_run import LEDS, blinking, step, write_case, write_run

    test = [(t, line, lit) for line in LEDS for t, _, lit in blinking(line, 0.2, 3.2, 0.125)]
    boot = [*blinking("PWR", 4.0, 44.0, 0.25), (44.0, "PWR", 1), (58.2, "TLS", 1), (70.4, "LMC", 1)]
    rows = []
    for number in range(CASES):
        bad = number % 25 == 0
        steps = [step(n, 10.0 * n, 10.0 * n + 9.0, f"Expect that PWR is on, step {n}.", "pass") for n in range(STEPS)]
        if bad:
            steps[-1] |= {"verdict": "fail", "reason": "not so within 9 s"}
        rows.append(
            write_case(
                folder / "cases" / f"case-{number}",
                key=f"CASE-{number}[ppc,{number % 7}]",
                gateway=("ppc", "conexa", "casa")[number % 3],
                suite=f"suite-{number % 12}",
                verdict="fail" if bad else "pass",
                reason="step 20: not so within 9 s" if bad else "",
                steps=steps,
                edges=test + boot,
                bus=[50 + n * 0.5 for n in range(60)],
                assumed=[{"name": "boot_time", "value": "40 s", "source": "wan-core 9.1", "why": "not stated"}],
            )
        )
    write_run(folder, rows)


def main() -> None:
    """Print the figures."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "report"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder)
        marks = [wall_seconds()]
        run = read_run_folder(folder)
        marks.append(wall_seconds())
        json.loads((folder / "run.json").read_text())
        closing_summary(run)
        marks.append(wall_seconds())
        report = build_report(run)
        marks.append(wall_seconds())
        junit = render_junit(report)
        marks.append(wall_seconds())
        html = render_html(report)
        marks.append(wall_seconds())
    read, counted, built, as_junit, as_html = (b - a for a, b in pairwise(marks))
    steps = sum(len(case.steps) for case in report.cases)
    print(f"reports of {CASES} cases, {steps} steps, {sum(len(case.evidence) for case in report.cases)} files")
    print(f"  read run folder     {read:6.2f} s")
    print(f"  counts and summary  {counted:6.2f} s")
    print(f"  view model          {built:6.2f} s  (timelines, waveforms analysed, captures, SHA-256)")
    print(f"  JUnit               {as_junit:6.2f} s  {len(junit) / 1e6:.1f} MB")
    print(f"  HTML                {as_html:6.2f} s  {len(html) / 1e6:.1f} MB")
    print(f"  all                 {sum((read, counted, built, as_junit, as_html)):6.2f} s")


if __name__ == "__main__":
    main()
