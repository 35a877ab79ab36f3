"""Programs at a CASA's JSON paths: HA, EG (evcc), TRuDI (han 4.2)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from devices.han.content import UNITS
from devices.han.errors import NotUnderstood
from devices.han.fields import part, register, text, whole
from devices.han.sequences.visit import Findings, NothingThere, Told, Visit, json_of, must
from devices.han.times import zoned
from devices.protocols import cms
from devices.protocols.certificates import read_pem

JSON: Final = {"Content-Type": "application/json"}
ORIGIN: Final = "/json/metering/origin"
DERIVED: Final = "/json/metering/derived"
CONTRACT_FIELDS: Final = (
    "taf_type", "taf_name", "taf_identifier", "sensor_domains", "metering_point_id", "emt_channel_name",
    "capture_period", "active_tariff", "validity_start", "validity_end",
)  # fmt: skip
BILLED: Final = ("TAF-1", "TAF-2")
"""Contracts with billing periods."""
LOG_FIELDS: Final = ("recordnumber", "level", "text", "outcome", "timestamp", "repetition")


def _value(what: str, one: Any, name: str, at: datetime | None, instant: datetime | None) -> Told:
    """A value as HA reads it: value times 10**scaler, in kWh where the unit is Wh."""
    code, _, domain = name.partition(".")
    must(domain.endswith(".sm"), "logical_name", f"{name[:60]!r} has no .<meter>.sm behind it")
    for field in ("scaler", "unit"):
        number = part(what, one, field)
        must(type(number) is int, f"{what}.{field}", f"{number!r} is no number")
    written = part(what, one, "value")
    must(isinstance(written, str), f"{what}.value", f"{written!r} is no text")
    value = Decimal(whole(f"{what}.value", written)).scaleb(one["scaler"])
    unit = UNITS.get(one["unit"], "")
    meter = domain.removesuffix(".sm").lower()
    if unit == "Wh":
        value, unit = value / 1000, "kWh"
    return Told(meter, register("logical_name", code), value, unit, at, instant)


def _extended(answer: Any) -> list[Told]:
    """Current registers of a meter; only numbers with a unit count."""
    at = zoned("capture_time", part("extended", answer, "capture_time"))
    zoned("timestamp", part("extended", answer, "timestamp"))
    status = text("status", part("extended", answer, "status"))
    must(len(status) == 16, "status", f"{status[:20]!r} is not 16 hexadecimal digits")
    return [
        _value("values", one, text("logical_name", part("values", one, "logical_name")), at, None)
        for one in part("extended", answer, "values")
    ]


async def home_assistant(visit: Visit) -> Findings:
    """HA: origin list, then /extended for each meter, with a content type on GET."""
    meters = await visit.get_json(f"{ORIGIN}/", JSON)
    must(isinstance(meters, list), ORIGIN, "no list")
    found: list[Told] = []
    for meter in meters:
        found += _extended(await visit.get_json(f"{ORIGIN}/{meter}/extended", JSON))
    if not found:
        raise NothingThere("the user sees no meter")
    return Findings(tuple(found), {"meters": meters})


async def evcc(visit: Visit) -> Findings:
    """EG: derived, each contract until one of TAF-1, its first sensor domain, then /extended."""
    for name in await visit.get_json(DERIVED):
        contract = await visit.get_json(f"{DERIVED}/{name}")
        if part("contract", contract, "taf_type") == "TAF-1":
            domains = part("contract", contract, "sensor_domains")
            must(bool(domains), "sensor_domains", "empty")
            found = _extended(await visit.get_json(f"{ORIGIN}/{domains[0]}/extended"))
            if not found:
                raise NothingThere(f"no value of meter {domains[0]}")
            return Findings(tuple(found), {"meter": domains[0]})
    raise NothingThere("no contract of TAF-1")


async def transparency(visit: Visit, months: int = 1) -> Findings:
    """TRuDI: system information, certificate, all contracts with their billing periods, then of each contract its
    profile, months, billing period or daily values, and the log (han 4.2).

    Args:
        months: how many lists of months, from the present one back.
    """
    system = await visit.get_json("/json/systeminformations")
    for name in ("firmwareversion", "huid", "systemtime", "user_domain", "vendor"):
        part("systeminformations", system, name)
    zoned("systemtime", system["systemtime"])
    answer = await visit.ask("GET", "/download/certificate.pem")
    must(answer.status == 200, "certificate.pem", f"status {answer.status}, not 200")
    try:
        certificate = read_pem(answer.body)
    except ValueError:
        raise NotUnderstood("certificate.pem", "no certificate in PEM") from None
    more: dict[str, Any] = {"system": system, "certificate": certificate, "contracts": {}, "profiles": {}}
    more |= {"periods": {}, "billed": {}, "daily": {}, "months": {}}
    found: list[Told] = []
    await _contracts(visit, more)
    for name, contract in more["contracts"].items():
        await _profile(visit, name, more)
        for meter in contract["sensor_domains"]:
            for back in range(months):
                if (meter, back) not in more["months"]:
                    lines = await visit.get_json(f"{ORIGIN}/{meter}/{back}/extended")
                    more["months"][meter, back] = lines
                    found += [told for line in lines for told in _line(line)]
        if contract["taf_type"] == "TAF-6":
            more["daily"][name] = await visit.get_json(f"{DERIVED}/{name}/daily")
        elif more["periods"].get(name):
            more["billed"][name] = await visit.get_json(f"{DERIVED}/{name}/billingperiods/0/extended")
    log = await visit.get_json("/json/conlogbook/0")
    for entry in log:
        for field in LOG_FIELDS:
            part("conlogbook", entry, field)
    must(bool(log), "conlogbook", "the log has no entry")
    if not found:
        raise NothingThere("no value in the lists")
    return Findings(tuple(found), {**more, "log": log})


async def _contracts(visit: Visit, more: dict[str, Any]) -> None:
    """All contracts, each with its billing periods if it has some."""
    for name in await visit.get_json(DERIVED):
        contract = await visit.get_json(f"{DERIVED}/{name}")
        for field in CONTRACT_FIELDS:
            part("contract", contract, field)
        more["contracts"][name] = contract
        if contract["taf_type"] in BILLED:
            more["periods"][name] = periods = await visit.get_json(f"{DERIVED}/{name}/billingperiods")
            for period in periods:
                part("billingperiods", period, "start")
                part("billingperiods", period, "end")


async def _profile(visit: Visit, name: str, more: dict[str, Any]) -> None:
    """The signed profile of a contract, if it has one."""
    profile = await visit.ask("GET", f"{DERIVED}/{name}/signedprofile")
    must(profile.status in (200, 204, 404), "signedprofile", f"status {profile.status}")  # none yet, or none at all
    if profile.status == 200:
        written = text("signedprofile", part("signedprofile", json_of("signedprofile", profile), "signedprofile"))
        try:
            more["profiles"][name] = cms.read(bytes.fromhex(written))
        except (ValueError, cms.CmsError) as error:
            raise NotUnderstood("signedprofile", f"no CMS in hex: {error}") from None


def _line(line: Any) -> list[Told]:
    """Values of one instant of a month."""
    at = zoned("timestamp_act", part("month", line, "timestamp_act"))
    zoned("timestamp_nom", part("month", line, "timestamp_nom"))
    part("month", line, "status")
    names = [name for name in line if name.endswith(".sm")]
    must(bool(names), "month", "a line without a register")
    return [_value("month", line[name], name, at, None) for name in names]
