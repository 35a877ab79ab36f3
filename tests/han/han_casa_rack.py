"""An emulated CASA with two households and five weeks of values, reached over TLS on loopback."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, ClientSession, CookieJar, DigestAuthMiddleware, TCPConnector
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
from firmware.metering.values import Entry, Reading
from firmware.security.module import SecurityModule
from firmware.storage.memory import NonVolatileMemory, Statement

DEVICE = "EEMH0009264154"
HUID = DEVICE.lower()
MAIN, SUPPLY, FOREIGN = "1EMH0012345678", "1EMH0012345679", "1EMH0099999999"
IMPORT, EXPORT = "1-0:1.8.0*255", "1-0:2.8.0*255"
PASSWORDS = {"alice": "sun and moon.", "bob": "another one."}
BEGIN = datetime(2025, 11, 29, tzinfo=UTC)
END = datetime(2026, 1, 5, tzinfo=UTC)
"""Instant of the last stored value."""
START = END + timedelta(minutes=10)
"""Time at which the gateway of a test is switched on."""
GAP = datetime(2025, 12, 24, 12, 0, tzinfo=UTC)


def counted(at: datetime, meter: str) -> int:
    """What the import register shows at an instant, in 0.1 Wh."""
    quarters = int((at - BEGIN) / timedelta(minutes=15))
    return 231_000_000 + 9000 * quarters + int(meter[-2:])


def _reading(meter: str, at: datetime) -> Reading:
    grid_s = int(at.timestamp())
    if at == GAP and meter == MAIN:
        return Reading(meter, grid_s, None, "A004000020000000")
    entries = [Entry(IMPORT, counted(at, meter), -1, 30), Entry("0-0:96.1.0*255", b"\x0a\x01EMH")]
    if meter != FOREIGN:
        entries.insert(1, Entry(EXPORT, 4711, -1, 30))
    return Reading(meter, grid_s, grid_s * 1_000_000 + 1_000_000, "A000000020000000", tuple(entries))


@lru_cache(maxsize=1)
def _history(key: bytes) -> tuple[Statement, ...]:
    """Five weeks of values, signed with the unit's key, which is the same in every test."""
    memory = NonVolatileMemory()
    memory.keep_secret("GW_WAN_SIG", key)
    module, made, at = SecurityModule(memory), list[Statement](), BEGIN
    while at <= END:
        for one in (_reading(number, at) for number in (MAIN, SUPPLY, FOREIGN)):
            made += reading_statements(module, (one,), sign=END - at < timedelta(days=1) or one.gap)
        at += timedelta(minutes=15)
    memory.close()
    return tuple(made)


def person(name: str, days: int = 365) -> Person:
    """Somebody with a certificate that he has signed himself; it begins before the time of the tests."""
    return person_of(name, END - timedelta(days=30), days)


def tariff(use_case: int, consumer: str = "alice", **fields: Any) -> dict[str, Any]:
    by_case: dict[int, dict[str, Any]] = {
        1: {"billing": {"count": 1}},
        2: {"billing": {"count": 1, "unit": "day"}, "stages": [1, 2], "calendar": DAY_AND_NIGHT},
    }
    plain = {
        "kind": "evaluation", "id": f"taf{use_case}-{consumer}", "use_case": use_case, "consumer": consumer,
        "terms": [{"meter": MAIN, "obis": IMPORT}], "begin": "2025-11-30T23:00:00Z", "recipients": [],
        "billing_relevant": True, "usage_point": f"DE000111222333444555666777888999{use_case}",
        "tariff": f"Strom {use_case}",
    }  # fmt: skip
    return plain | by_case.get(use_case, {}) | fields


def login(user: str) -> dict[str, Any]:
    return login_of(user, HUID, PASSWORDS[user])


def certified(user: str, role: str = "consumer", days: int = 365) -> dict[str, Any]:
    return certified_of(user, role, person(user, days))


PROFILES = (
    meter(MAIN, "alice"), meter(SUPPLY, "alice"), meter(FOREIGN, "bob"),
    tariff(1), tariff(2), tariff(6, begin="2025-12-20T23:00:00Z"),
    tariff(7, terms=[{"meter": MAIN, "obis": IMPORT}, {"meter": MAIN, "obis": EXPORT}]),
    tariff(7, "bob", terms=[{"meter": FOREIGN, "obis": IMPORT}]),
    login("alice"), login("bob"), certified("alice"), certified("old", days=1), certified("tess", "technician"),
)  # fmt: skip


class Casa:
    """The gateway, and clients of it.

    Attributes:
        rack: far ends of its cables.
        base: ``https://127.0.0.1:<port>``.
    """

    def __init__(self, rack: Rack) -> None:
        self.rack = rack

    @property
    def base(self) -> str:
        address = self.rack.gateway.han_address
        assert address is not None, "the home interface is off"
        return f"https://{address[0]}:{address[1]}"

    def client(self, user: str = "", *, certificate: Path | None = None, password: str = "") -> ClientSession:
        """Other people's client: digest, cookies and TLS are those of aiohttp; who it is is not checked (han 1)."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if certificate is not None:
            context.load_cert_chain(certificate)
        middlewares = (DigestAuthMiddleware(user, password or PASSWORDS[user]),) if user else ()
        jar = CookieJar(unsafe=True)
        return ClientSession(self.base, connector=TCPConnector(ssl=context), middlewares=middlewares, cookie_jar=jar)

    def store(self, meter: str, at: datetime) -> None:
        """Put a signed reading into its memory, as if the meter had sent one."""
        memory = self.rack.memory
        memory.commit(reading_statements(SecurityModule(memory), (_reading(meter, at),)))

    async def events(self, book: str = "consumer", owner: str = "alice") -> list[tuple[int | None, int | None]]:
        """Number and sub number of all log entries."""
        more = {"consumer": owner} if book == "consumer" else {}
        answer = await self.rack.console.ask(read="log", book=book, **more)
        return [(one["id"], one["sub_id"]) for one in answer["entries"]]


@asynccontextmanager
async def casa(clock: Clock, *, added: tuple[dict[str, Any], ...] = (), **options: Any) -> AsyncIterator[Casa]:
    """A running gateway, ten minutes after the last stored value; `added` are profiles besides the usual ones."""
    if not _PREPARED:
        await _prepare(asyncio.get_running_loop())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "memory"
        path.write_bytes(_PREPARED[0])
        memory = NonVolatileMemory(path, durable=False)
        memory.commit(profile_statements(added, 1 + len(PROFILES)))
        rack = _rack(clock, START, memory, options)
        try:
            rack.gateway.power_on()
            await rack.ready()
            await clock.sleep(1)
            yield Casa(rack)
        finally:
            await rack.close()


QUICK = {
    "rtc_reserve_s": 1e7, "boot_scale": 0.01, "integrity_check_readings": 100, "integrity_check_interval_s": 7200.0,
}  # fmt: skip
"""Options that spare these tests what others look at."""
_PREPARED: list[bytes] = []
"""Memory of a gateway that has evaluated the stored values; made once, as that takes seconds."""


async def _prepare(loop: asyncio.AbstractEventLoop) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "memory"
        memory = NonVolatileMemory(path, durable=False)
        rack = _rack(Clock(loop, END), END, memory, {})
        key = memory.secret("GW_WAN_SIG")
        assert key is not None
        memory.commit([*_history(key), *profile_statements(PROFILES)])
        rack.gateway.power_on()
        await rack.ready()
        await rack.close()
        _PREPARED.append(path.read_bytes())


def _rack(clock: Clock, start: datetime, memory: NonVolatileMemory, options: Mapping[str, Any]) -> Rack:
    config = GatewayConfig(
        device_id=DEVICE,
        consumers=("alice", "bob"),
        han=("127.0.0.1", 0),
        options={**QUICK, **options},
    )
    own = Clock(asyncio.get_running_loop(), start) if clock.start != start else clock
    return Rack(own, load("casa"), config, memory=memory)


async def json_of(answer: ClientResponse) -> Any:
    """The body of an answer that must be good JSON."""
    assert answer.status == 200, (answer.status, await answer.text())
    assert answer.content_type == "application/json"
    return await answer.json()


Form = Mapping[str, str]
