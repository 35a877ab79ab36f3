"""An emulated CUL or nanoCUL with culfw (lmn-wireless 5.5). It only receives, as far as the drivers go."""

from __future__ import annotations

import random
from typing import ClassVar, Final

from devices.clock import Clock
from devices.ports.base import BytePort, LineSettings
from devices.ports.radio import Antenna, RadioMode, Reception
from devices.protocols.mbus.errors import MbusError
from devices.protocols.mbus.link import FrameFormat, air_octets
from devices.protocols.wmbus_sticks import cul
from devices.wmbus.emulated.base import EmulatedStick, Fault

_END: Final = b"\r\n"
_LONGEST: Final = 64
_HEARS: Final = {
    "brt": frozenset({RadioMode.T1}),
    "brc": frozenset({RadioMode.C1_A, RadioMode.C1_B}),
    "brs": frozenset({RadioMode.S1}),
}
_NAMES: Final = {RadioMode.C1_B: "C1B"}


class EmulatedCul(EmulatedStick):
    """A CUL between a line and an antenna.

    Attributes:
        version: as it says it.
        limit: octets of a telegram, CRCs included, that it can carry: longer ones are cut, a classic nanoCUL's
            limit is 148; None: it carries all.
        mode: command that chose it, empty: it does not listen.
        strength: whether LQI and strength follow telegrams.
    """

    line: ClassVar[LineSettings] = LineSettings(38_400)

    def __init__(
        self,
        clock: Clock,
        port: BytePort,
        antenna: Antenna,
        rng: random.Random | None = None,
        *,
        version: str = "V 1.67 nanoCUL868",
        limit: int | None = cul.LONGEST_CLASSIC,
    ) -> None:
        """As EmulatedStick; `version` and `limit` as the attributes."""
        self.version = version
        self.limit = limit
        super().__init__(clock, port, antenna, rng)

    def _start(self) -> None:
        self.mode = ""
        self.strength = False
        self._reporting = False
        self._typed = bytearray()

    def _hears(self) -> frozenset[RadioMode]:
        return _HEARS.get(self.mode, frozenset()) if self._reporting else frozenset()

    def _tell(self, reception: Reception, strength_dbm: float) -> bytes:
        form = FrameFormat.B if reception.mode is RadioMode.C1_B else FrameFormat.A
        strength = strength_dbm if self.strength else None
        try:
            line = cul.telegram_line(reception.telegram, _NAMES.get(reception.mode, ""), strength)
            size = air_octets(reception.telegram, form)
        except MbusError:
            return b""
        if self.limit is not None and size > self.limit:
            line = line[: 2 * self.limit]  # behind b or bY an odd number of digits is left
        return line.encode("ascii") + _END

    def _host_said(self, octets: bytes) -> None:
        for octet in octets:
            if octet in _END:
                typed, self._typed = self._typed.decode("latin-1"), bytearray()
                if typed:
                    self._command(typed)
            elif len(self._typed) < _LONGEST:
                self._typed.append(octet)

    def _command(self, text: str) -> None:
        if text == cul.VERSION:
            self._answer(self.version)
        elif text in cul.MODES and Fault.FIRMWARE not in self.faults:
            self.mode = text
            self._answer(cul.MODES[text])
        elif text in (cul.START_PLAIN, cul.START_WITH_STRENGTH):
            self._reporting = True
            self.strength = text == cul.START_WITH_STRENGTH
        else:
            self._answer(f"? ({text} is unknown) Use one of V X")

    def _answer(self, text: str) -> None:
        self._say(text.encode("latin-1") + _END)
