"""What both ends of an HDLC link share: limits, events, the step that a call returns, and the count of frames."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice
from typing import Final

from devices.protocols.hdlc import (
    MAX_INFORMATION,
    Control,
    Frame,
    FrameKind,
    HdlcError,
    build_control,
    build_frame,
)
from devices.protocols.hdlc_fields import MAX_WINDOW, LinkParameters, RejectCause


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
        exchange_messages: messages that the secondary may send in one exchange, which is all that comes until the
            primary rests or is told to send or poll again; an I frame without octets counts as one.
        exchange_octets: octets that it may send in them.
        inactivity_s: the secondary forgets the link when nothing came for so long.
        window: I frames that one end sends before the other answers, 1 to 7. The LMN shows 1 (lmn-wired 1.7); the
            last frame of a window polls, and what was not acknowledged then is sent again from there.
        negotiate: SNRM proposes `max_information` and `window` for both directions and UA answers with what both ends
            can do; where the other end says nothing, the window is 1. The LMN shows SNRM and UA without (lmn-wired 2).
    """

    response_timeout_s: float = 0.2
    retries: int = 3
    max_information: int = 1024
    max_message: int = 65_536
    poll_interval_s: float = 0.01
    answer_polls: int = 500
    exchange_messages: int = 64
    exchange_octets: int = 262_144
    inactivity_s: float = 120.0
    window: int = 1
    negotiate: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.max_information <= MAX_INFORMATION:
            raise HdlcError(f"max_information {self.max_information} is not within 1..{MAX_INFORMATION}")
        if self.retries < 0 or self.answer_polls < 1 or self.max_message < 1:
            raise HdlcError("retries, answer_polls and max_message must be positive")
        if self.exchange_messages < 1 or self.exchange_octets < 1:
            raise HdlcError("exchange_messages and exchange_octets must be positive")
        if not 1 <= self.window <= MAX_WINDOW:
            raise HdlcError(f"window {self.window} is not within 1..{MAX_WINDOW}")

    @property
    def parameters(self) -> LinkParameters:
        """What an end with these bounds proposes."""
        return LinkParameters(self.max_information, self.max_information, self.window, self.window)


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
    """The other end broke the rules of the link, or says that this one did; the link is down now, connect again.

    Attributes:
        reason: in words.
        cause: as FRMR says it; NONE where nothing in FRMR fits.
    """

    reason: str
    cause: RejectCause = RejectCause.NONE


@dataclass(frozen=True, slots=True)
class Unexpected:
    """A well-formed frame that has no place here; the link goes on as if it had not come."""

    frame: Frame
    reason: str


class Failure(Enum):
    """How a link failed; the gateways log some of these apart (lmn-wired 1.7)."""

    NO_LINK = auto()
    """Nothing came to SNRM."""
    SILENCE = auto()
    """Nothing came to a frame on a link that was up."""
    NO_MESSAGE = auto()
    """RR to each poll, but never the message that was due."""
    NOT_READY = auto()
    """RNR to each poll."""
    NO_PROGRESS = auto()
    """I frames that take neither end any further."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The meter does not answer, or has no answer; the link is down.

    Attributes:
        kind: how.
        reason: what was waited for, in words.
    """

    kind: Failure
    reason: str


Event = Connected | Acknowledged | Information | NotReady | Idle | Disconnected | Rejected | Unexpected | Failed


@dataclass(frozen=True, slots=True)
class Step:
    """What one call of a link asks for and tells.

    Attributes:
        frames: to be sent, one behind the other: one, or a window of I frames, of which the last polls.
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


_SILENT: Final = LinkParameters(window_sent=1, window_received=1)
"""What counts as said by an end that says nothing where negotiation is on (assumed)."""


class Traffic:
    """Sequence numbers, outgoing segments and incoming message of one end.

    Attributes:
        send_number: number of the first segment in the queue.
        receive_number: number of the next I frame that is due.
        queue: segments that are not acknowledged.
        outstanding: how many of them were sent, from the first.
        agreed: sizes and windows in force.
    """

    def __init__(self, limits: LinkLimits) -> None:
        self._proposed = limits.parameters
        self._max_message = limits.max_message
        self._longest = MAX_INFORMATION
        self._size = limits.max_information
        self._window = self._window_in = limits.window
        self.send_number = 0
        self.receive_number = 0
        self.queue: deque[Segment] = deque()
        self.outstanding = 0
        self._incoming = bytearray()

    @property
    def agreed(self) -> LinkParameters:
        """Sizes and windows in force."""
        return LinkParameters(self._size, self._longest, self._window, self._window_in)

    def negotiate(self, block: bytes) -> LinkParameters:
        """Adopt and return what this end and the other one can do, which sent `block`, or nothing; what is queued is
        cut anew. Raises HdlcError for a block that cannot be read."""
        said = LinkParameters.from_bytes(block) if block else _SILENT
        agreed = self._proposed.within(said)
        self._window = agreed.window_sent or self._window
        self._window_in = agreed.window_received or self._window_in
        self._longest = agreed.information_received or self._longest
        self._size = agreed.information_sent or self._size
        segments, self.queue = self.queue, deque()
        message = b""
        for segment in segments:
            message += segment.data
            if not segment.more:
                self.put(message)
                message = b""
        return agreed

    def put(self, message: bytes) -> None:
        """Queue a message in segments; raises HdlcError when it is empty or too long."""
        if not 1 <= len(message) <= self._max_message:
            raise HdlcError(f"a message of {len(message)} octets, allowed are 1 to {self._max_message}")
        size = self._size
        for start in range(0, len(message), size):
            self.queue.append(Segment(message[start : start + size], start + size < len(message)))

    def frames(self, destination: int, source: int, selector: int) -> tuple[Frame, ...]:
        """The first segments of the queue as I frames, as many as the window allows; the last one polls. They stay in
        the queue until they are acknowledged."""
        count = self.outstanding = min(self._window, len(self.queue))
        number, awaited = self.send_number, self.receive_number
        if count == 1:
            segment = self.queue[0]
            control = build_control(FrameKind.I, True, number, awaited, 0)
            return (build_frame(destination, source, selector, control, segment.data, segment.more),)
        return tuple(
            Frame(
                destination,
                source,
                selector,
                Control(FrameKind.I, place == count - 1, (number + place) % 8, awaited),
                segment.data,
                segment.more,
            )
            for place, segment in enumerate(islice(self.queue, count))
        )

    def take_number(self, number: int) -> tuple[Event, ...]:
        """NR = `number` came: Acknowledged for each message that it completes, Rejected when it fits nothing that was
        sent."""
        taken = (number - self.send_number) % 8
        if not taken:
            return ()
        if taken > self.outstanding:
            reason = f"NR={number} acknowledges what was not sent, {self.send_number} is next"
            return (Rejected(reason, RejectCause.BAD_NUMBER),)
        self.send_number = number
        self.outstanding -= taken
        if taken == 1:
            return () if self.queue.popleft().more else (Acknowledged(),)
        return tuple([Acknowledged() for _ in range(taken) if not self.queue.popleft().more])

    def take_information(self, frame: Frame) -> tuple[Event, ...]:
        """An I frame came: Information when it completes a message, Unexpected when its number is none of a window,
        Rejected when it or its message is too long. One that is repeated, or that others of its window should have
        come before, counts for nothing: its sender begins again where it is told."""
        number = self.receive_number
        if frame.control.ns != number:
            behind = (number - frame.control.ns) % 8
            if behind <= self._window_in or 8 - behind < self._window_in:
                return ()
            return (Unexpected(frame, f"I frame numbered {frame.control.ns}, {number} was due"),)
        if len(frame.information) > self._longest:
            reason = f"{len(frame.information)} octets in an I frame, {self._longest} were agreed"
            return (Rejected(reason, RejectCause.TOO_LONG),)
        self.receive_number = (number + 1) % 8
        self._incoming += frame.information
        if len(self._incoming) > self._max_message:
            return (Rejected(f"the message is longer than {self._max_message} octets", RejectCause.TOO_LONG),)
        if frame.segmented:
            return ()
        message = bytes(self._incoming)
        self._incoming.clear()
        return (Information(message),)


class Exchange:
    """What the secondary sends in one exchange, counted against its bounds: one that always has another frame would
    keep the bus for itself.

    Args:
        limits: `exchange_messages` and `exchange_octets` of it.
    """

    def __init__(self, limits: LinkLimits) -> None:
        self._limits = limits
        self._messages = 0
        self._octets = 0

    def begin(self) -> None:
        """The primary begins another one."""
        self._messages = self._octets = 0

    def take(self, frame: Frame, events: tuple[Event, ...]) -> tuple[Event, ...]:
        """An I frame came and had these events; Rejected behind them when it was too much."""
        self._octets += len(frame.information)
        if not frame.information or any(isinstance(event, Information) for event in events):
            self._messages += 1
        limits = self._limits
        if rejected(events) or (self._messages <= limits.exchange_messages and self._octets <= limits.exchange_octets):
            return events
        most = f"{limits.exchange_messages} messages or {limits.exchange_octets} octets"
        return (*events, Rejected(f"the meter does not stop sending: more than {most} in one exchange"))


def rejected(events: tuple[Event, ...]) -> bool:
    """Whether the other end broke the rules."""
    return any(isinstance(event, Rejected) for event in events)
