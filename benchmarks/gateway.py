"""How fast virtual time runs: an idle gateway with 8 meters read every 15 minutes, over one day."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from bench.config import load_bench
from bench.runner import run_case
from bench.scenario.loader import cases_of
from bench.scenario.source import parse

DAYS = 2
METERS = 8


def main() -> None:
    meters = "\n".join(
        f"    m{n}: {{type: base_meter, id: 1SAG00210610{n:02}, registers: {{1.8.0: 100 kWh}}, load: 400 W}}"
        for n in range(METERS)
    )
    text = (
        "id: IDLE\ntitle: An idle gateway with meters\nneeds: [power, leds, wired_lmn]\n"
        f"given:\n  meters:\n{meters}\nsteps:\n  - power: on\n  - wait: {DAYS} d\n"
    )
    bench, _ = load_bench("emulated")
    for case in cases_of(parse(text, Path("idle.yaml"))):
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            run_case(case, bench, Path(folder) / "case", seed=1, replay=[])
            wall = time.perf_counter() - begin
        speed = DAYS * 86400 / wall
        print(f"{case.gateway:8} {METERS} meters, {DAYS} d in {wall:6.2f} s: {speed:9.0f} virtual s per s")
