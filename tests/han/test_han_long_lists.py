"""Long lists of values: others get a turn, and many deliveries cost no more than few."""

from __future__ import annotations

import asyncio
import random
from types import SimpleNamespace
from typing import Any, cast

from lxml import etree

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
