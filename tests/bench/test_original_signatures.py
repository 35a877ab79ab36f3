"""`values: {signatures: valid}`: passes on what was signed, and finds whatever was changed since (wan-core 7.2)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.cli import main
from bench.records import Records

SCENARIO = """
id: SIGNED-1
title: Values, octets and a gap with their signatures
needs: [emulated, power, wired_lmn, records]
given:
  time: 2026-01-05T00:00:00Z
  gateway: {options: {signature_curve: CURVE}}
  meters:
    house: {id: 1SAG0021061001, registers: {1.8.0: 100 kWh}, load: 480 W, security: clear, registration_period: 60 s}
steps:
  - power: on
  - leds: {PWR: on, within: 120 s}
  - wait: 5 min
  - lmn: {meter: house, plugged: false}
  - wait: 3 min
  - values: {meter: house, gaps: at least 2}
MORE  - values: {meter: house, signatures: valid}
"""
Rows = list[dict[str, Any]]


def judged(tmp_path: Path, curve: str = "secp256r1", more: str = "") -> dict[str, Any]:
    path = tmp_path / "signed.yaml"
    path.write_text(SCENARIO.replace("CURVE", curve).replace("MORE", more), encoding="utf-8")
    main(["run", str(path), "--gateway", "casa", "--out", str(tmp_path / "run"), "--plain"])
    (file,) = (tmp_path / "run").glob("cases/*/verdict.json")
    found: dict[str, Any] = json.loads(file.read_text())
    return found


@pytest.mark.parametrize("curve", ["brainpoolP256r1", "brainpoolP512r1", "secp384r1"])
def test_what_the_gateway_signed_verifies(tmp_path: Path, curve: str) -> None:
    found = judged(tmp_path, curve)
    assert found["reason"] == ""
    assert found["verdict"] == "pass"
    assert int(found["steps"][-1]["seen"].split()[0]) > 10


def test_a_value_that_somebody_changed_in_the_memory_does_not(tmp_path: Path) -> None:
    """Its digest fits, only the signature is not his."""
    found = judged(tmp_path, more="  - fault: {do: forge_value}\n")
    assert found["verdict"] == "fail"
    assert "1 of" in found["reason"]


def _of(rows: Rows, kind: str | None) -> dict[str, Any]:
    return [row for row in rows if row.get("kind") == kind][-1]


def value(rows: Rows) -> None:
    row = _of(rows, "int")
    row["value"] = row["value"][:-1] + ("0" if row["value"][-1] != "0" else "1")


def octets(rows: Rows) -> None:
    _of(rows, "octets")["value"] += "00"


def scaler(rows: Rows) -> None:
    row = next(row for row in rows if row.get("unit_code") == 30)
    row["value"], row["scaler"] = row["value"] + "0", row["scaler"] - 1


def unit(rows: Rows) -> None:
    next(row for row in rows if row.get("unit_code") == 30)["unit_code"] = 31


def status(rows: Rows) -> None:
    rows[0]["status"] = "A008000020000000"


def second(rows: Rows) -> None:
    rows[0]["capture_time"] = rows[0]["capture_time"].replace("00.", "01.")


def register(rows: Rows) -> None:
    _of(rows, "int")["obis"] = "1-0:2.8.0*255"


def gap(rows: Rows) -> None:
    _of(rows, None)["status"] = "A000000000000000"


def filled_gap(rows: Rows) -> None:
    row = _of(rows, None)
    row |= {**_of(rows, "int"), "grid_time": row["grid_time"], "signature": row["signature"]}


def short(rows: Rows) -> None:
    rows[0]["signature"] = rows[0]["signature"][:-2]


def without(rows: Rows) -> None:
    rows[0]["signature"] = ""


def none_left(rows: Rows) -> None:
    rows.clear()


@pytest.mark.parametrize(
    "spoil", [value, octets, scaler, unit, status, second, register, gap, filled_gap, short, without, none_left]
)
def test_each_change_is_found(tmp_path: Path, spoil: Callable[[Rows], None], monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Records.signed_values

    async def spoilt(self: Records, meter: str) -> dict[str, Any]:
        answer = await honest(self, meter)
        before = json.dumps(answer["rows"])
        spoil(answer["rows"])
        assert json.dumps(answer["rows"]) != before
        return answer

    monkeypatch.setattr(Records, "signed_values", spoilt)
    found = judged(tmp_path)
    assert found["verdict"] == "fail"
    assert found["steps"][-1]["action"] == "values"
