"""A person's tool at a SMARTY BZ-PLUS v2: its service protocol over a link of the bench ([BZ] 5.2, 6.2; lmn-wired 2).

Reading a log takes a handful of questions. An update takes five acts, each of them bounded: transfer, check, the
person's word, installation, and the look at what runs afterwards. Whoever breaks off calls `abort`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from devices.clock import Clock, Deadline
from devices.errors import DeviceError
from devices.ports.base import PortLost
from devices.protocols.app_image import ImageError, Version
from devices.protocols.p256 import OCTETS
from devices.protocols.smarty_service import (
    FRAME_SIZE,
    REFUSALS,
    SELECTOR,
    Answer,
    Command,
    CrcOrder,
    MeterIdentity,
    Refusal,
    Refused,
    Request,
    SmartyError,
    read_text,
)
from devices.protocols.smarty_update import BLOCK_OCTETS, Progress, Stage, begin_data, block_data
from devices.protocols.sml import SmlError
from devices.protocols.sml.server_id import device_number
from devices.protocols.update_log import UpdateLog, UpdateLogEntry, UpdateLogError, UpdateLogStatus, from_page
from devices.rs485.master import FoundMeter, LmnMaster, MeterLink, MeterSilent, limits_for

SETTLE_S: Final = 60.0
"""How long a meter may check an image (assumed)."""
INSTALL_S: Final = 180.0
"""How long an installation may take, restart included (assumed)."""
ABORT_S: Final = 15.0
"""How long a busy meter is asked to forget an image."""
LOOK_S: Final = 0.25
"""Between two looks at how far the meter is."""

_UNDER_WAY: Final = (Stage.CHECKING, Stage.INSTALLING)
_T = TypeVar("_T")
_Raw = TypeVar("_Raw")


class MeterRefused(DeviceError):
    """The meter does not do what it was asked.

    Attributes:
        refused: what it said.
    """

    def __init__(self, refused: Refused) -> None:
        self.refused = refused
        text = REFUSALS[refused.reason]
        super().__init__(f"the meter refuses: {text}" + (f" ({refused.detail})" if refused.detail else ""))

    @property
    def reason(self) -> Refusal:
        """Why."""
        return self.refused.reason


class MeterTalksNonsense(DeviceError):
    """The meter answers with octets that mean nothing."""


class SmartyClient:
    """One meter, its service protocol, and a link that is set up anew when the meter restarts; a context manager.

    Attributes:
        meter: the other end; another address after a restart.
    """

    def __init__(
        self,
        clock: Clock,
        master: LmnMaster,
        meter: FoundMeter,
        *,
        selector: int = SELECTOR,
        frame_size: int = FRAME_SIZE,
        crc_order: CrcOrder = CrcOrder.HIGH_FIRST,
    ) -> None:
        """Nothing is sent yet.

        Args:
            clock: of the running loop.
            master: on the meter's bus.
            meter: one that the master has found.
            selector: "Frame-SAP" of the maker's tool.
            frame_size: octets of information in a frame. HdlcError outside 1..2036.
            crc_order: of the inner check.
        """
        self.meter = meter
        self._clock = clock
        self._master = master
        self._selector = selector
        self._limits = limits_for(frame_size)
        self._crc_order = crc_order
        self._link: MeterLink | None = None

    async def __aenter__(self) -> SmartyClient:
        await self._open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    # --- reading

    async def identity(self) -> MeterIdentity:
        """Who it is; the device number is that of its server id when it tells it in no known way.

        This and all others raise MeterSilent, MeterRefused, MeterTalksNonsense and PortLost.
        """
        identity = _read(MeterIdentity.from_bytes, await self.ask(Command.IDENTITY))
        if not identity.number:
            with contextlib.suppress(SmlError):
                return replace(identity, number=device_number(self.meter.server_id))
        return identity

    async def firmware(self) -> str:
        """Name and version of the running APP-FW, such as ``ENSO-MME V2.0``."""
        return _read(read_text, await self.ask(Command.FIRMWARE_VERSION))

    async def public_key(self) -> bytes:
        """X|Y, 64 octets; whether they are a point of the curve is not looked at."""
        return _of_size(await self.ask(Command.PUBLIC_KEY), OCTETS, "public key")

    async def log_status(self) -> UpdateLogStatus:
        """Status of the update log."""
        return _read(UpdateLogStatus.from_bytes, await self.ask(Command.LOG_STATUS))

    async def update_log(self) -> UpdateLog:
        """The whole log with key and signatures, as the meter sends them."""
        key = await self.public_key()
        status = await self.log_status()
        over_status = _of_size(await self.ask(Command.LOG_STATUS_SIGNATURE), OCTETS, "signature of the status")
        entries = await self._entries(status.count)
        over_entries = await self.ask(Command.LOG_ENTRIES_SIGNATURE)
        if over_entries or entries:
            _of_size(over_entries, OCTETS, "signature of the entries")
        return UpdateLog(self.meter.server_id, key, status, over_status, entries, over_entries)

    async def _entries(self, count: int) -> tuple[UpdateLogEntry, ...]:
        entries: list[UpdateLogEntry] = []
        while len(entries) < count:
            wanted = len(entries) + 1
            first, page = _read(from_page, await self.ask(Command.LOG_ENTRIES, wanted.to_bytes(2, "big")))
            if first != wanted:
                raise MeterTalksNonsense(f"the meter was asked for entries from {wanted} on and sends {first}")
            if not page:
                break
            entries += page
        return tuple(entries)

    # --- updating

    async def state(self) -> Progress:
        """How far an update is."""
        return _read(Progress.from_bytes, await self.ask(Command.UPDATE_STATE))

    async def transfer(self, image: bytes, told: Callable[[int, int], None] = lambda done, size: None) -> Progress:
        """Bring `image` into the meter; `told` gets octets done and in all."""
        await self._update(Command.UPDATE_BEGIN, begin_data(len(image)))
        told(0, len(image))
        progress = Progress()
        for offset in range(0, len(image), BLOCK_OCTETS):
            block = image[offset : offset + BLOCK_OCTETS]
            progress = await self._update(Command.UPDATE_BLOCK, block_data(offset, block))
            told(offset + len(block), len(image))
        return progress

    async def check(self) -> Progress:
        """Let the meter check what was transferred, and wait for its word."""
        await self._update(Command.UPDATE_CHECK)
        return await self._settled(self._clock.deadline(SETTLE_S))

    async def activate(self) -> Progress:
        """Let the meter install what it has checked, and wait until it is through, whether it restarts or not."""
        deadline = self._clock.deadline(INSTALL_S)
        progress = await self._update(Command.UPDATE_ACTIVATE)
        if progress.stage not in _UNDER_WAY:
            return progress
        return await self._settled(deadline)

    async def abort(self) -> None:
        """The word is no, or something went wrong: the meter is to forget the image, as soon as its checks are through.
        Says nothing when the meter or the adapter is gone, or when it is too late."""
        deadline = self._clock.deadline(ABORT_S)
        with contextlib.suppress(DeviceError, PortLost):
            await self._open()
            while not deadline.passed:
                try:
                    await self.ask(Command.UPDATE_ABORT)
                except MeterRefused as refused:
                    if refused.reason is not Refusal.BUSY:
                        return
                    await self._clock.sleep(LOOK_S)
                else:
                    return

    async def _update(self, command: Command, data: bytes = b"") -> Progress:
        return _read(Progress.from_bytes, await self.ask(command, data))

    async def _settled(self, deadline: Deadline) -> Progress:
        while not deadline.passed:
            try:
                progress = await self.state()
            except MeterSilent:
                await self._found_again(deadline)
                continue
            if progress.stage not in _UNDER_WAY:
                return progress
            await self._clock.sleep(LOOK_S)
        raise MeterSilent("not_ready", "the meter does not come to an end")

    async def _found_again(self, deadline: Deadline) -> None:
        """The meter restarts: it has lost its address and chooses another."""
        await self._close()
        while not deadline.passed:
            found = await self._master.discover(one for one in self._master.meters.values() if one != self.meter)
            again = [one for one in found if one.server_id == self.meter.server_id]
            if again:
                self.meter = again[0]
                with contextlib.suppress(MeterSilent):
                    await self._open()
                    return
            await self._clock.sleep(LOOK_S)
        raise MeterSilent("no_answer", "the meter has not come back after its restart")

    # --- one question

    async def ask(self, command: Command, data: bytes = b"") -> bytes:
        """Data of the answer to one request.

        Raises:
            MeterSilent: no answer.
            MeterRefused: the meter says why not.
            MeterTalksNonsense: the answer cannot be read, or belongs to another question.
            PortLost: the adapter is gone.
        """
        if self._link is None:
            await self._open()
        assert self._link is not None
        order = self._crc_order
        heard = await self._link.ask(Request(command, data).to_bytes(order))
        answer = _read(lambda octets: Answer.from_bytes(octets, order), heard)
        refused = _read(lambda one: one.refused, answer)
        if refused is not None:
            raise MeterRefused(refused)
        if answer.command != command:
            raise MeterTalksNonsense(f"the meter was asked {command:02x} and answers {answer.command:02x}")
        return answer.data

    async def _open(self) -> None:
        """SNRM, also when a link is there: both ends forget what was under way on it."""
        self._link = self._link or self._master.link(self.meter, self._selector, self._limits)
        await self._link.open()

    async def _close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.close()


def version_in(firmware: str) -> Version | None:
    """The version behind the name of a firmware (``ENSO-MME V2.0``); None when there is none."""
    try:
        return Version.parse(firmware.rsplit(" ", 1)[-1])
    except ImageError:
        return None


def _read(reader: Callable[[_Raw], _T], raw: _Raw) -> _T:
    try:
        return reader(raw)
    except (SmartyError, UpdateLogError) as problem:
        raise MeterTalksNonsense(f"the meter's answer cannot be read: {problem}") from problem


def _of_size(data: bytes, size: int, what: str) -> bytes:
    if len(data) != size:
        raise MeterTalksNonsense(f"the meter sends a {what} of {len(data)} octets instead of {size}")
    return data
