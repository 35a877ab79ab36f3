"""Which cases the options of a command choose."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.products import DEVICES
from bench.scenario.loader import Case, load
from bench.scenario.mistakes import UnknownWord, unknown_option
from devices.errors import UsageError


def wanted_devices(option: str) -> tuple[str, ...]:
    """The products that ``--gateway`` names; UsageError for one that there is not."""
    if option == "all":
        return DEVICES
    names = tuple(option.split(","))
    for name in names:
        if name not in DEVICES:
            raise unknown_option(UnknownWord("gateway type", name, (*DEVICES, "all")))
    return names


def select(arguments: argparse.Namespace) -> list[Case]:
    """The cases that the options choose; UsageError when that is none."""
    gateways = wanted_devices(arguments.gateway)
    cases = load(arguments.paths or [Path("scenarios")], gateways)
    if arguments.case is not None:
        chosen = [case for case in cases if case.key == arguments.case]
        if not chosen:
            raise unknown_option(UnknownWord("case", arguments.case, tuple(case.key for case in cases)))
        return chosen
    if arguments.keyword:
        text = arguments.keyword.lower()
        cases = [case for case in cases if text in case.key.lower() or text in case.scenario.title.lower()]
    if not cases:
        raise UsageError("no case is left by these options", hint="'smgw-bench list' shows what there is")
    return cases
