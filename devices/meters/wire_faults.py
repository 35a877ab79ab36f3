"""Faults of a wired meter on its bus: the catalogue, and those that are set on one station (lmn-wired 6).

A fault strikes frames of certain kinds (`on`), `times` of them, or all until it is cleared; then the wire is good
again. Everything drawn comes from the station's own source of chance, so that a run can be repeated.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import partial
from typing import Any, Final

from devices.errors import UsageError
from devices.meters import wire_strikes as strikes
from devices.meters.wire_strikes import Saying, Speaker, Struck, Values
from devices.protocols.hdlc import Control, Frame, FrameKind, Selector
from devices.protocols.sml.errors import SmlError
from devices.protocols.sml.server_id import server_id

Strike = Callable[[Saying, Speaker, Values], Struck]
Tell = Callable[[str, str, int, int | None], None]
"""Told of each strike: fault, frame, strikes so far, strikes left (None: without end)."""

TARGETS: Final[dict[str, str]] = {
    "any": "every frame",
    "link": "frames of a link, everything but UI",
    "discovery": "answers to invitations and presence checks",
    "invite": "answers to invitations",
    "presence": "answers to presence checks",
    **{kind.value: f"frames of kind {kind.value}" for kind in FrameKind if kind is not FrameKind.UNKNOWN},
}
"""What a fault may strike: group or kind of frame."""

_BROADCAST: Final = {"invite": Selector.ADDRESSING, "presence": Selector.PRESENCE}


class Stage(IntEnum):
    """In which order faults that are set at the same time do their work."""

    FRAME = 0
    OCTETS = 1
    TIME = 2


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a fault.

    Attributes:
        meaning: one phrase.
        default: None: as `meaning` says.
        unit: of a number.
        least, most: bounds of a number.
        whole: whether the number is a whole one.
        choices: words, of which it is one.
        is_id: whether it is a meter's id: device number or server id in hex.
    """

    meaning: str
    default: int | float | bool | str | None = None
    unit: str = ""
    least: float = 0
    most: float = 0
    whole: bool = True
    choices: tuple[str, ...] = ()
    is_id: bool = False

    def value(self, name: str, given: object) -> object:
        """The value that was given, checked; UsageError when it is none for this parameter."""
        if given is None:
            return self.default
        if self.is_id:
            return _id(name, given)
        if self.choices:
            if given not in self.choices:
                raise UsageError(f"{name} cannot be {given!r}", hint=f"one of {', '.join(self.choices)}")
            return given
        if isinstance(self.default, bool):
            if not isinstance(given, bool):
                raise UsageError(f"{name} cannot be {given!r}", hint="true or false")
            return given
        kinds = int if self.whole else int | float
        if isinstance(given, bool) or not isinstance(given, kinds) or not self.least <= given <= self.most:
            what = f"a {'whole ' * self.whole}number from {self.least:g} to {self.most:g} {self.unit}".rstrip()
            raise UsageError(f"{name} cannot be {given!r}", hint=what)
        return given


def _id(name: str, given: object) -> bytes:
    if isinstance(given, bytes):
        octets = given
    else:
        text = str(given)
        try:
            octets = server_id(text)
        except SmlError:
            try:
                octets = bytes.fromhex(text)
            except ValueError:
                octets = b""
    if not 1 <= len(octets) <= 14:
        raise UsageError(f"{name} cannot be {given!r}", hint="a device number as 1SAG0021061001, or octets in hex")
    return octets


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A fault of the catalogue.

    Attributes:
        sentence: what the meter does.
        strike: see `wire_strikes`.
        on: what it strikes unless told, words of TARGETS.
        stage: when it works, beside others.
        parameters: name to parameter.
        every: name of the parameter that says which of the frames is struck: each so-manieth; None: each.
    """

    sentence: str
    strike: Strike
    on: tuple[str, ...]
    stage: Stage = Stage.FRAME
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    every: str | None = None


_ADDRESS = Parameter("address; unless told, the first other one of the gateway's list", None, least=1, most=0x7E)
_BY_NUMBER = Parameter("how much is added to the number", 1, least=1, most=7)
_BIT = Parameter("which bit, from the first octet's lowest; unless told, drawn", None, least=0, most=16_383)
_LINK = ("link",)
_ANSWERS = ("I", "RR", "RNR")

FAULTS: Final[dict[str, FaultKind]] = {
    "duplicate_address": FaultKind(
        "takes an address that is in use",
        strikes.duplicate_address, ("discovery",), Stage.FRAME, {"address": _ADDRESS},
    ),
    "foreign_address": FaultKind(
        "answers with the source address of somebody else",
        strikes.foreign_address, _LINK, Stage.FRAME, {"address": _ADDRESS},
    ),
    "late_answer": FaultKind(
        "answers too late",
        strikes.late_answer, ("any",), Stage.TIME,
        {"by_s": Parameter("how much later", 0.5, "s", 0, 3600, whole=False)},
    ),
    "out_of_slot": FaultKind(
        "answers a presence check in a slot that is not its own",
        strikes.out_of_slot, ("presence",), Stage.TIME,
        {"by_slots": Parameter("how many slots later, negative: earlier", 1.0, "slots", -255, 255, whole=False)},
    ),
    "collision": FaultKind(
        "is talked over by somebody else who answers at the same time",
        strikes.collision, ("any",), Stage.TIME,
        {"by_s": Parameter("how much later the other one begins", 0.0, "s", 0, 1, whole=False)},
    ),
    "wrong_id": FaultKind(
        "says another server id in its record and in its answers",
        strikes.wrong_id, ("discovery",), Stage.FRAME,
        {
            "id": Parameter("the id that it says; unless told, its own with another last octet", is_id=True),
            "where": Parameter("where it says so", "both", choices=("record", "list", "both")),
        },
    ),
    "rnr_forever": FaultKind("is never ready: RNR in place of RR and I", strikes.not_ready, ("I", "RR")),
    "silence": FaultKind("hears but says nothing", strikes.silence, ("any",)),
    "flipped_hcs": FaultKind(
        "sends a wrong bit in the header check sequence of frames with information",
        strikes.flipped_hcs, ("any",), Stage.OCTETS, {"bit": _BIT},
    ),
    "flipped_fcs": FaultKind(
        "sends a wrong bit in the frame check sequence",
        strikes.flipped_fcs, ("any",), Stage.OCTETS, {"bit": _BIT},
    ),
    "flipped_information": FaultKind(
        "sends a wrong bit in the information",
        strikes.flipped_information, ("I",), Stage.OCTETS,
        {"bit": _BIT, "mended": Parameter("whether the frame check sequence is good for the wrong bit", False)},
    ),
    "wrong_nr": FaultKind(
        "acknowledges a frame that was not sent", strikes.wrong_nr, _ANSWERS, Stage.FRAME, {"by": _BY_NUMBER}
    ),
    "wrong_ns": FaultKind(
        "numbers its I frames wrongly", strikes.wrong_ns, ("I",), Stage.FRAME, {"by": _BY_NUMBER}
    ),
    "segmented": FaultKind("sets the segmentation bit though nothing follows", strikes.segmented, ("I",)),
    "length_lie": FaultKind(
        "says a wrong length, with a header check sequence that fits it",
        strikes.length_lie, ("any",), Stage.OCTETS,
        {"by": Parameter("how much longer, negative: shorter", 4, "octets", -2047, 2047)},
    ),
    "cut_frame": FaultKind(
        "breaks off within a frame",
        strikes.cut_frame, ("any",), Stage.OCTETS,
        {"keep": Parameter("how much of it is sent; unless told, half", None, "octets", 0, 2047)},
    ),
    "no_closing_flag": FaultKind("leaves out the closing flag", strikes.no_closing_flag, ("any",), Stage.OCTETS),
    "wrong_selector": FaultKind(
        "answers under another protocol selector",
        strikes.wrong_selector, _LINK, Stage.FRAME,
        {"selector": Parameter("which", 5, least=0, most=0x7F)},
    ),
    "unknown_control": FaultKind(
        "sends a control octet that nobody knows",
        strikes.unknown_control, _LINK, Stage.OCTETS,
        {"octet": Parameter("which; BF would be XID", 0xBF, least=0, most=0xFF)},
    ),
    "frmr": FaultKind("rejects what the gateway sends (FRMR)", strikes.rejected, _ANSWERS),
    "dm": FaultKind("says that there is no link (DM)", strikes.disconnected, _LINK),
    "ua_unasked": FaultKind("says UA though nobody asked for a link", strikes.connected, _ANSWERS),
    "restart_in_session": FaultKind(
        "restarts in the middle of a session",
        strikes.restart_in_session, _LINK, Stage.TIME,
        {"frames": Parameter("after how many frames of its own", 3, "frames", 1, 1_000_000)},
        every="frames",
    ),
    "noise": FaultKind(
        "sends octets of chance before a frame",
        strikes.noise, ("any",), Stage.OCTETS,
        {"octets": Parameter("how many", 8, "octets", 1, 2047)},
    ),
    "double_answer": FaultKind(
        "sends the same frame twice",
        strikes.double_answer, ("any",), Stage.TIME,
        {"gap_s": Parameter("pause between them", 0.002, "s", 0, 60, whole=False)},
    ),
    "slow_octets": FaultKind(
        "pauses within a frame for longer than 25 ms",
        strikes.slow_octets, ("any",), Stage.TIME,
        {
            "pause_s": Parameter("how long", 0.030, "s", 0, 60, whole=False),
            "behind": Parameter("behind which octet; unless told, half", None, "octets", 1, 2047),
        },
    ),
}  # fmt: skip
"""Name to fault."""


@dataclass(eq=False, slots=True)
class WireFault:
    """A fault that is set.

    Attributes:
        name: in FAULTS.
        kind: what it does.
        values: its parameters.
        on: what it strikes.
        times: how many strikes there are; None: until cleared.
        met: frames of its kind so far.
        done: strikes so far.
    """

    name: str
    kind: FaultKind
    values: Values
    on: tuple[str, ...]
    times: int | None = None
    met: int = 0
    done: int = 0

    @property
    def left(self) -> int | None:
        """Strikes to come; None: without end."""
        return None if self.times is None else self.times - self.done

    def concerns(self, frame: Frame) -> bool:
        """Whether the frame is one of those that it strikes."""
        return any(_is_target(frame, target) for target in self.on)

    def due(self) -> bool:
        """Count a frame; whether it is the one to be struck."""
        self.met += 1
        return self.kind.every is None or self.met % self.values[self.kind.every] == 0


def make_fault(name: str, times: int | None = None, **values: Any) -> WireFault:
    """A fault by its name in the catalogue, not set anywhere yet.

    Args:
        name: in FAULTS.
        times: strikes; None: until cleared.
        values: its parameters, and ``on``: one word of TARGETS or several. What is left out has its default.

    Raises UsageError that names what is wrong and what would be right.
    """
    kind = FAULTS.get(name)
    if kind is None:
        raise UsageError(f"a wire has no fault called {name!r}", hint=_near(name, FAULTS))
    if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
        raise UsageError(f"fault {name} cannot strike {times!r} times", hint="a whole number from 1, or nothing")
    on = _targets(name, values.pop("on", None) or kind.on)
    for given in values:
        if given not in kind.parameters:
            raise UsageError(f"fault {name} has no parameter {given!r}", hint=_near(given, ("on", *kind.parameters)))
    clean = {
        parameter: rule.value(f"{parameter} of fault {name}", values.get(parameter))
        for parameter, rule in kind.parameters.items()
    }
    if name == "unknown_control" and _known(clean["octet"]):
        raise UsageError(f"control octet {clean['octet']:#04x} is a known one", hint="as 0xBF")
    return WireFault(name, kind, clean, on, times)


class WireFaults:
    """The faults that are set on one station.

    Args:
        speaker: the station.
        tell: told of each strike.
    """

    def __init__(self, speaker: Speaker, tell: Tell) -> None:
        self._speaker = speaker
        self._tell = tell
        self._active: list[WireFault] = []

    @property
    def active(self) -> tuple[WireFault, ...]:
        """Those that still strike, in the order in which they were set."""
        return tuple(self._active)

    def set(self, fault: WireFault) -> None:
        """One more."""
        self._active.append(fault)

    def clear(self, name: str | None = None) -> None:
        """No faults from now on, or none of this name."""
        self._active = [fault for fault in self._active if name not in (None, fault.name)]

    def spoken(self, frame: Frame, after_s: float) -> Sequence[Saying] | None:
        """What goes out in place of a frame; None when it is to go out as it is."""
        concerned = [fault for fault in self._active if fault.concerns(frame)]
        sayings, struck = [Saying.of(frame, after_s)], False
        for fault in sorted(concerned, key=lambda fault: fault.kind.stage):
            parts = [
                saying if saying.alien else self._strike(fault, saying, first=index == 0)
                for index, saying in enumerate(sayings)
            ]
            if all(part is None for part in parts):
                continue
            struck = True
            sayings = [one for part, old in zip(parts, sayings, strict=True) for one in _flat(part, old)]
        return sayings if struck else None

    def claim(self, server_id: bytes) -> tuple[bytes, Callable[[], None]] | None:
        """The server id to be told in an answer in place of the right one, and what counts it; None: the right one."""
        for fault in self._active:
            if fault.name == "wrong_id" and fault.values["where"] != "record":
                return strikes.claimed_id(server_id, fault.values), partial(self._count, fault, "list")
        return None

    def _strike(self, fault: WireFault, saying: Saying, *, first: bool) -> Struck | Saying:
        if first and not fault.due():
            return None
        struck = fault.kind.strike(saying, self._speaker, fault.values)
        if struck is not None and first:
            self._count(fault, str(saying.frame))
        return struck

    def _count(self, fault: WireFault, what: str) -> None:
        fault.done += 1
        if fault.left == 0:
            self._active.remove(fault)
        self._tell(fault.name, what, fault.done, fault.left)


def _flat(part: Struck | Saying, old: Saying) -> Iterable[Saying]:
    if part is None:
        return (old,)
    return (part,) if isinstance(part, Saying) else part


def _targets(name: str, given: object) -> tuple[str, ...]:
    words = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, Iterable) else (given,)
    for word in words:
        if word not in TARGETS:
            raise UsageError(f"fault {name} cannot strike {word!r}", hint=_near(str(word), TARGETS))
    return tuple(str(word) for word in words)


def _is_target(frame: Frame, target: str) -> bool:
    broadcast = frame.control.kind is FrameKind.UI
    match target:
        case "any":
            return True
        case "link":
            return not broadcast
        case "discovery":
            return broadcast
        case "invite" | "presence":
            return broadcast and frame.selector == _BROADCAST[target]
        case _:
            return frame.control.kind.value == target


def _known(octet: object) -> bool:
    return Control.from_octet(int(str(octet))).kind is not FrameKind.UNKNOWN


def _near(word: str, words: Iterable[str]) -> str:
    names = list(words)
    close = difflib.get_close_matches(word, names, 1)
    return f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names)}"
