"""What no document says about the SMARTY BZ-PLUS v2, and what is assumed instead; for a report (lmn-wired 5.6, 9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Final

from devices.meters.smarty_bz import SmartyBz
from devices.meters.smarty_metrology import UpdateRules
from devices.protocols.app_image import HEADER_OCTETS
from devices.protocols.smarty_service import COMMANDS

LARGEST_IMAGE: Final = UpdateRules(b"").largest_image
"""Octets of an image that a meter takes unless told otherwise."""

DEFAULT_OF: Final[Mapping[str, str]] = {
    "inner check": "crc_order",
    "log capacity": "log_capacity",
    "largest image": "largest_image",
    "downgrade": "allow_downgrade",
    "checking_s": "checking_s",
    "activation_s": "activation_s",
    "installing_s": "installing_s",
    "booting_s": "booting_s",
}
"""Assumptions that a bench file can override -> by which name (`devices.meters.defaults.LmnDefaults`)."""

_DESIGN: Final[Mapping[str, tuple[str, str, str]]] = {
    "command numbers": (
        ", ".join(f"{command:02x}" for command, facts in COMMANDS.items() if facts.assumed),
        "lmn-wired 2",
        "only 11 and 12 are in the maker's trace",
    ),
    "refusals": ("answer 7f", "lmn-wired 2", "no error answer is known"),
    "identity": ("DNT, device number, type", "lmn-wired 2", "25 octets that begin with DN are known, the rest is not"),
    "signed octets": ("UL1S, UL1E", "lmn-wired 5.4", "no layout that was tried fits the maker's signatures"),
    "firmware check": ("CRC-16/X-25 of the payload", "lmn-wired 5.6", "the maker's polynomial is unknown"),
    "image": (f"SBZI, header of {HEADER_OCTETS} octets", "lmn-wired 5.6", "the maker's format is unknown"),
    "full log": ("refused before the transfer", "lmn-wired 5.6", "an update without an entry must not happen"),
    "no at the question": ("no entry", "lmn-wired 5.6", "nothing was attempted"),
    "version not higher": ("a failed check, logged", "[BZ] 6.1", "forbidden, but not said how it is refused"),
    "mains cut before the yes": ("no entry", "lmn-wired 5.6", "nothing was attempted"),
    "mains cut while installing": ("entry at the next boot", "lmn-wired 5.6", "by what runs then"),
    "damaged log": ("refuses updates, is not signed anew", "lmn-wired 5.6", "a new signature would make it look true"),
    "application while installing": ("silent, boots anew", "lmn-wired 5.5", "no document says what the bus sees"),
}
_TIMES: Final[Mapping[str, str]] = {
    "checking_s": "no document says how long the checks take",
    "activation_s": "no document says how soon an installation begins",
    "installing_s": "no document says how long an installation takes",
    "booting_s": "no document says how soon the new firmware answers",
}


_PROTOCOL: Final = ("command numbers", "refusals", "identity", "signed octets", "image")


def assumed_of_protocol() -> dict[str, tuple[str, str, str]]:
    """What whoever speaks with a real meter assumes: name -> value, where the gap is, and why it was assumed."""
    return {f"SMARTY BZ-PLUS v2: {name}": _DESIGN[name] for name in _PROTOCOL}


def assumed(meter: SmartyBz) -> dict[str, tuple[str, str, str]]:
    """Name of an assumption -> value for this meter, where the gap is, and why it was assumed."""
    metrology = meter.metrology_cpu
    found = dict(_DESIGN)
    found["inner check"] = (meter.application_cpu.crc_order.name.lower(), "lmn-wired 2", "likely, not proven")
    found["log capacity"] = (str(metrology.store.capacity), "lmn-wired 5.6", "no document gives it")
    found["largest image"] = (f"{metrology.rules.largest_image} octets", "lmn-wired 5.6", "no document gives it")
    found["downgrade"] = (
        "allowed" if metrology.rules.allow_downgrade else "refused",
        "lmn-wired 5.5",
        "[BZ] 6.1 forbids it, its example shows two",
    )
    for field in fields(metrology.timing):
        found[field.name] = (str(getattr(metrology.timing, field.name)), "lmn-wired 5.5", _TIMES[field.name])
    return {f"SMARTY BZ-PLUS v2: {name}": what for name, what in found.items()}
