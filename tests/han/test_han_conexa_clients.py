"""What programs do with a CONEXA, in their order (han 3.3), as `devices.han.sequences` replays them; and other
people's HTTP clients."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import ClientSession, DigestAuthMiddleware
from han_conexa_rig import (
    BEGIN,
    EXPORT,
    HOLE_S,
    IMPORT,
    METER,
    NOW,
    PASSWORD,
    USER,
    Bench,
    bench,
    value_at,
)

from devices.han.link import HanLink
from devices.han.login import Login, Settings
from devices.han.sequences import conexa as sequences
from devices.han.sequences.visit import NIST, Findings, Told, Visit
from firmware.storage.memory import NonVolatileMemory

FULL = f"/smgw/m2m/{USER}.sm/json"


async def replayed(
    conexa: Bench, program: Callable[..., Awaitable[Findings]], *, md5: bool = False, **more: Any
) -> tuple[Findings, Visit]:
    """What a program finds for the first consumer, and its visit."""
    settings = Settings("127.0.0.1", conexa.port, curves=NIST)
    async with HanLink(conexa.clock, settings, Login(USER, PASSWORD)) as link:
        visit = Visit(link, conexa.clock.now(), md5=md5, rng=random.Random(1))
        return await program(visit, **more), visit


NEWEST = datetime(2026, 3, 30, 10, tzinfo=UTC)


def newest(obis: str) -> Told:
    """The newest value of a register; it is captured 3 s before its instant here."""
    value = Decimal(value_at(int(NEWEST.timestamp()), obis)).scaleb(-1)
    return Told(METER.lower(), obis, value, "Wh", NEWEST - timedelta(seconds=3))


@pytest.mark.parametrize("challenge", ["MD5", "announced"])
async def test_home_assistant_reads_every_register(stored_conexa: NonVolatileMemory, challenge: str) -> None:
    """smgw-info, user-info, readings with "last-reading": "true"; always answers MD5; one value for each channel."""
    async with bench(stored_conexa, han_conexa_challenge=challenge) as conexa:
        found, visit = await replayed(conexa, sequences.home_assistant, md5=True)
    assert found.more == {"firmware": "3.0"}
    assert found.told == (newest(IMPORT), newest(EXPORT))
    assert visit.statuses == [401, 200, 200, 200]


async def test_a_client_with_length_headers_of_its_own_reads_its_two_registers(conexa: Bench) -> None:
    found, visit = await replayed(conexa, sequences.own_lengths)
    assert found.told == (newest(IMPORT), newest(EXPORT))
    assert visit.digest.count == 3


async def test_scripts_that_follow_the_redirect_get_their_answer(conexa: Bench) -> None:
    found, visit = await replayed(conexa, sequences.scripts)
    assert found.more == {"smgw-id": "ethe0300004261"}
    assert visit.statuses == [401, 200, *([401, 307, 200] * 2)]


async def test_a_client_that_keeps_the_old_uri_is_challenged_again(conexa: Bench) -> None:
    found, visit = await replayed(conexa, sequences.keeps_the_old_uri)
    assert (visit.statuses, found.more["target"]) == ([401, 307, 401], FULL)


async def test_the_transparency_software_loads_contracts_with_log(conexa: Bench) -> None:
    """User id, smgw-info, user-info, usage-point-info, readings in pieces of 31 days, daily values, log."""
    begin = BEGIN - timedelta(minutes=15)
    found, _ = await replayed(conexa, sequences.transparency, begin=begin)
    assert found.more["user"] == f"{USER}.sm"
    rows = {(name.split(".")[1], which): one for (name, which), one in found.more["rows"].items()}
    quarters = int((NOW - BEGIN).total_seconds()) // 900 + 1
    assert len({one["target-time"] for one in rows["taf1-1", "origin"]}) == quarters - 1
    assert len(rows["taf6-1", "daily"]) == 43  # midnights around the 42 days for which they are kept
    assert len(rows["taf1-1", "derived"]) == 2
    own = {one.obis: one for one in found.told if one.at == NEWEST - timedelta(seconds=3)}
    assert {code: own[code] for code in (IMPORT, EXPORT)} == {code: newest(code) for code in (IMPORT, EXPORT)}
    assert found.more["log"]


async def test_a_client_walks_back_in_windows_of_31_days(conexa: Bench) -> None:
    """By the unfiltered channel of a usage point whose name ends with BEZUG, until nothing comes any more."""
    found, _ = await replayed(conexa, sequences.walks_back)
    instants = {one.at for one in found.told}
    quarters = int((NOW - BEGIN).total_seconds()) // 900 + 1
    assert len(instants) == quarters - 1
    assert datetime.fromtimestamp(HOLE_S - 3, UTC) not in instants


async def test_a_client_reads_the_channels_of_the_first_database(conexa: Bench) -> None:
    found, _ = await replayed(conexa, sequences.databases)
    assert found.more["codes"] == ["0100010800ff"]


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
    stored_conexa: NonVolatileMemory, path: str, challenge: str
) -> None:
    async with bench(stored_conexa, han_conexa_challenge=challenge) as conexa:
        words = ["curl", "-sk", "--digest", "-L", "--noproxy", "*", "-u", f"{USER}:{PASSWORD}", "-H"]
        words += ["Content-Type: application/json", "-d", '{"method":"smgw-info"}', conexa.url + path]
        done = await asyncio.to_thread(subprocess.run, [*words, "-m", "20"], capture_output=True, check=True)
        assert json.loads(done.stdout)["smgw-info"]["smgw-id"] == "ethe0300004261"
