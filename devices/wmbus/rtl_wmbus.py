"""Telegrams from the program rtl_wmbus (lmn-wireless 5.5): whatever it writes into a pipe or terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from devices.clock import Deadline
from devices.ports.base import LineSettings
from devices.protocols.wmbus_sticks.rtl_wmbus import RtlLine, RtlScanner
from devices.protocols.wmbus_sticks.scanner import Heard, Scanner
from devices.wmbus.stick import Receive, StickDriver


class RtlWmbusStick(StickDriver[RtlLine]):
    """The output of rtl_wmbus; see `devices.wmbus.stick.Stick`. It cannot be asked anything and only receives.

    What it listens to is its own affair; strength is on a scale of its own, so no dBm are told.
    """

    kind: ClassVar[str] = "rtl_wmbus"
    title: ClassVar[str] = "rtl_wmbus"
    line: ClassVar[LineSettings] = LineSettings(115_200)
    listens: ClassVar[tuple[Receive, ...]] = (Receive.C_AND_T,)

    def _make_scanner(self) -> Scanner[RtlLine]:
        return RtlScanner()

    async def _identify(self, deadline: Deadline) -> str:
        return self.title

    async def _set_up(self, deadline: Deadline) -> None:
        """Nothing can be set."""

    def _silent(self) -> None:
        """A program may write a line in pieces, as long after each other as it likes; other things are noise."""
        if not (isinstance(self._scanner, RtlScanner) and self._scanner.within_telegram):
            super()._silent()

    def _take(self, message: RtlLine) -> Sequence[Heard]:
        return [Heard(telegram, mode=message.mode) for telegram in message.telegrams]
