"""What a consumer's contract says beyond its evaluation profile, as the transparency software wants it (han 5.1, 5.2).

A contract has the name of its evaluation profile and is stored with it, so that values can be exported long after the
profile has ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Final

from firmware.metering.tariffs.profile import EvaluationProfile
from firmware.metering.tariffs.readings import groups
from firmware.storage.memory import NonVolatileMemory, Statement, setting_statement

_SETTING: Final = "contract/"
KIND_OF_MEDIUM: Final[Mapping[int, int]] = MappingProxyType({1: 0, 4: 5, 5: 6, 6: 5, 7: 1, 8: 2, 9: 2})
"""Value group A -> espi:kind: electricity 0, gas 1, water 2, heat 5, cold 6; others count as electricity."""


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract.

    Attributes:
        name: of the evaluation profile, the TAF id.
        use_case: number of the TAF.
        consumer: logical device of the consumer, without ``.sm``.
        usage_point: metering point.
        supplier: id of the supplier.
        tariff: name of the tariff; ties the export to the supplier's file.
        registers: meter and OBIS code of each register.
        begin_s: first instant of its validity, seconds since 1970.
        end_s: last instant, None: open.
        period_s: registration period.
        kind: espi:kind.
    """

    name: str
    use_case: int
    consumer: str
    usage_point: str
    supplier: str
    tariff: str
    registers: tuple[tuple[str, str], ...]
    begin_s: int
    end_s: int | None
    period_s: int
    kind: int = 0


def contract_of(profile: EvaluationProfile, usage_point: str = "", supplier: str = "", tariff: str = "") -> Contract:
    """The contract of a profile.

    What a profile does not say is assumed: metering point and tariff have the name of the profile, the supplier is its
    first recipient or, without one, ``unknown``.
    """
    registers = tuple((one.meter, one.obis) for one in profile.sources)
    medium = groups(registers[0][1])[0] if registers else 1
    return Contract(
        profile.name,
        profile.use_case,
        profile.consumer,
        usage_point or profile.name,
        supplier or (profile.recipients[0] if profile.recipients else "unknown"),
        tariff or profile.name,
        registers,
        profile.begin_s,
        profile.end_s,
        profile.period_s,
        KIND_OF_MEDIUM.get(medium, 0),
    )


def contract_statement(contract: Contract) -> Statement:
    """The statement that stores a contract, in place of one of the same name."""
    return setting_statement(_SETTING + contract.name, asdict(contract))


def contract_deletion(name: str) -> Statement:
    """The statement that forgets a contract."""
    return ("DELETE FROM setting WHERE name = ?", (_SETTING + name,))


def contract(memory: NonVolatileMemory, name: str) -> Contract | None:
    """The stored contract of an evaluation profile, None when there is none that fits its digest."""
    stored = memory.setting(_SETTING + name)
    if stored is None:
        return None
    stored["registers"] = tuple((meter, obis) for meter, obis in stored["registers"])
    return Contract(**stored)


def contracts(memory: NonVolatileMemory) -> dict[str, Contract]:
    """The stored contracts by name."""
    rows = memory.query(
        "SELECT name FROM setting WHERE substr(name, 1, ?) = ? ORDER BY name", (len(_SETTING), _SETTING)
    )
    found = (contract(memory, str(name).removeprefix(_SETTING)) for (name,) in rows)
    return {one.name: one for one in found if one is not None}
