"""Driver of the Amber AMB8465-M (lmn-wireless 5.3): receives C and T together, sends S, T and C.

It works with frames (command output) or with bare telegrams (transparent, as delivered); frames have a check octet
and are the better choice. Which of them, and whether strength is told, the stick keeps for good: that is changed only
where it differs. The radio mode is set anew each time and kept by nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from devices.clock import Clock, Deadline
from devices.ports.base import LineSettings
from devices.ports.radio import RadioMode
from devices.protocols.wmbus_sticks import amb8465 as amber
from devices.protocols.wmbus_sticks.amb8465 import AmberScanner, Frame
from devices.protocols.wmbus_sticks.errors import StickError
from devices.protocols.wmbus_sticks.scanner import Heard, Scanner
from devices.wmbus.stick import WATCH_S, PortFactory, Receive, Reopening, StickDriver, StickRefused

_LISTENING: Final = {Receive.C_AND_T: amber.MODE_C_AND_T, Receive.T: 0x08, Receive.C: 0x0E, Receive.S: 0x03}
_SENDING: Final = {RadioMode.S1: 0x01, RadioMode.T1: 0x05, RadioMode.C1_A: 0x0C, RadioMode.OTHER_T: 0x08}
ANSWER_S: Final = 1.0
"""How long an answer may take at 9600 Bd (assumed)."""
_START_S: Final = 0.5
"""From a reset until it listens to its host again (assumed)."""


class Amb8465Stick(StickDriver[Frame | Heard]):
    """An AMB8465-M on its port; see `devices.wmbus.stick.Stick`.

    Attributes:
        transparent: telegrams come bare instead of in frames.
    """

    kind: ClassVar[str] = "amb8465"
    title: ClassVar[str] = "AMB8465-M"
    line: ClassVar[LineSettings] = LineSettings(9600)
    listens: ClassVar[tuple[Receive, ...]] = (*_LISTENING, Receive.NOTHING)
    overhead: ClassVar[int] = 5

    def __init__(
        self,
        clock: Clock,
        open_port: PortFactory,
        *,
        receive: Receive | None = None,
        transparent: bool = False,
        reopening: Reopening | None = None,
        watch_s: float | None = WATCH_S,
    ) -> None:
        """As StickDriver; `transparent`: have telegrams bare instead of in frames."""
        super().__init__(clock, open_port, receive=receive, reopening=reopening, watch_s=watch_s)
        self.transparent = transparent
        self._mode: int | None = None

    def _make_scanner(self) -> Scanner[Frame | Heard]:
        self._amber = AmberScanner()
        return self._amber

    async def _identify(self, deadline: Deadline) -> str:
        firmware = await self._command(amber.FIRMWARE, b"", "the question for its firmware", deadline)
        serial = await self._command(amber.SERIAL, b"", "the question for its number", deadline)
        version = ".".join(str(part) for part in firmware.payload)
        return f"{self.title}, firmware {version}, number {serial.payload.hex().upper()}"

    async def _set_up(self, deadline: Deadline) -> None:
        await self._identify(deadline)
        await self._keep(deadline)
        self._mode = None
        if self.receive in _LISTENING:
            await self._switch(_LISTENING[self.receive], deadline)

    async def _check(self, deadline: Deadline) -> None:
        await self._command(amber.FIRMWARE, b"", "the question for its firmware", deadline)

    async def _keep(self, deadline: Deadline) -> None:
        """Bring the parameters that it keeps to what is wanted."""
        wanted = {amber.COMMAND_OUTPUT: int(not self.transparent), amber.RSSI_ENABLE: 1}
        known = await self._parameters(deadline)
        changes = {address: value for address, value in wanted.items() if known[address] != value}
        for address, value in changes.items():
            what = f"parameter {address:02X} = {value}"
            answer = await self._command(amber.SET, bytes((address, 1, value)), what, deadline)
            self._expect_ok(answer, what)
        if changes:
            await self._reset(deadline)
            known = await self._parameters(deadline)
        for address, value in wanted.items():
            if known[address] != value:
                raise StickRefused(
                    f"{self.name} does not keep parameter {address:02X}: it is {known[address]}, {value} would be right"
                )
        self._amber.transparent = self.transparent
        self._amber.rssi = True

    async def _parameters(self, deadline: Deadline) -> bytes:
        answer = await self._command(amber.GET, amber.GET_ALL, "the question for its parameters", deadline)
        try:
            dump = amber.parameters(answer)
        except StickError as error:
            raise StickRefused(f"{self.name}: its parameters cannot be read: {error}") from error
        if len(dump) == amber.PARAMETERS_AMB3665:
            raise StickRefused(
                f"{self.name} answers as an AMB3665 for 169 MHz; right would be an AMB8465-M for 868 MHz"
            )
        return dump

    async def _switch(self, mode: int, deadline: Deadline) -> None:
        what = f"mode {mode:02X} ({amber.MODES[mode]})"
        self._expect_ok(await self._command(amber.SET_MODE, bytes((mode,)), what, deadline), what)
        self._mode = mode

    async def _send(self, stripped: bytes, mode: RadioMode, deadline: Deadline) -> None:
        if mode not in _SENDING:
            raise StickRefused(f"{self.name} does not send {mode.value}; right would be C1A or T1")
        wanted, before = _SENDING[mode], self._mode
        if mode is RadioMode.OTHER_T and before == amber.MODE_C_AND_T:
            wanted = amber.MODE_C_AND_T
        if wanted != before:
            await self._switch(wanted, deadline)
        what = f"a telegram of {len(stripped)} octets to send"
        try:
            self._expect_ok(await self._command(amber.DATA, stripped[1:], what, deadline, tries=1), what)
        finally:
            if self.receive in _LISTENING and wanted != before:
                await self._switch(_LISTENING[self.receive], deadline)

    async def _reset(self, deadline: Deadline) -> None:
        await self._command(amber.RESET, b"", "a reset", deadline)
        await self._clock.sleep(min(_START_S, deadline.remaining))

    def _take(self, message: Frame | Heard) -> Sequence[Heard]:
        return (message,) if isinstance(message, Heard) else ()

    async def _command(self, command: int, payload: bytes, what: str, deadline: Deadline, *, tries: int = 2) -> Frame:
        def wanted(message: Frame | Heard) -> bool:
            return isinstance(message, Frame) and message.command == amber.ANSWER | command

        # A dump of parameters alone takes 0.13 s at 9600 Bd, and a telegram may be on the line before the answer.
        answer = await self._ask(
            Frame(command, payload).to_bytes(), wanted, what, deadline, within_s=ANSWER_S, tries=tries
        )
        assert isinstance(answer, Frame)
        return answer

    def _expect_ok(self, answer: Frame, what: str) -> None:
        if answer.payload[:1] != bytes((amber.OK,)):
            said = answer.payload[:1].hex() or "nothing"
            raise StickRefused(f"{self.name} refuses {what}: it answers {said}, 00 would be right")
