"""The interface for programs, ``/smgw/m2m`` (han 3.1, 3.2): each request with certificate or digest, no cookies.

The older calls ``getdata?request=...`` (han 3.3) are not there: no source tells the form of their answers.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web

from firmware.han.conexa.access import Access
from firmware.han.conexa.body import Parameters, Refused, bad, call_of
from firmware.han.conexa.information import smgw_info, usage_point_info, user_info
from firmware.han.conexa.logbook import log
from firmware.han.conexa.readings import readings
from firmware.han.conexa.scaling import Scaling
from firmware.han.desk import HanDesk
from firmware.han.server import from_elsewhere
from firmware.han.users import HanUser
from firmware.han.view import ConsumerView
from firmware.profiles.kinds import Right

ROOT: Final = "/smgw/m2m"
SELF_TEST: Final = "self-test"
JSON: Final = "application/json"
Result = dict[str, Any]
Method = Callable[[HanDesk, Scaling, ConsumerView, Parameters], Result | Awaitable[Result]]
METHODS: Final[Mapping[str, tuple[Method, Right]]] = MappingProxyType(
    {
        "smgw-info": (smgw_info, "device_data"),
        "user-info": (user_info, "tariffs"),
        "usage-point-info": (usage_point_info, "tariffs"),
        "log": (log, "consumer_log"),
        "readings": (readings, "values"),
    }
)
"""Method -> what answers it, and the right that it takes."""


class M2M:
    """The calls of programs.

    Args:
        desk: the gateway.
        access: who it is.
    """

    def __init__(self, desk: HanDesk, access: Access) -> None:
        self._desk = desk
        self._access = access
        self._scaling = Scaling(desk.options.han_conexa_energy_scaler, desk.sign)

    def add_to(self, application: web.Application) -> None:
        """The paths."""
        add = application.router.add_route
        for path in (ROOT, ROOT + "/"):
            add("*", path, self._only(("GET", "POST"), self.root))
        for path in (ROOT + "/{user}/json", ROOT + "/{user}/json/"):
            add("*", path, self._only(("POST",), self.call))

    def _only(
        self, methods: tuple[str, ...], handler: Callable[[web.Request], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            if request.method not in methods:
                answer = self.refused(Refused(405, f"only {' and '.join(methods)}"))
                answer.headers["Allow"] = ", ".join(methods)
                return answer
            try:
                return await handler(request)
            except Refused as refused:
                return self.refused(refused)

        return handle

    async def root(self, request: web.Request) -> web.Response:
        """Where the caller's own interface is: 307 to it."""
        found = self._access.consumer(request)
        if found.user is None:
            return self._access.challenge(found)
        self._check_headers(request)
        user = quote(found.user.id.removesuffix(".sm"), safe="")
        where = f"{ROOT}/{user}{self._desk.options.han_conexa_user_suffix}/json"
        return web.Response(status=307, headers={"Location": where})

    async def call(self, request: web.Request) -> web.Response:
        """A call of a method."""
        begin_s = self._desk.unit.clock.seconds()
        found = self._access.consumer(request)
        user = found.user
        if user is None:
            return self._access.challenge(found)
        if request.match_info["user"].removesuffix(".sm") != user.id.removesuffix(".sm"):
            raise Refused(404, "there is nothing at this path")
        self._check_headers(request)
        method, parameters = call_of(await request.read())
        if method == SELF_TEST and from_elsewhere(request):
            raise Refused(403, "a page of another host may not order it")
        result = await self._result(user, method, parameters)
        spent_ms = round(1000 * (self._desk.unit.clock.seconds() - begin_s))
        return self._answer({"elapsed-time": f"{spent_ms} miliseconds", "method": method, **result})

    async def _result(self, user: HanUser, method: str, parameters: Parameters) -> dict[str, Any]:
        if method == SELF_TEST:
            await self._self_test(user)
            return {}
        if method not in METHODS:
            raise bad("there is no such method")
        answer, right = METHODS[method]
        if not user.may(right):
            raise Refused(403, "this user may not do that")
        result = answer(self._desk, self._scaling, self._desk.view(user), parameters)
        return result if isinstance(result, dict) else await result

    async def _self_test(self, user: HanUser) -> None:
        """Its result is in the log only; 403 while one runs and for ten minutes after an order."""
        if not user.may("selftest"):
            raise Refused(403, "this user may not do that")
        order = await self._desk.order_selftest(user)
        if not order.accepted:
            raise Refused(403, "a self-test is running or was less than ten minutes ago")

    def _check_headers(self, request: web.Request) -> None:
        """Programs have to say that they speak JSON, even in a GET; bodies have to tell their length."""
        given = request.headers.get("Content-Type", "")
        plain = given.strip() if self._desk.options.han_conexa_plain_content_type else given.split(";")[0].strip()
        if plain.lower() != JSON:
            raise bad(f"the header Content-Type: {JSON} is missing")
        if "Transfer-Encoding" in request.headers and not self._desk.options.han_conexa_chunked:
            raise bad("there is no Content-Length")

    def _answer(self, content: Mapping[str, Any], status: int = 200) -> web.Response:
        whole = {**content, "version": self._desk.options.han_conexa_version}
        text = json.dumps(whole, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
        answer = web.Response(body=text.encode("utf-8"), status=status, content_type=JSON)
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def refused(self, refused: Refused) -> web.Response:
        """A call that is not answered with its result: status, and the reason in JSON (the form is assumed)."""
        return self._answer({"error": refused.reason}, refused.status)
