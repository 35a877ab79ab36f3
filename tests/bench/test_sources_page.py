"""Every source that stands in code and scenarios is told by docs/sources.md."""

from __future__ import annotations

import re
from pathlib import Path

from bench.report.html import render_html

ROOT = Path(__file__).parents[2]
COLLECTIONS = ("han", "wan-core", "lmn-wired", "lmn-wireless", "hil-anchors", "harness-overhead", "feasibility")
NUMBER = r"\d+(?:\.\d+)*(?![\d:])"
CITED = re.compile(rf"(?<![\w-])({'|'.join(COLLECTIONS)}) ({NUMBER}(?:(?:, | and | to ){NUMBER})*)")


def told() -> dict[str, set[str]]:
    """Collection -> chapters that the page tells."""
    text = (ROOT / "docs" / "sources.md").read_text("utf-8")
    found: dict[str, set[str]] = {}
    for part in text.split("\n## `")[1:]:
        found[part.partition("`")[0]] = set(re.findall(r"^\| (\d[\d.]*) \|", part, re.MULTILINE))
    found["feasibility"] = set(re.findall(r"(?:: |,\s)(\d+) ", text.partition("## `feasibility`")[2]))
    return found


def cited() -> dict[tuple[str, str], str]:
    """Collection and chapter -> a file that cites it."""
    found: dict[tuple[str, str], str] = {}
    for folder, pattern in (("bench", "*.py"), ("devices", "*"), ("firmware", "*.py"), ("scenarios", "*.yaml")):
        for file in sorted((ROOT / folder).rglob(pattern)):
            if file.suffix in (".py", ".yaml"):
                for collection, chapters in CITED.findall(file.read_text("utf-8")):
                    for chapter in re.findall(NUMBER, chapters):
                        found.setdefault((collection, chapter), str(file.relative_to(ROOT)))
    return found


def test_every_chapter_that_is_cited_can_be_looked_up() -> None:
    known, found = told(), cited()
    assert len(found) > 60
    # numbers of [FNN]
    processes = {key for key in found if key[0] == "wan-core" and re.match(r"6\.4\.\d|5\.1\d", key[1])}
    missing = {
        key: file
        for key, file in found.items()
        if key[1].rstrip(".") not in known.get(key[0], set()) and key not in processes
    }
    assert missing == {}


def test_every_document_is_named_with_its_maker() -> None:
    text = (ROOT / "docs" / "sources.md").read_text("utf-8")
    documents = dict(re.findall(r"^\| \[(\w+)\] \| (.+) \|$", text, re.MULTILINE))
    assert set(documents) == {"PPC", "CONEXA", "CASA", "FNN", "BZ"}
    assert all(re.search(r"version|revision", title) for title in documents.values())


def test_readme_and_report_lead_to_the_page() -> None:
    assert "(docs/sources.md)" in (ROOT / "README.md").read_text("utf-8")
    assert "docs/sources.md" in str(render_html.__globals__["_assumed"].__code__.co_consts)
