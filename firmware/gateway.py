"""The emulated gateway as the bench plugs it in: mains on, mains off, LEDs, and its ends of the cables."""

from __future__ import annotations

import asyncio
import random

from devices.clock import Clock
from devices.gateway_types.model import GatewayType
from firmware.config import GatewayCables, GatewayConfig, MeterProfile, options_from
from firmware.faults import FaultPort
from firmware.han.certificate import han_certificate
from firmware.leds import LedPanel
from firmware.lmn.certificates import CertificateRules, tls_settings
from firmware.maintenance import MaintenanceServer
from firmware.own_clock import RealTimeClock
from firmware.product import Product
from firmware.profiles import active
from firmware.session import Session
from firmware.storage.memory import NonVolatileMemory
from firmware.unit import Start, Unit

__all__ = ["EmulatedGateway", "GatewayCables", "GatewayConfig", "MeterProfile"]


class EmulatedGateway:
    """One gateway of any of the three products.

    Args:
        gateway_type: what the manuals say of the product.
        clock: the laboratory's clock, on whose loop everything runs.
        cables: its ends of the cables; they stay the bench's and are not closed here.
        memory: what survives power cuts; give it to another gateway object and it is the same unit.
        rng: the one source of randomness.
        config: what this unit is and to whom it talks.

    Raises:
        UsageError: the configuration makes no sense.

    Attributes:
        leds: its LEDs, an LedSource.
        crashes: what failed in the emulation itself; `close` raises the first.
    """

    def __init__(
        self,
        gateway_type: GatewayType,
        clock: Clock,
        cables: GatewayCables,
        memory: NonVolatileMemory,
        rng: random.Random,
        config: GatewayConfig | None = None,
    ) -> None:
        product = Product(gateway_type)
        config = config or GatewayConfig()
        options = options_from(config.options)
        tls_settings(options)
        CertificateRules.of(options, None)
        for profile in config.meters:
            active(profile)
        self.leds = LedPanel(clock, product.lines)
        self.crashes: list[BaseException] = []
        reserve_s = options.rtc_reserve_s or product.number("clock_reserve", 48 * 3600.0)
        rtc_drift_ppm = options.clock_drift_ppm + options.rtc_drift_ppm
        rtc = RealTimeClock(clock, memory, rtc_drift_ppm, reserve_s, options.rtc_recharge_s)
        self._unit = Unit(clock, product, memory, cables, self.leds, rng, rtc, config, options)
        self._unit.leave_factory()
        self._session: Session | None = None
        self._restarting: asyncio.TimerHandle | None = None
        self._faults = FaultPort(self._unit, lambda: self._session, self._restart)
        self._maintenance = MaintenanceServer(clock, cables.maintenance, self._faults.commands())
        self._powered = False

    @property
    def powered(self) -> bool:
        """Whether mains is on."""
        return self._powered

    @property
    def han_address(self) -> tuple[str, int] | None:
        """Where the home interface listens at this moment, None: it does not."""
        return None if self._session is None else self._session.han.address

    @property
    def han_fingerprint(self) -> str | None:
        """SHA-256 of the home interface's certificate, hex; None before there is one."""
        found = han_certificate(self._unit.memory)
        return None if found is None else found.fingerprint

    def power_on(self) -> None:
        """Mains is there; harmless when it was already."""
        if self._powered:
            return
        self._powered = True
        lost_at_us, rtc_alive = self._unit.rtc.mains_back()
        self._begin(Start.POWER, lost_at_us, rtc_alive=rtc_alive)

    def power_off(self) -> None:
        """Mains is gone, at whatever instant: all LEDs go off at once and everything volatile is lost."""
        if not self._powered:
            return
        self._powered = False
        self._end()
        self._unit.rtc.mains_lost()

    async def settle(self) -> None:
        """Wait until all that was captured so far is signed and stored."""
        if self._session is not None:
            await self._session.settle()

    def link(self, socket: str, plugged: bool) -> None:
        """A cable with a device at its other end was plugged into an Ethernet socket, HAN, CLS or WAN, or pulled."""
        if plugged:
            self._unit.linked.add(socket)
        else:
            self._unit.linked.discard(socket)
        if self._session is not None:
            self._session.refresh_ports()

    async def close(self) -> None:
        """Take the gateway off the bench. Raises what failed in the emulation itself, if anything did."""
        self.power_off()
        await self._maintenance.close()
        self.leds.close()
        await asyncio.sleep(0)  # cancelled tasks end
        if self.crashes:
            raise self.crashes[0]

    def _begin(self, start: Start, lost_at_us: int | None, *, rtc_alive: bool) -> None:
        self._session = Session(self._unit, start, lost_at_us, rtc_alive, self._restart, self._crashed)
        self._session.begin()

    def _end(self) -> None:
        if self._restarting is not None:
            self._restarting.cancel()
            self._restarting = None
        session, self._session = self._session, None
        if session is not None:
            session.end()

    def _restart(self, start: Start) -> None:
        """The firmware resets the device: dark for a moment, then the boot begins."""
        self._end()
        self._restarting = self._unit.clock.call_later(self._unit.options.restart_pause_s, self._reset, start)

    def _reset(self, start: Start) -> None:
        self._restarting = None
        if self._powered:
            self._begin(start, None, rtc_alive=self._unit.rtc.read() is not None)

    def _crashed(self, error: BaseException) -> None:
        self.crashes.append(error)
        asyncio.get_running_loop().call_exception_handler(
            {"message": "the emulated gateway failed", "exception": error}
        )
