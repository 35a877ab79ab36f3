"""What the harness costs before a scenario does anything: start-up, and an empty scenario beside a bare test."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 7
CASES = 300
BARE = 3000

EMPTY = "id: EMPTY-{number}\ntitle: Nothing is done\ngateways: [casa]\nsteps:\n  - wait: 0 s\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        _start_up(Path(folder))
        _empty(Path(folder))


def _start_up(folder: Path) -> None:
    listing = [sys.executable, "-m", "bench.cli", "list"]
    bare = [sys.executable, "-c", "pass"]
    print(f"smgw-bench list            {_median(listing):7.3f} s")
    print(f"smgw-bench --help          {_median([sys.executable, '-m', 'bench.cli', '--help']):7.3f} s")
    print(f"python -c pass             {_median(bare):7.3f} s")


def _empty(folder: Path) -> None:
    scenarios = folder / "scenarios"
    plain = folder / "plain"
    scenarios.mkdir()
    plain.mkdir()
    for number in range(CASES):
        (scenarios / f"s{number:04}.yaml").write_text(EMPTY.format(number=number))
    tests = "".join(f"def test_{number}():\n    pass\n" for number in range(BARE))
    (plain / "test_plain.py").write_text(tests)
    (plain / "test_one.py").write_text("def test_one():\n    pass\n")
    quiet = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:asyncio",
        "--rootdir",
        str(folder),
    ]
    one = _median([*quiet, str(plain / "test_one.py")])
    bare = (_median([*quiet, str(plain / "test_plain.py")]) - one) / (BARE - 1)
    single = _median([*quiet, str(scenarios / "s0000.yaml")])
    ours = (_median([*quiet, str(scenarios)]) - single) / (CASES - 1)
    print(f"bare pytest test           {bare * 1000:7.2f} ms")
    print(f"empty scenario under pytest{ours * 1000:7.2f} ms  ({ours / bare:.1f} times a bare test)")
    out = folder / "run"
    command = [sys.executable, "-m", "bench.cli", "run", str(scenarios), "--plain", "--out"]
    begin = time.perf_counter()
    subprocess.run([*command, str(out)], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print(f"empty scenario, smgw-bench {(time.perf_counter() - begin) / CASES * 1000:7.2f} ms with evidence and report")


def _median(command: list[str]) -> float:
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        times.append(time.perf_counter() - begin)
    return statistics.median(times)
