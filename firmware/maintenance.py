"""The maintenance port: one JSON object per line in, one out; it exists on emulated gateways only.

    {"id": 1, "do": "flip_bit", "of": "firmware"}     ->  {"id": 1, "ok": true, "where": "firmware octet 7 bit 3"}
    {"id": 2, "read": "log", "book": "system"}        ->  {"id": 2, "ok": true, "entries": [...]}
    {"id": 3, "do": "fly"}                            ->  {"id": 3, "ok": false, "error": "..."}
    {"id": 4, "do": "restart"}  without mains         ->  {"id": 4, "ok": false, "refused": true, "error": "..."}

It works with and without mains: a defect may be planted while the device is off. What can be done is a table of
:class:`Command`; requests are carried out one after the other, in their order. Every request is answered. One that
the gateway refuses because of the state that it is in is told apart from one that makes no sense by ``refused``.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from devices.clock import Clock
from devices.errors import BenchError, SmgwBenchError, UsageError
from devices.ports.base import BytePort, PortLost

LONGEST_LINE = 1 << 18
"""Octets of one request; longer ones are refused."""
MOST_WAITING = 1000
"""Requests that may wait; further ones are refused."""

_PIECE = 1 << 16
_PATIENCE = 1000

Answer = dict[str, Any]


class Refusal(SmgwBenchError):
    """The request makes sense, and the gateway does not carry it out in its present state.

    Args:
        reason: why, in words.
        details: what is added to the answer.
    """

    def __init__(self, reason: str, details: Answer | None = None) -> None:
        super().__init__(reason)
        self.details = details or {}


@dataclass(frozen=True)
class Parameter:
    """One field of a request.

    Attributes:
        kinds: JSON types that it may have.
        required: whether it must be there.
        choices: the values that it may have; empty: any.
    """

    kinds: tuple[type, ...]
    required: bool = False
    choices: tuple[Any, ...] = ()

    @property
    def told(self) -> str:
        """What it may hold, in words."""
        if self.choices:
            words = [json.dumps(one) if isinstance(one, bool) else str(one) for one in self.choices]
        else:
            words = list(dict.fromkeys(_KINDS[one] for one in self.kinds))
            words = [one for one in words if one != _KINDS[int] or _KINDS[float] not in words]
        *first, last = words
        text = f"{', '.join(first)} or {last}" if first else last
        return text if self.required else f"{text}; may be left out"


_KINDS: Mapping[type, str] = {
    bool: "true or false", int: "whole number", float: "number", str: "text", list: "list", dict: "object",
}  # fmt: skip


@dataclass(frozen=True)
class Command:
    """Something that can be asked for.

    Attributes:
        carry_out: takes the fields as keyword arguments and gives what is added to the answer.
        parameters: by name.
    """

    carry_out: Callable[..., Answer | Awaitable[Answer]]
    parameters: Mapping[str, Parameter]


def described(commands: Mapping[str, Mapping[str, Command]]) -> Answer:
    """All that there is: names by verb, and of each name its fields with what they may hold."""
    names = {verb: sorted(named) for verb, named in commands.items()}
    fields = {
        verb: {name: {field: one.told for field, one in named[name].parameters.items()} for name in sorted(named)}
        for verb, named in commands.items()
    }
    return {**names, "fields": fields}


class MaintenanceServer:
    """Answers on the port until it is closed.

    Args:
        clock: to wait for a congested port.
        port: the gateway's end of the cable.
        commands: what follows ``do`` and ``read``, by verb and name.
    """

    def __init__(self, clock: Clock, port: BytePort, commands: Mapping[str, Mapping[str, Command]]) -> None:
        self._clock = clock
        self._port = port
        self._commands = commands
        self._rest = b""
        self._skipping = False
        self._lines: deque[bytes] = deque()
        self._task: asyncio.Task[None] | None = None
        port.set_receiver(self._received)

    async def close(self) -> None:
        """Answer nothing more; may be called twice."""
        self._port.set_receiver(None)
        self._lines.clear()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if self._skipping:
                self._skipping = False
            elif line.strip():
                self._enqueue(line)
        if len(self._rest) > LONGEST_LINE:
            self._rest = b""
            if not self._skipping:
                self._refuse(None, f"a request is longer than {LONGEST_LINE} octets")
            self._skipping = True

    def _enqueue(self, line: bytes) -> None:
        if len(self._lines) >= MOST_WAITING:
            self._refuse(None, f"more than {MOST_WAITING} requests wait for an answer")
            return
        self._lines.append(line)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        while self._lines:
            await self._serve(self._lines.popleft())

    async def _serve(self, line: bytes) -> None:
        """Carry out one request and answer it, whatever comes of it; only closing the port ends this early."""
        answer: Answer = {"id": None, "ok": False}
        try:
            request = _parse(line)
            answer["id"] = _number(request.pop("id", None))
            command, fields = self._find(request)
            result = command.carry_out(**fields)
            answer |= {"ok": True, **(result if isinstance(result, dict) else await result)}
            octets = _line(answer)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            octets = _line(answer | {"error": "what was asked for was broken off"})
        except Refusal as error:
            octets = _line(answer | error.details | {"refused": True, "error": str(error)})
        except SmgwBenchError as error:
            octets = _line(answer | {"error": str(error)})
        except Exception as error:  # whatever the emulation does wrong must not silence the port
            octets = _line(_failure(answer["id"], f"the emulation failed: {type(error).__name__}: {error}"))
        await self._write(octets)

    def _find(self, request: dict[str, Any]) -> tuple[Command, dict[str, Any]]:
        verbs = [verb for verb in self._commands if verb in request]
        if len(verbs) != 1:
            raise UsageError(f"a request has exactly one of {', '.join(map(repr, self._commands))}")
        verb = verbs[0]
        name = request.pop(verb)
        command = self._commands[verb].get(name) if isinstance(name, str) else None
        if command is None:
            raise UsageError(f"{verb!r} does not know {name!r}", hint=_near(str(name), self._commands[verb]))
        for field, value in request.items():
            parameter = command.parameters.get(field)
            if parameter is None:
                raise UsageError(f"{name!r} has no field {field!r}", hint=_near(field, command.parameters))
            _check(name, field, value, parameter)
        missing = [field for field, one in command.parameters.items() if one.required and field not in request]
        if missing:
            raise UsageError(f"{name!r} needs the field {missing[0]!r}")
        return command, request

    def _refuse(self, number: Any, reason: str) -> None:
        with contextlib.suppress(BenchError):
            self._port.write(_line(_failure(number, reason)))

    async def _write(self, octets: bytes) -> None:
        with contextlib.suppress(PortLost):
            for start in range(0, len(octets), _PIECE):
                await self._write_piece(octets[start : start + _PIECE])

    async def _write_piece(self, piece: bytes) -> None:
        for _ in range(_PATIENCE):
            try:
                self._port.write(piece)
            except PortLost:
                raise
            except BenchError:
                await self._clock.sleep(0.01)  # the port is congested
            else:
                await self._clock.sleep(0)
                return


def _failure(number: Any, reason: str) -> Answer:
    return {"id": number, "ok": False, "error": reason}


def _line(answer: Answer) -> bytes:
    """The answer as a line; half a surrogate pair, which JSON allows and UTF-8 does not, stays escaped."""
    return json.dumps(answer, separators=(",", ":"), ensure_ascii=False).encode(errors="backslashreplace") + b"\n"


def _parse(line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"this is no JSON: {error}", hint='a request is a line such as {"id":1,"read":"info"}'
        ) from None
    if not isinstance(request, dict):
        raise UsageError(f"a request is a JSON object, this is a {type(request).__name__}")
    return request


def _number(given: Any) -> str | int | float | None:
    if given is not None and not isinstance(given, str | int | float):
        raise UsageError(f"the id of a request is a number or a text, this is a {type(given).__name__}")
    return given


def _check(name: str, field: str, value: Any, parameter: Parameter) -> None:
    if (isinstance(value, bool) and bool not in parameter.kinds) or not isinstance(value, parameter.kinds):
        kinds = " or ".join(kind.__name__ for kind in parameter.kinds)
        raise UsageError(f"{name!r}: the field {field!r} is {value!r}", hint=f"it must be {kinds}")
    if parameter.choices and value not in parameter.choices:
        raise UsageError(
            f"{name!r}: the field {field!r} is {value!r}", hint=f"one of {', '.join(map(str, parameter.choices))}"
        )


def _near(name: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(known)) or 'none'}"
