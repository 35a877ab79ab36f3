"""Radio telegrams per second in one process: ten thousand mixed ones, a good half of them encrypted.

From octets and key to all records, and besides to the JSON of the command. pymbusparser reads those that it can; ours
and its runs take turns, so that a busy machine slows both, and the fastest run of each counts. A file of telegrams can
be named: ``python -m benchmarks.wmbus_speed FILE``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import version
from itertools import cycle
from pathlib import Path
from typing import Any

from bench.decode.wmbus import FORMS, Request, answer_line
from bench.decode.wmbus_reading import TelegramReader
from benchmarks.wmbus_data import COLLECTION, telegrams
from devices.clock import wall_seconds

COUNT = 10_000
ROUNDS = 5
GOAL = 5000
"""Telegrams per second on one core."""


def main(path: Path = COLLECTION) -> None:
    """Print the figures."""
    lines = [line for line in telegrams(path) if line["payload_state"] in ("plain", "encrypted")]
    if not lines:
        print(f"no telegrams in {path}, nothing measured")
        return
    mixed = _mixed(lines)
    encrypted = sum(line["payload_state"] == "encrypted" for line in mixed)
    requests = [Request(bytes.fromhex(line["hex"]), _key(line), FORMS[line["frame_format"].lower()]) for line in mixed]
    octets = sum(len(request.octets) for request in requests)
    print(f"{COUNT} telegrams, {encrypted} of them encrypted, {octets / COUNT:.0f} octets on average")

    def records() -> int:
        reader = TelegramReader()
        readings = (reader.read(request.octets, request.key, request.form) for request in requests)
        return sum(len(reading.contents.records) for reading in readings if reading.contents is not None)

    asked = [_asked(line) for line in mixed]

    def answers() -> int:
        reader, common = TelegramReader(), Request(b"")
        return sum(answer_line(reader, line, 1, common, as_json=True)[1] for line in asked)

    read, answered = _fastest(records, answers)
    print(f"  to records       {COUNT / read:9.0f} telegrams/s   {records()} records, goal {GOAL}")
    print(f"  to lines of JSON {COUNT / answered:9.0f} telegrams/s")
    _beside_pymbusparser(mixed)


def _mixed(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`COUNT` telegrams, three encrypted ones for two in the clear, each kind in turn and again from its beginning."""
    clear = [line for line in lines if line["payload_state"] == "plain"]
    encrypted = [line for line in lines if line["payload_state"] == "encrypted"]
    kinds = [cycle(kind or lines) for kind in (clear, encrypted)]
    return [next(kinds[place % 5 > 1]) for place in range(COUNT)]


def _key(line: dict[str, Any]) -> bytes | None:
    return bytes.fromhex(line["key"]) if line["key"] else None


def _asked(line: dict[str, Any]) -> bytes:
    key = f'"{line["key"]}"' if line["key"] else "null"
    return f'{{"hex": "{line["hex"]}", "key": {key}, "form": "{line["frame_format"]}"}}\n'.encode()


def _fastest(*runs: Callable[[], object]) -> list[float]:
    """Seconds that each run takes, at best, the runs taking turns."""
    best = [float("inf")] * len(runs)
    for _ in range(ROUNDS):
        for place, run in enumerate(runs):
            begin = wall_seconds()
            run()
            best[place] = min(best[place], wall_seconds() - begin)
    return best


def _beside_pymbusparser(mixed: list[dict[str, Any]]) -> None:
    try:
        from pymbusparser import parse
    except ImportError:
        print("  pymbusparser     not installed, not measured")
        return

    def theirs(line: dict[str, Any]) -> int:
        """Records that it gives; 0 when it refuses or leaves the contents alone."""
        try:
            told = parse(line["hex"], key=line["key"], include_enrichment=False)
        except ValueError:
            return 0
        return len(told["records"]) if told["decode_state"] == "complete" else 0

    can = {line["id"]: theirs(line) for line in mixed}
    readable = [line for line in mixed if can[line["id"]]]
    if not readable:
        print("  pymbusparser     reads none of them")
        return
    requests = [
        Request(bytes.fromhex(line["hex"]), _key(line), FORMS[line["frame_format"].lower()]) for line in readable
    ]

    def ours() -> None:
        reader = TelegramReader()
        for request in requests:
            reader.read(request.octets, request.key, request.form)

    def peer() -> None:
        for line in readable:
            theirs(line)

    own, other = _fastest(ours, peer)
    kinds = len({line["id"] for line in mixed})
    name = f"pymbusparser {version('pymbusparser')}"
    print(f"  {name} reads {sum(map(bool, can.values()))} of {kinds} different ones; on {len(readable)} of these")
    print(f"    this project   {len(readable) / own:9.0f} telegrams/s")
    print(f"    pymbusparser   {len(readable) / other:9.0f} telegrams/s   ratio {other / own:.2f}")


if __name__ == "__main__":
    main(*(Path(name) for name in sys.argv[1:2]))
