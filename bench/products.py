"""The devices that scenarios are run against, by name: gateway types, and meters that can be updated themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from devices import gateway_types
from devices.gateway_types.model import GatewayType

ALL = ("ppc", "conexa", "casa")
"""The built-in gateways, in the order in which they are run and reported."""

METERS: Final = {"bz_plus_v2": "Sagemcom SMARTY BZ-PLUS v2"}
"""Meters that are devices under test, with their names; `device: bz_plus_v2` in a scenario."""

METER_TYPES: Final = {"bz_plus_v2": "smarty_bz_plus_v2"}
"""Meters that are devices under test -> their `type` under given.meters."""

DEVICES = (*ALL, *METERS)
"""Everything that `--gateway` may name."""


def gateway_type(name: str) -> GatewayType:
    """The data of the gateway `name`; loaded once."""
    return gateway_types.load(name)


def clauses_of(device: str, clauses: Iterable[str]) -> tuple[str, ...]:
    """Those that say something of `device`: not the clauses of another gateway's handbook, such as ``PPC 4.1``."""
    others = {name for name in ALL if name != device} if device else set()
    return tuple(clause for clause in clauses if clause.partition(" ")[0].lower() not in others)


def device_name(name: str) -> str:
    """Maker and type, for people."""
    return METERS[name] if name in METERS else gateway_type(name).name
