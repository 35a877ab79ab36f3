"""The metering core: everything from what a meter said to what is stored, evaluated and kept to be sent."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import date
from typing import Any

from firmware.control import Control
from firmware.metering.evaluation import Evaluation
from firmware.metering.lists import ValueLists
from firmware.metering.outbox import Outbox, keeps_measured, outliving
from firmware.metering.radio_registration import RadioRegistration
from firmware.metering.registration import ActiveProfile, Reader, Registration
from firmware.metering.retention import Retention
from firmware.metering.room import StorageRoom
from firmware.metering.sampling import Sampling
from firmware.metering.signing import Signer
from firmware.metering.tariffs.entries import Cause, Delivery, Derived
from firmware.metering.tariffs.errors import TariffError
from firmware.metering.tariffs.measured import Measured
from firmware.metering.tariffs.profile import EvaluationProfile
from firmware.metering.tariffs.readings import Amount, factor_of
from firmware.metering.tariffs.taf6 import Taf6
from firmware.metering.tariffs.use_case import UseCase
from firmware.own_clock import OwnClock
from firmware.security.module import SecurityModule
from firmware.storage.writer import StorageWriter
from firmware.unit import Unit


class MeteringCore:
    """One run of the metering core.

    Args:
        unit: memory, options, product.
        control: states and events.
        own: the gateway's clock.
        writer: how everything gets to the memory.
        security: the gateway's keys.
        signer: when values are signed.
        read: how a wired meter is read.
        spawn: starts a task that dies with the power.

    Attributes:
        lists: original and derived values.
        evaluation: the use cases.
        outbox: what is to be sent, and what was.
        registration, radio_registration, sampling: where readings come from.
        retention, room: how long values are kept, and how much room there is.
    """

    def __init__(
        self,
        unit: Unit,
        control: Control,
        own: OwnClock,
        writer: StorageWriter,
        security: SecurityModule,
        signer: Signer,
        read: Reader,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        memory, options = unit.memory, unit.options
        self._own = own
        self._control = control
        self.security = security
        self.evaluation = Evaluation(memory)
        self.evaluation.factor = self._factor
        self.lists = ValueLists(writer, signer, self.evaluation, control)
        self.outbox = Outbox(memory, writer, own, security.sign, self.evaluation, control)
        self.lists.on_delivery = self.outbox.put
        self._keeps_measured = keeps_measured(unit.product, options)
        self.outbox.knows = lambda event: event in unit.product.data.events
        self.registration = Registration(own, memory, self.lists, options, control, read, spawn)
        self.radio_registration = RadioRegistration(own, memory, self.lists, options, control)
        self.sampling = Sampling(own, self.evaluation, self.lists, control, read, self._wired, spawn)
        self.retention = Retention(own, memory, writer, options, control)
        self.retention.on_sweep = self.lists.tidy
        self.retention.owner = self._owner
        self.room = StorageRoom(unit, control, writer)

    def start(self) -> None:
        """Register, sample and delete from now on."""
        self.registration.start()
        self.radio_registration.start()
        self.sampling.start()
        self.retention.start()

    def stop(self) -> None:
        """Nothing more is read or deleted."""
        self.registration.stop()
        self.radio_registration.stop()
        self.sampling.stop()
        self.retention.stop()

    def fill_gaps(self) -> None:
        """Metering goes on: what was missed meanwhile becomes entries without a value, what is too old goes."""
        self.registration.fill_gaps()
        self.radio_registration.fill_gaps()
        self.retention.catch_up()

    def evaluate(self, profile: EvaluationProfile, *, anew: bool = False) -> None:
        """Put an evaluation profile in force, `anew`: whatever is stored of it; errors as `Evaluation.add`."""
        profile = outliving(profile, measured=self._keeps_measured)
        self.lists.evaluate(profile, self._own.now_us() // 1_000_000, anew=anew)
        self.sampling.refresh()

    def forget(self, profile: str) -> None:
        """Put an evaluation profile out of force; its entries stay."""
        self.lists.forget(profile)
        self.outbox.release(profile)
        self.sampling.refresh()

    def demand(self, profile: str) -> None:
        """The administrator orders the present values of TAF-9 or 10.

        Raises:
            KeyError: no such profile in force.
            TariffError: it sends nothing on demand, or has no value yet.
        """
        case = self._case(profile)
        if not isinstance(case, Measured):
            raise TariffError(f"{profile} is of TAF-{case.profile.use_case}, whose values nobody can order")
        self.outbox.put(case.demand(self._own.now_us() // 1_000_000), case.profile)

    def present(self, profile: str) -> dict[tuple[str, str], Derived]:
        """The newest samples of TAF-9, 10 or 14 by meter and OBIS code; empty of other use cases."""
        case = self.evaluation.case(profile)
        return case.present if isinstance(case, Measured) else {}

    def order_reading(self, profile: str, day: date, participant: str) -> str:
        """The administrator orders a reading on demand, TAF-6; gives why there is none, empty: it is on its way.

        Raises:
            KeyError: no such profile in force.
            TariffError: it is of another use case.
        """
        case = self._case(profile)
        if not isinstance(case, Taf6):
            raise TariffError(f"evaluation profile {profile} is of TAF-{case.profile.use_case}, not of TAF-6")
        now_s = self._own.now_us() // 1_000_000
        found = case.on_demand(day, participant, now_s)
        for event in found.events:
            self._control.event(event.name, consumer=case.profile.consumer, **event.parameters)
        if not found.refused:
            self.outbox.put(Delivery(0, Cause.DEMAND, now_s, found.values), case.profile, (participant,))
        return found.refused

    def _case(self, profile: str) -> UseCase:
        case = self.evaluation.case(profile)
        if case is None:
            raise KeyError(profile)
        return case

    def _owner(self, meter: str) -> str:
        found = self._profile(meter)
        return "" if found is None else found.consumer

    def _factor(self, meter: str) -> Amount | None:
        found = self._profile(meter)
        return None if found is None or found.factor == 1 else factor_of(found.factor)

    def _profile(self, meter: str) -> ActiveProfile | None:
        return self.registration.profiles.get(meter) or self.radio_registration.profiles.get(meter)

    def _wired(self) -> dict[str, ActiveProfile]:
        return self.registration.profiles
