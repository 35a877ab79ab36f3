"""The HTML report: complete, self-contained, safe against what stands in the record, readable without a script."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from stored_run import HOSTILE, LEDS, blinking, sample_run, step, write_case, write_run

from bench.report import write_reports
from bench.report.build import build_report, suite_of
from bench.report.html import EMULATED, render_html
from bench.report.model import Gap, Level, Status
from bench.report.run_folder import read_run_folder

VOID = {"meta", "input", "br", "link", "img", "hr"}
SVG_ALONE = {"path", "rect", "circle"}


class Page(HTMLParser):
    """Checks nesting while it reads; keeps ids, links, tags and the visible text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        assert len(named) == len(attrs), f"attribute twice in {tag}"
        self.tags.append((tag, named))
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [named["id"] or ""] if "id" in named else []
        self.links += [named[name] or "" for name in ("href", "src", "xlink:href", "action") if name in named]
        assert not any(name.startswith("on") for name in named), named

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SVG_ALONE | VOID
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"style", "script"}:
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def text(run: Path) -> str:
    return write_reports(run)["html"].read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_the_page_is_well_nested_and_every_id_stands_once(page: Page) -> None:
    assert len(page.ids) == len(set(page.ids))
    assert ("html", {"lang": "en"}) in page.tags


def test_every_link_leads_into_the_page_or_to_a_file_of_the_run(page: Page, run: Path) -> None:
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids
        else:
            assert link.startswith("./")
            assert (run / link).is_file()


def test_the_page_fetches_nothing(text: str, page: Page) -> None:
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"link", "img", "iframe", "object", "embed", "base"}
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text
    assert "url(" not in re.sub(r"url\(#hatch-\w+\)", "", text)
    policy = next(named["content"] for tag, named in page.tags if named.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_hostile_text_stays_text(text: str, page: Page) -> None:
    assert text.count("<script>") == 1
    assert "<script>alert('x')</script>" in page.words
    assert HOSTILE not in text
    assert "\u202e" not in text
    assert "\x07" not in text


def test_an_emulated_device_is_said_in_capitals_and_on_every_printed_page(text: str, page: Page) -> None:
    assert EMULATED == "EMULATED DEVICE - NOT A TEST RESULT"
    assert EMULATED in page.words
    running = re.search(r'@top-left \{ content: "(.*?)"', text)
    assert running is not None
    head = re.sub(r"\\([0-9a-f]{6})", lambda found: chr(int(found[1], 16)), running[1])
    assert head.startswith(EMULATED)
    assert "20260105T101500Z-00001267" in head


def test_a_real_device_has_no_such_words(tmp_path: Path) -> None:
    bench = {"name": "rack 1", "time": "real", "emulated": False, "file": "bench.yaml"}
    words = Page(render_html(build_report(read_run_folder(write_run(tmp_path, [], bench=bench))))).words
    assert "EMULATED" not in words
    assert "results relate only to the item tested" in words


def test_the_page_holds_every_case_with_steps_verdict_and_reason(page: Page) -> None:
    for key in (
        "START-1[ppc]",
        "LMN-3[ppc,smarty]",
        "TIME-36[conexa]",
        "DARK-1[casa]",
        "RELAY-1[casa]",
        "KILLED-1[casa]",
    ):
        assert page.words.count(key) >= 2
    for sentence in (
        "Expect that at least 2 values of house are stored, within 5 min.",
        "not so within 300 s; seen: 1 value",
        "step 5, line 18: the value of 00:45 is missing",
        "the run was interrupted in step 2 (Expect that all LEDs flash together, within 5 s)",
        "smgw-bench run scenarios --gateway all",
        "44.0 s at most 120 s ± 0.01 s",
    ):
        assert sentence in page.words


def test_a_bench_error_never_reads_as_a_fault_of_the_device(page: Page) -> None:
    classes = [named.get("class") or "" for tag, named in page.tags if named.get("id") == "case-RELAY-1-casa"]
    assert classes == ["case st-error g2"]
    assert "did not answer within 2 s The bench was in trouble. This says nothing about the device." in page.words


def test_what_was_assumed_and_what_was_not_tested_is_said(page: Page) -> None:
    assert "boot_time 40 s wan-core 9.1 no document states it START-1[ppc] , LMN-3[ppc,smarty]" in page.words
    assert "the bench lacks han 1 HAN-1 (ppc, casa)" in page.words
    assert "the run ended before this case was begun 1 LATER-1[ppc]" in page.words
    assert "2026-01-05T10:15:30+00:00 resumed" in page.words
    assert "Begun and not finished: KILLED-1[casa]" in page.words


def test_the_filter_hides_by_style_alone_and_never_on_paper(text: str, page: Page) -> None:
    boxes = [named["id"] for tag, named in page.tags if tag == "input"]
    assert "show-fail" in boxes
    assert "show-g0" in boxes
    assert "@media screen{body:has(#show-pass:not(:checked)) .st-pass{display:none}" in text


def test_pictures_have_titles_and_tables_have_heads(page: Page) -> None:
    pictures = [named for tag, named in page.tags if tag == "svg" and named.get("role") == "img"]
    assert len(pictures) == 7
    for picture in pictures:
        assert all(name in page.ids for name in (picture["aria-labelledby"] or "").split())
    tags = [tag for tag, _ in page.tags]
    assert tags.count("table") == tags.count("caption") == tags.count("thead")


def test_two_reports_of_one_folder_are_the_same_bytes(run: Path, text: str) -> None:
    assert write_reports(run)["html"].read_text(encoding="utf-8") == text


def test_the_pattern_is_written_onto_the_picture(text: str) -> None:
    assert 'class="pattern"' in text
    assert "blinking 500 ms, 50 %</text>" in text


def test_a_level_that_is_not_known_is_a_gap(run: Path) -> None:
    report = build_report(read_run_folder(run))
    hostile = next(case for case in report.cases if case.suite == "x/<b>")
    assert hostile.waveform is not None
    pwr = hostile.waveform.rows[0]
    assert pwr.changes[-1] == (pytest.approx(0.8), Level.UNKNOWN)
    assert pwr.segments[-1].pattern == "not known"


def test_the_bus_is_shown_at_its_ends_and_around_the_step_that_failed(run: Path) -> None:
    report = build_report(read_run_folder(run))
    bus = report.cases[1].bus
    assert bus is not None
    assert bus.total == 105
    assert sum(row.count if isinstance(row, Gap) else 1 for row in bus.rows) == 105
    near = [row for row in bus.rows if not isinstance(row, Gap) and row.near == "step"]
    assert near
    assert all(row.t >= 1904.5 for row in near)


def test_a_requirement_has_the_worst_status_of_its_cases(run: Path) -> None:
    report = build_report(read_run_folder(run))
    status = {item.clause: item.status for item in report.requirements}
    assert status["PPC 2.4"] is Status.FAIL
    assert status["FNN 6.2"] is Status.PASS
    assert status["CASA 2.3.2"] is Status.INCONC


def test_evidence_is_named_with_its_hash(page: Page, run: Path) -> None:
    import hashlib

    digest = hashlib.sha256((run / "cases" / "start-ppc" / "lmn.pcapng").read_bytes()).hexdigest()
    assert digest in page.words


def test_repeated_attempts_stand_beside_each_other(tmp_path: Path) -> None:
    rows = [write_case(tmp_path / "cases" / name, key="A[ppc]") for name in ("a", "a-2")]
    page = Page(render_html(build_report(read_run_folder(write_run(tmp_path, rows)))))
    assert {"case-A-ppc", "case-A-ppc--2"} <= set(page.ids)
    assert "attempt 2" in page.words


def test_an_empty_run_is_a_page_too(tmp_path: Path) -> None:
    assert "The run has no cases." in Page(render_html(build_report(read_run_folder(write_run(tmp_path, []))))).words


@pytest.mark.parametrize(
    ("kinds", "end"),
    [
        ((), "not reached"),
        (("interrupted",), "interrupted, 2026-01-05 10:15:30 UTC"),
        (("stopped by --fail-fast",), "stopped by --fail-fast, 2026-01-05 10:15:30 UTC"),
        (("stopped by bench trouble",), "stopped by bench trouble, 2026-01-05 10:15:30 UTC"),
        (("interrupted", "resumed"), "not reached"),
    ],
)
def test_a_run_that_was_interrupted_in_good_order_is_not_said_to_be_killed(
    tmp_path: Path, kinds: tuple[str, ...], end: str
) -> None:
    noted = [{"at": "2026-01-05T10:15:30+00:00", "kind": kind, "text": "while cases were running"} for kind in kinds]
    page = Page(render_html(build_report(read_run_folder(write_run(tmp_path, [], finished=None, interruptions=noted)))))
    assert f"End {end} " in page.words
    assert ("it was killed, or it is still going on" in page.words) == (end == "not reached")
    assert "RUN NOT FINISHED" in page.words


def test_a_day_of_fast_blinking_stays_small(tmp_path: Path) -> None:
    edges = [edge for line in LEDS[:2] for edge in blinking(line, 10.0, 2500.0, 0.05)]
    row = write_case(tmp_path / "cases" / "a", key="A[ppc]", edges=edges, steps=[step(0, 0.0, 86_400.0, "Wait 1 d.")])
    text = render_html(build_report(read_run_folder(write_run(tmp_path, [row]))))
    assert len(text) < 80_000
    assert "url(#hatch-green)" in text


@pytest.mark.parametrize(
    ("file", "suite"),
    [
        ("/home/someone/scenarios/states/ppc/a.yaml", "scenarios/states/ppc"),
        ("scenarios/a.yaml", "scenarios"),
        ("a.yaml", "."),
        ("/srv/mine/a.yaml", "mine"),
    ],
)
def test_a_suite_is_named_without_the_path_of_the_machine(file: str, suite: str) -> None:
    assert suite_of(file) == suite


def test_leds_that_blink_together_are_said_to(run: Path) -> None:
    report = build_report(read_run_folder(run))
    waveform = report.cases[0].waveform
    assert waveform is not None
    assert [(group.lines, group.relation) for group in waveform.groups] == [(LEDS, "together")]


def test_a_waveform_that_cannot_be_read_is_said_and_the_timeline_stands_in(tmp_path: Path) -> None:
    row = write_case(
        tmp_path / "cases" / "a", key="A[ppc]", edges=[(1.0, "PWR", 1)], steps=[step(0, 0.0, 9.0, "Wait.")]
    )
    (tmp_path / "cases" / "a" / "leds.vcd").write_text("no waveform")
    case = build_report(read_run_folder(write_run(tmp_path, [row]))).cases[0]
    assert "leds.vcd" in case.damage[0]
    assert case.waveform is not None
    assert [row.line for row in case.waveform.rows] == ["PWR"]
