"""An emulated PPC gateway with two households and values around both changes of the clocks, over TLS on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

from gateway_rack import Rack
from han_rack import (
    DAY_AND_NIGHT,
    Person,
    certified_of,
    login_of,
    meter,
    person_of,
    profile_statements,
    reading_statements,
)

from devices.clock import Clock
from devices.gateway_types import load
from firmware.config import GatewayConfig
from firmware.control import LAST_SYNC
from firmware.metering.values import Entry, Reading
from firmware.security.module import SecurityModule
from firmware.storage.memory import NonVolatileMemory, Statement, setting_statement

DEVICE = "EPPC0210495730"
NOW = datetime(2026, 3, 30, 10, 7, tzinfo=UTC)
"""Time at which the gateway is switched on; a Monday, 12:07 in Germany, the day after the clocks went forward."""
SYNCED = datetime(2026, 3, 30, 9, 30, tzinfo=UTC)
METER, SUPPLY, FOREIGN = "1LGZ0072999211", "1LGZ0072999212", "1ITR0310077721"
IMPORT, EXPORT, SERVER_ID = "1-0:1.8.0*255", "1-0:2.8.0*255", "0-0:96.1.0*255"
PASSWORDS = {"alice": "geheim und lang.", "bob": "#?0!@ auch geheim"}
REALM = "SmartMeterGateway"
GAP = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)
BAD = datetime(2026, 3, 28, 13, 0, tzinfo=UTC)
SPANS = (
    (datetime(2025, 10, 25, 12, tzinfo=UTC), datetime(2025, 10, 27, 12, tzinfo=UTC)),
    (datetime(2026, 3, 27, 12, tzinfo=UTC), datetime(2026, 3, 30, 10, tzinfo=UTC)),
)
GOOD, INVALID = "A000000020000000", "A040000020000000"
T = TypeVar("T")


def counted(at: datetime, obis: str = IMPORT) -> int:
    """What a register of the first meter shows at an instant, tenths of a watt-hour."""
    quarters = int((at - datetime(2025, 1, 1, tzinfo=UTC)) / timedelta(minutes=15))
    return 7_249_204 + 37 * quarters if obis == IMPORT else 9_000 + quarters


def reading_at(meter: str, at: datetime) -> Reading:
    """What a meter shows at an instant, captured a second later."""
    grid_s = int(at.timestamp())
    if at == GAP and meter == METER:
        return Reading(meter, grid_s, None, "A004000020000000")
    status = INVALID if at == BAD and meter == METER else GOOD
    entries = [Entry(SERVER_ID, b"\x0a\x01LGZ"), Entry(IMPORT, counted(at), -1, 30)]
    if meter == METER:
        entries.append(Entry(EXPORT, counted(at, EXPORT), -1, 30))
    return Reading(meter, grid_s, grid_s * 1_000_000 + 1_000_000, status, tuple(entries))


@lru_cache(maxsize=1)
def _history(key: bytes) -> tuple[Statement, ...]:
    """Signed with the unit's key, which is the same in every test."""
    memory = NonVolatileMemory()
    memory.keep_secret("GW_WAN_SIG", key)
    module, made = SecurityModule(memory), list[Statement]()
    for begin, end in SPANS:
        at = begin
        while at <= end:
            late = SPANS[-1][1] - at < timedelta(hours=3)
            for number in (METER, SUPPLY, FOREIGN) if late else (METER,):
                made += reading_statements(module, (reading_at(number, at),))
            at += timedelta(minutes=15)
    memory.close()
    return tuple(made)


def person(name: str) -> Person:
    return person_of(name, NOW - timedelta(days=30), 730)


def tariff(use_case: int, consumer: str = "alice", **fields: Any) -> dict[str, Any]:
    by_case: dict[int, dict[str, Any]] = {
        1: {"billing": {"count": 1}},
        2: {"billing": {"count": 1}, "stages": [1, 2], "calendar": DAY_AND_NIGHT},
    }
    plain = {
        "kind": "evaluation", "id": f"taf{use_case}-{consumer}", "use_case": use_case, "consumer": consumer,
        "terms": [{"meter": METER, "obis": IMPORT}], "begin": "2026-02-28T23:00:00Z", "recipients": [],
        "billing_relevant": True, "usage_point": f"DE000111222333444555666777888999{use_case}",
        "tariff": f"TAF{use_case}_OCT_B+E",
    }  # fmt: skip
    return plain | by_case.get(use_case, {}) | fields


def login(user: str, **fields: Any) -> dict[str, Any]:
    return login_of(user, REALM, PASSWORDS[user], **fields)


def certified(user: str, role: str = "consumer") -> dict[str, Any]:
    return certified_of(user, role, person(user))


PROFILES = (
    meter(METER, "alice"), meter(SUPPLY, "nobody"), meter(FOREIGN, "bob"),
    tariff(1), tariff(2), tariff(7, terms=[{"meter": METER, "obis": IMPORT}, {"meter": METER, "obis": EXPORT}]),
    tariff(7, "bob", terms=[{"meter": SUPPLY, "obis": IMPORT}]),
    login("alice"), login("bob"), certified("alice"), certified("tess", "technician"),
)  # fmt: skip


@dataclass
class Ppc:
    """The gateway.

    Attributes:
        rack: far ends of its cables.
        clock: of the laboratory.
    """

    rack: Rack
    clock: Clock

    @property
    def address(self) -> tuple[str, int]:
        found = self.rack.gateway.han_address
        assert found is not None, "the home interface is off"
        return found

    async def outside(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run somebody's program beside the gateway: a thread of its own, real sockets."""
        return await asyncio.to_thread(work, *self.address, *arguments)

    async def logins(self) -> list[str]:
        """Outcomes of the logins in a consumer's log (10228)."""
        return [outcome for number, outcome in await self.events() if number == 10228]

    async def events(self, book: str = "consumer", owner: str = "alice") -> list[tuple[int | None, str]]:
        """Number and outcome of all log entries."""
        more = {"consumer": owner} if book == "consumer" else {}
        answer = await self.rack.console.ask(read="log", book=book, **more)
        return [(one["id"], one["outcome"]) for one in answer["entries"]]


_EVALUATED: dict[str, list[Statement]] = {}
"""Profiles -> what a gateway has derived from the stored values; worked out once, as that takes half of a start."""


def _rack(clock: Clock, profiles: tuple[dict[str, Any], ...], options: dict[str, Any]) -> Rack:
    """A gateway with the stored values, still without mains."""
    config = GatewayConfig(
        device_id=DEVICE,
        consumers=("alice", "bob"),
        han=("127.0.0.1", 0),
        options={"rtc_reserve_s": 1e7, "boot_scale": 0.01} | options,
    )
    rack = Rack(clock, load("ppc"), config)
    key = rack.memory.secret("GW_WAN_SIG")
    assert key is not None
    synced = setting_statement(LAST_SYNC, int(SYNCED.timestamp()) * 1_000_000)
    rack.memory.commit([*_history(key), *profile_statements(profiles), synced])
    return rack


async def _evaluated(clock: Clock, profiles: tuple[dict[str, Any], ...]) -> list[Statement]:
    known = json.dumps(profiles, default=repr)
    if known not in _EVALUATED:
        rack = _rack(clock, profiles, {})
        rack.gateway.power_on()
        await rack.ready()
        await clock.sleep(1)
        _EVALUATED[known] = [
            (f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(row))})", row)
            for table in ("derived", "evaluation", "log", "log_head", "log_anchor")
            for row in rack.memory.query(f"SELECT * FROM {table}")
        ]
        await rack.close()
    return _EVALUATED[known]


@asynccontextmanager
async def ppc(*, profiles: tuple[dict[str, Any], ...] = PROFILES, **options: Any) -> AsyncIterator[Ppc]:
    """A running gateway."""
    clock = Clock(asyncio.get_running_loop(), NOW)
    evaluated = await _evaluated(clock, profiles) if all(name.startswith("han_") for name in options) else []
    clock = Clock(asyncio.get_running_loop(), NOW)
    rack = _rack(clock, profiles, options)
    rack.memory.commit(evaluated)
    rack.gateway.power_on()
    await rack.ready()
    await clock.sleep(10)
    try:
        yield Ppc(rack, clock)
    finally:
        await rack.close()
