"""The methods ``smgw-info``, ``user-info`` and ``usage-point-info`` (han 3.2); all numbers are texts."""

from __future__ import annotations

from typing import Any

from devices.errors import UsageError
from firmware.han.conexa.body import Parameters, Refused, bad
from firmware.han.conexa.points import DATABASES, Channel, Point, Points, energy, last_derived
from firmware.han.conexa.scaling import Scaling
from firmware.han.conexa.taf_profile import signed_profile
from firmware.han.conexa.times import without_zone, written
from firmware.han.desk import HanDesk
from firmware.han.view import ConsumerView
from firmware.metering.status_word import GatewayBit, StatusWord
from firmware.security.certificates import SUB_CA, certificate
from firmware.security.module import GW_WAN_SIG

_NO_UNIT = 255
_WATT_HOURS = 30


def smgw_info(desk: HanDesk, scaling: Scaling, view: ConsumerView, parameters: Parameters) -> dict[str, Any]:
    """The gateway: certificates, software, state, time."""
    firmware = next((one for one in desk.components() if one.name == "firmware"), None)
    return {
        "smgw-info": {
            "certificates": {"han": {"tls": desk.certificate.pem.hex()}, "wan": _wan_certificates(desk)},
            "firmware-info": {
                "component": "firmware" if firmware is None else firmware.name,
                "hash": "" if firmware is None else firmware.checksum,
                "version": "" if firmware is None else firmware.version,
            },
            "smgw-id": desk.device_id.lower(),
            "smgw-state": f"{gateway_status(desk).gateway:08x}",
            "smgw-time": without_zone(int(desk.now_s())),
        }
    }


def gateway_status(desk: HanDesk) -> StatusWord:
    """The gateway's half of the status word as it would be written to a value now, least significant bit first."""
    word = StatusWord()
    gateway = word.gateway
    if not desk.time_valid():
        gateway |= 1 << (31 - GatewayBit.TIME_INVALID)
    if not desk.effects.services:
        gateway |= 1 << (31 - GatewayBit.FATAL)
    return StatusWord(gateway)


def _wan_certificates(desk: HanDesk) -> list[dict[str, str]]:
    """Those of the signatures: index 0 is the seal certificate, made in the factory; DER in hex."""
    try:
        own, sub = certificate(desk.unit.memory, GW_WAN_SIG), certificate(desk.unit.memory, SUB_CA)
    except UsageError:
        return []
    return [{"cert-index": "0", "sig": own.der.hex(), "sub-ca": sub.der.hex()}]


def user_info(desk: HanDesk, scaling: Scaling, view: ConsumerView, parameters: Parameters) -> dict[str, Any]:
    """The consumer's contracts."""
    return {
        "user-info": {"usage-points": [_usage_point(view, one) for one in Points(view, desk.options).all()]},
    }


def _usage_point(view: ConsumerView, point: Point) -> dict[str, Any]:
    contract, evaluation = point.contract.contract, point.contract.profile.evaluation
    periods = view.periods(point.contract.id) if evaluation.billing is not None else ()
    meters = dict.fromkeys(meter for meter, _ in contract.registers)
    return {
        "billing-Periods": [
            {"end-time": "" if one.end_s is None else written(one.end_s), "start-time": written(one.begin_s)}
            for one in periods
        ],
        "capture-time": str(contract.period_s),
        "delivery-id": contract.supplier,
        "end-time": "" if contract.end_s is None else written(contract.end_s),
        "meter": [{"meter-id": f"{meter.lower()}.sm"} for meter in meters],
        "metering-point-id": contract.usage_point,
        "on-demand-profile-configured": "true" if point.daily else "false",
        "start-time": written(contract.begin_s),
        "taf-number": str(contract.use_case),
        "taf-state": point.contract.state,
        "usage-point-id": point.id,
        "usage-point-name": contract.tariff,
    }


def named_point(desk: HanDesk, view: ConsumerView, parameters: Parameters) -> Point:
    """The usage point that a call names. Raises Refused: it is none of this consumer's."""
    point = Points(view, desk.options).named(parameters.text("usage-point-id"))
    if point is None:
        raise bad("there is no such usage point")
    return point


def usage_point_info(desk: HanDesk, scaling: Scaling, view: ConsumerView, parameters: Parameters) -> dict[str, Any]:
    """One contract: its databases, recipients, signed profile."""
    point = named_point(desk, view, parameters)
    wanted = parameters.choice("database", *DATABASES)
    if wanted is not None and wanted not in point.databases:
        raise Refused(400, f"this usage point has no database {wanted}")
    evaluation = point.contract.profile.evaluation
    return {
        "usage-point-info": {
            "databases": [
                {
                    "channels": [_channel(desk, scaling, view, point, one) for one in point.channels(database)],
                    "database": database,
                }
                for database in point.databases
                if wanted in (None, database)
            ],
            "emts": list(evaluation.recipients),
            "taf-profile": signed_profile(desk, point).hex(),
            "transparency-bit": "false" if evaluation.billing_relevant else "true",
            "usage-point-id": point.id,
            "usage-point-name": point.contract.contract.tariff,
        }
    }


def shown_obis(desk: HanDesk, channel: Channel) -> str:
    """A channel's name in answers."""
    return channel.logical_name if desk.options.han_conexa_long_obis else channel.code


def _channel(desk: HanDesk, scaling: Scaling, view: ConsumerView, point: Point, channel: Channel) -> dict[str, str]:
    scaler, unit = _scaling(desk, view, point, channel)
    return {"obis": shown_obis(desk, channel), "scaler": str(scaling.scaler(scaler, unit)), "unit": str(unit)}


def _scaling(desk: HanDesk, view: ConsumerView, point: Point, channel: Channel) -> tuple[int, int]:
    """As its newest value has it; before there is one, tenths of a watt-hour or no unit."""
    if channel.contract:
        last = last_derived(view, channel, point, int(desk.now_s()))
        if last is not None and last.derived.amount is not None:
            return last.derived.amount.scaler, _NO_UNIT if last.derived.unit is None else last.derived.unit
    else:
        reading = view.latest(channel.meter)
        for one in () if reading is None else reading.entries:
            if one.obis == channel.obis:
                return one.scaler or 0, _NO_UNIT if one.unit is None else one.unit
    return (-1, _WATT_HOURS) if energy(channel.obis) else (0, _NO_UNIT)
