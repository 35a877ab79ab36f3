"""The service for wired meters: finds them, reads them, tells what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from devices.ports.hdlc_master import LinkTrouble
from devices.protocols.hdlc import Selector, same_id
from devices.protocols.hdlc_link import LinkLimits, PrimaryLink, PrimaryState
from devices.protocols.sml.errors import SmlError
from firmware.control import Control
from firmware.fault_codes import BUS_CODES, BUS_EVENTS
from firmware.lmn.list_reading import list_request, read_list
from firmware.lmn.wired import Station, WiredBus
from firmware.metering.registration import ActiveProfile
from firmware.metering.values import Entry
from firmware.own_clock import OwnClock
from firmware.storage.memory import setting_statement
from firmware.storage.writer import StorageWriter
from firmware.unit import Unit

ADDRESSES = "hdlc_addresses"
ATTEMPTS = 3
"""How often one reading is tried within its window."""
LINK_REST_S = 100.0
"""A link unused for longer is set up anew: meters forget it after 120 s (lmn-wired 1.7)."""


class LmnService:
    """Everything about wired meters in one run of the firmware.

    Args:
        unit: cable, options, memory.
        control: where events go.
        writer: how the address list is kept.
        own: the gateway's clock.
        changed: called when meters came or went.
    """

    def __init__(
        self, unit: Unit, control: Control, writer: StorageWriter, own: OwnClock, changed: Callable[[], None]
    ) -> None:
        self._unit = unit
        self._control = control
        self._own = own
        self._changed = changed
        self.profiles: Callable[[], Mapping[str, ActiveProfile]] = dict
        """Gives the profiles in force, to name a meter that is lost."""
        self._links: dict[int, PrimaryLink] = {}
        self._used: dict[int, float] = {}
        self._told: dict[tuple[str, int | None], float] = {}
        self._requests = 0
        options = unit.options
        self._limits = LinkLimits(
            response_timeout_s=options.link_response_timeout_s,
            retries=options.link_retries,
            poll_interval_s=options.poll_pause_s,
            answer_polls=max(1, round(options.read_patience_s / options.poll_pause_s)),
        )
        self.bus = WiredBus(unit.clock, unit.cables.lmn, options, unit.memory.setting(ADDRESSES, []))
        self.bus.on_present = self._present
        self.bus.on_lost = self._lost
        self.bus.on_error = self._bus_error
        self.bus.on_changed = lambda records: writer.put([setting_statement(ADDRESSES, records)])

    @property
    def present(self) -> list[Station]:
        """Meters that have an address and answer."""
        return self.bus.present

    async def run(self) -> None:
        """Invite and check for ever."""
        await self.bus.run()

    def stop(self) -> None:
        """Hear nothing more."""
        self.bus.close()

    async def read(self, profile: ActiveProfile, within_s: float) -> tuple[Entry, ...] | None:
        """Read the list of the meter that belongs to `profile`; None when that does not succeed in `within_s`."""
        station = next((one for one in self.present if same_id(one.device_id, profile.server_id)), None)
        if station is None:
            return None
        try:
            async with asyncio.timeout(within_s), self.bus.lock:
                for _ in range(ATTEMPTS):
                    entries = await self._try(station, profile)
                    if entries is not None:
                        return entries
        except TimeoutError:
            self._forget(station.address)
            self._tell("hdlc_read_timeout", profile.meter, station.address, "the reading took too long")
        return None

    async def _try(self, station: Station, profile: ActiveProfile) -> tuple[Entry, ...] | None:
        self._requests += 1
        client = self._unit.config.device_id.encode()
        try:
            answer = await self._ask(station, list_request(self._requests, client, profile.server_id))
            found = read_list(answer)
        except LinkTrouble as trouble:
            self._forget(station.address)
            self._tell(f"hdlc_{trouble.kind}", profile.meter, station.address, str(trouble))
            return None
        except SmlError as error:
            self._tell("meter_data_invalid", profile.meter, station.address, str(error))
            return None
        if found.server_id and found.server_id != profile.server_id:
            self._tell("meter_id_mismatch", profile.meter, station.address, f"it is {found.server_id.hex()}")
            return None
        return found.entries

    async def _ask(self, station: Station, request: bytes) -> bytes:
        link = self._links.get(station.address)
        now = self._unit.clock.seconds()
        if link is None or now - self._used[station.address] > LINK_REST_S or link.state is PrimaryState.DOWN:
            link = PrimaryLink(station.address, Selector.COSEM_CLEAR, self._limits)
            self._links[station.address] = link
            await self.bus.master.drive(link, link.connect())
        answer = await self.bus.master.drive(link, link.send(request))
        self._used[station.address] = self._unit.clock.seconds()
        if answer is None:
            raise LinkTrouble("read_timeout", "the meter had no answer")
        return answer

    def _forget(self, address: int) -> None:
        self._links.pop(address, None)

    def _present(self, station: Station, new: bool) -> None:
        if new:
            self._control.event("meter_address_assigned", server_id=station.device_id.hex(), address=station.address)
        self._changed()

    def _lost(self, station: Station) -> None:
        self._forget(station.address)
        profiles = self.profiles().values()
        meter = next((one.meter for one in profiles if same_id(one.server_id, station.device_id)), None)
        self._control.event(
            "meter_unreachable",
            outcome="failure",
            server_id=station.device_id.hex(),
            meter=meter or station.device_id.hex(),
            code=BUS_CODES["meter_unreachable"],
        )
        self._changed()

    def _bus_error(self, kind: str, address: int | None, reason: str) -> None:
        station = self.bus.stations.get(address) if address is not None else None
        meter = "unknown" if station is None else station.device_id.hex()
        self._tell(f"hdlc_{kind}", meter, address, reason)

    def _tell(self, event: str, meter: str, address: int | None, reason: str) -> None:
        """Log trouble on the bus, the same one at most once per interval."""
        now = self._unit.clock.seconds()
        last = self._told.get((event, address))
        if last is None or now - last >= self._unit.options.bus_error_log_interval_s:
            self._told[event, address] = now
            known = self._unit.product.data.events
            name = next((one for one in BUS_EVENTS.get(event, ()) if one in known), event)
            code = BUS_CODES.get(event, "")
            self._control.event(
                name, outcome="failure", meter=meter, reason=reason, warning=f"{code} {reason}", code=code
            )
