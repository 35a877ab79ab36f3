"""One emulated meter on a wired bus: what it is, its security, and its station, from what a file says of it.

Scenarios (`bench.meter_bus`) and tools (`bench.tools.emulated_bus`) both make their meters here.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from bench.scenario.meter_models import GivenMeter
from bench.scenario.smarty_models import entries_of
from devices.clock import Clock
from devices.meters.base_meter import BaseMeter
from devices.meters.catalogue import SMARTY, SmartyOptions, make_meter
from devices.meters.defaults import LmnDefaults
from devices.meters.delivery import delivery_key
from devices.meters.model import Plain, Service
from devices.meters.replay_meter import AtEnd, ReplayMeter
from devices.meters.security import MeterSecurity
from devices.meters.smarty_bz import SmartyBz
from devices.meters.wired_station import WiredStation
from devices.protocols.hdlc import Selector
from devices.protocols.sym import Abilities
from devices.rs485.bus import Rs485Bus

Tell = Callable[[str, dict[str, object]], None]
"""Kind of event, details."""


@dataclass(frozen=True)
class PlayedMeter:
    """A meter that stands on a bus.

    Attributes:
        meter: the meter itself.
        security: its keys, certificates and sessions; None: it is read in the clear.
        station: its end of the bus.
        key: its initial key; None: it has none.
    """

    meter: BaseMeter | ReplayMeter
    security: MeterSecurity | None
    station: WiredStation
    key: bytes | None

    def begin(self, tell: Tell, *, plugged: bool) -> None:
        """Let everything of this meter report what happens to it, and pull its plug where it has none yet."""
        self.station.on_event = tell
        if self.security is not None:
            self.security.on_event = tell
        if isinstance(self.meter, SmartyBz):
            self.meter.on_event = tell
        if not plugged:
            self.station.plug(False)


def make_given(
    clock: Clock,
    given: GivenMeter,
    defaults: LmnDefaults,
    *,
    folder: Path,
    dump: Path | None = None,
    at_end: AtEnd = "repeat",
    second_index: int = 0,
) -> BaseMeter | ReplayMeter:
    """The meter itself. Raises UsageError, or another ValueError, for what cannot be.

    Args:
        clock: the laboratory's.
        given: what a file says of it.
        defaults: what the documents leave open.
        folder: where file names in `given` begin.
        dump: recording that a replay plays, where that is not the name in `given`.
        at_end: what a replay does when it has played all.
        second_index: seconds that it has already run.
    """
    smarty = smarty_options(given, defaults) if given.type == SMARTY else None
    if smarty is not None and smarty.history:  # the meter has run at least as long as its log says
        second_index = max(second_index, smarty.history[-1].second_index)
    return make_meter(
        clock,
        given.type,
        id=given.id,
        registers=given.registers,
        load=given.load,
        dump=dump or given.dump,
        status=given.status,
        at_end=at_end,
        second_index=second_index,
        folder=folder,
        smarty=smarty,
    )


def smarty_options(given: GivenMeter, defaults: LmnDefaults) -> SmartyOptions:
    """What a SMARTY has beside a base meter: what the file says of this meter goes before the defaults."""
    options = defaults.smarty()
    crc = options.firmware_crc if given.firmware_crc is None else given.firmware_crc
    history = entries_of(given.update_log, crc)
    running = next((entry for entry in reversed(history) if entry.version), None)
    version = options.version
    if given.firmware is not None:
        version = given.firmware
    elif running is not None:
        version, crc = running.version, running.crc if given.firmware_crc is None else crc
    capacity = max(options.log_capacity, len(history)) if given.log_capacity is None else given.log_capacity
    return replace(
        options,
        log_capacity=capacity,
        history=history,
        version=version,
        firmware_crc=crc,
        allow_downgrade=options.allow_downgrade if given.allow_downgrade is None else given.allow_downgrade,
    )


def put_on_bus(
    clock: Clock,
    bus: Rs485Bus,
    name: str,
    meter: BaseMeter | ReplayMeter,
    given: GivenMeter,
    defaults: LmnDefaults,
    rng: random.Random,
) -> PlayedMeter:
    """Put `meter` on the bus with its security, powered and plugged in.

    Args:
        clock: the laboratory's.
        bus: the medium.
        name: of one kind on this bus.
        meter: see `make_given`.
        given: what the file says of it.
        defaults: what the documents leave open.
        rng: what meter and station draw.
    """
    key: bytes | None = None
    security: MeterSecurity | None = None
    if given.secured:
        key = delivery_key(meter.server_id) if given.key is None else bytes.fromhex(given.key)
        settings = defaults.security(int(given.suite, 16))
        security = MeterSecurity(clock, meter, key, random.Random(rng.getrandbits(32)), settings)
        security.sym.abilities = Abilities(settings.tls.suites, settings.tls.curves)
    station = WiredStation(
        clock,
        bus,
        meter if security is None else security,
        rng,
        name=name,
        services=_services(meter, security),
        timing=defaults.timing(),
        limits=defaults.limits(),
        busy=defaults.busy_with(),
        manners=defaults.manners(),
    )
    if isinstance(meter, SmartyBz):
        meter.on_bus = station.processor
    return PlayedMeter(meter, security, station, key)


def _services(meter: BaseMeter | ReplayMeter, security: MeterSecurity | None) -> dict[int, Service]:
    """What answers on the selectors of the meter's station."""
    clear: dict[int, Service] = {int(Selector.COSEM_CLEAR): Plain(meter.answer)}
    services = clear if security is None else security.services()
    return services | meter.services() if isinstance(meter, SmartyBz) else services
