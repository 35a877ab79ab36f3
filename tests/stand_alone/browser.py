"""A real Chromium at a stand-alone gateway."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright
from running import Running

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_MS = 20_000


def chromium() -> str:
    """The program; without one the test is skipped, where CHROMIUM_REQUIRED is set it fails."""
    found = next((path for path in map(shutil.which, NAMES) if path is not None), None)
    if found is None:
        told = f"no browser is installed: none of {', '.join(NAMES)}"
        if os.environ.get("CHROMIUM_REQUIRED"):
            pytest.fail(told)
        pytest.skip(told)
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser without window."""
    with sync_playwright() as played:
        options = ["--no-sandbox", "--disable-gpu", "--disable-quic"]
        one = played.chromium.launch(executable_path=chromium(), args=options)
        yield one
        one.close()


@contextmanager
def page(opened: Browser, gateway: Running, *, password: str | None = None, **options: Any) -> Iterator[Page]:
    """A page whose console stays empty; `password` answers the digest as consumer-1."""
    if password is not None:
        options["http_credentials"] = {"username": "consumer-1", "password": password}
    context = opened.new_context(ignore_https_errors=True, locale=options.pop("locale", "de-DE"), **options)
    context.set_default_timeout(PATIENCE_MS)
    one = context.new_page()
    said: list[str] = []
    one.on("pageerror", lambda error: said.append(str(error)))
    one.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    yield one
    context.close()
    assert [text for text in said if "status of 40" not in text] == []


def readable(one: Page) -> None:
    """What axe finds wrong for people who do not see or move well, and whether a telephone shows all of it."""
    found = Axe().run(one).response["violations"]
    assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found] == []
    before = one.viewport_size
    one.set_viewport_size({"width": 360, "height": 740})
    assert one.evaluate("document.documentElement.scrollWidth") <= 360, "wider than a telephone"
    if before is not None:
        one.set_viewport_size(before)
    assert one.evaluate("document.documentElement.lang") in ("de", "en")
