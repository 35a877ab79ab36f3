"""What the clients of all products can do."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from devices.han.content import DeviceInfo, HanCertificate, HanContract, LogEntry, RawAnswer, Reading, SelfTestAnswer
from devices.han.link import HanLink


class HanClient(Protocol):
    """A user at the home interface of one gateway. Every call raises `devices.han.errors.HanError` for what goes wrong.

    Attributes:
        product: ppc, conexa or casa.
        link: its connections.
    """

    product: str
    link: HanLink

    async def login(self) -> None:
        """Log in; the calls below do so by themselves where the product has sessions."""

    async def logout(self) -> None:
        """End the session; a product without sessions has nothing to end."""

    async def device(self) -> DeviceInfo:
        """What the gateway tells of itself."""

    async def meters(self) -> tuple[str, ...]:
        """Numbers of the meters that the user may see."""

    async def current(self, meter: str) -> Reading:
        """The newest reading of a meter."""

    async def originals(self, meter: str, begin: datetime, end: datetime) -> tuple[Reading, ...]:
        """The original list of a meter from `begin` to `end`, both included, oldest first."""

    async def signed(self, contract: HanContract, begin: datetime, end: datetime) -> tuple[Reading, ...]:
        """The original lists of a contract's meters with the gateway's signatures, both bounds included."""

    async def contracts(self) -> tuple[HanContract, ...]:
        """The user's contracts, those that have ended too."""

    async def with_profile(self, contract: HanContract) -> HanContract:
        """The contract with what the product tells only when it is asked for it: signed profile, supplier."""

    async def derived(self, contract: HanContract, begin: datetime, end: datetime) -> tuple[Reading, ...]:
        """The derived list of a contract from `begin` to `end`, both included, oldest first."""

    async def daily(self, contract: HanContract, begin: datetime, end: datetime) -> tuple[Reading, ...]:
        """The daily values of a contract (TAF-6), oldest first."""

    async def log(self, begin: datetime | None = None, end: datetime | None = None) -> tuple[LogEntry, ...]:
        """The consumer's log, oldest first; `end` does not belong to it."""

    async def certificates(self) -> tuple[HanCertificate, ...]:
        """The certificates that the gateway hands out, and that of the connection."""

    async def selftest(self) -> SelfTestAnswer:
        """Order a self-test. A PPC restarts for it."""

    async def raw(self, method: str, target: str, *, authenticate: bool = True) -> RawAnswer:
        """One request as it is, for trials."""

    async def borrow(self, other: HanClient) -> tuple[RawAnswer, ...]:
        """Ask for what is another user's with all that his client, which is logged in, knows: session, address, ids.

        Returns the answers, whatever they are. Raises LoginRefused or SessionEnded where the gateway says so.
        """

    async def close(self) -> None:
        """Close all connections, without logging out."""
