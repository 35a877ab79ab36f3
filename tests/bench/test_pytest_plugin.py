"""Scenarios as pytest items, tried by running pytest inside pytest."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.pytest_plugin import sample

HOME = Path(__file__).parents[2] / "scenarios" / "home"
GOOD = """
id: {ident}
title: The gateway is dark without mains
gateways: [ppc, casa]
needs: [leds]
steps:
  - leds: {{PWR: {pattern}}}
"""


def suite(pytester: pytest.Pytester, **patterns: str) -> None:
    folder = pytester.mkdir("scenarios")
    for ident, pattern in patterns.items():
        (folder / f"{ident}.yaml").write_text(GOOD.format(ident=ident, pattern=pattern), encoding="utf-8")


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


def test_each_case_is_one_item(pytester: pytest.Pytester) -> None:
    suite(pytester, A="off", B="off")
    run(pytester, "scenarios").assert_outcomes(passed=4)


def test_items_are_chosen_by_keyword_and_gateway(pytester: pytest.Pytester) -> None:
    suite(pytester, A="off", B="off")
    run(pytester, "scenarios", "-k", "B", "--gateway", "casa").assert_outcomes(passed=1, deselected=1)


def test_a_failing_case_shows_its_steps_and_no_traceback(pytester: pytest.Pytester) -> None:
    suite(pytester, A="on")
    result = run(pytester, "scenarios", "--gateway", "casa")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*verdict: fail", "*reason: step 1, line 7: *seen: PWR off*", "*Expect that PWR is on.*"]
    )
    assert "Traceback" not in result.stdout.str()


def test_a_mistake_in_a_file_is_one_clear_message(pytester: pytest.Pytester) -> None:
    suite(pytester, A="onn")
    result = run(pytester, "scenarios")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*A.yaml:7:*'onn' is no LED pattern*"])
    assert "Traceback" not in result.stdout.str()


def test_two_workers_fill_one_run_folder_with_a_report(pytester: pytest.Pytester) -> None:
    suite(pytester, A="off", B="off", C="on")
    result = run(pytester, "scenarios", "-n", "2", "--bench-out", "out", "--junitxml", "j.xml")
    result.assert_outcomes(passed=4, failed=2)
    record = json.loads((pytester.path / "out" / "run.json").read_text("utf-8"))
    assert record["counts"] == {"pass": 4, "fail": 2, "not applicable": 0}
    assert (pytester.path / "out" / "report.html").stat().st_size > 10_000
    cases = ET.parse(pytester.path / "j.xml").getroot().iter("testcase")
    assert len(list(cases)) == 6


def test_a_case_that_the_bench_cannot_run_is_skipped_with_the_reason(pytester: pytest.Pytester) -> None:
    suite(pytester, A="off")
    bench = "name: bare\ntime: virtual\ngateway: {emulated: true}\n"
    (pytester.path / "bare.yaml").write_text(bench, encoding="utf-8")
    result = run(pytester, "scenarios", "--bench", "bare.yaml", "-rs")
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["*not applicable: the bench lacks leds*"])


def test_yaml_files_outside_scenario_folders_are_left_alone(pytester: pytest.Pytester) -> None:
    (pytester.path / "other.yaml").write_text("steps: [1]\n", encoding="utf-8")
    assert run(pytester).ret == pytest.ExitCode.NO_TESTS_COLLECTED


NOTHING = "id: N\ntitle: Expects nothing\ngateways: [casa]\nsteps:\n  - power: on\n"


def test_what_was_not_judged_has_not_passed(pytester: pytest.Pytester) -> None:
    folder = pytester.mkdir("scenarios")
    (folder / "n.yaml").write_text(NOTHING, encoding="utf-8")
    result = run(pytester, "scenarios", "-rs")
    result.assert_outcomes(skipped=1)
    assert result.ret == 2
    result.stdout.fnmatch_lines(["*nothing was judged*", "*not judged: the scenario expects nothing*"])


def test_what_was_not_judged_beside_what_was_is_a_skip(pytester: pytest.Pytester) -> None:
    suite(pytester, A="off")
    (pytester.path / "scenarios" / "n.yaml").write_text(NOTHING, encoding="utf-8")
    result = run(pytester, "scenarios", "--gateway", "casa", "-n", "2")
    result.assert_outcomes(passed=1, skipped=1)
    assert result.ret == 0


@pytest.mark.parametrize("options", [("--gateway", "foo"), ("--bench", "nowhere")])
def test_a_wrong_option_is_one_message(pytester: pytest.Pytester, options: tuple[str, str]) -> None:
    suite(pytester, A="off", B="off")
    result = run(pytester, "scenarios", *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    told = result.stderr.str()
    assert told.count(options[1]) == 1
    assert "Traceback" not in told


def test_a_gateway_that_is_not_there_ends_the_session_before_the_first_case(pytester: pytest.Pytester) -> None:
    """Nobody listens at port 1."""
    (pytester.path / "password").write_text("geheim.\n", encoding="utf-8")
    han = {"address": "127.0.0.1:1", "user": "hks2", "password_file": str(pytester.path / "password")}
    bench = {"name": "cellar", "gateway": {"type": "casa", "han": han}}
    (pytester.path / "cellar.yaml").write_text(json.dumps(bench), encoding="utf-8")
    words = (str(HOME / "before_decommissioning.yaml"), str(HOME / "trudi_export.yaml"), "--bench", "cellar.yaml")
    result = run(pytester, *words, "--bench-out", "out")
    assert result.ret == 3
    result.assert_outcomes()
    result.stdout.fnmatch_lines(["*bench trouble: *cellar.yaml:1:*'address': 127.0.0.1:1 cannot be reached*"])
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
    assert json.loads((pytester.path / "out" / "run.json").read_text("utf-8"))["cases"] == []
    assert run(pytester, *words, "--collect-only").ret == 0


def test_a_sample_has_every_device_and_values_from_all_over() -> None:
    about = SimpleNamespace(id="X-1")
    products = ("ppc", "conexa", "casa")
    cases = [SimpleNamespace(gateway=gateway, n=n, scenario=about) for gateway in products for n in range(12)]
    for most in (1, 2, 3, 6, 7, 36, 40):
        found = sample(cases, most)  # type: ignore[type-var]
        assert len(found) == min(most, 36)
        assert len({one.gateway for one in found}) == min(3, most)
        assert found == [one for one in cases if one in found]
    three = [one.n for one in sample(cases, 3)]  # type: ignore[type-var]
    assert len(set(three)) == 3
    assert sample(cases, None) is cases  # type: ignore[type-var]


def test_which_devices_a_small_sample_has_depends_on_the_scenario() -> None:
    seen = set()
    for ident in ("X-1", "X-2", "X-3"):
        about = SimpleNamespace(id=ident)
        cases = [SimpleNamespace(gateway=gateway, scenario=about) for gateway in ("ppc", "conexa", "casa")]
        seen.add(frozenset(one.gateway for one in sample(cases, 2)))  # type: ignore[type-var]
    assert len(seen) == 3
