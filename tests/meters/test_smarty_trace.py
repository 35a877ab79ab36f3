"""The whole connection of the maker's trace against the emulated meter on a bus (lmn-wired 2, rows 3 to 14)."""

from __future__ import annotations

import random

import pytest
from hand_made import frame
from smarty_tool import IMAGE

from devices.clock import Clock
from devices.meters.smarty_bz import SmartyBz
from devices.meters.wired_station import WiredStation
from devices.ports.memory import memory_pair
from devices.protocols.smarty_service import Command, Request
from devices.protocols.smarty_update import BLOCK_OCTETS, begin_data, block_data
from devices.rs485.bus import Rs485Bus

IDENTITY = bytes.fromhex("000311EDAC")
VERSION = bytes.fromhex("000312DF37")

ROWS = [
    (3, "7E A009 CCE1 02E1 93 003B 7E", "7E A009 02E1 CCE1 73 40EC 7E"),
    (5, "7E A010 CCE1 02E1 10 50EA 000311EDAC 7340 7E", "7E A009 02E1 CCE1 31 568D 7E"),
    (7, "7E A009 CCE1 02E1 11 1A9C 7E", "7E A029 02E1 CCE1 30 BF19 801C11444E"),
    (9, "7E A010 CCE1 02E1 32 40E8 000312DF37 5F00 7E", "7E A009 02E1 CCE1 51 50EE 7E"),
    (11, "7E A009 CCE1 02E1 31 18BD 7E", "7E A01D 02E1 CCE1 52 D78E 801012454E"),
    (13, "7E A009 CCE1 02E1 51 1EDE 7E", "7E A009 02E1 CCE1 51 50EE 7E"),
]
"""Row, what the tool sends, and how the meter's answer begins; octets printed wrongly are mended by the sheet."""


class Line:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.port, far = memory_pair(clock, ("tool", "bus"))
        self.heard = bytearray()
        self.port.set_receiver(self.heard.extend)
        self.meter = SmartyBz(clock)
        self.station = WiredStation(
            clock, Rs485Bus(clock, far), self.meter, random.Random(1), address=0x66, services=self.meter.services()
        )
        self.meter.on_bus = self.station.processor
        self._sequence = 0

    async def say(self, octets: bytes) -> bytes:
        self.heard.clear()
        self.port.write(octets)
        await self.clock.sleep(0.05)
        return bytes(self.heard)

    async def ask(self, request: Request) -> bytes:
        """Information of the answer to a request on the open link; empty when nothing comes."""
        here = self._sequence
        self._sequence = here + 1 & 7
        await self.say(frame(f"CCE102E1{here << 5 | 0x10 | here << 1:02X}", request.to_bytes()))
        answer = await self.say(frame(f"CCE102E1{here << 5 | 0x11:02X}"))
        return answer[10:-3]


async def test_the_connection_of_the_trace_runs_octet_by_octet(clock: Clock) -> None:
    line = Line(clock)
    for row, sent, answer in ROWS:
        heard = await line.say(bytes.fromhex(sent))
        assert heard.startswith(bytes.fromhex(answer)), f"row {row}"
        assert heard.endswith(b"\x7e")
        if row == 11:
            assert b"ENSO-MME V2.0" in heard


async def test_the_bus_is_silent_while_new_firmware_is_installed(clock: Clock) -> None:
    line = Line(clock)
    await line.say(frame("CCE102E193"))
    await line.ask(Request(Command.UPDATE_BEGIN, begin_data(len(IMAGE))))
    for start in range(0, len(IMAGE), BLOCK_OCTETS):
        await line.ask(Request(Command.UPDATE_BLOCK, block_data(start, IMAGE[start : start + BLOCK_OCTETS])))
    await line.ask(Request(Command.UPDATE_CHECK))
    await clock.sleep(3)
    assert (await line.ask(Request(Command.UPDATE_ACTIVATE)))[:3] == bytes.fromhex("80 12 34")
    await clock.sleep(1)
    assert await line.say(frame("CCE102E193")) == b"", "the application CPU is stopped"
    assert await line.say(frame("FE03020313")) == b"", "invitations go unanswered too"
    await clock.sleep(25)
    assert line.station.address is None, "it has booted anew"
    invited = await line.say(frame("FE03020313"))
    assert len(invited) == 45
    assert line.meter.firmware == "ENSO-MME V2.1"


@pytest.mark.parametrize("after_s", [0.2, 5.0, 22.7])
async def test_a_meter_whose_mains_went_while_it_installed_answers_invitations_again(
    clock: Clock, after_s: float
) -> None:
    line = Line(clock)
    tool = line.meter.application_cpu
    for request in (
        Request(Command.UPDATE_BEGIN, begin_data(len(IMAGE))),
        *(
            Request(Command.UPDATE_BLOCK, block_data(start, IMAGE[start : start + BLOCK_OCTETS]))
            for start in range(0, len(IMAGE), BLOCK_OCTETS)
        ),
        Request(Command.UPDATE_CHECK),
    ):
        tool.message(request.to_bytes())
    await clock.sleep(3)
    tool.message(Request(Command.UPDATE_ACTIVATE).to_bytes())
    await clock.sleep(after_s)
    line.station.power(False)
    await clock.sleep(100)
    line.station.power(True)
    await clock.sleep(2)
    assert len(await line.say(frame("FE03020313"))) == 45
    assert [entry.version for entry in line.meter.metrology_cpu.log().entries] == ["V2.1" if after_s > 20.5 else ""]
