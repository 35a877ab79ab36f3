"""Links to wired meters: one per meter and protocol selector, a message out, a message in (lmn-wired 1.7)."""

from __future__ import annotations

from devices.clock import Clock
from devices.errors import UsageError
from devices.ports.hdlc_master import HdlcMaster, LinkTrouble
from devices.protocols.hdlc import HdlcError
from devices.protocols.hdlc_link import LinkLimits, PrimaryLink, PrimaryState
from firmware.config import Options


def link_limits(options: Options, patience_s: float) -> LinkLimits:
    """Bounds of a link on which an answer is waited for `patience_s` seconds. Raises UsageError for options that no
    link can have."""
    try:
        return LinkLimits(
            response_timeout_s=options.link_response_timeout_s,
            retries=options.link_retries,
            max_information=options.link_max_information,
            window=options.link_window,
            negotiate=options.link_negotiate,
            poll_interval_s=options.poll_pause_s,
            answer_polls=max(1, round(patience_s / options.poll_pause_s)),
        )
    except HdlcError as error:
        raise UsageError(f"gateway options of the link to meters: {error.reason}") from None


class MeterLink:
    """One link; the bus is taken for each exchange only, so that others have their turn in between.

    Args:
        clock: paces polls.
        master: the bus.
        address: HDLC address of the meter.
        selector: protocol selector.
        limits: bounds.

    Attributes:
        used_at: time of the last success, in seconds of the clock.
    """

    def __init__(self, clock: Clock, master: HdlcMaster, address: int, selector: int, limits: LinkLimits) -> None:
        self.used_at = clock.seconds()
        self._clock = clock
        self._master = master
        self._limits = limits
        self._link = PrimaryLink(address, selector, limits)

    @property
    def up(self) -> bool:
        """Whether the link is up and nothing is under way on it."""
        return self._link.state is PrimaryState.READY

    async def connect(self) -> None:
        """Set the link up, anew if it was up. Raises LinkTrouble."""
        await self._master.converse(self._link, self._link.connect())
        if not self.up:
            raise LinkTrouble("no_answer", "the link did not come up")
        self.used_at = self._clock.seconds()

    async def ask(self, message: bytes) -> bytes:
        """Send a message and wait for the answer; several that come at once are put together. Raises LinkTrouble."""
        answer = b"".join(await self._send(message, answer=True))
        if not answer:
            raise LinkTrouble("read_timeout", "the meter had no answer")
        return answer

    async def tell(self, message: bytes) -> None:
        """Send a message to which no answer is due. Raises LinkTrouble."""
        await self._send(message, answer=False)

    async def poll(self) -> bytes:
        """Ask whether the meter has something; empty when not. Raises LinkTrouble."""
        found = await self._master.converse(self._link, self._link.poll())
        self.used_at = self._clock.seconds()
        return b"".join(found)

    async def more(self) -> bytes:
        """Poll until something comes, as long as an answer may take. Raises LinkTrouble."""
        for _ in range(self._limits.answer_polls):
            found = await self.poll()
            if found:
                return found
            await self._clock.sleep(self._limits.poll_interval_s)
        raise LinkTrouble("read_timeout", "the answer is not complete", alive=True)

    async def _send(self, message: bytes, *, answer: bool) -> tuple[bytes, ...]:
        if not self.up:
            raise LinkTrouble("read_timeout", "the link is down")
        try:
            step = self._link.send(message, answer=answer)
        except HdlcError as error:
            raise LinkTrouble("unexpected", str(error)) from error
        found = await self._master.converse(self._link, step)
        self.used_at = self._clock.seconds()
        return found
