"""JUnit XML as the Jenkins xUnit schema junit-10.xsd wants it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from stored_run import sample_run, write_run

from bench.report import write_reports
from bench.report.build import build_report
from bench.report.junit import render_junit
from bench.report.run_folder import read_run_folder

CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase", "system-out", "system-err"},
    "properties": {"property"},
    "property": set(),
    "testcase": {"skipped", "error", "failure", "system-out", "system-err"},
    "skipped": set(),
    "error": set(),
    "failure": set(),
    "system-out": set(),
}
ATTRIBUTES = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "time", "skipped", "timestamp"},
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"name", "time", "classname"},
    "skipped": {"type", "message"},
    "error": {"type", "message"},
    "failure": {"type", "message"},
    "system-out": set(),
}
SUREFIRE_TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> ET.Element:
    return ET.parse(write_reports(sample_run(tmp_path_factory.mktemp("run")))["junit"]).getroot()


def case(root: ET.Element, name: str) -> ET.Element:
    found = [item for item in root.iter("testcase") if item.get("name") == name]
    assert len(found) == 1
    return found[0]


def test_elements_and_attributes_are_those_of_the_schema(root: ET.Element) -> None:
    for element in root.iter():
        assert {child.tag for child in element} <= CHILDREN[element.tag]
        assert set(element.keys()) <= ATTRIBUTES[element.tag]
        if "time" in element.keys():  # noqa: SIM118 - an element is no mapping
            assert SUREFIRE_TIME.fullmatch(element.get("time", ""))


def test_counts_agree_with_the_cases(root: ET.Element) -> None:
    for suite in root.iter("testsuite"):
        assert int(suite.get("tests", "")) == len(suite.findall("testcase"))
        for attribute, child in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(attribute, "")) == len(suite.findall(f"testcase/{child}"))
    assert int(root.get("tests", "")) == len(list(root.iter("testcase")))


@pytest.mark.parametrize(
    ("name", "child", "kind"),
    [
        ("LMN-3[ppc,smarty]", "failure", "fail"),
        ("DARK-1[casa]", "failure", "inconclusive"),
        ("RELAY-1[casa]", "error", "bench error"),
        ("KILLED-1[casa]", "error", "not finished"),
        ("HAN-1[ppc]", "skipped", "not applicable"),
        ("LATER-1[ppc]", "skipped", "not begun"),
    ],
)
def test_each_verdict_has_its_element(root: ET.Element, name: str, child: str, kind: str) -> None:
    found = [item for item in case(root, name) if item.tag != "system-out"]
    assert [(item.tag, item.get("type")) for item in found] == [(child, kind)]
    assert found[0].get("message")


def test_a_pass_has_no_outcome(root: ET.Element) -> None:
    assert [item.tag for item in case(root, "START-1[ppc]")] == ["system-out"]


def test_a_case_tells_its_parameters_where_the_schema_lets_it(root: ET.Element) -> None:
    lines = (case(root, "LMN-3[ppc,smarty]").findtext("system-out") or "").splitlines()
    assert "[[PROPERTY|gateway=ppc]]" in lines
    assert "[[PROPERTY|parameter meter=smarty]]" in lines
    assert "[[PROPERTY|verifies=FNN 6.5.8]]" in lines
    assert "[[PROPERTY|seed=4711]]" in lines


def test_the_class_is_the_suite(root: ET.Element) -> None:
    assert case(root, "LMN-3[ppc,smarty]").get("classname") == "meters"
    assert {suite.get("name") for suite in root} >= {"meters", "start_up", "time", "not tested"}


def test_an_empty_run_is_a_document_too(tmp_path: Path) -> None:
    root = ET.fromstring(render_junit(build_report(read_run_folder(write_run(tmp_path, [])))))
    assert root.tag == "testsuites"
    assert root.get("tests") == "0"
