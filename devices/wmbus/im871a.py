"""Driver of the IMST iM871A and iM170A (lmn-wireless 5.1): receives C and T together, sends S, T and C."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from devices.clock import Clock, Deadline
from devices.ports.base import LineSettings
from devices.ports.radio import RadioMode
from devices.protocols.wmbus_sticks import im871a as hci
from devices.protocols.wmbus_sticks.errors import StickError
from devices.protocols.wmbus_sticks.im871a import DeviceInfo, HciMessage, HciScanner
from devices.protocols.wmbus_sticks.scanner import Heard, Scanner
from devices.wmbus.stick import ANSWER_S, WATCH_S, PortFactory, Receive, Reopening, StickDriver, StickRefused

_LISTENING: Final = {Receive.C_AND_T: hci.MODE_C_AND_T, Receive.T: 0x04, Receive.C: 0x08, Receive.S: 0x00}
_SENDING: Final = {
    RadioMode.S1: 0x00,
    RadioMode.T1: 0x03,
    RadioMode.C1_A: 0x06,
    RadioMode.C1_B: 0x07,
    RadioMode.OTHER_T: 0x04,
}
_START_S: Final = 0.5
"""From a reset until it listens to its host again (assumed)."""


class Im871aStick(StickDriver[HciMessage]):
    """An iM871A on its port; see `devices.wmbus.stick.Stick`.

    Attributes:
        info: what it said of itself, None before.
    """

    kind: ClassVar[str] = "im871a"
    title: ClassVar[str] = "iM871A"
    line: ClassVar[LineSettings] = LineSettings(57_600)
    listens: ClassVar[tuple[Receive, ...]] = (*_LISTENING, Receive.NOTHING)

    def __init__(
        self,
        clock: Clock,
        open_port: PortFactory,
        *,
        receive: Receive | None = None,
        stamps: bool = True,
        reopening: Reopening | None = None,
        watch_s: float | None = WATCH_S,
    ) -> None:
        """As StickDriver; `stamps`: have its time stamps attached to telegrams."""
        super().__init__(clock, open_port, receive=receive, reopening=reopening, watch_s=watch_s)
        self.info: DeviceInfo | None = None
        self._stamps = stamps
        self._mode: int | None = None

    def _make_scanner(self) -> Scanner[HciMessage]:
        return HciScanner()

    async def _identify(self, deadline: Deadline) -> str:
        await self._request(hci.DEVICE, hci.PING, b"", "a ping", deadline)
        answer = await self._request(hci.DEVICE, hci.GET_INFO, b"", "the question who it is", deadline)
        try:
            self.info = DeviceInfo.from_payload(answer.payload)
        except StickError as error:
            raise StickRefused(f"{self.name}: its device information cannot be read: {error}") from error
        return self.info.name

    async def _set_up(self, deadline: Deadline) -> None:
        await self._identify(deadline)
        assert self.info is not None
        both = self.receive is Receive.C_AND_T
        if both and self.info.module == 0x33 and self.info.firmware < hci.FIRST_C_AND_T_FIRMWARE:
            raise StickRefused(
                f"{self.name}: firmware {self.info.firmware:02X} receives C or T, not both; "
                f"right would be {hci.FIRST_C_AND_T_FIRMWARE:02X} or newer, or to listen to one of them"
            )
        self._mode = None
        if self.receive in _LISTENING:
            await self._switch(_LISTENING[self.receive], deadline)

    async def _check(self, deadline: Deadline) -> None:
        """A stick that has started anew has forgotten how to listen."""
        answer = await self._request(hci.DEVICE, hci.GET_CONFIG, b"", "the question for its settings", deadline)
        try:
            mode = hci.decode_config(answer.payload).get("link_mode")
        except StickError as error:
            raise StickRefused(f"{self.name}: its settings cannot be read: {error}") from error
        if self._mode not in (None, mode):
            await self._set_up(deadline)

    async def _switch(self, mode: int, deadline: Deadline) -> None:
        values = {"link_mode": mode, "rssi_attach": 1, "timestamp_attach": int(self._stamps)}
        what = f"link mode {hci.LINK_MODES[mode]}"
        answer = await self._request(hci.DEVICE, hci.SET_CONFIG, b"\0" + hci.encode_config(values), what, deadline)
        self._expect_success(answer, what)
        self._mode = mode

    async def _send(self, stripped: bytes, mode: RadioMode, deadline: Deadline) -> None:
        wanted, before = _SENDING[mode], self._mode
        if mode is RadioMode.OTHER_T and before == hci.MODE_C_AND_T:
            wanted = hci.MODE_C_AND_T
        if wanted != before:
            await self._switch(wanted, deadline)
        what = f"a telegram of {len(stripped)} octets to send"
        try:
            answer = await self._request(hci.RADIO, hci.SEND, stripped[1:], what, deadline, tries=1)
            self._expect_success(answer, what)
        finally:
            if self.receive in _LISTENING and wanted != before:
                await self._switch(_LISTENING[self.receive], deadline)

    async def _reset(self, deadline: Deadline) -> None:
        await self._request(hci.DEVICE, hci.RESET, b"", "a reset", deadline)
        await self._clock.sleep(min(_START_S, deadline.remaining))

    def _take(self, message: HciMessage) -> Sequence[Heard]:
        if (message.endpoint, message.message) != (hci.RADIO, hci.INDICATION):
            return ()
        return (hci.heard(message),)

    async def _request(
        self, endpoint: int, number: int, payload: bytes, what: str, deadline: Deadline, *, tries: int = 2
    ) -> HciMessage:
        def wanted(message: HciMessage) -> bool:
            return (message.endpoint, message.message) == (endpoint, number + 1)

        octets = HciMessage(endpoint, number, payload, fcs=True).to_bytes()
        return await self._ask(octets, wanted, what, deadline, within_s=ANSWER_S, tries=tries)

    def _expect_success(self, answer: HciMessage, what: str) -> None:
        if answer.payload[:1] != bytes((hci.SUCCESS,)):
            said = answer.payload[:1].hex() or "nothing"
            raise StickRefused(f"{self.name} refuses {what}: it answers {said}, {hci.SUCCESS:02x} would be right")
