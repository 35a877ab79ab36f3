"""Facts that a case relies on without certainty, about wired meters and the emulated gateway; for its report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from bench.rig import Rig
from bench.scenario.meter_models import GivenMeter
from devices.meters.defaults import SECURITY, SMARTY, WHY, LmnDefaults
from devices.meters.smarty_assumed import DEFAULT_OF, assumed, assumed_of_protocol
from devices.meters.smarty_bz import SmartyBz
from devices.protocols import libssl

if TYPE_CHECKING:
    from bench.emulation import EmulatedGatewayPlug

LIBSSL: Final = "TLS of wired meters: OpenSSL"
WITHOUT_LIBSSL: Final = (
    "libssl not available: one curve offered instead of the LMN's list, no signature algorithms set, the validity of "
    "certificates judged by the bench itself, TLS octets not the same for the same seed"
)
_SAID: Final[Mapping[str, str]] = {"log capacity": "log_capacity", "downgrade": "allow_downgrade"}
"""Assumptions of the SMARTY that a scenario may fix for one meter -> the word of `given.meters`."""


def note_assumed(rig: Rig, defaults: LmnDefaults, given: Mapping[str, GivenMeter]) -> None:
    """Note what the emulated meters of `rig` rely on; `given` is what the scenario says of each."""
    facts = defaults.assumed()
    if rig.scenario.device is None and any(meter.secured for meter in given.values()):
        facts |= defaults.assumed(SECURITY)
        if not libssl.available():
            facts[LIBSSL] = (WITHOUT_LIBSSL, "devices.protocols.libssl", "this Python's OpenSSL cannot be reached")
    for fact, what in facts.items():
        rig.assume(fact, *what)
    for name in given:
        meter = rig.meters[name].meter
        if isinstance(meter, SmartyBz):
            _note_smarty(rig, defaults, name, meter, given[name])


def note_gateway(rig: Rig, plug: EmulatedGatewayPlug) -> None:
    """Note what the emulated gateway does by assumption, as far as this case has to do with it."""
    said = rig.scenario.given.gateway.options
    for name, option in plug.assumed(_parts(rig)).items():
        source, why, value = option.source, option.why, option.value
        if value != option.default:
            whose = "scenario" if name in said or name not in rig.bench.gateway.options else "bench file"
            source, why = f"{whose}, for {source}", f"overridden (default: {option.default}); {why}"
        rig.assume(
            f"emulated gateway, {option.part}: {name}",
            str(value).lower() if isinstance(value, bool) else value,
            source,
            why,
        )


def _parts(rig: Rig) -> list[str]:
    """The parts of the emulated gateway on which this case relies."""
    needs = rig.scenario.all_needs()
    given = rig.scenario.given
    used = {
        "wired": given.meters,
        "security": any(meter.secured for meter in given.meters.values()),
        "radio": given.radio_meters,
        "readings": given.meters,
        "profiles": given.contracts,
        "signatures": given.contracts,
        "retention": given.contracts,
        "time": "time_server" in needs,
        "logs": "records" in needs,
        "network": "patch_field" in needs,
        "faults": "emulated" in needs,
    }
    return [part for part, does in used.items() if does]


def note_protocol(rig: Rig, defaults: LmnDefaults) -> None:
    """Note what the bench relies on when it speaks the service protocol with a real SMARTY."""
    for fact, what in assumed_of_protocol().items():
        rig.assume(fact, *what)
    source, why = defaults.reason("crc_order", *WHY["crc_order"])
    rig.assume(f"{SMARTY[0]}: inner check", defaults.crc_order, source, why)


def _note_smarty(rig: Rig, defaults: LmnDefaults, name: str, meter: SmartyBz, given: GivenMeter) -> None:
    """What is assumed of one SMARTY; where several differ, the name of the meter tells them apart."""
    for fact, (value, source, why) in assumed(meter).items():
        short = fact.partition(": ")[2]
        said = _SAID.get(short)
        if said is not None and getattr(given, said) is not None:
            what = (value, "scenario", f"given.meters.{name}.{said}; {why}")
        elif short in DEFAULT_OF:
            what = (value, *defaults.reason(DEFAULT_OF[short], source, why))
        else:
            what = (value, source, why)
        same = rig.assumed.get(fact, what)[0] == value
        rig.assume(fact if same else f"{fact} ({name})", *what)
