"""Steps on the wired metrological bus: what the meters saw of the gateway, and what is done to their wires."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from pydantic import Field, model_validator

from bench.expect import Condition, Look, Outcome, Truth
from bench.steps.base import ExpectingStep, Step
from bench.steps.counting import Count, Counted
from bench.verdict import Verdict
from devices.protocols.hdlc import Selector

if TYPE_CHECKING:
    from bench.rig import Rig
    from bench.scenario.models import Scenario


def unknown_meter(name: str, scenario: Scenario) -> list[str]:
    """A complaint when `scenario` has no meter of this name."""
    if name in scenario.given.meters:
        return []
    known = ", ".join(scenario.given.meters) or "none is given"
    return [f"there is no meter {name!r} under given.meters ({known})"]


@dataclass(frozen=True)
class _Addressed:
    meter: str
    wanted: bool
    settle_s: float = 0.0

    def sentence(self) -> str:
        return f"meter {self.meter} {'has' if self.wanted else 'has no'} HDLC address from the gateway"

    async def look(self, rig: Rig) -> Look:
        station = rig.station(self.meter)
        address = station.address if station.listed else None
        seen = "no address known to the gateway" if address is None else f"address 0x{address:02X}"
        return Look(Truth.YES if (address is not None) == self.wanted else Truth.NO, seen)


@dataclass(frozen=True)
class _PlayedOut:
    meter: str
    settle_s: float = 0.0

    def sentence(self) -> str:
        return f"meter {self.meter} has played its whole recording"

    async def look(self, rig: Rig) -> Look:
        played, total = rig.station(self.meter).meter.progress  # type: ignore[attr-defined]
        return Look(Truth.YES if played >= total else Truth.NO, f"{played} of {total} recorded answers played")


@dataclass(frozen=True)
class _ReadCount:
    meter: str
    count: Count
    since: float
    settle_s: float = 0.0

    def sentence(self) -> str:
        return f"meter {self.meter} answers {self.count.of('request', 'requests')} for its registers"

    async def look(self, rig: Rig) -> Look:
        number = len(rig.timeline.select("meter", "answer", since=self.since, meter=self.meter))
        times = "once" if number == 1 else f"{number} times"
        return Look(Truth.YES if number in self.count else Truth.NO, f"read {times}")


@dataclass(frozen=True)
class _Paired:
    meter: str
    wanted: bool
    settle_s: float = 0.0

    def sentence(self) -> str:
        return f"meter {self.meter} {'holds' if self.wanted else 'holds no'} certificates from a pairing"

    async def look(self, rig: Rig) -> Look:
        paired = rig.security(self.meter).paired
        return Look(Truth.YES if paired == self.wanted else Truth.NO, "paired" if paired else "not paired")


@dataclass(frozen=True)
class _Secured:
    meter: str
    wanted: bool
    settle_s: float = 0.0

    def sentence(self) -> str:
        return f"meter {self.meter} {'has' if self.wanted else 'has no'} TLS session with the gateway"

    async def look(self, rig: Rig) -> Look:
        secured = rig.security(self.meter).secured
        return Look(Truth.YES if secured == self.wanted else Truth.NO, "a session" if secured else "no session")


@dataclass(frozen=True)
class _Happened:
    """Something happened to a meter so and so often since the case began."""

    meter: str
    event: str
    what: str
    count: Count
    selector: int | None = None
    settle_s: float = 0.0

    def sentence(self) -> str:
        return f"meter {self.meter} has seen {self.count.of(self.what, self.what + 's')}"

    async def look(self, rig: Rig) -> Look:
        only = {} if self.selector is None else {"selector": self.selector}
        number = len(rig.timeline.select("meter", self.event, meter=self.meter, **only))
        return Look(Truth.YES if number in self.count else Truth.NO, f"{number} so far")


@dataclass(frozen=True)
class _ReadInClear:
    meter: str
    wanted: bool
    settle_s: float = 0.0

    def sentence(self) -> str:
        return f"meter {self.meter} is {'' if self.wanted else 'not '}asked for its registers in the clear"

    async def look(self, rig: Rig) -> Look:
        asked = rig.timeline.select("meter", "request", meter=self.meter, selector=int(Selector.COSEM_CLEAR))
        seen = "not asked in the clear" if not asked else f"asked in the clear at {asked[-1].t:.3f} s"
        return Look(Truth.YES if bool(asked) == self.wanted else Truth.NO, seen)


class LmnStep(ExpectingStep):
    """Expect what a meter saw on the bus, or change its wires.

    Attributes:
        meter: name under ``given.meters``.
        addressed: whether the gateway has listed the meter with its HDLC address.
        paired: whether the meter holds certificates from a pairing.
        secured: whether a TLS session stands.
        clear: whether its registers were asked for in the clear since the case began.
        pairings: how often it was paired since the case began.
        resets: how often it went back to its initial key since the case began.
        sessions: how many TLS sessions came about since the case began.
        sym_requests: how many requests of the pairing it was sent since the case began.
        tls_requests: how many flights and requests through TLS it was sent since the case began.
        struck: how often a fault that was set on it has struck since the case began.
        read: how often its registers were read since this step began.
        played: whether a replaying meter has given all that it has recorded.
        plugged: connect it to the bus or disconnect it.
        power: switch the meter's own supply.
        silent: let it hear but not answer.
    """

    key: ClassVar[str] = "lmn"
    doc: ClassVar[str] = "expect what a wired meter saw, or unplug, power or silence it"
    base_needs: ClassVar[frozenset[str]] = frozenset({"wired_lmn"})

    meter: str
    addressed: bool | None = None
    paired: bool | None = None
    secured: bool | None = None
    clear: bool | None = None
    pairings: Counted | None = None
    resets: Counted | None = None
    sessions: Counted | None = None
    sym_requests: Counted | None = None
    tls_requests: Counted | None = None
    struck: Counted | None = None
    read: Counted | None = None
    played: Literal[True] | None = None
    plugged: bool | None = None
    power: Literal["on", "off"] | None = None
    silent: bool | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> LmnStep:
        said = [name for name in _THINGS if getattr(self, name) is not None]
        if len(said) != 1:
            raise ValueError(f"say exactly one of {', '.join(_THINGS)}")
        if self.read is not None and self.read.most is not None and self.within is None:
            raise ValueError(f"'read: {self.read}' needs 'within': for so long the requests are counted")
        if self._acts and (self.within is not None or self.hold is not None):
            raise ValueError(f"{said[0]} happens at once: 'within' and 'for' do not belong here")
        return self

    @property
    def watchable(self) -> bool:
        return any(getattr(self, name) is not None for name in _STATES)

    @property
    def _acts(self) -> bool:
        return self.plugged is not None or self.power is not None or self.silent is not None

    def check(self, scenario: Scenario) -> list[str]:
        problems = unknown_meter(self.meter, scenario)
        if not problems and self.played and scenario.given.meters[self.meter].dump is None:
            problems.append(f"meter {self.meter!r} replays no dump")
        security = any(
            getattr(self, name) is not None
            for name in ("paired", "secured", "pairings", "resets", "sym_requests", "tls_requests")
        )
        if not problems and security and not scenario.given.meters[self.meter].secured:
            problems.append(f"meter {self.meter!r} is read in the clear: give it 'security: tls'")
        return problems

    def condition(self) -> Condition:
        for name, state in _STATES.items():
            wanted = getattr(self, name)
            if wanted is not None:
                return state(self.meter, wanted)
        for name, (event, what, selector) in _COUNTS.items():
            count = getattr(self, name)
            if count is not None:
                return _Happened(self.meter, event, what, count, selector)
        if self.played is not None:
            return _PlayedOut(self.meter)
        assert self.read is not None
        return _ReadCount(self.meter, self.read, 0.0)

    @property
    def judges(self) -> bool:
        return not self._acts

    def sentence(self) -> str:
        if self.plugged is not None:
            return (
                f"{'Plug' if self.plugged else 'Unplug'} meter {self.meter} {'into' if self.plugged else 'from'} bus."
            )
        if self.power is not None:
            return f"Switch the supply of meter {self.meter} {self.power}."
        if self.silent is not None:
            return f"From now on meter {self.meter} {'does not answer' if self.silent else 'answers again'}."
        return super().sentence()

    async def run(self, rig: Rig) -> Outcome:
        if not self._acts:
            if self.read is not None:
                return await _expect_reads(self, rig)
            return await super().run(rig)
        station = rig.station(self.meter)
        if self.plugged is not None:
            station.plug(self.plugged)
        if self.power is not None:
            station.power(self.power == "on")
        if self.silent is not None:
            station.silent = self.silent
        rig.timeline.add(
            "meter", "wires", {"meter": self.meter, **self.model_dump(exclude_none=True, exclude={"meter"})}
        )
        return Outcome(Verdict.NONE)


_STATES: Final[dict[str, Callable[[str, bool], Condition]]] = {
    "addressed": _Addressed,
    "paired": _Paired,
    "secured": _Secured,
    "clear": _ReadInClear,
}
"""What can be expected to be so, or not to be so."""

_COUNTS: Final[dict[str, tuple[str, str, int | None]]] = {
    "pairings": ("paired", "pairing", None),
    "resets": ("crypto_reset", "crypto reset", None),
    "sessions": ("secured", "TLS session", None),
    "sym_requests": ("request", "pairing request", int(Selector.SYM)),
    "tls_requests": ("request", "TLS request", int(Selector.TLS_COSEM)),
    "struck": ("fault", "fault", None),
}
"""What can be counted: event of the meter, its name, and the selector where it happens."""

_THINGS: Final = (*_STATES, *_COUNTS, "read", "played", "plugged", "power", "silent")


async def _expect_reads(step: LmnStep, rig: Rig) -> Outcome:
    """Count from the begin of this step; an upper bound is judged when the time is up, not before."""
    from bench.expect import expect

    assert step.read is not None
    condition = _ReadCount(step.meter, step.read, rig.clock.seconds())
    within = 0.0 if step.within is None else step.within.total_seconds()
    if step.read.most is not None:
        await rig.sleep_until(rig.clock.seconds() + within)
        within = 0.0
    hold = None if step.hold is None else step.hold.total_seconds()
    return await expect(rig, condition, within=within, hold=hold)


class BackOfficeStep(Step):
    """What the administrator does with the gateway: exactly one of these.

    Attributes:
        install_profile: kind of profile.
        crypto_reset: let the gateway put the meter back to its initial key.
        meter: the meter that it is about (written ``for``).
        key: the key in the profile, 32 hex digits; unless told, the one that ``given`` says.
    """

    key: ClassVar[str] = "back_office"
    doc: ClassVar[str] = "act as the gateway's administrator"
    base_needs: ClassVar[frozenset[str]] = frozenset({"back_office"})

    install_profile: Literal["meter"] | None = None
    crypto_reset: Literal[True] | None = None
    meter: str = Field(alias="for")
    key_told: str | None = Field(default=None, alias="key", pattern=r"^[0-9A-Fa-f]{32}$")

    @model_validator(mode="after")
    def _one_thing(self) -> BackOfficeStep:
        if (self.install_profile is None) == (self.crypto_reset is None):
            raise ValueError("say either install_profile or crypto_reset")
        if self.key_told is not None and self.install_profile is None:
            raise ValueError("a 'key' belongs into a profile: only 'install_profile' has one")
        return self

    def check(self, scenario: Scenario) -> list[str]:
        if self.meter in scenario.given.radio_meters:
            return ["a radio meter has no crypto reset"] if self.crypto_reset else []
        return unknown_meter(self.meter, scenario)

    def sentence(self) -> str:
        if self.crypto_reset:
            return f"The administrator orders a crypto reset of meter {self.meter}."
        with_key = "" if self.key_told is None else f" with the key {self.key_told.upper()}"
        return f"The administrator installs a meter profile for {self.meter}{with_key}."

    async def run(self, rig: Rig) -> Outcome:
        if self.crypto_reset:
            await rig.order_crypto_reset(self.meter)
            return Outcome(Verdict.NONE, seen="order accepted")
        await rig.install_meter_profile(self.meter, None if self.key_told is None else bytes.fromhex(self.key_told))
        return Outcome(Verdict.NONE, seen="profile accepted")
