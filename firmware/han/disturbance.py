"""What the maintenance port makes go wrong at the home interface, as users tell of real gateways (han 2.1, 7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from firmware.metering import derived
from firmware.metering.tariffs.entries import Derived
from firmware.metering.values import last_grid
from firmware.profiles.kinds import SensorProfile, TariffProfile
from firmware.profiles.store import ProfileStore
from firmware.storage.memory import NonVolatileMemory

FAULT: Final = "han"
"""Name of the planted defect."""
FROZEN: Final = "frozen"
DROPPED: Final = "dropped"
BUSY: Final = "busy"
SLOW: Final = "slow"
EMPTY: Final = "empty"
KINDS: Final = (FROZEN, DROPPED, BUSY, SLOW, EMPTY)
SLOW_S: Final = 15.0
"""How much later answers come unless told: a full cycle takes up to 15 s (han 2.1)."""
MOST_SLOW_S: Final = 60.0
"""At most: an export of a meter's profile takes up to 60 s (han 2.1)."""
_NEVER: Final = -(1 << 62)
Samples = Mapping[tuple[str, str], Derived]


@dataclass(frozen=True, slots=True)
class Bound:
    """Up to where values are shown; of what is not named nothing is.

    Attributes:
        at_s: no billing period is shown that begins later, seconds since 1970; None: all of them are.
        meters: number -> newest instant of its readings.
        contracts: TAF id -> newest instant of its derived values.
        decided: TAF id -> instant up to which it was evaluated; None: not begun.
        sent: number of the newest delivery.
    """

    at_s: float | None = None
    meters: Mapping[str, int] = field(default_factory=dict)
    contracts: Mapping[str, int] = field(default_factory=dict)
    decided: Mapping[str, int | None] = field(default_factory=dict)
    sent: int = 0

    def of_meter(self, meter: str) -> int:
        """The newest instant of a meter that is shown."""
        return self.meters.get(meter, _NEVER)

    def of_contract(self, contract: str, end_s: int | None = None) -> int:
        """The newest instant of a contract's derived values that is shown, `end_s` at the latest."""
        newest_s = self.contracts.get(contract, _NEVER)
        return newest_s if end_s is None else min(newest_s, end_s)


NOTHING: Final = Bound()
"""No value is shown; contracts, meters and billing periods stay."""


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What is wrong.

    Attributes:
        how: one of `KINDS`.
        seconds: by which answers come later.
        bound: of the values that are shown, None: all are.
        samples: newest samples of the contracts that are not stored, by TAF id, where `bound` is there.
    """

    how: str
    seconds: float = 0.0
    bound: Bound | None = None
    samples: Mapping[str, Samples] = field(default_factory=dict)


def disturbance_of(fault: Mapping[str, Any] | None, samples: Mapping[str, Samples]) -> Disturbance | None:
    """What a planted defect does; `samples`: those of the moment at which it was planted, none after a restart."""
    if fault is None:
        return None
    bound = None
    if fault["how"] == FROZEN:
        bound = Bound(**fault["bound"])
    elif fault["how"] == EMPTY:
        bound = NOTHING
    return Disturbance(fault["how"], fault.get("seconds", 0.0), bound, samples)


def bound_now(store: ProfileStore, memory: NonVolatileMemory, now_s: float) -> Bound:
    """All that can be seen at this moment, and nothing that comes later."""
    contracts = [one.id for one in store.evaluations]
    meters = {one.meter for one in store.profiles.values() if isinstance(one, SensorProfile)}
    meters.update(_sources(store.evaluations))
    ((sent,),) = memory.query("SELECT coalesce(max(number), 0) FROM sent")
    return Bound(
        now_s,
        _there({one: last_grid(memory, one) for one in sorted(meters)}),
        _there({one: _last_derived(memory, one) for one in contracts}),
        {one: store.progress(one).decided_s for one in contracts},
        int(sent),
    )


def _sources(profiles: Iterable[TariffProfile]) -> set[str]:
    return {source.meter for one in profiles for source in one.evaluation.sources}


def _last_derived(memory: NonVolatileMemory, contract: str) -> int | None:
    newest = derived.newest(memory, contract, _NEVER, -_NEVER, 0, 1)
    return newest[0].derived.at_s if newest else None


def _there(newest_s: Mapping[str, int | None]) -> dict[str, int]:
    return {name: at_s for name, at_s in newest_s.items() if at_s is not None}
