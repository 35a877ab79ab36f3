"""A product's own words in place of the web server's: unknown paths, other methods, bodies too long, failures."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

Made = Callable[[web.Request, int], web.Response]
"""Makes the answer to a request that is refused with this status."""


def in_own_words(application: web.Application, made: Made) -> None:
    """From now on refusals are what `made` makes of them, also those before a handler is reached."""

    async def prepare(request: web.Request, answer: web.StreamResponse) -> None:
        if not isinstance(answer, web.HTTPException) or answer.status < 400:
            return
        own = made(request, answer.status)
        assert isinstance(own.body, bytes)
        answer.headers.update(own.headers)
        answer.body = own.body
        answer.headers["Content-Length"] = str(len(own.body))  # that of the old body is worked out already

    application.on_response_prepare.append(prepare)
