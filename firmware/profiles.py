"""Meter profiles: which meters are read; they come with the configuration or are added, and survive power cuts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from devices.errors import UsageError
from devices.protocols.sml.errors import SmlError
from devices.protocols.sml.obis import format_obis, parse_obis
from devices.protocols.sml.server_id import server_id
from devices.protocols.sym import KEY_OCTETS
from devices.protocols.sym_message import SERVER_ID_OCTETS
from firmware.config import MeterProfile
from firmware.control import Control
from firmware.lmn.wireless.identity import radio_identity
from firmware.metering.radio_registration import RadioRegistration
from firmware.metering.registration import ActiveProfile, Registration
from firmware.storage.memory import setting_statement
from firmware.storage.writer import StorageWriter
from firmware.unit import Unit

STORED = "meter_profiles"


class Profiles:
    """The meter profiles in force.

    Args:
        unit: configuration and memory.
        control: where events go.
        writer: how profiles are stored.
        registration: what reads the wired meters.
        radio_registration: what takes the values of the radio meters.
    """

    def __init__(
        self,
        unit: Unit,
        control: Control,
        writer: StorageWriter,
        registration: Registration,
        radio_registration: RadioRegistration,
    ) -> None:
        self._unit = unit
        self._control = control
        self._writer = writer
        self._registration = registration
        self._radio_registration = radio_registration
        self._added: list[dict[str, Any]] = unit.memory.setting(STORED, [])
        self.on_added: Callable[[], None] = lambda: None
        """A profile was put in force while the gateway runs."""
        self.on_new_key: Callable[[str], None] = lambda meter: None
        """A radio meter got another key than it had: its transmission counter may begin anew."""

    def load(self) -> None:
        """Put in force what is configured (operational gateways) and what was added before."""
        if self._unit.config.lifecycle == "operational":
            for profile in self._unit.config.meters:
                self._enforce(active(profile))
        for stored in self._added:
            self._enforce(active(_profile(stored)))

    def _enforce(self, profile: ActiveProfile) -> None:
        (self._registration if profile.radio is None else self._radio_registration).add(profile)

    def add(self, profile: MeterProfile) -> None:
        """Put a profile in force and store it. Raises UsageError when it makes no sense."""
        ready = active(profile)
        stored = {
            "device_number": profile.device_number,
            "obis": list(profile.obis),
            "consumer": profile.consumer,
            "name": profile.name,
            "key": None if profile.key is None else profile.key.hex(),
            "security": profile.security,
            "radio": profile.radio,
            "period_s": profile.period_s,
        }
        self._added = [one for one in self._added if one["device_number"] != profile.device_number] + [stored]
        self._writer.put([setting_statement(STORED, self._added)])
        before = self._radio_registration.profiles.get(ready.meter)
        self._enforce(ready)
        if before is not None and before.key != ready.key:
            self.on_new_key(ready.meter)
        self.on_added()
        self._control.event("meter_profile_added", profile=profile.name or f"meter-{ready.meter}")
        self._control.event("meter_added", meter=ready.meter, consumer=profile.consumer)


def _profile(stored: dict[str, Any]) -> MeterProfile:
    key = stored.get("key")
    return MeterProfile(
        stored["device_number"],
        tuple(stored["obis"]),
        stored["consumer"],
        stored["name"],
        None if key is None else bytes.fromhex(key),
        stored.get("security"),
        stored.get("radio", False),
        stored.get("period_s"),
    )


def active(profile: MeterProfile) -> ActiveProfile:
    """The profile with its ids as octets. Raises UsageError for a number or code that is none."""
    number = profile.device_number.replace(" ", "")
    radio = radio_identity(number) if profile.radio else None
    try:
        identity = server_id(number)
    except SmlError:
        try:
            identity = bytes.fromhex(number)
        except ValueError:
            raise UsageError(
                f"{profile.device_number!r} is neither the number nor the server id of a meter",
                hint="1SAG0021061001, or 0A01534147000141 5D89 as hexadecimal digits",
            ) from None
    if not 1 <= len(identity) <= 14:
        raise UsageError(f"server id {number} has {len(identity)} octets", hint="at most 14 fit into a station record")
    try:
        obis = frozenset(format_obis(parse_obis(one)) for one in profile.obis)
    except SmlError as error:
        raise UsageError(f"meter profile {number}: {error}") from error
    if profile.secured and len(identity) != SERVER_ID_OCTETS:
        raise UsageError(f"meter profile {number}: only ids of {SERVER_ID_OCTETS} octets can be paired")
    if profile.key is not None and len(profile.key) != KEY_OCTETS:
        raise UsageError(f"meter profile {number}: an initial key has {KEY_OCTETS} octets, not {len(profile.key)}")
    if profile.period_s is not None and profile.period_s <= 0:
        raise UsageError(f"meter profile {number}: a period of {profile.period_s} s makes no sense")
    return ActiveProfile(
        profile.device_number,
        identity,
        obis,
        profile.consumer,
        profile.secured,
        profile.key,
        radio,
        profile.period_s,
    )
