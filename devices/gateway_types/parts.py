"""What a gateway type is made of, apart from its LEDs: events, states, causes, stores, limits.

``assumed`` names, in each of these, the fields whose value stands in no document; everything else is what the document
under ``source`` says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator, model_validator

from devices.gateway_types.quantity import Seconds, Share, quantity

Level = Literal["info", "warning", "error", "fatal"]
Book = Literal["system", "consumer", "calibration"]
Language = Literal["en", "de"]
Role = Literal["consumer", "technician", "administrator", "participant"]
Interface = Literal["HAN", "CLS", "WAN"]

Action = Literal[
    "none",
    "inform_administrator",
    "inform_administrator_if_often",
    "check_wan_connection",
    "consider_meter_exchange",
    "clarify_with_administrator",
    "inform_metering_operator",
]
ACTIONS: Mapping[Action, Mapping[Language, str]] = {
    "none": {"en": "Nothing to do.", "de": "Nichts zu tun."},
    "inform_administrator": {"en": "Tell the administrator.", "de": "Administrator verständigen."},
    "inform_administrator_if_often": {
        "en": "Tell the administrator when it came more than three times within an hour.",
        "de": "Administrator verständigen, wenn es binnen einer Stunde mehr als dreimal kam.",
    },
    "check_wan_connection": {
        "en": "See whether the WAN is connected; when nothing is wrong there, tell the administrator.",
        "de": "WAN-Anschluss ansehen; ist dort alles gut, den Administrator verständigen.",
    },
    "consider_meter_exchange": {
        "en": "Tell the administrator, and think of another meter.",
        "de": "Administrator verständigen und über einen anderen Zähler nachdenken.",
    },
    "clarify_with_administrator": {
        "en": "Find out with the administrator what went wrong, as far as possible.",
        "de": "Ursache nach Möglichkeit zusammen mit dem Administrator suchen.",
    },
    "inform_metering_operator": {
        "en": "Tell the metering operator, who has the administrator look into it.",
        "de": "Messstellenbetreiber verständigen; er schaltet den Administrator ein.",
    },
}
"""What a reader of the log is to do, in our own words."""

Source = Annotated[str, Field(pattern=r"^\[[A-Z]+\] \S.*$|^[a-z-]+ \d\S*.*$")]
"""Document and section, ``[PPC] 2.4``, or a fact sheet's chapter, ``lmn-wired 1.2``."""

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
"""A vendor-neutral name."""

_PLACE = re.compile(r"\{(\w+)\}")


class Part(BaseModel):
    """Base of everything in a gateway type: never changed, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Documented(Part):
    """Something that a document says, with what had to be assumed.

    Attributes:
        source: document and section.
        assumed: fields whose value no document states.
        note: why, or what is contradictory.
    """

    assumable: ClassVar[frozenset[str]] = frozenset()
    """Names that may stand in `assumed` besides the fields."""

    source: Source
    assumed: tuple[str, ...] = ()
    note: str = ""

    @field_validator("assumed")
    @classmethod
    def _assumed_is_there(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        known = {one.alias or name for name, one in cls.model_fields.items()} | cls.assumable
        for name in names:
            if name.split(".")[0] not in known:
                raise ValueError(f"{name!r} cannot be assumed, it is none of {', '.join(sorted(known))}")
        return names


class Event(Documented):
    """How a product logs one kind of event.

    Attributes:
        id: the product's number, None where no document gives one.
        sub_id: its sub number, None where the product has none.
        level: of an entry whose outcome is success, or the only one.
        level_on_failure: of an entry whose outcome is failure, where it differs.
        books: logs into which it is written.
        action: what its reader is to do, key of ACTIONS; None where no document says it.
        action_on_failure: the same of an entry whose outcome is failure, where it differs.
        parameters: what the entry carries; the places in the texts.
        text_en: message in our own words, with ``{places}``.
        text_de: the same in German.
    """

    id: PositiveInt | None = None
    sub_id: int | None = None
    level: Level
    level_on_failure: Level | None = None
    books: tuple[Book, ...]
    action: Action | None = None
    action_on_failure: Action | None = None
    parameters: tuple[Name, ...] = ()
    text_en: str
    text_de: str

    def level_for(self, outcome: str) -> Level:
        """Level of an entry with that outcome, ``success`` or ``failure``."""
        return self.level_on_failure if outcome == "failure" and self.level_on_failure else self.level

    def action_for(self, outcome: str) -> Action | None:
        """What to do about an entry with that outcome."""
        return self.action_on_failure if outcome == "failure" and self.action_on_failure else self.action

    def text(self, parameters: Mapping[str, object], language: Language = "en") -> str:
        """The message with its places filled; one that nothing is known of stays as it is."""
        template = self.text_de if language == "de" else self.text_en
        return _PLACE.sub(lambda found: str(parameters.get(found[1], found[0])), template)

    @model_validator(mode="after")
    def _places_are_parameters(self) -> Event:
        for name in ("text_en", "text_de"):
            unknown = set(_PLACE.findall(getattr(self, name))) - set(self.parameters)
            if unknown:
                raise ValueError(f"{name} has the place {{{min(unknown)}}}, which is not among the parameters")
        return self


class EventGroup(Documented):
    """Events that one section of a document lists together; what they share is said once.

    Attributes:
        books: for events that name none of their own; `source`, `assumed`, `note` and `action` likewise.
        events: neutral name -> event.
    """

    assumable = frozenset(Event.model_fields)

    books: tuple[Book, ...] = ("system",)
    action: Action | None = None
    events: dict[Name, Event]

    @model_validator(mode="before")
    @classmethod
    def _share(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(data.get("events"), dict):
            return data
        shared = {key: data[key] for key in ("source", "assumed", "note", "books", "action") if key in data}
        shared.setdefault("books", ("system",))
        events = {name: shared | event if isinstance(event, dict) else event for name, event in data["events"].items()}
        return data | {"events": events}


class Provocation(Part):
    """How an emulated gateway is brought to write a fault code; exactly one way.

    Attributes:
        steps: what to do one after the other: a command of the maintenance port as ``{do: NAME, ...}``, a power cut as
            ``{cut: SECONDS}``, time that passes as ``{wait: SECONDS}``; at the end the code stands in a log.
        scenario: file among the scenarios, without ending, in which it is done by the cables and the code is looked
            for.
        none: name of the reason why there is no way.
    """

    steps: tuple[dict[str, Any], ...] = ()
    scenario: str | None = None
    none: Name | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Provocation:
        if bool(self.steps) + (self.scenario is not None) + (self.none is not None) != 1:
            raise ValueError("say one of steps, scenario, none")
        for step in self.steps:
            if len({"do", "cut", "wait"} & step.keys()) != 1:
                raise ValueError(f"a step has one of do, cut, wait, not {step}")
        return self


class Fault(Documented):
    """A product's own fault code.

    Attributes:
        text_en: meaning in our own words.
        text_de: the same in German.
        soft_lockdown: whether it stops metering until the administrator has looked after it.
        action: what to do, key of ACTIONS.
        provoke: how an emulated gateway is brought to write it, see `Provocation`; None: nobody has said.
        event: neutral name of the event or cause that it stands for, where there is one.
    """

    text_en: str
    text_de: str
    soft_lockdown: bool = False
    event: Name | None = None
    action: Action | None = None
    provoke: Provocation | None = None


class FaultTable(Part):
    """The fault codes that one section of a document lists.

    Attributes:
        source: of all of them; `action` likewise.
        reasons: why some cannot be provoked, by the name that `Provocation.none` gives.
        faults: code -> fault.
    """

    source: Source
    action: Action | None = None
    reasons: dict[Name, str] = Field(default_factory=dict)
    faults: dict[int, Fault]

    @model_validator(mode="after")
    def _reasons_are_there(self) -> FaultTable:
        for code, fault in self.faults.items():
            if fault.provoke is not None and fault.provoke.none not in {None, *self.reasons}:
                raise ValueError(f"fault {code}: there is no reason {fault.provoke.none!r}")
        return self

    @model_validator(mode="before")
    @classmethod
    def _share(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(data.get("faults"), dict) or "source" not in data:
            return data
        shared = {key: data[key] for key in ("source", "action") if key in data}
        faults = {code: shared | fault if isinstance(fault, dict) else fault for code, fault in data["faults"].items()}
        return data | {"faults": faults}


class Effects(Part):
    """What works in an operating state.

    Attributes:
        capture: meter values are captured.
        process: they are processed.
        send: they are sent.
        han: the HAN interface answers.
        cls: the CLS interface works.
        wan: the WAN interface works, so that the administrator reaches the gateway.
        update: updates can be installed.
        services: the software of the gateway runs at all.
        dark_sockets: Ethernet sockets that are switched off, their LEDs with them.
    """

    capture: bool = True
    process: bool = True
    send: bool = True
    han: bool = True
    cls: bool = True
    wan: bool = True
    update: bool = True
    services: bool = True
    dark_sockets: tuple[Literal["HAN", "CLS", "WAN"], ...] = ()


Exit = Literal["cause_removed", "administrator", "power_cycle_recheck", "none"]


class State(Documented):
    """One operating state of a product.

    Attributes:
        name: what the product's document calls it.
        text_en: what it is, in our own words.
        effects: what works in it.
        leds: neutral meaning that the LEDs show, None when they do not tell.
        seen_by: events that tell of its begin, where LEDs do not or not alone.
        exit: how it ends: its cause is gone; the administrator ends it; a power cycle tests the cause again; never.
        exit_events: events that are logged at its end.
    """

    name: str
    text_en: str
    effects: Effects = Effects()
    leds: Name | None = None
    seen_by: tuple[Name, ...] = ()
    exit: Exit
    exit_events: tuple[Name, ...] = ()


class Cause(Documented):
    """What leads into an operating state.

    Attributes:
        cause: neutral name.
        leads_to: neutral name of the state; None: a restart, and what follows is another entry of the same cause.
        via: found while it runs, by the checks at boot, or by the self-test.
        after_s: how long it must last, seconds.
        share: how large it must be, as a part of the whole.
        logs: events in the order in which they are written; without those by which the state is seen.
        exit: how the state ends when it has this cause; None: as the state says.
        variants: names of the LED variants of which one is shown, chosen by a reason that no document tells.
    """

    cause: Name
    leads_to: Name | None
    via: Literal["runtime", "boot_check", "selftest"] = "runtime"
    after_s: Annotated[Seconds | None, Field(alias="after")] = None
    share: Share | None = None
    logs: tuple[Name, ...] = ()
    exit: Exit | None = None
    variants: tuple[Name, ...] = ()


class Step(Part):
    """A warning at some filling.

    Attributes:
        free: free part of the store below which it is told.
        event: what is logged.
    """

    free: Share
    event: Name


class Store(Documented):
    """A log or the memory for readings, and what happens when it fills.

    Attributes:
        warnings: the steps, fullest last.
        when_full: metering stops, the oldest entries go, or only those go that are older than `keep_s`.
        full_at_free: free part at and below which it counts as full.
        full_event: logged when it is full and metering stops.
        wrap_event: logged when the oldest entries start to go.
        room_event: logged with the free part in percent.
        back_event: logged when there is room again.
        keep_s: how long entries are kept at least, seconds.
        read: who may read the log, and at which interfaces; a consumer his own log only.
        delete: who may delete entries.
        page: entries on one page of the product's display, None: it has no pages.
        most: entries that one request or export may have, None: no limit is known.
        over_most: what a request for more gets: refused, or the first `most`.
    """

    warnings: tuple[Step, ...] = ()
    when_full: Literal["stop", "wrap", "drop_old"]
    full_at_free: Share = 0.0
    full_event: Name | None = None
    wrap_event: Name | None = None
    room_event: Name | None = None
    back_event: Name | None = None
    keep_s: Annotated[Seconds | None, Field(alias="keep")] = None
    read: dict[Role, tuple[Interface, ...]] = Field(default_factory=dict)
    delete: tuple[Role, ...] = ()
    page: PositiveInt | None = None
    most: PositiveInt | None = None
    over_most: Literal["refused", "first"] | None = None


class SelfTestRules(Documented):
    """Who may test how often, and what the test does.

    Attributes:
        restarts: the test restarts the device and tells its result afterwards.
        at_start: one is made, and its result logged, at every start.
        period_s: period of the tests that nobody asks for, None: none.
        lock_s: time after a test during which another is refused, None: none.
        books: logs into which the result is written.
        initiators: who may order one.
    """

    restarts: bool
    at_start: bool
    period_s: Annotated[Seconds | None, Field(alias="period")] = None
    lock_s: Annotated[Seconds | None, Field(alias="lock")] = None
    books: tuple[Book, ...]
    initiators: tuple[Literal["consumer", "technician", "administrator"], ...]


class Limit(Documented):
    """A figure, or a choice, of the product.

    Attributes:
        value: seconds, share 0..1, count, word, true or false.
        unit: ``s``, ``1`` for a share, empty otherwise.
    """

    value: int | float | bool | str
    unit: str = ""

    @model_validator(mode="before")
    @classmethod
    def _in_base_units(cls, data: Any) -> Any:
        if isinstance(data, dict) and "value" in data and "unit" not in data:
            value, unit = quantity(data["value"])
            return data | {"value": value, "unit": unit}
        return data

    @property
    def number(self) -> float:
        """The value as a number; TypeError when it is a word or a choice."""
        if isinstance(self.value, bool | str):
            raise TypeError(f"the limit is {self.value!r}, which is no number")
        return float(self.value)


class BootPhase(Documented):
    """One phase of the start.

    Attributes:
        phase: which one.
        duration_s: how long it takes, seconds.
        leds: neutral meaning that the LEDs show.
    """

    phase: Literal["led_test", "initialising", "services_starting"]
    duration_s: Annotated[Seconds, Field(alias="duration")]
    leds: Name
