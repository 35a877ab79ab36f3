"""A small meter for tests of the gateway, hand-written from the fact sheet (lmn-wired 1, 4), with faults to order."""

from __future__ import annotations

from collections.abc import Callable

from devices.clock import Clock
from devices.ports.base import BytePort
from devices.protocols.hdlc import (
    ALL_STATIONS,
    GATEWAY,
    Control,
    Frame,
    FrameKind,
    FrameReader,
    StationRecord,
    decode_records,
)
from devices.protocols.sml.messages import (
    CloseResponse,
    GetListResponse,
    ListEntry,
    Message,
    OpenResponse,
    encode_messages,
)
from devices.protocols.sml.obis import parse_obis
from devices.protocols.sml.server_id import server_id
from devices.protocols.sml.transport import encode_file

BASE_STATUS = 0x1C0104  # base meter, load present, three phases: as in a public dump (lmn-wired 4.4)


class SmallMeter:
    """One meter: chooses its address when invited, answers checks in its slot, gives its registers when asked."""

    def __init__(self, number: str, energy: int = 123_456_000, *, first_address: int = 0x10) -> None:
        self.number = number
        self.id = server_id(number)
        self.energy = energy
        self.status = BASE_STATUS
        self.address: int | None = None
        self.choice = first_address
        self.silent = False
        self.deaf_to_links = False
        self.busy_polls = 0
        self.garble = 0
        self.reads = 0
        self.other_id: bytes | None = None
        self.extra: tuple[ListEntry, ...] = ()
        self._answer: bytes | None = None
        self._nr = 0
        self._ns = 0
        self._connected = False

    def hear(self, frame: Frame, send: Callable[[float, bytes], None]) -> None:
        """React to a frame; `send` takes a delay and octets."""
        if self.silent:
            return
        if frame.destination == ALL_STATIONS:
            self._broadcast(frame, send)
        elif frame.destination == self.address and not self.deaf_to_links:
            answer = self._link(frame)
            if answer is not None:
                octets = bytearray(answer.to_bytes())
                if self.garble and answer.control.kind is FrameKind.I:
                    self.garble -= 1
                    octets[12] ^= 0xFF
                send(0.002, bytes(octets))

    def restart(self) -> None:
        """Loss of its own supply: the address is gone."""
        self.address = None
        self._connected = False

    def _broadcast(self, frame: Frame, send: Callable[[float, bytes], None]) -> None:
        records = decode_records(frame.information)
        mine = next((one for one in records if one.device_id == self.id), None)
        if frame.selector == 1:
            if mine is not None:
                self.address = mine.address
                return
            taken = {one.address for one in records}
            while self.choice in taken:
                self.choice += 1
            self.address = self.choice
            send(0.005 + (self.choice % 30) * 0.01, self._record(1))
        elif mine is not None and mine.address == self.address:
            send(0.005 + (mine.slot - 1) * 0.01, self._record(2))

    def _record(self, selector: int) -> bytes:
        assert self.address is not None
        record = StationRecord(self.address, 0, self.id, self.id).to_bytes()
        return Frame(GATEWAY, self.address, selector, Control(FrameKind.UI), record).to_bytes()

    def _link(self, frame: Frame) -> Frame | None:
        kind = frame.control.kind
        assert self.address is not None
        if kind is FrameKind.SNRM:
            self._nr = self._ns = 0
            self._answer = None
            self._connected = True
            return Frame(GATEWAY, self.address, frame.selector, Control(FrameKind.UA))
        if not self._connected:
            return Frame(GATEWAY, self.address, frame.selector, Control(FrameKind.DM))
        if kind is FrameKind.I:
            self._nr = (frame.control.ns + 1) % 8
            self._answer = self._file()
            self.reads += 1
        elif kind is FrameKind.RR:
            if self.busy_polls:
                self.busy_polls -= 1
                return Frame(GATEWAY, self.address, frame.selector, Control(FrameKind.RNR, True, 0, self._nr))
            if frame.control.nr == (self._ns + 1) % 8:
                self._ns = frame.control.nr
                self._answer = None
            if self._answer is not None:
                control = Control(FrameKind.I, True, self._ns, self._nr)
                return Frame(GATEWAY, self.address, frame.selector, control, self._answer)
        return Frame(GATEWAY, self.address, frame.selector, Control(FrameKind.RR, True, 0, self._nr))

    def _file(self) -> bytes:
        identity = self.other_id or self.id
        entries = (
            ListEntry(parse_obis("1-0:96.1.0*255"), value=self.id),
            ListEntry(parse_obis("1-0:1.8.0*255"), unit=30, scaler=-3, value=self.energy),
            ListEntry(parse_obis("1-0:96.5.0*255"), value=self.status),
            *self.extra,
        )
        bodies = (OpenResponse(b"file", identity), GetListResponse(identity, entries), CloseResponse())
        return encode_file(encode_messages(Message(bytes((n,)), n, 0, body) for n, body in enumerate(bodies)))


class SmallBus:
    """The far end of the gateway's LMN cable with small meters on it; no collisions, no wire time."""

    def __init__(self, clock: Clock, port: BytePort, meters: list[SmallMeter]) -> None:
        self.meters = meters
        self.frames: list[tuple[float, Frame]] = []
        self._clock = clock
        self._port = port
        self._reader = FrameReader()
        port.set_receiver(self._received)

    def _received(self, data: bytes) -> None:
        for frame in self._reader.feed(data):
            if not isinstance(frame, Frame):
                continue
            self.frames.append((self._clock.seconds(), frame))
            for meter in self.meters:
                meter.hear(frame, self._send)

    def _send(self, delay: float, octets: bytes) -> None:
        self._clock.call_later(delay, self._port.write, octets)

    def noise(self, octets: bytes) -> None:
        """Octets that nobody asked for."""
        self._port.write(octets)
