"""Test whether WAN and HAN are separated: a frame goes out of one socket and is listened for on the other.

Nobody tells the gateway that its sockets were joined; it finds out, as in [CONEXA] D-2.3 and [CASA] fault 900137.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from devices.clock import Clock
from devices.ports.base import BytePort, PortLost
from firmware.control import Control
from firmware.unit import Unit

ETHERTYPE = b"\x88\xb5"
"""Local experimental EtherType 1 of IEEE 802 (assumed; what products send is not known)."""

_BROADCAST = b"\xff" * 6
_MARK = b"SEPTEST"
_MINIMUM_FRAME = 60


class SeparationProbe:
    """The layer 2 side of both sockets.

    Args:
        clock: for the time to listen.
        wan: WAN socket.
        han: HAN socket.
        rng: makes the nonce by which an own probe is known again.
        wait_s: how long to listen after sending, in seconds.
    """

    def __init__(self, clock: Clock, wan: BytePort, han: BytePort, rng: random.Random, wait_s: float) -> None:
        self._clock = clock
        self._sockets = {"wan": wan, "han": han}
        self._mac = b"\x02" + rng.randbytes(5)
        self._rng = rng
        self._wait_s = wait_s
        self._expected: dict[str, bytes] = {}
        self._joined = False
        self.on_frame: dict[str, Callable[[bytes], None]] = {}
        """Who else wants the frames that arrive at ``wan`` or ``han``."""
        wan.set_receiver(lambda data: self._arrived("wan", data))
        han.set_receiver(lambda data: self._arrived("han", data))

    async def joined(self) -> bool:
        """Send one probe each way; True when one of them arrives at the other socket."""
        self._joined = False
        for source, port in self._sockets.items():
            far = "han" if source == "wan" else "wan"
            nonce = self._rng.randbytes(16)
            self._expected[far] = nonce
            frame = _BROADCAST + self._mac + ETHERTYPE + _MARK + source.encode() + nonce
            try:
                port.write(frame.ljust(_MINIMUM_FRAME, b"\0"))
            except PortLost:
                continue
        await self._clock.sleep(self._wait_s)
        self._expected.clear()
        return self._joined

    def close(self) -> None:
        """Both sockets go deaf."""
        for port in self._sockets.values():
            port.set_receiver(None)

    def _arrived(self, socket: str, frame: bytes) -> None:
        nonce = self._expected.get(socket)
        if nonce is not None and frame[12:14] == ETHERTYPE and nonce in frame:
            self._joined = True
        listener = self.on_frame.get(socket)
        if listener is not None:
            listener(frame)


class SeparationWatch:
    """Runs the test now and then and draws the consequences.

    Args:
        unit: sockets and intervals.
        control: who is told.
    """

    CAUSE = "wan_han_not_separated"

    def __init__(self, unit: Unit, control: Control) -> None:
        self._unit = unit
        self._control = control
        cables, wait_s = unit.cables, unit.options.separation_wait_s
        self._probe = SeparationProbe(unit.clock, cables.wan_phy, cables.han_phy, unit.rng, wait_s)

    async def run(self) -> None:
        """Test for ever, for the first time at once."""
        start, turn = self._unit.clock.seconds(), 0
        while True:
            await self.test()
            turn += 1
            await self._unit.clock.sleep_until(start + turn * self._unit.options.separation_test_interval_s)

    async def test(self) -> bool:
        """One test; returns whether the sockets are separated."""
        joined = await self._probe.joined()
        if joined:
            self._control.cause(self.CAUSE)
        else:
            self._control.cleared(self.CAUSE)
        return not joined

    def stop(self) -> None:
        """The sockets go deaf."""
        self._probe.close()
