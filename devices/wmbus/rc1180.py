"""Driver of the Radiocrafts RC1180-MBUS (lmn-wireless 5.4): receives T, newer ones C as well; sends as one meter only.

The module adds C, M and A of its own to what it sends; its address is kept for good, so it is changed on demand only
(`set_address`). In configuration mode it hears nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import ClassVar, Final

from devices.clock import Clock, Deadline
from devices.ports.base import LineSettings
from devices.ports.radio import RadioMode
from devices.protocols.wmbus_sticks import rc1180 as rc
from devices.protocols.wmbus_sticks.errors import StickError
from devices.protocols.wmbus_sticks.rc1180 import RcScanner, Reply
from devices.protocols.wmbus_sticks.scanner import Heard, Scanner
from devices.wmbus.stick import (
    TRIES,
    PortFactory,
    Receive,
    Reopening,
    StickDriver,
    StickRefused,
    StickSilent,
)

_LISTENING: Final = {Receive.C_AND_T: rc.MODE_C_AND_T, Receive.T: rc.MODE_T1, Receive.C: 0x09, Receive.S: 0x03}
_SENDING: Final = {RadioMode.S1: 0x03, RadioMode.T1: 0x01, RadioMode.C1_A: 0x09, RadioMode.OTHER_T: 0x02}
_PROMPT_S: Final = 0.4
"""How long the prompt behind a command letter may take; some firmware gives none there."""
_ON_AIR_S: Final = 0.1
"""How long a telegram may take on the air, before the module listens to its host again (assumed)."""


class Rc1180Stick(StickDriver[Heard | Reply]):
    """An RC1180-MBUS on its port; see `devices.wmbus.stick.Stick`. MBUS3 firmware for C and T together.

    Attributes:
        address: its own, as in telegrams: M, id, version, type; empty before it was asked.
    """

    kind: ClassVar[str] = "rc1180"
    title: ClassVar[str] = "RC1180-MBUS"
    line: ClassVar[LineSettings] = LineSettings(19_200)
    listens: ClassVar[tuple[Receive, ...]] = (*_LISTENING, Receive.NOTHING)
    overhead: ClassVar[int] = 1

    def __init__(
        self,
        clock: Clock,
        open_port: PortFactory,
        *,
        receive: Receive | None = None,
        reopening: Reopening | None = None,
        watch_s: float | None = None,
    ) -> None:
        """As StickDriver; it is not watched unless told, because it is deaf while it is asked."""
        super().__init__(clock, open_port, receive=receive, reopening=reopening, watch_s=watch_s)
        self.address = b""
        self._sends: tuple[int, int] | None = None

    def _make_scanner(self) -> Scanner[Heard | Reply]:
        self._rc = RcScanner(rssi=True)
        return self._rc

    async def _identify(self, deadline: Deadline) -> str:
        async with self._configuring(deadline):
            self.address = rc.link_address(await self._registers(deadline))
        return f"{self.title}, address {self.address.hex().upper()}"

    async def _set_up(self, deadline: Deadline) -> None:
        self._sends = None
        wanted = {rc.REG_RSSI: 1, rc.REG_INTERFACE: 0, rc.REG_INSTALL: rc.HEAR_ALL}
        if self.receive in _LISTENING:
            wanted[rc.REG_MODE] = _LISTENING[self.receive]
        async with self._configuring(deadline):
            known = await self._registers(deadline)
            self.address = rc.link_address(known)
            await self._keep(known, wanted, deadline)
            if self.receive in _LISTENING:
                await self._command(rc.MODE, bytes((_LISTENING[self.receive],)), "its mode", deadline)

    async def set_address(self, link_octets: bytes, deadline: Deadline) -> None:
        """Give the module another address for good: M, id, version, type as in telegrams. Raises BenchError."""
        async with self._turn, self._configuring(deadline):
            await self._keep(await self._registers(deadline), rc.address_registers(link_octets), deadline)
            self.address = bytes(link_octets)

    async def _keep(self, known: bytes, wanted: Mapping[int, int], deadline: Deadline) -> None:
        changes = {register: value for register, value in wanted.items() if known[register] != value}
        if not changes:
            return
        await self._command(rc.MEMORY, rc.memory_write(changes), "registers to keep", deadline)
        kept = await self._registers(deadline)
        for register, value in changes.items():
            if kept[register] != value:
                hint = "; an old module receives T only" if register == rc.REG_MODE else ""
                raise StickRefused(
                    f"{self.name} does not keep register {register:02X}: it is {kept[register]:02X}, "
                    f"{value:02X} would be right{hint}"
                )

    async def _send(self, stripped: bytes, mode: RadioMode, deadline: Deadline) -> None:
        if mode not in _SENDING:
            raise StickRefused(f"{self.name} does not send {mode.value}; right would be C1A or T1")
        if stripped[2:10] != self.address:
            raise StickRefused(
                f"{self.name} sends under its own address {self.address.hex().upper()} only, not as "
                f"{stripped[2:10].hex().upper()}; give it that address first (set_address)"
            )
        sends = (stripped[1], _SENDING[mode])
        if sends != self._sends:
            async with self._configuring(deadline):
                await self._command(rc.C_FIELD_COMMAND, stripped[1:2], "its C field", deadline)
                await self._command(rc.MODE, bytes((_SENDING[mode],)), "its mode", deadline)
            self._sends = sends
        content = stripped[10:]
        self._write(bytes((len(content),)) + content)
        await self._clock.sleep(self.line.seconds(len(content) + 1) + _ON_AIR_S)
        if self.receive in _LISTENING:
            async with self._configuring(deadline):
                await self._command(rc.MODE, bytes((_LISTENING[self.receive],)), "its mode", deadline)
            self._sends = None

    async def _reset(self, deadline: Deadline) -> None:
        """It has no reset that keeps its settings; the set-up alone does."""

    def _take(self, message: Heard | Reply) -> Sequence[Heard]:
        return (message,) if isinstance(message, Heard) else ()

    # --- configuration mode

    @contextlib.asynccontextmanager
    async def _configuring(self, deadline: Deadline) -> AsyncIterator[None]:
        """Within, the module takes commands and hears nothing."""
        self._rc.configuring = True
        try:
            try:
                await self._reply(rc.ENTER, "the wish to configure it", deadline, tries=1)
            except StickSilent:  # it may have been left there
                await self._tell_stick(rc.LEAVE)
                await self._reply(rc.ENTER, "the wish to configure it", deadline)
            try:
                yield
            finally:
                await self._tell_stick(rc.LEAVE)
        finally:
            self._rc.configuring = False

    async def _registers(self, deadline: Deadline) -> bytes:
        reply = await self._reply(rc.DUMP, "the question for its registers", deadline, least=rc.DUMP_SIZE)
        try:
            return rc.dump(reply)
        except StickError as error:
            raise StickRefused(f"{self.name}: its registers cannot be read: {error}") from error

    async def _command(self, letter: bytes, argument: bytes, what: str, deadline: Deadline) -> None:
        with contextlib.suppress(StickSilent):
            await self._reply(letter, what, deadline, within_s=_PROMPT_S, tries=1)
        await self._reply(argument, what, deadline, tries=1)

    async def _reply(
        self,
        octets: bytes,
        what: str,
        deadline: Deadline,
        *,
        least: int = 1,
        within_s: float = 1.0,
        tries: int = TRIES,
    ) -> Reply:
        def wanted(message: Heard | Reply) -> bool:
            return isinstance(message, Reply) and message.ready and len(message.octets) >= least

        reply = await self._ask(octets, wanted, what, deadline, within_s=within_s, tries=tries)
        assert isinstance(reply, Reply)
        return reply
