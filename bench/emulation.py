"""The composition root: plugs an emulated gateway onto the bench's cables.

This is the one module of the bench that imports the firmware. Behind it the bench knows an emulated gateway as it
knows a real one: by its cables. What a gateway at work does without, such as exports, is imported when it is used.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from devices.clock import Clock, wall_seconds
from devices.errors import UsageError
from devices.gateway_types.model import GatewayType
from devices.ports.base import BytePort
from devices.ports.led_lines import LedSource
from devices.ports.radio import Antenna
from firmware.config import DirectMeter, GatewayCables, GatewayConfig, MeterProfile, Options, options_from
from firmware.gateway import EmulatedGateway
from firmware.han.service import realm_of
from firmware.metering.trudi_wishes import Wishes
from firmware.option_docs import AssumedOption, assumed_options
from firmware.security.module import SecurityModule, make_keys
from firmware.storage.kept import KeptMemory
from firmware.storage.memory import NonVolatileMemory

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    from firmware.logs.stored import RawLogs
    from firmware.logs.verifier import Verdict as LogVerdict
    from firmware.metering.trudi_export import Exported
    from firmware.simulation import Answer, Simulated

__all__ = [
    "DirectMeter",
    "EmulatedGatewayPlug",
    "KnownMeter",
    "LongRun",
    "OwnUnit",
    "Sockets",
    "Wishes",
    "bare_signatures",
    "export_trudi",
    "gateway_certificates",
    "last_known",
    "log_export",
    "log_verdict",
    "octets_of_value",
    "realm_of",
    "simulate_core",
    "wrong_option",
]
if TYPE_CHECKING:
    __all__ += ["LogVerdict"]


@dataclass(frozen=True)
class Sockets:
    """The gateway's ends of the cables, as the bench has laid them."""

    lmn: BytePort
    wan: BytePort
    han: BytePort
    maintenance: BytePort
    antenna: Antenna | None = None
    direct: Mapping[str, DirectMeter] | None = None


@dataclass(frozen=True)
class OwnUnit:
    """What an emulated gateway is that stands by itself, apart from its product.

    Attributes:
        memory: file of its memory; None: it lives as long as the process.
        durable: commits are awaited on the disk.
        device_id: number on its case; empty: that of the product's example.
        software: version as delivered; empty: as the product's data say.
        consumers: ids of those who have a log from the begin.
        han: host and port of its home interface; None: nobody can reach it.
    """

    memory: Path | None = None
    durable: bool = True
    device_id: str = ""
    software: str = ""
    consumers: tuple[str, ...] = ("consumer-1",)
    han: tuple[str, int] | None = None


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
        unit: OwnUnit = OwnUnit(),
    ) -> None:
        self.device_id = unit.device_id or product.device_id
        given = {**_periods([meter for meter in meters if not meter.radio]), **_plain(options)}
        config = GatewayConfig(
            device_id=self.device_id,
            time_server=time_server,
            meters=tuple(_profile(meter) for meter in meters),
            options=given,
            lifecycle=lifecycle,
            consumers=unit.consumers,
            software=unit.software,
            han=unit.han,
        )
        self._options = options_from(given)
        cables = GatewayCables(
            sockets.lmn, sockets.wan, sockets.han, sockets.maintenance, sockets.antenna, sockets.direct
        )
        self._memory = NonVolatileMemory(unit.memory, durable=unit.durable)
        self._gateway = EmulatedGateway(product, clock, cables, self._memory, rng, config)
        self.leds: LedSource = self._gateway.leds

    def assumed(self, parts: Iterable[str]) -> dict[str, AssumedOption]:
        """By name, what it does by assumption in these `parts`, and whatever else is not as it comes."""
        return assumed_options(self._options, parts)

    @property
    def han_address(self) -> tuple[str, int] | None:
        """Where its home interface listens at this moment, None: it does not."""
        return self._gateway.han_address

    @property
    def han_fingerprint(self) -> str | None:
        """SHA-256 of its home interface's certificate, hex; None before there is one."""
        return self._gateway.han_fingerprint

    @property
    def powered(self) -> bool:
        """Whether it has mains."""
        return self._gateway.powered

    async def settle(self) -> None:
        """Wait until all that it captured so far is stored."""
        await self._gateway.settle()

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


@dataclass(frozen=True)
class LongRun:
    """A simulation of the metering core.

    Attributes:
        product: whose rules hold.
        meters: what each meter answers, by its number.
        tafs: use cases; each meter has one evaluation profile for each.
        begin_s: first instant of the profiles, seconds since 1970; the simulation begins there.
        end_s: their last instant.
        seed: makes the keys.
        sign_ahead: threads that sign beside the firmware, 0: none.
        memory: file of the gateway's memory.
    """

    product: GatewayType
    meters: Mapping[str, Answer]
    tafs: tuple[int, ...]
    begin_s: int
    end_s: int
    seed: int
    sign_ahead: int
    memory: Path


async def simulate_core(plan: LongRun) -> Simulated:
    """Run the metering core from a little before the begin until the last instant is registered, in virtual time.

    Raises:
        UsageError: the memory cannot be used.
        TariffError: a use case that the gateway does not offer.
    """
    from firmware.metering.tariffs.standard import standard_profile
    from firmware.simulation import Simulation

    lead_s = 60
    clock = Clock(asyncio.get_running_loop(), datetime.fromtimestamp(plan.begin_s - lead_s, UTC))
    memory = NonVolatileMemory(plan.memory, durable=False)
    profiles = [
        standard_profile(taf, meter, "1-0:1.8.0*255", "consumer-1", plan.begin_s, plan.end_s)
        for meter in plan.meters
        for taf in plan.tafs
    ]
    try:
        simulation = Simulation(
            plan.product,
            clock,
            memory,
            random.Random(plan.seed),
            plan.meters,
            profiles,
            sign_ahead=plan.sign_ahead,
        )
        return await simulation.run(plan.end_s - plan.begin_s + 2 * lead_s)
    finally:
        memory.close()


def bare_signatures(count: int) -> float:
    """Wall seconds that `count` signatures take alone, with a key such as `simulate_core` signs with."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    kept = NonVolatileMemory()
    make_keys(kept, random.Random(0), Options().signature_curve)
    key = SecurityModule(kept).private_key
    kept.close()
    kind = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    octets = [f"{number:0140}".encode() for number in range(64)]
    begin = wall_seconds()
    for number in range(count):
        key.sign(octets[number & 63], kind)
    return wall_seconds() - begin


def export_trudi(memory: Path, contract: str, wishes: Wishes, sink: Callable[[], BinaryIO]) -> Exported:
    """Write the values of a contract out of a gateway's memory, for the transparency software.

    Raises:
        UsageError: no memory of a gateway, no such contract, no values.
    """
    from firmware.metering.trudi_export import export_contract

    kept = KeptMemory(memory)
    try:
        return export_contract(kept, contract, wishes, sink)
    finally:
        kept.close()


def octets_of_value(name: str, status: str, capture_us: int, value: int, scaler: int | None, unit: int | None) -> bytes:
    """What an emulated gateway signs for a value; arguments as for `signed_octets`."""
    from firmware.metering.signed_octets import signed_octets

    return signed_octets(name, status, capture_us, value, scaler, unit)


def gateway_certificates(memory: Path) -> dict[str, bytes]:
    """The certificates in a gateway's memory by name, PEM. Raises UsageError for what is no memory of a gateway."""
    from firmware.security.certificates import certificate, names

    kept = KeptMemory(memory)
    try:
        return {name: certificate(kept, name).pem for name in names(kept)}
    finally:
        kept.close()


def last_known(memory: Path) -> datetime | None:
    """The latest instant at which a gateway's memory was written; None: nothing was logged or read yet.

    Raises UsageError for what is no memory of a gateway.
    """
    kept = KeptMemory(memory)
    try:
        found = [kept.query(f"SELECT MAX({column}) FROM {table}")[0][0] for table, column in _TIMES.items()]
    finally:
        kept.close()
    known = [one for one in found if one is not None]
    return datetime.fromtimestamp(max(known) / 1e6, UTC) if known else None


_TIMES = {"log": "time_us", "reading": "capture_us"}


def log_verdict(
    data: Path,
    key: ec.EllipticCurvePublicKey | None = None,
    earlier: Path | None = None,
    certificate: x509.Certificate | None = None,
) -> LogVerdict:
    """Verify the log books of a gateway's memory, or of an export of them.

    Args:
        data: folder or file of the memory, or an export.
        key: the gateway's public key from elsewhere; None: the one in the memory or export is believed.
        earlier: an export made before, whose entries must still be there.
        certificate: the gateway's certificate from elsewhere, in place of `key`.

    Raises:
        UsageError: a file that is neither, a certificate that is for no such key.
    """
    from firmware.logs.verifier import verify_logs

    return verify_logs(_logs(data), key, None if earlier is None else _logs(earlier), certificate)


def log_export(data: Path, books: Iterable[str] = ()) -> Iterator[str]:
    """The log books of a gateway's memory as JSON lines, all or those named. Raises UsageError: no such memory."""
    from firmware.logs.exchange import export_lines

    yield from export_lines(_logs(data), books)


def _logs(data: Path) -> RawLogs:
    from firmware.logs.exchange import from_lines
    from firmware.logs.stored import from_memory, memory_file

    file = memory_file(data)
    with file.open("rb") as octets:
        begin = octets.read(1)
    if begin != b"{":
        return from_memory(file)
    with file.open(encoding="utf-8", errors="replace", newline="\n") as lines:
        return from_lines(lines)


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers with decimals come exact out of a scenario file; the gateway's options are floats."""
    return {name: float(value) if isinstance(value, Decimal) else value for name, value in options.items()}


_MAY_BE_NEGATIVE = frozenset({"clock_drift_ppm"})
_MAY_BE_ZERO = (
    "_s",
    "_original_days",
    "_derived_days",
    "_renewal_days",
    "_ppm",
    "_retries",
    "_misses",
    "_readings",
    "_attempts",
    "_limit",
    "_octets",
    "_percent",
)
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
