"""Requests taken apart and answers put together as PPC's web server does (han 2.1)."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

from aiohttp import web
from markupsafe import Markup

from firmware.han import pages

PRODUCT: Final = "ppc"
MOST_FIELDS: Final = 32
"""Fields of a form that are read."""
LONGEST_FIELD: Final = 256
"""Characters of a field that are kept; no id or time is longer."""
OWN_STYLE: Final = (Path(__file__).parent / "ppc.css").read_text(encoding="utf-8")
_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "max-age=0, must-revalidate, no-cache, no-store",
    "Pragma": "no-cache",
    "Expires": "0",
    "X-FRAME-OPTIONS": "deny",
    "X-Content-Type-Options": "nosniff",
    "X-XSS-Protection": "1; mode=block",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "Server": "SmartMeterGateway",
}
"""On every answer (han 2.1); the value of X-XSS-Protection is assumed."""
_COOKIE: Final = re.compile(r"(?:^|[;,\s])session=([0-9a-zA-Z]{1,64})")


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_POLICY: Final = (
    f"default-src 'none'; style-src {_source(pages.STYLE)} {_source(OWN_STYLE)}; "
    f"script-src {_source(pages.COUNTDOWN)}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


_PAGE_HEADERS: Final[Mapping[str, str]] = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": _POLICY,
    **_HEADERS,
}


async def form_of(request: web.Request) -> dict[str, str]:
    """Fields of the query, then of the body, whatever content type it claims; of fields of one name the first."""
    texts = [request.query_string]
    if request.method == "POST":
        texts.append((await request.read()).decode("utf-8", "replace"))
    found: dict[str, str] = {}
    for text in texts:
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
        except ValueError:  # too many
            continue
        for name, value in pairs:
            found.setdefault(name[:LONGEST_FIELD], value.strip()[:LONGEST_FIELD])
    return found


def session_cookies(request: web.Request) -> tuple[str, ...]:
    """Values of the cookies named ``session``, read leniently: clients send odd things along (han 2.4)."""
    return tuple(dict.fromkeys(_COOKIE.findall(",".join(request.headers.getall("Cookie", [])))))


def page(
    template: str, *, status: int = 200, cookie: str | None = None, prefix: str = "", **values: Any
) -> web.Response:
    """A page from a template.

    Args:
        template: its name.
        status: of HTTP.
        cookie: id of a session that begins.
        prefix: text before the document, as old firmware sends (han 2.1).
        values: of the template.
    """
    text = pages.render(PRODUCT, template, own_style=Markup(OWN_STYLE), **values)
    return html(prefix + text, status=status, cookie=cookie)


def html(text: str, *, status: int = 200, cookie: str | None = None) -> web.Response:
    """An answer that is HTML."""
    answer = web.Response(body=text.encode(), status=status, headers=_PAGE_HEADERS)
    if cookie is not None:
        answer.headers["Set-Cookie"] = f"session={cookie};secure;HttpOnly"
    return answer


def file(octets: bytes, name: str) -> web.Response:
    """A file to be kept."""
    answer = web.Response(body=octets)
    answer.headers["Content-Type"] = "application/octet-stream"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    answer.headers.update(_HEADERS)
    return answer


def challenge(value: str) -> web.Response:
    """Status 401 with a challenge."""
    answer = html("", status=401)
    answer.headers["WWW-Authenticate"] = value
    return answer
