"""Files with separated values: semicolons, as spreadsheets in German settings expect them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final

from aiohttp import web

from firmware.han.casa.streams import sent

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_NUMBER: Final = re.compile(r"-?[0-9.,]+")
_MARK: Final = "\ufeff"
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


def csv_answer(name: str, lines: Iterable[Sequence[str]]) -> web.Response:
    """The lines as a file to be saved, UTF-8 with byte order mark."""
    return web.Response(body=(_MARK + _text(lines)).encode(), headers=_headers(name))


async def csv_sent(request: web.Request, name: str, pieces: Iterable[Iterable[Sequence[str]]]) -> web.StreamResponse:
    """The same of some lines at a time, made while it is sent."""
    return await sent(request, chain((_MARK,), map(_text, pieces)), _headers(name))


def _text(lines: Iterable[Sequence[str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    for line in lines:
        writer.writerow([_harmless(cell) for cell in line])
    return out.getvalue()


def _headers(name: str) -> dict[str, str]:
    return {
        "Content-Type": "text/csv; charset=utf-8",
        "Content-Disposition": f'attachment; filename="{_UNSAFE.sub("_", name)[:120]}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }


def _harmless(cell: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell) else cell
