"""What the firmware makes of its gateway type: waveforms, rules of causes, effects of states, texts of events."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from typing import Any

from devices.gateway_types.model import (
    BootPhase,
    Cause,
    Event,
    GatewayType,
    PatternSpec,
    SelfTestRules,
    State,
    Store,
    Variant,
)
from firmware.leds import Waveform, alternating, blinking, constant, heartbeat
from firmware.states import RUN, Effects, Rule

FRONT_LEDS = 4
"""The status LEDs come first among the lines of a gateway type."""


OWN_MESSAGES = {
    "register_fell": "A register of a meter shows less than before.",
    "error_register_credited": "Energy could not be given to a tariff level and stands in the error register.",
    "hdlc_undecodable": "A frame on the meter bus could not be decoded.",
    "hdlc_unexpected": "A frame on the meter bus was not expected.",
    "hdlc_no_answer": "A meter did not answer on the bus.",
    "hdlc_not_ready": "A meter was not ready until the time was up.",
    "hdlc_read_timeout": "A meter did not give its values in time.",
    "meter_data_invalid": "A meter sent data that make no sense.",
    "radio_module_failed": "The radio module for meters has failed.",
    "meter_id_mismatch": "A meter answered with the id of another one.",
    "meter_unreachable": "A meter is no longer there; it is looked for again.",
    "meter_address_assigned": "A meter has got its address on the bus.",
    "meter_paired": "A meter and the gateway are paired.",
    "meter_certificate_created": "A certificate was made for a meter.",
    "meter_key_exchanged": "A meter has an operational key.",
    "meter_key_refused": "A meter does not take an operational key.",
    "meter_pairing_failed": "A meter could not be paired.",
    "meter_reset": "A meter was put back to its initial key.",
    "lmn_tls_failed": "There is no TLS session with a meter; it is paired again.",
    "meter_data_undecryptable": "Data of a meter cannot be decrypted.",
    "meter_telegram_rejected": "Data of a meter do not fit their protocol.",
    "meter_counter_unexpected": "Data of a meter have a wrong transmission counter.",
    "selftest_refused": "A self-test was not started.",
    "gateway_started": "The gateway has started.",
    "update_failed": "An update was not installed.",
}
"""Messages without a number for what a product's document does not list but a log must tell (assumed)."""


@dataclass(frozen=True)
class Message:
    """How an event with its outcome is logged.

    Attributes:
        vendor_id: the product's number, None where no document gives one.
        sub_id: its sub number.
        level: info, warning, error or fatal.
        text: filled in.
        books: system, calibration, consumer.
    """

    vendor_id: int | None
    sub_id: int | None
    level: str
    text: str
    books: tuple[str, ...]


class Product:
    """One product as its firmware is made.

    Args:
        data: what the manuals say of it.

    Attributes:
        lines: names of its LEDs.
        boot: phases of its start.
        selftest: rules of its self-test.
    """

    def __init__(self, data: GatewayType) -> None:
        self.data = data
        self.name = data.name
        self.lines: tuple[str, ...] = data.lines
        self.software = data.software
        self.boot: tuple[BootPhase, ...] = data.boot
        self.selftest: SelfTestRules = data.selftest
        self._effects = {name: _effects(state) for name, state in data.states.items()}
        self._effects.setdefault(RUN, Effects())
        self._rules: dict[tuple[str, str], Rule] = {}
        for cause in data.causes:
            self._rules[cause.cause, cause.via] = self._rule_of(cause)

    # --- causes and states

    def _rule_of(self, cause: Cause) -> Rule:
        state = None if cause.leads_to is None else self.data.states[cause.leads_to]
        way_out = cause.exit or (state.exit if state is not None else "cause_removed")
        return Rule(cause.cause, cause.leads_to, cause.logs, way_out, cause.variants, cause.share, cause.after_s)

    def watches(self, cause: str) -> bool:
        """Whether this product looks for `cause` while it runs."""
        return (cause, "runtime") in self._rules

    def rule(self, cause: str, via: str = "runtime") -> Rule | None:
        """What `cause`, found that way, does; None when this product does not react to it.

        A cause that the data know only by another way of finding it does the same.
        """
        exact = self._rules.get((cause, via))
        if exact is not None:
            return exact
        return next((rule for (name, _), rule in self._rules.items() if name == cause), None)

    def effects(self, state: str) -> Effects:
        """What works in `state`; a state that the data do not have takes nothing away."""
        return self._effects.get(state, Effects())

    def enter_events(self, state: str, told: Collection[str] = ()) -> tuple[str, ...]:
        """Events that tell of the begin of `state`; none when one of them was `told` with its cause."""
        found = self.data.states.get(state)
        if found is None or any(event in told for event in found.seen_by):
            return ()
        return found.seen_by

    def exit_events(self, state: str) -> tuple[str, ...]:
        """Events that tell of its end."""
        found = self.data.states.get(state)
        return () if found is None else found.exit_events

    # --- LEDs

    def signal(self, meaning: str, variant: str | None = None, phase: str = "together") -> tuple[Waveform, ...]:
        """The waveforms of a meaning, none when this product shows nothing for it.

        Args:
            meaning: neutral meaning.
            variant: which of several forms; one that there is not reads as the first.
            phase: how LEDs move of which the document allows both, together or alternating.
        """
        forms = [form for signal in self.data.signals if signal.means == meaning for form in signal.forms]
        if not forms:
            return ()
        form = next((form for form in forms if form.name == variant), forms[0])
        return waveforms(form, self.lines, phase if form.phase == "either" else form.phase)

    def state_signal(self, state: str, variant: str | None, phase: str = "together") -> tuple[Waveform, ...]:
        """What the LEDs show in `state`."""
        found = self.data.states.get(state)
        if found is None or found.leds is None or state == RUN:
            return ()
        return self.signal(found.leds, variant, phase)

    @property
    def violation_variants(self) -> tuple[str, ...]:
        """Names of the patterns of a stopped device, empty when there is only one."""
        forms = [form.name for one in self.data.signals if one.means == "stopped" for form in one.variants]
        return tuple(forms)

    # --- logs and stores

    def message(self, event: str, outcome: str, parameters: dict[str, Any]) -> Message | None:
        """How `event` is logged; None when the product has no message for it and neither have we."""
        found: Event | None = self.data.events.get(event)
        if found is not None:
            return Message(found.id, found.sub_id, found.level_for(outcome), found.text(parameters), found.books)
        own = OWN_MESSAGES.get(event)
        if own is None:
            return None
        return Message(None, None, "info" if outcome == "success" else "warning", own, ("system",))

    def store(self, name: str) -> Store:
        """Capacity rules of ``storage`` or of a log book."""
        return self.data.store(name)

    # --- figures

    def number(self, name: str, default: float) -> float:
        """A limit of the product as a number, `default` when it has none of that name."""
        limit = self.data.limits.get(name)
        return default if limit is None else limit.number

    def choice(self, name: str, default: str) -> str:
        """A limit that is a word, true or false, in lower case."""
        limit = self.data.limits.get(name)
        return default if limit is None else str(limit.value).lower()


def _effects(state: State) -> Effects:
    names = {one.name for one in fields(Effects)} - {"dark_sockets"}
    works = {name: getattr(state.effects, name) for name in names}
    return Effects(**works, dark_sockets=frozenset(state.effects.dark_sockets))


_FLASH_SHARE = 0.8
"""How much of its longest duration a flash takes where the document gives no shortest one (assumed)."""


def _flash_s(spec: PatternSpec) -> float:
    """Duration of a flash: amid its limits, else safely within the one that there is."""
    if spec.min_s is not None and spec.max_s is not None:
        return (spec.min_s + spec.max_s) / 2
    return spec.max_s * _FLASH_SHARE if spec.max_s is not None else spec.min_s or 0.25


def waveforms(form: Variant, order: Iterable[str], phase: str | None) -> tuple[Waveform, ...]:
    """One waveform for each pattern among the LEDs of `form`; LEDs with the same pattern move together.

    With the phase ``alternating`` the first of the moving LEDs is lit while the others are dark.
    """
    groups: dict[PatternSpec, list[str]] = {}
    for line in order:
        if line in form.shows:
            groups.setdefault(form.shows[line], []).append(line)
    return tuple(_waveform(spec, lines, phase) for spec, lines in groups.items())


def _waveform(spec: PatternSpec, lines: list[str], phase: str | None) -> Waveform:
    on_s, off_s = spec.on_s or 0.0, spec.off_s or 0.0
    if spec.kind == "blink":
        if phase == "alternating" and len(lines) > 1:
            return alternating(lines[:1], lines[1:], on_s)
        return blinking(lines, on_s, off_s)
    if spec.kind in ("heartbeat", "burst"):
        count, gap_s = spec.count or 1, spec.gap_s or 0.0
        pauses = [gap_s] * (count - 1) + [(spec.period_s or 0.0) - spec.lit_s]
        return heartbeat(lines, [span for pause in pauses for span in (on_s, pause)])
    if spec.kind == "flash":
        group = frozenset(lines)
        return Waveform(group, ((_flash_s(spec), group), (1.0, frozenset())), repeats=False)
    return constant(lines, lit=spec.kind == "on")
