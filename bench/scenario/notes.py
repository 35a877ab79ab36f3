"""What is allowed in a scenario and yet looks like a slip: remarks of `smgw-bench check`."""

from __future__ import annotations

from collections.abc import Iterator

from bench.scenario.loader import Case
from bench.steps.base import Step
from devices.protocols.sml.obis import parse_obis

_LOOK_INSIDE = ("values", "memory", "log")


def notes(case: Case) -> Iterator[str]:
    """Remarks on one case, each with its line where there is one."""
    scenario = case.scenario
    if not scenario.judges:
        yield f"{scenario.id} has no step that expects anything, so it can never pass"
    switched_on = False
    for index, step in enumerate(scenario.steps):
        switched_on = switched_on or _switches_on(step)
        where = f"{case.source.file}:{case.step_line(index)}"
        if not switched_on and step.key in _LOOK_INSIDE and "power" in scenario.all_needs():
            yield f"{where}: this looks into the gateway before the mains is switched on, when nothing is there yet"
        yield from (f"{where}: {text}" for text in _unknown_register(case, step))
    acting = any(step.judges for step in scenario.steps)
    if scenario.watch and not acting and not switched_on and scenario.device is None:
        yield f"{scenario.id} only watches, and never switches the mains on"


def _switches_on(step: Step) -> bool:
    return step.key == "power" and getattr(step, "state", None) != "off"


def _unknown_register(case: Case, step: Step) -> Iterator[str]:
    register, name = getattr(step, "obis", None), getattr(step, "meter", None)
    meter = case.scenario.given.meters.get(str(name))
    if step.key != "values" or register is None or meter is None or not meter.registers or meter.type == "replay":
        return
    if parse_obis(str(register)) not in map(parse_obis, meter.registers):
        yield f"meter {name!r} is given no register {register}: it is given {', '.join(meter.registers)}"
