"""Steps about the gateway as a whole: its operating state, its self-test, and faults that only an emulation has."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import ConfigDict, model_validator

from bench.expect import Condition, Look, Outcome, Truth
from bench.quantity import Duration, text_of
from bench.records import BOOKS
from bench.steps.base import ExpectingStep, Step
from bench.steps.counting import Count, Counted
from bench.steps.led_looks import MeaningShown
from bench.verdict import Verdict
from devices.errors import BenchError
from devices.maintenance import Refused

if TYPE_CHECKING:
    from bench.rig import Rig
    from bench.scenario.models import Scenario
    from devices.gateway_types.model import GatewayType

POLL_S = 1.0


@dataclass(frozen=True)
class InState:
    """The gateway is in an operating state, judged by what the manual says one sees of it."""

    state: str
    settle_s: float = 15.0
    polled: bool = True

    def sentence(self) -> str:
        return f"the gateway is in the state {self.state!r}"

    async def look(self, rig: Rig) -> Look:
        looks = await state_evidence(rig, self.state)
        if not looks:
            return Look(Truth.UNDECIDED, "the documents name nothing by which this state can be seen", None)
        seen = "; ".join(look.seen for look in looks)
        times = [look.again_at for look in looks if look.again_at is not None]
        again = min(times, default=None)
        truths = {look.truth for look in looks}
        if Truth.NO in truths:
            return Look(Truth.NO, seen, again)
        return Look(Truth.UNDECIDED if Truth.UNDECIDED in truths else Truth.YES, seen, again)


async def state_evidence(rig: Rig, state: str) -> list[Look]:
    """One look per kind of evidence that the gateway type names for `state`: LEDs, then log entries.

    LEDs that contradict the state settle the question; logs are not read then.
    """
    definition = rig.gateway_type.state(state)
    if definition.assumed:
        what = ", ".join(definition.assumed)
        rig.assume(f"operating state {state}", what, definition.source, definition.note or "not in the document")
    looks = []
    if definition.leds is not None:
        shown = await MeaningShown(definition.leds).look(rig)
        if shown.truth is Truth.NO:
            return [shown]
        looks.append(shown)
    tells = told_states(rig.gateway_type)
    if "records" in rig.capabilities:
        if state == "run" or definition.seen_by:
            looks.append(await _logged(rig, state, tells))
    elif state == "run":
        looks.append(_not_told_by_leds(rig.gateway_type))
    return looks


def _not_told_by_leds(product: GatewayType) -> Look:
    """Without the logs, normal operation cannot be told from states that the LEDs do not show."""
    ready = product.state("run").leds
    hidden = [name for name, state in product.states.items() if name != "run" and state.leds in (None, ready)]
    if not hidden:
        return Look(Truth.YES, "no other state shows the same LEDs")
    return Look(Truth.UNDECIDED, f"the LEDs do not tell it from {' or '.join(hidden)}, and no log can be read")


async def _logged(rig: Rig, state: str, tells: dict[str, set[str]]) -> Look:
    """The last log entry that tells of any operating state tells of `state`; no such entry tells of normal operation.

    Inside a book entries follow each other by number, whatever the gateway's clock says. Where books disagree, the
    entry with the later time counts.
    """
    newest = []
    for book in BOOKS:
        told = [entry for entry in await rig.records.log(book) if entry["event"] in tells]
        if told:
            newest.append(max(told, key=lambda entry: int(entry["number"])))
    again = rig.clock.seconds() + POLL_S
    if not newest:
        if state == "run":
            return Look(Truth.YES, "no log entry tells of another state", again)
        wanted = " or ".join(rig.gateway_type.state(state).seen_by)
        return Look(Truth.NO, f"no log entry {wanted}", again)
    last = max(newest, key=lambda entry: str(entry["time"]))
    truth = Truth.YES if state in tells[last["event"]] else Truth.NO
    return Look(truth, f"log entry {last['event']} ({last.get('id')}) of {last['time']}", again)


def told_states(product: GatewayType) -> dict[str, set[str]]:
    """Event -> operating states that it tells of; what ends a state tells of normal operation."""
    tells: dict[str, set[str]] = defaultdict(set)
    for name, definition in product.states.items():
        for event in definition.seen_by:
            tells[event].add(name)
        for event in definition.exit_events:
            tells[event].add("run")
    return dict(tells)


class GatewayStep(ExpectingStep):
    """Expect an operating state of the gateway.

    Attributes:
        state: vendor-neutral name: run, restricted, minimal, connectivity_cut, stopped ...
    """

    key: ClassVar[str] = "gateway"
    doc: ClassVar[str] = "expect an operating state, by what the manual says is seen of it"

    state: str

    def needs(self) -> frozenset[str]:
        return frozenset({"leds"})

    def check(self, scenario: Scenario) -> list[str]:
        from bench.products import gateway_type

        unknown = [name for name in scenario.gateways if self.state not in gateway_type(name).states]
        if not unknown:
            return []
        known = ", ".join(gateway_type(unknown[0]).states)
        return [f"{unknown[0]} has no state {self.state!r} (it has {known})"]

    def condition(self) -> Condition:
        return InState(self.state)


class FaultStep(Step):
    """Make a fault that only an emulated gateway can have made for it, through its maintenance port.

    The first key is the name of the fault, the others are its fields: ``fault: {do: fill_log, book: consumer}``.

    Attributes:
        do: name of the fault, or of what somebody else would do with the gateway.
        refused: the gateway must refuse it, as it must an update in some states.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    key: ClassVar[str] = "fault"
    shorthand: ClassVar[str | None] = "do"
    doc: ClassVar[str] = "make a fault inside an emulated gateway (needs: emulated)"
    base_needs: ClassVar[frozenset[str]] = frozenset({"emulated"})

    do: str
    refused: Literal[True] | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the fault; a number with decimals comes exact out of the file and goes out as a float."""
        extra = self.model_extra or {}
        return {name: float(value) if isinstance(value, Decimal) else value for name, value in extra.items()}

    @property
    def judges(self) -> bool:
        return bool(self.refused)

    def sentence(self) -> str:
        fields = ", ".join(f"{name} {value}" for name, value in self.fields.items())
        text = f"Inside the emulated gateway: {self.do.replace('_', ' ')}{' (' + fields + ')' if fields else ''}"
        return text + (", which it must refuse." if self.refused else ".")

    async def run(self, rig: Rig) -> Outcome:
        if self.refused:
            return await self._expect_refusal(rig)
        answer = await rig.maintenance.do(self.do, **self.fields)
        rig.timeline.add("maintenance", self.do, self.fields)
        detail = {name: value for name, value in answer.items() if name not in ("id", "ok")}
        return Outcome(Verdict.NONE, seen=", ".join(f"{name} {value}" for name, value in detail.items()))

    async def _expect_refusal(self, rig: Rig) -> Outcome:
        try:
            await rig.maintenance.do(self.do, **self.fields)
        except Refused as error:
            return Outcome(Verdict.PASS, "refused", str(error))
        return Outcome(Verdict.FAIL, "refused", "carried out", f"the gateway carried out {self.do!r}")


class SelfTestStep(Step):
    """Start the self-test as one of those who may.

    Attributes:
        initiator: consumer, technician or administrator.
        accepted: whether the gateway must accept the order.
    """

    key: ClassVar[str] = "selftest"
    shorthand: ClassVar[str | None] = "initiator"
    doc: ClassVar[str] = "start the gateway's self-test"
    base_needs: ClassVar[frozenset[str]] = frozenset({"emulated"})

    initiator: Literal["consumer", "technician", "administrator"]
    accepted: bool = True

    @property
    def judges(self) -> bool:
        return True

    def sentence(self) -> str:
        text = f"The {self.initiator} starts the self-test"
        return text + ("." if self.accepted else ", which the gateway must refuse.")

    async def run(self, rig: Rig) -> Outcome:
        answer = await rig.maintenance.do("selftest", initiator=self.initiator)
        if "accepted" not in answer:
            raise BenchError("the maintenance port does not say whether the self-test was accepted")
        accepted = bool(answer["accepted"])
        expected = "order accepted" if self.accepted else "order refused"
        seen = "accepted" if accepted else f"refused: {answer.get('reason', '')}"
        rig.timeline.add("maintenance", "selftest", {"initiator": self.initiator, "accepted": accepted})
        if accepted == self.accepted:
            return Outcome(Verdict.PASS, expected, seen)
        return Outcome(Verdict.FAIL, expected, seen, f"the self-test order was {seen}")


class NetworkStep(Step):
    """Change how the Ethernet sockets of the gateway are patched.

    Attributes:
        join: two sockets that a wrong cable connects, such as [WAN, HAN].
        separate: take such a cable out again.
        swap: two sockets whose cables are exchanged.
        plug: socket whose cable is put in.
        unplug: socket whose cable is pulled.
        socket: count the frames that come out of this socket (with ``frames`` and ``over``).
        frames: how many there must be.
        over: for so long from now on.
    """

    key: ClassVar[str] = "network"
    doc: ClassVar[str] = "patch the gateway's Ethernet sockets wrongly, or right again"
    base_needs: ClassVar[frozenset[str]] = frozenset({"patch_field"})

    join: tuple[str, str] | None = None
    separate: tuple[str, str] | None = None
    swap: tuple[str, str] | None = None
    plug: str | None = None
    unplug: str | None = None
    socket: str | None = None
    frames: Counted | None = None
    over: Duration | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> NetworkStep:
        said = self.model_dump(exclude_none=True, exclude={"frames", "over"})
        if len(said) != 1:
            raise ValueError("say exactly one of join, separate, swap, plug, unplug, socket")
        if not (self.socket is None) == (self.frames is None) == (self.over is None):
            raise ValueError("'socket' needs 'frames' and 'over', such as {socket: HAN, frames: none, over: 10 min}")
        sockets = next(iter(said.values()))
        for socket in [sockets] if isinstance(sockets, str) else sockets:
            if socket not in ("WAN", "HAN", "CLS"):
                raise ValueError(f"there is no socket {socket!r}: it is WAN, HAN or CLS")
        return self

    @property
    def judges(self) -> bool:
        return self.frames is not None

    def sentence(self) -> str:
        for verb, pair in (("Join", self.join), ("Separate", self.separate), ("Exchange the cables of", self.swap)):
            if pair is not None:
                return f"{verb} {pair[0]} and {pair[1]} at the patch field."
        if self.over is not None and self.frames is not None:
            frames = self.frames.of("frame", "frames")
            return f"Expect {frames} out of the socket {self.socket} within {text_of(self.over)}."
        return f"Plug in the cable of {self.plug}." if self.plug else f"Pull the cable of {self.unplug}."

    async def run(self, rig: Rig) -> Outcome:
        field = rig.patch_field
        if self.frames is not None and self.over is not None:
            return await _count_frames(rig, self.socket or "", self.frames, self.over.total_seconds())
        if self.join is not None:
            field.join(*self.join)
        elif self.separate is not None:
            field.separate(*self.separate)
        elif self.swap is not None:
            field.swap(*self.swap)
        elif self.plug is not None:
            field.plugged(self.plug, True)
        elif self.unplug is not None:
            field.plugged(self.unplug, False)
        rig.timeline.add("network", "patched", self.model_dump(exclude_none=True, mode="json"))
        return Outcome(Verdict.NONE)


async def _count_frames(rig: Rig, socket: str, wanted: Count, over_s: float) -> Outcome:
    begin = rig.clock.seconds()
    await rig.sleep_until(begin + over_s)
    number = len(rig.timeline.select("network", "frame", since=begin, socket=socket))
    expected, seen = f"{wanted} frames", f"{number} frames out of {socket}"
    if number in wanted:
        return Outcome(Verdict.PASS, expected, seen)
    return Outcome(Verdict.FAIL, expected, seen, f"{seen} in {text_of(over_s)}")
