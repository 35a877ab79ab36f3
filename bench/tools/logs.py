"""`smgw-bench logs`: verify the log books of an emulated gateway, and export them for other programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from bench.emulation import log_export, log_verdict
from devices.errors import UsageError

if TYPE_CHECKING:
    from bench.emulation import LogVerdict

NOT_SOUND: Final = 1
SHOWN: Final = 50
"""Findings that are written on the screen; JSON has all."""


def verify(data: Path, *, key: Path | None = None, earlier: Path | None = None, as_json: bool = False) -> int:
    """Verify and tell; 0 when nothing is wrong, 1 when something is.

    Raises:
        UsageError: a file that cannot be read.
    """
    trusted = None if key is None else _key(key)
    if isinstance(trusted, x509.Certificate):
        verdict = log_verdict(data, earlier=earlier, certificate=trusted)
    else:
        verdict = log_verdict(data, trusted, earlier)
    if as_json:
        told = {**verdict.as_json(), "key_from": "data" if key is None else "file"}
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
    else:
        sys.stdout.write(_report(verdict, believed=key is None))
    return 0 if verdict.sound else NOT_SOUND


def export(data: Path, *, books: Iterable[str] = (), out: Path | None = None) -> int:
    """Write the export to a file or the screen. Raises UsageError: no memory, or a file that cannot be written."""
    lines = (f"{line}\n" for line in log_export(data, books))
    if out is None:
        sys.stdout.writelines(lines)
        return 0
    whole = "".join(lines)
    try:
        out.write_text(whole, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror}") from error
    return 0


def _key(file: Path) -> ec.EllipticCurvePublicKey | x509.Certificate:
    """The public key or the certificate in a file, PEM or DER."""
    try:
        octets = file.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    for load in (
        x509.load_pem_x509_certificate,
        x509.load_der_x509_certificate,
        load_pem_public_key,
        load_der_public_key,
    ):
        try:
            found = load(octets)
        except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
            continue
        if isinstance(found, ec.EllipticCurvePublicKey | x509.Certificate):
            return found
        raise UsageError(f"the key in {file} is on no elliptic curve")
    raise UsageError(
        f"{file} holds neither a public key nor a certificate",
        hint="PEM or DER, such as gw_wan_sig.pem of `smgw-bench export certificates`",
    )


def _report(verdict: LogVerdict, *, believed: bool) -> str:
    lines = []
    for one in verdict.books:
        name = f"{one.book} {one.owner}".strip()
        span = "empty" if one.first is None else f"{one.first} to {one.last}"
        signed = f", {one.signed} with a good signature" if one.book == "calibration" else ""
        lines.append(f"{name:<30} {one.entries:>6} entries, {span}{signed}")
    lines += [f"  {finding}" for finding in verdict.findings[:SHOWN]]
    if len(verdict.findings) > SHOWN:
        lines.append(f"  and {len(verdict.findings) - SHOWN} more")
    if believed:
        lines.append("The key is the one found with the logs; --key takes one that is known from elsewhere.")
    lines.append("Nothing is wrong." if verdict.sound else f"{len(verdict.findings)} things are wrong.")
    return "\n".join(lines) + "\n"
