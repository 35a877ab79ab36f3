"""Command lines of the tools for radio meters: `listen`, `air`; each imports its work when it runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from bench.tools.stick_port import StickOptions

KINDS: Final = ("im871a", "iu891a", "amb8465", "rc1180", "cul", "rtl_wmbus")
MODES: Final = ("c+t", "t", "c", "s")
_EPILOG: Final = (
    "exit codes: 0 done; 2 wrong use or a wrong file; 3 trouble with stick or port; 130 interrupted (143 by SIGTERM)"
)


def add_radio_tools(commands: Any) -> None:
    """Add `listen` and `air`."""
    _listen(commands)
    _air(commands)


def _listen(commands: Any) -> None:
    command = commands.add_parser(
        "listen",
        help="show what radio meters say, through a wM-Bus stick",
        description="Show what radio meters say, through a wM-Bus stick: a table, or lines where no terminal is.",
        epilog=_EPILOG,
    )
    _stick_arguments(
        command,
        (*KINDS, "auto"),
        "serial line (best by /dev/serial/by-id), pipe or file of rtl_wmbus, '-' for what it pipes in, or 'emulated'",
    )
    command.add_argument(
        "--keys", type=Path, metavar="FILE", help="YAML file: number of a meter: its key of 32 hexadecimal digits"
    )
    command.add_argument("--json", action="store_true", help="one JSON object for each telegram")
    command.add_argument("--receive", choices=MODES, help="modes to listen to (default: what the stick can)")
    command.set_defaults(command=_run_listen)


def _air(commands: Any) -> None:
    command = commands.add_parser(
        "air",
        help="play emulated radio meters on a wM-Bus stick, or on an emulated one for other programs",
        description="Play emulated radio meters: a real stick sends them into the air; with '--port pty' an emulated "
        "stick hears them, for any program that opens the pseudo-terminal.",
        epilog=_EPILOG,
    )
    _stick_arguments(
        command, (*KINDS, "auto"), "serial line of the stick, or 'pty' for an emulated stick on a new pseudo-terminal"
    )
    command.add_argument(
        "--meters", type=Path, metavar="FILE", help="YAML file: radio_meters: {name: {kind: gas, id: ...}}"
    )
    command.add_argument("--seed", type=int, metavar="N", help="of what the meters draw (default: the system's)")
    command.set_defaults(command=_run_air)


def _stick_arguments(command: Any, kinds: tuple[str, ...], port: str) -> None:
    command.add_argument("--stick", choices=kinds, default="auto", metavar="KIND", help=f"{', '.join(kinds)} (default)")
    command.add_argument("--port", required=True, metavar="PORT", help=port)
    command.add_argument("--baud", type=_baudrate, metavar="N", help="bits per second (default: the stick's usual)")
    command.add_argument("--transparent", action="store_true", help="of an AMB8465: telegrams bare, not in frames")
    command.add_argument("--for", dest="span", type=_span, metavar="TIME", help="from now on: '30 s' (default: no end)")
    command.add_argument("--lang", "--language", choices=("de", "en"), default="en", help="language (default: en)")


def _run_listen(arguments: argparse.Namespace) -> int:
    from bench.tools.arguments import run_in_real_time
    from bench.tools.listen import ListenOptions, listen
    from bench.tools.screen import Screen

    stick = _stick(arguments, arguments.receive)
    options = ListenOptions(stick, arguments.keys, arguments.json, arguments.span)
    screen = Screen(arguments.lang, quiet=arguments.json)
    return run_in_real_time(lambda clock: listen(clock, options, screen))


def _run_air(arguments: argparse.Namespace) -> int:
    from bench.tools.air import AirOptions, play
    from bench.tools.arguments import run_in_real_time
    from bench.tools.screen import Screen

    options = AirOptions(_stick(arguments, None), arguments.meters, arguments.span, arguments.seed)
    screen = Screen(arguments.lang)
    return run_in_real_time(lambda clock: play(clock, options, screen))


def _stick(arguments: argparse.Namespace, receive: str | None) -> StickOptions:
    from bench.tools.stick_port import StickOptions
    from devices.wmbus.stick import Receive

    chosen = None if receive is None else Receive(receive)
    return StickOptions(arguments.stick, arguments.port, arguments.baud, chosen, arguments.transparent)


def _baudrate(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 300 <= int(text[:9]) <= 4_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no speed of 300 to 4000000 Bd")
    return int(text)


def _span(text: str) -> float:
    from bench.quantity import parse_duration

    try:
        return parse_duration(text).total_seconds()
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
