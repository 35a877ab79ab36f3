"""Meter profiles at work: which meters are read, on the bus or by radio."""

from __future__ import annotations

from collections.abc import Callable

from devices.errors import UsageError
from devices.protocols.sml.errors import SmlError
from devices.protocols.sml.obis import format_obis, parse_obis
from devices.protocols.sml.server_id import server_id
from devices.protocols.sym import KEY_OCTETS
from devices.protocols.sym_message import SERVER_ID_OCTETS
from firmware.config import MeterProfile
from firmware.lmn.wireless.identity import radio_identity
from firmware.metering.radio_registration import RadioRegistration
from firmware.metering.registration import ActiveProfile, Registration
from firmware.profiles.changes import Change
from firmware.profiles.kinds import SensorProfile


class MeterReading:
    """Puts meter profiles in force and out of force.

    Args:
        registration: what reads the wired meters.
        radio_registration: what takes the values of the radio meters.
    """

    def __init__(self, registration: Registration, radio_registration: RadioRegistration) -> None:
        self._registration = registration
        self._radio_registration = radio_registration
        self.on_changed: Callable[[], None] = lambda: None
        """A profile was put in force or out of force."""
        self.on_new_key: Callable[[str], None] = lambda meter: None
        """A radio meter got another key than it had: its transmission counter may begin anew."""
        self.on_withdrawn: Callable[[ActiveProfile, bool], None] = lambda profile, deleted: None
        """A wired meter is read no more; and whether its profile was deleted, and its keys with it."""

    def take(self, change: Change, profile: SensorProfile, old: SensorProfile | None) -> None:
        """A profile was added, changed or removed."""
        ready = active(profile.read_as)
        if change is Change.REMOVED or not profile.active:
            self._withdraw(ready, deleted=change is Change.REMOVED)
        else:
            self._enforce(ready)
        self.on_changed()

    def _enforce(self, ready: ActiveProfile) -> None:
        if ready.radio is None:
            self._radio_registration.remove(ready.meter)
            self._registration.add(ready)
            return
        before = self._radio_registration.profiles.get(ready.meter)
        self._registration.remove(ready.meter)
        self._radio_registration.add(ready)
        if before is not None and before.key != ready.key:
            self.on_new_key(ready.meter)

    def _withdraw(self, ready: ActiveProfile, *, deleted: bool) -> None:
        self._registration.remove(ready.meter)
        self._radio_registration.remove(ready.meter)
        if ready.radio is None:
            self.on_withdrawn(ready, deleted)


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
        profile.transformer_factor,
    )
