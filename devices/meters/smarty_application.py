"""Application CPU of the SMARTY BZ-PLUS v2: speaks for the meter on the bus ([BZ] 1, 2; lmn-wired 2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from devices.meters.smarty_metrology import MetrologyCpu, UpdateRefused
from devices.meters.update_log_store import PowerLost
from devices.protocols.smarty_service import (
    METER_TYPE,
    Answer,
    Command,
    CrcOrder,
    MeterIdentity,
    Refusal,
    Refused,
    Request,
    SmartyError,
)
from devices.protocols.smarty_update import read_begin, read_block
from devices.protocols.update_log import PAGE_ENTRIES, to_page

FIRMWARE_NAME: Final = "ENSO-MME"
"""What stands before the version of the APP-FW ([BZ] 5.2)."""


class ApplicationCpu:
    """Answers the service protocol while it runs; the metrology CPU stops it to install new firmware.

    A new link does not end an update: the tool may ask how far it is and go on (assumed).

    Attributes:
        running: whether it answers at all.
        crc_order: of the inner check.
        requests: messages that it understood so far.
    """

    def __init__(
        self,
        metrology: MetrologyCpu,
        number: str,
        *,
        running: bool,
        meter_type: str = METER_TYPE,
        crc_order: CrcOrder = CrcOrder.HIGH_FIRST,
    ) -> None:
        """Make one.

        Args:
            metrology: the other CPU.
            number: device number of the meter.
            running: whether there are mains.
            meter_type: type code in its identity.
            crc_order: of the inner check.
        """
        self.running = running
        self.crc_order = crc_order
        self.requests = 0
        self._metrology = metrology
        self._identity = MeterIdentity(number, meter_type)
        self._commands: dict[int, Callable[[bytes], bytes]] = {
            Command.IDENTITY: self._plain(self._identity.to_bytes),
            Command.FIRMWARE_VERSION: self._plain(lambda: self.firmware.encode("ascii")),
            Command.PUBLIC_KEY: self._plain(lambda: metrology.public_key),
            Command.LOG_STATUS: self._status,
            Command.LOG_STATUS_SIGNATURE: self._plain(lambda: metrology.log().status_signature),
            Command.LOG_ENTRIES: self._entries,
            Command.LOG_ENTRIES_SIGNATURE: self._plain(lambda: metrology.log().entries_signature),
            Command.UPDATE_BEGIN: lambda data: metrology.begin(read_begin(data)).to_bytes(),
            Command.UPDATE_BLOCK: lambda data: metrology.block(*read_block(data)).to_bytes(),
            Command.UPDATE_CHECK: self._plain(lambda: metrology.check().to_bytes()),
            Command.UPDATE_ACTIVATE: self._plain(lambda: metrology.activate().to_bytes()),
            Command.UPDATE_ABORT: self._plain(lambda: metrology.abort().to_bytes()),
            Command.UPDATE_STATE: self._state,
        }

    @property
    def firmware(self) -> str:
        """Name and version as the tool shows them: ENSO-MME V2.0."""
        return f"{FIRMWARE_NAME} {self._metrology.firmware.version}"

    def opened(self) -> None:
        """Nothing is under way on the link itself."""

    def message(self, data: bytes) -> bytes:
        """The answer to one message; empty while the application does not run."""
        if not self.running:
            return b""
        try:
            answer = self._answer(data)
        except PowerLost:
            return b""
        return answer.to_bytes(self.crc_order)

    def _answer(self, data: bytes) -> Answer:
        try:
            request = Request.from_bytes(data, self.crc_order)
        except SmartyError:
            return Refused(0, Refusal.DAMAGED).to_answer()
        self.requests += 1
        command = self._commands.get(request.command)
        if command is None:
            return Refused(request.command, Refusal.UNKNOWN_COMMAND).to_answer()
        try:
            return Answer(request.command, command(request.data))
        except SmartyError:
            return Refused(request.command, Refusal.BAD_DATA).to_answer()
        except UpdateRefused as refused:
            return Refused(request.command, refused.reason, refused.detail).to_answer()

    @staticmethod
    def _plain(answer: Callable[[], bytes]) -> Callable[[bytes], bytes]:
        """A command that takes no data."""

        def serve(data: bytes) -> bytes:
            if data:
                raise SmartyError("this command takes no data", 3)
            return answer()

        return serve

    def _status(self, data: bytes) -> bytes:
        return self._plain(self._metrology.log().status.to_bytes)(data)

    def _state(self, data: bytes) -> bytes:
        return self._plain(self._metrology.progress.to_bytes)(data)

    def _entries(self, data: bytes) -> bytes:
        first = int.from_bytes(data, "big")
        if len(data) != 2 or first == 0:
            raise SmartyError("entries are asked for by the number of the first, in two octets", 3)
        entries = self._metrology.log().entries
        return to_page(first, entries[first - 1 : first - 1 + PAGE_ENTRIES])
