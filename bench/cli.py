"""The command `smgw-bench`. Each command imports what it needs, so that the light ones start fast."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from bench.verdict import EXIT_BENCH, EXIT_INTERRUPTED, EXIT_USAGE

EPILOG = """exit codes: 0 all passed; 1 something failed or could not be decided; 2 wrong use, a mistake in a file, or
something was not judged; 3 trouble with the bench; 130 interrupted (143 by SIGTERM, 129 by SIGHUP); 141 nobody reads
the output any more"""

FILES_EPILOG = "exit codes: 0 all is in order; 2 wrong use, a mistake in a file, or nothing that fits"


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line and where help is, with exit code 2; options are written out whole."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_abbrev=False, **kwargs)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """As the base does; what no option of this very command is, this command refuses and not the whole program."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"{self.prog}: {message} (see '{self.prog} --help')\n")


class _Version(argparse.Action):
    """Tells the version, which is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        print(f"smgw-bench {_version()}")
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`; returns the exit code."""
    if sys.stdout is None or sys.stderr is None:
        if sys.stderr is not None:
            print("smgw-bench: bench trouble: the standard output is closed", file=sys.stderr)
        return EXIT_BENCH
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that knows no umlauts is no reason to fail
            stream.reconfigure(errors="replace")
    try:
        return _command(argv)
    except KeyboardInterrupt:
        print("smgw-bench: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as in `| head`
        _discard_output()
        return 128 + signal.SIGPIPE
    except OSError as error:
        _discard_output()
        print(f"smgw-bench: bench trouble: {_told(error)}", file=sys.stderr)
        return EXIT_BENCH


def _discard_output() -> None:
    """What still waits to be written goes nowhere, so that the interpreter does not fail on it when it ends."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _told(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else f"{error.strerror or error} (output)"


def _command(argv: Sequence[str] | None) -> int:
    from devices.errors import BenchError, UsageError, UsageErrors

    try:
        arguments = _parser().parse_args(argv)
        code: int = arguments.command(arguments)
        sys.stdout.flush()
    except UsageErrors as errors:
        for error in errors.errors:
            print(f"smgw-bench: {error}", file=sys.stderr)
        return EXIT_USAGE
    except UsageError as error:
        print(f"smgw-bench: {error}", file=sys.stderr)
        return EXIT_USAGE
    except BenchError as error:
        print(f"smgw-bench: bench trouble: {error}", file=sys.stderr)
        return EXIT_BENCH
    return code


def _named(text: str) -> Path:
    """A path that somebody wrote: an empty one is no name of the folder in which we are."""
    if not text.strip():
        raise argparse.ArgumentTypeError("an empty name is no file or folder")
    return Path(text)


def _parser() -> argparse.ArgumentParser:
    from bench.tools.arguments import add_tools

    parser = _Parser(
        prog="smgw-bench",
        description="Test bench for German smart meter gateways.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show program's version number and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=_Parser)
    _run_command(commands)
    _list_command(commands)
    _check_command(commands)
    _explain_command(commands)
    _schema_command(commands)
    _report_command(commands)
    _decode_command(commands)
    add_tools(commands)
    return parser


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("smgw-bench")
    except PackageNotFoundError:
        return "(not installed)"


_RESUME = "go on with the run in this folder, which was cut off; DIR may be left away when --out DIR names the folder"


def _run_command(commands: argparse._SubParsersAction[_Parser]) -> None:
    run = commands.add_parser("run", help="run scenarios on a bench and write a report", epilog=EPILOG)
    _selection(run)
    run.add_argument("--bench", default=None, metavar="NAME|FILE", help="bench to run on (default: emulated)")
    run.add_argument("--out", type=_named, metavar="DIR", help="run folder (default: runs/ and the time of day)")
    run.add_argument("--resume", type=_named, nargs="?", const=Path(), metavar="DIR", help=_RESUME)
    run.add_argument("--seed", type=int, default=None, help="seed of all randomness (default: 1)")
    run.add_argument(
        "-j", "--jobs", type=int, default=1, metavar="N", help="processes side by side, on emulated benches"
    )
    run.add_argument("--fail-fast", action="store_true", help="stop behind the first case that does not pass")
    run.add_argument("--plain", action="store_true", help="plain lines, as when the output is no terminal")
    run.set_defaults(command=_run)


def _selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="*", type=_named, metavar="PATH", help="scenario files or folders (default: scenarios)"
    )
    parser.add_argument(
        "--gateway", default="all", metavar="TYPE", help="ppc, conexa, casa, bz_plus_v2, several with commas, or all"
    )
    parser.add_argument("-k", dest="keyword", metavar="TEXT", help="only cases whose name or title contains TEXT")
    parser.add_argument("--case", metavar="KEY", help="only the case with exactly this key")


def _list_command(commands: argparse._SubParsersAction[_Parser]) -> None:
    command = commands.add_parser("list", help="list scenarios and cases", epilog=FILES_EPILOG)
    _selection(command)
    command.add_argument("--cases", action="store_true", help="one line per case instead of per scenario")
    command.add_argument("--json", action="store_true", help="as JSON")
    command.set_defaults(command=_list)


def _check_command(commands: argparse._SubParsersAction[_Parser]) -> None:
    command = commands.add_parser(
        "check", help="check scenario and bench files without running anything", epilog=FILES_EPILOG
    )
    _selection(command)
    command.add_argument("--bench", default=None, metavar="NAME|FILE", help="also say what this bench cannot run")
    command.set_defaults(command=_check)


def _explain_command(commands: argparse._SubParsersAction[_Parser]) -> None:
    command = commands.add_parser(
        "explain", help="print a scenario as a test specification in sentences", epilog=FILES_EPILOG
    )
    _selection(command)
    command.set_defaults(command=_explain)


def _schema_command(commands: argparse._SubParsersAction[_Parser]) -> None:
    command = commands.add_parser("schema", help="print the JSON Schema of scenario or bench files, for editors")
    command.add_argument("what", nargs="?", choices=("scenario", "bench"), default="scenario")
    command.set_defaults(command=_schema)


def _report_command(commands: argparse._SubParsersAction[_Parser]) -> None:
    command = commands.add_parser(
        "report",
        help="write the reports of a run folder again",
        epilog="exit codes: 0 written; 2 no run folder; 3 evidence is damaged or gone, or a report cannot be written",
    )
    command.add_argument("folder", type=_named, metavar="DIR")
    command.set_defaults(command=_report)


def _decode_command(commands: argparse._SubParsersAction[_Parser]) -> None:
    command = commands.add_parser("decode", help="explain captured octets of a meter or of the meter bus")
    kinds = command.add_subparsers(title="what the octets are", metavar="KIND", required=True, parser_class=_Parser)
    epilog = "exit codes: 0 something was whole; 1 nothing was, the message says where; 2 nothing to read"
    for kind, what in (("sml", "SML files, as from an optical port"), ("hdlc", "HDLC frames of the wired LMN")):
        one = kinds.add_parser(kind, help=what, epilog=epilog)
        one.add_argument("file", metavar="FILE", help="binary or hexadecimal text, - for standard input")
        one.add_argument("--json", action="store_true", help="as JSON; damage is told on standard error")
        one.set_defaults(command=_decode, kind=kind)
    _decode_wmbus_command(kinds)


def _decode_wmbus_command(kinds: argparse._SubParsersAction[_Parser]) -> None:
    one = kinds.add_parser(
        "wmbus",
        help="telegrams of radio meters (wM-Bus, OMS), also long frames of the wired M-Bus",
        epilog="A line is JSON with hex and perhaps key, form and id, or hexadecimal digits, or of rtl_wmbus, rtl_433 "
        "(CSV) or a CUL; a file may be binary frames. exit codes: 0 a telegram was whole, whether or not its key was "
        "right; 1 none was, the message says where; 2 nothing to read",
    )
    one.add_argument("what", nargs="?", default="-", metavar="HEX|FILE|-", help="a telegram, or lines of them")
    one.add_argument("--key", metavar="HEX", help="AES key of the meter, for all that come without their own")
    one.add_argument(
        "--format", dest="form", metavar="FORMAT", help="frame format: auto (usual), stripped, a, b or wired"
    )
    one.add_argument("--json", action="store_true", help="one JSON object for each telegram")
    one.set_defaults(command=_decode_wmbus)


def _run(arguments: argparse.Namespace) -> int:
    from bench.commands import run

    return run(arguments)


def _list(arguments: argparse.Namespace) -> int:
    from bench.commands import list_scenarios

    return list_scenarios(arguments)


def _check(arguments: argparse.Namespace) -> int:
    from bench.commands import check

    return check(arguments)


def _explain(arguments: argparse.Namespace) -> int:
    from bench.explain import explain
    from bench.selection import select

    for number, text in enumerate(explain(select(arguments))):
        print(("\n" if number else "") + text)
    return 0


def _schema(arguments: argparse.Namespace) -> int:
    import json

    from bench.scenario.json_schema import bench_schema, scenario_schema

    print(json.dumps(bench_schema() if arguments.what == "bench" else scenario_schema(), indent=2, ensure_ascii=False))
    return 0


def _report(arguments: argparse.Namespace) -> int:
    from bench.quantity import printable
    from bench.report import write_reports
    from bench.report.write import damaged

    for path in write_reports(arguments.folder).values():
        print(path)
    lost = damaged(arguments.folder)
    for text in lost:
        print(f"smgw-bench: damaged: {printable(text)}", file=sys.stderr)
    return EXIT_BENCH if lost else 0


def _decode(arguments: argparse.Namespace) -> int:
    from bench.decode.command import decode

    return decode(arguments.kind, arguments.file, as_json=arguments.json)


def _decode_wmbus(arguments: argparse.Namespace) -> int:
    from bench.decode.wmbus import decode_wmbus

    return decode_wmbus(arguments.what, arguments.key, arguments.form, as_json=arguments.json)


if __name__ == "__main__":
    raise SystemExit(main())
