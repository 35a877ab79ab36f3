"""CASA's home interface against anything: no path and no parameter gives 500 or somebody else's data; curl works."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import ClientSession
from han_casa_rack import FOREIGN, PASSWORDS, Casa, casa, person
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from devices.clock import Clock

WORDS = (
    "json", "systeminformations", "metering", "origin", "derived", "extended", "billingperiods", "daily", "current",
    "signedprofile", "conlogbook", "1emh0012345678", "1EMH0012345678", "1emh0099999999", "taf1-alice", "taf2-alice",
    "taf6-alice", "taf7-alice", "taf7-bob", "0", "1", "2025-12", "values", "log", "log.csv", "start", "csv", "service",
    "settings", "login", "certificate", "download", "certificate.pem", "selftest", "logout", "1764543600", "",
)  # fmt: skip
_SEGMENT = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from(WORDS),
    st.text(max_size=12).map(lambda text: quote(text.encode(errors="replace"), safe="")),
    st.sampled_from(("%2e%2e", "..", ".", "%00", "%ff", "%2f", "%252f", "%5c", ";", "-1", "9" * 30, "1e3", "٣", "0x1")),
)
GOOD = (
    "/", "/start", "/log", "/log.csv", "/values", "/values/taf7-alice", "/values/taf2-alice/1764543600", "/service",
    "/values/taf1-alice/1764543600/json", "/values/taf6-alice/1766271600/csv", "/download/certificate.pem",
    "/json/systeminformations", "/json/metering/origin/", "/json/metering/origin/1emh0012345678",
    "/json/metering/origin/1emh0012345679/extended", "/json/metering/origin/1emh0012345678/0",
    "/json/metering/derived", "/json/metering/derived/taf2-alice", "/json/metering/derived/taf2-alice/billingperiods",
    "/json/metering/derived/taf2-alice/billingperiods/5/extended", "/json/metering/derived/taf1-alice/billingperiods/0",
    "/json/metering/derived/taf6-alice/daily", "/json/metering/derived/taf1-alice/current/extended",
    "/json/metering/derived/taf7-alice/signedprofile", "/json/conlogbook/0", "/json/conlogbook/2025-12",
)  # fmt: skip


def _with(path: str, place: int, segment: str) -> str:
    parts = path.split("/")
    parts[1 + place % (len(parts) - 1)] = segment
    return "/".join(parts)


_RANDOM = st.lists(_SEGMENT, min_size=1, max_size=7).map(lambda parts: "/" + "/".join(parts))
_SPOILT = st.builds(_with, st.sampled_from(GOOD), st.integers(0, 9), _SEGMENT)
PATHS = st.one_of(st.sampled_from(GOOD), _SPOILT, _SPOILT, _RANDOM)
_NAME = st.sampled_from(("lang", "page", "from", "to", "token", "user", "password", "x"))
_TEXT = st.one_of(
    st.text(max_size=20), st.sampled_from(("-1", "9" * 40, "0", "2026-01-01", "9999-12-31", "0001-01-01", "٣", "en"))
)
PARAMETERS = st.lists(st.tuples(_NAME, _TEXT), max_size=4)
METHODS = st.sampled_from(("GET", "GET", "GET", "GET", "GET", "HEAD", "POST", "PUT"))
SECRETS = (FOREIGN.lower(), "taf7-bob", "bob")


async def ask(
    gateway: Casa, client: ClientSession, method: str, path: str, parameters: list[tuple[str, str]]
) -> tuple[int, str]:
    encoded = "&".join(f"{quote(name)}={quote(text.encode(errors='replace'))}" for name, text in parameters)
    body = (
        {"data": encoded, "headers": {"Content-Type": "application/x-www-form-urlencoded"}} if method == "POST" else {}
    )
    url = URL(gateway.base + path + ("" if body or not encoded else f"?{encoded}"), encoded=True)
    async with client.request(method, url, allow_redirects=False, **body) as answer:  # type: ignore[arg-type]
        return answer.status, (await answer.read()).decode("utf-8", "replace")


@pytest.mark.parametrize("way", ["digest", "portal", "certificate", "nobody"])
async def test_no_path_and_no_parameter_gives_500_or_foreign_data(clock: Clock, way: str, tmp_path: Path) -> None:
    """150 requests of each kind of visitor, those of alice, drawn by Hypothesis."""
    examples: list[tuple[str, str, list[tuple[str, str]]]] = []

    @settings(max_examples=150, database=None)
    @given(METHODS, PATHS, PARAMETERS)
    def draw(method: str, path: str, parameters: list[tuple[str, str]]) -> None:
        examples.append((method, path, parameters))

    draw()
    pem = person("alice").pem(tmp_path, "alice")
    async with casa(clock, han_login_attempts=0) as gateway:
        user, certificate = ("alice" if way == "digest" else ""), (pem if way == "certificate" else None)
        async with gateway.client(user, certificate=certificate) as client:
            if way == "portal":
                form = {"user": "alice", "password": PASSWORDS["alice"]}
                async with client.post("/login", data=form) as answer:
                    assert answer.status == 200
            answered: dict[int, int] = {}
            for method, path, parameters in [*(("GET", path, []) for path in GOOD), *examples]:
                status, body = await ask(gateway, client, method, path, parameters)
                answered[status] = answered.get(status, 0) + 1
                assert status < 500, (method, path, parameters)
                shown = f"{path} {parameters}"
                for secret in SECRETS:
                    assert secret not in body.lower() or secret in shown.lower(), (method, path, body[:300])
                if way == "nobody":
                    assert "1emh00" not in body or "1emh00" in shown.lower()
            assert gateway.rack.gateway.crashes == []
            assert answered.get(404, 0) + answered.get(401, 0) > 20
            if way != "nobody":
                assert answered.get(200, 0) > 20, answered


@pytest.mark.asyncio(loop_factories=["real"])
async def test_curl_reads_the_values_with_digest_and_over_one_connection(clock: Clock, tmp_path: Path) -> None:
    """As a person would try it (han 4.2): ``curl --digest``, MD5, two requests over one kept connection."""
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    async with casa(clock) as gateway:
        urls = [f"{gateway.base}/json/metering/origin/", f"{gateway.base}/json/metering/origin/1emh0012345678/extended"]
        told = [
            "--silent",
            "--show-error",
            "--insecure",
            "--digest",
            "--user",
            f"alice:{PASSWORDS['alice']}",
            "--max-time",
            "20",
        ]
        process = await asyncio.create_subprocess_exec(
            curl, *told, "--write-out", "\n%{num_connects} %{http_code}\n", *urls,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        assert process.returncode == 0, err
        lines = out.decode().splitlines()
        assert json.loads(lines[0]) == ["1emh0012345678", "1emh0012345679"]
        assert lines[1] == "1 200"
        assert json.loads(lines[2])["values"][0]["scaler"] == -1
        assert lines[3] == "0 200"
        process = await asyncio.create_subprocess_exec(
            curl, "--silent", "--insecure", "--include", "--max-time", "20", f"{gateway.base}/",
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await process.communicate()
        assert re.match(rb"HTTP/1\.1 200 ", out)
