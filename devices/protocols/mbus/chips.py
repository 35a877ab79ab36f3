"""Chips of wM-Bus on 868.95 MHz: mode T with its 3-of-6 code, mode C without a code (EN 13757-4).

On the air (lmn-wireless 2.3): preamble of ``01``, then 0000111101, together 543D at the end; mode T goes on with the
octets of a frame of format A, each half octet as six chips of which three are set, and a trailer. Mode C goes on with
54CD for format A or 543D for format B, and the octets as they are. One octet of chips here is one chip, 0 or 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from devices.protocols.mbus.errors import FrameError
from devices.protocols.mbus.link import FrameFormat, dress, octets_after_l, strip

SYMBOLS: Final = bytes.fromhex("160D0E0B1C191A132C25262334313229")
"""Six chips for each half octet, high one first."""
LEAST_PREAMBLE: Final = 19
"""Pairs 01 in front of the sync word of mode T."""
C_PREAMBLE: Final = 16
"""Pairs 01 of mode C (assumed)."""
TRAILER: Final = 2
"""Chips behind a frame of mode T, 2 to 8."""


class ChipMode(Enum):
    """How a frame is put into chips."""

    T = "T"
    C_A = "C, format A"
    C_B = "C, format B"

    @property
    def form(self) -> FrameFormat:
        """Frame format of the octets."""
        return FrameFormat.B if self is ChipMode.C_B else FrameFormat.A


def unpack(octets: bytes) -> bytes:
    """Chips of whole octets, high bit first: two octets of 0 and 1 make sixteen chips."""
    return b"".join([_NRZ[octet] for octet in octets])


def pack(chips: bytes) -> bytes:
    """Whole octets of chips, high bit first; zeros are filled up at the end."""
    filled = chips + bytes(-len(chips) % 8)
    return bytes(
        sum(chip << 7 - place for place, chip in enumerate(filled[at : at + 8])) for at in range(0, len(filled), 8)
    )


_BITS: Final = b"\x00\x01"
_NRZ: Final = tuple(bytes(octet >> shift & 1 for shift in range(7, -1, -1)) for octet in range(256))
_SIX: Final = tuple(_NRZ[symbol][2:] for symbol in SYMBOLS)
_CODED: Final = tuple(_SIX[octet >> 4] + _SIX[octet & 0x0F] for octet in range(256))
_SYNC_TAIL: Final = bytes(map(int, "0000111101"))
_SYNC: Final = unpack(b"\x54\x3d")
_MARKS: Final = {unpack(b"\x54\xcd"): ChipMode.C_A, unpack(b"\x54\x3d"): ChipMode.C_B}
_MARK_OF: Final = {mode: chips for chips, mode in _MARKS.items()}
_MARK_CHIPS: Final = 16
_DECODED: Final[dict[ChipMode, dict[bytes, int]]] = {
    ChipMode.T: {chips: octet for octet, chips in enumerate(_CODED)},
    ChipMode.C_A: {chips: octet for octet, chips in enumerate(_NRZ)},
    ChipMode.C_B: {chips: octet for octet, chips in enumerate(_NRZ)},
}
_PER_OCTET: Final = {ChipMode.T: 12, ChipMode.C_A: 8, ChipMode.C_B: 8}


def three_of_six(octets: bytes) -> bytes:
    """Octets in the code of mode T: twelve chips each."""
    return b"".join([_CODED[octet] for octet in octets])


def encode_chips(stripped: bytes, mode: ChipMode, *, preamble: int | None = None, trailer: int = TRAILER) -> bytes:
    """Everything that a sender puts on the air for one stripped frame.

    Args:
        stripped: the frame.
        mode: how.
        preamble: pairs 01 in front of the sync word; None: as few as the mode allows.
        trailer: alternating chips behind a frame of mode T.

    Raises FrameError for what is no frame, or too long for format B.
    """
    least = LEAST_PREAMBLE if mode is ChipMode.T else C_PREAMBLE
    lead = bytes((0, 1)) * (least if preamble is None else preamble) + _SYNC_TAIL
    octets = dress(stripped, mode.form)
    if mode is ChipMode.T:
        coded = three_of_six(octets)
        tail = bytes((coded[-1] ^ 1 ^ place & 1) for place in range(trailer))
        return lead + coded + tail
    return lead + _MARK_OF[mode] + unpack(octets)


@dataclass(frozen=True, slots=True)
class Caught:
    """A frame that was found in a stream of chips.

    Attributes:
        stripped: its octets without CRCs; they were right.
        mode: how it was sent.
        offset: chips of the stream in front of its sync word.
    """

    stripped: bytes
    mode: ChipMode
    offset: int


class ChipReceiver:
    """Finds frames of modes T and C in a stream of chips. Never raises for chips of 0 and 1, and holds no more than the
    longest frame between calls.

    Whatever begins like a frame and is none costs nothing: the search goes on one chip behind its sync word's begin.
    """

    def __init__(self) -> None:
        self._chips = b""
        self._offset = 0
        self._locked = False
        self._mode: ChipMode | None = None
        self._octets = bytearray()
        self._next = 0

    def feed(self, chips: bytes) -> list[Caught | FrameError]:
        """Frames and damaged frames in the order of the stream; an error's offset counts chips since the begin.

        Raises ValueError for what is no chip, before anything of it is taken.
        """
        if chips.translate(None, _BITS):
            raise ValueError("chips are octets of 0 and 1")
        self._chips += chips
        found: list[Caught | FrameError] = []
        while self._locked or self._search():
            outcome = self._read()
            if outcome is None:
                break
            self._settle(outcome, found)
        return found

    def idle(self) -> list[Caught | FrameError]:
        """The carrier is gone: give up an unfinished frame and look for others in what arrived of it."""
        found: list[Caught | FrameError] = []
        while self._locked or self._search():
            outcome = self._read() or FrameError("the frame is cut", self._offset)
            self._settle(outcome, found)
        self._drop(len(self._chips))
        return found

    def _search(self) -> bool:
        at = self._chips.find(_SYNC)
        if at < 0:
            self._drop(max(0, len(self._chips) - len(_SYNC) + 1))
            return False
        self._drop(at)
        self._locked, self._mode, self._next = True, None, len(_SYNC)
        self._octets.clear()
        return True

    def _drop(self, count: int) -> None:
        self._chips = self._chips[count:]
        self._offset += count

    def _settle(self, outcome: Caught | FrameError, found: list[Caught | FrameError]) -> None:
        found.append(outcome)
        self._locked = False
        self._drop(self._next if isinstance(outcome, Caught) else 1)

    def _read(self) -> Caught | FrameError | None:
        """Go on with the frame that was begun; None: chips are missing."""
        mode = self._mode or self._mode_of()
        if mode is None:
            return None
        table, step, chips = _DECODED[mode], _PER_OCTET[mode], self._chips
        while self._next + step <= len(chips):
            octet = table.get(chips[self._next : self._next + step])
            if octet is None:
                return FrameError("six chips are no symbol of the 3-of-6 code", self._offset)
            self._octets.append(octet)
            self._next += step
            following = octets_after_l(self._octets[0], mode.form)
            if following is None:
                return FrameError(f"no frame has L {self._octets[0]}", self._offset)
            if len(self._octets) == 1 + following:
                return self._finish(mode)
        return None

    def _mode_of(self) -> ChipMode | None:
        start = len(_SYNC)
        mark = self._chips[start : start + _MARK_CHIPS]
        if len(mark) < _MARK_CHIPS:
            return None
        self._mode = _MARKS.get(mark, ChipMode.T)
        self._next = start if self._mode is ChipMode.T else start + _MARK_CHIPS
        return self._mode

    def _finish(self, mode: ChipMode) -> Caught | FrameError:
        try:
            return Caught(strip(bytes(self._octets), mode.form), mode, self._offset)
        except FrameError as error:
            return FrameError(error.reason, self._offset)
