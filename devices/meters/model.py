"""What a station on a bus needs of the meter behind it."""

from __future__ import annotations

from typing import Protocol


class Meter(Protocol):
    """A meter without its bus: octets of an SML request in, octets of the answer out.

    Attributes:
        server_id: the octets by which it is known, 10 for a meter with a DIN 43863-5 number.
        sensor_id: second id in its discovery record; the server-id again unless the meter has another.
    """

    @property
    def server_id(self) -> bytes: ...

    @property
    def sensor_id(self) -> bytes: ...

    def power(self, on: bool) -> None:
        """Mains of the meter on or off."""

    def answer(self, request: bytes) -> bytes:
        """The answer to `request` as transport octets; empty when the meter does not answer."""
