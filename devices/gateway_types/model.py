"""A gateway type: what the manuals say of one product, as data.

The bench reads here what to expect, the emulated gateway what to do. The names are vendor-neutral; each entry cites
where it comes from, and names what was assumed.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

from pydantic import Discriminator, Field, PrivateAttr, RootModel, Tag

from devices.errors import UsageError
from devices.gateway_types.parts import (
    BootPhase,
    Cause,
    Effects,
    Event,
    EventGroup,
    Exit,
    Fault,
    FaultTable,
    Level,
    Limit,
    Part,
    SelfTestRules,
    State,
    Step,
    Store,
)
from devices.gateway_types.reading import Path_, build, read
from devices.gateway_types.signals import Leds, Line, Modem, ModemCode, PatternSpec, Signal, Variant

__all__ = [
    "MEANINGS",
    "BootPhase",
    "Cause",
    "Effects",
    "Event",
    "Exit",
    "Fault",
    "GatewayType",
    "Level",
    "Limit",
    "Line",
    "Modem",
    "ModemCode",
    "PatternSpec",
    "SelfTestRules",
    "Signal",
    "State",
    "Step",
    "Store",
    "Variant",
]

MEANINGS = (
    "off",
    "led_test",
    "initialising",
    "services_starting",
    "ready",
    "restricted",
    "stopped",
    "updating",
    "channel_building",
    "channel_provisional",
    "channel_up",
    "channel_down",
    "wake_up",
    "meter_addressed",
    "no_meter",
    "bus_overload",
    "time_invalid",
    "radio_packet",
    "port_link",
    "port_traffic",
    "ports_off",
)
"""What LEDs can mean, whatever the product; a product shows some of them."""

STATES = ("run", "restricted", "minimal", "connectivity_cut", "stopped", "boot_loop", "updating", "off")
"""Operating states, whatever the product; a product has some of them."""


class EventGroups(RootModel[tuple[EventGroup, ...]]):
    """A file of events."""


class Modems(RootModel[dict[str, Modem]]):
    """A file of modems."""


def _where(value: Any) -> str:
    return "file" if isinstance(value, str) else "here"


_FOLDER = Path(__file__).parent
_File = Annotated[str, Tag("file")]
"""Name of a file beside this one, or of a built-in product."""

Thing = TypeVar("Thing")
Root = TypeVar("Root", EventGroups, Modems, FaultTable)


class GatewayType(Part):
    """What the manuals say of one product.

    Attributes:
        id: by which bench files and scenarios name it.
        name: of the product.
        maker: who makes it.
        documents: key of the citations -> title.
        device_id_prefix: how the device's own number begins.
        device_id: an example of such a number.
        software: version to which the documents belong.
        log_vendor: how its log entries name the maker.
        leds: its LEDs and what they show.
        boot: phases of the start, in order.
        states: neutral name -> operating state.
        causes: what leads into these states.
        selftest: rules of the self-test.
        stores: ``storage``, ``system``, ``consumer``, ``calibration`` -> capacity rules.
        limits: neutral name -> figure.
        events_in: event groups, or the file that holds them: beside this one, else one of the built-in products.
        modems_in: modems, or their file.
        faults_in: fault codes, or their file.
    """

    id: str
    name: str
    maker: str
    documents: dict[str, str]
    device_id_prefix: str
    device_id: str
    software: str
    log_vendor: str
    leds: Leds
    boot: tuple[BootPhase, ...]
    states: dict[str, State]
    causes: tuple[Cause, ...]
    selftest: SelfTestRules
    stores: dict[str, Store]
    limits: dict[str, Limit]
    assumed: tuple[str, ...] = ()
    events_in: Annotated[
        _File | Annotated[tuple[EventGroup, ...], Tag("here")], Discriminator(_where), Field(alias="events")
    ]
    modems_in: Annotated[
        _File | Annotated[dict[str, Modem], Tag("here")], Discriminator(_where), Field(alias="modems")
    ] = Field(default_factory=dict)
    faults_in: Annotated[
        _File | Annotated[FaultTable | None, Tag("here")], Discriminator(_where), Field(alias="faults")
    ] = None

    _folder: Path = PrivateAttr(default=Path())

    # --- parts that are read when they are first asked for

    @cached_property
    def events(self) -> Mapping[str, Event]:
        """Neutral name -> event, in the order of the document."""
        groups = self.events_in
        if isinstance(groups, str):
            groups = self._part(EventGroups, groups).root
        return MappingProxyType({name: event for group in groups for name, event in group.events.items()})

    @cached_property
    def modems(self) -> Mapping[str, Modem]:
        """Key of the WAN variant -> modem; empty when it has none with LEDs."""
        return MappingProxyType(
            self._part(Modems, self.modems_in).root if isinstance(self.modems_in, str) else self.modems_in
        )

    @cached_property
    def faults(self) -> Mapping[int, Fault]:
        """The product's own fault codes; empty when no document lists any."""
        table = self._fault_table()
        return MappingProxyType({} if table is None else table.faults)

    def _fault_table(self) -> FaultTable | None:
        return self._part(FaultTable, self.faults_in) if isinstance(self.faults_in, str) else self.faults_in

    def _part(self, model: type[Root], file: str) -> Root:
        beside = self._folder / file
        own = _FOLDER / file
        return build(model, read(own if own.exists() and not beside.exists() else beside))

    # --- LEDs

    @property
    def lines(self) -> tuple[str, ...]:
        """Names of all LEDs, the four status LEDs first."""
        return tuple(self.leds.lines)

    @property
    def signals(self) -> tuple[Signal, ...]:
        """Everything that the LEDs show."""
        return self.leds.signals

    def signals_for(self, meaning: str) -> list[Signal]:
        """The signals of a neutral meaning; empty when this product does not show it.

        Raises:
            UsageError: no product has such a meaning.
        """
        found = [signal for signal in self.signals if signal.means == meaning]
        if not found and meaning not in MEANINGS:
            raise unknown_name("LED meaning", meaning, MEANINGS)
        return found

    def patterns_for(self, state: str) -> list[Signal]:
        """The signals by which an operating state is seen; empty when the LEDs do not tell."""
        leds = self.state(state).leds
        return [] if leds is None else self.signals_for(leds)

    # --- states and causes

    def state(self, name: str) -> State:
        """The operating state of that neutral name; UsageError when this product has none."""
        return self._one("state", name, self.states)

    def causes_named(self, name: str) -> tuple[Cause, ...]:
        """All entries of one cause, one for each way of finding it; UsageError when this product has none."""
        found = tuple(cause for cause in self.causes if cause.cause == name)
        if not found:
            raise unknown_name(f"{self.name}: cause", name, (cause.cause for cause in self.causes))
        return found

    def cause(self, name: str, via: str | None = None) -> Cause:
        """The entry of a cause that leads into a state, or the one that is found `via`; UsageError when none."""
        found = self.causes_named(name)
        if via is None:
            return next((cause for cause in found if cause.leads_to is not None), found[0])
        for cause in found:
            if cause.via == via:
                return cause
        raise unknown_name(f"{self.name}: way to find the cause {name}", via, (cause.via for cause in found))

    def causes_of(self, state: str) -> tuple[Cause, ...]:
        """What leads into a state."""
        self.state(state)
        return tuple(cause for cause in self.causes if cause.leads_to == state)

    # --- figures

    def limit(self, name: str) -> Limit:
        """A figure of the product; UsageError when it has none of that name."""
        return self._one("limit", name, self.limits)

    def store(self, name: str) -> Store:
        """The capacity rules of ``storage``, ``system``, ``consumer`` or ``calibration``."""
        return self._one("store", name, self.stores)

    # --- events

    def event(self, name: str) -> Event:
        """How this product logs the event of that neutral name; UsageError when it does not."""
        return self._one("event", name, self.events)

    def unknown_in(self, name: str) -> bool:
        """Whether no document gives the product's number of an event, so that a test cannot judge it by its number."""
        event = self.events.get(name)
        return event is None or event.id is None or "id" in event.assumed

    def events_numbered(self, event_id: int, sub_id: int | None = None) -> tuple[str, ...]:
        """Neutral names of the events with that number, the documented one first; empty when the data know none."""
        return tuple(
            name
            for name, event in self.events.items()
            if event.id == event_id and (sub_id is None or event.sub_id == sub_id)
        )

    @cached_property
    def reasons(self) -> Mapping[str, str]:
        """Why faults cannot be provoked, by name."""
        table = self._fault_table()
        return MappingProxyType({} if table is None else table.reasons)

    def fault_code(self, event: str) -> int | None:
        """The product's fault code for a neutral event or cause, None when no document gives one."""
        return next((code for code, fault in self.faults.items() if fault.event == event), None)

    # --- checks

    def problems(self) -> Iterator[tuple[Path_, str]]:
        """References that lead nowhere, with their place in the file; reads all parts."""
        yield from self._unknown_events()
        states, meanings = set(self.states), {signal.means for signal in self.signals}
        yield from self._unknown_lines()
        for index, signal in enumerate(self.signals):
            if signal.means not in MEANINGS:
                yield ("leds", "signals", index, "means"), f"no LED meaning is called {signal.means!r}"
            for name in signal.unlike:
                if name not in meanings:
                    yield ("leds", "signals", index, "unlike"), f"no signal means {name!r}"
        for name, state in self.states.items():
            if name not in STATES:
                yield ("states", name), f"no operating state is called {name!r}: it is one of {', '.join(STATES)}"
            if state.leds is not None and state.leds not in meanings:
                yield ("states", name, "leds"), f"no signal means {state.leds!r}"
        for index, phase in enumerate(self.boot):
            if phase.leds not in meanings:
                yield ("boot", index, "leds"), f"no signal means {phase.leds!r}"
        for index, cause in enumerate(self.causes):
            if cause.leads_to is not None and cause.leads_to not in states:
                yield ("causes", index, "leads_to"), f"there is no state {cause.leads_to!r}"

    def _unknown_lines(self) -> Iterator[tuple[Path_, str]]:
        for index, signal in enumerate(self.signals):
            for form_index, form in enumerate(signal.forms):
                above = ("variants", form_index, "shows") if signal.variants else ("shows",)
                for line in form.shows:
                    if line not in self.lines:
                        yield ("leds", "signals", index, *above, line), f"there is no LED {line!r}"
        for key, modem in self.modems.items():
            for line in (line for code in modem.codes for line in code.shows):
                if line not in modem.leds:
                    yield ("modems", key), f"the modem has no LED {line!r}"

    def _unknown_events(self) -> Iterator[tuple[Path_, str]]:
        for path, name in self._named_events():
            if name not in self.events:
                yield path, f"there is no event {name!r}"

    def _named_events(self) -> Iterator[tuple[Path_, str]]:
        for state_name, state in self.states.items():
            for key in ("seen_by", "exit_events"):
                for index, name in enumerate(getattr(state, key)):
                    yield ("states", state_name, key, index), name
        for cause_index, cause in enumerate(self.causes):
            for index, name in enumerate(cause.logs):
                yield ("causes", cause_index, "logs", index), name
        for store_name, store in self.stores.items():
            for index, step in enumerate(store.warnings):
                yield ("stores", store_name, "warnings", index, "event"), step.event
            for key in ("full_event", "wrap_event", "room_event", "back_event"):
                name = getattr(store, key)
                if name is not None:
                    yield ("stores", store_name, key), name

    def _one(self, kind: str, name: str, among: Mapping[str, Thing]) -> Thing:
        try:
            return among[name]
        except KeyError:
            raise unknown_name(f"{self.name}: {kind}", name, among) from None


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that is none of those `known`, with a suggestion."""
    names = list(dict.fromkeys(known))
    near = difflib.get_close_matches(name, names, 1)
    if near:
        hint = f"did you mean {near[0]!r}?"
    elif len(names) <= 12:
        hint = f"known: {', '.join(names) or 'none'}"
    else:
        hint = f"{len(names)} are known, none like it"
    return UsageError(f"{kind} {name!r} is unknown", hint=hint)


def from_file(file: Path) -> GatewayType:
    """Read a gateway type; its parts are read when they are asked for.

    Raises:
        UsageError: with file, line and field of what is wrong.
    """
    product = build(GatewayType, read(file))
    product._folder = file.parent
    return product
