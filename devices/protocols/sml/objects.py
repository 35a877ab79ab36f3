"""COSEM objects of a wired meter, by OBIS code (lmn-wired 4.4)."""

from __future__ import annotations

from typing import Final

OPERATIONAL_KEY: Final = bytes.fromhex("0100600d0aff")
"""Where the gateway writes the 16 random octets of a new operational key (code assumed, lmn-wired 3.2 names none)."""
CRYPTO_RESET: Final = bytes.fromhex("0100600d0bff")
"""Writing True puts the meter back to its initial key (code assumed)."""
