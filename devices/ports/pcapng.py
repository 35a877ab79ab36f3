"""Bus traces as pcapng: a writer that may be killed at any instant, and a reader that copes with what is left.

Format: draft-ietf-opsawg-pcapng, "PCAP Next Generation (pcapng) Capture File Format".
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Literal

from devices.errors import BenchError
from devices.ports.base import Direction

LINKTYPE_ETHERNET = 1
LINKTYPE_USER0 = 147
"""Reserved for private use; the bench stores octets of the meter bus (HDLC with flags) under it."""

_SECTION, _INTERFACE, _SIMPLE, _PACKET = 0x0A0D0D0A, 1, 3, 6
_MAGIC = 0x1A2B3C4D
_COMMENT, _END = 1, 0
_SHB_APPLICATION = 4
_IF_NAME, _IF_TSRESOL, _IF_TSOFFSET = 2, 9, 14
_EPB_FLAGS = 2
_FLAGS: dict[Direction, int] = {"in": 1, "out": 2}
_DIRECTIONS: dict[int, Direction] = {value: key for key, value in _FLAGS.items()}
_NS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST_BLOCK = 1 << 24
"""Octets; a block that claims more is taken for damage."""


class PcapngError(ValueError):
    """What is read is no pcapng, or damaged before its end.

    Attributes:
        offset: octets from the start of the file to the block that is wrong.
    """

    def __init__(self, reason: str, offset: int) -> None:
        self.offset = offset
        super().__init__(f"{reason} (at octet {offset})")


@dataclass(frozen=True, slots=True)
class Interface:
    """A place where was listened.

    Attributes:
        name: of the port tapped, None when the file does not say.
        link_type: what the octets are (tcpdump.org/linktypes.html).
        ticks_per_second: resolution of its time stamps.
        offset_s: seconds to be added to them.
    """

    name: str | None
    link_type: int
    ticks_per_second: int = 1_000_000
    offset_s: int = 0


@dataclass(frozen=True, slots=True)
class Packet:
    """Octets that passed an interface.

    Attributes:
        t_ns: nanoseconds since 1970-01-01 UTC, None when the block has no time stamp.
        data: the octets.
        interface: where.
        direction: seen from the holder of the port, None when unknown.
        comments: what was written beside it.
        original_length: octets on the wire; more than ``len(data)`` when cut short.
    """

    t_ns: int | None
    data: bytes
    interface: Interface
    direction: Direction | None
    comments: tuple[str, ...]
    original_length: int

    @property
    def t(self) -> datetime | None:
        """Time stamp in UTC, cut to microseconds."""
        return None if self.t_ns is None else _EPOCH + timedelta(microseconds=self.t_ns // 1000)


@dataclass(slots=True)
class Capture:
    """What a file holds.

    Attributes:
        application: program that wrote the first section.
        comments: of the first section.
        interfaces: of all sections in order.
        packets: in the order of the file.
        torn: whether the file ends inside a block, as after a kill.
    """

    application: str | None = None
    comments: tuple[str, ...] = ()
    interfaces: list[Interface] = field(default_factory=list)
    packets: list[Packet] = field(default_factory=list)
    torn: bool = False


class PcapngWriter:
    """Writes a trace as it happens: every packet is one write to the operating system, so that a killed bench
    leaves a file that every reader understands. Use as a context manager. Raises BenchError when the disk is full
    or the file cannot be made.

    Attributes:
        path: of the file.
        link_type: of interfaces that are not given one of their own.
    """

    def __init__(
        self,
        path: Path | str,
        link_type: int = LINKTYPE_USER0,
        interfaces: Sequence[str] = (),
        *,
        application: str = "smgw-bench",
        comment: str | None = None,
    ) -> None:
        self.path = Path(path)
        self.link_type = link_type
        self._file: BinaryIO
        try:
            self._file = self.path.open("wb", buffering=0)
        except OSError as error:
            raise BenchError(f"the trace {path} cannot be written: {error.strerror}") from error
        self._numbers: dict[str, int] = {}
        options = _texts(_COMMENT, comment) + _texts(_SHB_APPLICATION, application)
        try:
            self._put(_SECTION, struct.pack("<IHHq", _MAGIC, 1, 0, -1) + _finished(options))
            for name in interfaces:
                self.add_interface(name)
        except BenchError:
            self._file.close()
            raise

    def add_interface(self, name: str, link_type: int | None = None) -> None:
        """Declare an interface; one that is known already stays as it is. Time stamps have 1 ns resolution."""
        if name in self._numbers:
            return
        options = _texts(_IF_NAME, name) + _option(_IF_TSRESOL, b"\x09")
        kind = self.link_type if link_type is None else link_type
        self._put(_INTERFACE, struct.pack("<HHI", kind, 0, 0) + _finished(options))
        self._numbers[name] = len(self._numbers)

    def write(
        self,
        t: datetime,
        data: bytes,
        direction: Direction | None = None,
        interface: str | None = None,
        *,
        comment: str | None = None,
    ) -> None:
        """Store one packet.

        Args:
            t: aware datetime, microseconds are kept exactly.
            data: the octets as they passed.
            direction: ``in`` or ``out``, seen from the holder of the port; None: unknown.
            interface: name; default: the first one. A new name is declared on the way.
            comment: shown beside the packet by readers.
        """
        if t.tzinfo is None:
            raise ValueError("a packet needs an aware datetime (UTC)")
        name = interface if interface is not None else next(iter(self._numbers), "port")
        self.add_interface(name)
        ticks = (t - _EPOCH) // timedelta(microseconds=1) * 1000
        head = struct.pack("<IIIII", self._numbers[name], ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
        options = _texts(_COMMENT, comment)
        if direction is not None:
            options += _option(_EPB_FLAGS, struct.pack("<I", _FLAGS[direction]))
        self._put(_PACKET, head + _padded(data) + (_finished(options) if options else b""))

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._file.close()

    def __enter__(self) -> PcapngWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _put(self, kind: int, body: bytes) -> None:
        length = struct.pack("<I", 12 + len(body))
        block = struct.pack("<I", kind) + length + body + length
        try:
            while block:
                block = block[self._file.write(block) :]
        except OSError as error:
            raise BenchError(f"the trace {self.path} cannot be written: {error.strerror}") from error


def read_pcapng(path: Path | str) -> Capture:
    """Read a capture of any byte order; unknown blocks are passed over, a torn last block is noted and left out.

    Raises:
        PcapngError: no pcapng, or damaged in the middle.
        OSError: the file cannot be read.
    """
    return parse_pcapng(Path(path).read_bytes())


def parse_pcapng(data: bytes) -> Capture:
    """The same for octets in memory."""
    reader = _Reader(data)
    reader.run()
    return reader.capture


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.capture = Capture()
        self._data = data
        self._order: Literal["<", ">"] = "<"
        self._interfaces: list[Interface] = []
        self._sections = 0

    def run(self) -> None:
        offset = 0
        while offset < len(self._data):
            head = self._data[offset : offset + 12]
            self._check_start(head, offset)
            if len(head) < 12:
                self.capture.torn = True
                return
            kind, length = struct.unpack(self._order + "II", head[:8])
            if length % 4 or not 12 <= length <= _LARGEST_BLOCK:
                raise PcapngError(f"a block of {length} octets", offset)
            block = self._data[offset : offset + length]
            if len(block) < length:
                self.capture.torn = True
                return
            if block[-4:] != head[4:8]:
                raise PcapngError("the two lengths of a block differ", offset)
            try:
                self._block(kind, block[8:-4])
            except (struct.error, IndexError) as error:
                raise PcapngError(f"block of type {kind:#x} is too short", offset) from error
            offset += length

    def _check_start(self, head: bytes, offset: int) -> None:
        section = struct.pack("<I", _SECTION)
        if offset == 0 and not section.startswith(head[:4]):
            raise PcapngError("no pcapng: it does not start with a section header", 0)
        if head[:4] != section or len(head) < 12:
            return
        orders: dict[bytes, Literal["<", ">"]] = {
            struct.pack("<I", _MAGIC): "<",
            struct.pack(">I", _MAGIC): ">",
        }
        order = orders.get(head[8:12])
        if order is None:
            raise PcapngError("a section header without its byte-order mark", offset)
        self._order = order

    def _block(self, kind: int, body: bytes) -> None:
        if kind == _SECTION:
            self._section(body)
        elif kind == _INTERFACE:
            self._interface(body)
        elif kind == _PACKET:
            self._packet(body)
        elif kind == _SIMPLE:
            interface = self._interfaces[0]
            (length,) = struct.unpack_from(self._order + "I", body)
            self.capture.packets.append(Packet(None, body[4 : 4 + length], interface, None, (), length))

    def _section(self, body: bytes) -> None:
        struct.unpack_from(self._order + "IHHq", body)
        self._interfaces = []
        self._sections += 1
        if self._sections == 1:
            options = self._options(body[16:])
            self.capture.comments = _all_texts(options, _COMMENT)
            self.capture.application = next(iter(_all_texts(options, _SHB_APPLICATION)), None)

    def _interface(self, body: bytes) -> None:
        link_type, _, _ = struct.unpack_from(self._order + "HHI", body)
        options = self._options(body[8:])
        values = dict(options)
        exponent = (values.get(_IF_TSRESOL) or b"\x06")[0]
        ticks = 2 ** (exponent & 0x7F) if exponent & 0x80 else 10**exponent
        raw_offset = values.get(_IF_TSOFFSET, bytes(8))
        (offset_s,) = struct.unpack_from(self._order + "q", raw_offset)
        name = next(iter(_all_texts(options, _IF_NAME)), None)
        interface = Interface(name, link_type, ticks, offset_s)
        self._interfaces.append(interface)
        self.capture.interfaces.append(interface)

    def _packet(self, body: bytes) -> None:
        number, high, low, captured, original = struct.unpack_from(self._order + "IIIII", body)
        if captured > len(body) - 20:
            raise IndexError(captured)
        interface = self._interfaces[number]
        options = self._options(body[20 + captured + -captured % 4 :])
        flags = next((value for code, value in options if code == _EPB_FLAGS), bytes(4))
        (word,) = struct.unpack_from(self._order + "I", flags)
        t_ns = ((high << 32) | low) * 1_000_000_000 // interface.ticks_per_second + interface.offset_s * 1_000_000_000
        self.capture.packets.append(
            Packet(
                t_ns,
                body[20 : 20 + captured],
                interface,
                _DIRECTIONS.get(word & 3),
                _all_texts(options, _COMMENT),
                original,
            )
        )

    def _options(self, data: bytes) -> list[tuple[int, bytes]]:
        found = []
        offset = 0
        while offset + 4 <= len(data):
            code, length = struct.unpack_from(self._order + "HH", data, offset)
            if code == _END:
                break
            value = data[offset + 4 : offset + 4 + length]
            if len(value) < length:
                raise IndexError(length)
            found.append((code, value))
            offset += 4 + length + -length % 4
        return found


def _all_texts(options: list[tuple[int, bytes]], wanted: int) -> tuple[str, ...]:
    return tuple(value.decode("utf-8", "replace") for code, value in options if code == wanted)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _texts(code: int, text: str | None) -> bytes:
    return b"" if text is None else _option(code, text.encode()[:0xFFFF])


def _finished(options: bytes) -> bytes:
    return options + struct.pack("<HH", _END, 0) if options else b""
