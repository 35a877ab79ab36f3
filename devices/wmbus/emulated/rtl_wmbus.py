"""An emulated rtl_wmbus: its lines on a port, with bad telegrams and comments in between (lmn-wireless 5.5)."""

from __future__ import annotations

from typing import ClassVar, Final

from devices.ports.base import LineSettings
from devices.ports.radio import RadioMode, Reception
from devices.protocols.wmbus_sticks.rtl_wmbus import line
from devices.wmbus.emulated.base import FROM_METERS, EmulatedStick, Fault

_NAMES: Final = {RadioMode.T1: "T1", RadioMode.C1_A: "C1", RadioMode.C1_B: "C1"}


class EmulatedRtlWmbus(EmulatedStick):
    """The output of rtl_wmbus for what an antenna hears.

    Fault.CHECKSUM marks telegrams as bad, as the program does with those that came damaged; Fault.FIRMWARE puts
    words of a driver between the lines.
    """

    line: ClassVar[LineSettings] = LineSettings(115_200)

    def _start(self) -> None:
        """There is nothing to start."""

    def _host_said(self, octets: bytes) -> None:
        """Nobody talks to it."""

    def _hears(self) -> frozenset[RadioMode]:
        return FROM_METERS

    def _tell(self, reception: Reception, strength_dbm: float) -> bytes:
        level = max(0, min(255, round(strength_dbm) + 160))
        good = Fault.CHECKSUM not in self.faults
        text = line(reception.telegram, _NAMES[reception.mode], self._clock.now(), level, good=good)
        if Fault.FIRMWARE in self.faults:
            text = f"# Found Rafael Micro R820T tuner\n{text}"
        return text.encode("ascii") + b"\n"
