"""What the commands of the maintenance port have in common: the unit, its running firmware, how fields are read."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import datetime

from devices.errors import UsageError
from firmware.maintenance import Parameter, Refusal
from firmware.own_clock import to_us
from firmware.session import Session
from firmware.storage.writer import PowerLost
from firmware.unit import Unit

BOOKS = ("system", "calibration", "consumer")


def text(*choices: str, required: bool = True) -> Parameter:
    """A field that is a text, one of `choices` if there are any."""
    return Parameter((str,), required, choices)


class Access:
    """The way from the port to the gateway.

    Args:
        unit: the hardware.
        session: gives the running firmware, None while there is none.
    """

    def __init__(self, unit: Unit, session: Callable[[], Session | None]) -> None:
        self.unit = unit
        self.session = session

    def running(self) -> Session:
        """The firmware. Raises Refusal without power."""
        session = self.session()
        if session is None:
            raise Refusal("the gateway is without power")
        return session

    def ready(self) -> Session:
        """The firmware behind its start. Raises Refusal before that."""
        session = self.running()
        if session.phase != "ready":
            raise Refusal(f"the gateway is not ready yet (phase {session.phase})")
        return session

    async def settle(self) -> None:
        """Let a commit that is under way end; when mains fails under it, what lies in the memory is what is read."""
        session = self.session()
        if session is not None:
            with contextlib.suppress(PowerLost):
                await session.settle()

    def log_owner(self, book: str, consumer: str | None) -> str:
        """Whose book is meant; None: the first consumer's."""
        if book != "consumer":
            return ""
        owner = consumer or self.unit.config.consumers[0]
        logged = self.unit.memory.query("SELECT 1 FROM log_head WHERE book = ? AND owner = ?", (book, owner))
        if owner not in self.unit.config.consumers and not logged:
            raise UsageError(f"there is no consumer {owner!r}")
        return owner


def octets_of(name: str, digits: str | None) -> bytes | None:
    """The octets of hexadecimal digits. Raises UsageError for what are none."""
    try:
        return None if digits is None else bytes.fromhex(digits)
    except ValueError:
        raise UsageError(f"{name!r} is {digits!r}", hint="octets as hexadecimal digits") from None


def instant(written: str) -> int:
    """Microseconds since 1970 of an instant in ISO 8601. Raises UsageError for what is none."""
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise UsageError(f"{written!r} is no instant", hint="2026-01-05T00:07:30Z") from None
    if moment.tzinfo is None:
        raise UsageError(f"{written!r} lacks its time zone", hint="2026-01-05T00:07:30Z")
    return to_us(moment)
