"""Metrology CPU of the SMARTY BZ-PLUS v2: keeps and signs the update log, controls updates ([BZ] 1, 2, 5.1).

It cannot be updated itself. It decides about an image, installs it for the application CPU and logs the attempt; a
power cut at any instant leaves a firmware that runs and a log that tells the truth.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Protocol

from devices.clock import Clock
from devices.meters.update_log_store import Firmware, Journal, PowerLost, UpdateLogStore
from devices.protocols.app_image import AppImage, Version, check_image
from devices.protocols.p256 import SigningKey
from devices.protocols.smarty_service import METER_TYPE, Refusal
from devices.protocols.smarty_update import BLOCK_OCTETS, Progress, Stage
from devices.protocols.update_log import Event, UpdateLog, UpdateLogEntry

METROLOGY_VERSION: Final = "01.25"
"""Version of the MTR-FW from which on updates are possible ([BZ], title page)."""

UPDATE_FAULTS: Final[Mapping[str, str]] = {
    "image_damaged": "one bit of the next image is stored wrongly",
    "install_fails": "the installation does not succeed",
    "wrong_signing_key": "the log is signed with another key than the meter shows",
    "other_key": "the meter shows and uses another key than its type plate says",
    "status_signature_wrong": "one bit of the status signature is wrong",
    "entries_signature_wrong": "one bit of the entries signature is wrong",
}
"""Faults that can be provoked, with their meaning."""

EVENTS: Final[Mapping[str, str]] = {
    "stage": "the update is at another stage: stage, failed (names of the checks that found a fault)",
    "logged": "the log has one entry more: entry",
    "log_broken": "something should be logged, but the stored log is not what was signed: event",
    "application": "the application CPU stops for an installation, or runs again: running",
}
"""Kinds of events, with their meaning and details."""

_BUSY: Final = frozenset({Stage.CHECKING, Stage.INSTALLING})


@dataclass(frozen=True, slots=True)
class UpdateTiming:
    """How long an update takes, s; no document says (assumed).

    Attributes:
        checking_s: for the checks of an image.
        activation_s: from the user's yes to the application's silence, so that the answer still goes out.
        installing_s: from then on to the new firmware.
        booting_s: until the application answers again.
    """

    checking_s: float = 2.0
    activation_s: float = 0.5
    installing_s: float = 20.0
    booting_s: float = 2.0


@dataclass(frozen=True, slots=True)
class UpdateRules:
    """What the meter accepts.

    Attributes:
        meter_type: type code that images must carry (assumed).
        maker_key: X|Y of who may sign images.
        allow_downgrade: any version may be loaded, not only a higher one.
        largest_image: octets (assumed).
    """

    maker_key: bytes
    meter_type: str = METER_TYPE
    allow_downgrade: bool = False
    largest_image: int = 1 << 20


class UpdateRefused(Exception):
    """The metrology does not do it.

    Attributes:
        reason: why.
        detail: number with the reason, see Refusal.
    """

    def __init__(self, reason: Refusal, detail: int = 0) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(reason.name)


class Counters(Protocol):
    """What the log notes of the measuring side."""

    def second_index(self) -> int:
        """Seconds that the meter ran."""

    def totals(self) -> tuple[int, int]:
        """Registers 1.8.0 and 2.8.0, whole Wh."""


class MetrologyCpu:
    """The log and the updates of one meter.

    Attributes:
        store: its non-volatile memory.
        rules: what it accepts; may be replaced at any time.
        timing: how long an update takes.
        faults: of UPDATE_FAULTS, those that are provoked.
        on_application: told when the application CPU stops (False) and may boot (True).
        on_event: told of what happens, see EVENTS.
    """

    def __init__(
        self,
        clock: Clock,
        counters: Counters,
        server_id: bytes,
        store: UpdateLogStore,
        rules: UpdateRules,
        timing: UpdateTiming,
    ) -> None:
        self.store = store
        self.rules = rules
        self.faults: set[str] = set()
        self.on_application: Callable[[bool], None] = lambda _: None
        self.on_event: Callable[[str, dict[str, object]], None] = lambda *_: None
        self._clock = clock
        self._counters = counters
        self._server_id = server_id
        self.timing = timing
        self._other_key = SigningKey.named(f"another key for {server_id.hex()}")
        self._timer: asyncio.TimerHandle | None = None
        self._image = bytearray()
        self._progress = Progress()

    # --- power

    def boot(self) -> None:
        """Mains are back: an installation that was cut is judged by what boots now, and logged."""
        journal = self.store.journal()
        if journal.pending is not None:
            with suppress(PowerLost):
                self._log(journal, Event.SUCCEEDED if journal.running == journal.pending else Event.FAILED)

    def halt(self) -> None:
        """Mains are gone, and with them all that was under way."""
        self._cancel()
        self._image.clear()
        self._progress = Progress()

    # --- the log

    @property
    def firmware(self) -> Firmware:
        """What the application CPU boots from."""
        return self.store.journal().firmware

    @property
    def public_key(self) -> bytes:
        """The key that the meter sends; the one on the type plate unless a fault is provoked."""
        return (self._other_key if "other_key" in self.faults else self.store.key).public

    def log(self) -> UpdateLog:
        """The log as the meter tells it, faults included."""
        journal = self.store.journal()
        status = self.store.status(journal)
        log = UpdateLog(
            self._server_id,
            self.public_key,
            status,
            journal.status_signature,
            journal.entries,
            journal.entries_signature,
        )
        if self.faults & {"other_key", "wrong_signing_key"}:
            forged = UpdateLog.signed(self._server_id, self._other_key, status.full, journal.entries)
            log = replace(forged, public_key=self.public_key)
        if "status_signature_wrong" in self.faults:
            log = replace(log, status_signature=_bit_flipped(log.status_signature))
        if "entries_signature_wrong" in self.faults:
            log = replace(log, entries_signature=_bit_flipped(log.entries_signature))
        return log

    def tamper(self, number: int, bit: int = 0) -> None:
        """Somebody changes one bit of the second index of a stored entry behind the metrology's back."""
        journal = self.store.journal()
        entries = list(journal.entries)
        entry = entries[number - 1]
        entries[number - 1] = replace(entry, second_index=entry.second_index ^ 1 << bit)
        self.store.commit(replace(journal, entries=tuple(entries)))

    # --- the update

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return self._progress

    def begin(self, size: int) -> Progress:
        """A new image of `size` octets follows. What was received before is forgotten, without an entry.

        A full log refuses it here: no update without an entry (assumed, lmn-wired 5.6).
        """
        self._not_busy()
        journal = self.store.journal()
        if self.store.status(journal).full:
            raise UpdateRefused(Refusal.LOG_FULL, len(journal.entries))
        if not self.store.sound(journal):
            raise UpdateRefused(Refusal.LOG_BROKEN)
        if not 1 <= size <= self.rules.largest_image:
            raise UpdateRefused(Refusal.TOO_LARGE if size else Refusal.BAD_DATA, self.rules.largest_image)
        self._image.clear()
        return self._enter(Progress(Stage.RECEIVING, 0, size))

    def block(self, offset: int, octets: bytes) -> Progress:
        """A piece of the image; the pieces follow each other without gap or overlap."""
        self._only(Stage.RECEIVING)
        here = len(self._image)
        if offset != here:
            raise UpdateRefused(Refusal.WRONG_OFFSET, here)
        if here + len(octets) > self._progress.size or len(octets) > BLOCK_OCTETS:
            raise UpdateRefused(Refusal.BAD_DATA, here)
        self._image += octets
        self._progress = replace(self._progress, received=len(self._image))
        return self._progress

    def check(self) -> Progress:
        """All of the image was sent: begin with the checks."""
        self._only(Stage.RECEIVING)
        if "image_damaged" in self.faults and self._image:
            self.faults.discard("image_damaged")
            self._image[-1] ^= 1
        self._later(self.timing.checking_s, self._checked)
        return self._enter(replace(self._progress, stage=Stage.CHECKING))

    def activate(self) -> Progress:
        """The user said yes: install what was checked."""
        self._only(Stage.CONFIRM)
        journal = self.store.journal()
        if not self.store.sound(journal):
            raise UpdateRefused(Refusal.LOG_BROKEN)
        target = 1 - journal.running
        banks = (journal.banks[0], None) if target else (None, journal.banks[1])
        self.store.commit(replace(journal, banks=banks, pending=target))
        self._later(self.timing.activation_s, self._stop_application)
        return self._enter(replace(self._progress, stage=Stage.INSTALLING))

    def abort(self) -> Progress:
        """The user said no, or gave up: forget the image; there is no entry, nothing was attempted."""
        self._not_busy()
        self._image.clear()
        return self._enter(Progress())

    # --- what takes time

    def _checked(self) -> None:
        data, rules, running = bytes(self._image), self.rules, self.firmware
        checks = check_image(
            data, rules.meter_type, rules.maker_key, running.version, allow_downgrade=rules.allow_downgrade
        )
        version = _version_of(data)
        if checks.good:
            self._enter(replace(self._progress, stage=Stage.CONFIRM, checks=checks, version=version))
            return
        self._image.clear()
        self._log(self.store.journal(), Event.FAILED)
        self._enter(replace(self._progress, stage=Stage.REJECTED, checks=checks, version=version))

    def _stop_application(self) -> None:
        self.on_application(False)
        self._later(self.timing.installing_s, self._install)

    def _install(self) -> None:
        journal = self.store.journal()
        image = AppImage.from_bytes(bytes(self._image))
        good = self._written(journal, image.payload)
        if good:
            # The switch and the entry are two writes; between them `pending` tells the next boot what is missing.
            firmware = Firmware(image.version, image.crc)
            target = 1 - journal.running
            banks = (journal.banks[0], firmware) if target else (firmware, journal.banks[1])
            journal = replace(journal, banks=banks, running=target)
            self.store.commit(journal)
        self._log(journal, Event.SUCCEEDED if good else Event.FAILED)
        self._image.clear()
        self._enter(replace(self._progress, stage=Stage.DONE if good else Stage.FAILED))
        self._later(self.timing.booting_s, self.on_application, True)

    def _written(self, journal: Journal, payload: bytes) -> bool:
        """Whether the bank that does not run holds the payload now."""
        target = 1 - journal.running
        broken = "install_fails" in self.faults
        self.faults.discard("install_fails")
        self.store.fill(target, payload[: len(payload) // 2] if broken else payload)
        return bytes(self.store.banks[target]) == payload

    def _log(self, journal: Journal, event: Event) -> None:
        """Add an entry about what just happened; on success the firmware of `journal` runs.

        A log that does not carry its own signature any more stays as it is: signing it anew would make it look true.
        """
        if not self.store.sound(journal):
            self.on_event("log_broken", {"event": event})
            return
        drawn, fed = self._counters.totals()
        firmware = journal.firmware if event is Event.SUCCEEDED else None
        entry = UpdateLogEntry(
            len(journal.entries) + 1,
            self._counters.second_index(),
            event,
            drawn,
            fed,
            str(firmware.version) if firmware else "",
            firmware.crc if firmware else 0,
        )
        self.store.append(journal, entry)
        self.on_event("logged", {"entry": entry})

    # --- small things

    def _enter(self, progress: Progress) -> Progress:
        self._progress = progress
        self.on_event("stage", {"stage": progress.stage.name.lower(), "failed": progress.checks.failed})
        return progress

    def _only(self, stage: Stage) -> None:
        if self._progress.stage is not stage:
            raise UpdateRefused(Refusal.BUSY if self._progress.stage in _BUSY else Refusal.WRONG_STATE)

    def _not_busy(self) -> None:
        if self._progress.stage in _BUSY:
            raise UpdateRefused(Refusal.BUSY)

    def _later(self, after_s: float, act: Callable[..., None], *what: object) -> None:
        self._cancel()
        self._timer = self._clock.call_later(after_s, self._run, act, *what)

    def _run(self, act: Callable[..., None], *what: object) -> None:
        with suppress(PowerLost):
            act(*what)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _version_of(data: bytes) -> tuple[int, int]:
    try:
        version = AppImage.from_bytes(data).version
    except ValueError:
        return (0, 0)
    return version.major, version.minor


def _bit_flipped(octets: bytes) -> bytes:
    return octets[:-1] + bytes((octets[-1] ^ 1,)) if octets else octets


FACTORY: Final = Firmware(Version(2, 0), 0x564C)
"""APP 2.0 with the check that the maker's example log shows for it."""
