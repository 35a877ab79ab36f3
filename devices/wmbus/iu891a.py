"""Driver of the IMST iU891A-XL (lmn-wireless 5.2): receives C and T together; its way of sending is not known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from devices.clock import Deadline
from devices.ports.base import LineSettings
from devices.protocols.wmbus_sticks import iu891a as hci
from devices.protocols.wmbus_sticks.errors import StickError
from devices.protocols.wmbus_sticks.iu891a import Config, SlipMessage, SlipScanner
from devices.protocols.wmbus_sticks.scanner import Heard, Scanner
from devices.wmbus.stick import Receive, StickDriver, StickRefused

_LISTENING: Final = {Receive.C_AND_T: 3, Receive.T: 2, Receive.C: 5, Receive.S: 1}


class Iu891aStick(StickDriver[SlipMessage]):
    """An iU891A-XL on its port; see `devices.wmbus.stick.Stick`. It only receives."""

    kind: ClassVar[str] = "iu891a"
    title: ClassVar[str] = "iU891A-XL"
    line: ClassVar[LineSettings] = LineSettings(115_200)
    listens: ClassVar[tuple[Receive, ...]] = tuple(_LISTENING)
    overhead: ClassVar[int] = 14

    def _make_scanner(self) -> Scanner[SlipMessage]:
        return SlipScanner()

    async def _identify(self, deadline: Deadline) -> str:
        self._write(hci.WAKE_UP)
        await self._request(hci.DEVICE, hci.PING, b"", "a ping", deadline)
        info = await self._request(hci.DEVICE, hci.GET_INFO, b"", "the question who it is", deadline)
        return f"{self.title}, device information {info.body[1:].hex() or 'empty'}"

    async def _set_up(self, deadline: Deadline) -> None:
        await self._identify(deadline)
        wanted = _LISTENING[self.receive]
        before = await self._config(deadline)
        options = before.options | hci.OPTION_RX_INDICATION
        if (before.link_mode, before.options) == (wanted, options):
            return
        after = Config(wanted, options, before.ui, before.led_ms, before.recalibration_ms)
        what = f"link mode {hci.LINK_MODES[wanted]}"
        await self._request(hci.GATEWAY, hci.SET_CONFIG, after.to_octets(), what, deadline)

    async def _check(self, deadline: Deadline) -> None:
        """A stick that has started anew has forgotten how to listen."""
        if (await self._config(deadline)).link_mode != _LISTENING[self.receive]:
            await self._set_up(deadline)

    async def _config(self, deadline: Deadline) -> Config:
        what = "the question for its settings"
        answer = await self._request(hci.GATEWAY, hci.GET_CONFIG, b"", what, deadline)
        try:
            return Config.from_octets(answer.body[1:])
        except StickError as error:
            raise StickRefused(f"{self.name}: its settings cannot be read: {error}") from error

    def _take(self, message: SlipMessage) -> Sequence[Heard]:
        try:
            return (hci.heard(message),)
        except StickError:
            return ()

    async def _request(self, service: int, number: int, body: bytes, what: str, deadline: Deadline) -> SlipMessage:
        def wanted(message: SlipMessage) -> bool:
            return (message.service, message.message) == (service, number + 1) and bool(message.body)

        answer = await self._ask(SlipMessage(service, number, body).to_bytes(), wanted, what, deadline)
        if answer.status != hci.OK:
            raise StickRefused(f"{self.name} refuses {what}: status {answer.status:02x}, 00 would be right")
        return answer
