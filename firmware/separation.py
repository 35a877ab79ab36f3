"""Test of the sockets: whether WAN and HAN are separated, and whether each has its own network.

A frame goes out of one socket and is listened for on the other; and the router of the WAN is asked for out of both.
Nobody tells the gateway that its sockets were joined or exchanged; it finds out, as in [CONEXA] D-2.3 and [CASA]
faults 900137 and 900135.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable
from enum import Enum

from devices.clock import Clock
from devices.ports.base import BytePort, PortLost
from firmware.checks import Finding
from firmware.control import Control
from firmware.unit import Unit

ETHERTYPE = b"\x88\xb5"
"""Local experimental EtherType 1 of IEEE 802 (assumed; what products send is not known)."""

ARP = b"\x08\x06"
"""EtherType of the address resolution protocol, RFC 826."""

_IPV4_OVER_ETHERNET = bytes.fromhex("000108000604")
_ARP_REQUEST, _ARP_REPLY = b"\0\1", b"\0\2"
_BROADCAST = b"\xff" * 6
_MARK = b"SEPTEST"
_MINIMUM_FRAME = 60


class Cabling(Enum):
    """What the test of the sockets found."""

    GOOD = "good"
    JOINED = "WAN and HAN are joined"
    SWAPPED = "WAN and HAN are exchanged"


CAUSES = {Cabling.JOINED: "wan_han_not_separated", Cabling.SWAPPED: "wan_han_swapped"}
"""Wrong cabling -> cause of an operating state."""


class SeparationProbe:
    """The layer 2 side of both sockets.

    Args:
        clock: for the time to listen.
        wan: WAN socket.
        han: HAN socket.
        rng: makes the nonce by which an own probe is known again.
        wait_s: how long to listen after sending, in seconds.
        router: IPv4 address of the router in the WAN.
    """

    def __init__(
        self, clock: Clock, wan: BytePort, han: BytePort, rng: random.Random, wait_s: float, router: str
    ) -> None:
        self._clock = clock
        self._sockets = {"wan": wan, "han": han}
        self._mac = b"\x02" + rng.randbytes(5)
        self._rng = rng
        self._wait_s = wait_s
        self._router = ipaddress.IPv4Address(router).packed
        self._expected: dict[str, bytes] = {}
        self._joined = False
        self._routers: set[str] = set()
        self.on_frame: dict[str, Callable[[bytes], None]] = {}
        """Who else wants the frames that arrive at ``wan`` or ``han``."""
        wan.set_receiver(lambda data: self._arrived("wan", data))
        han.set_receiver(lambda data: self._arrived("han", data))

    async def cabling(self) -> Cabling:
        """Send probes out of both sockets and say what came back."""
        self._joined = False
        self._routers.clear()
        for source, port in self._sockets.items():
            far = "han" if source == "wan" else "wan"
            nonce = self._rng.randbytes(16)
            self._expected[far] = nonce
            frame = _BROADCAST + self._mac + ETHERTYPE + _MARK + source.encode() + nonce
            question = _BROADCAST + self._mac + ARP + _IPV4_OVER_ETHERNET + _ARP_REQUEST
            question += self._mac + bytes(10) + self._router
            try:
                port.write(frame.ljust(_MINIMUM_FRAME, b"\0"))
                port.write(question.ljust(_MINIMUM_FRAME, b"\0"))
            except PortLost:
                continue
        await self._clock.sleep(self._wait_s)
        self._expected.clear()
        if self._joined:
            return Cabling.JOINED
        return Cabling.SWAPPED if self._routers == {"han"} else Cabling.GOOD

    def close(self) -> None:
        """Both sockets go deaf."""
        for port in self._sockets.values():
            port.set_receiver(None)

    def _arrived(self, socket: str, frame: bytes) -> None:
        nonce = self._expected.get(socket)
        if nonce is not None and frame[12:14] == ETHERTYPE and nonce in frame:
            self._joined = True
        if frame[12:14] == ARP and frame[20:22] == _ARP_REPLY and frame[28:32] == self._router:
            self._routers.add(socket)
        listener = self.on_frame.get(socket)
        if listener is not None:
            listener(frame)


class SeparationWatch:
    """Runs the test now and then and draws the consequences.

    Args:
        unit: sockets and intervals.
        control: who is told.
    """

    def __init__(self, unit: Unit, control: Control) -> None:
        self._unit = unit
        self._control = control
        cables, options = unit.cables, unit.options
        self._probe = SeparationProbe(
            unit.clock, cables.wan_phy, cables.han_phy, unit.rng, options.separation_wait_s, options.wan_router
        )

    async def run(self) -> None:
        """Test for ever, for the first time at once."""
        start, turn = self._unit.clock.seconds(), 0
        while True:
            await self.test()
            turn += 1
            await self._unit.clock.sleep_until(start + turn * self._unit.options.separation_test_interval_s)

    async def test(self) -> Finding | None:
        """One test; returns what is wrong. Nothing is sent while another reason keeps the HAN socket switched off."""
        if "HAN" in self._control.states.effects_without(CAUSES.values()).dark_sockets:
            return None
        found = await self._probe.cabling()
        for cabling, cause in CAUSES.items():
            if cabling is found:
                self._control.cause(cause)
            else:
                self._control.cleared(cause)
        return Finding(CAUSES[found], found.value) if found in CAUSES else None

    def stop(self) -> None:
        """The sockets go deaf."""
        self._probe.close()
