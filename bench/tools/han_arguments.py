"""Command line of `smgw-bench export trudi --han`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from devices.errors import UsageError


def han_arguments(command: Any) -> None:
    """Add how a gateway is reached at its home interface."""
    command.add_argument("--type", choices=("ppc", "conexa", "casa"), help="with --han: product of the gateway")
    command.add_argument("--user", metavar="NAME", help="with --han: who logs in; not needed with a certificate")
    command.add_argument("--password-file", type=Path, metavar="FILE", help="with --han: his password, first line")
    command.add_argument("--certificate", type=Path, metavar="PEM", help="with --han: his certificate instead")
    command.add_argument("--key", type=Path, metavar="PEM", help="with --certificate: its key, unless it is in there")
    command.add_argument("--fingerprint", metavar="SHA256", help="with --han: of the gateway's certificate")


def run_export_han(arguments: argparse.Namespace) -> int:
    """Run the command. Raises UsageError."""
    from bench.tools.export import seconds_of, whole_file
    from bench.tools.export_han import Asked, access, run

    if arguments.type is None:
        raise UsageError("--han needs --type", hint="ppc, conexa or casa")
    if arguments.user is None and arguments.certificate is None:
        raise UsageError("--han needs --user and --password-file, or --certificate")
    han = access(
        address=arguments.han,
        user=arguments.user,
        password_file=arguments.password_file,
        certificate=arguments.certificate,
        key=arguments.key,
        known=arguments.fingerprint,
    )
    asked = Asked(
        arguments.type,
        han,
        arguments.contract or "",
        seconds_of("--from", arguments.begin),
        seconds_of("--to", arguments.end),
        arguments.usage_point,
        arguments.supplier,
        arguments.tariff,
    )
    return run(asked, arguments.out, arguments.json, whole_file)
