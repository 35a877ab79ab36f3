"""What a station on a bus needs of the meter behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

from devices.protocols.hdlc import Selector


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


@runtime_checkable
class Claimant(Protocol):
    """A meter that can tell a server id which is not its own.

    Attributes:
        claimed_id: what it tells, None: its own.
        requests: how many request files it was given so far.
    """

    requests: int

    @property
    def claimed_id(self) -> bytes | None: ...

    @claimed_id.setter
    def claimed_id(self, server_id: bytes | None) -> None: ...


class Service(Protocol):
    """What answers on one protocol selector of a station."""

    def opened(self) -> None:
        """The gateway has set the link up, perhaps anew: forget what was under way on it."""

    def message(self, data: bytes) -> bytes:
        """The answer to one message; empty when there is nothing to say."""


class Plain:
    """A service without memory, made of a function from message to answer.

    Args:
        answer: called with each message.
    """

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer = answer

    def opened(self) -> None:
        """Nothing is under way between two messages."""

    def message(self, data: bytes) -> bytes:
        """What the function answers."""
        return self._answer(data)


def services_of(meter: Meter) -> dict[int, Service | Callable[[bytes], bytes]]:
    """Protocol selector to what answers there: the meter in the clear, and what it brings along in ``services``."""
    more: Callable[[], Mapping[int, Service]] | None = getattr(meter, "services", None)
    return {int(Selector.COSEM_CLEAR): meter.answer, **(more() if more is not None else {})}
