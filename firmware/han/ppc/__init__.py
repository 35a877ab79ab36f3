"""The home interface of PPC's gateway: `hanservice.cgi` for consumers, `hanservicetech.cgi` for technicians (han 2)."""

from __future__ import annotations

from aiohttp import web

from firmware.han import pages
from firmware.han.desk import HanDesk
from firmware.han.ppc import answers
from firmware.han.ppc.call import PATH as CONSUMER_PATH
from firmware.han.ppc.call import frame
from firmware.han.ppc.consumer import ConsumerService
from firmware.han.ppc.english import told
from firmware.han.ppc.quotes import quoted
from firmware.han.ppc.technician import PATH as TECHNICIAN_PATH
from firmware.han.ppc.technician import TechnicianService
from firmware.han.ppc.wording import REFUSED, REFUSED_OTHERWISE, footer_version
from firmware.han.refusals import Made, in_own_words
from firmware.han.server import new_application

SERVES_WITHOUT_HAN = False


def application(desk: HanDesk) -> web.Application:
    """What is served; sessions live in it and end with it.

    Raises:
        UsageError: an option that is written wrongly.
    """
    made = new_application()
    in_own_words(made, _refusals(desk))
    quoted(made, desk.options.han_ppc_quotes)
    for path, answer in (
        (CONSUMER_PATH, ConsumerService(desk).answer),
        (TECHNICIAN_PATH, TechnicianService(desk).answer),
    ):
        made.router.add_get(path, answer, allow_head=False)
        made.router.add_post(path, answer)
    return made


def _refusals(desk: HanDesk) -> Made:
    """Pages in place of the web server's words, with the headers of every answer (han 2.1); their texts are assumed."""
    version = footer_version(desk)

    def made(request: web.Request, status: int) -> web.Response:
        language = pages.language_chosen(request)
        head = frame(desk, language, version)
        message = told(REFUSED.get(status, REFUSED_OTHERWISE), language)
        return answers.page("stranger.html", **head, title=told("Fehler", language), message=message)

    return made
