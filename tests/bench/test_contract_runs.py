"""Scenarios about contracts, run: they pass, and they fail when a figure, a rule or the fault is another one."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bench.cli import main
from bench.records import Records

SUITE = Path(__file__).parents[2] / "scenarios" / "tariffs"


def verdicts(path: Path, out: Path, gateway: str = "casa", **more: str) -> tuple[int, list[dict[str, Any]]]:
    only = [one for name, value in more.items() for one in (f"-{name}", value)]
    code = main(["run", str(path), "--gateway", gateway, "--out", str(out), "--plain", *only])
    return code, [json.loads(file.read_text()) for file in sorted(out.glob("cases/*/verdict.json"))]


def changed(tmp_path: Path, name: str, old: str, new: str) -> Path:
    text = (SUITE / name).read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / name
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "name",
    [
        "taf1_refused",
        "taf2_autumn",
        "taf2_gap_across",
        "taf2_end_changed",
        "taf2_register_falls",
        "taf6_participant_unknown",
        "taf9_feed_in",
        "taf10_angle",
        "taf10_lost_phase",
        "taf14_unsent",
        "waiting_cut",
        "use_cases_refused",
        "refused_by_the_rules",
    ],
)
def test_the_suite_passes(tmp_path: Path, name: str) -> None:
    code, found = verdicts(SUITE / f"{name}.yaml", tmp_path / "run")
    assert [one["reason"] for one in found] == [""] * len(found)
    assert code == 0


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("taf2_autumn.yaml", "1.8.1: 7.680 kWh, 1.8.2: 4.320 kWh", "1.8.1: 7.680 kWh, 1.8.2: 3.840 kWh", "4320.0"),
        ("taf2_gap_across.yaml", "  - power: {cut: 130 min, at: 2026-01-05T20:03:00Z}\n", "", "1.8.63 = 0"),
        ("taf2_register_falls.yaml", "  - lmn: {meter: other, plugged: true}\n", "", "of 2026-01-05T16:00"),
        ("taf1_refused.yaml", "billing: 5 months", "billing: 6 months", "did not refuse"),
        ("taf1_refused.yaml", "install: two_weeks, refused: V7", "install: two_weeks, refused: V5", "V7"),
        ("taf14_unsent.yaml", "  - delivery: {contract: extra, refuse: all}\n", "", "2 of"),
        ("taf9_feed_in.yaml", "hysteresis: 500 W", "hysteresis: 100 W", "2 of 1, 1 values"),
        ("taf10_lost_phase.yaml", "  - supply: {meter: plant, phases: [L1, L3]}\n", "", "none"),
        ("taf10_angle.yaml", "current_angle: 359 deg", "current_angle: 358 deg", "81.7.4"),
        ("waiting_cut.yaml", "  - delivery: {contract: daily, take: all}\n", "", "0 entries"),
        ("taf6_participant_unknown.yaml", "recipients: [supplier]", "recipients: [supplier, stranger]", "not refuse"),
    ],
)
def test_another_figure_or_no_fault_fails(tmp_path: Path, name: str, old: str, new: str, told: str) -> None:
    code, (found,) = verdicts(changed(tmp_path, name, old, new), tmp_path / "run")
    assert code == 1
    assert found["verdict"] == "fail"
    assert told in found["reason"]


def test_a_calendar_that_is_not_the_gateways_disagrees(tmp_path: Path) -> None:
    """The bench judges by the scenario's table: a gateway that has another one fails it."""
    path = changed(tmp_path, "taf2_end_changed.yaml", "into: other_hours, refused: V5, answer: 409", "into: grid")
    text = path.read_text(encoding="utf-8").replace("  - contract: {install: grid}\n", "  - contract: {install: grid}\n"
        "  - contract: {change: grid, into: other_hours}\n", 1)  # fmt: skip
    path.write_text(text, encoding="utf-8")
    code, (found,) = verdicts(path, tmp_path / "run")
    assert code == 1
    assert found["verdict"] == "fail"


Rows = list[dict[str, Any]]


def more(rows: Rows, register: str, counts: int) -> None:
    """The last entry of a register says more."""
    row = [one for one in rows if one["register"] == register][-1]
    row["counts"] += counts
    row["value"] = str(Decimal(row["counts"]).scaleb(row["scaler"]))


def moved(rows: Rows) -> None:
    """Energy goes from one stage to the other: the balance still holds."""
    more(rows, "1-0:1.8.1*255", 1)
    more(rows, "1-0:1.8.2*255", -1)


def both_more(rows: Rows) -> None:
    """Total and stage are wrong together."""
    more(rows, "1-0:1.8.1*255", 1)
    more(rows, "1-0:1.8.0*255", 1)


def one_more(rows: Rows) -> None:
    more(rows, "1-0:1.8.63*255", 1)


def without_switch(rows: Rows) -> None:
    at = next(one["time"] for one in rows if one["kind"] == "switch")
    rows[:] = [one for one in rows if one["time"] != at]


def one_too_many(rows: Rows) -> None:
    rows += [{**one, "time": "2026-10-25T12:00:00Z"} for one in rows if one["kind"] == "first"]


def other_status(rows: Rows) -> None:
    rows[0]["status"] = "A008000020000000"


def other_second(rows: Rows) -> None:
    rows[-1]["capture_time"] = "2026-10-25T23:00:01.000Z"


def none_left(rows: Rows) -> None:
    rows.clear()


@pytest.mark.parametrize(
    ("check", "spoil"),
    [
        ("balanced: true", one_more),
        ("balanced: true", none_left),
        ("agree_with: readings", moved),
        ("agree_with: readings", both_more),
        ("agree_with: readings", one_more),
        ("agree_with: load", one_more),
        ("agree_with: calendar", without_switch),
        ("agree_with: calendar", one_too_many),
        ("agree_with: calendar", none_left),
        ("signatures: valid", moved),
        ("signatures: valid", other_status),
        ("signatures: valid", other_second),
        ("missing: 1", other_status),
        ("count: 3", none_left),
    ],
)
def test_each_check_finds_what_is_wrong_with_entries(
    tmp_path: Path, check: str, spoil: Callable[[Rows], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Records.derived

    async def spoilt(self: Records, profile: str) -> dict[str, Any]:
        answer = await honest(self, profile)
        spoil(answer["rows"])
        return answer

    monkeypatch.setattr(Records, "derived", spoilt)
    text = (SUITE / "taf2_autumn.yaml").read_text(encoding="utf-8")
    head, _, steps = text.partition("watch:\n")
    steps = steps.partition("steps:\n")[2].partition("  - derived:")[0]
    path = tmp_path / "one_check.yaml"
    path.write_text(f"{head}steps:\n{steps}  - derived: {{contract: plain, {check}}}\n", encoding="utf-8")
    code, (found,) = verdicts(path, tmp_path / "run")
    assert code == 1
    assert found["verdict"] == ("inconc" if check == "balanced: true" and spoil is none_left else "fail")
    assert found["steps"][-1]["action"] == "derived"
