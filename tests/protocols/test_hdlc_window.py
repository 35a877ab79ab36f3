"""Windows, negotiation, bad channels, and every input in every state of both ends of a link (lmn-wired 1.7)."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.protocols.hdlc import GATEWAY, Control, Frame, FrameKind, FrameReader, HdlcError
from devices.protocols.hdlc_fields import LinkParameters
from devices.protocols.hdlc_link import (
    Acknowledged,
    Connected,
    Disconnected,
    Event,
    Failed,
    Failure,
    Information,
    LinkLimits,
    PrimaryLink,
    PrimaryState,
    Rejected,
    Step,
    Unexpected,
)
from devices.protocols.hdlc_secondary import SecondaryLink, SecondaryState

METER, SAP = 0x66, 0x70


class Channel:
    """Both ends of a link with a bad cable in between that loses, doubles and damages frames.

    Frames cross it as octets, one reader at each end; no answer comes after the primary has given up waiting for it.
    The meter answers each message with its octets reversed behind "re".
    """

    def __init__(
        self,
        limits: LinkLimits,
        meter_limits: LinkLimits | None = None,
        *,
        seed: int = 1,
        loss: float = 0.0,
        double: float = 0.0,
        damage: float = 0.0,
    ) -> None:
        self.primary = PrimaryLink(METER, SAP, limits)
        self.secondary = SecondaryLink(METER, SAP, meter_limits or limits)
        self.sent: list[Frame] = []
        self.at_gateway: list[Event] = []
        self.at_meter: list[Event] = []
        self._rng = random.Random(seed)
        self._loss, self._double, self._damage = loss, double, damage
        self._gateway_reader, self._meter_reader = FrameReader(), FrameReader()

    def over(self, frames: tuple[Frame, ...], reader: FrameReader) -> list[Frame]:
        """What of `frames` arrives."""
        self.sent += frames
        stream = b""
        for frame in frames:
            for _ in range(2 if self._rng.random() < self._double else 1):
                octets = bytearray(frame.to_bytes())
                if self._rng.random() < self._damage:
                    octets[self._rng.randrange(len(octets))] ^= 1 << self._rng.randrange(8)
                if self._rng.random() >= self._loss:
                    stream += octets
        return [one for one in (*reader.feed(stream), *reader.idle()) if isinstance(one, Frame)]

    def run(self, step: Step) -> list[Event]:
        """Until the primary rests; returns its events."""
        seen: list[Event] = []
        waiting: deque[Frame] = deque()
        for _ in range(20_000):
            seen += step.events
            for frame in self.over(step.frames, self._meter_reader):
                answer = self.secondary.receive(frame)
                self.at_meter += answer.events
                for event in answer.events:
                    if isinstance(event, Information):
                        self.secondary.send(b"re" + event.data[::-1])
                waiting += self.over(answer.frames, self._gateway_reader)
            if waiting:
                step = self.primary.receive(waiting.popleft())
            elif self.primary.busy:
                step = self.primary.timeout()
            else:
                self.at_gateway += seen
                return seen
        raise AssertionError("the link does not come to rest")


def messages(events: list[Event]) -> list[bytes]:
    return [event.data for event in events if isinstance(event, Information)]


def linked(limits: LinkLimits, meter_limits: LinkLimits | None = None) -> Channel:
    channel = Channel(limits, meter_limits)
    assert channel.run(channel.primary.connect()) == [Connected()]
    return channel


# --- windows


def test_unless_told_an_end_has_one_frame_out() -> None:
    """lmn-wired 1.7: every primary frame polls, exactly one frame comes back."""
    channel = linked(LinkLimits(max_information=4))
    channel.run(channel.primary.send(bytes(40)))
    assert all(frame.control.poll for frame in channel.sent)
    assert [frame.source for frame in channel.sent] == [GATEWAY, METER] * (len(channel.sent) // 2)


@pytest.mark.parametrize("window", range(1, 8))
def test_a_window_goes_out_at_once_and_its_last_frame_polls(window: int) -> None:
    channel = linked(LinkLimits(max_information=4, window=window))
    message = bytes(range(80))
    events = channel.run(channel.primary.send(message))
    assert messages(channel.at_meter) == [message]
    assert messages(events) == [b"re" + message[::-1]]
    assert [event for event in events if isinstance(event, Acknowledged)] == [Acknowledged()]
    for source, segments in ((GATEWAY, 20), (METER, 21)):
        ours = [frame for frame in channel.sent if frame.source == source and frame.control.kind is FrameKind.I]
        assert len(ours) == segments, "nothing is sent twice"
        assert [frame.control.ns for frame in ours] == [number % 8 for number in range(segments)]
        polls = [place for place, frame in enumerate(ours, 1) if frame.control.poll]
        assert polls == [*range(window, segments, window), segments]


def test_after_a_lost_frame_all_from_there_are_sent_again() -> None:
    """Go back N: the receiver takes nothing behind a gap and tells where it stands."""
    limits = LinkLimits(max_information=1, window=5)
    primary, secondary = PrimaryLink(METER, SAP, limits), SecondaryLink(METER, SAP, limits)
    primary.receive(secondary.receive(primary.connect().frames[0]).frames[0])
    out = primary.send(b"abcdefgh").frames
    assert [frame.information for frame in out] == [b"a", b"b", b"c", b"d", b"e"]
    steps = [secondary.receive(frame) for frame in out if frame.information != b"c"]
    assert [event for step in steps for event in step.events] == []
    (answer,) = (frame for step in steps for frame in step.frames)
    assert answer.control == Control(FrameKind.RR, nr=2)
    again = primary.receive(answer).frames
    assert [frame.information for frame in again] == [b"c", b"d", b"e", b"f", b"g"]
    assert [frame.control.ns for frame in again] == [2, 3, 4, 5, 6]


def test_a_poll_that_is_sent_again_acknowledges_what_came_of_a_window() -> None:
    channel = linked(LinkLimits(max_information=1, window=3))
    channel.secondary.send(b"xyz")
    out = channel.secondary.receive(channel.primary.poll().frames[0]).frames
    for frame in out[:2]:
        assert channel.primary.receive(frame).frames == ()
    assert channel.primary.timeout().frames[0].control == Control(FrameKind.RR, nr=2)


@pytest.mark.parametrize("window", [1, 3, 7])
def test_an_acknowledgement_beyond_the_window_breaks_the_link(window: int) -> None:
    channel = linked(LinkLimits(max_information=1, window=window))
    channel.primary.send(bytes(20))
    step = channel.primary.receive(Frame(GATEWAY, METER, SAP, Control(FrameKind.RR, nr=(window + 1) % 8)))
    if window < 7:
        assert isinstance(step.events[0], Rejected)
    else:
        assert len(step.frames) == 7, "NR=0 says that nothing came"


@pytest.mark.parametrize(("window", "strange"), [(1, {1, 2, 3, 4, 5, 6}), (2, {2, 3, 4, 5}), (3, {3, 4}), (4, set())])
def test_a_number_that_no_window_explains_is_unexpected(window: int, strange: set[int]) -> None:
    """Behind by up to a window: sent again. Ahead by less than one: something got lost. All else makes no sense."""
    for number in range(1, 8):
        channel = linked(LinkLimits(window=window))
        step = channel.secondary.receive(Frame(METER, GATEWAY, SAP, Control(FrameKind.I, ns=number), b"x"))
        assert {type(event) for event in step.events} == ({Unexpected} if number in strange else set())
        assert step.frames[0].control == Control(FrameKind.RR, nr=0)


def from_meter(kind: FrameKind, nr: int, ns: int = 0, data: bytes = b"", *, final: bool = True) -> Frame:
    return Frame(GATEWAY, METER, SAP, Control(kind, final, ns, nr), data)


def test_a_busy_meter_may_acknowledge_a_window_bit_by_bit() -> None:
    channel = linked(LinkLimits(max_information=1, window=5))
    link = channel.primary
    link.send(b"abcde")
    assert not [event for event in link.receive(from_meter(FrameKind.RNR, 2)).events if isinstance(event, Rejected)]
    link.timeout()
    assert Acknowledged() in link.receive(from_meter(FrameKind.RR, 5)).events


def test_who_gets_on_a_little_is_not_given_up() -> None:
    """Retries count what brings nothing at all, not what brings less than the whole window."""
    link = linked(LinkLimits(max_information=1, window=5, retries=0)).primary
    link.send(b"abcdefgh")
    for number in range(1, 8):
        assert link.receive(from_meter(FrameKind.RR, number)).frames[0].control.ns == number
    assert Acknowledged() in link.receive(from_meter(FrameKind.RR, 0)).events


@pytest.mark.parametrize("window", [1, 4])
def test_each_step_forward_has_all_its_retries(window: int) -> None:
    link = linked(LinkLimits(max_information=1, window=window, retries=1)).primary
    link.send(b"abcdefg")
    for number in range(1, 7):
        assert link.timeout().frames, "sent again"
        assert link.receive(from_meter(FrameKind.RR, number)).frames
    link.receive(from_meter(FrameKind.RR, 7))
    for number in range(6):
        assert link.timeout().frames, "polled again"
        assert link.receive(from_meter(FrameKind.I, 7, number, b"m")).frames


def test_a_window_with_a_gap_is_a_step_forward() -> None:
    link = linked(LinkLimits(window=4, retries=0)).primary
    link.poll()
    assert link.receive(from_meter(FrameKind.I, 0, 0, b"m", final=False)).events == (Information(b"m"),)
    step = link.receive(from_meter(FrameKind.I, 0, 3, b"p"))
    assert [frame.control for frame in step.frames] == [Control(FrameKind.RR, nr=1)]
    assert isinstance(link.receive(from_meter(FrameKind.I, 0, 3, b"p")).events[-1], Failed), "now nothing came"


@pytest.mark.parametrize("window", [1, 4])
def test_a_meter_that_sends_the_same_again_and_again_is_given_up(window: int) -> None:
    link = linked(LinkLimits(window=window, retries=3)).primary
    step = link.poll()
    polls = 0
    while step.frames:
        polls += 1
        step = link.receive(from_meter(FrameKind.I, 0, 7, b"m"))
    assert polls == 4
    failed = step.events[-1]
    assert isinstance(failed, Failed) and failed.kind is Failure.NO_PROGRESS


def test_what_a_meter_was_not_asked_for_it_has_not_sent() -> None:
    channel = linked(LinkLimits())
    channel.secondary.send(b"m")
    assert channel.secondary.receive(Frame(METER, GATEWAY, SAP, Control(FrameKind.RR, False))).frames == ()
    step = channel.secondary.receive(Frame(METER, GATEWAY, SAP, Control(FrameKind.RR, nr=1)))
    assert isinstance(step.events[0], Rejected)


# --- negotiation


def test_snrm_is_bare_unless_negotiation_is_on() -> None:
    """[BZ] 5.2.1 rows 3 and 4 (lmn-wired 2)."""
    channel = linked(LinkLimits(), LinkLimits(negotiate=True))
    assert [frame.to_bytes().hex() for frame in channel.sent] == ["7ea009cce102e193003b7e", "7ea00902e1cce17340ec7e"]


def test_both_ends_do_what_both_can() -> None:
    channel = linked(
        LinkLimits(max_information=1024, window=7, negotiate=True),
        LinkLimits(max_information=0x9A, window=2, negotiate=True),
    )
    snrm, ua = channel.sent
    assert LinkParameters.from_bytes(snrm.information) == LinkParameters(1024, 1024, 7, 7)
    assert LinkParameters.from_bytes(ua.information) == LinkParameters(0x9A, 0x9A, 2, 2)
    assert channel.primary.agreed == channel.secondary.agreed == LinkParameters(0x9A, 0x9A, 2, 2)
    message = bytes(1000)
    assert messages(channel.run(channel.primary.send(message))) == [b"re" + message]
    information = [frame for frame in channel.sent if frame.control.kind is FrameKind.I]
    assert max(len(frame.information) for frame in information) == 0x9A
    assert [frame.control.poll for frame in information[:4]] == [False, True, False, True]


def test_a_meter_that_does_not_negotiate_has_a_window_of_one() -> None:
    """One firmware has the code but leaves it out (lmn-wired 1.7)."""
    channel = linked(LinkLimits(window=7, negotiate=True), LinkLimits())
    assert channel.sent[1].information == b""
    assert channel.primary.agreed == LinkParameters(1024, 1024, 1, 1)


def test_a_message_that_waits_for_the_link_is_cut_as_was_agreed() -> None:
    channel = Channel(LinkLimits(negotiate=True), LinkLimits(max_information=16, negotiate=True))
    step = channel.primary.connect()
    for message in (b"a" * 40, b"b" * 16):
        channel.primary.send(message)
    events = channel.run(step)
    assert messages(channel.at_meter) == [b"a" * 40, b"b" * 16]
    assert messages(events) == [b"re" + b"a" * 40, b"re" + b"b" * 16]
    assert max(len(frame.information) for frame in channel.sent if frame.control.kind is FrameKind.I) == 16


def test_more_octets_than_agreed_are_rejected() -> None:
    channel = linked(LinkLimits(max_information=16, negotiate=True))
    step = channel.secondary.receive(Frame(METER, GATEWAY, SAP, Control(FrameKind.I), bytes(17)))
    assert isinstance(step.events[0], Rejected)
    assert step.frames[0].information.hex() == "100004"


def test_parameters_that_cannot_be_read_make_no_link() -> None:
    limits = LinkLimits(negotiate=True)
    secondary = SecondaryLink(METER, SAP, limits)
    step = secondary.receive(Frame(METER, GATEWAY, SAP, Control(FrameKind.SNRM), b"\x81\x80\x05"))
    assert [frame.control.kind for frame in step.frames] == [FrameKind.DM]
    assert secondary.state is SecondaryState.DOWN
    primary = PrimaryLink(METER, SAP, limits)
    primary.connect()
    step = primary.receive(Frame(GATEWAY, METER, SAP, Control(FrameKind.UA), b"\x81"))
    assert isinstance(step.events[0], Rejected)
    assert primary.state is PrimaryState.DOWN


# --- bad channels


@settings(max_examples=150)
@given(
    seed=st.integers(0, 10**6),
    window=st.integers(1, 7),
    size=st.integers(1, 20),
    length=st.integers(1, 90),
    negotiate=st.booleans(),
    loss=st.sampled_from([0.0, 0.1, 0.3]),
    double=st.sampled_from([0.0, 0.1, 0.3]),
    damage=st.sampled_from([0.0, 0.1, 0.3]),
)
def test_messages_arrive_once_and_in_order_or_the_failure_is_told(
    seed: int, window: int, size: int, length: int, negotiate: bool, loss: float, double: float, damage: float
) -> None:
    limits = LinkLimits(max_information=size, window=window, retries=12, negotiate=negotiate)
    channel = Channel(limits, seed=seed, loss=loss, double=double, damage=damage)
    channel.run(channel.primary.connect())
    asked = [bytes([number]) * (length + number) for number in range(3)]
    for message in asked:
        if channel.primary.state is PrimaryState.DOWN:
            break
        channel.run(channel.primary.send(message))
    arrived, came = messages(channel.at_meter), messages(channel.at_gateway)
    confirmed = asked[: sum(isinstance(event, Acknowledged) for event in channel.at_gateway)]
    failed = any(isinstance(event, Failed | Rejected | Disconnected) for event in channel.at_gateway)
    assert arrived == asked[: len(arrived)], "in order, none twice"
    assert arrived[: len(confirmed)] == confirmed, "what is acknowledged has arrived"
    assert came == [b"re" + message[::-1] for message in asked[: len(came)]]
    assert failed or (arrived == asked and len(came) == len(asked))
    assert failed == (channel.primary.state is PrimaryState.DOWN)


def test_a_channel_that_only_loses_and_damages_brings_everything_with_patience() -> None:
    """So that the test before does not pass by failing always."""
    for seed, window in product(range(6), (1, 4, 7)):
        channel = Channel(LinkLimits(max_information=5, window=window, retries=80), seed=seed, loss=0.15, damage=0.15)
        channel.run(channel.primary.connect())
        asked = [bytes([number]) * 60 for number in range(4)]
        for message in asked:
            channel.run(channel.primary.send(message))
        assert messages(channel.at_meter) == asked
        assert messages(channel.at_gateway) == [b"re" + message for message in asked]


# --- every input in every state

COMMANDS: dict[str, Callable[[PrimaryLink], Step]] = {
    "connect": PrimaryLink.connect,
    "disconnect": PrimaryLink.disconnect,
    "poll": PrimaryLink.poll,
    "timeout": PrimaryLink.timeout,
    "send": lambda link: link.send(b"12345"),
}
FROM_METER = Frame(GATEWAY, METER, SAP, Control(FrameKind.UA))
TO_METER = Frame(METER, GATEWAY, SAP, Control(FrameKind.SNRM))
octets = st.integers(0, 255)
fields = st.sampled_from([b"", b"\x81\x80\x03\x05\x01\x02", b"\x81\x80", b"abcd", b"\xbf\x00\x01"])
frames = st.tuples(octets, fields, st.booleans())
link_limits = st.builds(
    LinkLimits,
    retries=st.integers(0, 3),
    answer_polls=st.integers(1, 4),
    max_information=st.integers(1, 4),
    max_message=st.just(12),
    window=st.integers(1, 7),
    negotiate=st.booleans(),
)


def told(octet: int, information: bytes, more: bool, *, by_meter: bool) -> Frame:
    ends = (GATEWAY, METER) if by_meter else (METER, GATEWAY)
    return Frame(*ends, SAP, Control.from_octet(octet), information, more)


def looked_at(step: Step, limits: LinkLimits) -> None:
    """What holds for every step: frames that can be written, at most a window of them, of which only the last polls."""
    assert len(step.frames) <= limits.window
    assert all(frame.control.kind is FrameKind.I for frame in step.frames) or len(step.frames) <= 1
    for frame in step.frames:
        assert Frame.from_bytes(frame.to_bytes()) == frame
        assert frame.control.poll == (frame is step.frames[-1])
        assert 0 <= frame.control.ns <= 7 and 0 <= frame.control.nr <= 7
        assert frame.source != GATEWAY or step.timer is not None


def state_reached(state: PrimaryState, limits: LinkLimits) -> PrimaryLink:
    """A gateway's end that has come to `state` by its own means."""
    link = PrimaryLink(METER, SAP, limits)
    ready = Frame(GATEWAY, METER, SAP, Control(FrameKind.RNR))
    way: dict[PrimaryState, list[Callable[[], Any]]] = {
        PrimaryState.DOWN: [],
        PrimaryState.CONNECTING: [link.connect],
        PrimaryState.READY: [link.connect, lambda: link.receive(FROM_METER)],
        PrimaryState.SENDING: [link.connect, lambda: link.receive(FROM_METER), lambda: link.send(b"123456789")],
        PrimaryState.POLLING: [link.connect, lambda: link.receive(FROM_METER), link.poll],
        PrimaryState.PAUSE: [link.connect, lambda: link.receive(FROM_METER), link.poll, lambda: link.receive(ready)],
        PrimaryState.DISCONNECTING: [link.connect, link.disconnect],
    }
    for go in way[state]:
        go()
    assert link.state is state
    return link


LIMITS = [
    LinkLimits(max_information=2, max_message=12, retries=1, answer_polls=3),
    LinkLimits(max_information=2, max_message=12, retries=1, answer_polls=3, window=4, negotiate=True),
]


@pytest.mark.parametrize("limits", LIMITS, ids=["window 1", "window 4, negotiated"])
def test_every_control_octet_and_command_in_every_state_of_the_gateways_end(limits: LinkLimits) -> None:
    """All 7 states with all 256 control octets, with and without information, and all commands."""
    for state in PrimaryState:
        for octet, information in product(range(256), (b"", b"abc")):
            link = state_reached(state, limits)
            looked_at(link.receive(told(octet, information, False, by_meter=True)), limits)
            comes_to_rest(link, limits)
        for name, command in COMMANDS.items():
            link = state_reached(state, limits)
            try:
                looked_at(command(link), limits)
            except HdlcError:
                assert name == "send" and state in (PrimaryState.DOWN, PrimaryState.DISCONNECTING)
            comes_to_rest(link, limits)


@pytest.mark.parametrize("limits", LIMITS, ids=["window 1", "window 4, negotiated"])
def test_every_control_octet_in_every_state_of_the_meters_end(limits: LinkLimits) -> None:
    for up, octet, information, queued in product((False, True), range(256), (b"", b"abc"), (b"", b"12345")):
        link = SecondaryLink(METER, SAP, limits)
        if up:
            link.receive(TO_METER)
            if queued:
                link.send(queued)
        step = link.receive(told(octet, information, False, by_meter=False))
        looked_at(step, limits)
        assert octet & 0x10 or not step.frames, "who is not polled keeps silent"


def comes_to_rest(link: PrimaryLink, limits: LinkLimits) -> None:
    """A link whose meter has stopped ends within the retries, by Failed unless it was at rest or closing."""
    was = link.state
    events: list[Event] = []
    for _ in range(limits.retries + 2):
        if not link.busy:
            break
        events += link.timeout().events
    assert not link.busy
    if was is PrimaryState.DISCONNECTING:
        assert isinstance(events[-1], Disconnected)
    elif was not in (PrimaryState.DOWN, PrimaryState.READY):
        assert isinstance(events[-1], Failed)
        assert link.state is PrimaryState.DOWN


@settings(max_examples=300)
@given(link_limits, st.lists(st.sampled_from(sorted(COMMANDS)) | frames, max_size=50))
def test_no_sequence_of_inputs_breaks_either_end(
    limits: LinkLimits, inputs: list[str | tuple[int, bytes, bool]]
) -> None:
    primary, secondary = PrimaryLink(METER, SAP, limits), SecondaryLink(METER, SAP, limits)
    for one in inputs:
        if isinstance(one, tuple):
            looked_at(primary.receive(told(*one, by_meter=True)), limits)
            looked_at(secondary.receive(told(*one, by_meter=False)), limits)
            continue
        try:
            looked_at(COMMANDS[one](primary), limits)
            if one == "send":
                secondary.send(b"12345")
            elif one == "timeout":
                looked_at(secondary.timeout(), limits)
        except HdlcError:
            assert one == "send"
    comes_to_rest(primary, limits)
