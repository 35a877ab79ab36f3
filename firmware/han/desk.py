"""What the pages of a product need of the gateway behind them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web

from firmware.control import LAST_SYNC, Control
from firmware.han.authentication import Authentication
from firmware.han.certificate import HanCertificate
from firmware.han.disturbance import Bound
from firmware.han.reasons import WRONG_PASSWORD
from firmware.han.sight import Sights
from firmware.han.users import Directory, HanUser
from firmware.han.view import ConsumerView
from firmware.logs.access import may_read
from firmware.logs.book import SYSTEM
from firmware.logs.pages import Answered, Asked, export, page
from firmware.metering.tariffs.entries import Derived
from firmware.own_clock import OwnClock
from firmware.profiles.store import ProfileStore
from firmware.security.module import SecurityModule
from firmware.selftest import Order, SelfTest
from firmware.states import Effects
from firmware.unit import Unit


class _TimeKeeper(Protocol):
    @property
    def valid(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the software.

    Attributes:
        name: image.
        version: of it.
        checksum: SHA-256, hex.
    """

    name: str
    version: str
    checksum: str


class HanDesk:
    """The gateway as its home interface knows it.

    Args:
        unit: hardware, product, options.
        control: states and log.
        own: the gateway's clock.
        time: whether the time is valid.
        store: profiles.
        selftest: may be ordered.
        directory: the users.
        authentication: checks logins.
        certificate: of the home interface.
        spawn: starts what ends with this run of the firmware.
        crashed: told when the emulation itself fails.
    """

    def __init__(
        self,
        unit: Unit,
        control: Control,
        own: OwnClock,
        time: _TimeKeeper,
        store: ProfileStore,
        selftest: SelfTest,
        directory: Directory,
        authentication: Authentication,
        certificate: HanCertificate,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        crashed: Callable[[BaseException], None],
    ) -> None:
        self.unit = unit
        self.product = unit.product
        self.options = unit.options
        self.device_id = unit.config.device_id
        self.directory = directory
        self.authentication = authentication
        self.certificate = certificate
        self.spawn = spawn
        self.crashed = crashed
        self.selftest = selftest
        self.signer = SecurityModule(unit.memory)
        self.present: Callable[[str], Mapping[tuple[str, str], Derived]] = lambda profile: {}
        """Newest samples of TAF-9, 10 and 14 of an evaluation profile, by meter and OBIS code; they are not stored."""
        self.bound: Bound | None = None
        """Up to where values are shown, None: up to now."""
        self.store = store
        self._sights = Sights(store)
        self._logins: dict[str, float] = {}
        self._control = control
        self._own = own
        self._time = time
        authentication.on_failed = self._failed
        authentication.on_locked = self._locked
        authentication.on_certificate_refused = self._certificate_refused

    # --- time and state

    def now_s(self) -> float:
        """The gateway's own clock, seconds since 1970."""
        return self._own.now_us() / 1e6

    def last_sync_s(self) -> float | None:
        """When the time was last synchronised, None: never."""
        last = self.unit.memory.setting(LAST_SYNC)
        return None if last is None else last / 1e6

    def time_valid(self) -> bool:
        """Whether the time is valid."""
        return self._time.valid

    @property
    def state(self) -> str:
        """Neutral name of the operating state."""
        return self._control.states.state

    @property
    def effects(self) -> Effects:
        """What works in this state."""
        return self._control.states.effects

    # --- what can be read

    def view(self, user: HanUser) -> ConsumerView:
        """The gateway as a consumer may see it."""
        sight = self._sights.of(user.id)
        return ConsumerView(user, self.store, self.unit.memory, self.product, self.now_s(), self.bound, sight)

    def components(self) -> tuple[Component, ...]:
        """The parts of the software that are at work."""
        found = []
        for name in ("kernel", "firmware"):
            image = self.unit.memory.image(name)
            if image is not None:
                found.append(Component(name, image[0], image[2].hex()))
        return tuple(found)

    def system_log(self, user: HanUser, *, begin_s: int | None = None, end_s: int | None = None) -> Answered:
        """Entries of the system log for a technician. Raises PermissionError for whoever may not read it."""
        return export(self.product, self.unit.memory, self._system(user, begin_s, end_s))

    def system_log_page(
        self,
        user: HanUser,
        number: int,
        *,
        begin_s: int | None = None,
        end_s: int | None = None,
        newest_first: bool = False,
    ) -> Answered:
        """One page of the system log, counted from 1. Raises PermissionError, ValueError for 0."""
        asked = self._system(user, begin_s, end_s)
        return page(self.product, self.unit.memory, asked, number, newest_first=newest_first)

    def _system(self, user: HanUser, begin_s: int | None, end_s: int | None) -> Asked:
        if not may_read(self.product, SYSTEM, user.role, interface="HAN"):
            raise PermissionError(f"a {user.role} may not read the system log")
        bounds = (None if one is None else one * 1_000_000 for one in (begin_s, end_s))
        return Asked(SYSTEM, "", None, *bounds)

    # --- what can be done

    def admit(self, user: HanUser) -> None:
        """A login of a consumer is about to begin; each call is one.

        Raises:
            HTTPInternalServerError: it comes too soon after his last one (han 7).
        """
        least_s = self.options.han_least_interval_s
        if not least_s or user.role != "consumer":
            return
        now_s = self.unit.clock.seconds()
        if now_s - self._logins.get(user.id, -math.inf) < least_s:
            raise web.HTTPInternalServerError
        self._logins[user.id] = now_s

    def sign(self, octets: bytes) -> bytes:
        """r || s with GW_WAN_SIG."""
        return self.signer.sign(octets)

    def event(self, name: str, /, *, consumer: str | None = None, **parameters: Any) -> None:
        """Log a neutral event, in the consumer's log where the product says so."""
        self._control.event(name, consumer=consumer, **parameters)

    def selftest_again_s(self) -> float | None:
        """When a self-test is possible again, seconds since 1970; None: now."""
        again_us = self.selftest.again_us
        return None if again_us is None or again_us / 1e6 <= self.now_s() else again_us / 1e6

    async def order_selftest(self, user: HanUser) -> Order:
        """Order a self-test. PPC restarts by it, the others have its result in the log when this returns.

        It goes on when whoever ordered it leaves before that.
        """
        done: asyncio.Future[Order] = asyncio.get_running_loop().create_future()

        async def carry_out() -> None:
            try:
                done.set_result(await self.selftest.order(user.role))
            except BaseException:
                done.cancel()
                raise

        self.spawn(carry_out())
        return await asyncio.shield(done)

    def _failed(self, user: HanUser | None, login: str, count: int) -> None:
        """Which message a product has for it differs; it goes to the log of the user whose name was given."""
        consumer = "" if user is None else user.id
        for name in ("password_login_refused", "consumer_logged_in"):
            if name in self.product.data.events:
                self.event(name, consumer=consumer, user=login[:64], errors=WRONG_PASSWORD, outcome="failure")
                return

    def _locked(self, user: HanUser | None, login: str, count: int) -> None:
        for name in ("login_locked", "login_attempts_failed"):
            if name in self.product.data.events:
                self.event(name, consumer="" if user is None else user.id, count=count, user=login[:64])

    def _certificate_refused(self, user: HanUser, reason: str) -> None:
        consumer = user.id if user.role == "consumer" else ""
        if "certificate_login_refused" in self.product.data.events:
            self.event("certificate_login_refused", consumer=consumer, user=user.id, error=reason, outcome="failure")
        elif consumer:
            self.event("consumer_logged_in", consumer=consumer, user=user.login, errors=reason, outcome="failure")
        else:
            self.event("technician_logged_in", profile=user.id, outcome="failure")
