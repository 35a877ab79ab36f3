"""Pages of the home interface: templates, languages, and the headers that keep a page to itself.

Each product has its templates in ``firmware/han/<product>/templates``; they extend ``base.html`` and share its style.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, MutableMapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

Language = Literal["de", "en"]
_HERE: Final = Path(__file__).parent
_MOST_DIGITS: Final = 6
_LOCAL: Final = ZoneInfo("Europe/Berlin")
STYLE: Final = (_HERE / "static" / "instrument.css").read_text(encoding="utf-8")
COUNTDOWN: Final = (_HERE / "static" / "countdown.js").read_text(encoding="utf-8")
"""Counts the seconds in elements with ``data-seconds`` down; the page works without it."""


def language_of(request: web.Request) -> Language:
    """``?lang=``, else the first of German and English in Accept-Language, else German."""
    accepted = request.headers.get("Accept-Language", "").split(",")[:20]
    return _first_of((request.query.get("lang", ""), *accepted))


def language_chosen(request: web.Request) -> Language:
    """``?lang=``, else German: for pages whose German words programs read, whatever languages they say they accept."""
    return _first_of((request.query.get("lang", ""),))


def language_asked(request: web.Request) -> Language | None:
    """What ``?lang=`` in the target of a request asks for, by whatever method; None without it."""
    return language_chosen(request) if request.query.get("lang", "") in ("de", "en") else None


def _first_of(words: Iterable[str]) -> Language:
    for one in words:
        word = one.split(";")[0].strip().lower()[:2]
        if word in ("de", "en"):
            return "de" if word == "de" else "en"
    return "de"


class _Environment(Environment):
    """With one dictionary of globals for each template: nothing is added to them once a template is there."""

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        return {**self.globals, **(d or {})}


@cache
def _environment(product: str) -> Environment:
    made = _Environment(
        loader=FileSystemLoader([_HERE / product / "templates", _HERE / "templates"]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals["style"] = Markup(STYLE)
    made.globals["countdown"] = Markup(COUNTDOWN)
    made.filters["local"] = shown_local
    return made


def render(product: str, template: str, **values: Any) -> str:
    """The page that a product's template makes of `values`; every name that it uses must be there."""
    return _environment(product).get_template(template).render(**values)


def part(product: str, template: str, macro: str, *values: Any) -> Markup:
    """What a macro of a product's template makes of `values`."""
    made: Markup = getattr(_environment(product).get_template(template).module, macro)(*values)
    return made


def page(text: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A page as an answer, with headers that let it load nothing and be framed by nobody."""
    answer = web.Response(text=text, status=status, content_type="text/html", charset="utf-8")
    answer.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'sha256-{_hash(STYLE)}'; script-src 'sha256-{_hash(COUNTDOWN)}'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["X-Frame-Options"] = "DENY"
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["Cache-Control"] = "no-store"
    answer.headers.update(headers or {})
    return answer


@cache
def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def page_number(text: str | None) -> int:
    """The number of a page of a list, counted from 1; 1 for what is none."""
    return max(1, int(text)) if text and text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else 1


def shown_local(at_s: float | None, *, seconds: bool = True) -> str:
    """An instant, seconds since 1970, in German local time, ``2026-01-05 13:00:00``; a dash for None."""
    if at_s is None:
        return "–"
    wall = datetime.fromtimestamp(at_s, UTC).astimezone(_LOCAL)
    return wall.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def shown_number(number: Any, places: int, language: Language) -> str:
    """A number in the notation of a language, ``23.163,627000`` or ``23,163.627000``."""
    shown = f"{number:,.{places}f}"
    return shown.translate(str.maketrans(",.", ".,")) if language == "de" else shown
