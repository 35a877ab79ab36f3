"""Faults of a radio meter: the catalogue, what a gateway makes of each, and those that are set on one meter.

A fault strikes `times` telegrams with data, or all until it is cleared; then the meter behaves again. The numbers of
events are those of a PPC: 10262 not decryptable, 10263 checksum invalid, 10264 unexpected transmission counter, 10274
incompatible syntax (lmn-wireless 1).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from devices.errors import UsageError
from devices.meters.radio import strikes
from devices.meters.radio.counter import LARGEST
from devices.meters.radio.draft import Draft, Sending
from devices.meters.radio.identity import address_of
from devices.meters.radio.plan import Protection, RadioMeterPlan
from devices.meters.radio.strikes import Sender, StrikeDraft, StrikeSending, Values
from devices.meters.wire_faults import Parameter

Tell = Callable[[str, int, int | None], None]
"""Told of each strike: fault, strikes so far, strikes left (None: without end)."""

_KEY: Final = re.compile(r"[0-9A-Fa-f]{32}")

DECRYPTION, CHECKSUM, COUNTER, SYNTAX = 10262, 10263, 10264, 10274


@dataclass(frozen=True, slots=True)
class RadioFaultKind:
    """A fault of the catalogue.

    Attributes:
        sentence: what the meter does.
        effect: what becomes of it at a gateway that follows TR-03116-3 and expects the meter's protection.
        events: protection of the meter -> number of the event; left out: none, see `effect`.
        draft: works before the telegram is protected.
        sending: works on its octets.
        parameters: name to parameter.
        freezes: values stand still while it is set.
        needs: protections without which it does nothing; empty: none.
        on_air: it needs an antenna that can send damaged telegrams.
    """

    sentence: str
    effect: str
    events: Mapping[Protection, int] = field(default_factory=dict)
    draft: StrikeDraft | None = None
    sending: StrikeSending | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    freezes: bool = False
    needs: frozenset[Protection] = frozenset()
    on_air: bool = False


_A, _B, _D, _ELL = Protection.PROFILE_A, Protection.PROFILE_B, Protection.PROFILE_D, Protection.ELL
_COUNTING: Final = frozenset({_B, _D})
_SECURED: Final = frozenset({_A, _B, _D, _ELL})
_SPOILT: Final = {_A: DECRYPTION, _B: CHECKSUM, _D: CHECKSUM, _ELL: CHECKSUM}
_BY: Final = Parameter("by how much", 10, least=1, most=LARGEST)

FAULTS: Final[dict[str, RadioFaultKind]] = {
    "wrong_key": RadioFaultKind(
        "encrypts with a wrong key",
        "refused: no 2F2F in mode 5, wrong MAC in modes 7 and 10, wrong payload CRC in the ELL",
        _SPOILT, draft=strikes.wrong_key, needs=_SECURED,
        parameters={"key": Parameter("which, 32 hex digits; unless told, the right one with every bit turned")},
    ),
    "wrong_mac": RadioFaultKind(
        "sends a wrong MAC",
        "refused before it is decrypted; in the ELL the payload CRC is wrong",
        {_B: CHECKSUM, _D: CHECKSUM, _ELL: CHECKSUM}, sending=strikes.wrong_mac, needs=frozenset({_B, _D, _ELL}),
    ),
    "wrong_crc": RadioFaultKind(
        "sends telegrams that are damaged on the air",
        "the radio drops it for its link CRC: nothing is logged, the value is missing",
        sending=strikes.wrong_crc, on_air=True,
    ),
    "flip_bit": RadioFaultKind(
        "sends a wrong bit under a good link CRC",
        "refused for the MAC in modes 7 and 10; mode 5 and the clear have nothing that notices it in the values",
        {_B: CHECKSUM, _D: CHECKSUM, _ELL: CHECKSUM}, sending=strikes.flip_bit,
        parameters={
            "bit": Parameter("which, from the last octet's lowest; unless told, drawn", None, least=0, most=2000)
        },
    ),
    "replay": RadioFaultKind(
        "sends an earlier telegram once more in place of a new one",
        "refused for its counter; without counter it is accepted as an old value",
        {_B: COUNTER, _D: COUNTER}, sending=strikes.replay,
        parameters={"back": Parameter("how many telegrams ago it was sent", 1, "telegrams", 1, 64)},
    ),
    "counter_back": RadioFaultKind(
        "uses a transmission counter again that it has used",
        "refused: only what is strictly greater is accepted",
        {_B: COUNTER, _D: COUNTER}, draft=strikes.counter_back, needs=_COUNTING, parameters={"by": _BY},
    ),
    "counter_jump": RadioFaultKind(
        "leaves out transmission counters",
        "accepted: greater is enough; telegrams seem to be lost",
        draft=strikes.counter_jump, needs=_COUNTING, parameters={"by": _BY},
    ),
    "forged_counter": RadioFaultKind(
        "is forged: a transmission counter far ahead, without the right key",
        "refused for the MAC; what the meter itself sends afterwards still counts",
        {_B: CHECKSUM, _D: CHECKSUM}, draft=strikes.forged_counter, needs=_COUNTING,
        parameters={"by": Parameter("by how much", 1_000_000, least=1, most=LARGEST)},
    ),
    "silence": RadioFaultKind(
        "measures and counts but sends nothing", "values are missing", sending=strikes.silence
    ),
    "duplicate": RadioFaultKind(
        "sends the same telegram twice",
        "the second one is refused for its counter; without counter it is accepted again",
        {_B: COUNTER, _D: COUNTER}, sending=strikes.duplicate,
        parameters={"gap_s": Parameter("pause between them", 0.5, "s", 0, 3600, whole=False)},
    ),
    "wrong_mode": RadioFaultKind(
        "sends with weaker protection than agreed",
        "refused where only modes 7 and 10 are allowed (the number of its event is assumed)",
        {_B: SYNTAX, _D: SYNTAX}, draft=strikes.wrong_mode,
        parameters={"mode": Parameter("0: in the clear, 5: AES-CBC without MAC", 0, least=0, most=5)},
    ),
    "unknown_syntax": RadioFaultKind(
        "sends something that nobody can read",
        "dropped",
        dict.fromkeys(Protection, SYNTAX), draft=strikes.unknown_syntax,
        parameters={
            "where": Parameter("in the records, or in the CI field, then in the clear", "records",
                               choices=("records", "ci"))
        },
    ),
    "other_meters_id": RadioFaultKind(
        "says that it is another meter, with its own key",
        "not noticed where the other one has no profile; else refused as with a wrong key",
        _SPOILT, draft=strikes.other_meters_id,
        parameters={"number": Parameter("which, as 7ELS3312345678; unless told, the next one")},
    ),
    "low_battery": RadioFaultKind(
        "reports low power in its status byte", "accepted; shown as a warning of the meter",
        draft=strikes.status_bits(strikes.LOW_POWER),
    ),
    "permanent_error": RadioFaultKind(
        "reports a permanent error in its status byte", "accepted; its values are not to be billed",
        draft=strikes.status_bits(strikes.PERMANENT_ERROR),
    ),
    "temporary_error": RadioFaultKind(
        "reports a temporary error in its status byte", "accepted; its values are marked",
        draft=strikes.status_bits(strikes.TEMPORARY_ERROR),
    ),
    "abnormal": RadioFaultKind(
        "reports an abnormal condition in its status byte", "accepted; its values are marked",
        draft=strikes.status_bits(strikes.ABNORMAL),
    ),
    "stale": RadioFaultKind(
        "sends the same values for ever, in telegrams that are good",
        "accepted: nothing in the telegram tells", freezes=True,
    ),
}  # fmt: skip
"""Name to fault."""


@dataclass(eq=False, slots=True)
class RadioFault:
    """A fault that is set.

    Attributes:
        name: in FAULTS.
        kind: what it does.
        values: its parameters.
        times: how many telegrams it strikes; None: until cleared.
        done: strikes so far.
    """

    name: str
    kind: RadioFaultKind
    values: Values
    times: int | None = None
    done: int = 0

    @property
    def left(self) -> int | None:
        """Strikes to come; None: without end."""
        return None if self.times is None else self.times - self.done

    def event(self, protection: Protection) -> int | None:
        """Number of the event that a PPC logs for it, None: none."""
        return self.kind.events.get(protection)


def make_fault(name: str, times: int | None = None, **values: Any) -> RadioFault:
    """A fault by its name in the catalogue, not set anywhere yet. Raises UsageError that says what would be right.

    Args:
        name: in FAULTS.
        times: strikes; None: until cleared.
        values: its parameters; what is left out has its default.
    """
    kind = FAULTS.get(name)
    if kind is None:
        raise UsageError(f"a radio meter has no fault called {name!r}", hint=_near(name, FAULTS))
    if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
        raise UsageError(f"fault {name} cannot strike {times!r} times", hint="a whole number from 1, or nothing")
    for given in values:
        if given not in kind.parameters:
            hint = _near(given, kind.parameters) if kind.parameters else "it has none"
            raise UsageError(f"fault {name} has no parameter {given!r}", hint=hint)
    clean = {one: _value(name, one, rule, values.get(one)) for one, rule in kind.parameters.items()}
    return RadioFault(name, kind, clean, times)


def check_on(fault: RadioFault, plan: RadioMeterPlan) -> None:
    """Raises UsageError when the fault would do nothing on a meter of this plan."""
    if fault.kind.needs and plan.protection not in fault.kind.needs:
        fit = ", ".join(sorted(one.value for one in fault.kind.needs))
        raise UsageError(f"fault {fault.name} does nothing with {plan.protection.value}", hint=f"it needs {fit}")


class RadioFaults:
    """The faults that are set on one meter.

    Args:
        sender: the meter.
        tell: told of each strike.
    """

    def __init__(self, sender: Sender, tell: Tell) -> None:
        self._sender = sender
        self._tell = tell
        self._active: list[RadioFault] = []

    @property
    def active(self) -> tuple[RadioFault, ...]:
        """Those that still strike, in the order in which they were set."""
        return tuple(self._active)

    @property
    def frozen(self) -> bool:
        """Whether one of them lets the values stand still."""
        return any(fault.kind.freezes for fault in self._active)

    def set(self, fault: RadioFault) -> None:
        """One more."""
        self._active.append(fault)

    def clear(self, name: str | None = None) -> None:
        """No faults from now on, or none of this name."""
        self._active = [fault for fault in self._active if name not in (None, fault.name)]

    def before(self, draft: Draft, struck: list[RadioFault]) -> Draft:
        """What is protected in place of a draft; `struck` gets who changed it."""
        for fault in self._active:
            if fault.kind.freezes:
                struck.append(fault)
            if fault.kind.draft is None:
                continue
            changed = fault.kind.draft(draft, self._sender, fault.values)
            if changed is not None:
                draft = changed
                struck.append(fault)
        return draft

    def after(self, sending: Sending, draft: Draft, struck: list[RadioFault]) -> Sequence[Sending]:
        """What goes on the air in place of a telegram; `struck` gets who changed it."""
        sendings: Sequence[Sending] = (sending,)
        for fault in self._active:
            strike = fault.kind.sending
            if strike is None:
                continue
            parts = [strike(one, draft, self._sender, fault.values) for one in sendings]
            if any(part is not None for part in parts):
                struck.append(fault)
                sendings = [
                    one for part, old in zip(parts, sendings, strict=True) for one in ((old,) if part is None else part)
                ]
        return sendings

    def count(self, struck: Iterable[RadioFault]) -> None:
        """They have struck a telegram; who is through is cleared."""
        for fault in struck:
            fault.done += 1
            if fault.left == 0:
                self._active.remove(fault)
            self._tell(fault.name, fault.done, fault.left)


def _value(fault: str, name: str, rule: Parameter, given: object) -> object:
    where = f"{name} of fault {fault}"
    if given is None:
        return rule.default
    if name == "key":
        if not isinstance(given, str) or _KEY.fullmatch(given) is None:
            raise UsageError(f"{where} cannot be {given!r}", hint="32 hex digits")
        return given
    if name == "number":
        address_of(str(given))
        return str(given)
    if name == "mode" and given not in (0, 5):
        raise UsageError(f"{where} cannot be {given!r}", hint="0 or 5")
    return rule.value(where, given)


def _near(word: str, words: Iterable[str]) -> str:
    names = list(words)
    close = difflib.get_close_matches(word, names, 1)
    return f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names)}"
