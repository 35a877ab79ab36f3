"""The control socket of a stand-alone gateway: JSON lines, as at the maintenance port, and what is done outside it.

{"id": 1, "do": "power", "on": false}           mains off; whatever was going on is lost
{"id": 2, "do": "fill_log", "book": "system"}   a fault, as at the maintenance port
{"id": 3, "read": "leds"}                       what the LEDs show
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import inspect
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.scenario.mistakes import did_you_mean
from bench.standalone.data_dir import short_name
from bench.standalone.meters import Meters
from bench.standalone.unit import Unit
from devices.errors import BenchError, SmgwBenchError, UsageError

if TYPE_CHECKING:
    from devices.leds.watch import LedWatch

LONGEST_LINE: Final = 1 << 18
Answer = dict[str, Any]
_ON: Final[Mapping[Any, bool]] = {True: True, False: False, "on": True, "off": False}


class Control:
    """What can be done with a running gateway from outside it.

    Args:
        unit: the gateway.
        meters: its meters.
        leds: gives what watches its LEDs.
        told: gives what was told of it at its start.
    """

    def __init__(self, unit: Unit, meters: Meters, leds: Callable[[], LedWatch], told: Callable[[], Answer]) -> None:
        self._unit = unit
        self._meters = meters
        self._leds = leds
        self._told = told
        self.stop: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when somebody wants the end."""
        self._known: Answer = {}
        self._own: dict[tuple[str, str], Callable[..., Answer]] = {
            ("do", "power"): self._power,
            ("do", "cable"): self._cable,
            ("do", "meter"): self._meter,
            ("do", "time_server"): self._time_server,
            ("do", "stop"): self._stop,
            ("read", "leds"): self._read_leds,
            ("read", "gateway"): self._told,
        }

    async def answer(self, line: bytes) -> Answer:
        """The answer to one line, whatever is wrong with it."""
        number = None
        try:
            request = _parsed(line)
            number = request.pop("id", None)
            told = await self._carried_out(request)
        except SmgwBenchError as error:
            told = {"ok": False, "error": str(error)}
        return {"id": number, **told}

    async def _carried_out(self, request: Answer) -> Answer:
        verbs = [verb for verb in ("do", "read") if verb in request]
        if len(verbs) == 1 and request[verbs[0]] == "commands":
            return {"ok": True, **await self._commands()}
        own = self._own.get((verbs[0], str(request[verbs[0]]))) if len(verbs) == 1 else None
        if own is None:
            if len(verbs) == 1:
                await self._check(verbs[0], request[verbs[0]])
            return await self._unit.port.ask(request)
        fields = {name: value for name, value in request.items() if name != verbs[0]}
        try:
            inspect.signature(own).bind(**fields)
        except TypeError:
            name, given = request[verbs[0]], ", ".join(map(repr, fields)) or "nothing"
            raise UsageError(f"{name!r} takes {_TAKES[name]}, this is {given}") from None
        return {"ok": True, **own(**fields)}

    async def _commands(self) -> Answer:
        """All that there is, by verb: names, and of each its fields."""
        if not self._known:
            told = await self._unit.port.read("commands")
            fields = {verb: dict(told["fields"][verb]) for verb in ("do", "read")}
            for verb, name in self._own:
                fields[verb][name] = _FIELDS[name]
            self._known = {verb: sorted(named) for verb, named in fields.items()} | {"fields": fields}
        return self._known

    async def _check(self, verb: str, name: Any) -> None:
        """Raises UsageError for a name that neither this module nor the maintenance port knows."""
        known = (await self._commands())[verb]
        if name not in known:
            close = difflib.get_close_matches(str(name), known, 1)
            raise UsageError(
                f"{verb!r} does not know {name!r}", hint=did_you_mean(close) or f"known: {', '.join(known)}"
            )

    # --- outside the gateway

    def _power(self, on: Any) -> Answer:
        self._unit.plug.mains(_switch(on, "power"))
        return {}

    def _cable(self, socket: Any, plugged: Any) -> Answer:
        if socket not in ("HAN", "CLS", "WAN"):
            raise UsageError(f"there is no socket {socket!r}", hint="HAN, CLS or WAN")
        self._unit.plug.link(socket, _switch(plugged, "cable"))
        return {}

    def _meter(self, name: Any, plugged: Any) -> Answer:
        on, known = _switch(plugged, "meter"), (*self._meters.stations, *self._meters.radio)
        if name not in known:
            raise UsageError(f"there is no meter {name!r}", hint=f"there are {', '.join(known) or 'none'}")
        if name in self._meters.stations:
            self._meters.stations[name].plug(on)
        else:
            radio = self._meters.radio[name]
            (radio.start if on else radio.stop)()
        return {}

    def _time_server(self, on: Any) -> Answer:
        if self._unit.time_server is None:
            raise UsageError("the time server is outside this program, or there is none")
        self._unit.time_server.answering = _switch(on, "time_server")
        return {}

    def _stop(self) -> Answer:
        if not self.stop.done():
            asyncio.get_running_loop().call_soon(self._end)
        return {}

    def _end(self) -> None:
        if not self.stop.done():
            self.stop.set_result(None)

    def _read_leds(self) -> Answer:
        watch = self._leds()
        lit = watch.levels()
        shown = {line: str(watch.reading(line).pattern) for line in watch.lines}
        return {"leds": {line: {"lit": lit[line], "shows": pattern} for line, pattern in shown.items()}}


_ON_OR_OFF: Final = "on or off"
_FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "power": {"on": _ON_OR_OFF},
    "cable": {"socket": "HAN, CLS or WAN", "plugged": _ON_OR_OFF},
    "meter": {"name": "of a meter", "plugged": _ON_OR_OFF},
    "time_server": {"on": _ON_OR_OFF},
    "stop": {},
    "leds": {},
    "gateway": {},
}
"""What this module does itself: fields, and what they may hold."""
_TAKES: Final[Mapping[str, str]] = {
    "power": "on=on or on=off",
    "cable": "socket=HAN, CLS or WAN, and plugged=on or off",
    "meter": "name= of a meter, and plugged=on or off",
    "time_server": "on=on or on=off",
    "stop": "no field",
    "leds": "no field",
    "gateway": "no field",
}
"""The same in a sentence."""


def _switch(value: Any, name: str) -> bool:
    if not isinstance(value, bool | str) or value not in _ON:
        raise UsageError(f"{name!r} cannot be {value!r}", hint=_TAKES[name])
    return _ON[value]


def _parsed(line: bytes) -> Answer:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"this is no JSON: {error}", hint='a request is a line such as {"read":"info"}') from None
    if not isinstance(request, dict):
        raise UsageError(f"a request is a JSON object, this is a {type(request).__name__}")
    return request


@asynccontextmanager
async def listening(path: Path, answer: Callable[[bytes], Awaitable[Answer]]) -> AsyncIterator[None]:
    """Answer lines at a socket that its owner alone may use; its file is gone at the end.

    Raises:
        BenchError: it cannot be made.
    """
    clients: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clients.add(writer)
        try:
            while line := await reader.readline():
                if line.strip():
                    writer.write(json.dumps(await answer(line), ensure_ascii=False).encode() + b"\n")
                    await writer.drain()
        except (ConnectionError, ValueError, asyncio.CancelledError):
            pass  # who asked has gone, or sends lines without end
        finally:
            clients.discard(writer)
            writer.close()

    with short_name(path) as name:
        _remove(path)
        try:
            server = await asyncio.start_unix_server(serve, name, limit=LONGEST_LINE)
            _private(path)
        except OSError as error:
            raise BenchError(f"{path} cannot be made: {error.strerror or error}") from error
    try:
        yield
    finally:
        server.close()
        for writer in tuple(clients):
            writer.close()
        _remove(path)


def _private(path: Path) -> None:
    path.chmod(0o600)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
