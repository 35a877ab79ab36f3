"""Driver of CUL and nanoCUL with culfw (lmn-wireless 5.5): receives T, or C, or S; classic ones cut long telegrams."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from devices.clock import Deadline
from devices.ports.base import LineSettings
from devices.protocols.wmbus_sticks import cul
from devices.protocols.wmbus_sticks.cul import Answer, CulScanner
from devices.protocols.wmbus_sticks.scanner import Heard, Scanner
from devices.wmbus.stick import Receive, StickDriver, StickRefused

_LISTENING: Final = {Receive.T: ("brt", "T1"), Receive.C: ("brc", "C1A"), Receive.S: ("brs", "S1")}


class CulStick(StickDriver[Heard | Answer]):
    """A CUL on its port; see `devices.wmbus.stick.Stick`. It only receives, and one kind of telegrams at a time."""

    kind: ClassVar[str] = "cul"
    title: ClassVar[str] = "CUL"
    line: ClassVar[LineSettings] = LineSettings(38_400)
    listens: ClassVar[tuple[Receive, ...]] = tuple(_LISTENING)

    def _make_scanner(self) -> Scanner[Heard | Answer]:
        return CulScanner(_LISTENING[self.receive][1])

    async def _identify(self, deadline: Deadline) -> str:
        answer = await self._command(cul.VERSION, lambda text: text.startswith("V "), "its version", deadline)
        return f"CUL, {answer}"

    async def _set_up(self, deadline: Deadline) -> None:
        await self._identify(deadline)
        command = _LISTENING[self.receive][0]
        right = cul.MODES[command]
        what = f"the mode {command}"
        answer = await self._command(command, lambda text: text == right or text.startswith("?"), what, deadline)
        if answer != right:
            raise StickRefused(
                f"{self.name} refuses {command}: it answers {answer[:60]!r}, {right!r} would be right; "
                "does its firmware know wM-Bus?"
            )
        await self._tell_stick(f"{cul.START_WITH_STRENGTH}\r\n".encode("ascii"))

    async def _check(self, deadline: Deadline) -> None:
        """A stick that has started anew has forgotten how to listen; to tell it again does no harm."""
        await self._set_up(deadline)

    def _take(self, message: Heard | Answer) -> Sequence[Heard]:
        return (message,) if isinstance(message, Heard) else ()

    async def _command(self, text: str, right: Callable[[str], bool], what: str, deadline: Deadline) -> str:
        def wanted(message: Heard | Answer) -> bool:
            return isinstance(message, Answer) and right(message.text)

        # The empty line before ends whatever another program has left half written.
        answer = await self._ask(f"\r\n{text}\r\n".encode("ascii"), wanted, what, deadline)
        assert isinstance(answer, Answer)
        return answer.text
