"""Assembles the rig of one case: opens devices, lays cables, plugs the gateway in, and takes all apart again."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.assumptions import note_gateway
from bench.config import BenchFile
from bench.emulation import EmulatedGatewayPlug, KnownMeter, OwnUnit, Sockets, realm_of
from bench.equipment import MainsContact, open_leds, open_mains, open_reference_meter
from bench.han_access import HanAccess
from bench.han_models import CONSUMER, HanOnBench
from bench.han_site import EmulatedSite, make_users
from bench.meter_bus import MeterBus
from bench.records import HanRecords, Records
from bench.rig import Rig
from bench.scenario.loader import Case
from bench.store import write_json
from bench.timeline import Timeline
from bench.wires import cable, lmn_port, note_spoilt_echoes, service_port
from devices.backoffice.time_server import TimeRequest, TimeServer
from devices.clock import Clock
from devices.errors import BenchError
from devices.gateway_types.model import GatewayType
from devices.han.login import Settings
from devices.leds.vcd import VcdWriter
from devices.leds.watch import LedWatch
from devices.maintenance import MaintenancePort
from devices.network.patch_field import FrameSeen, PatchField
from devices.network.router import Router
from devices.ports.base import BytePort
from devices.ports.led_lines import LedEdge, LedSource
from devices.ports.memory import memory_pair
from devices.ports.radio import Antenna
from devices.protocols.libssl import seeded_randomness


@asynccontextmanager
async def open_rig(
    clock: Clock, timeline: Timeline, case: Case, product: GatewayType | None, bench: BenchFile, folder: Path, seed: int
) -> AsyncIterator[Rig]:
    """The rig, ready for the first step; everything opened is closed again, whatever happens.

    Raises:
        BenchError: a device of the bench is missing or does not answer.
    """
    rig = Rig(clock, timeline, case.scenario, product, bench, folder)
    async with AsyncExitStack() as stack:
        if bench.time == "virtual":
            # TLS between emulated ends gives the same octets for the same seed; a real device gets real randomness.
            stack.enter_context(seeded_randomness(random.Random(f"{seed} tls")))
        builder = _Builder(rig, case, folder, random.Random(seed), stack)
        await builder.build()
        try:
            yield rig
        finally:
            await _keep_records(rig, folder)


async def _keep_records(rig: Rig, folder: Path) -> None:
    """Copy logs and stored values into the case's folder while they can still be read.

    What is read at a home interface is in the evidence already, and a real gateway is not asked again for it.
    """
    if rig.fitted_han is not None:
        rig.fitted_han.keep(folder)
    if not isinstance(rig.fitted_records, Records):
        return
    try:
        write_json(folder / "logs.json", {book: await rig.records.log(book) for book in _BOOKS})
        write_json(folder / "values.json", await rig.records.values(attributes=True))
    except BenchError as error:
        rig.timeline.add("note", "records_not_kept", {"reason": str(error)})


_BOOKS = ("system", "calibration", "consumer")


class _Builder:
    """Builds one rig, piece by piece, in the order in which a technician would."""

    def __init__(self, rig: Rig, case: Case, folder: Path, rng: random.Random, stack: AsyncExitStack) -> None:
        self.rig, self.case, self.folder, self.rng, self.stack = rig, case, folder, rng, stack
        self.clock, self.timeline, self.bench = rig.clock, rig.timeline, rig.bench
        self.needs = case.scenario.all_needs()
        self.contact = MainsContact()
        self.site: EmulatedSite | None = None

    async def build(self) -> None:
        """Everything that this case needs."""
        if not self.needs:
            return
        if self.case.scenario.device is not None:
            self._service_bench()
            return
        gateway_lmn = self._wired_bus()
        await self._time_server()
        patched = self._patch_field()
        maintenance = self._maintenance()
        antenna = await self._air()
        if self.bench.gateway.emulated:
            await self._plug_emulated(gateway_lmn, patched, maintenance, antenna)
        else:
            self._sense_leds(open_leds(self.clock, self.bench.leds, None, self._note))
            self._real_home_interface()
        if self.bench.reference_meter is not None and "reference_meter" in self.needs:
            meter = self.bench.reference_meter
            self.rig.fitted_reference = await open_reference_meter(self.clock, meter, self.contact, self.stack)
        if self.bench.mains is not None:
            mains = await open_mains(self.clock, self.bench.mains, self.contact, self.timeline, self.stack)
            self.rig.fitted_mains = mains
        if self.site is not None and self.case.scenario.given.han.site == "own":
            await self.site.run_in()

    def _real_home_interface(self) -> None:
        """The user whose credentials the bench file has."""
        han = self.bench.gateway.han
        if not isinstance(han, HanOnBench) or not self.needs & {"han", "records"}:
            return
        settings, login, every = han.settings(), han.login(), han.pause(self.case.gateway)
        access = HanAccess(
            self.clock, self.timeline, self.case.gateway, lambda: settings, {CONSUMER: login}, every=every, real=True
        )
        access.assume = self.rig.assume
        self.stack.push_async_callback(access.close)
        self.rig.fitted_han = access
        if self.rig.fitted_records is None:
            self.rig.fitted_records = HanRecords(access, self.rig.gateway_type)

    def _emulated_home_interface(self, plug: EmulatedGatewayPlug) -> None:
        """The users of an emulated gateway, introduced before the first of them comes."""
        keys = Path(self.stack.enter_context(TemporaryDirectory(prefix="smgw-bench-")))
        realm = realm_of(self.case.gateway, plug.device_id)
        users = make_users(self.rig, realm, keys, random.Random(self.rng.getrandbits(32)))
        self.site = EmulatedSite(self.rig, users, lambda: plug.han_address is not None)

        def settings() -> Settings | None:
            address = plug.han_address
            return None if address is None else Settings(*address)

        access = HanAccess(
            self.clock,
            self.timeline,
            self.case.gateway,
            settings,
            {name: user.login for name, user in users.items()},
            rng=random.Random(self.rng.getrandbits(32)),
        )
        access.before = self.site.introduce
        access.assume = self.rig.assume
        self.stack.push_async_callback(access.close)
        self.rig.fitted_han = access

    def _wired_bus(self) -> BytePort:
        """The metrological bus with the given meters on it; returns the emulated gateway's end of the cable."""
        own = self.case.scenario.given.han.site == "own" and not self.bench.gateway.emulated
        if self.bench.wired_lmn is None or own:
            return memory_pair(self.clock)[1]
        port, gateway_end = lmn_port(self.clock, self.bench.wired_lmn, emulated=self.bench.gateway.emulated)
        note_spoilt_echoes(port, self.timeline)
        MeterBus(self.rig, self.case, self.folder, self.rng, self.stack).play(port)
        return gateway_end if gateway_end is not None else memory_pair(self.clock)[1]

    async def _air(self) -> Antenna | None:
        """The air with the given radio meters in it; returns the emulated gateway's antenna."""
        if self.bench.wireless_lmn is None or not self.case.scenario.given.radio_meters:
            return None
        from bench.meter_air import MeterAir  # most cases have no radio meters

        return await MeterAir(self.rig, self.case, self.folder, self.rng, self.stack).play()

    def _service_bench(self) -> None:
        """The bench in the gateway's place on the bus of the meter under test."""
        if self.bench.service_adapter is None:
            return
        own, meters_end = service_port(self.clock, self.bench.service_adapter)
        note_spoilt_echoes(own, self.timeline)
        bus = MeterBus(self.rig, self.case, self.folder, self.rng, self.stack)
        self.rig.fitted_service = bus.serve(own, meters_end)

    async def _time_server(self) -> None:
        if self.bench.time_server is None:
            return
        server = TimeServer(self.clock, self.bench.time_server.host, self.bench.time_server.port)
        await self.stack.enter_async_context(server)
        server.answering = self.case.scenario.given.time_server.server == "on"
        server.on_request = self._asked_for_time
        self.rig.fitted_time_server = server

    def _asked_for_time(self, request: TimeRequest) -> None:
        told = {"answered": request.answered} | ({"reason": request.reason} if request.reason else {})
        self.timeline.add("time", "asked", told)

    def _patch_field(self) -> dict[str, BytePort]:
        """The gateway's ends of its Ethernet cables, by socket."""
        wan, gateway_wan = memory_pair(self.clock, ("WAN", "gateway WAN"))
        han, gateway_han = memory_pair(self.clock, ("HAN", "gateway HAN"))
        if self.bench.patch_field is not None:
            field = PatchField(self.clock, {"WAN": wan, "HAN": han}, on_frame=self._frame_seen)
            self.stack.callback(field.close)
            router = Router(lambda frame: field.send("WAN", frame))
            field.listen("WAN", router.receive)
            self.rig.fitted_patch_field = field
        return {"WAN": gateway_wan, "HAN": gateway_han}

    def _frame_seen(self, frame: FrameSeen) -> None:
        data = {"socket": frame.socket, "network": frame.network, "to": list(frame.forwarded_to)}
        self.timeline.add("network", "frame", {**data, "hex": frame.data.hex()}, t=frame.t)

    def _maintenance(self) -> BytePort:
        if self.bench.maintenance is None:
            return memory_pair(self.clock)[1]
        bench_end, gateway_end = cable(self.clock, self.bench.maintenance, "maintenance", None)
        port = MaintenancePort(self.clock, bench_end)
        self.stack.callback(port.close)
        self.rig.fitted_maintenance = port
        self.rig.fitted_records = Records(port)
        return gateway_end

    async def _plug_emulated(
        self, lmn: BytePort, patched: dict[str, BytePort], maintenance: BytePort, antenna: Antenna | None
    ) -> None:
        given = self.case.scenario.given.gateway
        known = [
            KnownMeter(
                self.rig.meter_id(name),
                _seconds(self.rig.given_meter(name).registration_period),
                self.rig.key_in_profile(name),
                name in self.rig.radio_meters,
            )
            for name in (*self.rig.meters, *self.rig.radio_meters)
            if self.rig.given_meter(name).profile
        ]
        server = self.rig.fitted_time_server
        plug = EmulatedGatewayPlug(
            self.clock,
            self.rig.gateway_type,
            Sockets(lmn, patched["WAN"], patched["HAN"], maintenance, antenna),
            time_server=None if server is None else server.address,
            meters=known,
            lifecycle=given.lifecycle,
            options={**self.bench.gateway.options, **given.options},
            rng=random.Random(self.rng.getrandbits(32)),
            unit=OwnUnit(han=("127.0.0.1", 0) if "han" in self.needs else None),
        )
        note_gateway(self.rig, plug)
        self.stack.push_async_callback(plug.close)
        if "han" in self.needs:
            self._emulated_home_interface(plug)
        self.contact.wire(plug.mains)
        if self.rig.fitted_patch_field is not None:
            self.rig.fitted_patch_field.on_link = plug.link
        self._sense_leds(open_leds(self.clock, self.bench.leds, plug.leds, self._note))

    def _note(self, text: str) -> None:
        self.timeline.add("note", "led_sensing", {"text": text})

    def _sense_leds(self, leds: LedSource | None) -> None:
        if leds is None:
            return
        writer = VcdWriter(self.folder / "leds.vcd", leds.lines, leds.levels(), start=self.clock.seconds())
        self.stack.callback(lambda: writer.close(self.clock.seconds()))

        def seen(edge: LedEdge) -> None:
            writer.write(edge)
            self.timeline.add("led", "edge", {"line": edge.line, "lit": edge.lit}, t=edge.t)

        watch = LedWatch(self.clock.seconds, leds)
        self.stack.callback(watch.close)
        self.stack.callback(leds.subscribe(seen))
        self.rig.fitted_leds = watch


def _seconds(span: timedelta | None) -> int | None:
    return None if span is None else int(span.total_seconds())
