"""The HDLC link between gateway and meter, the gateway's end: normal response mode (lmn-wired 1.7).

The gateway is the primary: each of its frames polls, exactly one frame comes back. With a window of more than one,
which was never seen on the LMN, several I frames go before the one that polls, or come back, the last with the F bit;
what got lost of them is sent again from there. The meter is the secondary and
speaks when polled (`hdlc_secondary`). Both ends are state
machines without clock and socket: whoever holds one sends the frames of each `Step`, handles its events, and calls
`timeout()` when the last timer that a step gave has run out.

What is absent from the tables has no place: commands and timers without effect, frames with an `Unexpected` event.
UI frames (addressing, presence) and frames between others are no business of a link and change nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import Enum, auto
from typing import Final

from devices.protocols.hdlc import GATEWAY, Frame, FrameKind, HdlcError, build_control, build_frame
from devices.protocols.hdlc_fields import FrameReject, LinkParameters, RejectCause
from devices.protocols.hdlc_traffic import (
    Acknowledged,
    Connected,
    Disconnected,
    Event,
    Exchange,
    Failed,
    Failure,
    Idle,
    Information,
    LinkLimits,
    NotReady,
    Rejected,
    Step,
    Traffic,
    Unexpected,
    rejected,
)

__all__ = [
    "PRIMARY_COMMANDS",
    "PRIMARY_RESPONSES",
    "Acknowledged",
    "Command",
    "Connected",
    "Disconnected",
    "Event",
    "Failed",
    "Failure",
    "Idle",
    "Information",
    "LinkLimits",
    "LinkParameters",
    "NotReady",
    "PrimaryLink",
    "PrimaryState",
    "RejectCause",
    "Rejected",
    "Step",
    "Unexpected",
]


class PrimaryState(Enum):
    """Where the gateway's end stands."""

    DOWN = auto()
    CONNECTING = auto()
    """SNRM is out."""
    READY = auto()
    """The link is up, nothing is out."""
    SENDING = auto()
    """I frames are out."""
    POLLING = auto()
    """RR is out."""
    PAUSE = auto()
    """Between two polls."""
    DISCONNECTING = auto()
    """DISC is out."""


class Command(Enum):
    """What the holder of the gateway's end wants, and that time has passed."""

    CONNECT = auto()
    DISCONNECT = auto()
    SEND = auto()
    POLL = auto()
    TIMEOUT = auto()


class PrimaryLink:
    """The gateway's end of a link to one meter.

    Args:
        address: HDLC address of the meter.
        selector: protocol selector of the link.
        limits: bounds, see LinkLimits.
        own: address of this end.
    """

    def __init__(self, address: int, selector: int, limits: LinkLimits | None = None, *, own: int = GATEWAY) -> None:
        self.address = address
        self.selector = selector
        self.limits = limits or LinkLimits()
        self.state = PrimaryState.DOWN
        self._own = own
        self._traffic = Traffic(self.limits)
        self._last = self._frame(FrameKind.SNRM)
        self._tries = 0
        self._answers_due = 0
        self._polls_left = 0
        self._forward = False
        self._windowed = self.limits.window > 1
        self._exchange = Exchange(self.limits)

    @property
    def busy(self) -> bool:
        """Whether something is under way: a frame out, a message queued or an answer due."""
        return self.state not in (PrimaryState.DOWN, PrimaryState.READY)

    @property
    def agreed(self) -> LinkParameters:
        """Sizes and windows in force on the link."""
        return self._traffic.agreed

    def connect(self) -> Step:
        """Begin, or begin anew: SNRM. What was queued is forgotten."""
        return self._command(Command.CONNECT)

    def disconnect(self) -> Step:
        """End the link: DISC. What was queued is forgotten."""
        return self._command(Command.DISCONNECT)

    def send(self, information: bytes, *, answer: bool = True) -> Step:
        """Send a message, in segments if need be, behind those queued before.

        With `answer` the meter is polled until a message comes back. Raises HdlcError when the link is down or the
        message is empty or too long.
        """
        if self.state in (PrimaryState.DOWN, PrimaryState.DISCONNECTING):
            raise HdlcError("the link is down, nothing can be sent")
        self._traffic.put(information)
        self._answers_due += answer
        self._exchange.begin()
        return self._command(Command.SEND)

    def poll(self) -> Step:
        """Ask whether the meter has something: RR. Nothing happens while another frame is out."""
        if self.state is PrimaryState.READY:
            self._exchange.begin()
        return self._command(Command.POLL)

    def timeout(self) -> Step:
        """The timer has run out."""
        return self._command(Command.TIMEOUT)

    def receive(self, frame: Frame) -> Step:
        """A frame was on the bus."""
        if (frame.source, frame.destination, frame.selector) != (self.address, self._own, self.selector):
            return Step()
        if frame.control.kind is FrameKind.UI:
            return Step()
        action = PRIMARY_RESPONSES.get((self.state, frame.control.kind))
        if action is None:
            return Step(events=(Unexpected(frame, f"{frame.control} while {self.state.name.lower()}"),))
        return action(self, frame)

    def _command(self, command: Command) -> Step:
        action = PRIMARY_COMMANDS.get((self.state, command))
        return action(self) if action is not None else Step()

    def _frame(self, kind: FrameKind, nr: int = 0) -> Frame:
        control = build_control(kind, True, 0, nr, 0)
        return build_frame(self.address, self._own, self.selector, control, b"", False)

    def _emit(self, state: PrimaryState, *frames: Frame) -> Step:
        self.state = state
        self._last = frames[-1]
        return Step(frames, (), self.limits.response_timeout_s)

    def _reset(self, state: PrimaryState) -> None:
        self.state = state
        self._traffic = Traffic(self.limits)
        self._tries = 0
        self._answers_due = 0
        self._polls_left = self.limits.answer_polls
        self._forward = False
        self._exchange.begin()

    def _down(self, *events: Event) -> Step:
        self._reset(PrimaryState.DOWN)
        return Step(events=events)

    # commands

    def _connect(self) -> Step:
        self._reset(PrimaryState.CONNECTING)
        snrm = self._frame(FrameKind.SNRM)
        if self.limits.negotiate:
            snrm = replace(snrm, information=self.limits.parameters.to_bytes())
        return self._emit(PrimaryState.CONNECTING, snrm)

    def _disconnect(self) -> Step:
        self._reset(PrimaryState.DISCONNECTING)
        return self._emit(PrimaryState.DISCONNECTING, self._frame(FrameKind.DISC))

    def _send(self) -> Step:
        return self._emit(PrimaryState.SENDING, *self._traffic.frames(self.address, self._own, self.selector))

    def _poll(self) -> Step:
        return self._emit(PrimaryState.POLLING, self._frame(FrameKind.RR, self._traffic.receive_number))

    def _repeat(self) -> Step:
        self._tries += 1
        if self._tries > self.limits.retries:
            kind = self._last.control.kind.value
            if self.state is PrimaryState.DISCONNECTING:
                return self._down(Disconnected("closed by the gateway, the meter does not answer"))
            failure = Failure.NO_LINK if self.state is PrimaryState.CONNECTING else Failure.SILENCE
            return self._down(Failed(failure, f"no answer to {kind}, sent {self._tries} times"))
        if self.state is PrimaryState.SENDING:
            return self._send()
        if self.state is PrimaryState.POLLING:
            return self._poll()
        return self._emit(self.state, self._last)

    # responses

    def _connected(self, frame: Frame) -> Step:
        if self.limits.negotiate:
            try:
                self._traffic.negotiate(frame.information)
            except HdlcError as problem:
                return self._down(Rejected(f"UA cannot be read: {problem.reason}"))
        self.state = PrimaryState.READY
        self._tries = 0
        step = self._send() if self._traffic.queue else Step()
        return step.after(Connected())

    def _closed(self, _frame: Frame) -> Step:
        return self._down(Disconnected("closed by the gateway"))

    def _refused(self, _frame: Frame) -> Step:
        return self._down(Disconnected("the meter has no link (DM)"))

    def _frame_rejected(self, frame: Frame) -> Step:
        reason, cause = "the meter rejected a frame (FRMR)", RejectCause.NONE
        try:
            field = FrameReject.from_bytes(frame.information)
            reason, cause = f"{reason}, {field}", field.cause
        except HdlcError:
            pass  # one without a reason rejects all the same
        return self._down(Rejected(reason, cause))

    def _ready(self, frame: Frame) -> Step:
        """RR or RNR."""
        was = self.state
        busy = frame.control.kind is FrameKind.RNR
        before = self._traffic.send_number
        events = self._traffic.take_number(frame.control.nr)
        if rejected(events):
            return self._down(*events)
        if busy:
            return self._pause(not_ready=True).after(*events, NotReady())
        forward = self._traffic.send_number != before
        if self._traffic.outstanding and was is PrimaryState.SENDING and not forward:
            return self._repeat()
        if self._traffic.queue:
            if forward or not self._traffic.outstanding:
                self._tries = 0
            return self._send().after(*events)
        self._tries = 0
        if not self._answers_due:
            self.state = PrimaryState.READY
            return Step().after(*events, Idle())
        if was is PrimaryState.SENDING:
            self._polls_left = self.limits.answer_polls
            return self._poll().after(*events)
        return self._pause(not_ready=False).after(*events)

    def _pause(self, *, not_ready: bool) -> Step:
        """Wait before the next poll, unless there were too many already."""
        self._polls_left -= 1
        if self._polls_left <= 0:
            failure, what = (Failure.NOT_READY, "not ready") if not_ready else (Failure.NO_MESSAGE, "no message")
            return self._down(Failed(failure, f"{what} in {self.limits.answer_polls} polls"))
        self.state = PrimaryState.PAUSE
        return Step(timer=self.limits.poll_interval_s)

    def _information(self, frame: Frame) -> Step:
        before, acknowledged = self._traffic.receive_number, self._traffic.send_number
        events = self._traffic.take_number(frame.control.nr)
        if not rejected(events):
            events += self._exchange.take(frame, self._traffic.take_information(frame))
        if rejected(events):
            return self._down(*events)
        if any(isinstance(event, Information) for event in events):
            self._answers_due = max(0, self._answers_due - 1)
        traffic = self._traffic
        if traffic.receive_number != before and (not traffic.outstanding or traffic.send_number != acknowledged):
            self._forward = True
            self._tries = 0
            self._polls_left = self.limits.answer_polls
        if self._windowed and not frame.control.poll:
            return Step(events=events, timer=self.limits.response_timeout_s)
        if not self._forward:
            self._tries += 1
        self._forward = False
        if self._tries > self.limits.retries:
            return self._down(*events, Failed(Failure.NO_PROGRESS, "the meter sends I frames but goes no further"))
        step = self._send() if self._traffic.queue else self._poll()
        return step.after(*events)


_Up = (PrimaryState.READY, PrimaryState.SENDING, PrimaryState.POLLING, PrimaryState.PAUSE)
_Out = (PrimaryState.CONNECTING, PrimaryState.SENDING, PrimaryState.POLLING, PrimaryState.DISCONNECTING)
_Asked = (PrimaryState.SENDING, PrimaryState.POLLING)

PRIMARY_COMMANDS: Final[dict[tuple[PrimaryState, Command], Callable[[PrimaryLink], Step]]] = {
    **{(state, Command.CONNECT): PrimaryLink._connect for state in PrimaryState},
    **{(state, Command.DISCONNECT): PrimaryLink._disconnect for state in (*_Up, PrimaryState.CONNECTING)},
    (PrimaryState.READY, Command.SEND): PrimaryLink._send,
    (PrimaryState.PAUSE, Command.SEND): PrimaryLink._send,
    (PrimaryState.READY, Command.POLL): PrimaryLink._poll,
    (PrimaryState.PAUSE, Command.TIMEOUT): PrimaryLink._poll,
    **{(state, Command.TIMEOUT): PrimaryLink._repeat for state in _Out},
}
"""What the gateway's end does at a command; a pair that is not here does nothing."""

PRIMARY_RESPONSES: Final[dict[tuple[PrimaryState, FrameKind], Callable[[PrimaryLink, Frame], Step]]] = {
    (PrimaryState.CONNECTING, FrameKind.UA): PrimaryLink._connected,
    (PrimaryState.CONNECTING, FrameKind.DM): PrimaryLink._refused,
    (PrimaryState.DISCONNECTING, FrameKind.UA): PrimaryLink._closed,
    (PrimaryState.DISCONNECTING, FrameKind.DM): PrimaryLink._closed,
    **{(state, FrameKind.DM): PrimaryLink._refused for state in _Up},
    **{(state, FrameKind.FRMR): PrimaryLink._frame_rejected for state in (*_Up, PrimaryState.CONNECTING)},
    **{(state, FrameKind.RR): PrimaryLink._ready for state in _Asked},
    **{(state, FrameKind.RNR): PrimaryLink._ready for state in _Asked},
    **{(state, FrameKind.I): PrimaryLink._information for state in _Asked},
}
"""What the gateway's end does with a frame of the meter; a pair that is not here is Unexpected."""
