"""Command lines of the tools: `meter`, `updatelog`, `update-meter`, `app-image`; each imports its work when it runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.tools.core_arguments import add_core_tools
from bench.tools.exit_codes import DEVICE_FAILED, FILE_EPILOG, TOOL_EPILOG
from bench.tools.gateway_arguments import add_gateway_tools
from bench.tools.radio_arguments import add_radio_tools

if TYPE_CHECKING:
    from bench.tools.connection import Way
    from bench.tools.screen import Language, Screen
    from devices.clock import Clock
    from devices.rs485.adapter import AdapterSettings


_Commands = Any  # argparse keeps the class of its subparsers to itself

_VERIFIED = "exit codes: 0 trusted; 1 not trusted; 2 wrong use or a wrong file"


def add_tools(commands: _Commands) -> None:
    """Add all commands of this package."""
    _meter(commands)
    _updatelog(commands)
    _update_meter(commands)
    _app_image(commands)
    add_core_tools(commands)
    add_radio_tools(commands)
    add_gateway_tools(commands)


def _command(
    commands: _Commands, name: str, what: str, run: Callable[[argparse.Namespace], int], epilog: str = TOOL_EPILOG
) -> Any:
    command = commands.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".", epilog=epilog)
    command.set_defaults(command=lambda arguments: _spoken(run, arguments))
    return command


def _spoken(run: Callable[[argparse.Namespace], int], arguments: argparse.Namespace) -> int:
    """Do what was asked; errors are told in the language that was asked for."""
    from bench.verdict import EXIT_BENCH, EXIT_USAGE
    from devices.errors import BenchError, DeviceError, UsageError

    try:
        return run(arguments)
    except (UsageError, BenchError, DeviceError) as error:
        german = getattr(arguments, "lang", "en") == "de"
        if not german and not isinstance(error, DeviceError):
            raise
        sys.stdout.flush()
        trouble = "Störung: " if isinstance(error, BenchError) else ""
        for line in str(error).splitlines():
            sys.stderr.write(f"smgw-bench: {trouble}{_translated(line) if german else line}\n")
        if isinstance(error, UsageError):
            return EXIT_USAGE
        return EXIT_BENCH if isinstance(error, BenchError) else DEVICE_FAILED


def _translated(line: str) -> str:
    from bench.tools.german import in_german

    return in_german(line)


def _adapter_arguments(command: Any, what: str) -> None:
    command.add_argument("--port", required=True, type=_port, metavar="PORT", help=what)
    wires = command.add_argument_group("the adapter")
    wires.add_argument(
        "--baudrate", type=_baudrate, default=921_600, metavar="BD", help="bits per second (default: 921600)"
    )
    wires.add_argument(
        "--direction",
        choices=("auto", "kernel", "rts"),
        default="auto",
        help="who turns the driver on: the adapter alone (default), the kernel's RS-485 mode, or this program by RTS",
    )
    wires.add_argument("--rts-level", choices=("high", "low"), default="high", help="level of RTS while sending")
    wires.add_argument("--before-send", type=_seconds, default=0.0, metavar="MS", help="from driver on to first bit")
    wires.add_argument("--after-send", type=_seconds, default=0.0, metavar="MS", help="from last bit to driver off")
    wires.add_argument("--echo", action="store_true", help="the adapter hears itself: drop exactly what was sent")


def _language_argument(command: Any, default: Language = "de") -> None:
    command.add_argument(
        "--lang", "--language", choices=("de", "en"), default=default, help=f"language (default: {default})"
    )


def _way_arguments(command: Any) -> None:
    _adapter_arguments(command, "adapter (best by /dev/serial/by-id), pseudo-terminal, or 'emulated'")
    command.add_argument("--id", type=_id, metavar="ID", help="device number or server id, when several meters answer")
    command.add_argument("--address", type=_address, metavar="HEX", help="HDLC address, when several meters answer")
    command.add_argument("--sap", type=_hex_octet, default=0x70, metavar="HEX", help="Frame-SAP (default: 70)")
    command.add_argument(
        "--frame-size", type=_frame_size, default=1024, metavar="N", help="octets of information (default: 1024)"
    )
    command.add_argument(
        "--state", type=Path, metavar="DIR", help="with --port emulated: where the meter keeps its log"
    )
    _language_argument(command)
    command.add_argument("--expert", action="store_true", help="show every frame in the end")


def _meter(commands: _Commands) -> None:
    command = _command(commands, "meter", "run emulated meters on an adapter or a pseudo-terminal", _run_meter)
    _adapter_arguments(command, "adapter (best by /dev/serial/by-id), or 'pty' for a new pseudo-terminal")
    command.add_argument("--meters", type=Path, metavar="FILE", help="YAML file: meters: {name: {id: ..., load: ...}}")
    command.add_argument("--type", choices=("base_meter", "smarty_bz_plus_v2"), help="a single meter of this type")
    command.add_argument(
        "--id", type=_id, metavar="ID", help="its device number or server id (default: 1SAG0021061001)"
    )
    command.add_argument("--load", metavar="LOAD", help="its load, such as '500 W' or a CSV file")
    command.add_argument("--state", type=Path, metavar="DIR", help="where log, keys and counters survive a restart")
    command.add_argument("--seed", type=int, metavar="N", help="of what the meters draw (default: the system's)")
    _language_argument(command, "en")


def _updatelog(commands: _Commands) -> None:
    command = commands.add_parser("updatelog", help="the update log of a SMARTY BZ-PLUS v2: read, verify, print")
    acts = command.add_subparsers(title="what to do", metavar="ACT", required=True, parser_class=type(command))
    read = _command(acts, "read", "read the log from a meter, verify it, save it", _run_read)
    _way_arguments(read)
    key = read.add_mutually_exclusive_group()
    key.add_argument("--key", metavar="HEX", help="public key on the type plate")
    key.add_argument("--scan", metavar="TEXT", help="2D code of the type plate as scanned; AC marks the key")
    key.add_argument("--skip-key-check", action="store_true", help="without the type plate; never trusted then")
    for name, what in (("log", "the log"), ("hdlc", "the trace as a table"), ("trace", "the trace octet by octet")):
        read.add_argument(f"--save-{name}", type=Path, metavar="FILE", help=f"save {what}")
    read.add_argument("--save-all", type=Path, metavar="DIR", help="save everything")
    read.add_argument("--json", action="store_true", help="as JSON")
    verify = _command(acts, "verify", "judge a saved log, by this bench or by the maker's tool", _run_verify, _VERIFIED)
    verify.add_argument("file", type=Path, metavar="FILE")
    verify.add_argument("--json", action="store_true", help="as JSON")
    page = _command(acts, "print", "print a saved log in the maker's layout", _run_print, FILE_EPILOG)
    page.add_argument("file", type=Path, metavar="FILE")
    page.add_argument("--to", type=Path, metavar="FILE", help="a .txt or .html file instead of the screen")
    for one in (verify, page):
        key = one.add_mutually_exclusive_group()
        key.add_argument("--key", metavar="HEX", help="public key on the type plate")
        key.add_argument("--scan", metavar="TEXT", help="2D code of the type plate as scanned")
        _language_argument(one)


def _update_meter(commands: _Commands) -> None:
    command = _command(commands, "update-meter", "load application firmware into a SMARTY BZ-PLUS v2", _run_update)
    command.add_argument("image", type=Path, metavar="IMAGE")
    _way_arguments(command)
    command.add_argument("--yes", action="store_true", help="activate without a question")
    command.add_argument("--allow-downgrade", action="store_true", help="send a version that is not higher as well")
    command.add_argument("--unchecked", action="store_true", help="send whatever the file holds; the meter judges")


def _app_image(commands: _Commands) -> None:
    command = commands.add_parser("app-image", help="build test images of application firmware for emulated meters")
    acts = command.add_subparsers(title="what to do", metavar="ACT", required=True, parser_class=type(command))
    build = _command(
        acts, "build", "build an image signed with the public test key of this bench", _run_build, FILE_EPILOG
    )
    build.add_argument("--version", required=True, metavar="V", help="such as 2.1")
    build.add_argument("--out", required=True, type=Path, metavar="FILE")
    build.add_argument("--payload", type=Path, metavar="FILE", help="what is in it (default: made up)")
    build.add_argument("--size", type=int, default=32_768, metavar="N", help="octets made up (default: 32768)")
    build.add_argument("--type", metavar="CODE", help="type of meter that it is for (default: BZPLUSV2)")
    build.add_argument("--foreign-key", action="store_true", help="signed by somebody whom no meter knows")


# --- running


def _run_meter(arguments: argparse.Namespace) -> int:
    from bench.tools.meters import MeterOptions, serve

    options = MeterOptions(
        _adapter(arguments),
        arguments.meters,
        arguments.type,
        arguments.id,
        arguments.load,
        arguments.state,
        arguments.seed,
    )
    screen = _screen(arguments.lang)
    return run_in_real_time(lambda clock: serve(clock, options, screen))


def _run_read(arguments: argparse.Namespace) -> int:
    from bench.tools.updatelog import ReadOptions, label_key, read

    options = ReadOptions(
        arguments.lang,
        label_key(arguments.key, arguments.scan),
        arguments.skip_key_check,
        arguments.save_log,
        arguments.save_hdlc,
        arguments.save_trace,
        arguments.save_all,
        arguments.expert,
        arguments.json,
    )
    way, screen = _way(arguments), _screen(arguments.lang, quiet=arguments.json)
    return run_in_real_time(lambda clock: read(clock, way, options, screen))


def _run_verify(arguments: argparse.Namespace) -> int:
    from bench.tools.updatelog import label_key, verify

    label = label_key(arguments.key, arguments.scan)
    return verify(arguments.file, label, _screen(arguments.lang), json=arguments.json)


def _run_print(arguments: argparse.Namespace) -> int:
    from bench.tools.updatelog import label_key, print_log

    return print_log(arguments.file, label_key(arguments.key, arguments.scan), _screen(arguments.lang), arguments.to)


def _run_update(arguments: argparse.Namespace) -> int:
    from bench.tools.update_meter import UpdateOptions, update

    options = UpdateOptions(
        arguments.image, arguments.yes, arguments.allow_downgrade, arguments.unchecked, arguments.expert
    )
    way, screen = _way(arguments, allow_downgrade=arguments.allow_downgrade), _screen(arguments.lang)
    return run_in_real_time(lambda clock: update(clock, way, options, screen))


def _run_build(arguments: argparse.Namespace) -> int:
    from bench.tools.app_image import build

    return build(
        arguments.version,
        arguments.out,
        _screen("en"),
        payload=arguments.payload,
        size=arguments.size,
        meter_type=arguments.type,
        foreign_key=arguments.foreign_key,
    )


def run_in_real_time(work: Callable[[Clock], Coroutine[Any, Any, int]]) -> int:
    """Do `work` in real time. SIGTERM counts as Ctrl-C, also where Ctrl-C is ignored, as in a background job."""
    import asyncio
    import signal

    from devices.clock import Clock, run

    ended = False

    async def main() -> int:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def end() -> None:
            nonlocal ended
            ended = True
            task.cancel()

        loop.add_signal_handler(signal.SIGTERM, end)
        return await work(Clock(loop))

    before = signal.getsignal(signal.SIGTERM)
    try:
        return run(main(), virtual=False)
    except asyncio.CancelledError:
        if ended:
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _adapter(arguments: argparse.Namespace) -> AdapterSettings:
    from devices.rs485.adapter import AdapterSettings

    return AdapterSettings(
        arguments.port,
        arguments.baudrate,
        arguments.direction,
        arguments.rts_level == "high",
        arguments.before_send,
        arguments.after_send,
        arguments.echo,
    )


def _way(arguments: argparse.Namespace, *, allow_downgrade: bool = False) -> Way:
    from bench.tools.connection import EMULATED, Way
    from bench.tools.meter_state import check_state
    from devices.errors import UsageError

    check_state(arguments.state)
    if arguments.state is not None and arguments.port != EMULATED:
        raise UsageError("--state is the memory of an emulated meter", hint="use it with --port emulated")
    return Way(
        _adapter(arguments),
        arguments.id,
        arguments.address,
        arguments.sap,
        arguments.frame_size,
        arguments.state,
        allow_downgrade,
    )


def _screen(language: Language, *, quiet: bool = False) -> Screen:
    from bench.tools.screen import Screen

    return Screen(language, quiet=quiet)


# --- reading arguments


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no time of 0 to 1000 ms")
    return value / 1000


def _port(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("an empty name is no port")
    return text


def _baudrate(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 300 <= int(text) <= 4_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no rate of 300 to 4000000 Bd")
    return int(text)


def _id(text: str) -> str:
    from bench.tools.meter_ids import id_of
    from devices.errors import UsageError

    try:
        id_of(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _address(text: str) -> int:
    from devices.protocols.hdlc import FIRST_METER, LAST_METER

    value = _hex_octet(text)
    if not FIRST_METER <= value <= LAST_METER:
        raise argparse.ArgumentTypeError(f"{text!r} is no address of a meter: {FIRST_METER:02X} to {LAST_METER:02X}")
    return value


def _hex_octet(text: str) -> int:
    try:
        value = int(text, 16)
    except ValueError:
        value = -1
    if not 0 <= value <= 0x7F:
        raise argparse.ArgumentTypeError(f"{text!r} is no hexadecimal number of 00 to 7F")
    return value


def _frame_size(text: str) -> int:
    from devices.protocols.hdlc import MAX_INFORMATION

    if not text.isdigit() or not 1 <= int(text) <= MAX_INFORMATION:
        raise argparse.ArgumentTypeError(f"{text!r} is no size of 1 to {MAX_INFORMATION} octets")
    return int(text)
