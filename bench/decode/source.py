"""Where octets to be explained come from: a file or standard input, binary, as hexadecimal text or as a capture."""

from __future__ import annotations

import re
import sys
from bisect import bisect_right
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Final

from bench.decode.explanation import Damage
from devices.errors import UsageError
from devices.ports.pcapng import LINKTYPE_USER0, PcapngError, parse_pcapng

MAX_INPUT: Final = 64 * 2**20
"""Octets that are read at most."""

_PCAPNG = bytes.fromhex("0a0d0d0a")
_BOM = b"\xef\xbb\xbf"
_PREFIX = re.compile(rb"0[xX]|\\[xX]")
_SEPARATORS: Final = b" \t\r\n\f\v:,;|-"
_DIGITS: Final = b"0123456789abcdefABCDEF"


class MalformedInput(ValueError):
    """The input is of a kind that can be decoded, but nothing in it can be read; says where."""


@dataclass(frozen=True, slots=True)
class Source:
    """Octets and where they are from.

    Attributes:
        name: the file as the user named it.
        octets: what it holds, hexadecimal text turned into octets.
        packets: of a capture, the octet at which each transmission begins with its sender's remark.
        counting: what offsets count when it is not the octets of the file; else empty.
        damage: what is wrong with the end of the input, None when nothing is.
    """

    name: str
    octets: bytes
    packets: tuple[tuple[int, str], ...] = ()
    counting: str = ""
    damage: Damage | None = None

    def remark_at(self, offset: int) -> str:
        """What the capture says about the transmission that holds the octet at `offset`."""
        place = bisect_right(self.packets, offset, key=itemgetter(0))
        return self.packets[place - 1][1] if place else ""


def read_source(name: str, *, captures: bool = False) -> Source:
    """Read the file `name`, `-` for standard input.

    Raises UsageError when it cannot be read or is empty, MalformedInput when it is a capture that is damaged.

    Args:
        captures: whether a pcapng is taken apart.
    """
    octets = _read(name)
    if not octets:
        raise UsageError(f"{'standard input' if name == '-' else name} is empty", hint="octets to decode are due there")
    if octets.startswith(_PCAPNG):
        if not captures:
            raise UsageError(f"{name} is a pcapng capture", hint="use 'decode hdlc' for captures of the meter bus")
        return _capture(name, octets)
    return _from_text(name, octets)


def _read(name: str) -> bytes:
    try:
        if name == "-" and sys.stdin is None:
            raise UsageError("standard input is closed", hint="name a file, or let a program write into a pipe")
        if name == "-":
            octets = sys.stdin.buffer.read(MAX_INPUT + 1)
        else:
            with Path(name).open("rb") as file:
                octets = file.read(MAX_INPUT + 1)
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{name!r} is no file name: {error}") from error
    if len(octets) > MAX_INPUT:
        raise UsageError(f"{name} is longer than {MAX_INPUT // 2**20} MiB", hint="cut the part that matters out of it")
    return octets


def _from_text(name: str, octets: bytes) -> Source:
    """What hexadecimal text says; other octets as they are."""
    digits = _PREFIX.sub(b"", octets.removeprefix(_BOM)).translate(None, _SEPARATORS)
    whole = len(digits) // 2 * 2
    if not whole or digits.translate(None, _DIGITS):
        return Source(name, octets)
    damage = Damage(whole // 2, "the hexadecimal text ends within an octet") if whole < len(digits) else None
    counting = "offsets count octets, not characters of the hexadecimal text"
    return Source(name, bytes.fromhex(digits[:whole].decode("ascii")), (), counting, damage)


def _capture(name: str, octets: bytes) -> Source:
    try:
        capture = parse_pcapng(octets)
    except PcapngError as error:
        raise MalformedInput(str(error)) from error
    stream = bytearray()
    starts = []
    for packet in capture.packets:
        if packet.interface.link_type == LINKTYPE_USER0:
            starts.append((len(stream), " ".join(packet.comments)))
            stream += packet.data
    if not stream:
        raise UsageError(f"{name} holds no octets of the meter bus", hint="captures that the bench writes do")
    counting = "offsets count the octets on the bus, without what the capture adds"
    damage = Damage(len(stream), "the capture ends inside a packet") if capture.torn else None
    return Source(name, bytes(stream), tuple(starts), counting, damage)
