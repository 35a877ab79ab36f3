"""The report as a browser lays it out: on A4 and on a telephone nothing is cut off, whatever long words it holds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "stand_alone"))

from browser import browser
from playwright.sync_api import Page
from stored_run import sample_run, step, write_case, write_run

from bench.report import write_reports

A4_PX = 680
"""Printable width: 210 mm less two margins of 15 mm, at 96 px for 25.4 mm."""
HASH = "86d266722080b354a182e8295a59c048e2f950ec56991de39913781fecab724d"
WIDER = """width => [...document.querySelectorAll('td, th, dd, p, h1, h2, h3, summary, figure')]
  .filter(one => one.getBoundingClientRect().right > width + 1).map(one => one.outerHTML.slice(0, 200))"""
CUT = """[...document.querySelectorAll('td, dd, p')].filter(one => one.scrollWidth > one.clientWidth + 1
  && getComputedStyle(one).display !== 'inline').map(one => one.outerHTML.slice(0, 200))"""


def fingerprints(folder: Path) -> Path:
    """A run whose steps, reasons and conditions hold words of 64 digits."""
    steps = [
        step(
            0,
            0.0,
            0.144,
            "Expect that the gateway's certificate is the same as before.",
            "fail",
            expected=f"same: {HASH}",
            seen=f"{HASH}{HASH}, after 0 s",
            reason=f"{HASH} is not it",
        )
    ]
    monitors = [{"sentence": f"at no time: {HASH}", "verdict": "fail", "reason": f"at 1 s: {HASH}"}]
    assumed = [{"name": f"home interface, {HASH}", "value": HASH, "source": HASH, "why": HASH}]
    more = {"verdict": "fail", "reason": f"step 1, line 14: {HASH}", "edges": []}
    row = write_case(
        folder / "cases" / "HAN-1_conexa",
        key="HAN-1[conexa]",
        gateway="conexa",
        steps=steps,
        monitors=monitors,
        assumed=assumed,
        **more,
    )
    return write_run(folder, [row])


@pytest.fixture(scope="module", params=["fingerprints", "everything"])
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("run")
    run = fingerprints(folder) if request.param == "fingerprints" else sample_run(folder)
    with browser() as chrome:
        page = chrome.new_page()
        page.goto(write_reports(run)["html"].as_uri())
        yield page


def test_on_paper_no_column_is_cut_off(opened: Page) -> None:
    opened.emulate_media(media="print")
    opened.set_viewport_size({"width": A4_PX, "height": 960})
    opened.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert opened.evaluate(WIDER, A4_PX) == []
    assert opened.evaluate(CUT) == []
    widths = opened.evaluate("[...document.querySelectorAll('.steps td:nth-child(3)')].map(one => one.clientWidth)")
    assert min(widths) > 100, "the sentence of a step has no room"


def test_on_a_telephone_the_page_is_not_wider_than_it(opened: Page) -> None:
    opened.emulate_media(media="screen")
    opened.set_viewport_size({"width": 360, "height": 740})
    opened.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert opened.evaluate("document.documentElement.scrollWidth") <= 360
    steps = "[...document.querySelectorAll('.steps td, .cases td, .monitors td, p, dd')]"
    assert opened.evaluate(f"{steps}.filter(one => one.getBoundingClientRect().right > 361).length") == 0
