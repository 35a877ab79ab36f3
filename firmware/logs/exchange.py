"""Log books as JSON lines: all that another program needs to verify them (docs/logs.md), and back.

The first line has ``format``, ``device`` and ``public_key`` (PEM); then follow, for each book, its ``anchor`` when old
entries went, its ``entry`` lines and its ``head``. Octets are hexadecimal; ``parameters`` is the stored text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from devices.errors import UsageError
from firmware.logs.stored import RawEntry, RawLogs, RawMark
from firmware.own_clock import iso

FORMAT: Final = "smgw-log-export-1"
_OCTETS: Final = frozenset({"chain", "signature", "entry_signature"})
_TEXTS: Final = frozenset({"event", "level", "outcome", "parameters", "text"})


def export_lines(logs: RawLogs, books: Iterable[str] = ()) -> Iterator[str]:
    """The lines of an export, of all books or of those named."""
    wanted = {name.encode() for name in books}
    pem = "" if logs.key is None else logs.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    yield _line({"format": FORMAT, "device": logs.device, "public_key": pem})
    for (name, owner), book in logs.books.items():
        if wanted and name not in wanted:
            continue
        where = {"book": _shown(name), "owner": _shown(owner)}
        if book.anchor is not None:
            yield _line({"kind": "anchor", **where, **_values(book.anchor)})
        for entry in book.entries:
            yield _line({"kind": "entry", **where, "time": _time(entry.time_us), **_values(entry)})
        if book.head is not None:
            yield _line({"kind": "head", **where, **_values(book.head)})


def from_lines(lines: Iterable[str]) -> RawLogs:
    """Read an export back. Raises UsageError: a line that is none of an export, with its number."""
    logs = RawLogs()
    for number, line in enumerate(lines, 1):
        try:
            told = json.loads(line)
            if number == 1:
                _begin(logs, told)
            else:
                _take(logs, told)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UsageError(f"line {number} is none of a log export: {error}") from None
    if not logs.device and not logs.books and logs.key is None:
        raise UsageError("this is no log export: it is empty")
    return logs


def _begin(logs: RawLogs, told: dict[str, Any]) -> None:
    if told.get("format") != FORMAT:
        raise ValueError(f"its format is {told.get('format')!r}, not {FORMAT!r}")
    logs.device = str(told["device"])
    if told["public_key"]:
        key = load_pem_public_key(told["public_key"].encode())
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise ValueError("the public key is on no elliptic curve")
        logs.key = key


def _take(logs: RawLogs, told: dict[str, Any]) -> None:
    book = logs.book(told["book"].encode(errors="surrogateescape"), told["owner"].encode(errors="surrogateescape"))
    if told["kind"] == "entry":
        book.entries.append(_made(RawEntry, told))
    elif told["kind"] in ("anchor", "head"):
        setattr(book, told["kind"], _made(RawMark, told))
    else:
        raise ValueError(f"there is no kind {told['kind']!r}")


def _made(kind: type[Any], told: dict[str, Any]) -> Any:
    values: dict[str, Any] = {}
    for one in fields(kind):
        value = told[one.name]
        if one.name in _OCTETS:
            value = bytes.fromhex(value)
        elif one.name in _TEXTS:
            value = value.encode(errors="surrogateescape")
        elif one.name == "dated":
            if not isinstance(value, bool):
                raise ValueError("dated is neither true nor false")
        elif not (type(value) is int or (value is None and one.name in ("vendor_id", "sub_id"))):
            raise ValueError(f"{one.name} is {value!r}")
        values[one.name] = value
    return kind(**values)


def _values(of: RawEntry | RawMark) -> dict[str, Any]:
    shown = {}
    for one in fields(of):
        value = getattr(of, one.name)
        if isinstance(value, bytes):
            value = value.hex() if one.name in _OCTETS else _shown(value)
        shown[one.name] = value
    return shown


def _shown(octets: bytes) -> str:
    return octets.decode(errors="surrogateescape")


def _time(time_us: int) -> str:
    try:
        return iso(time_us)
    except (OverflowError, ValueError):
        return ""


def _line(told: dict[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=True)
