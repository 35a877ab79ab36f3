"""What the tools save: the log, the trace in two forms, the printout; each file says when its source was emulated."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

from bench.tools.screen import Screen
from devices.errors import BenchError

_PAGE = """<!DOCTYPE html>
<html lang="{language}">
<meta charset="utf-8">
<title>{title}</title>
<style>
@page {{ size: A4; margin: 18mm }}
body {{ font: 9.5pt/1.45 ui-monospace, monospace; color: #111; max-width: 46em; margin: 2em auto; padding: 0 1em }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; margin: 0 }}
@media print {{ body {{ margin: 0; padding: 0; max-width: none }} }}
</style>
<pre>{text}</pre>
</html>
"""


def with_warning(text: str, screen: Screen, warning: str | None) -> str:
    """`text` behind a line that says that no real meter was read, where that is so."""
    return text if warning is None else f"{screen.word(warning)}\n\n{text}"


def save(path: Path, text: str, screen: Screen) -> None:
    """Write a file, folders included, and say so. Raises BenchError when that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BenchError(f"{path} cannot be written: {error.strerror}") from error
    screen.say("saved", path=path)


def as_json(value: dict[str, Any]) -> str:
    """For a program to read."""
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def html_page(text: str, title: str, screen: Screen) -> str:
    """`text` as a page that prints on A4."""
    return _PAGE.format(language=screen.language, title=html.escape(title), text=html.escape(text))
