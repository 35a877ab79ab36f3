"""A scenario as a test specification in sentences, as one would hand it to a laboratory."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby

from bench.expect import Monitor
from bench.products import METERS, device_name, gateway_type
from bench.quantity import text_of
from bench.scenario.contract_models import GivenContract
from bench.scenario.loader import Case
from bench.scenario.meter_models import GivenMeter
from bench.scenario.models import CAPABILITIES, Scenario

WIDTH = 100


def explain(cases: Sequence[Case]) -> Iterator[str]:
    """One text per scenario and wording: cases that read alike are told once."""
    for _, group in groupby(cases, key=lambda case: case.scenario.id):
        told: dict[str, list[Case]] = {}
        for case in group:
            told.setdefault(_body(case.scenario), []).append(case)
        for body, alike in told.items():
            yield _head(alike) + body


def _head(alike: Sequence[Case]) -> str:
    scenario = alike[0].scenario
    lines = [f"{scenario.id}  {scenario.title}", ""]
    if scenario.purpose:
        lines += [*textwrap.wrap(" ".join(scenario.purpose.split()), WIDTH), ""]
    if scenario.verifies:
        lines.append(f"Verifies: {', '.join(scenario.verifies)}")
    products = list(dict.fromkeys(_product(case.gateway) for case in alike))
    kind = "Meter" if scenario.device else "Gateway" if len(products) == 1 else "Gateways"
    lines += textwrap.wrap(f"{kind}: {', '.join(products)}", WIDTH)
    for name in alike[0].parameters:
        values = dict.fromkeys(str(case.parameters[name]) for case in alike)
        lines.append(f"With {name}: {', '.join(values)}")
    lines.append(f"File: {alike[0].source.file}")
    return "\n".join(lines) + "\n"


def _product(device: str) -> str:
    """A gateway as `--gateway` takes it, with type and maker; a meter by its name."""
    if device in METERS:
        return device_name(device)
    return f"{device} ({device_name(device)} of {gateway_type(device).maker})"


def _body(scenario: Scenario) -> str:
    lines = ["", "Needed", *_bullets(f"{CAPABILITIES[name]} ({name})" for name in sorted(scenario.all_needs()))]
    given = list(_given(scenario))
    if given:
        lines += ["", "Given", *_bullets(given)]
    if scenario.watch:
        monitors = [Monitor(watch.expectation.condition(), watch.always is not None, 0) for watch in scenario.watch]
        lines += ["", "Watched all the time", *_bullets(f"{monitor.sentence()}." for monitor in monitors)]
    lines += ["", "Steps"]
    for number, step in enumerate(scenario.steps, 1):
        lines += textwrap.wrap(
            step.sentence(),
            WIDTH,
            initial_indent=f"{number:4}. ",
            subsequent_indent=" " * 6,
            break_long_words=False,
        )
    return "\n".join(lines) + "\n"


def _bullets(texts: Iterator[str] | Sequence[str]) -> list[str]:
    return [
        line for text in texts for line in textwrap.wrap(text, WIDTH, initial_indent="  - ", subsequent_indent="    ")
    ]


def _given(scenario: Scenario) -> Iterator[str]:
    given = scenario.given
    if given.time is not None:
        yield f"It is {given.time:%Y-%m-%d %H:%M:%S} UTC."
    if given.gateway.lifecycle == "delivered":
        yield "The gateway is as delivered and knows no meter."
    for name, value in given.gateway.options.items():
        yield f"The gateway's {name.replace('_', ' ')} is {value}."
    for name, meter in given.meters.items():
        yield _meter(name, meter)
    for name, contract in given.contracts.items():
        yield _contract(name, contract)
    for name, participant in given.participants.items():
        if not participant.known:
            yield f"The gateway has no communication profile of the market participant {name}."
    if given.time_server.server == "off":
        yield "The time server is silent."


def _contract(name: str, contract: GivenContract) -> str:
    registers = "".join(
        f"{' less' if sign < 0 else ' and' if number else ''} {obis} of {meter}"
        for number, (meter, obis, sign) in enumerate(contract.terms)
    )
    text = f"Contract {name} is of TAF-{contract.taf} for{registers}, from {contract.begin:%Y-%m-%d %H:%M}"
    text += " on" if contract.end is None else f" to {contract.end:%Y-%m-%d %H:%M}"
    if contract.period is not None:
        text += f", every {text_of(contract.period)}"
    if contract.billing is not None:
        text += f", billed by {contract.billing}"
    if contract.switches is not None:
        text += ", with " + ", ".join(f"stage {stage} from {at}" for at, stage in contract.switches.items())
    elif contract.calendar is not None:
        stages = ", ".join(map(str, sorted(contract.calendar.stages)))
        text += f", with a switch table of the stages {stages}"
    if contract.recipients:
        text += f", for {', '.join(contract.recipients)}"
    return text + "."


def _meter(name: str, meter: GivenMeter) -> str:
    if meter.type == "replay":
        text = f"Meter {name} replays the recording {meter.dump} of a real meter"
    else:
        text = f"Meter {name} is a {meter.type} with the number {meter.id}"
    if meter.registers:
        text += " and the registers " + ", ".join(f"{obis} = {value}" for obis, value in meter.registers.items())
    if meter.load is not None:
        text += (
            f", under a load of {meter.load}" if isinstance(meter.load, str) else ", under a load that changes in steps"
        )
    if meter.registration_period is not None:
        text += f", read every {text_of(meter.registration_period)}"
    if not meter.plugged:
        text += ", not yet on the bus"
    if not meter.profile:
        text += ", not known to the gateway"
    return text + "."
