"""What programs do with a CONEXA, in their order (han 3.3), written from the sheet; and other people's HTTP clients."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import ClientSession, DigestAuthMiddleware
from han_conexa_rig import (
    BEGIN,
    HOLE_S,
    JSON,
    NOW,
    PASSWORD,
    USER,
    Answer,
    Bench,
    Digest,
    bench,
    stored_memory,
    value_at,
)

from firmware.storage.memory import NonVolatileMemory

FULL = f"/smgw/m2m/{USER}.sm/json"


@pytest.fixture(scope="module")
def memory() -> NonVolatileMemory:
    return stored_memory()


@pytest.fixture
async def conexa(memory: NonVolatileMemory) -> AsyncIterator[Bench]:
    async with bench(memory) as one:
        yield one


def running_points(user_info: Any) -> list[str]:
    """Those of TAF-7 that run, else all that run."""
    running = [one for one in user_info["user-info"]["usage-points"] if one["taf-state"] == "running"]
    sevens = [one for one in running if one["taf-number"] == "7"]
    return [one["usage-point-id"] for one in sevens or running]


@pytest.mark.parametrize("challenge", ["MD5", "announced"])
async def test_home_assistant_reads_every_register(memory: NonVolatileMemory, challenge: str) -> None:
    """smgw-info, user-info, readings with "last-reading": "true"; always answers MD5; one value for each channel."""
    async with bench(memory, han_conexa_challenge=challenge) as conexa:
        digest = Digest(force_md5=True)
        info = (await conexa.call("smgw-info", digest)).json
        assert info["smgw-info"]["firmware-info"]["version"] == "3.0"
        values: dict[str, Decimal] = {}
        for point in running_points((await conexa.call("user-info", digest)).json):
            wish = {"usage-point-id": point, "database": "origin", "last-reading": "true"}
            for channel in (await conexa.call("readings", digest, **wish)).json["readings"]["channels"]:
                (one,) = channel["readings"]
                values[channel["obis"]] = Decimal(one["value"]) / 10_000
        at_s = int(datetime(2026, 3, 30, 10, tzinfo=UTC).timestamp())
        assert values == {
            "0100010800ff": Decimal(value_at(at_s)) / 10_000,
            "0100020800ff": Decimal(value_at(at_s, "1-0:2.8.0*255")) / 10_000,
        }


async def test_a_client_with_length_headers_of_its_own_reads_its_two_registers(conexa: Bench) -> None:
    digest, codes = Digest(), []
    calls: list[dict[str, Any]] = [{"method": "smgw-info"}, {"method": "user-info"}]
    for _ in range(2):
        for call in calls:
            body = json.dumps(call).encode()
            headers = {**JSON, "X-Content-Length": str(len(body)), "Accept": "application/json"}
            answer = await conexa.signed("POST", FULL, digest, headers, body)
            assert answer.status == 200
            if call["method"] == "user-info":
                wish = {"method": "readings", "database": "origin", "last-reading": True}
                calls = [{**wish, "usage-point-id": point} for point in running_points(answer.json)]
            elif call["method"] == "readings":
                codes += [one["obis"] for one in answer.json["readings"]["channels"]]
    assert codes == ["0100010800ff", "0100020800ff"]


async def follow(conexa: Bench, method: str, digest: Digest, body: bytes | None) -> Answer:
    """A request to the root whose redirect is followed with the same method and body, signed anew."""
    target = "/smgw/m2m"
    for _ in range(5):
        answer = await conexa.signed(method, target, digest, JSON, body)
        if answer.status != 307:
            return answer
        target = answer.headers["location"]
    raise AssertionError("too many redirects")


async def test_a_script_that_follows_the_redirect_gets_its_answer(conexa: Bench) -> None:
    digest = Digest()
    answer = await follow(conexa, "POST", digest, b'{"method":"smgw-info"}')
    assert (answer.status, answer.json["method"], digest.count) == (200, "smgw-info", 2)


async def test_a_client_that_keeps_the_old_uri_is_challenged_again(conexa: Bench) -> None:
    digest = Digest()
    await conexa.signed("POST", "/smgw/m2m", digest, JSON, b"{}")
    old = digest.header("POST", "/smgw/m2m")
    answer = await conexa.ask("POST", FULL, {**JSON, "Authorization": old}, b'{"method":"smgw-info"}')
    assert answer.status == 401


async def test_the_transparency_software_loads_a_contract_with_log(conexa: Bench) -> None:
    """User id, smgw-info, user-info, usage-point-info, readings in pieces of 31 days, daily values, log."""
    digest = Digest()
    location = (await conexa.signed("GET", "/smgw/m2m", digest, JSON)).headers["location"]
    user_id, form = location.removeprefix("/smgw/m2m/").split("/")
    assert (user_id, form) == (f"{USER}.sm", "json")

    async def call(method: str, **parameters: Any) -> Any:
        body = json.dumps({"method": method, **parameters}).encode()
        answer = await conexa.signed("POST", location, digest, JSON, body)
        assert answer.status == 200, answer.body
        return answer.json

    assert (await call("smgw-info"))["version"] >= "1.2.0"
    points = {one["taf-number"]: one for one in (await call("user-info"))["user-info"]["usage-points"]}
    contract = points["1"]
    point = contract["usage-point-id"]
    info = (await call("usage-point-info", **{"usage-point-id": point}))["usage-point-info"]
    assert info["taf-profile"]
    period = contract["billing-Periods"][0]
    begin, end = (datetime.fromisoformat(period[name]) for name in ("start-time", "end-time"))
    times: set[str] = set()
    since = begin - timedelta(minutes=15)
    while since < end:
        until = min(end, since + timedelta(days=31))
        span = {"fromtime": since.isoformat(), "totime": until.isoformat()}
        wish = {"usage-point-id": point, "database": "origin", **span}
        for channel in (await call("readings", **wish))["readings"]["channels"]:
            times |= {one["target-time"] for one in channel["readings"]}
        since = until
    assert len(times) == 28 * 96 + 1
    for database, number in (("derived", 2), ("daily", 14)):  # daily values are kept for 42 days
        span = {"fromtime": (begin - timedelta(minutes=15)).isoformat(), "totime": end.isoformat()}
        wish = {"usage-point-id": point, "database": database, **span}
        found = (await call("readings", **wish))["readings"]["channels"]
        assert [len(one["readings"]) for one in found] == [number]
    entries = (await call("log", fromtime=BEGIN.isoformat(), totime=(NOW + timedelta(days=1)).isoformat()))["log"][
        "entries"
    ]
    assert entries


async def test_a_client_walks_back_in_windows_of_31_days(conexa: Bench) -> None:
    """By the unfiltered channel of a usage point whose name ends with BEZUG, until nothing comes any more."""
    digest, found = Digest(), set()
    points = (await conexa.call("user-info", digest)).json["user-info"]["usage-points"]
    point = next(one["usage-point-id"] for one in points if one["usage-point-name"].endswith("BEZUG"))
    until = NOW
    for _ in range(10):
        since = until - timedelta(days=31)
        span = {"fromtime": since.isoformat(), "totime": until.isoformat()}
        answer = await conexa.call("readings", digest, **{"usage-point-id": point, "database": "origin", **span})
        rows = answer.json["readings"]["channels"][0]["readings"]
        if not rows:
            break
        found |= {one["target-time"] for one in rows}
        until = since
    quarters = int((NOW - BEGIN).total_seconds()) // 900 + 1
    assert len(found) == quarters - 1
    assert datetime.fromtimestamp(HOLE_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") not in found


async def test_the_digest_client_of_aiohttp_follows_the_redirect(conexa: Bench) -> None:
    auth = DigestAuthMiddleware(USER, PASSWORD)
    async with ClientSession(middlewares=(auth,)) as session:
        for path in ("/smgw/m2m", FULL):
            request = session.post(conexa.url + path, json={"method": "user-info"}, ssl=conexa.context())
            async with request as answer:
                assert answer.status == 200
                assert (await answer.json())["method"] == "user-info"


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
@pytest.mark.parametrize("path", ["/smgw/m2m", FULL])
@pytest.mark.parametrize("challenge", ["MD5", "SHA-256"])
async def test_curl_with_digest_and_redirect_works_as_a_person_would_try_it(
    memory: NonVolatileMemory, path: str, challenge: str
) -> None:
    async with bench(memory, han_conexa_challenge=challenge) as conexa:
        words = ["curl", "-sk", "--digest", "-L", "--noproxy", "*", "-u", f"{USER}:{PASSWORD}", "-H"]
        words += ["Content-Type: application/json", "-d", '{"method":"smgw-info"}', conexa.url + path]
        done = await asyncio.to_thread(subprocess.run, [*words, "-m", "20"], capture_output=True, check=True)
        assert json.loads(done.stdout)["smgw-info"]["smgw-id"] == "ethe0300004261"
