"""Fetches what a consumer owns at the home interface into the case's folder: an archive, and files for TRuDI."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.han_assumptions import ARCHIVED_DAYS
from bench.store import write_json
from devices.errors import BenchError
from devices.han.errors import HanError
from devices.han.trudi import EXPORTED, content, fetch, span_of
from devices.protocols.trudi.errors import ExportRefused
from devices.protocols.trudi.writer import to_bytes

if TYPE_CHECKING:
    from bench.rig import Rig
    from devices.han.content import Reading

LONGEST: Final = timedelta(days=ARCHIVED_DAYS)
"""How far back original lists are archived from a gateway that says no begin of any contract."""


async def export(rig: Rig, user: str | None) -> tuple[str, str]:
    """Write a file for every contract with values; what was written, and the first problem (empty: none)."""
    try:
        client = await rig.han.client(user)
        rig.han.used("trudi", "contracts", "list", "derived", "log")
        now = (await client.device()).time or rig.clock.now()
        told: list[str] = []
        for contract in await client.contracts():
            if contract.taf not in EXPORTED or contract.state == "ready":
                continue
            span = span_of(contract, now)
            fetched = await fetch(client, contract, span)
            if not fetched.originals and not fetched.derived:
                continue
            octets = to_bytes(*content(fetched, client.link.login.user))
            name = f"trudi-{_plain(contract.id)}.xml"
            _write(rig.folder / name, octets)
            told.append(f"{name}: TAF-{contract.taf}, {len(fetched.originals) + len(fetched.derived)} readings")
    except ExportRefused as error:
        return "", f"the values of contract {contract.id} do not make a file: {error}"
    except HanError as error:
        return "", str(error)
    if not told:
        return "no contract with values", "there is no contract with values"
    return "; ".join(told), ""


async def archive(rig: Rig, user: str | None) -> tuple[str, str]:
    """Fetch values, contracts and the log, as before a decommissioning ([CONEXA] E-7, [PPC] 3.3)."""
    try:
        client = await rig.han.client(user)
        rig.han.used("contracts", "list", "derived", "log")
        info = await client.device()
        now = info.time or rig.clock.now()
        contracts = await client.contracts()
        begins = [one.begin for one in contracts if one.begin is not None]
        begin = min(begins) if begins else now - LONGEST
        if not begins:
            rig.han.used("archive")
        meters = {name: await client.originals(name, begin, now) for name in await client.meters()}
        derived = {}
        for one in contracts:
            read = client.daily if one.taf == 6 else client.derived
            if one.taf in (1, 2, 6) and one.state != "ready":
                derived[one.id] = await read(one, one.begin or begin, now)
        log = await client.log()
    except HanError as error:
        return "", str(error)
    kept = {
        "device": _json(asdict(info)),
        "contracts": [_json(asdict(one)) for one in contracts],
        "originals": {name: [_reading(one) for one in found] for name, found in meters.items()},
        "derived": {name: [_reading(one) for one in found] for name, found in derived.items()},
        "log": [_json(asdict(one)) for one in log],
    }
    write_json(rig.folder / "archive.json", kept)
    count = sum(map(len, meters.values()))
    rest = sum(map(len, derived.values()))
    of = "1 meter" if len(meters) == 1 else f"{len(meters)} meters"
    seen = f"{count} readings of {of}, {rest} derived, {len(contracts)} contracts, {len(log)} log entries"
    missing = "values" if not count else "log" if not log else ""
    return seen, f"there is no {missing} to archive" if missing else ""


def _reading(one: Reading) -> dict[str, Any]:
    values = {value.obis: [str(value.exact), value.symbol, value.signature.hex()] for value in one.values}
    return {"at": one.at.isoformat(), "instant": one.instant.isoformat(), "status": one.status, "values": values}


def _json(told: dict[str, Any]) -> Any:
    """Plain data: instants in ISO 8601, octets in hex."""

    def plain(value: object) -> str:
        if isinstance(value, datetime):
            return value.isoformat()
        return value.hex() if isinstance(value, bytes) else str(value)

    return json.loads(json.dumps(told, default=plain))


def _plain(name: str) -> str:
    return "".join(one if one.isalnum() or one in "-_." else "_" for one in name)[:80]


def _write(path: Path, octets: bytes) -> None:
    try:
        path.write_bytes(octets)
    except OSError as error:
        raise BenchError(f"{path} cannot be written: {error.strerror}") from error
