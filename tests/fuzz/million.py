"""A plain random fuzzer that needs nothing but Python: ``python tests/fuzz/million.py [EXECUTIONS]``.

Stops at the first input that breaks a rule and keeps it. The same seed gives the same inputs.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from fuzz_targets import TARGETS  # noqa: E402 - the repository comes first on the path
from mutations import mutated  # noqa: E402

from devices.clock import wall_seconds  # noqa: E402


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the executions, shared out evenly over the targets; returns the exit code."""
    parser = argparse.ArgumentParser(description="Mutate frames and files of real meters and decode them.")
    parser.add_argument("executions", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=ROOT / "build" / "fuzz", help="where a breaking input is kept")
    chosen = parser.parse_args(arguments)
    begin = wall_seconds()
    share = -(-chosen.executions // len(TARGETS))
    slowest = 0.0
    for name, (target, seeds) in TARGETS.items():
        rng = random.Random(f"{chosen.seed} {name}")
        octets = seeds()
        started = last = wall_seconds()
        for _ in range(share):
            data = mutated(rng, rng.choice(octets), octets)
            try:
                target(data)
            except Exception:
                chosen.keep.mkdir(parents=True, exist_ok=True)
                path = chosen.keep / f"{name.replace(' ', '_')}.bin"
                path.write_bytes(data)
                _say(f"{name}: an input of {len(data)} octets breaks a rule, kept as {path}\n{traceback.format_exc()}")
                return 1
            now = wall_seconds()
            slowest, last = max(slowest, now - last), now
        _say(f"{name:14} {share:9} executions {wall_seconds() - started:7.1f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = wall_seconds() - begin
    figures = f"slowest {slowest * 1e3:.1f} ms, peak memory {peak:.0f} MiB"
    _say(f"{share * len(TARGETS)} executions in {seconds:.1f} s, {figures}")
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
