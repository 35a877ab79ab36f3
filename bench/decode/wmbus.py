"""`smgw-bench decode wmbus`: one telegram, a file of them, or a stream of JSON lines that is answered line by line."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Final

from bench.decode.wmbus_input import (
    DUMP_HINT,
    MAX_BINARY,
    BadLine,
    binary_frames,
    is_binary,
    is_dump,
    of_receiver,
    separated,
    wrapped,
)
from bench.decode.wmbus_json import reading_json
from bench.decode.wmbus_reading import FORMS, TelegramReader
from bench.decode.wmbus_text import reading_lines
from devices.errors import UsageError
from devices.protocols.mbus.errors import MbusError
from devices.protocols.mbus.link import FrameFormat

STANDARD_INPUT: Final = "-"
MAX_LINE: Final = 65_536
"""Octets of a line at most; the longest telegram has 582 hexadecimal digits."""

KEY_OCTETS: Final = 16
_WRAPPED_LINES: Final = 64
"""Lines that one telegram is wrapped over, at most."""
_DUMP_LINE: Final = 200

_NOTHING_READABLE: Final = 1
_SEPARATORS: Final = re.compile(r"[\s:,;_-]+")
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2})*")
_RECEIVERS: Final = re.compile(r"[TCS]1;|bY|.*Wireless-MBus")
_LOOKS_HEX: Final = re.compile(r"(?:0[xX])?[0-9A-Fa-f]{2}[^./\\]*")


@dataclass(frozen=True, slots=True)
class Request:
    """One telegram to read.

    Attributes:
        octets: the telegram.
        key: of its meter, None when unknown.
        form: its frame format, None when it is to be found out.
    """

    octets: bytes
    key: bytes | None = None
    form: FrameFormat | str | None = None


def decode_wmbus(what: str, key: str | None, form: str | None, *, as_json: bool) -> int:
    """Explain `what`: hexadecimal digits of a telegram, a file of telegrams, or "-" for standard input.

    Returns the exit code: 0 when a telegram was whole, 1 when none was. Raises UsageError when there is nothing to
    read, or the key is none.
    """
    try:
        common = Request(b"", None if key is None else key_of(key))
    except BadLine as error:
        raise UsageError(f"--key: {error}", hint="a key has 32 hexadecimal digits") from error
    try:
        common = replace(common, form=None if form is None else form_of(form))
    except BadLine as error:
        raise UsageError(f"--format: {error}") from error
    if what == STANDARD_INPUT:
        return _lines("standard input", sys.stdin.buffer, common, as_json=as_json)
    path = _existing(what)
    if path is not None:
        try:
            with path.open("rb") as file:
                return _lines(what, file, common, as_json=as_json)
        except OSError as error:
            raise UsageError(f"{what} cannot be read: {error.strerror}") from error
    if not _LOOKS_HEX.fullmatch(what.strip()) and not _RECEIVERS.match(what):
        raise UsageError(f"{what!r} is neither a file nor hexadecimal digits", hint="- reads standard input")
    return _one(what, common, as_json=as_json)


def _existing(what: str) -> Path | None:
    try:
        path = Path(what)
        return path if path.is_file() else None
    except (OSError, ValueError):
        return None


def _one(text: str, common: Request, *, as_json: bool) -> int:
    try:
        request = _request(of_receiver(text.strip()) or {"hex": text}, common)
        reading = TelegramReader().read(request.octets, request.key, request.form)
    except (BadLine, MbusError) as error:
        offset = getattr(error, "offset", None)
        if as_json:
            _say(_error_json(str(error), offset))
        _complain(f"octet {offset or 0}: {error}")
        return _NOTHING_READABLE
    _say(reading_json(reading) if as_json else "\n".join(reading_lines(reading)))
    if reading.trouble:
        _complain(reading.trouble)
    return 0


def _lines(name: str, stream: BinaryIO, common: Request, *, as_json: bool) -> int:
    """Answer every line that is not empty, in order, each at once; or every frame of a binary file."""
    begin = stream.readline(MAX_LINE + 1)
    if is_binary(begin):
        octets = begin + stream.read(MAX_BINARY + 1)
        if len(octets) > MAX_BINARY:
            raise UsageError(f"{name} is longer than {MAX_BINARY // 2**20} MiB", hint="cut the part that matters out")
        try:
            return _frames(name, binary_frames(octets), common, as_json=as_json)
        except BadLine as error:
            _complain(f"{name}: octet {error.offset}: taken for binary frames, but {error}")
    reader = TelegramReader()
    asked = whole = 0
    first: list[str] = []
    for number, line in _read_lines(begin, stream):
        for one in separated(line):
            answer, good = answer_line(reader, one, number, common, as_json=as_json)
            asked += 1
            whole += good
            _say(answer)
        if not whole and len(first) <= _WRAPPED_LINES:
            first.append(line.decode("latin-1"))
    if not asked:
        raise UsageError(f"{name} is empty", hint="telegrams are due there, one on each line")
    if not whole:
        together = wrapped(first)
        hint = f"; together they are one of {together} octets: write it on one line" if together else ""
        _complain(f"{name}: no telegram in its {asked} lines{hint}")
    return 0 if whole else _NOTHING_READABLE


def _frames(name: str, frames: list[tuple[int, bytes, FrameFormat | None]], common: Request, *, as_json: bool) -> int:
    """Answer every frame of a binary file."""
    reader = TelegramReader()
    whole = 0
    for number, (_, frame, form) in enumerate(frames, 1):
        told: dict[str, Any] = {"hex": frame.hex()}
        if form is FrameFormat.A and common.form is None:
            told["form"] = form.value
        answer, good = answer_line(reader, json.dumps(told).encode(), number, common, as_json=as_json, what="frame")
        whole += good
        _say(answer)
    if not whole:
        _complain(f"{name}: no telegram in its {len(frames)} binary frames")
    return 0 if whole else _NOTHING_READABLE


def _read_lines(begin: bytes, stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank and their numbers, `begin` the first; of one that is too long the first `MAX_LINE`
    octets and one more."""
    number = 0
    line = begin
    while line:
        number += 1
        if len(line) > MAX_LINE and not line.endswith(b"\n"):
            while (more := stream.readline(MAX_LINE)) and not more.endswith(b"\n"):
                pass
        if line.strip():
            yield number, line
        line = stream.readline(MAX_LINE + 1)


def answer_line(
    reader: TelegramReader, line: bytes, number: int, common: Request, *, as_json: bool, what: str = "line"
) -> tuple[str, bool]:
    """The answer to line (or whatever it is) `number`, and whether it held a telegram."""
    name: str | int | None = None
    try:
        told = _told(line)
        name = _name(told)
        request = _request(told, common)
        reading = reader.read(request.octets, request.key, request.form)
    except (BadLine, MbusError) as error:
        offset = getattr(error, "offset", None)
        reason = DUMP_HINT if is_dump(line[:_DUMP_LINE].decode("latin-1").strip()) else str(error)
        if as_json:
            return _error_json(reason, offset, what=what, number=number, name=name), False
        where = "" if offset is None else f", octet {offset}"
        return f"{what} {number}{where}: {reason}", False
    if as_json:
        return reading_json(reading, name), True
    return "\n".join((f"{what} {number}", *reading_lines(reading), "")), True


def _told(line: bytes) -> dict[str, Any]:
    """What a line says: a JSON object, a receiver's line, or hexadecimal digits alone as its `hex`. Raises BadLine."""
    if len(line) > MAX_LINE:
        raise BadLine(f"the line is longer than {MAX_LINE} octets")
    try:
        text = line.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise BadLine(f"the line is no text: octet {error.start} is not UTF-8", error.start) from error
    if not text.startswith(("{", "[", '"')):
        return of_receiver(text) or {"hex": text}
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadLine(f"the line is no JSON: {error}", getattr(error, "pos", None)) from error
    if not isinstance(told, dict):
        raise BadLine("the line is no JSON object")
    return told


def _name(told: dict[str, Any]) -> str | int | None:
    name = told.get("id")
    return name if isinstance(name, str | int) else None


def _request(told: dict[str, Any], common: Request) -> Request:
    """What a line asks for; what it leaves open is taken from `common`. Raises BadLine."""
    if not isinstance(told.get("hex"), str):
        raise BadLine("the telegram is missing: `hex` with its octets as text")
    key, form = told.get("key"), told.get("form", told.get("frame_format"))
    return Request(
        octets_of(told["hex"]),
        common.key if key is None else key_of(key),
        common.form if form is None else form_of(form),
    )


def octets_of(text: str) -> bytes:
    """Octets of hexadecimal digits, blanks and the like between them; raises BadLine with the octet of the damage."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        pass
    digits = _SEPARATORS.sub("", text.strip()).removeprefix("0x").removeprefix("0X")
    good = _HEX.match(digits)
    end = good.end() if good else 0
    if end == len(digits):
        return bytes.fromhex(digits)
    if end == len(digits) - 1 and digits[end] in "0123456789abcdefABCDEF":
        raise BadLine("the hexadecimal text ends within an octet", end // 2)
    wrong = next(place for place, letter in enumerate(digits) if letter not in "0123456789abcdefABCDEF")
    raise BadLine(f"{digits[wrong]!r} is no hexadecimal digit", wrong // 2)


def key_of(text: Any) -> bytes:
    """A key of 16 octets; raises BadLine."""
    if not isinstance(text, str):
        raise BadLine(f"the key is no text of {2 * KEY_OCTETS} hexadecimal digits: {text!r}")
    try:
        key = octets_of(text)
    except BadLine as error:
        raise BadLine(f"the key is no hexadecimal text: {error}") from error
    if len(key) != KEY_OCTETS:
        raise BadLine(f"a key has {KEY_OCTETS} octets, not {len(key)}")
    return key


def form_of(text: Any) -> FrameFormat | str | None:
    """A frame format by its name, None for "auto"; raises BadLine."""
    name = text.lower() if isinstance(text, str) else ""
    if name == "auto":
        return None
    if name not in FORMS:
        raise BadLine(f"{text!r} is no frame format: auto, {', '.join(FORMS)}")
    return FORMS[name]


def _error_json(
    reason: str, offset: int | None, *, what: str = "line", number: int | None = None, name: str | int | None = None
) -> str:
    told: dict[str, Any] = {} if name is None else {"id": name}
    told["error"] = reason
    if offset is not None:
        told["offset"] = offset
    if number is not None:
        told[what] = number
    return json.dumps(told, ensure_ascii=False)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _complain(text: str) -> None:
    sys.stderr.write(f"smgw-bench: {text}\n")
