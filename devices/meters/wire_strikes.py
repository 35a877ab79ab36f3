"""What single faults do to what a meter says on the bus (lmn-wired 6).

A strike takes one saying and gives those that go out in its place: none, one, or several. None means that the fault
has nothing to do with this saying. Frames are changed first, then octets, then times, so that faults can be combined.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from devices.protocols.crc import x25
from devices.protocols.hdlc import FIRST_METER, ID_LENGTH, LAST_METER, MAX_LENGTH, Control, Frame, FrameKind

_HEAD = 8
"""Octets up to and with the control octet, flag included."""
_CHECKED_HEAD = 10
"""The same with the header check sequence."""
_SHORTEST = 11
_NUMBERED = (FrameKind.I, FrameKind.RR, FrameKind.RNR)


@dataclass(frozen=True, slots=True)
class Saying:
    """Something that goes on the bus.

    Attributes:
        frame: what it is, or was before its octets were changed.
        octets: what is sent.
        after_s: when, in seconds from now.
        alien: whether another driver sends it, over what the meter itself sends.
    """

    frame: Frame
    octets: bytes
    after_s: float
    alien: bool = False

    @classmethod
    def of(cls, frame: Frame, after_s: float) -> Saying:
        """A frame as it should be."""
        return cls(frame, frame.to_bytes(), after_s)


class Speaker(Protocol):
    """What a fault needs to know of the meter, and may do to it.

    Attributes:
        rng: where chance comes from.
    """

    rng: random.Random

    @property
    def slot_s(self) -> float:
        """Pitch of the slots of a presence check."""

    @property
    def server_id(self) -> bytes:
        """Octets of its id."""

    @property
    def others(self) -> Sequence[int]:
        """Addresses in the gateway's last list that are not its own."""

    def adopt(self, address: int) -> None:
        """It listens to this address from now on."""

    def wire_s(self, octets: int) -> float:
        """How long so many octets take on the bus."""

    def restart_in(self, seconds: float) -> None:
        """It restarts after this time."""


Values = Mapping[str, Any]
Struck = Sequence[Saying] | None


# --- instead of the frame


def silence(_saying: Saying, _speaker: Speaker, _values: Values) -> Struck:
    """Nothing is said."""
    return ()


def not_ready(saying: Saying, _speaker: Speaker, _values: Values) -> Struck:
    """RNR in place of RR and I."""
    if saying.frame.control.kind not in (FrameKind.RR, FrameKind.I):
        return None
    return _instead(saying, Control(FrameKind.RNR, True, 0, saying.frame.control.nr))


def rejected(saying: Saying, _speaker: Speaker, _values: Values) -> Struck:
    """FRMR."""
    return _instead(saying, Control(FrameKind.FRMR))


def disconnected(saying: Saying, _speaker: Speaker, _values: Values) -> Struck:
    """DM."""
    return _instead(saying, Control(FrameKind.DM))


def connected(saying: Saying, _speaker: Speaker, _values: Values) -> Struck:
    """UA."""
    return _instead(saying, Control(FrameKind.UA))


def _instead(saying: Saying, control: Control) -> Struck:
    if saying.frame.control.kind is FrameKind.UI:
        return None
    return (_changed(saying, control=control, information=b"", segmented=False),)


def _changed(saying: Saying, **fields: Any) -> Saying:
    return Saying.of(replace(saying.frame, **fields), saying.after_s)


# --- another frame


def duplicate_address(saying: Saying, speaker: Speaker, values: Values) -> Struck:
    """The record names an address that is in use, and the meter listens to it."""
    frame = saying.frame
    address = values["address"] if values["address"] is not None else next(iter(speaker.others), None)
    if frame.control.kind is not FrameKind.UI or address is None:
        return None
    speaker.adopt(address)
    return (_changed(saying, source=address, information=bytes((address,)) + frame.information[1:]),)


def foreign_address(saying: Saying, speaker: Speaker, values: Values) -> Struck:
    """Somebody else's source address."""
    address = values["address"]
    if address is None:
        own = saying.frame.source
        address = next(iter(speaker.others), own + 1 if own < LAST_METER else FIRST_METER)
    return (_changed(saying, source=address),)


def wrong_id(saying: Saying, speaker: Speaker, values: Values) -> Struck:
    """The record carries another server id; a sensor id that repeats the server id goes with it."""
    frame = saying.frame
    if frame.control.kind is not FrameKind.UI or values["where"] == "list":
        return None
    own, other = (one.ljust(ID_LENGTH, b"\0") for one in (speaker.server_id, claimed_id(speaker.server_id, values)))
    return (_changed(saying, information=frame.information.replace(own, other)),)


def claimed_id(server_id: bytes, values: Values) -> bytes:
    """The id that is told in place of the right one: the given one, or the serial number of the next meter."""
    given: bytes | None = values["id"]
    return given if given is not None else server_id[:-1] + bytes((server_id[-1] ^ 1,))


def wrong_nr(saying: Saying, _speaker: Speaker, values: Values) -> Struck:
    """The number of the frame awaited is wrong."""
    control = saying.frame.control
    if control.kind not in _NUMBERED:
        return None
    return (_changed(saying, control=replace(control, nr=(control.nr + values["by"]) % 8)),)


def wrong_ns(saying: Saying, _speaker: Speaker, values: Values) -> Struck:
    """The send number is wrong."""
    control = saying.frame.control
    if control.kind is not FrameKind.I:
        return None
    return (_changed(saying, control=replace(control, ns=(control.ns + values["by"]) % 8)),)


def segmented(saying: Saying, _speaker: Speaker, _values: Values) -> Struck:
    """The segmentation bit is set though nothing follows."""
    return None if saying.frame.segmented else (_changed(saying, segmented=True),)


def wrong_selector(saying: Saying, _speaker: Speaker, values: Values) -> Struck:
    """Another protocol selector in both addresses."""
    return (_changed(saying, selector=values["selector"]),)


# --- other octets


def unknown_control(saying: Saying, _speaker: Speaker, values: Values) -> Struck:
    """A control octet that nobody knows, under good check sequences."""
    if len(saying.octets) < _SHORTEST:
        return None
    octets = bytearray(saying.octets)
    octets[_HEAD - 1] = values["octet"]
    return _octets(saying, _sealed(octets))


def length_lie(saying: Saying, _speaker: Speaker, values: Values) -> Struck:
    """The length field is wrong; the check sequences are those of the wrong header."""
    if len(saying.octets) < _SHORTEST:
        return None
    octets = bytearray(saying.octets)
    form = octets[1] << 8 | octets[2]
    form = form & ~MAX_LENGTH | (form + values["by"]) & MAX_LENGTH
    octets[1:3] = form.to_bytes(2, "big")
    return _octets(saying, _sealed(octets))


def flipped_hcs(saying: Saying, speaker: Speaker, values: Values) -> Struck:
    """One bit of the header check sequence is wrong; frames without information have none."""
    if not saying.frame.information or len(saying.octets) < _CHECKED_HEAD:
        return None
    return _octets(saying, _flipped(saying.octets, _HEAD, 2, speaker, values))


def flipped_fcs(saying: Saying, speaker: Speaker, values: Values) -> Struck:
    """One bit of the frame check sequence is wrong."""
    if len(saying.octets) < _SHORTEST:
        return None
    return _octets(saying, _flipped(saying.octets, len(saying.octets) - 3, 2, speaker, values))


def flipped_information(saying: Saying, speaker: Speaker, values: Values) -> Struck:
    """One bit of the information is wrong; the frame check sequence tells, unless it is mended."""
    size = len(saying.octets) - _CHECKED_HEAD - 3
    if not saying.frame.information or size < 1:
        return None
    octets = _flipped(saying.octets, _CHECKED_HEAD, size, speaker, values)
    return _octets(saying, _sealed(bytearray(octets)) if values["mended"] else octets)


def cut_frame(saying: Saying, _speaker: Speaker, values: Values) -> Struck:
    """The frame breaks off."""
    keep = values["keep"] if values["keep"] is not None else len(saying.octets) // 2
    return _octets(saying, saying.octets[:keep])


def no_closing_flag(saying: Saying, _speaker: Speaker, _values: Values) -> Struck:
    """The last flag is missing."""
    return _octets(saying, saying.octets[:-1])


def noise(saying: Saying, speaker: Speaker, values: Values) -> Struck:
    """Octets of chance before the frame, flags not among them."""
    drawn = bytes(speaker.rng.choice(_NO_FLAGS) for _ in range(values["octets"]))
    return _octets(saying, drawn + saying.octets)


_NO_FLAGS = bytes(octet for octet in range(256) if octet != 0x7E)


def _octets(saying: Saying, octets: bytes) -> Struck:
    return (replace(saying, octets=bytes(octets)),)


def _sealed(octets: bytearray) -> bytes:
    """The same with good check sequences."""
    octets[_HEAD:_CHECKED_HEAD] = x25(octets[1:_HEAD]).to_bytes(2, "little")
    if len(octets) > _SHORTEST:
        octets[-3:-1] = x25(octets[1:-3]).to_bytes(2, "little")
    return bytes(octets)


def _flipped(octets: bytes, first: int, size: int, speaker: Speaker, values: Values) -> bytes:
    bit = values["bit"]
    bit = speaker.rng.randrange(8 * size) if bit is None else bit % (8 * size)
    changed = bytearray(octets)
    changed[first + bit // 8] ^= 1 << bit % 8
    return bytes(changed)


# --- at other times


def late_answer(saying: Saying, _speaker: Speaker, values: Values) -> Struck:
    """The answer comes later, though the gateway may have asked anew."""
    return (replace(saying, after_s=saying.after_s + values["by_s"]),)


def out_of_slot(saying: Saying, speaker: Speaker, values: Values) -> Struck:
    """The answer to a broadcast comes in the time of another slot."""
    if saying.frame.control.kind is not FrameKind.UI:
        return None
    return (replace(saying, after_s=max(0.0, saying.after_s + values["by_slots"] * speaker.slot_s)),)


def collision(saying: Saying, speaker: Speaker, values: Values) -> Struck:
    """Somebody else answers at the same time; what is on the wire then is neither."""
    own = saying.frame.source
    other = Saying.of(
        replace(saying.frame, source=next(iter(speaker.others), own + 1 if own < LAST_METER else FIRST_METER)),
        saying.after_s + values["by_s"],
    )
    return saying, replace(other, alien=True)


def double_answer(saying: Saying, speaker: Speaker, values: Values) -> Struck:
    """The same frame again behind itself."""
    again = saying.after_s + speaker.wire_s(len(saying.octets)) + values["gap_s"]
    return saying, replace(saying, after_s=again)


def slow_octets(saying: Saying, speaker: Speaker, values: Values) -> Struck:
    """A pause within the frame."""
    behind = values["behind"] if values["behind"] is not None else len(saying.octets) // 2
    first, second = saying.octets[:behind], saying.octets[behind:]
    if not first or not second:
        return None
    later = saying.after_s + speaker.wire_s(len(first)) + values["pause_s"]
    return replace(saying, octets=first), replace(saying, octets=second, after_s=later)


def restart_in_session(saying: Saying, speaker: Speaker, _values: Values) -> Struck:
    """The meter restarts as soon as it has said this."""
    speaker.restart_in(saying.after_s + speaker.wire_s(len(saying.octets)))
    return (saying,)
