"""Runs all measurements, or those named: ``python -m benchmarks [protocols] [wmbus_speed] ...``."""

from __future__ import annotations

import importlib
import sys

PARTS = ("protocols", "metering", "wmbus_speed", "wmbus_agreement", "harness", "gateway", "home", "report")


def main() -> int:
    wanted = sys.argv[1:] or PARTS
    unknown = [name for name in wanted if name not in PARTS]
    if unknown:
        print(f"no measurement {unknown[0]!r}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    for name in wanted:
        print(f"\n== {name} ==", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


raise SystemExit(main())
