"""How fast virtual time runs: an idle gateway with meters read every 15 minutes, a few and a full bus; in the clear,
through TLS, and with a monitor on each meter."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from bench.config import load_bench
from bench.runner import run_case
from bench.scenario.loader import cases_of
from bench.scenario.source import parse

SIZES = ((8, 48, "clear", False), (32, 12, "clear", False), (32, 12, "tls", False), (32, 4, "tls", True))
"""Meters on the bus, hours to run, how they are read, and whether each is watched; 32 is what the slots of one public
program have room for (lmn-wired 1.5)."""


def main() -> None:
    """Print the figures."""
    for meters, hours, security, watched in SIZES:
        _run(meters, hours, security, watched=watched)


def _run(meters: int, hours: int, security: str, *, watched: bool) -> None:
    given = "\n".join(
        f"    m{n}: {{type: base_meter, id: 1SAG00210610{n:02}, security: {security}, load: 400 W,"
        " registers: {1.8.0: 100 kWh}}"
        for n in range(meters)
    )
    watch = "".join(f"  - never: {{lmn: {{meter: m{n}, clear: true}}}}\n" for n in range(meters))
    text = (
        "id: IDLE\ntitle: An idle gateway with meters\nneeds: [power, leds, wired_lmn]\n"
        f"given:\n  meters:\n{given}\n{'watch:' if watched else ''}\n{watch if watched else ''}"
        f"steps:\n  - power: on\n  - wait: {hours} h\n"
    )
    bench, _ = load_bench("emulated")
    for case in cases_of(parse(text, Path("idle.yaml"))):
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            run_case(case, bench, Path(folder) / "case", seed=1, replay=[])
            wall = time.perf_counter() - begin
        speed = hours * 3600 / wall
        how = f"{security}{', watched' if watched else ''}"
        print(f"{case.gateway:8} {meters:2} meters ({how}), {hours} h in {wall:6.2f} s: {speed:9.0f} virtual s per s")


if __name__ == "__main__":
    main()
