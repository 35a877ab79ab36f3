"""What the home interface of a CONEXA serves."""

from __future__ import annotations

from aiohttp import web

from firmware.han.conexa.access import Access
from firmware.han.conexa.logbook import log_language
from firmware.han.conexa.m2m import M2M
from firmware.han.conexa.points import codes_of
from firmware.han.conexa.refusals import refusals
from firmware.han.conexa.web import Web
from firmware.han.desk import HanDesk
from firmware.han.refusals import in_own_words
from firmware.han.server import new_application


def application(desk: HanDesk) -> web.Application:
    """The interface for programs and the pages for browsers.

    Raises:
        UsageError: an option that is written wrongly.
    """
    codes_of(desk.options)
    log_language(desk.options)
    made = new_application()
    access = Access(desk)
    programs, browsers = M2M(desk, access), Web(desk, access)
    programs.add_to(made)
    browsers.add_to(made)
    in_own_words(made, refusals(programs, browsers))
    return made
