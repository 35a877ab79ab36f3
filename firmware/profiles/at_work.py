"""The profiles of a running gateway: who is told of them, and what they are judged by."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from firmware.config import Options
from firmware.control import Control
from firmware.lmn.keys import METER
from firmware.lmn.service import LmnService
from firmware.lmn.wireless.service import RadioService
from firmware.metering.core import MeteringCore
from firmware.metering.registration import ActiveProfile
from firmware.metering.tariffs.profile import EvaluationProfile
from firmware.ntp_client import TimeSource
from firmware.own_clock import OwnClock
from firmware.profiles.changes import Change
from firmware.profiles.kinds import HanProfile, WanProfile
from firmware.profiles.meters import MeterReading
from firmware.profiles.rules import Limits, Progress
from firmware.profiles.store import ProfileStore
from firmware.profiles.trust import Trust, installed
from firmware.storage.writer import StorageWriter
from firmware.unit import Unit


def limits_of(options: Options) -> Limits:
    """The figures of the rules as they are assumed or overridden."""
    return Limits(
        options.profile_meter_limit,
        options.registration_period_s,
        options.profile_foreign_signer_answer,
        frozenset(options.profile_calibrated_meter_fields.split()),
        frozenset(options.profile_calibrated_time_server_fields.split()),
    )


class ProfilesAtWork:
    """Puts profiles in force: meters are read, use cases evaluated, consumers get their logs.

    Args:
        unit: memory, configuration, options.
        control: where events go.
        writer: how profiles are stored.
        own: the gateway's clock.
        metering: registers and evaluates.
        lmn: the wired meters.
        radio: the radio meters.
        spawn: starts a task that dies with the power.

    Attributes:
        store: the profiles.
    """

    def __init__(
        self,
        unit: Unit,
        control: Control,
        writer: StorageWriter,
        own: OwnClock,
        metering: MeteringCore,
        lmn: LmnService,
        radio: RadioService,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._unit = unit
        self._control = control
        self._writer = writer
        self._own = own
        self._metering = metering
        self._lmn = lmn
        self._spawn = spawn
        config, operational = unit.config, unit.config.lifecycle == "operational"
        self.store = ProfileStore(
            unit.memory,
            writer,
            control,
            limits_of(unit.options),
            config.consumers,
            config.meters if operational else (),
            self._trust,
            lambda: own.now_us() // 1_000_000,
        )
        meters = MeterReading(metering.registration, metering.radio_registration)
        meters.on_changed = lmn.profiles_changed
        meters.on_new_key = radio.counters.forget
        meters.on_withdrawn = self._withdrawn
        self.store.on_meter_profile = meters.take
        self.store.on_evaluation_profile = self._evaluate
        self.store.on_communication_profile = self._communicate
        self.store.progress = self._progress
        metering.lists.on_ended = self.store.ended
        self.store.paired = lambda meter: any(
            one["meter"] == meter and one["certificate"] is not None for one in lmn.shown()
        )
        logged = {str(row[0]) for row in unit.memory.query("SELECT owner FROM log_head WHERE book = 'consumer'")}
        for consumer in sorted(self.store.consumers | logged):
            control.journal.add_consumer(consumer)

    def _trust(self) -> Trust:
        options = self._unit.options
        roots, between = installed(self._unit.memory)
        curves = frozenset(options.profile_certificate_curves.split())
        now = self._own.now() if self._own.known else None
        return Trust(roots, between, curves, now, options.profile_time_server_name)

    def _progress(self, name: str) -> Progress:
        case = self._metering.evaluation.case(name)
        return Progress() if case is None else Progress(case.decided_s, case.ended)

    def _evaluate(self, change: Change, profile: EvaluationProfile, old: EvaluationProfile | None) -> None:
        """A running profile changes its end and its recipients only, one that has not begun begins anew."""
        if change is Change.REMOVED:
            self._metering.forget(profile.name)
            return
        case = self._metering.evaluation.case(profile.name)
        if old is None or case is None or case.decided_s < old.begin_s:
            if old is not None:
                self._metering.forget(profile.name)
            self._metering.evaluate(profile, anew=old is not None)
            return
        if profile.recipients != old.recipients:
            case.send_to(profile.recipients)
        if profile.end_s != old.end_s:
            self._metering.lists.end_at(profile.name, profile.end_s)

    def _communicate(
        self, change: Change, profile: WanProfile | HanProfile, old: WanProfile | HanProfile | None
    ) -> None:
        """A consumer's log is there from the first profile on and stays; time servers are asked from now on.

        Connections are the business of the WAN.
        """
        if isinstance(profile, WanProfile) and profile.role == "NTP":
            self._ask_for_time()
        if change is not Change.REMOVED and isinstance(profile, HanProfile) and profile.role == "consumer":
            self._control.journal.add_consumer(profile.user)

    def _ask_for_time(self) -> None:
        """Of the time servers of all profiles, in their order; without any of that of the configuration."""
        servers = tuple(
            TimeSource((endpoint.address.host, endpoint.address.port), one.id)
            for one in self.store.profiles.values()
            if isinstance(one, WanProfile) and one.role == "NTP"
            for endpoint in one.endpoints
            if endpoint.scenario == "time_sync"
        )
        configured = self._unit.config.time_server
        if self._control.time is not None:
            self._control.time.ask(servers or (() if configured is None else (TimeSource(configured),)))

    def _withdrawn(self, profile: ActiveProfile, deleted: bool) -> None:
        if deleted:
            self._writer.put([("DELETE FROM setting WHERE name = ?", (METER + profile.server_id.hex(),))])
        self._spawn(self._lmn.leave(profile.server_id, forget=deleted))
