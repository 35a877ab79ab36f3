"""`smgw-bench update-meter`: new application firmware for a SMARTY BZ-PLUS v2 ([BZ] 6.2, lmn-wired 5.5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.tools.connection import AtMeter, Way, at_meter
from bench.tools.screen import Screen
from bench.tools.updatelog import tell_meter
from devices.clock import Clock
from devices.errors import DeviceError, Place, UsageError
from devices.protocols.app_image import AppImage, ImageError
from devices.protocols.smarty_update import CHECKS, ImageChecks, Progress, Stage, Verdict
from devices.protocols.update_log import check_log
from devices.protocols.update_log_text import CHECK_WORDS, entry_text
from devices.rs485.smarty_client import version_in

LARGEST_IMAGE: Final = 8 << 20
"""Octets: a transfer at wire speed would take more than a minute and a half (assumed; the maker's size is unknown)."""
ANSWER_WITHIN_S: Final = 300.0
"""How long the question may stand before it counts as no (assumed)."""
KEEP_ALIVE_S: Final = 20.0
"""A meter forgets a link on which nothing comes for 120 s (assumed)."""
NOT_UPDATED: Final = 1

_VERDICTS: Final = {Verdict.OK: "OK", Verdict.NOK: "NOK", Verdict.NOT_CHECKED: "-"}


@dataclass(frozen=True)
class UpdateOptions:
    """What `update-meter` was asked.

    Attributes:
        image: file with the new firmware.
        yes: activate without a question.
        allow_downgrade: a version that is not higher is transferred as well; the meter has the last word.
        unchecked: transfer whatever the file holds and leave all judgement to the meter.
        expert: show the trace at the end.
    """

    image: Path
    yes: bool = False
    allow_downgrade: bool = False
    unchecked: bool = False
    expert: bool = False


async def update(clock: Clock, way: Way, options: UpdateOptions, screen: Screen) -> int:
    """Update one meter; returns the exit code: 0 the new firmware runs and is in the log, 1 it is not."""
    data, image = read_image(options)
    if not options.yes and not screen.interactive:
        raise UsageError("nobody can be asked whether to activate the firmware", hint="--yes activates it unasked")
    async with at_meter(clock, way, screen) as there:
        try:
            return await _update(clock, there, data, image, options, screen)
        finally:
            if options.expert:
                there.say_trace(screen)


def read_image(options: UpdateOptions) -> tuple[bytes, AppImage | None]:
    """Octets of the file and, where they are an image, what it says. Raises UsageError."""
    place = Place(options.image)
    try:
        with options.image.open("rb") as stream:
            data = stream.read(LARGEST_IMAGE + 1)
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", place=place) from None
    if not data or len(data) > LARGEST_IMAGE:
        raise UsageError(f"a file of {len(data)} octets is no firmware", place=place)
    try:
        image = AppImage.from_bytes(data)
    except ImageError as problem:
        if options.unchecked:
            return data, None
        raise UsageError(str(problem), place=place, hint="--unchecked leaves the judgement to the meter") from None
    if image.length != len(image.payload) and not options.unchecked:
        raise UsageError(
            f"the image is not complete: {len(image.payload)} of {image.length} octets",
            place=place,
            hint="--unchecked leaves the judgement to the meter",
        )
    return data, image


async def _update(
    clock: Clock, there: AtMeter, data: bytes, image: AppImage | None, options: UpdateOptions, screen: Screen
) -> int:
    firmware = await tell_meter(there, screen)
    count = (await there.client.log_status()).count
    screen.say("old_version", version=firmware)
    if image is not None:
        _look_before(image, firmware, options)
        screen.say("image", file=options.image.name, version=image.version, size=len(data))
    async with _undone_on_error(there, screen) as undo:
        with screen.progress("sending") as told:
            await there.client.transfer(data, told)
        screen.say("checking")
        progress = await there.client.check()
        _tell_checks(progress.checks, screen)
        if progress.stage is not Stage.CONFIRM:
            screen.say("rejected")
            undo.needed = False
            await _tell_log(there, count, screen)
            return NOT_UPDATED
        version = "V{}.{}".format(*progress.version)
        if not options.yes and not await _confirmed(clock, there, version, screen):
            await there.client.abort()
            undo.needed = False
            screen.say("refused_no")
            return NOT_UPDATED
        undo.installing = True
        screen.say("installing")
        progress = await there.client.activate()
        undo.needed = False
    return await _after(there, progress, count, screen)


def _look_before(image: AppImage, firmware: str, options: UpdateOptions) -> None:
    """A version that the meter must refuse is not even sent: the attempt would take room in its log."""
    running = version_in(firmware)
    if running is None or image.version > running or options.allow_downgrade or options.unchecked:
        return
    raise UsageError(
        f"only a higher version can be loaded: {image.version} is not higher than {running}",
        place=Place(options.image),
        hint="--allow-downgrade leaves that to the meter",
    )


@dataclass
class _Undo:
    """What has to be undone when something comes in between.

    Attributes:
        needed: the meter holds an image that nobody wants.
        installing: too late, it installs.
    """

    needed: bool = True
    installing: bool = False


@asynccontextmanager
async def _undone_on_error(there: AtMeter, screen: Screen) -> AsyncIterator[_Undo]:
    """Tells the meter to forget the image when what stands inside breaks off, by Ctrl-C or by an error."""
    undo = _Undo()
    try:
        yield undo
    except asyncio.CancelledError:
        screen.line()
        screen.say("interrupted_late" if undo.installing else "interrupted")
        if not undo.installing:
            await there.client.abort()
        raise
    except BaseException:
        if undo.needed and not undo.installing:
            await there.client.abort()
        raise


def _tell_checks(checks: ImageChecks, screen: Screen) -> None:
    for name in CHECKS:
        screen.line(f"  {_VERDICTS[getattr(checks, name)]:4}{screen.word(name)}")


async def _confirmed(clock: Clock, there: AtMeter, version: str, screen: Screen) -> bool:
    """The question; the link is kept alive while somebody thinks it over."""
    answered = asyncio.Event()
    alive = asyncio.ensure_future(_kept_alive(there, answered))
    try:
        return await screen.confirm(clock, screen.word("activate", version=version), ANSWER_WITHIN_S)
    finally:
        answered.set()  # not cancelled: an exchange that has begun comes to its end
        await alive


async def _kept_alive(there: AtMeter, answered: asyncio.Event) -> None:
    while True:
        try:
            await asyncio.wait_for(answered.wait(), KEEP_ALIVE_S)
        except TimeoutError:
            await there.client.state()
        else:
            return


async def _after(there: AtMeter, progress: Progress, count: int, screen: Screen) -> int:
    if progress.stage is not Stage.DONE:
        screen.say("install_failed")
        await _tell_log(there, count, screen)
        return NOT_UPDATED
    firmware = await there.client.firmware()
    screen.say("new_version", version=firmware)
    logged = await _tell_log(there, count, screen)
    expected = "V{}.{}".format(*progress.version)
    if str(version_in(firmware)) != expected:
        screen.say("wrong_version", version=firmware, expected=expected)
        return NOT_UPDATED
    if not logged:
        return NOT_UPDATED
    screen.say("success")
    return 0


async def _tell_log(there: AtMeter, count: int, screen: Screen) -> bool:
    """What is new in the log behind entry `count`; whether something is and its signatures are good."""
    try:
        log = await there.client.update_log()
    except DeviceError as problem:
        screen.say("log_unreadable", reason=problem)
        return False
    new = log.entries[count:]
    screen.say("new_entries" if new else "no_new_entry")
    for entry in new:
        screen.line(f"  {entry_text(entry, screen.language)}")
    checks = check_log(log, None)
    column = 0 if screen.language == "de" else 1
    status, entries = CHECK_WORDS[checks.status][column], CHECK_WORDS[checks.entries][column]
    screen.say("log_signature", status=status, entries=entries)
    return bool(new) and (status, entries) == ("OK", "OK")
