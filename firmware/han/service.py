"""Starts and stops the home interface with the operating state, and picks the pages of the product."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from firmware.control import Control
from firmware.han.authentication import Authentication, Figures
from firmware.han.certificate import HanCertificate, han_certificate, han_curve, make_han_certificate
from firmware.han.disturbance import FAULT, FROZEN, Disturbance, bound_now, disturbance_of
from firmware.han.users import Directory
from firmware.metering.tariffs.entries import Derived
from firmware.own_clock import OwnClock
from firmware.profiles.store import ProfileStore
from firmware.selftest import SelfTest
from firmware.timekeeping import TimeKeeper
from firmware.unit import Unit

if TYPE_CHECKING:
    from aiohttp import web

    from firmware.han.desk import HanDesk
    from firmware.han.server import HanServer

SOCKET: Final = "HAN"
_REALMS: Final = {"ppc": "SmartMeterGateway"}
_OWN_REALM: Final = "SMGW"


def realm_of(product: str, device_id: str) -> str:
    """The realm of a product's digest challenge; that of CASA is its number, as one of its clients reads it there."""
    return device_id.lower() if product == "casa" else _REALMS.get(product, _OWN_REALM)


class Pages(Protocol):
    """A product's package, ``firmware.han.<product>``."""

    SERVES_WITHOUT_HAN: bool
    """Whether something is still served in states that switch the interface off, as CASA's page that says so."""

    def application(self, desk: HanDesk) -> web.Application:
        """What is served."""


class HanService:
    """The home interface of one run of the firmware.

    Args:
        unit: hardware, product, configuration.
        control: states and log.
        own: the gateway's clock.
        time: validity of the time.
        store: profiles.
        selftest: may be ordered.
        spawn: starts what ends with this run.
        crashed: told when the emulation itself fails.
    """

    def __init__(
        self,
        unit: Unit,
        control: Control,
        own: OwnClock,
        time: TimeKeeper,
        store: ProfileStore,
        selftest: SelfTest,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        crashed: Callable[[BaseException], None],
    ) -> None:
        self._unit = unit
        self._control = control
        self._own = own
        self._time = time
        self._store = store
        self._selftest = selftest
        self._spawn = spawn
        self._crashed = crashed
        self.present: Callable[[str], Mapping[tuple[str, str], Derived]] = lambda profile: {}
        """Gives the newest samples of an evaluation profile, see `HanDesk.present`."""
        self._ready = False
        self._server: HanServer | None = None
        self._desk: HanDesk | None = None
        self._disturbance: Disturbance | None = None
        self._turn: asyncio.Task[None] | None = None
        self.directory = Directory(lambda: store.profiles)
        options, product = unit.options, unit.product
        figures = Figures(
            realm=realm_of(product.data.id, unit.config.device_id),
            attempts=options.han_login_attempts,
            lock_s=options.han_lock_s or product.number("login_lock", 300.0),
            forget_s=options.han_failures_forgotten_s,
            nonce_s=options.han_nonce_s,
        )
        self.authentication = Authentication(unit.clock, own, self.directory, figures, unit.rng)

    @property
    def address(self) -> tuple[str, int] | None:
        """Where it listens, None: it does not."""
        return None if self._server is None else self._server.address

    def start(self) -> None:
        """The firmware is ready."""
        self._ready = True
        self._disturbance = disturbance_of(self._unit.memory.fault(FAULT), {})
        self.refresh()

    def stop(self) -> None:
        """Loss of power, or the end of all services."""
        self._ready = False
        self._cut()

    def refresh(self) -> None:
        """The operating state, or what is plugged in, has changed."""
        if self._wanted() and self._server is None:
            self._start()
        elif not self._wanted():
            self._cut()

    def new_certificate(self) -> str:
        """Change key and certificate, as when the old one runs out; returns the new fingerprint."""
        made = self._make_certificate()
        self._cut()
        self.refresh()
        return made.fingerprint

    def frozen(self) -> Mapping[str, Any]:
        """The values that can be seen at this moment, as a defect that leaves them at that."""
        bound = bound_now(self._store, self._unit.memory, self._own.now_us() / 1e6)
        return {"how": FROZEN, "bound": asdict(bound)}

    def disturb(self, fault: Mapping[str, Any] | None) -> None:
        """A defect was planted, None: taken away."""
        frozen = fault is not None and fault["how"] == FROZEN
        samples = {one.id: dict(self.present(one.id)) for one in self._store.evaluations} if frozen else {}
        self._disturbance = disturbance_of(fault, samples)
        self._apply()

    def _apply(self) -> None:
        found = self._disturbance
        if self._desk is not None:
            self._desk.bound = None if found is None else found.bound
        if self._server is not None:
            self._server.disturb(found)

    def _samples(self, profile: str) -> Mapping[tuple[str, str], Derived]:
        found = self._disturbance
        return self.present(profile) if found is None or found.bound is None else found.samples.get(profile, {})

    def _wanted(self) -> bool:
        if not self._ready or self._unit.config.han is None or SOCKET not in self._unit.linked:
            return False
        effects = self._control.states.effects
        return effects.services and (effects.han or self._pages().SERVES_WITHOUT_HAN)

    def _pages(self) -> Pages:
        return cast(Pages, import_module(f"firmware.han.{self._unit.product.data.id}"))

    def _make_certificate(self) -> HanCertificate:
        unit = self._unit
        host = "" if unit.config.han is None else unit.config.han[0]
        return make_han_certificate(
            unit.memory, unit.rng, unit.product.data.id, unit.config.device_id, host, unit.options, self._own.now()
        )

    def _start(self) -> None:
        from firmware.han.desk import HanDesk  # noqa: PLC0415 - a gateway without home interface needs no web server
        from firmware.han.server import Bounds, HanServer  # noqa: PLC0415

        unit, options = self._unit, self._unit.options
        certificate = han_certificate(unit.memory) or self._make_certificate()
        desk = HanDesk(
            unit, self._control, self._own, self._time, self._store, self._selftest, self.directory,
            self.authentication, certificate, self._spawn, self._crashed,
        )  # fmt: skip
        desk.present = self._samples
        curve = han_curve(unit.product.data.id, unit.options)
        self._server = HanServer(
            unit.clock,
            self._pages().application(desk),
            certificate,
            self.directory.certificates,
            curve=curve if options.han_only_own_curve or curve == "secp384r1" else None,
            bounds=Bounds(
                handshake_s=options.han_handshake_s,
                head_s=options.han_head_s,
                body_s=options.han_body_s,
                request_s=options.han_request_s,
                idle_s=options.han_keep_alive_s,
                half_open=options.han_half_open,
                connections=options.han_connections,
            ),
            crashed=self._crashed,
            date=lambda: _http_date(int(desk.now_s())),
        )
        self._desk = desk
        self._apply()
        self._spawn(self._listen(self._server))

    async def _listen(self, server: HanServer) -> None:
        assert self._unit.config.han is not None
        host, port = self._unit.config.han
        await server.start(host, self._unit.ports.get(SOCKET, port))
        if self._server is not server:  # switched off meanwhile
            await server.close()
        elif server.address is not None:
            self._unit.ports[SOCKET] = server.address[1]

    def _cut(self) -> None:
        server, self._server, self._desk = self._server, None, None
        if server is not None:
            server.cut()
            self._turn = asyncio.get_running_loop().create_task(server.close())


@lru_cache(maxsize=1)
def _http_date(at_s: int) -> str:
    """An instant, seconds since 1970, as the header Date tells it."""
    return format_datetime(datetime.fromtimestamp(at_s, UTC), usegmt=True)
