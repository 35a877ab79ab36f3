"""The service for wired meters: finds them, keeps them paired, reads them, tells what goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from devices.errors import UsageError
from devices.ports.hdlc_master import LinkTrouble
from devices.protocols.hdlc import ID_LENGTH, Selector, same_id
from devices.protocols.lmn_tls import LmnTlsError
from devices.protocols.sml.errors import SmlError
from firmware.control import Control
from firmware.fault_codes import BUS_CODES
from firmware.lmn.keys import KeyStore, certificate_of
from firmware.lmn.links import MeterLink, link_limits
from firmware.lmn.list_reading import list_request, read_list
from firmware.lmn.meter import WiredMeter
from firmware.lmn.states import Sign
from firmware.lmn.trouble import Trouble
from firmware.lmn.upkeep import LINK_REST_S, Upkeep
from firmware.lmn.wired import Station, WiredBus
from firmware.metering.registration import ActiveProfile
from firmware.metering.values import Entry
from firmware.own_clock import OwnClock, iso, to_us
from firmware.storage.memory import setting_statement
from firmware.storage.writer import PowerLost, StorageWriter
from firmware.unit import Unit

ADDRESSES = "hdlc_addresses"
ATTEMPTS = 3
"""How often one reading is tried within its window."""


class LmnService:
    """Everything about wired meters in one run of the firmware.

    Args:
        unit: cable, options, memory.
        control: where events go.
        writer: how the address list and the keys are kept.
        own: the gateway's clock.
        changed: called when meters came or went.
    """

    def __init__(
        self, unit: Unit, control: Control, writer: StorageWriter, own: OwnClock, changed: Callable[[], None]
    ) -> None:
        self._unit = unit
        self._control = control
        self._changed = changed
        self.profiles: Callable[[], Mapping[str, ActiveProfile]] = dict
        """Gives the profiles in force."""
        self._meters: dict[bytes, WiredMeter] = {}
        self._requests = 0
        self._limits = link_limits(unit.options, unit.options.read_patience_s)
        self._trouble = Trouble(unit, control)
        self.bus = WiredBus(unit.clock, unit.cables.lmn, unit.options, unit.memory.setting(ADDRESSES, []))
        self.bus.on_present = self._present
        self.bus.on_lost = self._lost
        self.bus.on_error = self._bus_error
        self.bus.on_changed = lambda records: writer.put([setting_statement(ADDRESSES, records)])
        store = KeyStore(unit.memory, writer)
        self._upkeep = Upkeep(unit, control, own, store, self.bus.master, self._meters, self._trouble)
        self._upkeep.next_request = self._next_request

    @property
    def present(self) -> list[Station]:
        """Meters that have an address and answer."""
        return self.bus.present

    async def run(self) -> None:
        """Invite, check and attend for ever."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self.bus.run())
            both.create_task(self._upkeep.run())

    def stop(self) -> None:
        """Hear nothing more."""
        self.bus.close()

    # --- what the administrator does

    def profiles_changed(self) -> None:
        """A profile was put in force: its meter may be paired now."""
        for meter in self._meters.values():
            profile = self._profile_of(meter.device_id)
            if profile is not None and profile != meter.profile:
                meter.profile = profile
                meter.give_chance()
        self._upkeep.wake()

    async def leave(self, server_id: bytes, *, forget: bool) -> None:
        """A profile is out of force: leave its meter alone once nobody talks to it, and `forget` its keys for good."""
        for meter in tuple(self._meters.values()):
            if same_id(meter.device_id, server_id):
                async with meter.busy:
                    if self._profile_of(meter.device_id) is None:
                        meter.hang_up()
                        meter.profile = None
        if forget and not any(one.server_id == server_id for one in self.profiles().values()):
            with contextlib.suppress(PowerLost):
                await self._upkeep.store.forget(server_id)
        self._upkeep.wake()

    async def order_crypto_reset(self, meter: str) -> None:
        """Put a meter back to its initial key and pair it again. Raises UsageError for one that is not so read."""
        profile = self.profiles().get(meter)
        if profile is None:
            raise UsageError(f"no meter {meter!r} has a profile", hint=f"known: {', '.join(self.profiles()) or 'none'}")
        if not profile.secured or profile.key is None:
            raise UsageError(f"meter {meter!r} is not paired: its profile says so, or has no key")
        await self._upkeep.order_reset(profile.server_id)

    async def renew_certificates(self) -> None:
        """Replace the gateway's certificate and those of all meters."""
        await self._upkeep.renew()

    def shown(self) -> list[dict[str, Any]]:
        """The meters as the maintenance port shows them."""
        return [self._one_shown(meter) for meter in self._meters.values()]

    def _one_shown(self, meter: WiredMeter) -> dict[str, Any]:
        keys = None if meter.profile is None else self._upkeep.store.of(meter.profile.server_id)
        paired = None if keys is None else keys.paired
        certificate = None if paired is None else certificate_of(paired.identity)
        session = meter.session
        return {
            "server_id": meter.device_id.hex(),
            "meter": None if meter.profile is None else meter.profile.meter,
            "address": meter.address,
            "state": meter.state.value,
            "security": "tls" if meter.secured else "clear",
            "certificate": None if certificate is None else certificate.fingerprint,
            "certificate_until": None if certificate is None else iso(to_us(certificate.not_after)),
            "operational_key": keys is not None and keys.operational is not None,
            "suite": None if session is None or session.suite is None else f"{session.suite:04X}",
        }

    # --- reading

    async def read(self, profile: ActiveProfile, within_s: float) -> tuple[Entry, ...] | None:
        """Read the list of the meter that belongs to `profile`; None when that does not succeed in `within_s`."""
        meter = next((one for one in self._meters.values() if same_id(one.device_id, profile.server_id)), None)
        if meter is None or meter.address is None:
            return None
        meter.profile = profile
        self._upkeep.reading(True)
        begun = False
        try:
            async with asyncio.timeout(within_s), meter.busy:
                begun = True
                for _ in range(ATTEMPTS):
                    entries = await self._try(meter, profile)
                    if entries is not None:
                        meter.follow(Sign.READ)
                        if self._unit.options.log_meter_packets:
                            self._control.event("meter_packet_received", meter=profile.meter)
                        return entries
                    if meter.address is None or (profile.secured and meter.barred):
                        break
        except TimeoutError:
            if begun:
                meter.hang_up()
            self._tell("hdlc_read_timeout", meter, "the reading took too long")
        finally:
            self._upkeep.reading(False)
            self._upkeep.wake(meter)
        return None

    async def _try(self, meter: WiredMeter, profile: ActiveProfile) -> tuple[Entry, ...] | None:
        client = self._unit.config.device_id.encode()
        request = list_request(self._next_request(), client, profile.server_id)
        try:
            answer = await (self._ask_secured(meter, request) if profile.secured else self._ask_clear(meter, request))
            if answer is None:
                return None
            found = read_list(answer)
        except SmlError as error:
            self._tell("meter_data_invalid", meter, str(error))
            return None
        if found.server_id and found.server_id != profile.server_id:
            self._tell("meter_id_mismatch", meter, f"it is {found.server_id.hex()}")
            return None
        return found.entries

    async def _ask_clear(self, meter: WiredMeter, request: bytes) -> bytes | None:
        link, clock = meter.clear_link, self._unit.clock
        assert meter.address is not None
        try:
            if link is None or not link.up or clock.seconds() - link.used_at > LINK_REST_S:
                meter.hang_up()
                link = MeterLink(clock, self.bus.master, meter.address, Selector.COSEM_CLEAR, self._limits)
                await link.connect()
                meter.clear_link = link
                meter.follow(Sign.LINKED)
            return await link.ask(request)
        except LinkTrouble as trouble:
            meter.hang_up()
            self._tell(f"hdlc_{trouble.kind}", meter, str(trouble))
            return None

    async def _ask_secured(self, meter: WiredMeter, request: bytes) -> bytes | None:
        if meter.barred and self._unit.clock.seconds() < meter.retry_at:
            return None
        session = self._upkeep.standing(meter) or await self._upkeep.session(meter)
        if session is None:
            return None
        try:
            return await session.ask(request)
        except (LinkTrouble, LmnTlsError) as error:
            self._upkeep.broken(meter, error)
            return None

    def _next_request(self) -> int:
        self._requests += 1
        return self._requests

    # --- what happens on the bus

    def _profile_of(self, device_id: bytes) -> ActiveProfile | None:
        return next((one for one in self.profiles().values() if same_id(one.server_id, device_id)), None)

    def _meter(self, station: Station) -> WiredMeter:
        key = station.device_id.ljust(ID_LENGTH, b"\0")
        meter = self._meters.get(key)
        if meter is None:
            meter = self._meters[key] = WiredMeter(station.device_id)
        meter.profile = self._profile_of(station.device_id)
        return meter

    def _present(self, station: Station, new: bool) -> None:
        meter = self._meter(station)
        meter.found(station.address)
        self._upkeep.wake(meter)
        if new:
            self._control.event("meter_address_assigned", server_id=station.device_id.hex(), address=station.address)
        self._changed()

    def _lost(self, station: Station) -> None:
        meter = self._meter(station)
        meter.lost()
        self._control.event(
            "meter_unreachable",
            outcome="failure",
            server_id=station.device_id.hex(),
            meter=meter.name,
            code=BUS_CODES["meter_unreachable"],
        )
        self._changed()

    def _bus_error(self, kind: str, address: int | None, reason: str) -> None:
        station = self.bus.stations.get(address) if address is not None else None
        meter = "unknown" if station is None else station.device_id.hex()
        self._trouble.tell(f"hdlc_{kind}", meter, address, reason)

    def _tell(self, event: str, meter: WiredMeter, reason: str) -> None:
        self._trouble.tell(event, meter.name, meter.address, reason)
