"""The run folder: written as things happen, so that a killed bench loses at most the case in flight.

    DIR/run.json            what was run, on what, with which verdicts; replaced whole, never half-written
    DIR/bench.yaml          the bench file
    DIR/cases/FOLDER/       scenario.yaml timeline.jsonl leds.vcd lmn.pcapng logs.json values.json verdict.json

    DIR/earlier/FOLDER.N/   what a case left that ended in `error` and was run again

A case whose folder has a verdict.json other than `error` is finished; everything else is run again on `--resume`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devices.errors import BenchError, Place, UsageError

if TYPE_CHECKING:
    from bench.scenario.loader import Case

RUN_SCHEMA = "smgw-bench/run/1"


def write_json(path: Path, value: Any) -> None:
    """Write `value` so that the file is there whole or not at all."""
    text = json.dumps(value, indent=1, ensure_ascii=False, default=str)
    write_text(path, text + "\n")


def write_text(path: Path, text: str) -> None:
    """Write `text` so that the file is there whole or not at all."""
    write_octets(path, text.encode())


def write_octets(path: Path, octets: bytes) -> None:
    """Write `octets` so that the file is there whole or not at all."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise BenchError(f"{path} cannot be written: {error.strerror}") from error


class FolderLock:
    """Keeps a run folder to one process as long as that lives; the system lets go of it when the process ends."""

    def __init__(self, folder: Path) -> None:
        """Take the folder, which exists; UsageError when another process has it."""
        self._file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.release()
            raise UsageError(
                f"a run is going on in this folder{_who(folder)}",
                place=Place(folder),
                hint="wait until it has ended, or end that process",
            ) from None

    def release(self) -> None:
        """Give the folder free; may be called twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _who(folder: Path) -> str:
    try:
        return f" (process {int(read_json(folder / 'run.json')['process'])})"
    except (UsageError, KeyError, TypeError, ValueError):
        return ""


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from the run folder."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"there is no {path.name} here", place=Place(path.parent), hint="is it a run folder?"
        ) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot be read: {error}", place=Place(path)) from None
    if not isinstance(value, dict):
        raise UsageError("holds no JSON object", place=Place(path))
    return value


def write_scenario(case: Case, folder: Path) -> None:
    """Keep the scenario as it was read, and the parameters of this case, in the case's folder."""
    told = {"case": case.key, "suite": case.suite, "gateway": case.gateway, "parameters": case.parameters}
    head = [f"# {name}: {json.dumps(value, ensure_ascii=False, default=str)}" for name, value in told.items()]
    try:
        (folder / "scenario.yaml").write_text("\n".join([*head, case.source.text]), encoding="utf-8")
    except OSError as error:
        raise BenchError(f"the case's folder {folder} cannot be written: {error.strerror}") from error
