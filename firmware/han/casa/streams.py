"""Answers that are made while they are sent, so that a list of any length takes the memory of one of its pieces."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, Final

from aiohttp import hdrs, web

LINES: Final = 200
"""Lines of a list in one piece; behind each others get their turn."""
WHOLE: Final = 65_536
"""Characters up to which an answer is sent at once, with its length; a longer one goes in chunks."""
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def encoded(body: Any) -> str:
    """JSON without blanks."""
    return _ENCODER.encode(body)


def listed(lines: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A list as JSON, piece by piece."""
    source, before = iter(lines), "["
    while piece := list(islice(source, LINES)):
        yield before + encoded(piece)[1:-1]
        before = ","
    yield "[]" if before == "[" else "]"


async def sent(request: web.Request, pieces: Iterator[str], headers: Mapping[str, str]) -> web.StreamResponse:
    """The answer that `pieces` are.

    A client that is cut off in the middle, because it reads too slowly or the gateway fails, sees that: its connection
    ends without the end of the body.

    Args:
        request: what is answered.
        pieces: of the body; each is asked for when the client has taken those before. HEAD has no body, and the length
            only where that of GET has it.
        headers: of the answer, with its Content-Type.
    """
    held, size = [], 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size > WHOLE:
            break
        await asyncio.sleep(0)
    else:
        return web.Response(body="".join(held).encode(), headers=headers)
    answer = web.StreamResponse(headers=headers)
    try:
        await answer.prepare(request)
        if request.method == hdrs.METH_HEAD:  # its answer has no body, and aiohttp does not frame what is written here
            await answer.write_eof()
            return answer
        for piece in chain(("".join(held),), pieces):
            await answer.write(piece.encode())
            await asyncio.sleep(0)
        await answer.write_eof()
    except BaseException:
        if request.transport is not None:
            request.transport.abort()
        raise
    return answer
