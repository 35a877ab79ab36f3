"""The technician's service: system log and basic settings, by client certificate only (han 1, 4.1; [CASA] 6.2).

Which settings there are the public documents do not say, so they are shown and none is changed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiohttp import web

from firmware.han.casa import log
from firmware.han.casa.csv_files import csv_answer
from firmware.han.casa.doorkeeper import Doorkeeper, Refused
from firmware.han.casa.hosts import COMMON_NAME
from firmware.han.casa.look import Look
from firmware.han.casa.mdns import installed
from firmware.han.desk import HanDesk
from firmware.han.pages import page_number, shown_local
from firmware.han.users import HanUser
from firmware.profiles.kinds import Right

PATH: Final = "/service"
"""Where it is; not documented."""
ROWS: Final = 50
Page = Callable[[web.Request, HanUser, Look], Awaitable[web.StreamResponse]]


class TechnicianService:
    """The pages.

    Args:
        desk: the gateway.
        door: knows technicians by their certificates.
    """

    def __init__(self, desk: HanDesk, door: Doorkeeper) -> None:
        self._desk = desk
        self._door = door

    def routes(self) -> list[web.RouteDef]:
        """All of its paths."""
        return [
            web.get(PATH, self._within(self._log, "system_log")),
            web.get(f"{PATH}/log.csv", self._within(self._log_file, "system_log")),
            web.get(f"{PATH}/settings", self._within(self._settings, "device_data")),
        ]

    def _within(self, page: Page, right: Right) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            look = Look.of(request, self._desk)
            try:
                user = self._door.technician(request)
            except Refused:
                return look.page("technician_only.html", title="technician", here="", status=403)
            if not user.may(right):
                raise web.HTTPForbidden
            return await page(request, user, look)

        return answer

    async def _log(self, request: web.Request, user: HanUser, look: Look) -> web.StreamResponse:
        entries = list(reversed(self._desk.system_log(user).entries))
        count = max(1, -(-len(entries) // ROWS))
        number = min(count, page_number(request.query.get("page")))
        rows = log.rows(self._desk.product, entries[(number - 1) * ROWS : number * ROWS], look.language)
        return look.page(
            "system_log.html",
            title="system_log",
            here="system_log",
            columns=log.COLUMNS,
            rows=rows,
            number=number,
            count=count,
        )

    async def _log_file(self, request: web.Request, user: HanUser, look: Look) -> web.StreamResponse:
        entries = reversed(self._desk.system_log(user).entries)
        name = f"{self._desk.device_id.lower()}-system-log.csv"
        return csv_answer(name, [log.COLUMNS, *log.rows(self._desk.product, entries, look.language)])

    async def _settings(self, request: web.Request, user: HanUser, look: Look) -> web.StreamResponse:
        return look.page("settings.html", title="settings", here="settings", settings=self._told(look.words))

    def _told(self, words: Mapping[str, str]) -> list[tuple[str, str]]:
        desk, unit = self._desk, self._desk.unit
        han, server, options = unit.config.han, unit.config.time_server, desk.options
        address = "–" if han is None else f"{han[0]}:{unit.ports.get('HAN', han[1])}"
        names = f"{COMMON_NAME}, {desk.device_id.lower()}.local"
        valid = words["time_good" if desk.time_valid() else "time_bad"]
        missing = options.han_casa_mdns and not installed()
        off_on = (words["switched_off"], words["switched_on"])
        return [
            (words["huid"], desk.device_id.lower()),
            *((f"Firmware ({one.name})", f"{one.version}, SHA-256 {one.checksum}") for one in desk.components()),
            ("HAN", address),
            (words["host_names"], names if options.han_casa_host_check else f"{names}, *"),
            (words["han_certificate"], desk.certificate.fingerprint),
            ("mDNS", words["not_installed"] if missing else off_on[options.han_casa_mdns]),
            ("NTP", "–" if server is None else f"{server[0]}:{server[1]}"),
            (words["last_synchronisation"], shown_local(desk.last_sync_s())),
            (words["system_time"], f"{shown_local(desk.now_s())} ({valid})"),
            (words["operating_state"], words.get(f"state_{desk.state}", desk.state)),
            (words["linked"], ", ".join(sorted(unit.linked)) or "–"),
            (words["led_overload"], off_on[options.lmc_shows_bus_overload]),
            (words["led_time"], off_on[options.lmc_shows_invalid_time]),
        ]
