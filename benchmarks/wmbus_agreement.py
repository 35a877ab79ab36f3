"""What `smgw-bench decode wmbus` reads beside what two other decoders agreed on: python -m benchmarks wmbus_agreement.

Each line of the collection goes through the command's own line reader, with its key and nothing else that would help,
and its answer is compared record by record: DIB, VIB, octets, function, storage, tariff, subunit, value within 1e-6,
unit. A file of such lines can be named: ``python -m benchmarks.wmbus_agreement FILE``.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from bench.decode.wmbus import Request, answer_line
from bench.decode.wmbus_reading import TelegramReader
from benchmarks.wmbus_data import COLLECTION, telegrams

FIELDS = ("dib", "vib", "raw", "func", "storage", "tariff", "subunit")
TOLERANCE = 1e-6


def main(path: Path = COLLECTION) -> None:
    """Print the table and every difference."""
    lines = telegrams(path)
    if not lines:
        print(f"no telegrams in {path}, nothing compared")
        return
    reader = TelegramReader()
    counts: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    told: list[str] = []
    for number, line in enumerate(lines, 1):
        asked = json.dumps({"hex": line["hex"], "key": line["key"]}).encode()
        answer = json.loads(answer_line(reader, asked, number, Request(b""), as_json=True)[0])
        found = differences(line, answer)
        group = counts[line["frame_format"], line["security"], line["payload_state"]]
        group["telegrams"] += 1
        group["agree"] += not any(text for text, excused in found if not excused)
        group["records"] += len(line.get("records", ()))
        told += [f"{line['id']}: {text}{' - ' + excused if excused else ''}" for text, excused in found]
    print(f"{'frame':13} {'security':9} {'payload':19} telegrams  agree  records")
    for key, group in sorted(counts.items()):
        print(f"{key[0]:13} {key[1]:9} {key[2]:19} {group['telegrams']:9} {group['agree']:6} {group['records']:8}")
    total = sum(counts.values(), Counter[str]())
    print(f"{'all':43} {total['telegrams']:9} {total['agree']:6} {total['records']:8}")
    print(f"differences: {len(told)}")
    for text in told:
        print(f"  {text}")


def differences(line: dict[str, Any], answer: dict[str, Any]) -> list[tuple[str, str]]:
    """What differs, and why it may; an empty reason means that it must not."""
    if "error" in answer:
        return [(f"not read: {answer['error']}", "")]
    found = _layers(line, answer)
    if "records" not in line:
        if answer["records"]:
            found.append(
                (f"{len(answer['records'])} records where the collection has none", "its format is known here")
            )
        return found
    wanted, given = line["records"], answer["records"]
    if len(wanted) != len(given):
        found.append((f"{len(given)} records instead of {len(wanted)}: {answer.get('trouble', '')}", ""))
    for place, (one, other) in enumerate(zip(wanted, given, strict=False)):
        for text in _record(one, other):
            found.append((f"record {place} {one['dib']} {one['vib']} {one['raw']}: {text}", _excuse(one)))
    return found


def _layers(line: dict[str, Any], answer: dict[str, Any]) -> list[tuple[str, str]]:
    found = []
    if line["security"] != answer["security"]:
        found.append((f"security {answer['security']} instead of {line['security']}", ""))
    dll, link = line["dll"], answer["link"]
    for theirs, ours in (("mfct", "manufacturer"), ("id", "id"), ("version", "version"), ("type", "type")):
        if theirs in dll and str(dll[theirs]).lower() != str(link.get(ours)).lower():
            found.append((f"link {ours} {link.get(ours)} instead of {dll[theirs]}", ""))
    header = answer.get("header") or {}
    for name, value in (line.get("tpl") or {}).items():
        if str(header.get(name)).lower() != str(value).lower():
            found.append((f"header {name} {header.get(name)} instead of {value}", ""))
    return found


def _record(wanted: dict[str, Any], given: dict[str, Any]) -> list[str]:
    found = [f"{name} {given[name]} instead of {wanted[name]}" for name in FIELDS if wanted[name] != given[name]]
    if "value" in wanted and not _same(wanted["value"], given["value"]):
        found.append(f"value {given['value']} instead of {wanted['value']}")
    if wanted.get("unit") != given["unit"] and not (wanted.get("value") is None and "unit" not in wanted):
        found.append(f"unit {given['unit']} instead of {wanted.get('unit')}")
    more = [name for name in ("text", "lvar", "vife_multiplier") if name in wanted]
    return found + [
        f"{name} {given.get(name)} instead of {wanted[name]}" for name in more if wanted[name] != given.get(name)
    ]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=TOLERANCE)
    return bool(one == other)


def _excuse(record: dict[str, Any]) -> str:
    """Why the collection itself has no second opinion on a record; empty when it has."""
    if "oracle" in record:
        return f"oracle {record['oracle']}"
    return str(record.get("note", ""))


if __name__ == "__main__":
    main(*(Path(name) for name in sys.argv[1:2]))
