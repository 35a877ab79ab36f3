"""Attributes of PPC's pages in the other quotes (han 2.3); templates write them in single ones, as real pages do."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web

from devices.errors import UsageError

SINGLE: Final = "single"
DOUBLE: Final = "double"
_TAG: Final = re.compile(rb"(<[a-zA-Z][^<>]*>)((?<=<style>).*?(?=</style>)|(?<=<script>).*?(?=</script>))?", re.DOTALL)
"""A tag, and behind it the style or script that it begins: there is no markup in these."""
_ATTRIBUTE: Final = re.compile(rb"""(\s[\w:-]+=)'([^'"]*)'""")


def quoted(application: web.Application, quotes: str) -> None:
    """From now on attributes of its pages have these quotes.

    Raises:
        UsageError: there are no such quotes.
    """
    if quotes not in (SINGLE, DOUBLE):
        raise UsageError(f"PPC's pages have no quotes {quotes!r}", hint=f"han_ppc_quotes: {SINGLE}, {DOUBLE}")
    if quotes == DOUBLE:
        application.on_response_prepare.append(_prepare)


def doubled(page: bytes) -> bytes:
    """The page with double quotes around attributes; its text stays. Values hold no quotes, these are escaped."""
    return _TAG.sub(lambda found: _ATTRIBUTE.sub(rb'\1"\2"', found[1]) + (found[2] or b""), page)


async def _prepare(request: web.Request, answer: web.StreamResponse) -> None:
    if not isinstance(answer, web.Response) or answer.content_type != "text/html" or not isinstance(answer.body, bytes):
        return
    answer.body = doubled(answer.body)
    answer.headers["Content-Length"] = str(len(answer.body))
