"""`smgw-bench export`: values of a contract as a TRuDI file, and the gateway's certificates, out of its memory."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import BinaryIO, Final
from zoneinfo import ZoneInfo

from bench.emulation import Wishes, export_trudi, gateway_certificates
from devices.errors import DeviceError, UsageError

MEMORY_FILE: Final = "memory.sqlite"
"""The gateway's memory in its folder."""
MISFIT: Final = 1
"""Exit code when a stored value does not fit its signature."""
_LOCAL: Final = ZoneInfo("Europe/Berlin")


def trudi(
    *,
    data: Path,
    contract: str,
    begin: str | None = None,
    end: str | None = None,
    out: Path | None = None,
    usage_point: str = "",
    supplier: str = "",
    tariff: str = "",
    as_json: bool = False,
) -> int:
    """Write the file; 0 when it is there, 1 when stored values do not fit their signatures: then there is none.

    Raises:
        UsageError: no memory of a gateway, no such contract, no values in the span, or a file that cannot be written.
    """
    if as_json and out is None:
        raise UsageError("--json tells what was written, which needs a file", hint="name one with --out")
    wishes = Wishes(seconds_of("--from", begin), seconds_of("--to", end), usage_point, supplier, tariff)
    memory = _memory(data)
    try:
        if out is None:
            export_trudi(memory, contract, wishes, _standard_output)
            return 0
        with whole_file(out) as file:
            written = export_trudi(memory, contract, wishes, lambda: file)
    except DeviceError as error:
        sys.stderr.write(f"smgw-bench: {error}\n")
        return MISFIT
    if as_json:
        sys.stdout.write(json.dumps(asdict(written)) + "\n")
        return 0
    span = f"{_shown(written.begin_s)} to {_shown(written.end_s)}"
    sys.stdout.write(f"{out}: {written.values} values in {written.lists} lists, {span}, {written.octets} octets\n")
    if written.without_value:
        sys.stdout.write(f"not in the file: {written.without_value} without a value\n")
    return 0


def certificates(*, data: Path, out: Path) -> int:
    """Write the certificates; 0 when they are there.

    Raises:
        UsageError: no memory of a gateway, none in it, or a folder that cannot be written to.
    """
    found = gateway_certificates(_memory(data))
    if not found:
        raise UsageError(f"the gateway in {data} has no certificates")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, pem in found.items():
            path = out / f"{name.lower()}.pem"
            path.write_bytes(pem)
            sys.stdout.write(f"{path}\n")
    except OSError as error:
        raise UsageError(f"--out: {out} cannot be written to: {error.strerror}") from None
    return 0


def _memory(data: Path) -> Path:
    if not data.is_dir():
        raise UsageError(f"--data: there is no folder {data}")
    if not (data / MEMORY_FILE).is_file():
        raise UsageError(f"--data: {data} holds no gateway's memory", hint=f"a folder with the file {MEMORY_FILE}")
    return data / MEMORY_FILE


def seconds_of(option: str, text: str | None) -> int | None:
    """Seconds since 1970 of a day or an instant; the day begins at local midnight."""
    if text is None:
        return None
    try:
        if len(text) == len("2026-01-01"):
            return int(datetime.combine(date.fromisoformat(text), time(), _LOCAL).timestamp())
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None:
            return int(found.timestamp())
    except (ValueError, OverflowError):
        pass
    raise UsageError(f"{option}: {text!r} is no instant", hint="2026-01-01 or 2026-01-01T00:00:00+01:00")


def _shown(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def whole_file(out: Path) -> Iterator[BinaryIO]:
    """A file that is there whole or not at all."""
    part = out.with_name(out.name + ".part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(out)
    except OSError as error:
        raise UsageError(f"--out: {out} cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


def _standard_output() -> BinaryIO:
    sys.stdout.flush()
    return sys.stdout.buffer
