"""Long answers of CASA are sent while they are made: months, periods, files (han 4.2, [CASA] 7.5)."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from han_casa_rack import MAIN, PASSWORDS, Casa, casa, person

from devices.clock import Clock

QUARTERS_OF_DECEMBER = 31 * 96


@pytest.fixture
async def gateway(clock: Clock) -> AsyncIterator[Casa]:
    async with casa(clock) as found:
        yield found


async def test_a_month_is_sent_in_chunks_and_is_whole(gateway: Casa) -> None:
    async with gateway.client("alice") as client, client.get(f"/json/metering/origin/{MAIN.lower()}/1/extended") as got:
        assert got.headers["Transfer-Encoding"] == "chunked" and "Content-Length" not in got.headers
        assert got.content_type == "application/json" and got.headers["Cache-Control"] == "no-store"
        lines: list[dict[str, Any]] = json.loads(await got.read())
    assert len(lines) == QUARTERS_OF_DECEMBER - 1, "all but the gap"
    assert [one["timestamp_nom"] for one in lines] == sorted(one["timestamp_nom"] for one in lines)
    assert len({one["timestamp_nom"] for one in lines}) == len(lines)


async def test_a_period_is_the_same_as_json_and_as_a_file(gateway: Casa) -> None:
    async with gateway.client() as client:
        await (await client.post("/login", data={"user": "alice", "password": PASSWORDS["alice"]})).read()
        text = await (await client.get("/values/taf7-alice")).text()
        link = text.split('<li><a href="/values/')[2].split('"')[0]
        async with client.get(f"/values/{link}/json") as got:
            assert got.headers["Transfer-Encoding"] == "chunked"
            told = json.loads(await got.read())
        async with client.get(f"/values/{link}/csv") as got:
            assert got.headers["Transfer-Encoding"] == "chunked" and "attachment" in got.headers["Content-Disposition"]
            rows = list(csv.reader(io.StringIO((await got.read()).decode("utf-8-sig")), delimiter=";"))
    assert set(told["origin"]) == {MAIN.lower()}
    lines = told["origin"][MAIN.lower()]
    assert len(lines) == QUARTERS_OF_DECEMBER - 1
    assert rows[0] == ["Messwerte des Zählers", MAIN.lower()]
    assert rows[1][2:4] == ["0100010800ff (kWh)", "0100020800ff (kWh)"]
    values = [row for row in rows[2:] if row[2]]
    assert len(rows) == 2 + QUARTERS_OF_DECEMBER and len(values) == len(lines)
    stamps = [row[0] for row in rows[2:]]
    assert stamps == sorted(stamps, reverse=True)
    assert values[0][0].replace(" ", "T") == lines[-1]["timestamp_nom"][:19]


async def test_a_page_of_another_host_logs_nobody_in(gateway: Casa, tmp_path: Path) -> None:
    pem = person("alice").pem(tmp_path, "alice")
    form = {"user": "alice", "password": PASSWORDS["alice"]}
    async with gateway.client(certificate=pem) as client:
        for foreign in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
            for path in ("/login", "/login/certificate"):
                async with client.post(path, data=form, headers=foreign) as got:
                    assert got.status == 403 and "Set-Cookie" not in got.headers
        async with client.post("/login/certificate", headers={"Origin": gateway.base}, allow_redirects=False) as got:
            assert got.status == 303


async def test_head_of_a_long_file_has_no_body_and_the_connection_goes_on(gateway: Casa) -> None:
    """RFC 9110, 9.3.2; what follows the head of the answer is the next answer."""
    async with gateway.client() as client:
        await (await client.post("/login", data={"user": "alice", "password": PASSWORDS["alice"]})).read()
        text = await (await client.get("/values/taf7-alice")).text()
        cookies = "; ".join(f"{one.key}={one.value}" for one in client.cookie_jar)
    link = text.split('<li><a href="/values/')[2].split('"')[0]
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    port = gateway.base.rpartition(":")[2]
    for kind, content in (("json", b"application/json"), ("csv", b"text/csv")):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port), ssl=context)
        fields = f"HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookies}\r\n"
        writer.write(f"HEAD /values/{link}/{kind} {fields}\r\n".encode())
        writer.write(f"GET /nowhere {fields}Connection: close\r\n\r\n".encode())
        octets = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        first, second = octets.split(b"\r\n\r\n")[:2]
        assert first.startswith(b"HTTP/1.1 200 ") and content in first
        assert b"Transfer-Encoding" not in first and b"Connection: close" not in first
        assert second.startswith(b"HTTP/1.1 404 "), second[:200]
