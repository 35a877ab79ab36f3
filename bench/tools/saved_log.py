"""A saved update log as the tools see it: read from its file, examined, and made ready for print."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bench.tools.words import WORDS
from devices.errors import Place, UsageError
from devices.protocols.update_log import Check, LogChecks, Trust, UpdateLog
from devices.protocols.update_log_file import LARGEST_FILE, SavedLog, UpdateLogTextError, parse_log
from devices.protocols.update_log_text import Reading
from devices.protocols.update_log_verify import FIELD_WORDS, Examination, examine


@dataclass(frozen=True)
class LogFile:
    """A saved log and what is to be said of it.

    Attributes:
        file: as it was named.
        saved: what stands in it.
        label: key from the type plate, None when none was given.
        examination: what was checked here; what the file claims is in `saved`.
        warning: line of the file that says that no real meter was read; empty when there is none.
    """

    file: Path
    saved: SavedLog
    label: bytes | None
    examination: Examination
    warning: str = ""

    @property
    def checks(self) -> LogChecks:
        """The three checks, done here."""
        return self.examination.checks

    @property
    def trusted(self) -> bool:
        """By the rule of [BZ] 5.2.5."""
        return self.checks.trust is Trust.TRUSTED

    @property
    def undecided(self) -> tuple[str, ...]:
        """Why neither trusted nor forged can be shown, as names of sentences; empty when one of them can."""
        checks = (self.checks.key, self.checks.status, self.checks.entries)
        if Check.NOK in checks or self.trusted:
            return ()
        signatures = ("why_signatures",) if Check.IMPOSSIBLE in checks else ()
        return (*signatures, *(("why_key",) if self.checks.key is Check.SKIPPED else ()))

    def reading(self) -> Reading:
        """As it is printed, with the checks done here. Raises UsageError for a log that is incomplete."""
        saved = self.saved
        if saved.incomplete:
            lack = saved.incomplete[0]
            problem = f"{FIELD_WORDS[lack.field][1]} has {lack.digits} hexadecimal digits instead of {lack.wanted}"
            raise UsageError(problem, place=Place(self.file, lack.line), hint="it can be verified, but not printed")
        try:
            at = datetime.fromisoformat(saved.read_at)
        except ValueError:
            raise UsageError(f"the reading time {saved.read_at!r} is no time", place=Place(self.file)) from None
        log = UpdateLog(
            saved.server_id or b"",
            saved.public_key or saved.grouped_key or b"",
            saved.status,
            saved.status_signature,
            saved.entries,
            saved.entries_signature,
        )
        return Reading(saved.number, saved.firmware, log, self.checks, saved.pc_name, saved.user, at, self.label)


def open_log(file: Path, label: bytes | None) -> LogFile:
    """Read and examine the log in `file`. Raises UsageError when it is none, with line and field."""
    try:
        with file.open("rb") as stream:
            data = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", place=Place(file)) from None
    if data.lstrip().startswith(b"{"):
        hint = "give the .txt that --save-log or --save-all wrote"
        raise UsageError("this is JSON and not a saved log", place=Place(file), hint=hint)
    try:
        saved = parse_log(data)
    except UpdateLogTextError as problem:
        hint = "a log as the Log Reader or 'updatelog read --save-log' saves it"
        raise UsageError(str(problem), place=Place(file), hint=hint) from None
    return LogFile(file, saved, label, examine(saved, label), _warning(data))


def _warning(data: bytes) -> str:
    """The line in front of what was read from no real meter, as `bench.tools.files.with_warning` puts it there."""
    first = data.split(b"\n", 1)[0].decode("utf-8", "replace").strip()
    known = {text for name in ("emulated", "pseudo") for text in WORDS[name]}
    return first if first in known else ""
