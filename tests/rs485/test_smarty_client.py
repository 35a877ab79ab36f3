"""A person's tool at a SMARTY: reading the log, updating, breaking off ([BZ] 5.2, 6.2; lmn-wired 5)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from lmn_bus import LmnBus

from devices.clock import Clock
from devices.meters.smarty_bz import SmartyBz
from devices.meters.wired_station import WiredStation
from devices.protocols.app_image import Version, build_image
from devices.protocols.hdlc import Frame
from devices.protocols.smarty_service import SELECTOR, Answer, Command, Refusal, Request
from devices.protocols.smarty_update import BLOCK_OCTETS, Stage
from devices.protocols.sml.server_id import device_number
from devices.protocols.update_log import Event, check_log
from devices.rs485.master import MeterSilent
from devices.rs485.smarty_client import MeterRefused, MeterTalksNonsense, SmartyClient, version_in

IMAGE = build_image(bytes(range(256)) * 8, Version(2, 1))


class Tool:
    """A client at a meter on a bus."""

    def __init__(self, bus: LmnBus, meter: SmartyBz, station: WiredStation, client: SmartyClient) -> None:
        self.bus, self.meter, self.station, self.client = bus, meter, station, client


@asynccontextmanager
async def tool(clock: Clock, **meter: object) -> AsyncIterator[Tool]:
    bus = LmnBus(clock)
    smarty, station = bus.smarty(**meter)
    (found,) = await bus.master.discover()
    async with SmartyClient(clock, bus.master, found) as client:
        yield Tool(bus, smarty, station, client)


async def test_identity_and_version_are_asked_with_the_frames_of_the_makers_trace(clock: Clock) -> None:
    """[BZ] 5.2.1 rows 5 and 9: information 000311EDAC and 000312DF37 (lmn-wired 2)."""
    async with tool(clock) as at:
        assert (await at.client.identity()).number == "1SAG0021061001"
        assert await at.client.firmware() == "ENSO-MME V2.0"
    asked = [Frame.from_bytes(octets).information for direction, octets in at.bus.wire if direction == "out"]
    assert [one.hex() for one in asked if one[:1] == b"\0"] == ["000311edac", "000312df37"]


async def test_a_meter_with_another_identity_is_known_by_its_server_id(clock: Clock) -> None:
    """Of the identity only length and "DN" are known (lmn-wired 2); the number stands in the discovery record too."""
    data = b"DN" + bytes(range(23))
    bus = LmnBus(clock)
    bus.base_meter(services={SELECTOR: _with(lambda request: Answer(request.command, data).to_bytes())})
    (found,) = await bus.master.discover()
    async with SmartyClient(clock, bus.master, found) as client:
        identity = await client.identity()
    assert identity.number == device_number(found.server_id)
    assert identity.raw == data


async def test_a_log_of_many_pages_comes_whole_with_good_signatures(clock: Clock) -> None:
    async with tool(clock, log_capacity=16) as at:
        for _ in range(16):
            await at.client.transfer(b"no image at all")
            assert (await at.client.check()).stage is Stage.REJECTED
        log = await at.client.update_log()
        assert [entry.number for entry in log.entries] == list(range(1, 17))
        assert {entry.event for entry in log.entries} == {Event.FAILED}
        assert log.status.full
        assert check_log(log, at.meter.label_key).trust.value == "trusted"
        with pytest.raises(MeterRefused, match="log is full") as refused:
            await at.client.transfer(IMAGE)
        assert refused.value.reason is Refusal.LOG_FULL


async def test_an_update_goes_on_over_the_restart_of_the_meter(clock: Clock) -> None:
    told: list[tuple[int, int]] = []
    async with tool(clock) as at:
        await at.client.transfer(IMAGE, lambda *progress: told.append(progress))
        progress = await at.client.check()
        assert progress.stage is Stage.CONFIRM
        assert progress.checks.good
        assert progress.version == (2, 1)
        progress = await at.client.activate()
        assert progress.stage is Stage.DONE
        assert at.client.meter.address == at.station.address
        assert await at.client.firmware() == "ENSO-MME V2.1"
        log = await at.client.update_log()
        assert [(entry.event, entry.version) for entry in log.entries] == [(Event.SUCCEEDED, "V2.1")]
    assert told[0] == (0, len(IMAGE))
    assert told[-1] == (len(IMAGE), len(IMAGE))
    assert len(told) == 1 + -(-len(IMAGE) // BLOCK_OCTETS)


async def test_a_meter_that_does_not_come_back_is_given_up(clock: Clock) -> None:
    async with tool(clock) as at:
        await at.client.transfer(IMAGE)
        await at.client.check()
        clock.call_later(5, at.station.power, False)
        began = clock.seconds()
        with pytest.raises(MeterSilent, match="has not come back"):
            await at.client.activate()
        assert clock.seconds() - began < 200


@pytest.mark.parametrize("after", ["transfer", "check begun", "check"])
async def test_breaking_off_leaves_a_meter_that_has_forgotten_the_image(clock: Clock, after: str) -> None:
    async with tool(clock) as at:
        await at.client.transfer(IMAGE)
        if after == "check begun":
            await at.client.ask(Command.UPDATE_CHECK)
        if after == "check":
            await at.client.check()
        await at.client.abort()
        assert (await at.client.state()).stage is Stage.IDLE
        assert (await at.client.log_status()).count == 0, "nothing was attempted"


async def test_breaking_off_at_a_dead_meter_says_nothing(clock: Clock) -> None:
    async with tool(clock) as at:
        await at.client.transfer(IMAGE)
        at.station.power(False)
        await at.client.abort()


def _with(answer: Callable[[Request], bytes]) -> Callable[[bytes], bytes]:
    return lambda message: answer(Request.from_bytes(message))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda request: b"\x80\x03\x11\x00\x00", "inner check is wrong"),
        (lambda request: b"\x80", "a message of 1 octets"),
        (lambda request: Answer(Command.LOG_STATUS, b"\0\0\0").to_bytes(), "was asked 21 and answers 22"),
        (lambda request: Answer(request.command, b"short").to_bytes(), "public key of 5 octets instead of 64"),
        (lambda request: Answer(Command.ERROR, b"?").to_bytes(), "a refusal of 1 octets"),
    ],
)
async def test_answers_without_sense_are_the_meters_fault(
    clock: Clock, answer: Callable[[Request], bytes], expected: str
) -> None:
    bus = LmnBus(clock)
    bus.base_meter(services={SELECTOR: _with(answer)})
    (found,) = await bus.master.discover()
    async with SmartyClient(clock, bus.master, found) as client:
        with pytest.raises(MeterTalksNonsense, match=expected):
            await client.public_key()


async def test_a_meter_that_promises_entries_and_sends_none_does_not_hang(clock: Clock) -> None:
    page = {1: b"\0\1\0"}
    bus = LmnBus(clock)

    def answer(request: Request) -> bytes:
        data = {Command.LOG_STATUS: b"\xff\xff\1", Command.LOG_ENTRIES: page[1], Command.PUBLIC_KEY: bytes(64)}
        return Answer(request.command, data.get(Command(request.command), bytes(64))).to_bytes()

    bus.base_meter(services={SELECTOR: _with(answer)})
    (found,) = await bus.master.discover()
    async with SmartyClient(clock, bus.master, found) as client:
        assert (await client.update_log()).entries == ()
        page[1] = b"\0\7\0"
        with pytest.raises(MeterTalksNonsense, match="from 1 on and sends 7"):
            await client.update_log()


@pytest.mark.parametrize(
    ("text", "version"),
    [("ENSO-MME V2.0", Version(2, 0)), ("ENSO-MME V99.99", Version(99, 99)), ("", None), ("ENSO-MME", None)],
)
def test_the_version_stands_behind_the_name(text: str, version: Version | None) -> None:
    assert version_in(text) == version
