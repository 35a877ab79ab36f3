"""The paths under ``/json``: GET with digest, certificate or the portal's session (han 4.2)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import unquote

from aiohttp import web

from firmware.han.casa import contracts, log, values
from firmware.han.casa.doorkeeper import Doorkeeper, Refused
from firmware.han.casa.formats import stamp
from firmware.han.casa.months import month_of
from firmware.han.casa.signed_profile import signed_profile
from firmware.han.casa.streams import encoded, listed, sent
from firmware.han.desk import HanDesk
from firmware.han.users import HanUser
from firmware.han.view import BillingSpan, ConsumerView, HanContract
from firmware.profiles.kinds import Right

JSON: Final = "application/json"
HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {"Content-Type": f"{JSON}; charset=utf-8", "Cache-Control": "no-store"}
)
DAILY: Final = 6
"""TAF-6, whose values are those of each midnight and of its begin and end."""
_MOST_DIGITS: Final = 6

_RIGHTS: Final[Mapping[str, Right]] = MappingProxyType(
    {"metering/origin": "values", "metering/derived": "tariffs", "conlogbook": "consumer_log"}
)
"""Begin of a path -> what is needed for it."""

Found = Awaitable[Any] | None
"""What a path leads to, a text in pieces or something to encode; None: nothing."""


class _NotReady(Exception):
    """There will be something, but not yet."""


class JsonPaths:
    """Answers requests.

    Args:
        desk: the gateway.
        door: says who asks.
    """

    def __init__(self, desk: HanDesk, door: Doorkeeper) -> None:
        self._desk = desk
        self._door = door

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The answer to a request below ``/json``."""
        if request.method != "GET":
            return _refusal(405, "method not allowed", {"Allow": "GET"})
        try:
            user = self._door.consumer(request)
        except Refused as refused:
            return self._refuse(refused)
        parts = _parts(request)
        if parts is not None and not _allowed(user, parts):
            return _refusal(403, "forbidden")
        found = None if parts is None else self._path(self._desk.view(user), parts)
        if found is None:
            return _refusal(404, "not found")
        try:
            body = await found
        except _NotReady:
            return web.Response(status=204)
        if body is None:
            return _refusal(404, "not found")
        pieces = body if isinstance(body, Iterator) else iter((encoded(body),))
        return await sent(request, pieces, HEADERS)

    def _refuse(self, refused: Refused) -> web.Response:
        if refused.why == "locked":
            wait = {"Retry-After": str(int(self._door.locked_for_s) + 1)}
            return _refusal(self._desk.options.han_casa_locked_status, "locked", wait)
        stale = refused.why in ("stale", "replayed")
        return _refusal(401, "unauthorized", {"WWW-Authenticate": self._desk.authentication.challenge(stale=stale)})

    # --- where paths lead

    def _path(self, view: ConsumerView, parts: Sequence[str]) -> Found:
        match parts:
            case ["systeminformations"]:
                return self._system(view)
            case ["metering", "origin"]:
                return _ready([one.meter.lower() for one in view.meters()])
            case ["metering", "origin", meter, *rest]:
                return self._origin(view, meter.lower(), rest)
            case ["metering", "derived"]:
                return _ready([one.id for one in view.contracts()])
            case ["metering", "derived", name, *rest]:
                found = view.contract(name)
                return None if found is None else self._derived(view, found, rest)
            case ["conlogbook", month]:
                return self._log(view, month)
        return None

    async def _system(self, view: ConsumerView) -> Any:
        desk = self._desk
        parts = [{"hash": one.checksum, "name": one.name, "version": one.version} for one in desk.components()]
        return {
            "firmwarecomponents": parts,
            "firmwareversion": next((one["version"] for one in parts if one["name"] == "firmware"), ""),
            "huid": desk.device_id.lower(),
            "systemtime": stamp(desk.now_s()),
            "user_domain": view.user.id,
            "vendor": desk.product.data.maker,
        }

    def _origin(self, view: ConsumerView, name: str, rest: Sequence[str]) -> Found:
        meter = next((one.meter for one in view.meters() if one.meter.lower() == name), None)
        if meter is None:
            return None
        match rest:
            case []:
                return _ready(values.current(view.latest(meter)))
            case ["extended"]:
                newest = view.latest(meter)
                return _ready(values.current_extended(() if newest is None else (newest,)))
            case [month]:
                return self._month(view, meter, month, extended=False)
            case [month, "extended"]:
                return self._month(view, meter, month, extended=True)
        return None

    async def _month(self, view: ConsumerView, meter: str, text: str, *, extended: bool) -> Any:
        month = month_of(text, self._desk.now_s())
        if month is None:
            return None
        line = values.extended_reading if extended else values.old_reading
        readings = view.originals(meter, month.begin_s, month.end_s - 1)
        return listed(line(one) for one in readings if not one.gap)

    def _derived(self, view: ConsumerView, one: HanContract, rest: Sequence[str]) -> Found:
        match rest:
            case []:
                return _ready(contracts.contract(one, self._desk.now_s()))
            case ["billingperiods"]:
                return _ready([contracts.billing_period(span) for span in _spans(view, one)])
            case ["billingperiods", number]:
                return self._period(view, one, number, extended=False)
            case ["billingperiods", number, "extended"]:
                return self._period(view, one, number, extended=True)
            case ["daily"] | ["daily", "extended"]:
                entries = view.derived(one.id) if one.contract.use_case == DAILY else ()
                lines = values.derived_lines(entries, extended=True)  # one path, so with scalers (assumed)
                return _ready(listed(lines))
            case ["current", "extended"]:
                return _ready(self._current(view, one))
            case ["signedprofile"]:
                return self._signed(one)
        return None

    async def _period(self, view: ConsumerView, one: HanContract, number: str, *, extended: bool) -> Any:
        spans = _spans(view, one)
        if not (number.isascii() and number.isdigit() and len(number) <= _MOST_DIGITS and int(number) < len(spans)):
            return None
        span = spans[int(number)]
        entries = view.derived(one.id, span.begin_s, span.end_s)
        return listed(values.derived_lines(entries, extended=extended))

    def _current(self, view: ConsumerView, one: HanContract) -> Any:
        """The registers of the contract, as the meters had them last; none of a time before its begin."""
        wanted = set(one.contract.registers)
        found = []
        for meter in dict.fromkeys(meter for meter, _ in one.contract.registers):
            newest = view.latest(meter)
            if newest is not None and newest.grid_s >= one.contract.begin_s:
                kept = tuple(entry for entry in newest.entries if (meter, entry.obis) in wanted)
                found.append(replace(newest, entries=kept))
        return values.current_extended(found)

    async def _signed(self, one: HanContract) -> Any:
        message = signed_profile(self._desk, one)
        if message is None:
            raise _NotReady
        return {"signedprofile": message.hex()}

    async def _log(self, view: ConsumerView, text: str) -> Any:
        month = month_of(text, self._desk.now_s())
        if month is None:
            return None
        entries = view.log(begin_s=month.begin_s, end_s=month.end_s).entries
        return listed(log.entry_json(self._desk.product, one) for one in entries)


def _allowed(user: HanUser, parts: Sequence[str]) -> bool:
    right = _RIGHTS.get(parts[0]) or _RIGHTS.get("/".join(parts[:2]))
    return user.may(right)


def _spans(view: ConsumerView, one: HanContract) -> tuple[BillingSpan, ...]:
    return contracts.billing_spans(one, view.periods(one.id))


def _parts(request: web.Request) -> list[str] | None:
    """The parts of a path behind ``/json``, one slash at its end left out; None when one of them is empty."""
    raw = request.rel_url.raw_path.removesuffix("/").split("/")[2:]
    if not raw or not all(raw):
        return None
    try:
        return [unquote(one, errors="strict") for one in raw]
    except UnicodeDecodeError:
        return None


async def _ready(body: Any) -> Any:
    return body


def _refusal(status: int, words: str, headers: dict[str, str] | None = None) -> web.Response:
    text = json.dumps({"error": words})
    return web.Response(
        text=text, status=status, content_type=JSON, headers={"Cache-Control": "no-store"} | (headers or {})
    )
