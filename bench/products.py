"""The gateway types that scenarios are run against, by name."""

from __future__ import annotations

from devices import gateway_types
from devices.gateway_types.model import GatewayType

ALL = ("ppc", "conexa", "casa")
"""The built-in products, in the order in which they are run and reported."""


def gateway_type(name: str) -> GatewayType:
    """The data of the product `name`; loaded once."""
    return gateway_types.load(name)
