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


class Refusals:
    """Puts the product's own words into answers that the web server has made.

    Args:
        programs: the interface for programs.
        browsers: the pages.
    """

    def __init__(self, programs: M2M, browsers: Web) -> None:
        self._programs = programs
        self._browsers = browsers

    def add_to(self, application: web.Application) -> None:
        """From now on, also for what is refused before a handler is reached."""
        application.on_response_prepare.append(self._prepare)

    async def _prepare(self, request: web.Request, answer: web.StreamResponse) -> None:
        if not isinstance(answer, web.HTTPException):
            return
        made = self._made(request, answer.status)
        assert isinstance(made.body, bytes)
        answer.headers.update(made.headers)
        answer.body = made.body
        answer.headers["Content-Length"] = str(len(made.body))  # that of the old body is worked out already

    def _made(self, request: web.Request, status: int) -> web.Response:
        if request.path == ROOT or request.path.startswith(ROOT + "/"):
            return self._programs.refused(Refused(status, WORDS["en"][refusal_of(status)].lower().rstrip(".")))
        return self._browsers.refusal(request, status)
