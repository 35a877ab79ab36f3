"""The home interface of PPC's gateway: `hanservice.cgi` for consumers, `hanservicetech.cgi` for technicians (han 2)."""

from __future__ import annotations

from aiohttp import web

from firmware.han.desk import HanDesk
from firmware.han.ppc.call import PATH as CONSUMER_PATH
from firmware.han.ppc.consumer import ConsumerService
from firmware.han.ppc.technician import PATH as TECHNICIAN_PATH
from firmware.han.ppc.technician import TechnicianService
from firmware.han.server import new_application

SERVES_WITHOUT_HAN = False


def application(desk: HanDesk) -> web.Application:
    """What is served; sessions live in it and end with it."""
    made = new_application()
    for path, answer in (
        (CONSUMER_PATH, ConsumerService(desk).answer),
        (TECHNICIAN_PATH, TechnicianService(desk).answer),
    ):
        made.router.add_get(path, answer, allow_head=False)
        made.router.add_post(path, answer)
    return made
