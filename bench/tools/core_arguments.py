"""Command lines of the metering core: `tariff`, `simulate`, `export`, `logs`; each imports its work when it runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from bench.tools.han_arguments import han_arguments, run_export_han
from devices.errors import UsageError

_Commands = Any  # argparse keeps the class of its subparsers to itself


def add_core_tools(commands: _Commands) -> None:
    """Add the commands about values, tariffs and logs."""
    _tariff(commands)
    _simulate(commands)
    _export(commands)
    _logs(commands)


def _tariff(commands: _Commands) -> None:
    command = commands.add_parser(
        "tariff",
        help="work out the registers of a tariff from a gateway's export and a supplier's file",
        description="Work out the registers of TAF-1 and TAF-2 from files of the transparency software.",
        epilog="exit codes: 0 worked out; 1 refused, with the reason; 2 wrong use, or a file that cannot be read: it is"
        " not there, empty or no XML",
    )
    command.add_argument("values", type=Path, metavar="VALUES.xml", help="the gateway's export (IF_Adapter_TRuDI)")
    command.add_argument("supplier", type=Path, metavar="SUPPLIER.xml", help="the tariff (IF_Lieferant_TRuDI)")
    command.add_argument("--json", action="store_true", help="as JSON, in steps of the file's own values")
    command.add_argument(
        "--status-order",
        choices=("auto", "lsb", "msb"),
        default="auto",
        help="first bit of a status word: bit 0 (lsb, as current TRuDI reads it), bit 31 (msb, as old ones), or as the"
        " bits tell that are always set (auto, default; words of the older order are told)",
    )
    command.set_defaults(command=_run_tariff)


def _logs(commands: _Commands) -> None:
    command = commands.add_parser("logs", help="the log books of an emulated gateway: verify them, export them")
    acts = command.add_subparsers(title="what to do", metavar="ACT", required=True, parser_class=type(command))
    epilog = "exit codes: 0 nothing is wrong; 1 something is; 2 wrong use, or a file that cannot be read"
    what = "verify chain and signatures of all log books"
    verify = acts.add_parser("verify", help=what, description=what[0].upper() + what[1:] + ".", epilog=epilog)
    verify.add_argument(
        "--key",
        type=Path,
        metavar="FILE",
        help="the gateway's public key or certificate, PEM or DER (default: the key in the data)",
    )
    verify.add_argument(
        "--earlier", type=Path, metavar="FILE", help="an export made before: all of it must still be there"
    )
    verify.add_argument("--json", action="store_true", help="as JSON")
    verify.set_defaults(command=_run_logs_verify)
    what = "export log books as JSON lines, with all that another program needs to verify them"
    epilog = "exit codes: 0 written; 2 wrong use, or a file that cannot be read or written"
    export = acts.add_parser("export", help=what, description=what[0].upper() + what[1:] + ".", epilog=epilog)
    export.add_argument(
        "--book", action="append", choices=("system", "calibration", "consumer"), help="only this one; may come twice"
    )
    export.add_argument("--out", type=Path, metavar="FILE", help="where to (default: the screen)")
    export.set_defaults(command=_run_logs_export)
    for act in (verify, export):
        act.add_argument(
            "--data",
            type=Path,
            required=True,
            metavar="DIR|FILE",
            help="the gateway's memory, its folder, or an export",
        )


def _run_logs_verify(arguments: argparse.Namespace) -> int:
    from bench.tools.logs import verify

    return verify(arguments.data, key=arguments.key, earlier=arguments.earlier, as_json=arguments.json)


def _run_logs_export(arguments: argparse.Namespace) -> int:
    from bench.tools.logs import export

    return export(arguments.data, books=arguments.book or (), out=arguments.out)


def _simulate(commands: _Commands) -> None:
    command = commands.add_parser(
        "simulate",
        help="run the metering core over months in virtual time, and measure it",
        description="Register, evaluate, sign and store the values of meters over months, in virtual time.",
        epilog="The memory that is left in DIR can be read with `smgw-bench export trudi`. exit codes: 0 done;"
        " 1 metering stopped before the end; 2 wrong use; 3 a memory that cannot be written; 130 interrupted, 143 by"
        " SIGTERM",
    )
    command.add_argument("--gateway", choices=("ppc", "conexa", "casa"), default="casa", help="product (default casa)")
    command.add_argument("--meters", type=_count(1000), default=8, metavar="N", help="how many (default 8)")
    command.add_argument("--span", default="1mo", help="how long: 40d, 15mo, 1y (default 1mo)")
    command.add_argument(
        "--taf",
        action="append",
        type=int,
        choices=(1, 2, 6, 7),
        dest="tafs",
        help="use case of each meter's profile; may be given more than once (default 7)",
    )
    command.add_argument("--start", type=_day, default="2026-01-01", help="first day, local time (default 2026-01-01)")
    command.add_argument("--seed", type=int, default=1, help="makes keys (default 1)")
    command.add_argument(
        "--sign-ahead",
        type=_count(64, least=0),
        default=0,
        metavar="THREADS",
        help="threads that sign beside the core, which helps them where it would wait (default 0: it signs alone)",
    )
    command.add_argument("--out", type=_folder, required=True, metavar="DIR", help="folder for the gateway's memory")
    command.add_argument("--json", action="store_true", help="figures as one JSON object")
    command.set_defaults(command=_run_simulate)


def _export(commands: _Commands) -> None:
    command = commands.add_parser(
        "export", help="what a gateway holds: values out of its memory or over its home interface, certificates"
    )
    acts = command.add_subparsers(title="what to export", metavar="WHAT", required=True, parser_class=type(command))
    trudi = acts.add_parser(
        "trudi",
        help="the values of a contract for the transparency software",
        description="Write the values of a contract with their signatures (IF_Adapter_TRuDI 1.4).",
        epilog="exit codes: 0 written; 1 with --data: a stored value does not fit its signature, nothing is written;"
        " 2 wrong use, or refused, with the reason; 3 with --han: no gateway can be reached there; 130 interrupted",
    )
    source = trudi.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, metavar="DIR", help="folder with the memory of an emulated gateway")
    source.add_argument("--han", metavar="HOST[:PORT]", help="home interface of a gateway, real or emulated")
    han_arguments(trudi)
    trudi.add_argument(
        "--contract",
        metavar="ID",
        help="contract, the name of its evaluation profile; may be left away with --han where one alone has values",
    )
    trudi.add_argument(
        "--from", dest="begin", metavar="WHEN", help="first instant: a day, local time, or 2026-01-01T00:00:00+01:00"
    )
    trudi.add_argument("--to", dest="end", metavar="WHEN", help="last instant; a day is its begin")
    trudi.add_argument("--out", type=Path, metavar="FILE", help="file (default: the standard output)")
    trudi.add_argument(
        "--usage-point", action=_Filled, default="", metavar="ID", help="metering point, in place of the contract's"
    )
    trudi.add_argument(
        "--supplier", action=_Filled, default="", metavar="ID", help="supplier, in place of the contract's"
    )
    trudi.add_argument(
        "--tariff", action=_Filled, default="", metavar="NAME", help="name of the tariff, in place of the contract's"
    )
    trudi.add_argument("--json", action="store_true", help="with --out: what was written, as one JSON object")
    trudi.set_defaults(command=_run_export_trudi)
    certificates = acts.add_parser(
        "certificates",
        help="the gateway's certificates as PEM files",
        description="Write the gateway's certificates, its root included, as PEM files.",
        epilog="exit codes: 0 written; 2 wrong use, no certificates, or a folder that cannot be written to",
    )
    _data_argument(certificates)
    certificates.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the files")
    certificates.set_defaults(command=_run_export_certificates)


class _Filled(argparse.Action):
    """An option whose text must not be empty."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option: str | None = None) -> None:
        if not str(values).strip():
            raise argparse.ArgumentError(self, "it is empty (left away, the contract's is taken)")
        setattr(namespace, self.dest, values)


def _data_argument(command: Any) -> None:
    command.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with the gateway's memory")


def _run_export_trudi(arguments: argparse.Namespace) -> int:
    from bench.tools.export import trudi

    if arguments.han is not None:
        return run_export_han(arguments)
    if arguments.contract is None:
        raise UsageError("--data needs --contract")
    return trudi(
        data=arguments.data,
        contract=arguments.contract,
        begin=arguments.begin,
        end=arguments.end,
        out=arguments.out,
        usage_point=arguments.usage_point,
        supplier=arguments.supplier,
        tariff=arguments.tariff,
        as_json=arguments.json,
    )


def _run_export_certificates(arguments: argparse.Namespace) -> int:
    from bench.tools.export import certificates

    return certificates(data=arguments.data, out=arguments.out)


def _count(most: int, least: int = 1) -> Callable[[str], int]:
    def whole(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no number from {least} to {most}")
        return int(text)

    return whole


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2026-01-01") from None


def _folder(text: str) -> Path:
    if not text.strip():
        raise argparse.ArgumentTypeError("an empty name is no file or folder")
    return Path(text)


def _run_simulate(arguments: argparse.Namespace) -> int:
    from bench.tools.simulate import simulate

    return simulate(
        gateway=arguments.gateway,
        meters=arguments.meters,
        span=arguments.span,
        tafs=sorted(set(arguments.tafs or [7])),
        start=arguments.start,
        seed=arguments.seed,
        sign_ahead=arguments.sign_ahead,
        out=arguments.out,
        as_json=arguments.json,
    )


def _run_tariff(arguments: argparse.Namespace) -> int:
    from bench.tools.tariff import tariff

    return tariff(arguments.values, arguments.supplier, as_json=arguments.json, order=arguments.status_order)
