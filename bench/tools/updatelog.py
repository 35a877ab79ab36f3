"""`smgw-bench updatelog`: read the update log of a SMARTY BZ-PLUS v2, verify a saved one, print it ([BZ] 5.2)."""

from __future__ import annotations

import getpass
import platform
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from bench.tools.connection import AtMeter, Way, at_meter
from bench.tools.files import as_json, html_page, save, with_warning
from bench.tools.saved_log import LogFile, open_log
from bench.tools.screen import Language, Screen
from devices.clock import Clock
from devices.errors import UsageError
from devices.protocols.key_label import grouped, parse_key
from devices.protocols.p256 import P256Error
from devices.protocols.update_log import Check, LogChecks, Trust, UpdateLog, UpdateLogEntry, check_key, check_log
from devices.protocols.update_log_findings import Finding, findings
from devices.protocols.update_log_text import (
    CHECK_WORDS,
    Reading,
    entry_text,
    printout_text,
    saved_text,
    screen_text,
    verdict_text,
)

NOT_TRUSTED: Final = 1
KEY_WITHIN_S: Final = 600.0
"""How long somebody may look for the type plate."""


@dataclass(frozen=True)
class ReadOptions:
    """What `updatelog read` was asked.

    Attributes:
        language: of screen and files.
        label: key from the type plate, typed or scanned; None: it has to be asked for, or is skipped.
        skip_key_check: the log is read without it, and is not trusted then.
        log, hdlc, trace, folder: where to save what; None: not at all.
        expert: show the trace.
        json: for programs.
    """

    language: Language = "de"
    label: bytes | None = None
    skip_key_check: bool = False
    log: Path | None = None
    hdlc: Path | None = None
    trace: Path | None = None
    folder: Path | None = None
    expert: bool = False
    json: bool = False


def label_key(key: str | None, scan: str | None) -> bytes | None:
    """The key of the type plate from the command line. Raises UsageError."""
    text = key if key is not None else scan
    if text is None:
        return None
    try:
        return parse_key(text)
    except P256Error as problem:
        raise UsageError(f"--{'key' if key is not None else 'scan'}: {problem}") from problem


async def read(clock: Clock, way: Way, options: ReadOptions, screen: Screen) -> int:
    """Read, show, judge and save the log of one meter; returns the exit code: 0 trusted, 1 not."""
    if options.label is None and not options.skip_key_check and not screen.interactive:
        raise UsageError(
            "the key of the type plate is missing and nobody can be asked",
            hint="--key, --scan or --skip-key-check",
        )
    _check_targets(options)
    async with at_meter(clock, way, screen) as there:
        firmware = await tell_meter(there, screen)
        label = options.label
        if label is None and not options.skip_key_check:
            label = await _asked_key(clock, screen)
        key = await there.client.public_key()
        if check_key(label, key) is Check.NOK:
            return _key_differs(there, key, options, screen)
        log = await there.client.update_log()
    reading = make_reading(there.number, firmware, log, label, clock.now().astimezone())
    found = findings(log.status, log.entries, firmware)
    screen.line()
    screen.line(screen_text(reading, options.language))
    screen.line()
    screen.line(verdict_text(reading.checks, options.language))
    say_findings(found, screen)
    if options.expert:
        there.say_trace(screen)
    _save(there, reading, found, options, screen)
    if options.json:
        sys.stdout.write(as_json(_reading_json(reading, found, there)))
    return 0 if reading.checks.trust is Trust.TRUSTED else NOT_TRUSTED


def _check_targets(options: ReadOptions) -> None:
    """UsageError before the meter is read when what is to be saved has no place of its own."""
    named = {"--save-log": options.log, "--save-hdlc": options.hdlc, "--save-trace": options.trace}
    taken: dict[Path, str] = {}
    for option, path in named.items():
        if path is None:
            continue
        if path.is_dir():
            raise UsageError(f"{option}: {path} is a folder, a file is wanted", hint="--save-all takes a folder")
        other = taken.setdefault(path.absolute(), option)
        if other != option:
            raise UsageError(f"{other} and {option} name the same file {path}: each has its own")
    if options.folder is not None and options.folder.is_file():
        raise UsageError(f"--save-all: {options.folder} is a file, a folder is wanted")


async def tell_meter(there: AtMeter, screen: Screen) -> str:
    """The window "LESE ZÄHLER": address, number, server id, firmware; returns the firmware."""
    identity = await there.client.identity()
    firmware = await there.client.firmware()
    screen.line()
    screen.say("meter", address=f"{there.meter.address:02X}")
    screen.say("number", number=identity.number)
    screen.say("server_id", server_id=there.meter.server_id.hex().upper())
    screen.say("firmware", firmware=firmware)
    return firmware


def make_reading(number: str, firmware: str, log: UpdateLog, label: bytes | None, at: datetime) -> Reading:
    """A log with its checks and the circumstances of its reading."""
    checks = check_log(log, label)
    return Reading(number, firmware, log, checks, platform.node() or "-", _user(), at, label)


def say_findings(found: tuple[Finding, ...], screen: Screen) -> None:
    """What does not agree in the log, apart from its verdict."""
    if found:
        screen.say("findings")
        for finding in found:
            screen.line(f"  - {finding.text(german=screen.language == 'de')}")


async def _asked_key(clock: Clock, screen: Screen) -> bytes | None:
    screen.line()
    for _ in range(3):
        answer = await screen.ask(clock, screen.word("enter_key"), KEY_WITHIN_S)
        if not answer:
            return None
        try:
            return parse_key(answer)
        except P256Error as problem:
            screen.say("bad_key", reason=problem)
    raise UsageError("three times no key", hint="--skip-key-check reads the log without it")


def _key_differs(there: AtMeter, key: bytes, options: ReadOptions, screen: Screen) -> int:
    """[BZ] 5.2.4 shows the log only when the keys are equal."""
    screen.line()
    screen.say("key_of_meter")
    for line in grouped(key):
        screen.line(f"  {line}")
    screen.say("key_check", result="NOK")
    screen.say("key_differs")
    _save_traces(there, options, screen)
    if options.json:
        value = {"meter": there.number, "checks": {"key": Check.NOK.value}, "trust": Trust.NOT_TRUSTED.value}
        sys.stdout.write(as_json({**value, "public_key": key.hex().upper(), "emulated": there.emulated is not None}))
    return NOT_TRUSTED


def _save(there: AtMeter, reading: Reading, found: tuple[Finding, ...], options: ReadOptions, screen: Screen) -> None:
    saved = with_warning(saved_text(reading, options.language), screen, there.emulated)
    if options.log is not None:
        save(options.log, saved, screen)
    _save_traces(there, options, screen)
    if options.folder is not None:
        stem = f"{reading.number}_{reading.read_at:%Y%m%dT%H%M%S}"
        page = with_warning(printout_text(reading, options.language), screen, there.emulated)
        save(options.folder / f"{stem}_log.txt", saved, screen)
        save(options.folder / f"{stem}_print.txt", page, screen)
        save(options.folder / f"{stem}_print.html", html_page(page, reading.number, screen), screen)
        save(options.folder / f"{stem}.json", as_json(_reading_json(reading, found, there)), screen)
        for name, text in (("hdlc", there.trace.hdlc_text()), ("trace", there.trace.octets_text())):
            save(options.folder / f"{stem}_{name}.txt", with_warning(text, screen, there.emulated), screen)


def _save_traces(there: AtMeter, options: ReadOptions, screen: Screen) -> None:
    for path, text in ((options.hdlc, there.trace.hdlc_text()), (options.trace, there.trace.octets_text())):
        if path is not None:
            save(path, with_warning(text, screen, there.emulated), screen)


def _reading_json(reading: Reading, found: tuple[Finding, ...], there: AtMeter) -> dict[str, Any]:
    log = reading.log
    return {
        "meter": reading.number,
        "emulated": there.emulated is not None,
        "address": there.meter.address,
        "server_id": log.server_id.hex().upper(),
        "firmware": reading.firmware,
        "pc_name": reading.pc_name,
        "user": reading.user,
        "read_at": reading.read_at.isoformat(timespec="seconds"),
        "public_key": log.public_key.hex().upper(),
        "label": None if reading.label is None else reading.label.hex().upper(),
        **log_json(log.status.count, log.status.full, log.entries, reading.checks, found),
        "status_signature": log.status_signature.hex().upper(),
        "entries_signature": log.entries_signature.hex().upper(),
    }


def log_json(
    count: int, full: bool, entries: tuple[UpdateLogEntry, ...], checks: LogChecks, found: tuple[Finding, ...]
) -> dict[str, Any]:
    """Status, entries, checks, verdict and findings for a program to read."""
    return {
        "count": count,
        "full": full,
        "entries": [
            {
                "number": entry.number,
                "second_index": entry.second_index,
                "event": int(entry.event),
                "register_1_8_0_wh": entry.register_1_8_0,
                "register_2_8_0_wh": entry.register_2_8_0,
                "version": entry.version or None,
                "crc": entry.crc,
            }
            for entry in entries
        ],
        "checks": {"key": checks.key.value, "status": checks.status.value, "entries": checks.entries.value},
        "trust": checks.trust.value,
        "findings": [{"kind": one.kind, "text": one.text(german=False), "notice": one.notice} for one in found],
    }


# --- saved logs


def verify(file: Path, label: bytes | None, screen: Screen, *, json: bool = False) -> int:
    """Judge a saved log; returns the exit code: 0 trusted, 1 not trusted or not decidable."""
    seen = open_log(file, label)
    if json:
        sys.stdout.write(as_json(_log_file_json(seen)))
        return 0 if seen.trusted else NOT_TRUSTED
    if seen.warning:
        screen.line(seen.warning)
    _tell_file(seen, screen)
    screen.line()
    screen.say("what_is_checked")
    german = screen.language == "de"
    width = max(len(_check_word(check, screen)) for check in Check)
    for point in seen.examination.points:
        reason = point.reason(german=german)
        tail = f" ({reason})" if reason else ""
        screen.line(f"  {_check_word(point.check, screen):{width}}  {point.text(german=german)}{tail}")
    say_findings(seen.examination.findings, screen)
    screen.line()
    if seen.undecided:
        screen.say("undecidable", why=", ".join(map(screen.word, seen.undecided)))
    else:
        screen.line(verdict_text(seen.checks, screen.language))
    return 0 if seen.trusted else NOT_TRUSTED


def print_log(file: Path, label: bytes | None, screen: Screen, to: Path | None) -> int:
    """The printed layout of [BZ] 5.2.6, on the screen or into a .txt or .html file."""
    seen = open_log(file, label)
    page = f"{printout_text(seen.reading(), screen.language)}\n{screen.word('printed_claims')}\n"
    if seen.warning:
        page = f"{seen.warning}\n\n{page}"
    if to is None:
        screen.line(page)
    elif to.suffix.lower() in (".html", ".htm"):
        save(to, html_page(page, seen.saved.number or file.name, screen), screen)
    elif to.suffix.lower() == ".txt":
        save(to, page, screen)
    else:
        raise UsageError(f"{to}: a printout is a .txt or a .html file")
    return 0


def _tell_file(seen: LogFile, screen: Screen) -> None:
    saved = seen.saved
    screen.say("from_file", file=seen.file)
    if saved.number:
        screen.say("number", number=saved.number)
    if saved.firmware:
        screen.say("firmware", firmware=saved.firmware)
    for entry in saved.entries:
        screen.line(f"  {entry_text(entry, screen.language)}")
    claims = {"key": saved.key_check, "status": saved.status_check, "entries": saved.entries_check}
    screen.say("file_claims", **{name: _check_word(check, screen) for name, check in claims.items()})


def _check_word(check: Check | None, screen: Screen) -> str:
    return screen.word("claims_nothing") if check is None else CHECK_WORDS[check][0 if screen.language == "de" else 1]


def _log_file_json(seen: LogFile) -> dict[str, Any]:
    saved = seen.saved
    claims = {"key": saved.key_check, "status": saved.status_check, "entries": saved.entries_check}
    return {
        "meter": saved.number,
        "firmware": saved.firmware,
        "not_a_meter": bool(seen.warning),
        "layout": saved.layout or None,
        **log_json(saved.status.count, saved.status.full, saved.entries, seen.checks, seen.examination.findings),
        "undecided": bool(seen.undecided),
        "points": [
            {"topic": point.topic, "result": point.check.value, "reason": point.reason(german=False)}
            for point in seen.examination.points
        ],
        "incomplete": [
            {"field": one.field, "line": one.line, "digits": one.digits, "wanted": one.wanted}
            for one in saved.incomplete
        ],
        "claims": {name: None if check is None else check.value for name, check in claims.items()},
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "-"
