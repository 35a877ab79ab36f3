"""The home interface of the three products: current values for twenty clients, memory, and the first answer after a
start with forty days of eight meters.

Beside it, in the same run, a bare aiohttp server with the same TLS that answers the same octets without login. The
gateway runs as an installed program does, with its bytecode kept from start to start.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import random
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, DigestAuthMiddleware, TCPConnector, web

from firmware.config import Options
from firmware.han.certificate import make_han_certificate
from firmware.han.server import SUITES
from firmware.storage.memory import NonVolatileMemory

CLIENTS, SECONDS, METERS, HISTORY = 20, 5.0, 8, "40d"
GOAL_SHARE, GOAL_MS, GOAL_START_S = 0.99, 50.0, 2.0
LIMIT_S = 900
"""Then it is given up, whatever hangs; on a quiet computer it takes less than four minutes."""
JSON = {"Content-Type": "application/json"}
Call = Callable[[ClientSession, dict[str, Any]], Awaitable[bytes]]


async def _casa(session: ClientSession, told: dict[str, Any]) -> bytes:
    meter = next(iter(told["meters"].values()))
    async with session.get(f"/json/metering/origin/{meter}/extended") as answer:
        answer.raise_for_status()
        return await answer.read()


async def _conexa(session: ClientSession, told: dict[str, Any]) -> bytes:
    point = "01005e318027.profile-0.sm"
    asked = {"method": "readings", "database": "origin", "usage-point-id": point, "last-reading": "true"}
    async with session.post("/smgw/m2m/consumer-1.sm/json", json=asked, headers=JSON) as answer:
        answer.raise_for_status()
        return await answer.read()


async def _ppc(session: ClientSession, told: dict[str, Any]) -> bytes:
    """One user has one session, so all clients share the one of the first login."""
    fields = {"action": "showMeterProfile", "mid": told["mid"]}
    async with session.post("/cgi-bin/hanservice.cgi", data=fields) as answer:
        body = await answer.read()
        if b"table_metervalues_col_wert" not in body:
            raise RuntimeError(f"no values: {body[:200]!r}")
        return body


CALLS: dict[str, Call] = {"casa": _casa, "conexa": _conexa, "ppc": _ppc}


def _config(folder: Path, product: str) -> Path:
    """Eight meters, each with a contract of TAF-7."""
    meters = {f"m{number}": {"id": f"1LGZ00729992{number:02}"} for number in range(METERS)}
    file = folder / "gateway.yaml"
    contracts = {f"profile-{number}": {"taf": 7, "meters": {f"m{number}": "1.8.0"}} for number in range(METERS)}
    told = {
        "gateway": {"type": product},
        "meters": meters,
        "consumers": {"consumer-1": {"password": "measured"}},
        "contracts": contracts,
    }
    file.write_text(json.dumps(told))  # JSON is YAML
    return file


@contextmanager
def _gateway(product: str, folder: Path, *options: str) -> Iterator[tuple[int, dict[str, Any], float]]:
    """Process id, what it told, seconds until it told so."""
    command = [str(Path(sys.executable).with_name("smgw-bench")), "gateway", "--type", product, "--json"]
    command += [
        "--han",
        "127.0.0.1:0",
        "--config",
        str(folder / "gateway.yaml"),
        "--data",
        str(folder / "data"),
        *options,
    ]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    assert process.stdout is not None
    try:
        told = json.loads(process.stdout.readline())
        yield process.pid, told, time.monotonic() - begin
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        process.stdout.close()


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _client(told: dict[str, Any], *, login: bool) -> ClientSession:
    base = f"https://{told['address']['host']}:{told['address']['port']}"
    middlewares = (DigestAuthMiddleware("consumer-1", "measured"),) if login else ()
    return ClientSession(base, connector=TCPConnector(ssl=_context()), middlewares=middlewares)


async def _log_in_at_ppc(told: dict[str, Any]) -> str:
    """The cookie of the session, and the id of the first meter in it."""
    async with _client(told, login=True) as session:
        async with session.get("/cgi-bin/hanservice.cgi") as answer:
            cookie = answer.headers["Set-Cookie"].split(";")[0]
        async with session.post(
            "/cgi-bin/hanservice.cgi", data={"action": "meterform"}, headers={"Cookie": cookie}
        ) as answer:
            text = await answer.text()
    told["mid"] = text.split("<option value='")[1].split("'")[0]
    return cookie


async def _load(told: dict[str, Any], call: Call, *, login: bool) -> tuple[list[float], bytes]:
    """Milliseconds of each request of all clients, and one answer."""
    found: list[float] = []
    cookie = await _log_in_at_ppc(told) if login and told["type"] == "ppc" else ""
    sample = b""

    async def one() -> None:
        nonlocal sample
        async with _client(told, login=login) as session:
            if cookie:
                session.headers["Cookie"] = cookie
            await call(session, told)  # login and handshake are not counted
            end = time.monotonic() + SECONDS
            while (begin := time.monotonic()) < end:
                sample = await call(session, told)
                found.append((time.monotonic() - begin) * 1000)

    await asyncio.gather(*(one() for _ in range(CLIENTS)))
    return found, sample


def _bare(body: bytes, pipe: Connection) -> None:
    """The peer, in a process of its own."""

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=body)

    async def serve() -> None:
        made = make_han_certificate(
            NonVolatileMemory(), random.Random(1), "casa", "bare", "127.0.0.1", Options(), datetime.now(UTC)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(SUITES)
        with tempfile.NamedTemporaryFile() as file:
            file.write(made.key_pem + made.pem)
            file.flush()
            context.load_cert_chain(file.name)
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        pipe.send(runner.addresses[0][1])
        await asyncio.get_running_loop().run_in_executor(None, pipe.recv)

    asyncio.run(serve())


async def _get(session: ClientSession, told: dict[str, Any]) -> bytes:
    async with session.get("/") as answer:
        return await answer.read()


def _peer(body: bytes) -> list[float]:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_bare, args=(body, there), daemon=True)
    process.start()
    told = {"type": "bare", "address": {"host": "127.0.0.1", "port": here.recv()}}
    found, _ = asyncio.run(_load(told, _get, login=False))
    here.send(None)
    process.join(10)
    process.kill()
    return found


def _cpu_s(pid: int) -> float:
    """Of all its threads, in the program and in the system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _processor() -> tuple[int, int]:
    """Ticks of all processors, and those of them that other machines on the same hardware took."""
    ticks = [int(one) for one in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(ticks), ticks[7]


def _rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _quantile(times: list[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(share * len(times)))]


async def _first_answer(product: str, told: dict[str, Any]) -> None:
    if product == "ppc":
        await _log_in_at_ppc(told)
        return
    async with _client(told, login=True) as session:
        await CALLS[product](session, told)


def _measure(product: str, folder: Path) -> None:
    _config(folder, product)
    with _gateway(product, folder, "--history", HISTORY):
        pass
    begin = time.monotonic()
    with _gateway(product, folder) as (pid, told, ready_s):
        asyncio.run(_first_answer(product, told))
        first_s, first_cpu_s = time.monotonic() - begin, _cpu_s(pid)
        all_before, stolen_before = _processor()
        times, sample = asyncio.run(_load(told, CALLS[product], login=True))
        all_after, stolen_after = _processor()
        stolen = (stolen_after - stolen_before) / max(1, all_after - all_before)
        memory_mb = _rss_mb(pid)
    bare = _peer(sample)
    within = sum(one <= GOAL_MS for one in times) / len(times)
    print(
        f"{product:>7}  {len(times) / SECONDS:>6.0f}  {_quantile(times, 0.5):>7.1f}  {_quantile(times, 0.99):>7.1f}"
        f"  {within:>8.2%}  {len(bare) / SECONDS:>7.0f}  {len(times) / len(bare):>5.2f}  {memory_mb:>6.0f}"
        f"  {ready_s:>7.2f}  {first_s:>7.2f}  {first_cpu_s:>5.2f}  {os.getloadavg()[0]:>4.1f}  {stolen:>6.1%}"
        f"  {_met(within >= GOAL_SHARE)}, {_met(first_s <= GOAL_START_S)}",
        flush=True,
    )


def _met(good: bool) -> str:
    return "met" if good else "missed"


def _too_long(*_: object) -> None:
    raise TimeoutError(f"not done within {LIMIT_S} s")


def main() -> None:
    """Print a line for each product. Raises TimeoutError."""
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(LIMIT_S)
    print(f"{CLIENTS} clients, current values; {METERS} meters with {HISTORY} of history")
    columns = "req/s  p50 ms   p99 ms  in 50 ms  bare r/s  ratio  MB RSS  ready s  first s  CPU s  load  stolen  goals"
    print(f"product   {columns}")
    for product in CALLS:
        with tempfile.TemporaryDirectory() as folder:
            _measure(product, Path(folder))
    signal.alarm(0)
    print(f"goals: {GOAL_SHARE:.0%} within {GOAL_MS:.0f} ms; first answer within {GOAL_START_S:.0f} s")
    print("ratio: requests a second beside those of the bare server; CPU s: of the gateway, until its first answer")
    print("load: tasks that want to run, in the last minute; with many more than cores the times say little")
    print("stolen: share of the processors that other machines took meanwhile; the slowest answers are theirs first")


if __name__ == "__main__":
    main()
