"""What `smgw-bench export trudi --han` tells of the signatures in its file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from devices.han.signatures import CheckedList, check_lists, issued_by_sub_ca

if TYPE_CHECKING:
    from devices.protocols.trudi.content import GatewayExport


def checked(export: GatewayExport) -> dict[str, Any]:
    """Of every list how many values fit, and whether the certificate comes from the Sub-CA in the file."""
    from bench.emulation import octets_of_value

    def octets(name: str, status: str, at: datetime, value: int, scaler: int | None, unit: int | None) -> bytes:
        return octets_of_value(name, status, int(at.timestamp()) * 1_000_000, value, scaler, unit)

    return {
        "signatures": [asdict(one) for one in check_lists(export, octets)],
        "issued_by_sub_ca": issued_by_sub_ca(export),
    }


def told(found: dict[str, Any]) -> Iterator[str]:
    """The same for people, line by line."""
    yield "signatures, over octets as emulated gateways sign them (no document says what real ones sign):"
    for one in found["signatures"]:
        yield f"  {one['name']}: {_of(CheckedList(**one))}"
    yield {
        True: "certificate: issued by the Sub-CA in the file; the root is not in it",
        False: "certificate: not issued by the Sub-CA in the file",
        None: "certificate: the gateway gave no chain, so it was not checked who issued it",
    }[found["issued_by_sub_ca"]]


def _of(one: CheckedList) -> str:
    signed = one.fit + one.misfit
    if not signed:
        return f"none of {one.unsigned} values was verified: no signatures, or no certificate for them"
    parts = [f"all {one.fit} fit" if not one.misfit else f"{one.fit} fit, {one.misfit} do not"]
    if one.not_verified:
        parts.append(f"{one.not_verified} not verified, as none before them fits")
    if one.guessed:
        parts.append("status words were guessed, as the product tells none")
    if one.unsigned:
        parts.append(f"{one.unsigned} without a signature")
    return "; ".join(parts)
