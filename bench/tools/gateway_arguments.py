"""Command lines of the stand-alone gateway: `gateway` and `gateway-control`."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any, Final

_Commands = Any  # argparse keeps the class of its subparsers to itself
_FIELD: Final = re.compile(r"([a-z_]+)=(.*)", re.DOTALL)
EPILOG: Final = """exit codes: 0 ended by the control socket; 2 wrong use or a wrong file; 3 the address or the folder
cannot be had; 130 ended by Ctrl-C, 143 by SIGTERM. The folder named with --data holds all that the gateway knows: it
comes back with it and with the files that it was given, also after it was killed."""
CONTROL_EPILOG: Final = """COMMAND is one of those that `commands` lists: `info`, `leds`, `fill_log book=system to=0.9`,
`power on=off`; `do` or `read` may stand before it. VALUE is read as JSON where it is some, else as text; @FILE stands
for what is in a JSON file. exit codes: 0 done; 1 refused by the gateway; 2 wrong use or a wrong
file; 3 no gateway there"""


def add_gateway_tools(commands: _Commands) -> None:
    """Add both commands."""
    _gateway(commands)
    _control(commands)


def _gateway(commands: _Commands) -> None:
    command = commands.add_parser(
        "gateway",
        help="run an emulated gateway by itself, with its home interface, in real time",
        description="Run an emulated gateway with meters, consumers and contracts, in real time, until it is stopped.",
        epilog=EPILOG,
    )
    command.add_argument("--type", required=True, choices=("ppc", "conexa", "casa"), help="product")
    command.add_argument(
        "--han", required=True, type=_address, metavar="HOST:PORT", help="where its home interface listens; port 0: any"
    )
    command.add_argument(
        "--config",
        type=_file,
        metavar="FILE",
        help="what it is: users, meters, contracts (YAML); default: what its folder keeps, else a demonstration",
    )
    command.add_argument(
        "--data", type=_file, metavar="DIR", help="folder of its data (default: a temporary one, gone at the end)"
    )
    command.add_argument(
        "--meters", type=_file, metavar="FILE", help="meters in place of those of the configuration; kept too"
    )
    command.add_argument(
        "--history", metavar="SPAN", help="a new gateway has values of so long: 40d, 6h, 2mo, or since a day"
    )
    command.add_argument(
        "--gap",
        choices=("leave", "fill"),
        default="leave",
        help="the time since it ran last: gaps, as after a power cut (default), or filled as if it had gone on",
    )
    command.add_argument(
        "--fault",
        action="append",
        type=_fault,
        default=[],
        metavar="NAME[:FIELD=VALUE,...]",
        help="make a fault when it is ready, such as fill_log:book=system,to=0.9; may come several times",
    )
    command.add_argument("--real-boot", action="store_true", help="it starts as slowly as the product does")
    command.add_argument("--json", action="store_true", help="tell as one line of JSON when it is ready")
    command.set_defaults(command=_run_gateway)


def _control(commands: _Commands) -> None:
    command = commands.add_parser(
        "gateway-control",
        help="look into a running stand-alone gateway, and provoke states",
        description="Do something with a gateway that `smgw-bench gateway` runs, or read something of it.",
        epilog=CONTROL_EPILOG,
    )
    command.add_argument("data", type=_file, metavar="DIR", help="its data folder")
    command.add_argument("name", metavar="COMMAND", help="what")
    command.add_argument("fields", nargs="*", metavar="FIELD=VALUE", help="its fields")
    command.set_defaults(command=_run_control)


def _run_gateway(arguments: argparse.Namespace) -> int:
    import gc

    from bench.standalone.garbage import made_to_stay

    with made_to_stay():
        from bench.standalone.run import Options, gateway

    options = Options(
        arguments.type,
        arguments.han,
        arguments.config,
        arguments.data,
        arguments.meters,
        arguments.history,
        arguments.gap,
        tuple(arguments.fault),
        arguments.real_boot,
        arguments.json,
    )
    try:
        return gateway(options)
    finally:
        gc.unfreeze()


def _run_control(arguments: argparse.Namespace) -> int:
    from bench.standalone.client import control

    return control(arguments.data, [arguments.name, *arguments.fields])


def _file(text: str) -> Path:
    if not text.strip():
        raise argparse.ArgumentTypeError("an empty name is no file or folder")
    return Path(text)


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no address such as 127.0.0.1:8443 or [::1]:8443")
    return host, int(port)


def _fault(text: str) -> dict[str, Any]:
    from bench.standalone.client import value_of

    name, _, rest = text.partition(":")
    found: dict[str, Any] = {"do": name}
    for part in rest.split(",") if rest else ():
        match = _FIELD.fullmatch(part)
        if match is None:
            raise argparse.ArgumentTypeError(f"{text!r}: {part!r} is no FIELD=VALUE")
        found[match[1]] = value_of(match[2])
    return found
