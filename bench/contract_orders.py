"""What the administrator and market participants do with contracts; for now through the maintenance port."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric import ec

from bench.scenario.contract_models import GivenContract
from devices.protocols.sm_pki import Authority, Usage, make_root

if TYPE_CHECKING:
    from bench.rig import Rig

_ROOT: Final = ("participants", "authority")
_SUB_CA: Final = "Bench-Test-EMT-Sub.CA"
_USAGES: Final = {"tls": Usage.TLS, "encryption": Usage.ENCRYPTION, "signature": Usage.SIGNATURE}


def given_contract(rig: Rig, name: str) -> GivenContract:
    """What the scenario says of a contract."""
    return rig.scenario.given.contracts[name]


def period_of(rig: Rig, name: str) -> timedelta:
    """Its registration period."""
    given = given_contract(rig, name)
    return given.period_with([rig.given_meter(meter).registration_period for meter in given.meters])


def profile_id(rig: Rig, name: str) -> str:
    """Name of its profile in the gateway."""
    return given_contract(rig, name).id or name


def plain_contract(rig: Rig, name: str) -> dict[str, Any]:
    """Its profile as the gateway takes it, with what was changed meanwhile."""
    kept: dict[str, Any] | None = rig.remembered.get(("contract", name))
    if kept is not None:
        return dict(kept)
    given = given_contract(rig, name)
    devices = {meter: rig.meter_id(meter) for meter in given.meters}
    return given.plain(name, devices, period_of(rig, name))


def end_of(rig: Rig, name: str) -> datetime | None:
    """The last instant of its validity as it was ordered last."""
    end = plain_contract(rig, name)["end"]
    return None if end is None else datetime.fromisoformat(end)


async def install(rig: Rig, name: str) -> dict[str, Any]:
    """Install its profile, and before it those of its market participants. Raises Refused."""
    _assume(rig)
    for participant in given_contract(rig, name).recipients:
        await introduce(rig, participant)
    plain = plain_contract(rig, name)
    answer = await rig.maintenance.do("install_profile", profile=plain)
    rig.remembered["contract", name] = plain
    rig.timeline.add("wan", "contract_installed", {"contract": name})
    return answer


async def delete(rig: Rig, name: str) -> dict[str, Any]:
    """Delete its profile. Raises Refused."""
    _assume(rig)
    answer = await rig.maintenance.do("delete_profile", profile=profile_id(rig, name))
    rig.timeline.add("wan", "contract_deleted", {"contract": name})
    return answer


async def end_at(rig: Rig, name: str, end: datetime | None) -> dict[str, Any]:
    """Let it end at another instant, None: leave its end open. Raises Refused."""
    _assume(rig)
    plain = plain_contract(rig, name) | {"end": None if end is None else end.isoformat()}
    answer = await rig.maintenance.do("change_profile", profile=plain)
    rig.remembered["contract", name] = plain
    rig.timeline.add("wan", "contract_end_changed", {"contract": name, "end": plain["end"]})
    return answer


async def change(rig: Rig, name: str, into: str) -> dict[str, Any]:
    """Put what the scenario says of another contract in its place. Raises Refused."""
    _assume(rig)
    for participant in given_contract(rig, into).recipients:
        await introduce(rig, participant)
    plain = plain_contract(rig, into) | {"id": profile_id(rig, name)}
    answer = await rig.maintenance.do("change_profile", profile=plain)
    rig.remembered["contract", name] = plain
    rig.timeline.add("wan", "contract_changed", {"contract": name, "into": into})
    return answer


async def order_reading(rig: Rig, name: str, day: date, participant: str) -> dict[str, Any]:
    """Order a reading on demand, TAF-6, of the begin of a local day. Raises Refused."""
    _assume(rig)
    told = {"day": day.isoformat(), "participant": participant}
    answer = await rig.maintenance.do("order_reading", profile=profile_id(rig, name), **told)
    rig.timeline.add("wan", "reading_ordered", {"contract": name, **told})
    return answer


async def demand(rig: Rig, name: str) -> dict[str, Any]:
    """Order the present values of TAF-9 or 10. Raises Refused."""
    _assume(rig)
    answer = await rig.maintenance.do("demand_values", profile=profile_id(rig, name))
    rig.timeline.add("wan", "values_demanded", {"contract": name})
    return answer


async def introduce(rig: Rig, participant: str) -> None:
    """Install the communication profile of a market participant, unless it is there or must not be."""
    given = rig.scenario.given.participants.get(participant)
    if ("participant", participant) in rig.remembered or (given is not None and not given.known):
        return
    authority = await _authority(rig)
    begin = rig.clock.start - timedelta(days=1)
    rng = random.Random(f"participant {participant}")
    told: dict[str, Any] = {
        "kind": "wan_communication",
        "id": participant,
        "role": "EMT",
        "endpoints": [{"scenario": "info_report", "host": "participant.example", "port": 443}],
        "issuers": [authority.der.hex()],
    }
    for number, (name, usage) in enumerate(_USAGES.items(), 1):
        key = ec.derive_private_key(rng.getrandbits(250) + number, ec.BrainpoolP256R1())
        told[name] = authority.issue(f"{participant}.EMT", "Bench", key.public_key(), usage, begin).hex()
    await rig.maintenance.do("install_profile", profile=told)
    rig.remembered["participant", participant] = told
    rig.timeline.add("wan", "participant_installed", {"participant": participant})


async def _authority(rig: Rig) -> Authority:
    """The authority of the market participants; its root is installed the first time."""
    known: Authority | None = rig.remembered.get(_ROOT)
    if known is not None:
        return known
    begin = rig.clock.start - timedelta(days=2)
    root = make_root(random.Random("participants"), begin)
    await rig.maintenance.do("install_root", certificate=root.der.hex())
    authority = root.sub_authority(_SUB_CA, begin)
    rig.remembered[_ROOT] = authority
    return authority


def _assume(rig: Rig) -> None:
    rig.assume(
        "administrator",
        "maintenance port",
        "bench",
        "orders were handed to the emulated gateway directly, not over its WAN",
    )
