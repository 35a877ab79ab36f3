"""What a stand-alone gateway is, worked out of its files: the unit, its meters, and the profiles that it is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from bench.given_radio import plan_of
from bench.scenario.contract_models import LOCAL, PERIOD, full_obis
from bench.scenario.meter_models import GivenMeter
from bench.scenario.radio_models import GivenRadioMeter
from bench.scenario.source import Source
from bench.standalone.config import (
    UNSAID,
    Consumer,
    Contract,
    GatewayFile,
    KeptOfMeter,
    Technician,
    check_meters,
    check_references,
    check_unit,
    read_gateway_file,
    read_meters_file,
)
from bench.tools.meter_ids import id_of, name_of
from devices import gateway_types
from devices.errors import Place
from devices.gateway_types.model import GatewayType
from devices.meters.catalogue import DEFAULT_IDENTITY, make_registers
from devices.meters.defaults import LmnDefaults
from devices.meters.delivery import delivery_key
from devices.meters.radio.plan import Protection
from devices.protocols.sml.obis import format_obis

FIRST_CONSUMER: Final = "consumer-1"
DEMONSTRATION: Final = GivenMeter(
    id="1LGZ0072999211", registers={"1.8.0": "23163.627 kWh", "2.8.0": "0 kWh"}, load="350 W"
)
"""The meter when none is given."""
FREE_FIELDS: Final[Mapping[str, Any]] = {
    "slot_tolerance_s": 0.25,
    "link_response_timeout_s": 1.0,
    "boot_scale": 0.0,
    "boot_scale_printed": 0.0,
    "restart_pause_s": 0.5,
    "integrity_check_readings": 1_000,
}
"""Options of a gateway in real time on a computer that does other things as well, and for people who wait."""
REAL_BOOT: Final = ("boot_scale", "boot_scale_printed", "restart_pause_s")
"""Those of them that a start as long as that of the product does without."""
_MEDIA: Final[Mapping[str, str]] = {
    "1": "electricity",
    "4": "heat_cost",
    "5": "cooling",
    "6": "heat",
    "7": "gas",
    "8": "cold_water",
    "9": "warm_water",
}
"""First digit of a meter's number -> what it measures (DIN 43863-5)."""
_ENERGIES: Final = ("1-0:1.8.0*255", "1-0:2.8.0*255")


@dataclass(frozen=True)
class Profile:
    """A profile that the gateway is given.

    Attributes:
        plain: as the gateway takes it.
        place: where it stands, None: it was made up.
        what: in words.
    """

    plain: Mapping[str, Any]
    place: Place | None
    what: str

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.plain["id"])


@dataclass(frozen=True)
class Plan:
    """A stand-alone gateway.

    Attributes:
        product: whose rules hold.
        device_id: number on its case.
        given: the configuration, meters included.
        source: its file, None: there is none.
        folder: where file names in it begin.
        defaults: of wired meters.
        meters_source, meters_folder: the same for the file of the meters, where that is another.
    """

    product: GatewayType
    device_id: str
    given: GatewayFile
    source: Source | None
    folder: Path
    defaults: LmnDefaults
    meters_source: Source | None
    meters_folder: Path

    @property
    def consumers(self) -> tuple[str, ...]:
        """Ids of the consumers."""
        return tuple(self.given.consumers)

    @property
    def wired(self) -> dict[str, GivenMeter]:
        """Wired meters by name."""
        return dict(self.given.meters)

    @property
    def radio(self) -> dict[str, GivenRadioMeter]:
        """Radio meters by name."""
        return dict(self.given.radio_meters)

    @property
    def numbers(self) -> dict[str, str]:
        """Name of a meter -> the number by which the gateway knows it."""
        return {name: number_of(one) for name, one in self.wired.items()} | {
            name: one.id for name, one in self.radio.items()
        }

    def options(self, *, real_boot: bool) -> dict[str, Any]:
        """Options of the firmware."""
        free = {name: value for name, value in FREE_FIELDS.items() if not (real_boot and name in REAL_BOOT)}
        return {**free, **self._period, **self.given.gateway.options}

    def place(self, *path: str) -> Place | None:
        """Where something of the configuration stands."""
        return None if self.source is None else self.source.place(path)

    def place_of_meter(self, name: str, *path: str) -> Place | None:
        """Where something of a meter stands."""
        source = self.meters_source or self.source
        section = "meters" if name in self.given.meters else "radio_meters"
        return None if source is None else source.place((section, name, *path))

    @property
    def _period(self) -> dict[str, Any]:
        periods = {one.registration_period for one in self.wired.values() if one.registration_period is not None}
        return {"registration_period_s": int(min(periods).total_seconds())} if periods else {}

    @property
    def period_s(self) -> int:
        """Grid of the wired meters."""
        given = self.options(real_boot=False).get("registration_period_s", PERIOD.total_seconds())
        return int(given)

    # --- profiles

    def meter_profiles(self) -> list[Profile]:
        """One for each meter that the gateway shall know."""
        made = [self._wired_profile(name, one) for name, one in self.wired.items() if one.profile]
        return made + [self._radio_profile(name, one) for name, one in self.radio.items() if one.profile]

    def _wired_profile(self, name: str, one: GivenMeter) -> Profile:
        number = number_of(one)
        key = one.key_in_profile or one.key or delivery_key(id_of(one.id or "")).hex()
        plain = {
            **self._common(name, number),
            "link": "wired_tls" if one.secured else "wired_clear",
            "medium": "electricity",
            "registers": self._registers(name, one),
            "key": key if one.secured else None,
        }
        return Profile(plain, self.place_of_meter(name), f"meter {name!r}")

    def _radio_profile(self, name: str, one: GivenRadioMeter) -> Profile:
        plan = plan_of(one)
        key = one.key_in_profile or (None if plan.protection is Protection.NONE else plan.key_octets.hex())
        period = one.registration_period
        kept = self.given.profiles.get(name, KeptOfMeter())
        plain = {
            **self._common(name, one.id),
            "link": "radio",
            "medium": _MEDIA.get(one.id[0], "other"),
            "registers": [full_obis(code) for code in kept.registers] if isinstance(kept.registers, tuple) else [],
            "key": key,
            "period_s": None if period is None else int(period.total_seconds()),
        }
        return Profile(plain, self.place_of_meter(name), f"radio meter {name!r}")

    def _common(self, name: str, number: str) -> dict[str, Any]:
        kept = self.given.profiles.get(name, KeptOfMeter())
        of_contracts = (one.consumer for one in self.given.contracts.values() if name in one.meters)
        consumer = kept.consumer or next(of_contracts, None) or next(iter(self.given.consumers))
        common = {"kind": "meter", "id": kept.id or f"meter-{number.lower()}", "meter": number, "consumer": consumer}
        if kept.transformer_factor is not None:
            common["transformer_factor"] = kept.transformer_factor
        return common

    def _registers(self, name: str, one: GivenMeter) -> list[str]:
        """What is kept: as told, else the energies of the meter, and whatever a contract is about."""
        kept = self.given.profiles.get(name, KeptOfMeter()).registers
        if kept == "all":
            return []
        codes = [full_obis(code) for code in kept] if isinstance(kept, tuple) else []
        if kept is None:
            codes = [format_obis(each.obis) for each in make_registers(one.registers) if each.billing]
        for contract in self.given.contracts.values():
            codes += [obis for meter, obis, _ in contract.terms if meter == name]
        return list(dict.fromkeys(codes))

    def contract_profile(self, name: str, begin: datetime) -> Profile:
        """The profile of a contract that begins then."""
        contract = self.given.contracts[name].model_copy(update={"begin": begin})
        plain = contract.plain(name, self.numbers, self._period_of(contract)) | {
            "usage_point": contract.usage_point,
            "supplier": contract.supplier,
            "tariff": contract.tariff,
        }
        return Profile(plain, self.place("contracts", name), f"contract {name!r}")

    def begin_of(self, name: str, earliest: datetime) -> datetime:
        """The first instant of a contract: as told, else the first possible one from `earliest` on."""
        contract = self.given.contracts[name]
        if contract.begin != UNSAID:
            return contract.begin
        if contract.taf == 1:
            return first_of_month(earliest)
        period_s = int(self._period_of(contract).total_seconds())
        return datetime.fromtimestamp(-(-earliest.timestamp() // period_s) * period_s, LOCAL)

    def _period_of(self, contract: Contract) -> timedelta:
        of_meters = [
            (self.given.meters.get(name) or self.given.radio_meters[name]).registration_period
            for name in contract.meters
        ]
        if contract.period is None and not any(of_meters):
            return timedelta(seconds=self.period_s)
        return contract.period_with(of_meters)


def first_of_month(earliest: datetime) -> datetime:
    """The first begin of a local month from an instant on."""
    day = earliest.astimezone(LOCAL)
    begin = datetime(day.year, day.month, 1, tzinfo=LOCAL)
    if begin < earliest:
        number = day.year * 12 + day.month
        begin = datetime(number // 12, number % 12 + 1, 1, tzinfo=LOCAL)
    return begin


def number_of(one: GivenMeter) -> str:
    """The number of a wired meter where it stands for exactly its server id, else the id in hex."""
    return name_of(id_of(one.id or DEFAULT_IDENTITY[one.type]))


def make_plan(kind: str, config: Path | None, meters: Path | None) -> Plan:
    """Read the files. Raises UsageError with file, line and field.

    Args:
        kind: product.
        config: file of the configuration, None: one consumer, and contracts for every meter.
        meters: file of meters that take the place of those of the configuration.
    """
    given, source = (GatewayFile(), None) if config is None else read_gateway_file(config)
    folder = Path() if config is None else config.parent
    meters_source, meters_folder = None, folder
    if meters is not None:
        written, meters_source = read_meters_file(meters)
        meters_folder = meters.parent
        given = given.model_copy(update=dict(written))
    elif not given.meters and not given.radio_meters:
        given = given.model_copy(update={"meters": {"house": DEMONSTRATION}})
    check_unit(given, source, kind)
    read_from = meters_source or source
    if read_from is not None:
        check_meters(given, read_from)
    given = _completed(given, kind if config is None else None)
    check_references(given, source, {*given.meters, *given.radio_meters})
    product = gateway_types.load(kind)
    defaults = LmnDefaults().overridden(given.assumed)
    device_id = given.gateway.id or product.device_id
    return Plan(product, device_id, given, source, folder, defaults, meters_source, meters_folder)


def _completed(given: GatewayFile, alone: str | None) -> GatewayFile:
    """With users for whoever wrote none; without any file, so for a product `alone`, with contracts too."""
    changes: dict[str, Any] = {}
    if not given.consumers:
        changes["consumers"] = {FIRST_CONSUMER: Consumer()}
    if not given.technicians:
        changes["technicians"] = {"technician-1": Technician()}
    if alone is not None:
        changes["contracts"] = _usual_contracts(given.model_copy(update=changes), alone)
    return given.model_copy(update=changes)


def _usual_contracts(given: GatewayFile, kind: str) -> dict[str, Contract]:
    """TAF-7 and TAF-1 for the energy that each wired meter draws.

    That of TAF-7 at a CONEXA has the name of a usage point that clients there look for (han 3.3).
    """
    found: dict[str, Contract] = {}
    several = len(given.meters) > 1
    for name, one in given.meters.items():
        there = {format_obis(each.obis) for each in make_registers(one.registers)}
        codes = [code for code in _ENERGIES if code in there]
        if not codes or not one.profile:
            continue
        consumer = next(iter(given.consumers))
        end = f"-{name}" if several else ""
        for taf, what in ((7, {"meters": {name: codes}}), (1, {"meters": {name: codes[0]}, "billing": "1 month"})):
            told = {"taf": taf, "consumer": consumer, "stages": (1,) if taf == 1 else None, **what}
            told |= {"tariff": f"{name}-BEZUG"} if (kind, taf) == ("conexa", 7) else {}
            found[f"taf{taf}{end}"] = Contract.model_validate(told)
    return found
