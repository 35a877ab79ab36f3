"""The table of octets in docs/wired-meters.md, by which an independent verifier is written, is what is signed."""

from __future__ import annotations

import re
from pathlib import Path

from devices.protocols.update_log import (
    ENTRY_OCTETS,
    Event,
    UpdateLogEntry,
    UpdateLogStatus,
    signed_entries,
    signed_status,
)

DOCS = Path(__file__).parents[2] / "docs" / "wired-meters.md"
SERVER = bytes.fromhex("0A015341470001415D89")
VALUES = (4660, 282, 1, 100_000, 5_000, 0x4751)


def table(head: str) -> list[tuple[int, int, str]]:
    """Offset, octets and contents of the rows below `head`; of an offset with i only its begin."""
    text = DOCS.read_text("utf-8").partition(f"| {head}: offset |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (\d+)[^|]*\| (\d+) \| (.*?) \|$", text, re.MULTILINE)
    return [(int(offset), int(octets), contents) for offset, octets, contents in rows]


def test_the_rows_of_each_table_follow_each_other_without_gap() -> None:
    for head, size in (("status", 17), ("entries", 16 + ENTRY_OCTETS), ("entry", ENTRY_OCTETS)):
        place = 0
        for offset, octets, _ in table(head):
            assert offset == place, head
            place += octets
        assert place == size, head


def test_octets_built_by_the_tables_are_those_that_are_signed() -> None:
    status = [b"UL1S", SERVER, 4, 1]
    assert signed_status(SERVER, UpdateLogStatus(4, True)) == built("status", status)
    number, second_index, event, drawn, fed, crc = VALUES
    one = UpdateLogEntry(number, second_index, Event(event), drawn, fed, "V99.99", crc)
    entry = built("entry", [number, second_index, event, drawn, fed, b"V99.99", crc])
    assert signed_entries(SERVER, [one]) == built("entries", [b"UL1E", SERVER, 1, entry])


def built(head: str, values: list[int | bytes]) -> bytes:
    rows = table(head)
    return b"".join(
        value.to_bytes(octets, "big") if isinstance(value, int) else value.ljust(octets, b"\0")
        for (_, octets, _), value in zip(rows, values, strict=True)
    )
