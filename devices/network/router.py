"""The router of the wide area network at the patch field: it answers who asks for its address (ARP, RFC 826).

A gateway knows the network that its WAN cable leads to by this neighbour. Sans-IO: frames in, frames out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

ADDRESS = "192.0.2.1"
"""IPv4 address of the router, from the block for documentation (RFC 5737); assumed, the bench's own choice."""
MAC = bytes.fromhex("020000000001")
"""Its hardware address, locally administered (assumed)."""

_ARP_IPV4 = bytes.fromhex("08060001080006040001")
_REPLY_HEAD = bytes.fromhex("08060001080006040002")
_MINIMUM_FRAME = 60


class Router:
    """Answers ARP requests.

    Args:
        send: takes the frames that it sends into its network.
        address: its IPv4 address.
        mac: its hardware address, six octets.
    """

    def __init__(self, send: Callable[[bytes], None], address: str = ADDRESS, mac: bytes = MAC) -> None:
        self._send = send
        self._address = ipaddress.IPv4Address(address).packed
        self._mac = mac

    def receive(self, frame: bytes) -> None:
        """A frame from the network; whatever is no question for this router is passed over."""
        if len(frame) < 42 or frame[12:22] != _ARP_IPV4 or frame[38:42] != self._address:
            return
        asker = frame[22:32]
        reply = asker[:6] + self._mac + _REPLY_HEAD + self._mac + self._address + asker
        self._send(reply.ljust(_MINIMUM_FRAME, b"\0"))
