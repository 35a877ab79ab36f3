"""The words of HTML that all chapters use: escaping, tables, sheets, badges, and the skeleton of the page."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from importlib import resources
from urllib.parse import quote

from bench.report.model import CaseLink, Fact, Status

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
MAX_TEXT = 4000
"""Characters that one text of the record may take in the report; the record keeps the whole."""


def escape(text: str) -> str:
    """`text` so that it is only ever text: no mark-up, no control characters, no reordering, bounded."""
    if len(text) > MAX_TEXT:
        text = text[:MAX_TEXT] + " …"
    if not text.isascii() or not text.isprintable():
        text = _BIDI.sub("\N{REPLACEMENT CHARACTER}", _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text))
    return (
        text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace('"', "&quot;")
        .replace("'", "&#39;")
    )


def badge(status: Status) -> str:
    """A status in its colour; the word alone says it as well."""
    return f'<span class="badge s-{name(status)}">{status.words}</span>'


def name(status: Status) -> str:
    """The status as a word for CSS classes and ids."""
    return status.name.lower().replace("_", "-")


def case_link(link: CaseLink) -> str:
    """A link to a case on the same page, marked with its status."""
    return f'<a class="s-{name(link.status)}" href="#{link.anchor}">{escape(link.key)}</a>'


def case_links(links: Sequence[CaseLink], limit: int = 24) -> str:
    """Links to cases; of many only the first."""
    more = f' <span class="more">and {len(links) - limit} more</span>' if len(links) > limit else ""
    return ", ".join(case_link(link) for link in links[:limit]) + more


def file_link(path: str) -> str:
    """A relative link to a file of the run folder; whatever the name, it cannot become an address elsewhere."""
    return f'<a href="./{quote(path)}">{escape(path.rpartition("/")[2])}</a>'


def table(kind: str, caption: str, heads: Sequence[str], rows: Iterable[str]) -> str:
    """A table with a caption and column heads; `rows` are finished ``<tr>`` elements, `heads` finished HTML."""
    cells = "".join(f'<th scope="col">{head}</th>' for head in heads)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{caption}"><table class="{kind}">'
        f"<caption>{caption}</caption><thead><tr>{cells}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def row(cells: Iterable[str], kind: str = "") -> str:
    """A table row of finished cells."""
    mark = f' class="{kind}"' if kind else ""
    return f"<tr{mark}><td>{'</td><td>'.join(cells)}</td></tr>"


_LONG = ' class="long"'
_LONG_VALUE = 60


def sheet(entries: Iterable[tuple[str, str]]) -> str:
    """Named entries under each other; values are finished HTML, empty ones are left out."""
    lines = "".join(
        f"<div{_LONG if len(value) > _LONG_VALUE else ''}><dt>{escape(term)}</dt><dd>{value}</dd></div>"
        for term, value in entries
        if value
    )
    return f'<dl class="sheet">{lines}</dl>' if lines else ""


def facts(entries: Iterable[Fact]) -> list[tuple[str, str]]:
    """Facts of the record as entries of a sheet."""
    return [(entry.name, escape(entry.value)) for entry in entries]


def folded(title: str, body: str, *, is_open: bool) -> str:
    """A part that can be folded away; `title` and `body` are finished HTML."""
    return f"<details{' open' if is_open else ''}><summary>{title}</summary>{body}</details>"


def document(title: str, running_head: str, style: str, body: str) -> str:
    """The page: everything inside, nothing fetched, and a policy that forbids fetching.

    Args:
        title: of the browser's window.
        running_head: printed on every page.
        style: rules that this page needs beside the common sheet.
        body: finished HTML.
    """
    files = resources.files("bench.report")
    css = files.joinpath("page.css").read_text("utf-8").replace("RUNNING-HEAD", _css_text(running_head)) + style
    script = files.joinpath("page.js").read_text("utf-8")
    policy = (
        f"default-src 'none'; style-src '{_digest(css)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{css}</style>\n</head>\n<body>\n{body}\n"
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _css_text(text: str) -> str:
    """`text` as the inside of a CSS string: all but plain characters as escapes."""
    return "".join(sign if sign.isalnum() and sign.isascii() else f"\\{ord(sign):06x}" for sign in text[:200])
