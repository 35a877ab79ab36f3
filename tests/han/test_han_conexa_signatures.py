"""Values that an emulated CONEXA hands out and their signatures, checked from answers alone (docs/metering.md)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from han_conexa_calls import richer_memory
from han_conexa_rig import NOW, OTHER, OTHER_METER, OTHER_PASSWORD, Bench, Digest, bench, value_at

from firmware.storage.memory import NonVolatileMemory

SPAN = {"fromtime": "2026-02-28T12:00:00Z", "totime": "2026-03-30T10:00:00Z"}
DATABASES = {
    "01005e318021.fine-1.sm": ("origin", "derived", "daily"),
    "01005e318022.fine-2.sm": ("origin", "derived", "calculated", "daily"),
    "01005e318026.fine-6.sm": ("daily",),
    "01005e318027.taf7-2.sm": ("origin", "daily"),
}
LAST_S = int(NOW.timestamp()) // 900 * 900


@pytest.fixture(scope="module")
def memory() -> NonVolatileMemory:
    return richer_memory()


@pytest.fixture(params=[-1, 1, -4])
async def conexa(memory: NonVolatileMemory, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    async with bench(memory, han_conexa_energy_scaler=request.param) as one:
        yield one


async def answered(conexa: Bench, digest: Digest, method: str, **parameters: Any) -> Any:
    answer = await conexa.call(method, digest, **parameters)
    assert answer.status == 200, answer.body
    return answer.json[method]


def holds(key: ec.EllipticCurvePublicKey, one: dict[str, str], code: str, value: str, scaler: str, unit: str) -> bool:
    """Whether the seven lines of the signed octets, made of what was handed out, fit the signature."""
    raw = bytes.fromhex(one["signature"])
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    lines = ("smgw-value-1", f"{code}.{one['owner-number']}", one["cosem-status"].upper(), one["capture-time"])
    octets = "".join(f"{line}\n" for line in (*lines, value, scaler, unit)).encode()
    try:
        key.verify(der, octets, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


async def test_every_value_fits_its_signature_with_the_scaler_that_is_told(conexa: Bench) -> None:
    """The meter counts milliwatt-hours; in each database, whether values are cut, kept or written longer."""
    digest = Digest(OTHER, OTHER_PASSWORD)
    wan = (await answered(conexa, digest, "smgw-info"))["certificates"]["wan"]
    key = x509.load_der_x509_certificate(bytes.fromhex(wan[0]["sig"])).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    for point, databases in DATABASES.items():
        info = await answered(conexa, digest, "usage-point-info", **{"usage-point-id": point})
        assert [one["database"] for one in info["databases"]] == list(databases)
        for database in info["databases"]:
            wish = {"usage-point-id": point, "database": database["database"]}
            told = await answered(conexa, digest, "readings", **wish, **{"last-reading": True})
            if database["database"] != "origin":
                told["channels"] += (await answered(conexa, digest, "readings", **wish, **SPAN))["channels"]
            scales = {one["obis"]: (one["scaler"], one["unit"]) for one in database["channels"]}
            for channel in told["channels"]:
                code, (scaler, unit) = channel["obis"], scales[channel["obis"]]
                assert channel["readings"], (point, database, code)
                for one in channel["readings"]:
                    assert holds(key, one, code, one["value"], scaler, unit), (point, database["database"], one)
                one = channel["readings"][0]
                assert not holds(key, one, code, one["value"] + "0", scaler, unit)
                assert not holds(key, one, code, one["value"], str(int(scaler) - 1), unit)


@pytest.mark.parametrize(("scaler", "as_stored"), [(1, True), (-3, True), (-1, False)])
async def test_the_stored_signature_is_handed_out_with_the_stored_value_only(
    memory: NonVolatileMemory, scaler: int, as_stored: bool
) -> None:
    """Cut values have one of their own, the list keeps what the meter said."""
    sql = "SELECT value, scaler, signature FROM entry WHERE meter = ? AND grid_s = ?"
    finer = value_at(LAST_S) * 100 + 57
    async with bench(memory, han_conexa_energy_scaler=scaler) as conexa:
        wish = {"usage-point-id": "01005e318027.taf7-2.sm", "last-reading": True}
        (channel,) = (await answered(conexa, Digest(OTHER, OTHER_PASSWORD), "readings", **wish))["channels"]
        (one,) = channel["readings"]
        session = conexa.gateway._session
        assert session is not None
        ((kept, power, signature),) = session.unit.memory.query(sql, (OTHER_METER, LAST_S))
        assert (int(kept), power) == (finer, -3)
        assert int(one["value"]) == (finer if as_stored else finer // 100)
        assert (one["signature"] == signature.hex()) is as_stored
