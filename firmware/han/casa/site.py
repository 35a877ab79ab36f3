"""All that CASA serves at its home interface, behind the checks that hold for every request."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from firmware.han.casa.doorkeeper import Doorkeeper
from firmware.han.casa.hosts import host_name, host_names
from firmware.han.casa.json_paths import JSON, JsonPaths
from firmware.han.casa.look import Look
from firmware.han.casa.mdns import announcement
from firmware.han.casa.portal import Portal
from firmware.han.casa.sessions import Sessions
from firmware.han.casa.technician import TechnicianService
from firmware.han.desk import HanDesk
from firmware.han.refusals import Made, in_own_words
from firmware.han.server import new_application
from firmware.han.sessions import Limits

SERVES_WITHOUT_HAN: Final = True
"""In soft lock-down there is a page that says so ([CASA] 7.6)."""


def application(desk: HanDesk) -> web.Application:
    """CASA's pages and paths."""
    options = desk.options
    limits = Limits(options.han_idle_s, options.han_session_s)
    sessions = Sessions(desk.unit.clock, desk.directory, desk.unit.rng, limits)
    door = Doorkeeper(desk, sessions)
    paths = JsonPaths(desk, door)
    made = new_application()
    made.middlewares.extend((_hosts(desk), _lockdown(desk)))
    in_own_words(made, _refusals(desk))
    made.router.add_route("*", "/json", paths.answer)
    made.router.add_route("*", "/json/{path:.*}", paths.answer)
    made.router.add_routes(Portal(desk, door, sessions).routes())
    made.router.add_routes(TechnicianService(desk, door).routes())
    made.cleanup_ctx.append(lambda running: announcement(desk, running))
    return made


def _hosts(desk: HanDesk) -> Middleware:
    """Only who calls the gateway by its address or name is answered (han 4.1)."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if desk.options.han_casa_host_check and not _called_right(request, desk):
            return web.Response(status=400, text="Bad Request", headers={"Connection": "close"})
        return await handler(request)

    return check


def _called_right(request: web.Request, desk: HanDesk) -> bool:
    given = request.headers.getall("Host", [])
    if len(given) != 1:
        return False
    socket = None if request.transport is None else request.transport.get_extra_info("sockname")
    configured = desk.unit.config.han
    names = host_names(
        desk.device_id, None if configured is None else configured[0], socket[0] if isinstance(socket, tuple) else None
    )
    return host_name(given[0]) in names


def _lockdown(desk: HanDesk) -> Middleware:
    """In soft lock-down nobody gets anything but the page that says so ([CASA] 7.6)."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not desk.effects.han:
            return Look.of(request, desk).page("lockdown.html", title="lockdown", here="", status=503)
        return await handler(request)

    return check


def _refusals(desk: HanDesk) -> Made:
    """Refusals as a page, or as JSON where programs ask; few words for who does not get as far as the pages."""

    def made(request: web.Request, status: int) -> web.Response:
        phrase = HTTPStatus(status).phrase
        if not desk.effects.han or (desk.options.han_casa_host_check and not _called_right(request, desk)):
            return web.Response(text=phrase)
        if request.path.startswith("/json"):
            return web.Response(text=json.dumps({"error": phrase.lower()}), content_type=JSON)
        word = "not_found" if status == 404 else "failed" if status >= 500 else "bad_request"
        return Look.of(request, desk).page("refused.html", title=word, here="", word=word)

    return made
