"""The telegrams of the public collection, where it is there: every layer as another program reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from devices.protocols.mbus.afl import Afl
from devices.protocols.mbus.ell import Ell
from devices.protocols.mbus.link import FrameFormat, decode_link, dress, encode_link, strip
from devices.protocols.mbus.telegram import Telegram, decode
from devices.protocols.mbus.tpl import ALL_BLOCKS, Tpl

ROOT = Path(__file__).parents[2]
COLLECTION = ROOT.parent / "shared" / "data" / "wmbus" / "telegrams.jsonl"
FORMS = {"crc-stripped": FrameFormat.STRIPPED, "A": FrameFormat.A, "B": FrameFormat.B}
CLEAR = ("predecrypted", "broken-payload-crc")
UNREADABLE = {
    "encrypted-no-key": ("encrypted", "no_key"),
    "mfct-security": ("encrypted", "mode"),
    "broken-payload-crc": ("failed", "crc"),
}


def lines() -> list[Any]:
    if not COLLECTION.exists():
        return [pytest.param({}, marks=pytest.mark.skip(reason="the collection is not there"))]
    told = map(json.loads, COLLECTION.read_text().splitlines())
    return [pytest.param(line, id=line["id"]) for line in told if line["link"] == "wmbus"]


def telegram_of(line: dict[str, Any], *, with_key: bool = True) -> Telegram:
    key = bytes.fromhex(line["key"]) if line["key"] and with_key else None
    clear = line["payload_state"] in CLEAR
    return decode(bytes.fromhex(line["hex"]), key, FORMS[line["frame_format"]], predecrypted=clear)


@pytest.mark.parametrize("line", lines())
def test_all_layers_agree_with_the_collection(line: dict[str, Any]) -> None:
    telegram = telegram_of(line)
    assert link_of(telegram) == line["dll"] | {"id": line["dll"]["id"].upper()}
    assert ell_of(telegram.ell) == line.get("ell")
    assert afl_of(telegram.afl) == without(line.get("afl"), "raw", "mac_ok")
    if line["payload_state"] != "broken-payload-crc":
        assert tpl_of(telegram.tpl) == line["tpl"]
    if "apl" in line:
        assert telegram.apl.hex().upper() == line["apl"]


@pytest.mark.parametrize("line", lines())
def test_what_can_be_read_and_what_not_agrees_with_the_collection(line: dict[str, Any]) -> None:
    telegram = telegram_of(line)
    state = line["payload_state"]
    if state in UNREADABLE:
        assert (telegram.state, telegram.trouble_kind, telegram.apl) == (*UNREADABLE[state], b"")
    else:
        assert telegram.trouble == ""
        assert telegram.state == ("decrypted" if state == "encrypted" else "plain")
        assert telegram.security == line["security"]
    if (line.get("afl") or {}).get("mac_ok"):
        assert telegram.mac_valid is True


@pytest.mark.parametrize("line", lines())
def test_without_key_what_is_encrypted_stays_so(line: dict[str, Any]) -> None:
    if line["payload_state"] == "encrypted":
        telegram = telegram_of(line, with_key=False)
        assert (telegram.state, telegram.trouble_kind, telegram.apl) == ("encrypted", "no_key", b"")


@pytest.mark.parametrize("line", lines())
def test_link_frames_are_written_as_they_came(line: dict[str, Any]) -> None:
    octets, form = bytes.fromhex(line["hex"]), FORMS[line["frame_format"]]
    assert encode_link(decode_link(octets, form), form) == octets
    stripped = strip(octets, form)
    for other in (FrameFormat.A, FrameFormat.B):
        assert strip(dress(stripped, other), other) == stripped


@pytest.mark.parametrize("line", lines())
def test_layers_are_written_as_they_came(line: dict[str, Any]) -> None:
    telegram = telegram_of(line)
    for layer in (telegram.ell, telegram.afl, telegram.tpl):
        if layer is not None and (telegram.ell is None or not telegram.ell.encrypted or layer is telegram.ell):
            assert layer.to_bytes() in telegram.link.body


# --- layers as the collection writes them


def without(told: dict[str, Any] | None, *names: str) -> dict[str, Any] | None:
    return None if told is None else {name: value for name, value in told.items() if name not in names}


def link_of(telegram: Telegram) -> dict[str, Any]:
    link = telegram.link
    address = link.address
    return {
        "L": len(encode_link(link)) - 1,
        "C": f"{link.c:02X}",
        "mfct": address.manufacturer,
        "id": address.id,
        "version": address.version,
        "type": address.type,
    }


def ell_of(ell: Ell | None) -> dict[str, Any] | None:
    if ell is None:
        return None
    told: dict[str, Any] = {"ci": f"{ell.ci:02X}", "cc": f"{ell.cc:02X}", "acc": ell.access_number}
    if ell.session is not None:
        told["sn"] = f"{int.from_bytes(ell.session.to_bytes(), 'little'):08X}"
        told |= {"enc": ell.session.encryption, "session": ell.session.session, "minutes": ell.session.minutes}
    return told


def afl_of(afl: Afl | None) -> dict[str, Any] | None:
    if afl is None:
        return None
    assert afl.mcl is not None
    return {"fcl": f"{afl.fcl:04X}", "mcl": f"{afl.mcl:02X}", "mcr": afl.mcr, "mac": afl.mac.hex().upper()}


def tpl_of(tpl: Tpl | None) -> dict[str, Any] | None:
    if tpl is None:
        return None
    told: dict[str, Any] = {"ci": f"{tpl.ci:02X}", "header": tpl.header}
    if tpl.header == "none":
        return told
    told |= {"acc": tpl.access_number, "status": f"{tpl.status:02X}", "cf": f"{tpl.cf:04X}", "mode": tpl.mode}
    if tpl.mode in (5, 7):
        assert tpl.blocks <= ALL_BLOCKS
        told["blocks"] = tpl.blocks
    if tpl.cfe:
        told["cfe"] = tpl.cfe.hex().upper()
    if tpl.address is not None:
        address = tpl.address
        told |= {"id": address.id, "mfct": address.manufacturer, "version": address.version, "type": address.type}
    return told
