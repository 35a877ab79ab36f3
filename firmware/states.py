"""Operating states: which causes are present, which state follows, what that state takes away (wan-core 9.1, 9.2).

The table of causes is the product's (:mod:`firmware.product`); a cause that a product does not know changes nothing.
The gravest state of all present causes is the state; what the states of the others take away is taken away as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

RUN = "run"
RANK = {
    name: rank for rank, name in enumerate((RUN, "connectivity_cut", "restricted", "minimal", "boot_loop", "stopped"))
}
"""Gravity of the states that causes lead to."""


@dataclass(frozen=True)
class Effects:
    """What works in a state.

    Attributes:
        capture: values are captured.
        process: they are processed.
        send: values are sent.
        han: the HAN interface is enabled.
        cls: the CLS interface is enabled.
        wan: the WAN interface is enabled.
        update: updates can be installed.
        services: the services of the gateway run at all.
        dark_sockets: sockets whose LEDs are dark: HAN, CLS, WAN.
    """

    capture: bool = True
    process: bool = True
    send: bool = True
    han: bool = True
    cls: bool = True
    wan: bool = True
    update: bool = True
    services: bool = True
    dark_sockets: frozenset[str] = frozenset()

    def __and__(self, other: Effects) -> Effects:
        return Effects(
            self.capture and other.capture,
            self.process and other.process,
            self.send and other.send,
            self.han and other.han,
            self.cls and other.cls,
            self.wan and other.wan,
            self.update and other.update,
            self.services and other.services,
            self.dark_sockets | other.dark_sockets,
        )


@dataclass(frozen=True)
class Rule:
    """What one cause does to one product.

    Attributes:
        cause: neutral name.
        state: where it leads.
            None: the device restarts.
        events: neutral events that are logged when it comes up.
        way_out: ``cause_removed``: it ends with its cause; ``administrator``: he ends it; ``power_cycle_recheck``:
            the next start looks again; ``none``: the device has to be exchanged.
        variants: forms of the LED pattern of which one is shown.
        share: how large it must be, where that is said.
        after_s: how long it must last, seconds, where that is said.
    """

    cause: str
    state: str | None
    events: tuple[str, ...] = ()
    way_out: str = "cause_removed"
    variants: tuple[str, ...] = ()
    share: float | None = None
    after_s: float | None = None

    @property
    def keeps(self) -> bool:
        """Whether it stays over restarts and power cuts."""
        return self.way_out in {"administrator", "none"}


class CauseTable(Protocol):
    """What the states ask of a product."""

    def rule(self, cause: str, via: str = "runtime") -> Rule | None:
        """What `cause`, found that way, does; None when this product does not react to it."""

    def effects(self, state: str) -> Effects:
        """What works in `state`."""


@dataclass(frozen=True)
class Present:
    """A cause that is there.

    Attributes:
        rule: what it does.
        parameters: what is known of it, such as the LED variant of a violation.
    """

    rule: Rule
    parameters: dict[str, Any]

    @property
    def variant(self) -> str | None:
        """Form of the LED pattern: the one that was asked for, else the first that the rule names."""
        asked = self.parameters.get("variant")
        return asked if asked is not None else next(iter(self.rule.variants), None)


class OperatingStates:
    """The causes that are present, and the state that follows.

    Args:
        table: of the product.
        on_cause: called with each cause that comes up.
        on_change: called after a change of state with the old and the new one.
        on_restart: called when a cause asks for a restart of the device.
    """

    def __init__(
        self,
        table: CauseTable,
        on_cause: Callable[[Present], None],
        on_change: Callable[[str, str], None],
        on_restart: Callable[[], None],
    ) -> None:
        self.present: dict[str, Present] = {}
        self.state = RUN
        self.effects = table.effects(RUN)
        self._table = table
        self._on_cause = on_cause
        self._on_change = on_change
        self._on_restart = on_restart

    def begin(self, cause: str, parameters: dict[str, Any], via: str = "runtime") -> bool:
        """A cause has come up; returns whether the product reacts to it. Repeating one is harmless.

        Args:
            cause: neutral name.
            parameters: what is known of it.
            via: found while it runs, by the checks at boot (``boot_check``) or by the ``selftest``.
        """
        rule = self._table.rule(cause, via)
        if rule is None:
            return False
        if cause not in self.present:
            present = Present(rule, parameters)
            if rule.state is None:
                self._on_cause(present)
                self._on_restart()
                return True
            self.present[cause] = present
            self._on_cause(present)
            self._settle()
        return True

    def end(self, cause: str, *, by_administrator: bool = False) -> bool:
        """A cause is gone, or the administrator has dealt with it; returns whether it was present and could go."""
        present = self.present.get(cause)
        if present is None:
            return False
        way_out = present.rule.way_out
        if way_out != "cause_removed" and not (by_administrator and way_out == "administrator"):
            return False
        del self.present[cause]
        self._settle()
        return True

    def effects_without(self, causes: Iterable[str]) -> Effects:
        """What would work if these causes were not there."""
        effects = self._table.effects(RUN)
        for name, one in self.present.items():
            if name not in causes:
                effects = effects & self._table.effects(one.rule.state or RUN)
        return effects

    def gravest(self) -> Present | None:
        """The first cause of the present state."""
        return next((one for one in self.present.values() if one.rule.state == self.state), None)

    def _settle(self) -> None:
        state, effects = RUN, self._table.effects(RUN)
        for one in self.present.values():
            leads_to = one.rule.state or RUN
            if RANK[leads_to] > RANK[state]:
                state = leads_to
            effects = effects & self._table.effects(leads_to)
        old, self.state = self.state, state
        self.effects = effects
        if old != state:
            self._on_change(old, state)
