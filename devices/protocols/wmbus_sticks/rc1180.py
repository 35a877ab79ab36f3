"""The Radiocrafts RC1180-MBUS: telegrams on the line, the configuration mode with its prompt (lmn-wireless 5.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from devices.protocols.wmbus_sticks.errors import StickError
from devices.protocols.wmbus_sticks.length_prefixed import implausible, split
from devices.protocols.wmbus_sticks.scanner import Heard, Noise, Scanner

ENTER: Final = b"\x00"
PROMPT: Final = b">"
LEAVE: Final = b"X"
DUMP: Final = b"0"
MEMORY: Final = b"M"
MEMORY_END: Final = 0xFF
MODE: Final = b"G"
C_FIELD_COMMAND: Final = b"F"

REGISTERS: Final = 256
DUMP_SIZE: Final = REGISTERS + 1
"""Registers and the prompt."""

REG_MODE: Final = 0x03
REG_RSSI: Final = 0x05
REG_ADDRESS: Final = 0x19
"""M (2), id (4), version, type; M and id with the high octet first."""
REG_BAUDRATE: Final = 0x30
REG_INTERFACE: Final = 0x36
REG_C: Final = 0x3B
REG_INSTALL: Final = 0x3D
HEAR_ALL: Final = 2
"""Of REG_INSTALL: not only bound meters."""
BAUDRATE_19200: Final = 5

MODES_MBUS3: Final[Mapping[int, str]] = {
    0x00: "S2",
    0x01: "T1",
    0x02: "T2",
    0x03: "S1",
    0x08: "C2",
    0x09: "C1",
    0x0A: "T1+C",
    0x0B: "T2+C",
}
MODES_OLD: Final[Mapping[int, str]] = {0x00: "S1", 0x01: "T1"}
MODE_T1: Final = 0x01
MODE_C_AND_T: Final = 0x0A


@dataclass(frozen=True, slots=True)
class Reply:
    """What came in configuration mode until the line fell silent.

    Attributes:
        octets: as they came.
    """

    octets: bytes

    @property
    def ready(self) -> bool:
        """Whether the module waits for the next command."""
        return self.octets.endswith(PROMPT)


class RcScanner(Scanner[Heard | Reply]):
    """Finds telegrams in what the module sends, and in configuration mode its replies.

    A reply has no length: it is over when the line falls silent (`silence`).

    Attributes:
        rssi: L counts an octet of strength behind the telegram.
        configuring: replies are awaited, not telegrams.
    """

    longest = 4 * DUMP_SIZE
    """Octets of a reply at most."""

    def __init__(self, *, rssi: bool = False) -> None:
        super().__init__()
        self.rssi = rssi
        self.configuring = False

    def silence(self) -> list[Heard | Reply | Noise]:
        """As in Scanner; in configuration mode what waits is a reply."""
        if not self.configuring or not self._waiting:
            return super().silence()
        octets = bytes(self._waiting)
        self._waiting.clear()
        return [Reply(octets)]

    def _look(self, octets: bytes, start: int) -> tuple[int, Heard | Reply | str | None]:
        if self.configuring:
            size = len(octets) - start
            return (size, "a reply without end") if size > self.longest else (0, None)
        if why := implausible(octets, start, rssi=self.rssi):
            return 1, why
        end = start + 1 + octets[start]
        if len(octets) < end:
            return 0, None
        telegram, strength = split(octets[start:end], rssi=self.rssi)
        return end - start, Heard(telegram, None if strength is None else dbm(strength))


def dbm(rssi: int) -> float:
    """-r/2 (assumed, as the maker's modules count it elsewhere)."""
    return -rssi / 2


def rssi_octet(strength_dbm: float) -> int:
    """The reverse of `dbm`."""
    return max(0, min(255, round(-strength_dbm * 2)))


def dump(reply: Reply) -> bytes:
    """The registers in the reply to DUMP; the octet at index n is register n.

    What was on its way when the module was asked may stand before them. Raises StickError for too few octets.
    """
    if len(reply.octets) < DUMP_SIZE or not reply.ready:
        raise StickError(f"a dump has {DUMP_SIZE} octets with the prompt, not {len(reply.octets)}")
    return reply.octets[-DUMP_SIZE:-1]


def link_address(registers: bytes) -> bytes:
    """The module's own address as it stands in telegrams: M, id, version, type. Raises StickError for no dump."""
    if len(registers) != REGISTERS:
        raise StickError(f"there are {REGISTERS} registers, not {len(registers)}")
    stored = registers[REG_ADDRESS : REG_ADDRESS + 8]
    return stored[:2][::-1] + stored[2:6][::-1] + stored[6:]


def address_registers(link_octets: bytes) -> dict[int, int]:
    """Register -> value for an address as it stands in telegrams. Raises StickError for what are not 8 octets."""
    if len(link_octets) != 8:
        raise StickError(f"an address has 8 octets, not {len(link_octets)}")
    stored = link_octets[:2][::-1] + link_octets[2:6][::-1] + link_octets[6:]
    return dict(enumerate(stored, REG_ADDRESS))


def memory_write(values: Mapping[int, int]) -> bytes:
    """What follows MEMORY: pairs of register and value, then the end. Raises StickError for register FF."""
    if any(not 0 <= register < MEMORY_END or not 0 <= value <= 0xFF for register, value in values.items()):
        raise StickError("registers are 00 to FE, values octets")
    pairs = b"".join(bytes(pair) for pair in values.items())
    return pairs + bytes((MEMORY_END,))
