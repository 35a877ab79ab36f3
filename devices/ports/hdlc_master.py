"""The master's half of the wired bus: frames out, frames in, one exchange at a time (lmn-wired 1).

It knows neither meters nor policies: the emulated gateway's bus and the bench's own tools for meters both stand on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, Literal

from devices.clock import Clock
from devices.ports.base import BytePort, LineSettings, PortLost
from devices.protocols.hdlc import (
    FLAG,
    GATEWAY,
    MAX_LENGTH,
    Frame,
    FrameKind,
    FrameReader,
    HdlcError,
    Selector,
    StationRecord,
    decode_records,
)
from devices.protocols.hdlc_link import (
    Disconnected,
    Event,
    Failed,
    Failure,
    Information,
    PrimaryLink,
    Rejected,
    Step,
    Unexpected,
)

_REMEMBERED: Final = 256
_Turn = Callable[[Sequence[Frame], float, bool], Awaitable[Sequence[Frame]]]

Trouble = Literal["no_answer", "read_timeout", "not_ready", "unexpected"]
"""What can go wrong on a link: nothing came to SNRM; nothing came later; RNR to the end; frames that have no place."""

_TROUBLE: Final[dict[Failure, Trouble]] = {
    Failure.NO_LINK: "no_answer",
    Failure.SILENCE: "read_timeout",
    Failure.NO_MESSAGE: "read_timeout",
    Failure.NOT_READY: "not_ready",
    Failure.NO_PROGRESS: "read_timeout",
}


class LinkTrouble(Exception):
    """The link to a meter failed.

    Attributes:
        kind: see Trouble.
        reason: what happened, in words.
        alive: whether the station still said RR when polled, though nothing more.
    """

    def __init__(self, kind: Trouble, reason: str, *, alive: bool = False) -> None:
        self.kind = kind
        self.reason = reason
        self.alive = alive
        super().__init__(reason)


class HdlcMaster:
    """Sends to stations and hears what they answer.

    Args:
        clock: paces time-outs and windows.
        port: the cable; its receiver is taken over.
        line: rate of the bus, 921 600 Bd 8N1 unless told.
    """

    def __init__(self, clock: Clock, port: BytePort, *, line: LineSettings | None = None) -> None:
        self.lock = asyncio.Lock()
        """Held by whoever uses the bus."""
        self.on_error: Callable[[str, int | None, str], None] = lambda kind, address, reason: None
        """Something on the bus is wrong: ``undecodable`` or ``unexpected``, the station's address if known, why."""
        self.on_frame: Callable[[Literal["in", "out"], Frame, bytes], None] | None = None
        """Told each frame that was sent or heard, with its octets."""
        self._clock = clock
        self._port = port
        self._line = line or LineSettings()
        self._reader = FrameReader()
        self._whole: dict[bytes, Frame] = {}
        self._begun = b""
        self._in_pieces = False
        self._window: Callable[[Frame], None] | None = None
        self._forgiving = False
        self._waiting: asyncio.Future[None] | None = None
        self._waiting_for: tuple[int, int] | None = None
        self._answers: list[Frame] = []
        self._go_on: Callable[[], None] | None = None
        port.set_receiver(self._received)

    def close(self) -> None:
        """Hear nothing more."""
        self._port.set_receiver(None)

    def gone(self) -> None:
        """The cable is gone: whoever waits for an answer need not wait any longer."""
        if self._waiting is not None:
            _give_up(self._waiting)

    def seconds(self, frame: Frame) -> float:
        """How long `frame` is on the wire."""
        return self._line.seconds(len(frame.to_bytes()))

    async def broadcast(
        self, frame: Frame, window_s: float, take: Callable[[Frame], None], *, forgiving: bool = False
    ) -> None:
        """Send `frame` to all stations and give what they answer within the window to `take`; hold `lock`.

        Args:
            frame: octets of it go out as they are.
            window_s: from the end of the frame on the wire.
            take: gets each frame to the master.
            forgiving: octets that are no frame are no error, as when stations may answer at the same time.
        """
        self._window, self._forgiving = take, forgiving
        try:
            octets = frame.to_bytes()
            self._silence()
            if self._put(frame, octets):
                await self._clock.sleep(self._line.seconds(len(octets)) + window_s)
            self._silence()
        finally:
            self._window, self._forgiving = None, False

    def record_in(self, frame: Frame, selector: Selector) -> StationRecord | None:
        """The record by which a station answers a broadcast on `selector`; None, and `on_error` is told, when `frame`
        is no such answer."""
        if frame.selector != selector or frame.control.kind is not FrameKind.UI:
            self.on_error("unexpected", frame.source, f"{frame.control} in answer to a broadcast")
            return None
        try:
            records = decode_records(frame.information)
        except HdlcError as error:
            self.on_error("undecodable", frame.source, str(error))
            return None
        if len(records) != 1 or records[0].address != frame.source:
            self.on_error("unexpected", frame.source, "an answer holds exactly the record of its sender")
            return None
        return records[0]

    async def exchange(self, frames: Sequence[Frame], timeout_s: float, windowed: bool = False) -> Sequence[Frame]:
        """Send frames to one station, of which the last polls, and wait for its answer; hold `lock`.

        Args:
            frames: one, or a window of I frames; they go out one right behind the other.
            timeout_s: how long to wait, from when the last frame goes out; in a window anew from each frame that comes.
            windowed: the answer may be several I frames, the last with the F bit; otherwise it is one frame.

        Returns:
            What came. Without the frame that ends the station's turn (`_ends_turn`) when it fell silent before; nothing
            when it did not answer.
        """
        waiting = self._waiting = asyncio.get_running_loop().create_future()
        self._waiting_for = (frames[0].destination, frames[0].selector)
        self._answers = []
        ahead_s = sum(map(self.seconds, frames[:-1])) if len(frames) > 1 else 0.0
        timer = self._clock.call_later(ahead_s + timeout_s, _give_up, waiting)

        def go_on() -> None:
            nonlocal timer
            timer.cancel()
            timer = self._clock.call_later(timeout_s, _give_up, waiting)

        self._go_on = go_on if windowed else None
        try:
            if not self._send_all(frames):
                return ()
            await waiting
            return self._answers
        finally:
            timer.cancel()
            self._waiting = None
            self._waiting_for = None

    async def drive(self, link: PrimaryLink, step: Step) -> bytes | None:
        """Do what `link` asks for until it rests; hold `lock`.

        Returns the message that came, None when none came. Raises LinkTrouble when the link failed.
        """
        messages = await self._follow(link, step, self.exchange)
        return messages[-1] if messages else None

    async def converse(self, link: PrimaryLink, step: Step) -> tuple[bytes, ...]:
        """As `drive`, but `lock` is taken for each exchange, so that others have their turn in between.

        Returns all messages that came. Raises LinkTrouble when the link failed before one came.
        """
        return await self._follow(link, step, self._exchange_in_turn)

    async def _exchange_in_turn(self, frames: Sequence[Frame], timeout_s: float, windowed: bool) -> Sequence[Frame]:
        async with self.lock:
            return await self.exchange(frames, timeout_s, windowed)

    async def _follow(self, link: PrimaryLink, step: Step, exchange: _Turn) -> tuple[bytes, ...]:
        messages: list[bytes] = []
        windowed = link.limits.window > 1
        while True:
            _sort_out(step.events, link, messages)
            if step.frames:
                answers = await exchange(step.frames, step.timer or link.limits.response_timeout_s, windowed)
                for early in answers[:-1]:
                    _sort_out(link.receive(early).events, link, messages)
                if answers:
                    step = link.receive(answers[-1])
                if not answers or (windowed and not _ends_turn(answers[-1])):
                    if answers:
                        _sort_out(step.events, link, messages)
                    step = link.timeout()
            elif step.timer is not None:
                await self._clock.sleep(step.timer)
                step = link.timeout()
            else:
                return tuple(messages)

    # --- sending

    def _send_all(self, frames: Sequence[Frame]) -> bool:
        self._silence()
        return all(self._put(frame, frame.to_bytes()) for frame in frames)

    def _put(self, frame: Frame, octets: bytes) -> bool:
        try:
            self._port.write(octets)
        except PortLost:
            return False
        if self.on_frame is not None:
            self.on_frame("out", frame, octets)
        return True

    # --- hearing

    def _received(self, data: bytes) -> None:
        if self._begun:
            data, self._begun = self._begun + data, b""
        if not self._in_pieces and len(data) < _announced(data):
            self._begun = data
            return
        frame = None if self._in_pieces else self._as_whole(data)
        if frame is not None:
            self._route(frame, data)
            return
        self._in_pieces = True
        self._take(self._reader.feed(data))

    def _as_whole(self, data: bytes) -> Frame | None:
        """The frame that `data` is exactly; meters answer presence checks with the same octets again and again."""
        frame = self._whole.get(data)
        if frame is None:
            try:
                frame = Frame.from_bytes(data)
            except HdlcError:
                return None
            if frame.control.kind is FrameKind.UI and len(self._whole) < _REMEMBERED:
                self._whole[data] = frame
        return frame

    def _silence(self) -> None:
        """The bus is quiet before the master speaks: what came so far of a frame stays a fragment."""
        if self._begun:
            self._take(self._reader.feed(self._begun))
            self._begun, self._in_pieces = b"", True
        if self._in_pieces:
            self._take(self._reader.idle())
            self._in_pieces = False

    def _take(self, found: Iterable[Frame | HdlcError]) -> None:
        for one in found:
            if isinstance(one, Frame):
                self._route(one, None)
            elif not self._forgiving:
                self.on_error("undecodable", None, str(one))

    def _route(self, frame: Frame, octets: bytes | None) -> None:
        if frame.source == GATEWAY:
            return
        if self.on_frame is not None:
            self.on_frame("in", frame, frame.to_bytes() if octets is None else octets)
        if frame.control.kind is FrameKind.UNKNOWN:
            if not self._forgiving:
                self.on_error("undecodable", frame.source, str(frame.control))
        elif frame.destination != GATEWAY:
            self.on_error("unexpected", frame.source, "a frame to somebody else")
        elif self._window is not None:
            self._window(frame)
        elif self._waiting is not None and (frame.source, frame.selector) == self._waiting_for:
            if not self._waiting.done():
                self._answers.append(frame)
                if self._go_on is None or _ends_turn(frame):
                    self._waiting.set_result(None)
                else:
                    self._go_on()
        else:
            self.on_error("unexpected", frame.source, f"nobody waits for a {frame.control.kind.name} frame")


def _give_up(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


def _ends_turn(frame: Frame) -> bool:
    """Whether a station that may send several frames has said its last one."""
    return frame.control.poll or frame.control.kind is not FrameKind.I


def _sort_out(events: Sequence[Event], link: PrimaryLink, messages: list[bytes]) -> None:
    """Keep the messages that came. Raises LinkTrouble when the link failed before one came."""
    for event in events:
        if isinstance(event, Information):
            messages.append(event.data)
        elif (trouble := _trouble(event, link)) is not None and not messages:
            raise trouble


def _announced(data: bytes) -> int:
    """Octets of the frame that `data` begins with, as far as its length field is there; 0: it begins with none."""
    if len(data) < 3:
        return 3 if data.startswith(b"\x7e") else 0
    if data[0] != FLAG or data[1] >> 4 != 0xA:
        return 0
    return ((data[1] << 8 | data[2]) & MAX_LENGTH) + 2


def _trouble(event: Event, link: PrimaryLink) -> LinkTrouble | None:
    if isinstance(event, Failed):
        reason = f"{event.reason} (address {link.address:#04x})"
        return LinkTrouble(_TROUBLE[event.kind], reason, alive=event.kind is Failure.NO_MESSAGE)
    if isinstance(event, Rejected | Unexpected | Disconnected):
        return LinkTrouble("unexpected", event.reason)
    return None
