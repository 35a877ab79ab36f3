"""A whole emulated CONEXA in real time with stored values, and clients that are written from the fact sheet alone."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from han_rack import DAY_AND_NIGHT, certified_of, login_of, person_of, reading_statements

from devices.clock import Clock
from devices.gateway_types import load
from devices.ports.memory import memory_pair
from devices.protocols.http_digest import SHA_256, ha1
from firmware.config import GatewayCables, GatewayConfig
from firmware.control import LAST_SYNC
from firmware.gateway import EmulatedGateway
from firmware.metering.values import Entry, Reading
from firmware.security.module import SecurityModule, make_keys
from firmware.storage.memory import NonVolatileMemory, setting_statement

NOW = datetime(2026, 3, 30, 10, 7, tzinfo=UTC)
BEGIN = datetime(2026, 1, 31, 23, tzinfo=UTC)
"""Local midnight of the first of February: values begin here, and so do the contracts."""
CERTIFIED = datetime(2026, 1, 1, tzinfo=UTC)
"""Begin of the certificates of people, which are good for a year."""
HOLE_S = int(datetime(2026, 3, 20, 12, tzinfo=UTC).timestamp())
"""Instant at which the first meter was not read."""
METER, OTHER_METER = "1LGZ0067558611", "1EMH0000000002"
IMPORT, EXPORT, POWER = "1-0:1.8.0*255", "1-0:2.8.0*255", "1-0:16.7.0*255"
USER, PASSWORD = "consumer-1", "geheim."
OTHER, OTHER_PASSWORD = "consumer-2", "auch geheim."
TECHNICIAN = "technician-1"
REALM = "SMGW"
PER_QUARTER = 37
JSON = {"Content-Type": "application/json"}
RIGHTS = ["values", "tariffs", "consumer_log", "selftest", "device_data"]


def value_at(at_s: int, obis: str = IMPORT) -> int:
    """What the meter shows at an instant, tenths of a watt-hour."""
    quarters = (at_s - int(BEGIN.timestamp())) // 900
    return (171_000_000 if obis == IMPORT else 5_000) + PER_QUARTER * quarters


def _both_digests(user: str, password: str) -> str:
    return ha1(user, REALM, password) + ha1(user, REALM, password, SHA_256)


def contract(number: int, name: str, consumer: str = USER, **fields: Any) -> dict[str, Any]:
    plain = {
        "kind": "evaluation", "id": name, "use_case": number, "consumer": consumer, "begin": "2026-01-31T23:00:00Z",
        "terms": [{"meter": METER, "obis": IMPORT}], "recipients": [], "billing_relevant": True,
        "usage_point": "DE0001234567890000000000000000001", "supplier": "9900000000001", "tariff": f"{name} BEZUG",
    }  # fmt: skip
    return plain | fields


def client_certificate(name: str) -> tuple[bytes, bytes]:
    """A self-signed certificate, DER, and PEM of key and certificate; it ends with the year."""
    who = person_of(name, CERTIFIED, 365, ec.SECP384R1)
    return who.der, who.pem_octets


def container() -> dict[str, Any]:
    """Everything that the administrator has installed."""
    month = {"billing": {"count": 1, "unit": "month"}}
    measured = {
        "pseudonym": "p-1",
        "period_s": 60,
        "terms": [{"meter": METER, "obis": POWER}],
        "billing_relevant": False,
    }
    users = [
        login_of(user, REALM, password, rights=RIGHTS, password_digest=_both_digests(user, password))
        for user, password in ((USER, PASSWORD), (OTHER, OTHER_PASSWORD))
    ]
    certified = [
        certified_of(user, role, person_of(user, CERTIFIED, 365, ec.SECP384R1)) | {"rights": rights}
        for user, role, rights in ((USER, "consumer", RIGHTS), (TECHNICIAN, "technician", ["system_log"]))
    ]
    meters = [
        {"kind": "meter", "id": f"meter-{number}", "meter": number, "link": "wired_clear", "registers": registers,
         "consumer": consumer}
        for number, registers, consumer in ((METER, [IMPORT, EXPORT, POWER], USER), (OTHER_METER, [IMPORT], OTHER))
    ]  # fmt: skip
    contracts = [
        contract(1, "taf1-1", **month, stages=[1]),
        contract(2, "taf2-1", **month, stages=[1, 2], calendar=DAY_AND_NIGHT),
        contract(6, "taf6-1"),
        contract(7, "taf7-1", terms=[{"meter": METER, "obis": IMPORT}, {"meter": METER, "obis": EXPORT}]),
        contract(10, "taf10-1", **measured, sending={"on_demand": True}),
        contract(14, "taf14-1", **measured, sending={"each": True}),
        contract(7, "taf7-later", begin="2026-04-30T22:00:00Z"),
        contract(7, "taf7-2", OTHER, terms=[{"meter": OTHER_METER, "obis": IMPORT}], tariff="fremd"),
    ]
    return {"profiles": users + certified + meters + contracts}


def _options(options: Mapping[str, Any]) -> dict[str, Any]:
    quick = {
        "boot_scale": 0.0, "signature_curve": "secp256r1", "storage_write_time_s": 0.0, "integrity_check_readings": 20,
        "separation_wait_s": 0.05, "profile_certificate_curves": "secp384r1", "integrity_check_signatures": 4,
    }  # fmt: skip
    return quick | dict(options)


class WoundClock(Clock):
    """Real time that can be put forward."""

    def forward(self, seconds: float) -> None:
        """So much time has passed at once."""
        self._zero -= seconds


def _gateway(memory: NonVolatileMemory, clock: Clock, options: Mapping[str, Any]) -> EmulatedGateway:
    cables = GatewayCables(*(memory_pair(clock)[0] for _ in range(4)))
    config = GatewayConfig("ETHE0300004261", options=_options(options), consumers=(USER, OTHER), han=("127.0.0.1", 0))
    return EmulatedGateway(load("conexa"), clock, cables, memory, random.Random(5), config)


async def _up(gateway: EmulatedGateway) -> None:
    for _ in range(1000):
        await asyncio.sleep(0.005)
        if gateway.crashes:
            raise gateway.crashes[0]
        if gateway.han_address is not None:
            return
    raise AssertionError("the home interface does not come up")


def copy_of(memory: NonVolatileMemory) -> NonVolatileMemory:
    """What is stored, as another memory."""
    kept = NonVolatileMemory()
    memory._db.backup(kept._db)
    return kept


async def _run(memory: NonVolatileMemory, at: datetime, *install: dict[str, Any]) -> None:
    """Switch the gateway on for a moment, at a time that it believes, and install profiles."""
    memory.commit([setting_statement(LAST_SYNC, int(at.timestamp()) * 1_000_000)])
    for register in ("rtc", "rtc_mains"):
        memory.set_register(register, None)
    gateway = _gateway(memory, WoundClock(asyncio.get_running_loop(), at), {})
    gateway.power_on()
    await _up(gateway)
    if install:
        assert gateway._session is not None
        answer = gateway._session.profiles.install({"profiles": list(install)})
        assert answer.status == 201, answer
    await gateway.settle()
    await gateway.close()


def _read(meter: str, at_s: int) -> Reading:
    """The first meter counts tenths of a watt-hour, the other one milliwatt-hours."""
    both = (Entry(IMPORT, value_at(at_s), -1, 30), Entry(EXPORT, value_at(at_s, EXPORT), -1, 30))
    finer = (Entry(IMPORT, value_at(at_s) * 100 + 57, -3, 30),)
    status, entries = ("A000000020000000", both) if meter == METER else ("A0000000208C3800", finer)
    return Reading(meter, at_s, (at_s - 3) * 1_000_000, status, entries)


def _missed(meter: str, at_s: int) -> Reading:
    return Reading(meter, at_s, None, "A004000000000000")


def store_reading(memory: NonVolatileMemory, meter: str, at_s: int) -> None:
    """One more reading of a meter."""
    memory.commit(reading_statements(SecurityModule(memory), (_read(meter, at_s),)))


async def make_memory(*more: dict[str, Any]) -> NonVolatileMemory:
    """A CONEXA that has captured values for two months; they are signed as its metering core does it.

    Args:
        more: profiles beside those of `container`.
    """
    memory = NonVolatileMemory()
    make_keys(memory, random.Random(1), "secp256r1")
    await _run(memory, BEGIN - timedelta(seconds=60), *container()["profiles"], *more)
    readings = []
    for at_s in range(int(BEGIN.timestamp()), int(NOW.timestamp()), 900):
        readings.append(_missed(METER, at_s) if at_s == HOLE_S else _read(METER, at_s))
        readings.append(_read(OTHER_METER, at_s))
    memory.commit(reading_statements(SecurityModule(memory), readings))
    await _run(memory, NOW)
    return memory


@dataclass(frozen=True)
class Answer:
    """What came back; names of headers in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which has to be JSON."""
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)


@dataclass
class Digest:
    """RFC 2617, qop ``auth``, from its chapter 3.2.2; one nonce goes for several requests."""

    user: str = USER
    password: str = PASSWORD
    force_md5: bool = False
    challenge: dict[str, str] = field(default_factory=dict)
    count: int = 0

    def learn(self, header: str) -> None:
        """Take a challenge."""
        assert header.startswith("Digest ")
        self.challenge = dict(re.findall(r'(\w+)="?([^",]*)"?', header[7:]))
        self.count = 0

    def header(self, method: str, target: str) -> str:
        """The value of Authorization."""
        algorithm = "MD5" if self.force_md5 else self.challenge.get("algorithm", "MD5")
        make = hashlib.md5 if algorithm == "MD5" else hashlib.sha256
        self.count += 1
        nonce, realm, cnonce, count = self.challenge["nonce"], self.challenge["realm"], "0a4f113b", f"{self.count:08x}"
        ha1 = make(f"{self.user}:{realm}:{self.password}".encode()).hexdigest()
        ha2 = make(f"{method}:{target}".encode()).hexdigest()
        response = make(f"{ha1}:{nonce}:{count}:{cnonce}:auth:{ha2}".encode()).hexdigest()
        return (
            f'Digest username="{self.user}", realm="{realm}", nonce="{nonce}", uri="{target}", response="{response}", '
            f'opaque="{self.challenge["opaque"]}", algorithm={algorithm}, qop=auth, nc={count}, cnonce="{cnonce}"'
        )


class Bench:
    """The gateway and a client's side of its cable."""

    def __init__(self, gateway: EmulatedGateway, clock: WoundClock) -> None:
        self.gateway = gateway
        self.clock = clock
        self._line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self.gateway.han_address is not None
        return self.gateway.han_address[1]

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"https://127.0.0.1:{self.port}"

    def context(self, certificate: Path | None = None) -> ssl.SSLContext:
        """Of a client that takes any server, as all of them do (han 1)."""
        made = ssl.create_default_context()
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
        if certificate is not None:
            made.load_cert_chain(certificate)
        return made

    async def ask(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        certificate: Path | None = None,
        length: bool = True,
    ) -> Answer:
        """One request, on the connection of the last one if that is still there."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: 127.0.0.1:{self.port}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body is not None and length:
            lines.append(f"Content-Length: {len(body)}")
        octets = "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")
        if certificate is None and self._line is not None:
            try:
                return await self._exchange(*self._line, octets)
            except (ConnectionError, asyncio.IncompleteReadError):
                await self.hang_up()
        line = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.context(certificate))
        try:
            return await self._exchange(*line, octets)
        finally:
            if certificate is None:
                self._line = line
            else:
                line[1].close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, octets: bytes) -> Answer:
        writer.write(octets)
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)).decode("latin-1")
        status, *fields = head.strip().split("\r\n")
        found = {name.lower(): value for name, value in (one.split(": ", 1) for one in fields)}
        length = 0 if octets.startswith(b"HEAD ") else int(found.get("content-length", "0"))
        body = await asyncio.wait_for(reader.readexactly(length), 20)
        if found.get("connection") == "close":
            await self.hang_up()
        return Answer(int(status.split()[1]), found, body)

    async def hang_up(self) -> None:
        """End the connection."""
        line, self._line = self._line, None
        if line is not None:
            line[1].close()

    async def signed(
        self,
        method: str,
        target: str,
        digest: Digest,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """A request with digest; a challenge is answered once."""
        for _ in range(2):
            more = {"Authorization": digest.header(method, target)} if digest.challenge else {}
            answer = await self.ask(method, target, {**(headers or {}), **more}, body)
            if answer.status != 401:
                break
            digest.learn(answer.headers["www-authenticate"])
        return answer

    async def call(self, method: str, digest: Digest | None = None, **parameters: Any) -> Answer:
        """A method of the M2M interface, as consumer 1 or whoever the digest names."""
        digest = digest or Digest()
        body = json.dumps({"method": method, **parameters}).encode()
        return await self.signed("POST", f"/smgw/m2m/{digest.user}.sm/json", digest, JSON, body)

    def log(self, consumer: str = USER) -> list[str]:
        """Events of a consumer's log."""
        assert self.gateway._session is not None
        book = self.gateway._session.control.journal.books["consumer", consumer]
        return [one.event for one in book.read()]

    async def stored(self) -> None:
        """Wait until what was logged is stored."""
        await self.gateway.settle()


@asynccontextmanager
async def bench(
    memory: NonVolatileMemory, started: Callable[[EmulatedGateway], None] = lambda gateway: None, **options: Any
) -> AsyncIterator[Bench]:
    """A gateway with a copy of a memory; what fails inside it fails the test."""
    clock = WoundClock(asyncio.get_running_loop(), NOW + timedelta(seconds=30))
    gateway = _gateway(copy_of(memory), clock, options)
    gateway.power_on()
    started(gateway)
    await _up(gateway)
    found = Bench(gateway, clock)
    try:
        yield found
    finally:
        await found.hang_up()
        gateway.power_off()
        await asyncio.sleep(0)
        await gateway.close()


@cache
def stored_memory() -> NonVolatileMemory:
    """What `make_memory` makes, once; tests work on copies. Not to be called while a loop is running."""
    return asyncio.run(make_memory())
