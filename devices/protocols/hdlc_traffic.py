"""What both ends of an HDLC link share: limits, events, the step that a call returns, and the count of frames."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from devices.protocols.hdlc import MAX_INFORMATION, Control, Frame, FrameKind, HdlcError


@dataclass(frozen=True, slots=True)
class LinkLimits:
    """Bounds of a link; no source gives them, all are assumed (lmn-wired 1.7).

    Attributes:
        response_timeout_s: how long the primary waits for an answer before it repeats.
        retries: repetitions before the link counts as broken.
        max_information: octets in one I frame; longer messages are segmented.
        max_message: octets in a message made of segments.
        poll_interval_s: pause between two polls of a meter that has nothing yet.
        answer_polls: polls for the answer to a message before the primary gives up.
        inactivity_s: the secondary forgets the link when nothing came for so long.
    """

    response_timeout_s: float = 0.2
    retries: int = 3
    max_information: int = 1024
    max_message: int = 65_536
    poll_interval_s: float = 0.01
    answer_polls: int = 500
    inactivity_s: float = 120.0

    def __post_init__(self) -> None:
        if not 1 <= self.max_information <= MAX_INFORMATION:
            raise HdlcError(f"max_information {self.max_information} is not within 1..{MAX_INFORMATION}")
        if self.retries < 0 or self.answer_polls < 1 or self.max_message < 1:
            raise HdlcError("retries, answer_polls and max_message must be positive")


@dataclass(frozen=True, slots=True)
class Connected:
    """The link is up and its numbers are at zero. At the secondary also when it was up already: it starts anew."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The other end has the whole message that was sent last."""


@dataclass(frozen=True, slots=True)
class Information:
    """A message from the other end, put together from its segments."""

    data: bytes


@dataclass(frozen=True, slots=True)
class NotReady:
    """The meter answered RNR: busy, to be polled again."""


@dataclass(frozen=True, slots=True)
class Idle:
    """The meter had nothing more to say."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The link is down; `reason` says by whose will."""

    reason: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The other end broke the rules of the link, which is down now; connect again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unexpected:
    """A well-formed frame that has no place here; the link goes on as if it had not come."""

    frame: Frame
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The meter does not answer, or has no answer; the link is down.

    Attributes:
        reason: what was waited for.
        not_ready: True when it said RNR to the end, False when nothing or nothing useful came. The gateways log the
            two apart (lmn-wired 1.7).
    """

    reason: str
    not_ready: bool = False


Event = Connected | Acknowledged | Information | NotReady | Idle | Disconnected | Rejected | Unexpected | Failed


@dataclass(frozen=True, slots=True)
class Step:
    """What one call of a link asks for and tells.

    Attributes:
        frames: to be sent, at most one.
        events: what happened, in order.
        timer: seconds from now after which `timeout()` is due, in place of the timer before; None: that one goes on.
            A timer that runs out when nothing is waited for does no harm.
    """

    frames: tuple[Frame, ...] = ()
    events: tuple[Event, ...] = ()
    timer: float | None = None

    def after(self, *events: Event) -> Step:
        """This step with earlier events before its own."""
        return Step(self.frames, (*events, *self.events), self.timer)


@dataclass(frozen=True, slots=True)
class Segment:
    """Part of a message on its way; behind the last one comes no `more`."""

    data: bytes
    more: bool


class Traffic:
    """Sequence numbers, outgoing segments and incoming message of one end; window of one."""

    def __init__(self, limits: LinkLimits) -> None:
        self._limits = limits
        self.send_number = 0
        self.receive_number = 0
        self.queue: deque[Segment] = deque()
        self.unacknowledged = False
        self._incoming = bytearray()

    def put(self, message: bytes) -> None:
        """Queue a message in segments; raises HdlcError when it is empty or too long."""
        if not 1 <= len(message) <= self._limits.max_message:
            raise HdlcError(f"a message of {len(message)} octets, allowed are 1 to {self._limits.max_message}")
        size = self._limits.max_information
        for start in range(0, len(message), size):
            self.queue.append(Segment(message[start : start + size], start + size < len(message)))

    def next_frame(self, destination: int, source: int, selector: int) -> Frame:
        """The first segment of the queue as I frame; it stays there until it is acknowledged."""
        self.unacknowledged = True
        segment = self.queue[0]
        control = Control(FrameKind.I, True, self.send_number, self.receive_number)
        return Frame(destination, source, selector, control, segment.data, segment.more)

    def take_number(self, number: int) -> tuple[Event, ...]:
        """NR = `number` came: Acknowledged when it completes a message, Rejected when it fits nothing that was sent."""
        if self.unacknowledged and number == (self.send_number + 1) % 8:
            self.send_number = number
            self.unacknowledged = False
            return () if self.queue.popleft().more else (Acknowledged(),)
        if number == self.send_number:
            return ()
        return (Rejected(f"NR={number} acknowledges what was not sent, {self.send_number} is next"),)

    def take_information(self, frame: Frame) -> tuple[Event, ...]:
        """An I frame came: Information when it completes a message, nothing when it is a repeated one, Unexpected
        when one before it is missing, Rejected when the message grows too long."""
        if frame.control.ns == (self.receive_number - 1) % 8:
            return ()
        if frame.control.ns != self.receive_number:
            return (Unexpected(frame, f"I frame numbered {frame.control.ns}, {self.receive_number} was due"),)
        self.receive_number = (self.receive_number + 1) % 8
        self._incoming += frame.information
        if len(self._incoming) > self._limits.max_message:
            return (Rejected(f"the message is longer than {self._limits.max_message} octets"),)
        if frame.segmented:
            return ()
        message = bytes(self._incoming)
        self._incoming.clear()
        return (Information(message),)


def rejected(events: tuple[Event, ...]) -> bool:
    """Whether the other end broke the rules."""
    return any(isinstance(event, Rejected) for event in events)
