"""The composition root: plugs an emulated gateway onto the bench's cables.

This is the one module of the bench that imports the firmware. Behind it the bench knows an emulated gateway as it
knows a real one: by its cables.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from devices.clock import Clock
from devices.errors import UsageError
from devices.gateway_types.model import GatewayType
from devices.ports.base import BytePort
from devices.ports.led_lines import LedSource
from devices.ports.radio import Antenna
from firmware.config import GatewayCables, GatewayConfig, MeterProfile, options_from
from firmware.gateway import EmulatedGateway
from firmware.option_docs import AssumedOption, assumed_options
from firmware.storage.memory import NonVolatileMemory


@dataclass(frozen=True)
class Sockets:
    """The gateway's ends of the cables, as the bench has laid them."""

    lmn: BytePort
    wan: BytePort
    han: BytePort
    maintenance: BytePort
    antenna: Antenna | None = None


@dataclass(frozen=True)
class KnownMeter:
    """A meter that the gateway has a profile for from the begin.

    Attributes:
        device: number after DIN 43863-5, or server id in hex.
        registration_period_s: grid of its readings, None for the gateway's default.
        key: its initial key, 16 octets, with which it is paired and read through TLS; None: it is read in the clear.
            Of a radio meter: the key of its telegrams.
        radio: it is a radio meter.
    """

    device: str
    registration_period_s: int | None = None
    key: bytes | None = None
    radio: bool = False


class EmulatedGatewayPlug:
    """An emulated gateway, as far as its cables show it.

    Attributes:
        leds: its LEDs.
        device_id: number printed on its case.
    """

    def __init__(
        self,
        clock: Clock,
        product: GatewayType,
        sockets: Sockets,
        *,
        time_server: tuple[str, int] | None,
        meters: Sequence[KnownMeter],
        lifecycle: Literal["delivered", "operational"],
        options: Mapping[str, Any],
        rng: random.Random,
    ) -> None:
        self.device_id = product.device_id
        given = {**_periods([meter for meter in meters if not meter.radio]), **_plain(options)}
        config = GatewayConfig(
            device_id=self.device_id,
            time_server=time_server,
            meters=tuple(_profile(meter) for meter in meters),
            options=given,
            lifecycle=lifecycle,
        )
        self._options = options_from(given)
        cables = GatewayCables(sockets.lmn, sockets.wan, sockets.han, sockets.maintenance, sockets.antenna)
        self._memory = NonVolatileMemory()
        self._gateway = EmulatedGateway(product, clock, cables, self._memory, rng, config)
        self.leds: LedSource = self._gateway.leds

    def assumed(self, parts: Iterable[str]) -> dict[str, AssumedOption]:
        """By name, what it does by assumption in these `parts`, and whatever else is not as it comes."""
        return assumed_options(self._options, parts)

    def mains(self, on: bool) -> None:
        """The contact in the gateway's mains closes or opens."""
        if on:
            self._gateway.power_on()
        else:
            self._gateway.power_off()

    def link(self, socket: str, plugged: bool) -> None:
        """A cable was plugged into one of its Ethernet sockets, or pulled."""
        self._gateway.link(socket, plugged)

    async def close(self) -> None:
        """Take the gateway off the bench."""
        await self._gateway.close()
        self._memory.close()


def _profile(meter: KnownMeter) -> MeterProfile:
    if meter.radio:
        return MeterProfile(meter.device, key=meter.key, radio=True, period_s=meter.registration_period_s)
    if meter.key is None:
        return MeterProfile(meter.device)
    return MeterProfile(meter.device, security="tls", key=meter.key)


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers with decimals come exact out of a scenario file; the gateway's options are floats."""
    return {name: float(value) if isinstance(value, Decimal) else value for name, value in options.items()}


_MAY_BE_NEGATIVE = frozenset({"clock_drift_ppm"})
_MAY_BE_ZERO = ("_s", "_ppm", "_retries", "_misses", "_readings", "_attempts", "_limit", "_octets")
"""Endings of options of which zero means "at once", "none" or "off"; periods and capacities are more than zero."""
_MORE_THAN_ZERO = ("_period_s", "_interval_s", "_pitch_s", "_timeout_s", "_capacity", "_capacity_octets")


def wrong_option(name: str, value: Any) -> UsageError | None:
    """What is wrong with one option of the emulated gateway: its name, its kind or its range; None when it is right."""
    try:
        options_from(_plain({name: value}))
    except UsageError as error:
        return error
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    if name in _MAY_BE_NEGATIVE:
        return None
    least = "zero or more"
    if name.endswith(_MORE_THAN_ZERO) or not name.endswith(_MAY_BE_ZERO):
        least = "more than zero"
    if value < 0 or (value == 0 and least == "more than zero"):
        return UsageError(f"gateway option {name!r} cannot be {value}", hint=f"it is {least}")
    if value > MOST:
        return UsageError(f"gateway option {name!r} cannot be so large", hint=f"at most {MOST:g}")
    return None


MOST = 1e12
"""No option of the emulated gateway comes near this, in seconds, octets or pieces."""


def _periods(meters: Sequence[KnownMeter]) -> dict[str, Any]:
    """The emulated gateway has one registration grid for all meters."""
    periods = {meter.registration_period_s for meter in meters if meter.registration_period_s is not None}
    return {"registration_period_s": min(periods)} if periods else {}
