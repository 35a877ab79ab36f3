"""What the maintenance port does with derived values and deliveries, until WAN and home interface do it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from decimal import Decimal
from typing import Any

from devices.errors import UsageError
from devices.protocols.sml.units import unit_name
from firmware.maintenance import Answer, Command, Parameter, Refusal
from firmware.metering import derived
from firmware.metering.derived import DerivedEntry
from firmware.metering.outbox import Waiting
from firmware.metering.tariffs.entries import Derived
from firmware.metering.tariffs.errors import TariffError
from firmware.metering.tariffs.local_time import utc
from firmware.own_clock import iso
from firmware.security.module import SecurityModule
from firmware.session import Session
from firmware.unit import Unit

_TEXT = Parameter((str,), True)
_ANY = Parameter((str,))


class MeteringPort:
    """Commands about contracts' values.

    Args:
        unit: the hardware.
        ready: gives the running firmware, or refuses.
        settle: lets a commit that is under way end.
    """

    def __init__(self, unit: Unit, ready: Callable[[], Session], settle: Callable[[], Awaitable[None]]) -> None:
        self._unit = unit
        self._ready = ready
        self._settle = settle

    def commands(self) -> dict[str, dict[str, Command]]:
        """Verb, name, command."""
        count = Parameter((int,))
        do = {
            "take_deliveries": Command(self.take_deliveries, {"profile": _ANY, "count": count}),
            "refuse_deliveries": Command(self.refuse_deliveries, {"profile": _ANY, "count": count}),
            "demand_values": Command(self.demand_values, {"profile": _TEXT}),
            "order_reading": Command(self.order_reading, {"profile": _TEXT, "day": _TEXT, "participant": _TEXT}),
        }
        reads = {
            "derived": Command(self.read_derived, {"profile": _ANY}),
            "deliveries": Command(self.read_deliveries, {"profile": _ANY}),
            "sent": Command(self.read_sent, {"profile": _ANY}),
        }
        return {"do": do, "read": reads}

    # --- market participants

    async def take_deliveries(self, profile: str | None = None, count: int | None = None) -> Answer:
        """The participants take what waits for them, the oldest first: all, or `count` of it."""
        session = self._ready()
        taken = self._waiting(session, profile)[:count]
        for one in taken:
            session.metering.outbox.sent(one)
        await session.writer.flush()
        return {"deliveries": [_delivery(one, session.metering.outbox.values(one)) for one in taken]}

    async def refuse_deliveries(self, profile: str | None = None, count: int | None = None) -> Answer:
        """The participants cannot be reached: what waits is given up, the oldest first."""
        session = self._ready()
        refused = self._waiting(session, profile)[:count]
        for one in refused:
            session.metering.outbox.give_up(one)
        await session.writer.flush()
        return {"deliveries": [_delivery(one, session.metering.outbox.values(one)) for one in refused]}

    async def demand_values(self, profile: str) -> Answer:
        """The administrator orders the present values of TAF-9 or 10."""
        session = self._ready()
        try:
            session.metering.demand(profile)
        except (KeyError, TariffError) as error:
            raise Refusal(_said(error)) from None
        await session.writer.flush()
        return {}

    async def order_reading(self, profile: str, day: str, participant: str) -> Answer:
        """The administrator orders a reading on demand, TAF-6, of the begin of a local day."""
        session = self._ready()
        try:
            wanted = date.fromisoformat(day)
        except ValueError:
            raise UsageError(f"{day!r} is no day", hint="2026-01-05") from None
        try:
            refused = session.metering.order_reading(profile, wanted, participant)
        except (KeyError, TariffError) as error:
            raise Refusal(_said(error)) from None
        await session.writer.flush()
        if refused:
            raise Refusal(refused)
        return {}

    def _waiting(self, session: Session, profile: str | None) -> list[Waiting]:
        return [one for one in session.metering.outbox.waiting if profile in (None, one.profile)]

    # --- reading

    async def read_derived(self, profile: str | None = None) -> Answer:
        """The derived entries with what their signatures cover, and X || Y of the key that made them."""
        await self._settle()
        rows = [_entry(one) for one in derived.read(self._unit.memory, profile)]
        key = SecurityModule(self._unit.memory)
        return {"rows": rows, "key": key.public_point.hex(), "curve": key.curve}

    def read_deliveries(self, profile: str | None = None) -> Answer:
        """What waits for participants, the oldest first."""
        session = self._ready()
        waiting = self._waiting(session, profile)
        return {"deliveries": [_delivery(one, session.metering.outbox.values(one)) for one in waiting]}

    async def read_sent(self, profile: str | None = None) -> Answer:
        """The sent list."""
        await self._settle()
        rows = [one for one in self._ready().metering.outbox.read() if profile in (None, one["profile"])]
        return {
            "rows": [
                {
                    **{name: one[name] for name in ("number", "profile", "recipient", "cause", "count")},
                    "begin": utc(one["begin_s"]),
                    "end": utc(one["end_s"]),
                    "sent": iso(one["sent_us"]),
                    "signature": one["signature"].hex(),
                }
                for one in rows
            ]
        }


def _said(error: Exception) -> str:
    return f"there is no evaluation profile {error}" if isinstance(error, KeyError) else str(error)


def _value(one: Derived) -> dict[str, Any]:
    amount = one.amount
    return {
        "kind": str(one.kind),
        "time": utc(one.at_s),
        "register": one.register,
        "meter": one.meter,
        "value": None if amount is None else format(Decimal(amount.value).scaleb(amount.scaler), "f"),
        "counts": None if amount is None else amount.value,
        "scaler": None if amount is None else amount.scaler,
        "unit": None if one.unit is None else unit_name(one.unit),
        "unit_code": one.unit,
        "status": str(one.status),
        "stage": one.stage,
    }


def _entry(one: DerivedEntry) -> dict[str, Any]:
    capture = None if one.capture_us is None else iso(one.capture_us)
    return {
        "profile": one.profile,
        **_value(one.derived),
        "capture_time": capture,
        "signature": one.signature.hex(),
    }


def _delivery(one: Waiting, values: tuple[Derived, ...]) -> dict[str, Any]:
    return {
        "profile": one.profile,
        "participant": one.recipient,
        "cause": str(one.delivery.cause),
        "time": utc(one.delivery.at_s),
        "lost": one.delivery.lost,
        "values": [_value(value) for value in values],
    }
