"""The emulated meters of the tools speak all that wired meters speak: clear SML, SYM, TLS, the service protocol."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bench.scenario.models import GivenMeter
from bench.tools.emulated_bus import EmulatedBus
from devices.clock import Clock
from devices.errors import UsageError
from devices.meters.defaults import LmnDefaults
from devices.ports.base import LineSettings
from devices.ports.memory import memory_pair
from devices.ports.pty import pty_pair
from devices.protocols.hdlc import Selector
from devices.protocols.lmn_certificate import Identity, make_identity
from devices.protocols.lmn_tls import SUITES, TlsEnd, TlsSettings
from devices.protocols.sml.messages import CloseRequest, GetListRequest, Message, OpenRequest, encode_messages
from devices.protocols.sml.transport import FileReader, SmlFile, decode_file, encode_file
from devices.protocols.sym import SymGateway
from devices.rs485.adapter import AdapterSettings, open_adapter
from devices.rs485.master import FoundMeter, LmnMaster, MeterSilent
from devices.rs485.smarty_client import SmartyClient

SERVER_ID = bytes.fromhex("0a015341470001415d89")
SMARTY = GivenMeter(type="smarty_bz_plus_v2", id="1SAG0021061001", load="500 W")


class Gateway:
    """A gateway in a few lines, to pair and read with."""

    def __init__(
        self,
        clock: Clock,
        rng: random.Random,
        folder: Path | None,
        given: GivenMeter = SMARTY,
        defaults: LmnDefaults | None = None,
    ) -> None:
        near, far = memory_pair(clock)
        self.clock = clock
        self.bus = EmulatedBus(clock, far, seed=1, defaults=defaults)
        self.bus.add("meter", given, state=folder)
        self.master = LmnMaster(clock, near)
        now = clock.now()
        self.own = make_identity("gateway", "brainpoolP256r1", now, 700, rng)
        self.meters = make_identity("meter", "brainpoolP256r1", now, 700, rng)

    async def found(self) -> FoundMeter:
        (meter,) = await self.master.discover()
        return meter

    async def pair(self) -> None:
        end = SymGateway(self.bus.keys["meter"], SERVER_ID, self.meters, self.own.certificate)
        async with self.master.connect(await self.found(), Selector.SYM) as link:
            request: bytes | None = end.start()
            while request is not None:
                request = end.feed(await link.ask(request))
        assert end.result is not None
        self.told = end.result

    async def read_secured(self, own: Identity, meters: Identity, settings: TlsSettings | None = None) -> SmlFile:
        end = TlsEnd.gateway(own, meters.certificate, self.clock.now(), settings or TlsSettings())
        async with self.master.connect(await self.found(), Selector.TLS_COSEM) as link:
            flight = end.start()
            while not end.established:
                flight = end.feed(await link.ask(flight))
            end.feed(await link.ask(flight + end.send(_get_list())))
            (file,) = FileReader().feed(end.received())
        self.suite = end.suite
        assert isinstance(file, SmlFile)
        return file

    async def read_clear(self) -> SmlFile:
        async with self.master.connect(await self.found(), Selector.COSEM_CLEAR) as link:
            return decode_file(await link.ask(_get_list()))


def _get_list() -> bytes:
    bodies = [OpenRequest(b"bench", b"1"), GetListRequest(b"bench", SERVER_ID), CloseRequest()]
    return encode_file(encode_messages([Message(bytes((index,)), index, 0, body) for index, body in enumerate(bodies)]))


async def test_a_new_meter_is_read_in_the_clear_and_through_tls_once_it_is_paired(
    clock: Clock, rng: random.Random
) -> None:
    """lmn-wired 3.1: before pairing in the clear, after the exchange of certificates TLS only."""
    gateway = Gateway(clock, rng, None)
    assert len((await gateway.read_clear()).messages) == 3
    await gateway.pair()
    assert len((await gateway.read_secured(gateway.own, gateway.meters)).messages) == 3
    with pytest.raises(MeterSilent):
        await gateway.read_clear()
    async with SmartyClient(clock, gateway.master, await gateway.found()) as client:
        assert await client.firmware() == "ENSO-MME V2.0", "the service protocol has its own selector"
    gateway.bus.close()


async def test_a_meter_takes_every_suite_and_prefers_one(clock: Clock, rng: random.Random) -> None:
    """lmn-wired 3.1 and 3.2: step 2 names four suites, and the meter keeps its word."""
    gateway = Gateway(clock, rng, None, SMARTY.model_copy(update={"suite": "C02C"}))
    await gateway.pair()
    assert gateway.told.suites == (0xC02C, 0xC023, 0xC024, 0xC02B)
    await gateway.read_secured(gateway.own, gateway.meters)
    assert gateway.suite == 0xC02C
    for suite in SUITES:
        await gateway.read_secured(gateway.own, gateway.meters, TlsSettings(suites=(suite,)))
        assert gateway.suite == suite
    gateway.bus.close()


async def test_a_meter_names_the_curves_that_it_takes(clock: Clock, rng: random.Random) -> None:
    """lmn-wired 3.2, step 2."""
    defaults = LmnDefaults().overridden({"curves": ["brainpoolP256r1", "P-256"]})
    gateway = Gateway(clock, rng, None, defaults=defaults)
    await gateway.pair()
    assert gateway.told.curves == (26, 23)
    gateway.bus.close()


async def test_pairing_survives_with_a_state_folder_and_not_without(
    clock: Clock, rng: random.Random, tmp_path: Path
) -> None:
    first = Gateway(clock, rng, tmp_path)
    await first.pair()
    first.bus.close()
    second = Gateway(clock, rng, tmp_path)
    assert len((await second.read_secured(first.own, first.meters)).messages) == 3
    second.bus.close()
    third = Gateway(clock, rng, None)
    assert len((await third.read_clear()).messages) == 3
    third.bus.close()


async def test_registers_and_second_index_go_on_where_they_were(
    clock: Clock, rng: random.Random, tmp_path: Path
) -> None:
    values = []
    for _ in range(2):
        gateway = Gateway(clock, rng, tmp_path)
        await clock.sleep(3600)
        meter = gateway.bus.meters["meter"]
        values.append((meter.totals()[0], meter.second_index()))  # type: ignore[union-attr]
        gateway.bus.close()
    assert values == [(500, 3600), (1000, 7200)]


async def test_a_meter_that_is_not_plugged_in_is_not_found(clock: Clock) -> None:
    near, far = memory_pair(clock)
    bus = EmulatedBus(clock, far, seed=1)
    bus.add("meter", SMARTY.model_copy(update={"plugged": False}))
    master = LmnMaster(clock, near)
    assert await master.discover() == []
    bus.stations["meter"].plug(True)
    assert len(await master.discover()) == 1
    bus.close()


async def test_a_tool_reads_through_an_adapter_that_hears_itself(clock: Clock) -> None:
    adapter, path = pty_pair(clock, LineSettings(), name="adapter")
    wires, meters = memory_pair(clock)
    bus = EmulatedBus(clock, meters, seed=1)
    bus.add("meter", SMARTY)

    def hear(data: bytes) -> None:
        adapter.write(data)
        wires.write(data)

    adapter.set_receiver(hear)
    wires.set_receiver(adapter.write)
    port = open_adapter(clock, AdapterSettings(path, echo=True))
    master = LmnMaster(clock, port)
    (meter,) = await master.discover()
    async with SmartyClient(clock, master, meter) as client:
        assert await client.firmware() == "ENSO-MME V2.0"
        assert (await client.update_log()).entries == ()
    assert port.spoilt_echoes == 0
    assert master.troubles == []
    for one in (port, bus, adapter):
        one.close()


async def test_a_meter_of_another_maker_is_no_smarty(clock: Clock) -> None:
    bus = EmulatedBus(clock, memory_pair(clock)[0])
    with pytest.raises(UsageError, match="SAG"):
        bus.add("meter", GivenMeter(type="smarty_bz_plus_v2", id="1EMH0005975894"))
    bus.close()
