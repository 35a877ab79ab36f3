"""The HDLC link between gateway and meter, the meter's end: it speaks when polled (lmn-wired 1.7, see `hdlc_link`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import Enum, auto
from typing import Final

from devices.protocols.hdlc import GATEWAY, Frame, FrameKind, HdlcError, build_control, build_frame
from devices.protocols.hdlc_fields import FrameReject, LinkParameters, RejectCause
from devices.protocols.hdlc_traffic import (
    Connected,
    Disconnected,
    Event,
    LinkLimits,
    Rejected,
    Step,
    Traffic,
    Unexpected,
    rejected,
)


class SecondaryState(Enum):
    """Where the meter's end stands."""

    DOWN = auto()
    UP = auto()


class SecondaryLink:
    """The meter's end of a link.

    Args:
        address: own HDLC address; may be set anew when the gateway assigns another.
        selector: protocol selector of the link.
        limits: bounds, see LinkLimits.
        disconnect_answer: UA as the standard wants, or DM as one public meter firmware does (lmn-wired 1.7).
        unknown_answer: FRMR as the standard wants, or DM as the same firmware does; the answer to a control octet that
            the LMN does not know.
        gateway: address of the other end.

    Attributes:
        busy: while True, RNR is answered in place of RR; one meter does so while it works on a request.
    """

    def __init__(
        self,
        address: int,
        selector: int,
        limits: LinkLimits | None = None,
        *,
        disconnect_answer: FrameKind = FrameKind.UA,
        unknown_answer: FrameKind = FrameKind.FRMR,
        gateway: int = GATEWAY,
    ) -> None:
        self.address = address
        self.selector = selector
        self.limits = limits or LinkLimits()
        self.busy = False
        self.state = SecondaryState.DOWN
        self._disconnect_answer = disconnect_answer
        self._unknown_answer = unknown_answer
        self._gateway = gateway
        self._traffic = Traffic(self.limits)

    @property
    def agreed(self) -> LinkParameters:
        """Sizes and windows in force on the link."""
        return self._traffic.agreed

    def send(self, information: bytes) -> None:
        """Queue a message; it goes out when the gateway polls. Raises HdlcError when the link is down or the message
        is empty or too long."""
        if self.state is SecondaryState.DOWN:
            raise HdlcError("the link is down, nothing can be sent")
        self._traffic.put(information)

    def receive(self, frame: Frame) -> Step:
        """A frame was on the bus."""
        if (frame.source, frame.destination, frame.selector) != (self._gateway, self.address, self.selector):
            return Step()
        if frame.control.kind is FrameKind.UI:
            return Step()
        action = SECONDARY_TABLE.get((self.state, frame.control.kind))
        if action is None:
            return Step(events=(Unexpected(frame, f"{frame.control} while {self.state.name.lower()}"),))
        step = action(self, frame)
        timer = self.limits.inactivity_s if self.state is SecondaryState.UP else None
        return Step(step.frames if frame.control.poll else (), step.events, timer)

    def timeout(self) -> Step:
        """The timer has run out: the gateway has not been heard for too long."""
        if self.state is SecondaryState.DOWN:
            return Step()
        return self._down(None, Disconnected("the gateway has not been heard for too long"))

    def reset(self) -> None:
        """Forget link and queue, as a meter without power does."""
        self.state = SecondaryState.DOWN
        self._traffic = Traffic(self.limits)

    def _answer(self, kind: FrameKind, nr: int = 0) -> Frame:
        control = build_control(kind, True, 0, nr, 0)
        return build_frame(self._gateway, self.address, self.selector, control, b"", False)

    def _down(self, answer: FrameKind | None, *events: Event) -> Step:
        self.reset()
        return Step((self._answer(answer),) if answer else (), events)

    def _reject(self, frame: Frame, *events: Event) -> Step:
        """The link is down; FRMR says why, once: until the next SNRM DM is answered (assumed)."""
        cause = next((event.cause for event in events if isinstance(event, Rejected)), RejectCause.NONE)
        next_number = (self._traffic.send_number + self._traffic.outstanding) % 8
        field = FrameReject(frame.control.octet, next_number, self._traffic.receive_number, cause)
        self.reset()
        return Step((replace(self._answer(FrameKind.FRMR), information=field.to_bytes()),), events)

    def _unknown(self, frame: Frame) -> Step:
        event = Rejected(str(frame.control), RejectCause.UNKNOWN_CONTROL)
        if self._unknown_answer is FrameKind.FRMR:
            return self._reject(frame, event)
        return self._down(self._unknown_answer, event)

    def _connect(self, frame: Frame) -> Step:
        self.reset()
        answer = self._answer(FrameKind.UA)
        if self.limits.negotiate:
            try:
                agreed = self._traffic.negotiate(frame.information)
            except HdlcError as problem:
                return self._down(FrameKind.DM, Rejected(f"SNRM cannot be read: {problem.reason}"))
            if frame.information:
                answer = replace(answer, information=agreed.to_bytes())
        self.state = SecondaryState.UP
        return Step((answer,), (Connected(),))

    def _disconnect(self, _frame: Frame) -> Step:
        return self._down(self._disconnect_answer, Disconnected("closed by the gateway"))

    def _no_link(self, _frame: Frame) -> Step:
        return Step((self._answer(FrameKind.DM),))

    def _polled(self, frame: Frame) -> Step:
        events = self._traffic.take_number(frame.control.nr)
        if rejected(events):
            return self._reject(frame, *events)
        if self._traffic.queue and frame.control.kind is FrameKind.RR and frame.control.poll:
            return Step(self._traffic.frames(self._gateway, self.address, self.selector), events)
        return Step((self._receive_ready(),), events)

    def _information(self, frame: Frame) -> Step:
        events = self._traffic.take_number(frame.control.nr)
        if not rejected(events):
            events += self._traffic.take_information(frame)
        if rejected(events):
            return self._reject(frame, *events)
        return Step((self._receive_ready(),), events)

    def _receive_ready(self) -> Frame:
        kind = FrameKind.RNR if self.busy else FrameKind.RR
        return self._answer(kind, self._traffic.receive_number)


SECONDARY_TABLE: Final[dict[tuple[SecondaryState, FrameKind], Callable[[SecondaryLink, Frame], Step]]] = {
    (SecondaryState.DOWN, FrameKind.SNRM): SecondaryLink._connect,
    (SecondaryState.DOWN, FrameKind.DISC): SecondaryLink._no_link,
    (SecondaryState.DOWN, FrameKind.I): SecondaryLink._no_link,
    (SecondaryState.DOWN, FrameKind.RR): SecondaryLink._no_link,
    (SecondaryState.DOWN, FrameKind.RNR): SecondaryLink._no_link,
    (SecondaryState.DOWN, FrameKind.UNKNOWN): SecondaryLink._no_link,
    (SecondaryState.UP, FrameKind.SNRM): SecondaryLink._connect,
    (SecondaryState.UP, FrameKind.DISC): SecondaryLink._disconnect,
    (SecondaryState.UP, FrameKind.I): SecondaryLink._information,
    (SecondaryState.UP, FrameKind.RR): SecondaryLink._polled,
    (SecondaryState.UP, FrameKind.RNR): SecondaryLink._polled,
    (SecondaryState.UP, FrameKind.UNKNOWN): SecondaryLink._unknown,
}
"""What the meter's end does with a frame of the gateway; a pair that is not here is Unexpected."""
