"""Symmetric pairing with a wired meter over selector 6, each step one message (lmn-wired 3.2)."""

from __future__ import annotations

from collections.abc import Iterable

from devices.ports.hdlc_master import LinkTrouble
from devices.protocols.lmn_certificate import Identity
from devices.protocols.sym import SymError, SymGateway, SymResult
from firmware.lmn.links import MeterLink

_COUNTER = slice(5, 9)


class PairingFailed(Exception):
    """No pairing came about.

    Attributes:
        kind: ``link``, or the reason of the SymError: ``mac``, ``counter`` and so on.
        reason: in words.
        expected, actual: transmission counters, when they are what was wrong.
        trouble: the trouble of the link, when that was it.
    """

    def __init__(
        self, kind: str, reason: str, counters: tuple[int, int] | None = None, trouble: LinkTrouble | None = None
    ) -> None:
        self.kind = kind
        self.reason = reason
        self.expected: int | None = None
        self.actual: int | None = None
        if counters is not None:
            self.expected, self.actual = counters
        self.trouble = trouble
        super().__init__(reason)


async def pair(
    link: MeterLink, keys: Iterable[bytes], server_id: bytes, meter: Identity, gateway: bytes, counter: int
) -> tuple[SymResult, bytes]:
    """Hand the certificates over, with the first of `keys` that the meter takes.

    A meter is silent when it is asked with a key that is not its own; only then the next one is tried.

    Args:
        link: on selector 6; set up unless it is.
        keys: that the meter may have.
        server_id: of the meter.
        meter: certificate and key that it gets.
        gateway: certificate of the gateway.
        counter: last one that is known of the meter.

    Returns:
        What was learned, and the key that fitted.

    Raises:
        PairingFailed: for any reason.
    """
    failed = PairingFailed("key", "no key of the meter is known")
    for key in keys:
        end = SymGateway(key, server_id, meter, gateway, counter=counter)
        try:
            return await _steps(link, end), key
        except PairingFailed as error:
            if failed.kind == "key" or error.kind != "link":  # silence to the other keys says less than an answer
                failed = error
            other_key = error.kind == "mac" or (error.trouble is not None and error.trouble.alive)
            if not (other_key and end.counter == counter):
                break
    raise failed


async def _steps(link: MeterLink, end: SymGateway) -> SymResult:
    request: bytes | None = end.start()
    answer = b""
    step = end.step
    try:
        if not link.up:
            await link.connect()
        while request is not None:
            step = end.step
            answer = await link.ask(request)
            request = end.feed(answer)
    except LinkTrouble as trouble:
        silent = f"step {step}: the meter does not answer, as to a wrong key" if trouble.alive else str(trouble)
        raise PairingFailed("link", silent, trouble=trouble) from trouble
    except SymError as error:
        counters = None
        if error.reason == "counter":
            counters = (end.counter + 2, int.from_bytes(answer[_COUNTER], "big"))
        raise PairingFailed(error.reason, f"step {step}: {error}", counters) from error
    assert end.result is not None
    return end.result
