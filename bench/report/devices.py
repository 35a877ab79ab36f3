"""What a report calls the devices that were tested: gateways, meters, or both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench.products import METERS


@dataclass(frozen=True, slots=True)
class Words:
    """What the devices of some cases are called.

    Attributes:
        one: head of a column, such as Gateway.
        types: what the columns of the matrix are.
        title: of a report about them.
    """

    one: str
    types: str
    title: str


GATEWAYS = Words("Gateway", "gateway type", "Test report: smart meter gateway")
ONLY_METERS = Words("Meter", "meter type", "Test report: meter")
MIXED = Words("Device", "device", "Test report: smart meter gateway and meter")


def is_meter(device: str) -> bool:
    """Whether a device type is that of a meter; what was not recorded counts as a gateway."""
    return device in METERS


def words_of(devices: Iterable[str]) -> Words:
    """The words for devices of these types; those for gateways when there are none."""
    kinds = {is_meter(device) for device in devices}
    if kinds == {True}:
        return ONLY_METERS
    return MIXED if len(kinds) > 1 else GATEWAYS
