"""The profiles of the gateway: the administrator's orders, their rules, storage, and who is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Protocol

from devices.errors import UsageError
from firmware.config import MeterProfile
from firmware.metering.contracts import contract_deletion, contract_of, contract_statement
from firmware.metering.tariffs.profile import EvaluationProfile
from firmware.metering.values import last_grid
from firmware.profiles import tell
from firmware.profiles.changes import Change
from firmware.profiles.findings import FORM_WRONG, REJECTED, Answer, Finding, refused
from firmware.profiles.forms import container_of, masked, plain_of
from firmware.profiles.kinds import (
    HanProfile,
    Kind,
    Profile,
    ProxyProfile,
    SensorProfile,
    TariffProfile,
    WanProfile,
    kind_of,
    logical_name,
)
from firmware.profiles.plain import PlainDataError
from firmware.profiles.rules import (
    KINDS_IN_ORDER,
    Limits,
    Progress,
    View,
    change_findings,
    delete_findings,
    install_findings,
    lawful_changes,
    referring,
    signer_findings,
)
from firmware.profiles.states import State, state_of
from firmware.profiles.stored import REMOVED, Entry, entries
from firmware.profiles.trust import Trust
from firmware.storage.memory import NonVolatileMemory, Statement, setting_statement
from firmware.storage.writer import StorageWriter

MOST_TOLD = 20
"""Broken rules of one order that are logged; the answer has all."""


class Host(Protocol):
    """What profiles need of the rest of the gateway."""

    def event(self, event: str, /, **parameters: Any) -> None:
        """Log a neutral event."""


class ProfileStore:
    """All profiles, of the configuration and installed.

    An order is carried out whole or not at all, and what it changes goes into one commit together with its log
    entries. It counts at once; that it is stored `StorageWriter.flush` tells.

    Args:
        memory: where profiles lie.
        writer: how they get there.
        host: where events go.
        limits: figures of the rules.
        consumers: those of the configuration.
        configured: meter profiles of the configuration; stored ones of the same meter or id come before them.
        trust: gives what certificates are judged by at this moment.
        now_s: time of the gateway in seconds since 1970.

    Attributes:
        broken: names of settings that hold a profile which cannot be read.
    """

    def __init__(
        self,
        memory: NonVolatileMemory,
        writer: StorageWriter,
        host: Host,
        limits: Limits,
        consumers: Iterable[str],
        configured: Iterable[MeterProfile],
        trust: Callable[[], Trust],
        now_s: Callable[[], int],
    ) -> None:
        self._memory = memory
        self._writer = writer
        self._host = host
        self._limits = limits
        self._consumers = frozenset(consumers)
        self._trust = trust
        self._now_s = now_s
        self.on_meter_profile: Callable[[Change, SensorProfile, SensorProfile | None], None] = _nobody
        """A meter profile, and the one that it replaces; at start each is told as added. So are the others."""
        self.on_evaluation_profile: Callable[[Change, EvaluationProfile, EvaluationProfile | None], None] = _nobody
        """The same for evaluation profiles."""
        self.on_communication_profile: Callable[
            [Change, WanProfile | HanProfile, WanProfile | HanProfile | None], None
        ] = _nobody
        """The same for communication profiles, of the WAN and of the home interface."""
        self.on_proxy_profile: Callable[[Change, ProxyProfile, ProxyProfile | None], None] = _nobody
        """The same for proxy profiles."""
        self.progress: Callable[[str], Progress] = lambda name: Progress()
        """How far an evaluation profile has come."""
        self.paired: Callable[[str], bool] = lambda meter: False
        """Whether a meter is paired."""
        stored, self.broken, self._taken = entries(memory)
        self._configured = tuple(SensorProfile.of(one) for one in configured)
        self._removed: list[str] = memory.setting(REMOVED, [])
        self._entries: dict[str, Entry] = {}
        self._in_force: Mapping[str, Profile] | None = None
        for entry in (*self._of_configuration(stored), *stored):
            self._keep(entry)

    def _of_configuration(self, stored: Sequence[Entry]) -> list[Entry]:
        ids = {one.profile.id for one in stored}
        meters = {one.profile.meter for one in stored if isinstance(one.profile, SensorProfile)}
        return [
            Entry(0, one, was_active=True)
            for one in self._configured
            if one.id not in ids and one.meter not in meters and one.meter not in self._removed
        ]

    # --- what there is

    @property
    def profiles(self) -> Mapping[str, Profile]:
        """The profiles by id in the order in which they were installed; deleted ones are not among them.

        The same object until an order changes something.
        """
        if self._in_force is None:
            found = {one.profile.id: one.profile for one in self._ordered if not one.archived}
            self._in_force = MappingProxyType(found)
        return self._in_force

    @property
    def evaluations(self) -> tuple[TariffProfile, ...]:
        """The evaluation profiles whose values are there, also deleted ones while their values are kept."""
        return tuple(one.profile for one in self._ordered if isinstance(one.profile, TariffProfile))

    @property
    def _next(self) -> int:
        return max([self._taken, *(one.number for one in self._entries.values())]) + 1

    @property
    def _ordered(self) -> list[Entry]:
        return sorted(self._entries.values(), key=lambda one: one.number)

    @property
    def consumers(self) -> frozenset[str]:
        """Everybody whose values and log may be asked for."""
        return self._view().all_consumers

    def state(self, name: str) -> State:
        """The state of a profile. Raises KeyError when there never was one of that id."""
        one = self._entries[name]
        meter = one.profile.meter if isinstance(one.profile, SensorProfile) else ""
        return state_of(
            one.profile,
            changed=one.changed,
            was_active=one.was_active,
            archived=one.archived,
            progress=self.progress(name) if isinstance(one.profile, TariffProfile) else Progress(),
            paired=bool(meter) and self.paired(meter),
        )

    def since_s(self, name: str) -> int | None:
        """From when the consumer of a meter profile has the meter, seconds since 1970; None: from the begin.

        A meter of the configuration has its consumer from the begin, an installed one from its installation, and a new
        consumer from the change. Raises KeyError for an unknown id.
        """
        return self._entries[name].since_s

    def read(self, name: str | None = None) -> Answer:
        """A profile with its state and without its secrets, or the list of all; 404 when there is none."""
        if name is None:
            listed = [
                {"id": one.profile.id, "kind": str(kind_of(one.profile)), "state": str(self.state(one.profile.id))}
                for one in self._ordered
            ]
            return Answer(200, body={"count": len(listed), "profiles": listed})
        entry = self._entries.get(name)
        if entry is None:
            return Answer(404, (_missing(name),))
        body = masked(plain_of(entry.profile)) | {"state": str(self.state(name)), "referring": self.referring(name)}
        if isinstance(entry.profile, TariffProfile):
            body["logical_name"] = logical_name(entry.profile.evaluation)
        tell.read(self._host, entry.profile)
        return Answer(200, body=body)

    def referring(self, name: str) -> list[str]:
        """Ids of the profiles for which a profile must stay. Raises KeyError for an unknown id."""
        return referring(self._entries[name].profile, self._view())

    # --- orders

    def load(self) -> None:
        """Tell everybody what there is, at start."""
        for entry in self._in_order(self._ordered):
            if not entry.archived:
                self._tell(Change.ADDED, entry.profile, None)

    def install(self, container: Any, signer: str | None = None) -> Answer:
        """Add a profile, or several in one piece.

        Args:
            container: plain data, see `forms.container_of`.
            signer: SHA-256 of the certificate of the one who signed the order; None: it needs no signature.
        """
        new, answer = self._understood(container, signer)
        if answer is not None:
            return answer
        gone = [one for one in new if self._forgettable(one.id)]
        bad = install_findings(new, self._view(frozenset(one.id for one in gone)))
        if bad:
            return self._refuse(bad)
        with self._writer.together():
            self._writer.put([self._drop(one.id).deletion for one in gone])
            made = [
                Entry(
                    number,
                    one,
                    was_active=isinstance(one, SensorProfile) and one.active,
                    since_s=self._from_now(one.meter) if isinstance(one, SensorProfile) else None,
                )
                for number, one in enumerate(new, self._next)
            ]
            self._put(made)
            for entry in self._in_order(made):
                self._tell(Change.ADDED, entry.profile, None)
                tell.installed(self._host, entry.profile)
        return Answer(201)

    def change(self, container: Any, signer: str | None = None) -> Answer:
        """Replace profiles by others with the same ids, one or several in one piece; 404 when one is not there."""
        new, answer = self._understood(container, signer)
        if answer is not None:
            return answer
        for one in new:
            entry = self._entries.get(one.id)
            if entry is None or entry.archived:
                return Answer(404, (_missing(one.id),))
        new = [_with_old_calendar(self._entries[one.id].profile, one) for one in new]
        bad = change_findings(new, self._view())
        if bad:
            return self._refuse(bad)
        with self._writer.together():
            before = {one.id: self._entries[one.id] for one in new}
            made = []
            for one in new:
                made.append(self._changed(before[one.id], one))
                self._put(made[-1:])
            for entry in self._in_order(made):
                old = before[entry.profile.id].profile
                if old != entry.profile:
                    self._tell(Change.CHANGED, entry.profile, old)
                tell.changed(self._host, old, entry.profile)
                tell.lawful(self._host, entry.profile.id, lawful_changes(old, entry.profile, self._limits))
        return Answer(204)

    def delete(self, name: str, signer: str | None = None) -> Answer:
        """Delete a profile; 404 when there is none."""
        bad = signer_findings(signer, self.profiles.values(), self._limits)
        if bad:
            return self._refuse(bad)
        entry = self._entries.get(name)
        if entry is None or entry.archived:
            return Answer(404, (_missing(name),))
        bad = delete_findings(entry.profile, self._view())
        if bad:
            return self._refuse(bad)
        with self._writer.together():
            ended = self.state(name) is State.TERMINATED
            self._forget(entry)
            self._tell(Change.REMOVED, entry.profile, None)
            tell.deleted(self._host, entry.profile, ended=ended)
        return Answer(204)

    def add(self, profile: MeterProfile) -> None:
        """Put a meter profile in force, in place of one for the same meter. Raises UsageError for a broken rule."""
        made = SensorProfile.of(profile)
        held = next(
            (one for one in self.profiles.values() if isinstance(one, SensorProfile) and one.meter == made.meter), None
        )
        plain = plain_of(made)
        if held is not None:
            plain["id"] = held.id
        answer = self.install(plain) if held is None else self.change(plain)
        if not answer.good:
            raise UsageError("; ".join(one.reason for one in answer.findings))

    def ended(self, name: str) -> None:
        """The evaluation of a profile has done its last reading."""
        entry = self._entries.get(name)
        if entry is not None and isinstance(entry.profile, TariffProfile):
            tell.out_of_force(self._host, entry.profile)

    # --- inside

    def _understood(self, container: Any, signer: str | None) -> tuple[list[Profile], Answer | None]:
        """V14, then V1."""
        bad = signer_findings(signer, self.profiles.values(), self._limits)
        if bad:
            return [], self._refuse(bad)
        try:
            return list(container_of(container)), None
        except PlainDataError as error:
            event = FORM_WRONG if error.rule == "V1" else REJECTED[Kind.EVALUATION]
            return [], self._refuse([Finding(error.rule, 400, event, str(error))])

    def _refuse(self, bad: Sequence[Finding]) -> Answer:
        tell.refused(self._host, bad[:MOST_TOLD])
        return refused(bad)

    def _view(self, free: frozenset[str] = frozenset()) -> View:
        taken = frozenset(name for name, one in self._entries.items() if one.archived and name not in free)
        return View(self.profiles, taken, self._consumers, self.progress, self._trust(), self._now_s(), self._limits)

    def _changed(self, before: Entry, new: Profile) -> Entry:
        number = before.number or self._next
        was_active = before.was_active or (isinstance(new, SensorProfile) and new.active)
        old, since_s = before.profile, before.since_s
        if isinstance(new, SensorProfile) and isinstance(old, SensorProfile):
            moved = (new.meter, new.consumer) != (old.meter, old.consumer)
            since_s = self._from_now(new.meter) if moved else since_s
        return replace(before, number=number, profile=new, changed=True, was_active=was_active, since_s=since_s)

    def _from_now(self, meter: str) -> int:
        """From when a new consumer has a meter: not before now, and behind all that is stored of it."""
        last_s = last_grid(self._memory, meter)
        return self._now_s() if last_s is None else max(self._now_s(), last_s + 1)

    def _keep(self, entry: Entry) -> None:
        self._entries[entry.profile.id] = entry
        self._in_force = None

    def _drop(self, name: str) -> Entry:
        self._in_force = None
        return self._entries.pop(name)

    def _put(self, made: Iterable[Entry]) -> None:
        statements: list[Statement] = []
        for entry in made:
            self._keep(entry)
            statements.append(entry.statement)
            one = entry.profile
            if isinstance(one, TariffProfile):
                contract = contract_of(one.evaluation, one.usage_point, one.supplier, one.tariff)
                statements.append(contract_statement(contract))
        self._writer.put(statements)

    def _forget(self, entry: Entry) -> None:
        """An evaluation profile that has values stays as archive, with its contract, so that they can be told."""
        one = entry.profile
        if isinstance(one, TariffProfile) and self.state(one.id) is not State.READY:
            kept = replace(entry, archived=True)
            self._keep(kept)
            self._writer.put([kept.statement])
            return
        self._drop(one.id)
        statements = [entry.deletion] if entry.number else []
        if isinstance(one, SensorProfile) and any(each.meter == one.meter for each in self._configured):
            self._removed = sorted({*self._removed, one.meter})
            statements.append(setting_statement(REMOVED, self._removed))
        if isinstance(one, TariffProfile):
            statements.append(contract_deletion(one.id))
        self._writer.put(statements)

    def _forgettable(self, name: str) -> bool:
        """Whether this is the id of a deleted evaluation profile of which no values are left."""
        entry = self._entries.get(name)
        if entry is None or not entry.archived:
            return False
        return not self._memory.query("SELECT 1 FROM derived WHERE profile = ? LIMIT 1", (name,))

    def _in_order(self, wanted: Iterable[Entry]) -> list[Entry]:
        return sorted(wanted, key=lambda one: KINDS_IN_ORDER.index(kind_of(one.profile)))

    def _tell(self, change: Change, profile: Profile, old: Profile | None) -> None:
        if isinstance(profile, TariffProfile):
            before = old.evaluation if isinstance(old, TariffProfile) else None
            if before != profile.evaluation:
                self.on_evaluation_profile(change, profile.evaluation, before)
        elif isinstance(profile, SensorProfile):
            self.on_meter_profile(change, profile, old if isinstance(old, SensorProfile) else None)
        elif isinstance(profile, ProxyProfile):
            self.on_proxy_profile(change, profile, old if isinstance(old, ProxyProfile) else None)
        else:
            known = old if isinstance(old, WanProfile | HanProfile) else None
            self.on_communication_profile(change, profile, known)


def _nobody(change: Change, profile: Profile | EvaluationProfile, old: Profile | EvaluationProfile | None) -> None:
    """Nobody listens."""


def _missing(name: str) -> Finding:
    return Finding("", 404, "", f"there is no profile {name[:63]!r}", name[:63])


def _with_old_calendar(old: Profile, new: Profile) -> Profile:
    """The new profile with the switch table of the old one when both say the same, so that it counts as unchanged."""
    if not isinstance(old, TariffProfile) or not isinstance(new, TariffProfile):
        return new
    if old.evaluation.calendar is None or plain_of(old)["calendar"] != plain_of(new)["calendar"]:
        return new
    return replace(new, evaluation=replace(new.evaluation, calendar=old.evaluation.calendar))
