"""Log books as JSON lines: all that another program needs to verify them (docs/logs.md), and back.

The first line has ``format``, ``device``, ``public_key`` (PEM) and ``certificates`` (PEM, from the key's to the root);
then follow, for each book, its ``anchor`` when old entries went, its ``entry`` lines and its ``head``. Octets are
hexadecimal; ``parameters`` is the stored text.

There is one way to write an export: what is read back is written anew and compared, so that nothing in a file stands
outside what the verifier looks at.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import fields
from itertools import zip_longest
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from devices.errors import UsageError
from firmware.logs.stored import RawEntry, RawLogs, RawMark
from firmware.own_clock import iso

FORMAT: Final = "smgw-log-export-1"
_UNREADABLE: Final = (
    ValueError, KeyError, TypeError, AttributeError, RecursionError, UnsupportedAlgorithm, x509.InvalidVersion,
)  # fmt: skip
"""How lines, keys and certificates tell that they are none."""
_OCTETS: Final = frozenset({"chain", "signature", "entry_signature"})
_TEXTS: Final = frozenset({"event", "level", "outcome", "parameters", "text"})


def export_lines(logs: RawLogs, books: Iterable[str] = ()) -> Iterator[str]:
    """The lines of an export, of all books or of those named."""
    wanted = {name.encode() for name in books}
    pem = "" if logs.key is None else logs.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    certificates = [one.public_bytes(Encoding.PEM).decode() for one in logs.certificates]
    yield _line({"format": FORMAT, "device": logs.device, "public_key": pem, "certificates": certificates})
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
    """Read an export back; what stands otherwise in it than an export writes it is told in the result.

    Raises UsageError: a line that is none of an export, with its number.
    """
    logs = RawLogs()
    read = [line.removesuffix("\n") for line in lines]
    told_of: set[int] = set()
    for number, line in enumerate(read, 1):
        try:
            told = json.loads(line)
            if number == 1:
                _begin(logs, told)
            elif not _take(logs, told):
                told_of.add(number)
        except _UNREADABLE as error:
            raise UsageError(f"line {number} is none of a log export: {error}") from None
    if not logs.device and not logs.books and logs.key is None:
        raise UsageError("this is no log export: it is empty")
    for number, (line, wanted) in enumerate(zip_longest(read, export_lines(logs)), 1):
        if line != wanted and number not in told_of:
            logs.trouble.append(f"line {number} is not as an export writes it")
            break
    return logs


def _begin(logs: RawLogs, told: dict[str, Any]) -> None:
    if told.get("format") != FORMAT:
        raise ValueError(f"its format is {told.get('format')!r}, not {FORMAT!r}")
    logs.device = str(told["device"])
    logs.certificates = [x509.load_pem_x509_certificate(pem.encode()) for pem in told["certificates"]]
    if told["public_key"]:
        key = load_pem_public_key(told["public_key"].encode())
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise ValueError("the public key is on no elliptic curve")
        logs.key = key


def _take(logs: RawLogs, told: dict[str, Any]) -> bool:
    """Take a line; False when the time that it shows is not the one that the chain covers, which is told."""
    book = logs.book(told["book"].encode(errors="surrogateescape"), told["owner"].encode(errors="surrogateescape"))
    if told["kind"] == "entry":
        entry: RawEntry = _made(RawEntry, told)
        book.entries.append(entry)
        if told["time"] != _time(entry.time_us):
            book.malformed.append((entry.number, f"its time reads {told['time']!r}, stored is {_time(entry.time_us)}"))
            return False
    elif told["kind"] in ("anchor", "head"):
        setattr(book, told["kind"], _made(RawMark, told))
    else:
        raise ValueError(f"there is no kind {told['kind']!r}")
    return True


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
