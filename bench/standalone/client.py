"""`smgw-bench gateway-control`: one request to the control socket of a running gateway, and its answer."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bench.standalone.data_dir import short_name, socket_of
from devices.errors import BenchError, UsageError

PATIENCE_S: Final = 90.0
_VERBS: Final = ("do", "read")


def control(data: Path, words: Sequence[str]) -> int:
    """Ask, and print the answer as JSON; 0 when it is a good one, else 1.

    Raises:
        UsageError: a field that is none.
        BenchError: there is no gateway that runs in this folder.
    """
    verb = words[0] if words[0] in _VERBS else None
    name, fields = (words[1:2], words[2:]) if verb is not None else (words[:1], words[1:])
    if not name:
        raise UsageError(f"{verb!r} what?", hint="`commands` lists what there is")
    with _Line(data) as line:
        told = dict(_field(one) for one in fields)
        answer = line.ask({verb or _verb(line, name[0]): name[0], **told})
    answer.pop("id", None)
    good = bool(answer.pop("ok", False))
    stream = sys.stdout if good else sys.stderr
    if good or set(answer) - {"error", "refused"}:
        stream.write(json.dumps(answer, indent=1, ensure_ascii=False) + "\n")
    else:
        stream.write(f"smgw-bench: {answer.get('error')}\n")
    return 0 if good else 1


def _verb(line: _Line, name: str) -> str:
    """Whether a name is done or read; what is both is done."""
    known = line.ask({"read": "commands"})
    return "read" if name not in known.get("do", ()) and name in known.get("read", ()) else "do"


def _field(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"{text!r} is no field", hint="FIELD=VALUE, such as book=system")
    return name, value_of(value)


def value_of(text: str) -> Any:
    """A value as somebody writes it: JSON where it is some, the JSON in a file behind ``@``, else text.

    Raises:
        UsageError: a file that cannot be read, or holds no JSON.
    """
    if text.startswith("@"):
        try:
            return json.loads(Path(text[1:]).read_text("utf-8"))
        except OSError as error:
            raise UsageError(f"{text[1:]} cannot be read: {error.strerror}") from None
        except ValueError as error:
            raise UsageError(f"{text[1:]} holds no JSON: {error}") from None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


class _Line:
    """A connection to the control socket. Raises BenchError when nobody answers there."""

    def __init__(self, data: Path) -> None:
        self._path = socket_of(data)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(PATIENCE_S)
        try:
            with short_name(self._path) as name:
                self._socket.connect(name)
        except OSError as error:
            self._socket.close()
            raise BenchError(f"no gateway runs in {data}: {error.strerror or error}") from None
        self._answers = self._socket.makefile("rb")

    def __enter__(self) -> _Line:
        return self

    def __exit__(self, *_: object) -> None:
        self._answers.close()
        self._socket.close()

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request."""
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
            answer = self._answers.readline()
        except OSError as error:
            raise BenchError(f"{self._path}: {error.strerror or error}") from None
        if not answer:
            raise BenchError(f"{self._path}: the gateway has ended")
        told: dict[str, Any] = json.loads(answer)
        return told
