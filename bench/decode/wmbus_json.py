"""Readings of telegrams as JSON: link, layers, security, records, one object on one line."""

from __future__ import annotations

from typing import Any

from bench.decode.record_json import records_json, to_json
from bench.decode.wmbus_reading import WIRED, Reading
from devices.protocols.mbus.afl import Afl
from devices.protocols.mbus.ell import Ell
from devices.protocols.mbus.link import Address, FrameFormat
from devices.protocols.mbus.tpl import AES_CBC_IV, AES_CBC_NO_IV, Tpl


def reading_json(reading: Reading, name: str | int | None = None) -> str:
    """A reading as one line of JSON.

    Args:
        name: what the asker calls it, answered as `id`.
    """
    told: dict[str, Any] = {} if name is None else {"id": name}
    head = to_json(told | layers_of(reading))[:-1]
    tail: dict[str, Any] = {"manufacturer_data": None}
    contents = reading.contents
    if contents is not None:
        tail["manufacturer_data"] = contents.manufacturer_data.hex().upper() or None
        if contents.more_follows:
            tail["more_follows"] = True
        if contents.rest:
            tail["not_read"] = contents.rest.hex().upper()
    if reading.notes:
        tail["note"] = "; ".join(reading.notes)
    tail["trouble"] = reading.trouble
    records = "[]" if contents is None else records_json(contents)
    return f'{head}, "records": {records}, {to_json(tail)[1:]}'


def layers_of(reading: Reading) -> dict[str, Any]:
    """What a reading says besides its records, as JSON has it."""
    telegram = reading.telegram
    told: dict[str, Any] = {"link": _link(reading), "security": telegram.security, "state": reading.state}
    if telegram.mac_valid is not None or (telegram.afl is not None and telegram.afl.mac):
        told["mac_valid"] = telegram.mac_valid
    if telegram.counter is not None:
        told["counter"] = telegram.counter
    if telegram.ell is not None:
        told["ell"] = _ell(telegram.ell)
    if telegram.afl is not None:
        told["afl"] = _afl(telegram.afl)
    told["header"] = None if telegram.tpl is None else _header(telegram.tpl)
    return told


def _link(reading: Reading) -> dict[str, Any]:
    frame = reading.telegram.link
    if reading.wired is not None:
        return {"format": WIRED, "c": f"{frame.c:02X}", "address": reading.wired.address}
    form = reading.form.value.lower() if isinstance(reading.form, FrameFormat) else reading.form
    told: dict[str, Any] = {"format": form, "c": f"{frame.c:02X}", "manufacturer": frame.address.manufacturer}
    told |= _device(frame.address)
    if frame.address.local_only:
        told["local_only"] = True
    return told


def _device(address: Address) -> dict[str, Any]:
    return {"id": address.id, "version": address.version, "type": address.type}


def _ell(ell: Ell) -> dict[str, Any]:
    told: dict[str, Any] = {"ci": f"{ell.ci:02X}", "cc": f"{ell.cc:02X}", "acc": ell.access_number}
    if ell.receiver is not None:
        told["receiver"] = {"mfct": ell.receiver.manufacturer, **_device(ell.receiver)}
    if ell.session is not None:
        session = ell.session
        told |= {"session": session.session, "minutes": session.minutes, "enc": session.encryption}
    return told


def _afl(afl: Afl) -> dict[str, Any]:
    told: dict[str, Any] = {"fragment": afl.fragment, "more": afl.more} if afl.is_fragment else {}
    for name, value, digits in (("mcl", afl.mcl, 2), ("ki", afl.ki, 4)):
        if value is not None:
            told[name] = f"{value:0{digits}X}"
    if afl.mcr is not None:
        told["mcr"] = afl.mcr
    if afl.mac:
        told["mac"] = afl.mac.hex().upper()
    if afl.ml is not None:
        told["ml"] = afl.ml
    return told


def _header(tpl: Tpl) -> dict[str, Any]:
    """The transport layer; `cf` is the number, `cfe` the octets as sent."""
    told: dict[str, Any] = {"ci": f"{tpl.ci:02X}", "header": tpl.header}
    if tpl.address is not None:
        told |= {"id": tpl.address.id, "mfct": tpl.address.manufacturer}
        told |= {"version": tpl.address.version, "type": tpl.address.type}
    if tpl.access_number is None or tpl.status is None:
        return told
    told |= {"acc": tpl.access_number, "status": f"{tpl.status:02X}"}
    told |= {"cf": f"{tpl.cf:04X}", "mode": tpl.mode}
    if tpl.mode in (AES_CBC_IV, AES_CBC_NO_IV):
        told["blocks"] = tpl.blocks
    if tpl.cfe:
        told["cfe"] = tpl.cfe.hex().upper()
    if tpl.key_version is not None:
        told["key_version"] = tpl.key_version
    return told
