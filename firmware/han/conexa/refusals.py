"""What is answered where no page and no method answers: unknown paths, other methods, bodies too long, failures.

The status codes are documented (han 3.1), what stands in such an answer is not. Assumed: programs get JSON with a
reason, as for calls that are refused, browsers a page.
"""

from __future__ import annotations

from aiohttp import web

from firmware.han.conexa.body import Refused
from firmware.han.conexa.m2m import M2M, ROOT
from firmware.han.conexa.texts import WORDS, refusal_of
from firmware.han.conexa.web import Web
from firmware.han.refusals import Made


def refusals(programs: M2M, browsers: Web) -> Made:
    """Makes refusals.

    Args:
        programs: the interface for programs.
        browsers: the pages.
    """

    def made(request: web.Request, status: int) -> web.Response:
        if request.path == ROOT or request.path.startswith(ROOT + "/"):
            return programs.refused(Refused(status, WORDS["en"][refusal_of(status)].lower().rstrip(".")))
        return browsers.refusal(request, status)

    return made
