"""Which gateway was tested stands in the head of the report, as it told it at its home interface."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.report.build import IDENTITIES_SHOWN, build_report
from bench.report.html import render_html
from bench.report.junit import render_junit
from bench.report.model import Report
from bench.report.run_folder import read_run_folder

FIRST, SECOND = "1f" * 32, "2e" * 32


def report(folder: Path, *gateways: tuple[str, dict[str, Any]]) -> Report:
    """Of a run with one case for each gateway type and what such a gateway told."""
    cases = []
    for number, (kind, told) in enumerate(gateways):
        where = folder / "cases" / f"C-{number}"
        where.mkdir(parents=True)
        gateway = {"type": kind, "name": kind, "emulated": False, **({"told": told} if told else {})}
        record = {"schema": "smgw-bench/verdict/1", "key": f"C-{number}", "gateway": gateway, "verdict": "pass"}
        (where / "verdict.json").write_text(json.dumps(record))
        cases.append({"folder": f"cases/C-{number}", "gateway": kind, "key": record["key"], "verdict": "pass"})
    bench = {"name": "cellar", "time": "real", "emulated": False, "reached": "192.168.1.200:443"}
    head = {"schema": "smgw-bench/run/1", "id": "R-1", "finished": "2026-01-01T00:00:00Z", "bench": bench}
    (folder / "run.json").write_text(json.dumps({**head, "cases": cases}))
    return build_report(read_run_folder(folder))


def told(certificate: str = FIRST, firmware: str = "3.0") -> dict[str, Any]:
    return {"id": "ethe0300004261", "firmware": firmware, "certificate": certificate, "user": "otto"}


def head_of(made: Report) -> dict[str, str]:
    return {fact.name: fact.value for fact in made.head.bench}


def test_number_firmware_and_certificate_stand_beside_the_gateway(tmp_path: Path) -> None:
    made = report(tmp_path, ("conexa", told()), ("conexa", {}), ("conexa", told()))
    section = render_html(made).partition('id="bench"')[2].partition("</section>")[0]
    assert section.index("<dt>Gateway</dt>") < section.index("<dt>Gateway number</dt><dd>ethe0300004261</dd>")
    assert "<dt>Gateway firmware</dt><dd>3.0</dd>" in section
    assert f"<dt>Gateway certificate</dt><dd>SHA-256 {FIRST}</dd>" in section
    assert "otto" not in section
    lines = render_junit(made)
    assert '<property name="gateway number" value="ethe0300004261"/>' in lines
    assert f'<property name="gateway certificate" value="SHA-256 {FIRST}"/>' in lines


def test_all_that_differ_are_told_in_their_order(tmp_path: Path) -> None:
    cases = [told(), told(SECOND, "3.1"), told(FIRST, "3.1")]
    head = head_of(report(tmp_path, *(("conexa", one) for one in cases)))
    assert head["Gateway firmware"] == "3.0; 3.1"
    assert head["Gateway certificate"] == f"SHA-256 {FIRST}; SHA-256 {SECOND}"
    assert head["Gateway number"] == "ethe0300004261"


def test_of_several_products_each_is_named_with_its_own(tmp_path: Path) -> None:
    head = head_of(report(tmp_path, ("ppc", {**told(), "id": "eppc0210495730"}), ("conexa", told(SECOND))))
    assert head["Gateway number"] == "ppc eppc0210495730; conexa ethe0300004261"


def test_a_long_list_is_cut_and_says_so(tmp_path: Path) -> None:
    cases = [("ppc", told(f"{number:064x}")) for number in range(IDENTITIES_SHOWN + 3)]
    head = head_of(report(tmp_path, *cases))
    assert head["Gateway certificate"].endswith("; and 3 more")


def test_where_nothing_was_told_nothing_stands_there(tmp_path: Path) -> None:
    assert not {"Gateway number", "Gateway firmware", "Gateway certificate"} & set(
        head_of(report(tmp_path, ("ppc", {})))
    )
