"""Which log entries tell of profiles (wan-core 1.4); a product logs those for which it has a message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol

from firmware.metering.tariffs.rules import Change as FieldChange
from firmware.profiles.changes import Change
from firmware.profiles.findings import LAWFUL_CHANGE, Finding
from firmware.profiles.kinds import (
    HanProfile,
    Kind,
    Profile,
    ProxyProfile,
    SensorProfile,
    TariffProfile,
    WanProfile,
    kind_of,
)


class Host(Protocol):
    """Where events go."""

    def event(self, event: str, /, **parameters: Any) -> None:
        """Log a neutral event."""


_NAMES: Final[Mapping[Kind, Mapping[Change, tuple[str, ...]]]] = MappingProxyType(
    {
        Kind.METER: {
            Change.ADDED: ("meter_profile_added",),
            Change.CHANGED: ("meter_profile_changed",),
            Change.REMOVED: ("meter_profile_removed",),
        },
        Kind.EVALUATION: {
            Change.ADDED: ("tariff_profile_created", "evaluation_profile_created"),
            Change.CHANGED: ("tariff_profile_changed", "evaluation_profile_changed"),
            Change.REMOVED: ("tariff_profile_deleted", "evaluation_profile_deleted"),
        },
        Kind.WAN: {
            Change.ADDED: ("communication_profile_created",),
            Change.CHANGED: ("communication_profile_changed",),
            Change.REMOVED: ("communication_profile_deleted",),
        },
        Kind.PROXY: {
            Change.ADDED: ("cls_profile_added",),
            Change.CHANGED: ("cls_profile_changed",),
            Change.REMOVED: ("cls_profile_removed",),
        },
    }
)
"""Kind -> what happened -> events; two where products name the same thing differently (PPC 10166, CASA 20010)."""


def installed(host: Host, one: Profile) -> None:
    """A profile was added."""
    _done(host, Change.ADDED, one)
    if isinstance(one, SensorProfile):
        host.event("meter_added", meter=one.meter, consumer=one.consumer)
        if one.active:
            host.event("meter_profile_activated", profile=one.id)
    elif isinstance(one, TariffProfile):
        host.event("evaluation_profile_activated", **_domain(one))


def changed(host: Host, old: Profile, new: Profile) -> None:
    """A profile was replaced by another one of its kind."""
    _done(host, Change.CHANGED, new)
    if isinstance(old, SensorProfile) and isinstance(new, SensorProfile) and old.active != new.active:
        host.event("meter_profile_activated" if new.active else "meter_profile_deactivated", profile=new.id)
    elif isinstance(old, HanProfile) and isinstance(new, HanProfile):
        credentials = (old.certificate, old.password_digest, old.authentication)
        if credentials != (new.certificate, new.password_digest, new.authentication):
            host.event("user_credentials_changed", profile=new.id)


def deleted(host: Host, one: Profile, *, ended: bool) -> None:
    """A profile was deleted; `ended`: an evaluation profile that was out of force already."""
    if isinstance(one, SensorProfile) and one.active:
        host.event("meter_profile_deactivated", profile=one.id)
    elif isinstance(one, TariffProfile) and not ended:
        out_of_force(host, one)
    _done(host, Change.REMOVED, one)
    if isinstance(one, SensorProfile):
        host.event("meter_removed", meter=one.meter, consumer=one.consumer)


def out_of_force(host: Host, one: TariffProfile) -> None:
    """An evaluation profile is evaluated no more."""
    host.event("evaluation_profile_deactivated", **_domain(one))


def lawful(host: Host, profile: str, changes: Iterable[FieldChange]) -> None:
    """V13: changed parameters that matter to calibration law, with old and new value."""
    for one in changes:
        host.event(LAWFUL_CHANGE, parameter=one.field, profile=profile, old_value=one.old, new_value=one.new)


def refused(host: Host, findings: Iterable[Finding]) -> None:
    """An order was not carried out."""
    for one in findings:
        host.event(one.event, outcome="failure", reason=f"{one.rule}: {one.reason}", **one.details)


def read(host: Host, one: Profile) -> None:
    """The administrator has read a profile."""
    host.event("wan_object_read", object=one.id, profile="")
    if isinstance(one, TariffProfile):
        host.event("evaluation_profile_read", profile=one.id, consumer=one.evaluation.consumer)
    elif isinstance(one, SensorProfile):
        host.event("sensor_profile_read", profile=one.id, consumer=one.consumer)


def _done(host: Host, change: Change, one: Profile) -> None:
    told: dict[str, Any] = {"profile": one.id, "count": 0, "errors": "none"}
    if isinstance(one, TariffProfile):
        told["consumer"] = one.evaluation.consumer
    elif isinstance(one, WanProfile):
        told["addresses"] = ", ".join(str(each.address) for each in one.endpoints)
    elif isinstance(one, HanProfile):
        told["addresses"] = one.user
    elif isinstance(one, ProxyProfile):
        told["addresses"] = ", ".join(str(each) for each in one.peer_addresses)
    kind = Kind.WAN if isinstance(one, HanProfile) else kind_of(one)
    for name in _NAMES[kind][change]:
        host.event(name, **told)


def _domain(one: TariffProfile) -> dict[str, Any]:
    return {"profile": one.id, "domain": one.id, "consumer": one.evaluation.consumer}
