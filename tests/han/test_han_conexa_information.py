"""smgw-info, user-info and usage-point-info of an emulated CONEXA (han 3.2)."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from han_conexa_calls import FOREIGN, TAF1, TAF2, TAF6, TAF7, TAF10, TAF14, seconds
from han_conexa_rig import (
    BEGIN,
    METER,
    NOW,
    OTHER,
    OTHER_PASSWORD,
    Bench,
    Digest,
    bench,
)
from lxml import etree

from firmware.storage.memory import NonVolatileMemory


async def test_smgw_info_has_every_field(conexa: Bench) -> None:
    whole = (await conexa.call("smgw-info")).json
    assert set(whole) == {"elapsed-time", "method", "smgw-info", "version"}
    assert (whole["method"], whole["version"]) == ("smgw-info", "1.3.0")
    assert re.fullmatch(r"\d+ miliseconds", whole["elapsed-time"])
    info = whole["smgw-info"]
    assert set(info) == {"certificates", "firmware-info", "smgw-id", "smgw-state", "smgw-time"}
    assert (info["smgw-id"], info["smgw-state"]) == ("ethe0300004261", "a0000000")
    assert set(info["firmware-info"]) == {"component", "hash", "version"}
    assert re.fullmatch("[0-9a-f]{64}", info["firmware-info"]["hash"])
    assert abs(seconds(info["smgw-time"] + "Z") - NOW.timestamp()) < 120
    tls = x509.load_pem_x509_certificate(bytes.fromhex(info["certificates"]["han"]["tls"]))
    key = tls.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp384r1"
    (seal,) = info["certificates"]["wan"]
    assert seal["cert-index"] == "0"
    sub = x509.load_der_x509_certificate(bytes.fromhex(seal["sub-ca"]))
    x509.load_der_x509_certificate(bytes.fromhex(seal["sig"])).verify_directly_issued_by(sub)


async def test_the_certificate_that_is_told_is_that_of_the_connection(conexa: Bench) -> None:
    info = (await conexa.call("smgw-info")).json["smgw-info"]
    der = x509.load_pem_x509_certificate(bytes.fromhex(info["certificates"]["han"]["tls"])).fingerprint(SHA256())
    assert der.hex() == conexa.gateway.han_fingerprint


async def test_user_info_lists_the_contracts_of_this_user_alone(conexa: Bench) -> None:
    points = (await conexa.call("user-info")).json["user-info"]["usage-points"]
    assert [one["usage-point-id"] for one in points] == [
        TAF1, TAF2, TAF6, TAF7, TAF10, TAF14, "01005e318027.taf7-later.sm"
    ]  # fmt: skip
    for one in points:
        assert set(one) == {
            "billing-Periods", "capture-time", "delivery-id", "start-time", "end-time", "meter", "metering-point-id",
            "on-demand-profile-configured", "taf-number", "taf-state", "usage-point-id", "usage-point-name",
        }  # fmt: skip
        assert one["meter"] == [{"meter-id": f"{METER.lower()}.sm"}]
        texts = [one[name] for name in set(one) - {"meter", "billing-Periods"}]
        assert all(isinstance(text, str) for text in texts)
    first = points[0]
    assert first["billing-Periods"] == [
        {"start-time": "2026-01-31T23:00:00Z", "end-time": "2026-02-28T23:00:00Z"},
        {"start-time": "2026-02-28T23:00:00Z", "end-time": "2026-03-31T22:00:00Z"},
    ]
    assert (first["taf-number"], first["taf-state"], first["end-time"]) == ("1", "running", "")
    assert (points[-1]["taf-state"], points[-1]["billing-Periods"]) == ("ready", [])
    others = (await conexa.call("user-info", Digest(OTHER, OTHER_PASSWORD))).json["user-info"]["usage-points"]
    assert [one["usage-point-id"] for one in others] == [FOREIGN]


@pytest.mark.parametrize(
    ("point", "databases"),
    [(TAF1, ["origin", "derived", "daily"]), (TAF2, ["origin", "derived", "calculated", "daily"]), (TAF6, ["daily"]),
     (TAF7, ["origin", "daily"]), (TAF10, ["origin"])],
)  # fmt: skip
async def test_each_use_case_has_its_databases(conexa: Bench, point: str, databases: list[str]) -> None:
    info = (await conexa.call("usage-point-info", **{"usage-point-id": point})).json["usage-point-info"]
    assert set(info) == {
        "databases", "emts", "taf-profile", "transparency-bit", "usage-point-id", "usage-point-name"
    }  # fmt: skip
    assert [one["database"] for one in info["databases"]] == databases
    assert all(set(channel) == {"obis", "scaler", "unit"} for one in info["databases"] for channel in one["channels"])
    for database in ("origin", "derived", "calculated", "daily"):
        answer = await conexa.call("usage-point-info", **{"usage-point-id": point, "database": database})
        assert answer.status == (200 if database in databases else 400)
        if answer.status == 200:
            assert [one["database"] for one in answer.json["usage-point-info"]["databases"]] == [database]


async def test_calculated_registers_are_those_of_the_stages_and_of_errors(conexa: Bench) -> None:
    info = (await conexa.call("usage-point-info", **{"usage-point-id": TAF2, "database": "calculated"})).json
    (database,) = info["usage-point-info"]["databases"]
    assert database["channels"] == [
        {"obis": f"01000108{stage}ff", "scaler": "-1", "unit": "30"} for stage in ("01", "02", "3f")
    ]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl here")
async def test_openssl_verifies_the_signed_profile(conexa: Bench, tmp_path: Path) -> None:
    info = (await conexa.call("usage-point-info", **{"usage-point-id": TAF7})).json["usage-point-info"]
    message, content = tmp_path / "profile.cms", tmp_path / "profile.xml"
    message.write_bytes(bytes.fromhex(info["taf-profile"]))
    words = ["openssl", "cms", "-verify", "-noverify", "-inform", "DER", "-in", message, "-out", content, "-binary"]
    done = await asyncio.to_thread(subprocess.run, words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    root = etree.parse(str(content)).getroot()
    assert (root.prefix, etree.QName(root).localname, root.get("id")) == ("taf07", "object", TAF7)
    again = (await conexa.call("usage-point-info", **{"usage-point-id": TAF7})).json["usage-point-info"]
    assert again["taf-profile"] == info["taf-profile"]


async def test_the_signed_profile_takes_its_time(stored_conexa: NonVolatileMemory) -> None:
    since_begin = (NOW - BEGIN).total_seconds()
    async with bench(stored_conexa, han_conexa_profile_ready_s=since_begin + 300) as conexa:
        for left, there in ((True, False), (False, True)):
            info = (await conexa.call("usage-point-info", **{"usage-point-id": TAF7})).json["usage-point-info"]
            assert bool(info["taf-profile"]) is there
            if left:
                conexa.clock.forward(300)


async def test_a_point_that_is_none_of_his_is_a_bad_request(conexa: Bench) -> None:
    digest = Digest()
    for method in ("usage-point-info", "readings"):
        for given in ({}, {"usage-point-id": FOREIGN}, {"usage-point-id": "taf7-1"}, {"usage-point-id": 7}):
            answer = await conexa.call(method, digest, **given, **{"last-reading": True})
            assert answer.status == 400
            assert b"fremd" not in answer.body
