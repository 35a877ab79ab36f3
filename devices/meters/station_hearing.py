"""What the stations of a bus hear: whole frames, read once for all of them, and whom these concern."""

from __future__ import annotations

from functools import lru_cache

from devices.protocols.hdlc import ALL_STATIONS, GATEWAY, Frame, HdlcError
from devices.rs485.bus import EVERYBODY, NOBODY, Transmit


@lru_cache(maxsize=64)
def whole(data: bytes) -> Frame | None:
    """The frame that `data` is exactly; the stations of a bus hear the same octets and share the work."""
    try:
        return Frame.from_bytes(data)
    except HdlcError:
        return None


@lru_cache(maxsize=64)
def concerned(data: bytes) -> int:
    """Whom octets on the bus concern: one whole frame of the gateway its addressee, one of a meter nobody, all else
    everybody, as it may leave a reader in the midst of something."""
    frame = whole(data)
    if frame is None or (frame.source == GATEWAY and frame.destination == ALL_STATIONS):
        return EVERYBODY
    return frame.destination if frame.source == GATEWAY else NOBODY


class Alien:
    """Somebody else on the bus, who only talks when a fault says so."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.transmit: Transmit

    def receive(self, data: bytes) -> None:
        """He does not listen."""
