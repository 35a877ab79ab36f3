"""The dumps of real meters that the tests read: those of tests/vectors, and the whole collection where it lies beside
the repository."""

from __future__ import annotations

from pathlib import Path

from devices.protocols.sml.messages import GetListResponse, ListEntry
from devices.protocols.sml.obis import format_obis
from devices.protocols.sml.transport import SmlFile
from devices.protocols.sml.units import unit_name

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "vectors" / "sml"
COLLECTION = ROOT.parent / "shared" / "data" / "sml"


def dumps() -> list[Path]:
    """One path per dump, by name."""
    found = {path.name: path for folder in (COLLECTION, VECTORS) for path in folder.glob("*.bin")}
    return [found[name] for name in sorted(found)]


def entries(file: SmlFile) -> list[ListEntry]:
    """The registers of a file."""
    return [
        entry
        for message in file.messages
        if isinstance(message.body, GetListResponse)
        for entry in message.body.val_list
    ]


def expected(dump: Path) -> list[tuple[str, str, str]]:
    """OBIS, value and unit of each line that libsml's program printed for the dump."""
    lines = dump.with_suffix(".expected.txt").read_text().splitlines()
    rows = []
    for line in lines:
        if line.strip():
            code, rest = line.split("#", 1)
            value, unit = rest.rsplit("#", 1)
            rows.append((code, value, unit))
    return rows


def printed(entry: ListEntry, like: str) -> tuple[str, str, str]:
    """A register as libsml's program prints it, numbers with as many decimals as `like` has."""
    unit = "" if entry.unit is None or isinstance(entry.value, bytes) else unit_name(entry.unit)
    return format_obis(entry.obis), _value(entry, like), {"deg": "Â°"}.get(unit, unit)


def _value(entry: ListEntry, like: str) -> str:
    if isinstance(entry.value, bytes):
        return _octets(entry.value)
    number = entry.number
    if number is None:
        return str(entry.value)
    decimals = len(like.partition(".")[2])
    text = f"{number:.{decimals}f}"
    return (
        text if number == number.quantize(type(number)(1).scaleb(-decimals)) else f"{number} (not {decimals} decimals)"
    )


def _octets(value: bytes) -> str:
    """Characters up to the first that is not printable, then hexadecimal octets."""
    text = ""
    for place, octet in enumerate(value):
        if not 0x20 < octet < 0x7F:
            return text + "".join(f"{rest:02x} " for rest in value[place:])
        text += chr(octet)
    return text
