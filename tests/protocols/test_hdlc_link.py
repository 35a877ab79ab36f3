"""Both ends of an HDLC link (lmn-wired 1.7): the trace of [BZ] 5.2.1, losses, repetitions, segments, broken rules."""

from __future__ import annotations

import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.protocols.hdlc import Control, Frame, FrameKind, HdlcError
from devices.protocols.hdlc_fields import FrameReject
from devices.protocols.hdlc_link import (
    PRIMARY_COMMANDS,
    PRIMARY_RESPONSES,
    Acknowledged,
    Command,
    Connected,
    Disconnected,
    Event,
    Failed,
    Failure,
    Idle,
    Information,
    LinkLimits,
    NotReady,
    PrimaryLink,
    PrimaryState,
    RejectCause,
    Rejected,
    Step,
    Unexpected,
)
from devices.protocols.hdlc_secondary import SECONDARY_TABLE, SecondaryLink, SecondaryState

METER = 0x66
SAP = 0x70


class Wire:
    """A primary and a secondary; the meter's application answers every message by `answers`."""

    def __init__(self, limits: LinkLimits | None = None, loss: float = 0.0, seed: int = 1) -> None:
        self.primary = PrimaryLink(METER, SAP, limits)
        self.secondary = SecondaryLink(METER, SAP, limits)
        self.answers: dict[bytes, list[bytes]] = {}
        self.frames: list[Frame] = []
        self.gateway: list[Event] = []
        self.meter: list[Event] = []
        self.waits = 0
        self._loss = loss
        self._rng = random.Random(seed)

    def _lost(self) -> bool:
        return self._rng.random() < self._loss

    def run(self, step: Step) -> list[Event]:
        """Until nothing is waited for; returns the gateway's events."""
        seen: list[Event] = []
        for _ in range(5000):
            seen += step.events
            if not step.frames and not self.primary.busy:
                self.gateway += seen
                return seen
            answers = [answer for frame in step.frames for answer in self._exchange(frame)]
            if answers:
                step = self.primary.receive(answers[0])
            else:
                self.waits += 1
                step = self.primary.timeout()
        raise AssertionError("the link does not come to rest")

    def _exchange(self, frame: Frame) -> list[Frame]:
        self.frames.append(frame)
        if self._lost():
            return []
        step = self.secondary.receive(frame)
        self.meter += step.events
        for event in step.events:
            if isinstance(event, Information):
                for answer in self.answers.get(event.data, []):
                    self.secondary.send(answer)
        self.frames += step.frames
        return [] if self._lost() else list(step.frames)


def test_a_connection_runs_as_in_the_trace() -> None:
    """[BZ] 5.2.1 rows 3 to 8: SNRM, UA, I, RR, RR, I with the numbers of the trace."""
    wire = Wire()
    wire.answers[b"\x00\x03\x11\xed\xac"] = [bytes(30)]
    assert wire.run(wire.primary.connect()) == [Connected()]
    events = wire.run(wire.primary.send(b"\x00\x03\x11\xed\xac"))
    assert events == [Acknowledged(), Information(bytes(30)), Idle()]
    headers = [frame.to_bytes()[1:8].hex().upper() for frame in wire.frames]
    assert headers[:6] == [
        "A009CCE102E193",
        "A00902E1CCE173",
        "A010CCE102E110",
        "A00902E1CCE131",
        "A009CCE102E111",
        "A02902E1CCE130",
    ]


def test_the_next_request_has_the_numbers_of_rows_9_to_14() -> None:
    """A request that is queued before the answer came acknowledges the answer, as rows 9 to 12 do."""
    wire = Wire()
    wire.answers = {b"first": [bytes(30)], b"next!": [bytes(18)]}
    wire.run(wire.primary.connect())
    first = wire.primary.send(b"first")
    wire.primary.send(b"next!")
    wire.run(first)
    octets = [frame.control.octet for frame in wire.frames[2:]]
    assert octets[0] == 0x10
    assert octets[1] == 0x31
    assert 0x52 in octets
    assert octets[-2:] == [0x51, 0x51]


def test_a_meter_that_says_not_ready_is_polled_until_it_is() -> None:
    """lmn-wired 1.7: one meter answers RNR, another RR; both must be accepted."""
    wire = Wire()
    wire.run(wire.primary.connect())
    wire.secondary.busy = True
    step = wire.primary.send(b"request")
    for _ in range(5):
        step = wire.primary.receive(wire.secondary.receive(step.frames[0]).frames[0])
        assert NotReady() in step.events
        assert step.timer == wire.primary.limits.poll_interval_s
        step = wire.primary.timeout()
    wire.secondary.busy = False
    wire.secondary.send(b"answer")
    assert wire.run(step) == [Information(b"answer"), Idle()]


def test_not_ready_for_ever_and_no_answer_for_ever_are_told_apart() -> None:
    """[CONEXA] log 103190 and 103191 (lmn-wired 1.7)."""
    for busy in (True, False):
        wire = Wire(LinkLimits(answer_polls=7))
        wire.run(wire.primary.connect())
        wire.secondary.busy = busy
        failed = [event for event in wire.run(wire.primary.send(b"request")) if isinstance(event, Failed)]
        assert [event.kind for event in failed] == [Failure.NOT_READY if busy else Failure.NO_MESSAGE]
        assert wire.primary.state is PrimaryState.DOWN


def test_a_silent_meter_is_asked_as_often_as_the_limits_say() -> None:
    link = PrimaryLink(METER, SAP, LinkLimits(retries=2))
    sent = [link.connect()]
    assert sent[0].timer == link.limits.response_timeout_s
    while link.busy:
        sent.append(link.timeout())
    assert [frame.control.kind for step in sent for frame in step.frames] == [FrameKind.SNRM] * 3
    failed = sent[-1].events[0]
    assert isinstance(failed, Failed) and failed.kind is Failure.NO_LINK
    assert link.timeout() == Step()


@pytest.mark.parametrize("busy_with", ["I", "RR"])
def test_silence_on_a_link_that_was_up_is_told_apart_from_a_link_that_never_was(busy_with: str) -> None:
    """[CASA] 9.4: 103118 is no answer at all, 103191 a time-out in reading."""
    wire = Wire(LinkLimits(retries=1))
    wire.run(wire.primary.connect())
    step = wire.primary.send(b"request") if busy_with == "I" else wire.primary.poll()
    while wire.primary.busy:
        step = wire.primary.timeout()
    (failed,) = step.events
    assert isinstance(failed, Failed) and failed.kind is Failure.SILENCE


@pytest.mark.parametrize("size", [1, 7, 8, 9, 16, 63, 64, 65, 200])
def test_messages_are_cut_into_segments_and_put_together(size: int) -> None:
    wire = Wire(LinkLimits(max_information=8))
    message, answer = bytes(range(size)), bytes(reversed(range(size)))
    wire.answers[message] = [answer]
    wire.run(wire.primary.connect())
    assert wire.run(wire.primary.send(message)) == [Acknowledged(), Information(answer), Idle()]
    sent = [frame for frame in wire.frames if frame.control.kind is FrameKind.I and frame.source == 1]
    assert [frame.segmented for frame in sent] == [True] * (len(sent) - 1) + [False]
    assert all(len(frame.information) <= 8 for frame in wire.frames)


def test_several_messages_of_the_meter_all_come() -> None:
    wire = Wire()
    wire.answers[b"?"] = [b"one", b"two", b"three"]
    wire.run(wire.primary.connect())
    events = wire.run(wire.primary.send(b"?"))
    assert [event.data for event in events if isinstance(event, Information)] == [b"one", b"two", b"three"]


@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 20))
def test_loss_of_frames_neither_loses_nor_doubles_a_message(seed: int, length: int, size: int) -> None:
    wire = Wire(LinkLimits(max_information=size, retries=60), loss=0.2, seed=seed)
    messages = [bytes([number]) * length for number in range(3)]
    wire.answers = {message: [message[::-1] + b"!"] for message in messages}
    wire.run(wire.primary.connect())
    events = [event for message in messages for event in wire.run(wire.primary.send(message))]
    received = [event.data for event in wire.meter if isinstance(event, Information)]
    assert received == messages
    assert [event.data for event in events if isinstance(event, Information)] == [m[::-1] + b"!" for m in messages]


def test_a_meter_without_link_answers_dm_and_the_gateway_hears_it() -> None:
    wire = Wire()
    wire.run(wire.primary.connect())
    wire.secondary.reset()
    events = wire.run(wire.primary.send(b"request"))
    assert [type(event) for event in events] == [Disconnected]


@pytest.mark.parametrize("answer", [FrameKind.UA, FrameKind.DM])
def test_a_link_ends_with_ua_or_dm(answer: FrameKind) -> None:
    """DISC is answered with DM by one firmware, with UA by the standard (lmn-wired 1.7)."""
    wire = Wire()
    wire.secondary = SecondaryLink(METER, SAP, disconnect_answer=answer)
    wire.run(wire.primary.connect())
    assert [type(event) for event in wire.run(wire.primary.disconnect())] == [Disconnected]
    assert wire.frames[-1].control.kind is answer
    with pytest.raises(HdlcError):
        wire.primary.send(b"request")


def test_a_wrong_acknowledgement_is_rejected_by_both_ends() -> None:
    wire = Wire()
    wire.run(wire.primary.connect())
    wire.primary.send(b"request")
    step = wire.primary.receive(Frame(1, METER, SAP, Control(FrameKind.RR, nr=5)))
    assert isinstance(step.events[0], Rejected)
    step = wire.secondary.receive(Frame(METER, 1, SAP, Control(FrameKind.RR, nr=5)))
    assert isinstance(step.events[0], Rejected)
    assert step.frames[0].control.kind is FrameKind.FRMR
    assert FrameReject.from_bytes(step.frames[0].information) == FrameReject(0xB1, 0, 0, RejectCause.BAD_NUMBER)


@pytest.mark.parametrize("answer", [FrameKind.FRMR, FrameKind.DM])
def test_an_unknown_control_octet_is_answered_with_frmr_or_dm(answer: FrameKind) -> None:
    """FRMR is the answer of the standard, DM that of one public meter firmware (lmn-wired 1.7)."""
    wire = Wire()
    wire.secondary = SecondaryLink(METER, SAP, unknown_answer=answer)
    wire.run(wire.primary.connect())
    strange = Frame(METER, 1, SAP, Control.from_octet(0xBF))
    step = wire.secondary.receive(strange)
    assert [frame.control.kind for frame in step.frames] == [answer]
    assert step.events == (Rejected("unknown control octet BF", RejectCause.UNKNOWN_CONTROL),)
    assert wire.secondary.receive(strange).frames[0].control.kind is FrameKind.DM, "there is no link any more"
    (event,) = wire.primary.receive(step.frames[0]).events
    assert isinstance(event, Rejected if answer is FrameKind.FRMR else Disconnected)
    if isinstance(event, Rejected):
        assert event.cause is RejectCause.UNKNOWN_CONTROL
        assert event.reason.endswith("unknown control octet BF: unknown control")


def test_an_unknown_control_octet_that_does_not_poll_is_not_answered() -> None:
    link = SecondaryLink(METER, SAP)
    assert link.receive(Frame(METER, 1, SAP, Control.from_octet(0xAF))).frames == ()


def test_an_unknown_control_octet_of_the_meter_is_unexpected_and_changes_nothing() -> None:
    wire = Wire()
    wire.run(wire.primary.connect())
    wire.primary.send(b"request")
    step = wire.primary.receive(Frame(1, METER, SAP, Control.from_octet(0xBF)))
    assert isinstance(step.events[0], Unexpected)
    assert wire.primary.state is PrimaryState.SENDING


def test_an_frmr_without_reason_rejects_all_the_same() -> None:
    wire = Wire()
    wire.run(wire.primary.connect())
    (event,) = wire.primary.receive(Frame(1, METER, SAP, Control(FrameKind.FRMR))).events
    assert event == Rejected("the meter rejected a frame (FRMR)")


def test_a_meter_may_say_not_ready_to_every_request_first() -> None:
    """lmn-wired 1.7: one public meter firmware answers RNR to an I frame, RR when polled."""
    wire = Wire()
    wire.answers[b"request"] = [b"answer"]
    wire.run(wire.primary.connect())
    meter, answered = wire.secondary, wire.secondary.receive

    def receive(frame: Frame) -> Step:
        meter.busy = frame.control.kind is FrameKind.I
        return answered(frame)

    meter.receive = receive  # type: ignore[method-assign]
    assert wire.run(wire.primary.send(b"request")) == [Acknowledged(), NotReady(), Information(b"answer"), Idle()]
    assert [frame.control.kind.value for frame in wire.frames[2:]] == ["I", "RNR", "RR", "I", "RR", "RR"]


def test_a_repeated_information_frame_is_acknowledged_but_told_once() -> None:
    link = SecondaryLink(METER, SAP)
    link.receive(Frame(METER, 1, SAP, Control(FrameKind.SNRM)))
    frame = Frame(METER, 1, SAP, Control(FrameKind.I), b"request")
    assert link.receive(frame).events == (Information(b"request"),)
    again = link.receive(frame)
    assert again.events == ()
    assert again.frames[0].control == Control(FrameKind.RR, nr=1)


def test_a_message_that_grows_too_long_is_rejected() -> None:
    link = SecondaryLink(METER, SAP, LinkLimits(max_message=10))
    link.receive(Frame(METER, 1, SAP, Control(FrameKind.SNRM)))
    step = link.receive(Frame(METER, 1, SAP, Control(FrameKind.I), bytes(11), True))
    assert isinstance(step.events[0], Rejected)
    assert link.state is SecondaryState.DOWN


def babble(
    link: PrimaryLink, step: Step, information: bytes, *, more: bool = False, nr: int = 1
) -> tuple[int, list[Event]]:
    """A meter that answers every poll with another I frame; how many it gets rid of, and what the gateway tells."""
    events: list[Event] = []
    for number in range(2000):
        if not step.frames:
            return number, events
        step = link.receive(Frame(1, METER, SAP, Control(FrameKind.I, True, number % 8, nr), information, more))
        events += step.events
    raise AssertionError("the gateway polls for ever")


def connected(limits: LinkLimits | None = None) -> PrimaryLink:
    link = PrimaryLink(METER, SAP, limits)
    link.connect()
    link.receive(Frame(1, METER, SAP, Control(FrameKind.UA)))
    return link


def test_a_meter_that_always_has_another_message_is_not_polled_for_ever() -> None:
    """It would keep the bus from all others."""
    link = connected()
    taken, events = babble(link, link.send(b"?"), b"m")
    assert taken == LinkLimits().exchange_messages + 1
    assert isinstance(events[-1], Rejected)
    assert "does not stop sending: more than 64 messages" in events[-1].reason
    assert link.state is PrimaryState.DOWN
    link = connected()
    taken, _ = babble(link, link.poll(), b"m", nr=0)
    assert taken == LinkLimits().exchange_messages + 1


@pytest.mark.parametrize("more", [False, True])
def test_the_octets_of_an_exchange_have_a_bound_and_so_have_frames_without_any(more: bool) -> None:
    limits = LinkLimits(exchange_octets=1000, exchange_messages=20)
    link = connected(limits)
    assert babble(link, link.send(b"?"), bytes(100), more=more)[0] == 11
    link = connected(limits)
    assert babble(link, link.send(b"?"), b"", more=more)[0] == 21


def test_each_request_of_the_gateway_begins_another_exchange() -> None:
    wire = Wire(LinkLimits(exchange_messages=3, exchange_octets=30))
    wire.answers[b"?"] = [bytes(10)] * 3
    wire.run(wire.primary.connect())
    for _ in range(5):
        assert wire.run(wire.primary.send(b"?"))[-1] == Idle()
        wire.secondary.send(bytes(10))
        assert wire.run(wire.primary.poll())[-1] == Idle()
    wire.answers[b"?"] = [bytes(10)] * 4
    assert isinstance(wire.run(wire.primary.send(b"?"))[-1], Rejected)


def test_frames_between_others_and_ui_frames_change_nothing() -> None:
    for link in (PrimaryLink(METER, SAP), SecondaryLink(METER, SAP)):
        for frame in (
            Frame(METER, 1, 3, Control(FrameKind.SNRM)),
            Frame(0x44, 1, SAP, Control(FrameKind.SNRM)),
            Frame(METER, 1, SAP, Control(FrameKind.UI)),
            Frame(1, METER, SAP, Control(FrameKind.UI)),
        ):
            assert link.receive(frame) == Step()


def test_without_the_poll_bit_a_meter_keeps_silent() -> None:
    link = SecondaryLink(METER, SAP)
    step = link.receive(Frame(METER, 1, SAP, Control(FrameKind.SNRM, poll=False)))
    assert step.frames == ()
    assert step.events == (Connected(),)


def test_a_meter_forgets_a_gateway_that_is_gone() -> None:
    link = SecondaryLink(METER, SAP)
    assert link.receive(Frame(METER, 1, SAP, Control(FrameKind.SNRM))).timer == link.limits.inactivity_s
    link.send(b"x")
    assert isinstance(link.timeout().events[0], Disconnected)
    with pytest.raises(HdlcError):
        link.send(b"x")


def test_a_new_snrm_forgets_what_was_queued() -> None:
    """UA resets both numbers (lmn-wired 1.7)."""
    wire = Wire()
    wire.run(wire.primary.connect())
    wire.secondary.send(b"old")
    wire.run(wire.primary.connect())
    assert wire.run(wire.primary.poll()) == [Idle()]


def test_limits_that_cannot_be_are_refused() -> None:
    for wrong in (
        {"max_information": 0},
        {"max_information": 5000},
        {"retries": -1},
        {"answer_polls": 0},
        {"window": 8},
        {"exchange_messages": 0},
        {"exchange_octets": 0},
    ):
        with pytest.raises(HdlcError):
            LinkLimits(**wrong)  # type: ignore[arg-type]
    link = SecondaryLink(METER, SAP)
    link.receive(Frame(METER, 1, SAP, Control(FrameKind.SNRM)))
    with pytest.raises(HdlcError):
        link.send(b"")


def test_every_pair_that_is_not_in_the_tables_leaves_the_state_alone() -> None:
    for state, kind in product(PrimaryState, FrameKind):
        if (state, kind) not in PRIMARY_RESPONSES and kind is not FrameKind.UI:
            primary = PrimaryLink(METER, SAP)
            primary.state = state
            step = primary.receive(Frame(1, METER, SAP, Control(kind)))
            assert primary.state is state
            assert isinstance(step.events[0], Unexpected)
    for secondary_state, kind in product(SecondaryState, FrameKind):
        if (secondary_state, kind) not in SECONDARY_TABLE and kind is not FrameKind.UI:
            secondary = SecondaryLink(METER, SAP)
            secondary.state = secondary_state
            assert isinstance(secondary.receive(Frame(METER, 1, SAP, Control(kind))).events[0], Unexpected)
    assert {state for state, command in PRIMARY_COMMANDS if command is Command.CONNECT} == set(PrimaryState)
