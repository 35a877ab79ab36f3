"""Each fault code of [CASA] 9.4 that says how it is provoked: the way exists, and the code is written (issue 5)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from provocation_rack import plugged_in

from devices.clock import Clock
from devices.gateway_types import load
from devices.gateway_types.model import Fault

CASA = load("casa")
SCENARIOS = Path(__file__).parents[2] / "scenarios"
BY_STEPS = {code: one for code, one in CASA.faults.items() if one.provoke is not None and one.provoke.steps}
BY_SCENARIO = {code: one for code, one in CASA.faults.items() if one.provoke is not None and one.provoke.scenario}


@pytest.mark.parametrize("code", BY_STEPS)
async def test_each_command_exists_with_its_fields(clock: Clock, code: int) -> None:
    rack = plugged_in(clock, CASA)
    known = rack.gateway._faults.commands()["do"]
    for step in _steps(BY_STEPS[code]):
        if "do" not in step:
            continue
        command = known[step["do"]]
        fields = {name: value for name, value in step.items() if name != "do"}
        assert fields.keys() <= command.parameters.keys()
        for name, value in fields.items():
            parameter = command.parameters[name]
            assert isinstance(value, parameter.kinds), (step, name)
            assert not parameter.choices or value in parameter.choices, (step, name)
    await rack.close()


@pytest.mark.parametrize("code", BY_SCENARIO)
def test_each_scenario_exists_for_casa_and_looks_for_the_code(code: int) -> None:
    provoke = BY_SCENARIO[code].provoke
    assert provoke is not None and provoke.scenario is not None
    text = (SCENARIOS / f"{provoke.scenario}.yaml").read_text(encoding="utf-8")
    told = yaml.safe_load(text)
    assert "casa" in told["gateways"]
    looked_for = re.findall(r"code: (\d+|\"\{code\}\")", text)
    values = told.get("parameters", {}).get("code", [])
    assert str(code) in looked_for or ('"{code}"' in looked_for and code in values)


@pytest.mark.parametrize("code", BY_STEPS)
async def test_the_steps_write_the_code(clock: Clock, code: int) -> None:
    rack = plugged_in(clock, CASA)
    rack.gateway.power_on()
    await rack.ready()
    await clock.sleep(5)
    before = await _told(rack, code)
    for step in _steps(BY_STEPS[code]):
        if "cut" in step:
            rack.gateway.power_off()
            await clock.sleep(step["cut"])
            rack.gateway.power_on()
            await clock.sleep(120)
        elif "wait" in step:
            await clock.sleep(step["wait"])
        else:
            answer = await rack.console.ask(**step)
            assert answer["ok"], answer
    await clock.sleep(2)
    assert await _told(rack, code) > before
    if BY_STEPS[code].soft_lockdown and code not in PASSING:
        state = (await rack.console.info())["state"]
        assert state in ("restricted", "stopped", "boot"), f"{code} leads to soft lock-down"
    await rack.close()


PASSING = {1400513, 1400509}
"""Faults that are over, and the lock-down with them, when the service works again."""


async def _told(rack: Any, code: int) -> int:
    entries = []
    for book in ("system", "consumer", "calibration"):
        entries += (await rack.console.ask(read="log", book=book))["entries"]
    return sum(str(one["parameters"].get("code")) == str(code) or f" {code}" in one["text"] for one in entries)


def _steps(fault: Fault) -> list[dict[str, Any]]:
    assert fault.provoke is not None
    return [dict(step) for step in fault.provoke.steps]
