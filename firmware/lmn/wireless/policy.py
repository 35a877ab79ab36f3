"""Which protection of a telegram is good enough (TR-03116-3 7; lmn-wireless 1, 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

from devices.errors import UsageError

Weak = Literal["refuse", "mark", "accept"]

STRONG: Final = frozenset({"mode7", "mode10"})
"""Encrypted, with a MAC and a transmission counter."""

LEAST_MAC: Final = 8
"""Octets of a MAC that are enough: 64 bits (TR-03116-3 table 19)."""

TROUBLE_EVENTS: Final[Mapping[str, str]] = {
    "no_key": "meter_data_undecryptable",
    "padding": "meter_data_undecryptable",
    "mac": "radio_mac_invalid",
    "crc": "radio_mac_invalid",
    "mode": "meter_telegram_rejected",
    "format": "meter_telegram_rejected",
}
"""What failed when a telegram was opened -> event: 10262, 10263 or 10274 at a PPC (lmn-wireless 1, 7). A wrong payload
CRC of the extended link layer counts as a wrong checksum (assumed)."""


def weak_rule(option: str) -> Weak:
    """What is done with weakly protected telegrams. Raises UsageError for an unknown word."""
    for known in get_args(Weak):
        if option == known:
            rule: Weak = known
            return rule
    raise UsageError(f"gateway option 'radio_weak_modes' cannot be {option!r}", hint="refuse, mark or accept")
