"""By which names CASA lets itself be called: its address, ``smgw.local`` and ``<huid>.local`` (han 4.1)."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

COMMON_NAME: Final = "smgw.local"
_BRACKETED: Final = re.compile(r"\[([^\]]{1,100})\](?::[0-9]{0,5})?")
_PLAIN: Final = re.compile(r"([^:\[\]]{1,253})(?::[0-9]{0,5})?")


def host_name(header: str) -> str | None:
    """The host of a Host header without its port, normal form; None when it is none."""
    found = _BRACKETED.fullmatch(header) or _PLAIN.fullmatch(header)
    return None if found is None else _normal(found[1])


def host_names(device_id: str, *addresses: str | None) -> frozenset[str]:
    """All names that are right.

    Args:
        device_id: number of the gateway.
        addresses: configured one and the one that a connection came in at; empty ones do not count.
    """
    own = (_normal(one) for one in addresses if one and one not in ("0.0.0.0", "::"))
    return frozenset((COMMON_NAME, f"{device_id.lower()}.local", *own))


def _normal(host: str) -> str:
    bare = host.split("%", 1)[0].lower().rstrip(".")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return bare
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
