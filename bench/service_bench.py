"""The bench as a service tool on a meter's bus: the meter itself is the device under test, no gateway is plugged in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.timeline import Timeline
from devices.clock import Clock
from devices.errors import DeviceError
from devices.meters.smarty_bz import SmartyBz
from devices.protocols.hdlc import same_id
from devices.protocols.smarty_service import CrcOrder
from devices.protocols.update_log import UpdateLog
from devices.rs485.master import FoundMeter, LmnMaster
from devices.rs485.smarty_client import SmartyClient


class ServiceBench:
    """Master on the meter's bus.

    Args:
        clock: the laboratory's.
        timeline: where what was seen goes.
        master: on the bus.
        emulated: the meter behind, where it is emulated.
        crc_order: of the inner check of the service protocol (likely, not proven).
    """

    def __init__(
        self,
        clock: Clock,
        timeline: Timeline,
        master: LmnMaster,
        emulated: dict[str, SmartyBz],
        *,
        crc_order: CrcOrder = CrcOrder.HIGH_FIRST,
    ) -> None:
        self._crc_order = crc_order
        self.master = master
        self.emulated = emulated
        self._clock = clock
        self._timeline = timeline

    @asynccontextmanager
    async def client(self, meter: str, server_id: bytes) -> AsyncIterator[SmartyClient]:
        """A link to the service protocol of the meter, found anew by invitation; DeviceError when it is not there."""
        found = await self._find(server_id)
        self._timeline.add("service", "found", {"meter": meter, "address": found.address})
        async with SmartyClient(self._clock, self.master, found, crc_order=self._crc_order) as client:
            yield client

    async def _find(self, server_id: bytes) -> FoundMeter:
        known = self.master.meters.values()
        present = await self.master.present() if known else []
        for one in present or await self.master.discover():
            if same_id(one.server_id, server_id):
                return one
        for one in await self.master.discover(present):
            if same_id(one.server_id, server_id):
                return one
        raise DeviceError(f"the meter {server_id.hex().upper()} does not answer invitations on its bus")

    def keep(self, meter: str, log: UpdateLog) -> None:
        """Put an update log that was read on the timeline, as evidence."""
        self._timeline.add(
            "service",
            "update_log",
            {
                "meter": meter,
                "server_id": log.server_id.hex(),
                "public_key": log.public_key.hex(),
                "count": log.status.count,
                "full": log.status.full,
                "status_signature": log.status_signature.hex(),
                "entries": [
                    {
                        "number": entry.number,
                        "second_index": entry.second_index,
                        "event": int(entry.event),
                        "1.8.0": entry.register_1_8_0,
                        "2.8.0": entry.register_2_8_0,
                        "version": entry.version,
                        "crc": f"{entry.crc:04x}",
                    }
                    for entry in log.entries
                ],
                "entries_signature": log.entries_signature.hex(),
            },
        )
