"""Long lists of values: others get a turn, and many deliveries cost no more than few."""

from __future__ import annotations

import asyncio
import json
import random
import tracemalloc
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import ClientError, web
from aiohttp.test_utils import TestClient, TestServer
from lxml import etree

from firmware.han.casa import values
from firmware.han.casa.streams import LINES, listed, sent
from firmware.han.casa.tables import _Sent
from firmware.han.ppc import exports
from firmware.metering.values import Entry, Reading

METER = "1LGZ0072999211"
IMPORT, EXPORT = "1-0:1.8.0*255", "1-0:2.8.0*255"
NS = {"n": exports.GENERIC, "e": exports.EXTENSION}


async def test_others_get_a_turn_while_forty_days_are_written() -> None:
    entries = (Entry(IMPORT, 1, -1, 30, None, b"s"), Entry(EXPORT, 2, -1, 30, None, b"s"))
    readings = [Reading(METER, at * 900, at * 900_000_000, "A000000020000000", entries) for at in range(1, 40 * 96 + 1)]
    desk = cast(Any, SimpleNamespace(signer=SimpleNamespace(public_point=b"k")))
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.ensure_future(other())
    xml = await exports.values(desk, METER, readings)
    beside.cancel()
    assert turns >= 3 * (len(readings) // 500)
    found = etree.fromstring(xml.encode())
    names = found.xpath("//n:capture_object/e:logical_name/text()", namespaces=NS)
    assert [one.split(".")[0] for one in names] == ["0100010800ff", "0100020800ff"]
    counts = [
        len(one.xpath("./n:entry_gateway_signed", namespaces=NS)) for one in found.iter(f"{{{exports.GENERIC}}}column")
    ]
    assert counts == [len(readings)] * 2


def test_deliveries_that_overlap_and_enclose_each_other_are_one() -> None:
    rng = random.Random(6)
    for _ in range(200):
        begins = [rng.randrange(60) for _ in range(rng.randrange(8))]
        spans = [(begin, begin + rng.randrange(15)) for begin in begins]
        sent = _Sent(spans)
        expected = [any(begin <= at <= end for begin, end in spans) for at in range(80)]
        assert [at in sent for at in range(80)] == expected


FORTY_DAYS = 8 * 40 * 96
"""Readings of eight meters."""
HEADERS = {"Content-Type": "application/json"}


def _lines(count: int) -> Iterator[dict[str, Any]]:
    entries = (Entry(IMPORT, 1, -1, 30, None, bytes(64)), Entry(EXPORT, 2, -1, 30, None, bytes(64)))
    for at in range(count):
        yield values.extended_reading(Reading(METER, at * 900, at * 900_000_000, "A000000020000000", entries))


async def _peak(count: int) -> tuple[int, int, str | None]:
    """Octets of memory while a list goes to a client that keeps nothing, octets sent, the length that was told."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return await sent(request, listed(_lines(count)), HEADERS)

    application = web.Application()
    application.router.add_get("/", answer)
    async with TestClient(TestServer(application)) as client:
        await (await client.get("/")).read()  # what is made once is made
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        size = 0
        async with client.get("/") as got:
            async for piece in got.content.iter_chunked(65_536):
                size += len(piece)
            length = got.headers.get("Content-Length")
        most = tracemalloc.get_traced_memory()[1] - before
        tracemalloc.stop()
    return most, size, length


async def test_a_list_of_forty_days_takes_the_memory_of_a_piece() -> None:
    most, size, length = await _peak(FORTY_DAYS)
    assert size > 15_000_000 and length is None
    assert most < 2_500_000, f"{most} octets for {size}"


async def test_a_short_list_has_its_length() -> None:
    _, size, length = await _peak(20)
    assert length == str(size)


def test_a_list_in_pieces_is_the_list() -> None:
    for count in (0, 1, LINES - 1, LINES, LINES + 1, 3 * LINES):
        pieces = list(listed(_lines(count)))
        assert json.loads("".join(pieces)) == list(_lines(count))
        assert len(pieces) == -(-count // LINES) + 1


async def test_an_answer_that_fails_in_the_middle_is_not_taken_for_a_whole_one() -> None:
    def pieces() -> Iterator[str]:
        yield "[" + " " * 100_000
        raise RuntimeError("the memory fails")

    async def answer(request: web.Request) -> web.StreamResponse:
        return await sent(request, pieces(), HEADERS)

    application = web.Application()
    application.router.add_get("/", answer)
    async with TestClient(TestServer(application)) as client:
        with pytest.raises(ClientError):
            await (await client.get("/")).read()
