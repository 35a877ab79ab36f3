"""What one consumer may see by the profiles: meters, registers, contracts, and of which time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from firmware.profiles.kinds import Profile, SensorProfile, TariffProfile
from firmware.profiles.store import ProfileStore

FOR_EVER: Final = 1 << 62
ALL: Final = ""
"""Stands for all registers of a meter, in place of an OBIS code."""
Spans = Mapping[str, Sequence[tuple[int, int]]]
"""First and last instant at which a consumer may see a register of a meter, by OBIS code and by `ALL`."""
MOST_KEPT: Final = 1000
"""Consumers of whom it is kept."""


class Sight:
    """What a consumer may see, as long as the profiles stay as they are.

    A consumer sees all registers of meters whose profile names him, from when it does, and of any meter those that his
    contracts evaluate, within their validity; so a login may see one direction only (han 1), and a new tenant nothing
    of the time of the old one.

    Args:
        consumer: his id.
        store: the profiles.

    Attributes:
        evaluations: profiles of his contracts, ended ones as well while their values are kept.
        meters: profiles of the meters of which he may see something, in their order.
    """

    def __init__(self, consumer: str, store: ProfileStore) -> None:
        self.evaluations: list[TariffProfile] = [
            one for one in store.evaluations if one.evaluation.consumer == consumer
        ]
        found: dict[str, dict[str, list[tuple[int, int]]]] = {}
        for name, profile in store.profiles.items():
            if isinstance(profile, SensorProfile) and profile.consumer == consumer:
                since_s = store.since_s(name)
                span = (-FOR_EVER if since_s is None else since_s, FOR_EVER)
                found.setdefault(profile.meter, {}).setdefault(ALL, []).append(span)
        for one in self.evaluations:
            end_s = one.evaluation.end_s
            span = (one.evaluation.begin_s, FOR_EVER if end_s is None else end_s)
            for source in one.evaluation.sources:
                found.setdefault(source.meter, {}).setdefault(source.obis, []).append(span)
        self._spans: Mapping[str, Spans] = found
        known = (one for one in store.profiles.values() if isinstance(one, SensorProfile))
        self.meters: tuple[SensorProfile, ...] = tuple(one for one in known if one.meter in found)

    def spans(self, meter: str) -> Spans:
        """When he may see which registers of a meter; empty for one that is not his."""
        return self._spans.get(meter, {})


class Sights:
    """What each consumer may see, worked out once for each state of the profiles.

    Args:
        store: the profiles.
    """

    def __init__(self, store: ProfileStore) -> None:
        self._store = store
        self._profiles: Mapping[str, Profile] | None = None
        self._known: dict[str, Sight] = {}

    def of(self, consumer: str) -> Sight:
        """What he may see now."""
        profiles = self._store.profiles
        if profiles is not self._profiles or len(self._known) > MOST_KEPT:
            self._profiles = profiles
            self._known.clear()
        found = self._known.get(consumer)
        if found is None:
            found = self._known[consumer] = Sight(consumer, self._store)
        return found
