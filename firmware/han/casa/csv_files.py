"""Files with separated values: semicolons, as spreadsheets in German settings expect them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Final

from aiohttp import web

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_NUMBER: Final = re.compile(r"-?[0-9.,]+")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


def csv_answer(name: str, lines: Iterable[Sequence[str]]) -> web.Response:
    """The lines as a file to be saved, UTF-8 with byte order mark."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    for line in lines:
        writer.writerow([_harmless(cell) for cell in line])
    answer = web.Response(body=("\ufeff" + out.getvalue()).encode(), content_type="text/csv", charset="utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{_UNSAFE.sub("_", name)[:120]}"'
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


def _harmless(cell: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell) else cell
