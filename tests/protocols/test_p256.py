"""Keys and signatures on P-256, with OpenSSL as a second opinion (lmn-wired 5.4)."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from hypothesis import given
from hypothesis import strategies as st
from smarty_words import ENTRIES_SIGNATURE, KEY, STATUS_SIGNATURE

from devices.protocols.p256 import P256Error, SigningKey, curve_of, key_problem, signature_problem, verify

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl program is not installed")


def raw(key: ec.EllipticCurvePublicKey) -> bytes:
    numbers = key.public_numbers()
    return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def test_the_printed_key_is_on_p256_and_on_no_other_curve() -> None:
    assert curve_of(KEY) == "P-256"
    assert key_problem(KEY) is None


def test_a_key_with_one_wrong_digit_is_on_no_curve() -> None:
    damaged = bytearray(KEY)
    damaged[7] = 0x48
    assert curve_of(bytes(damaged)) is None
    assert "no point of the curve P-256" in (key_problem(bytes(damaged)) or "")


@pytest.mark.parametrize(
    ("curve", "name"),
    [(ec.SECP256K1(), "secp256k1"), (ec.BrainpoolP256R1(), "brainpoolP256r1"), (ec.SECP256R1(), "P-256")],
)
def test_a_key_of_another_curve_is_named(curve: ec.EllipticCurve, name: str) -> None:
    key = raw(ec.derive_private_key(20260105, curve).public_key())
    assert curve_of(key) == name
    problem = key_problem(key)
    assert problem is None if name == "P-256" else name in (problem or "")


@openssl
@pytest.mark.parametrize("name", ["secp256k1", "brainpoolP256r1", "brainpoolP256t1"])
def test_the_curves_known_by_name_are_those_of_openssl(name: str) -> None:
    key = subprocess.run(
        ["openssl", "ecparam", "-name", name, "-genkey", "-noout", "-outform", "DER"], capture_output=True, check=True
    ).stdout
    assert curve_of(key[-64:]) == name, "the point is the end of the SEC1 structure"


def test_the_signatures_of_the_manual_are_possible() -> None:
    assert signature_problem(STATUS_SIGNATURE) is None
    assert signature_problem(ENTRIES_SIGNATURE) is None


@pytest.mark.parametrize(
    ("signature", "digits"),
    [(STATUS_SIGNATURE, ("BA47", "8A47")), (ENTRIES_SIGNATURE, ("902DB5", "902D85"))],
)
def test_the_other_reading_of_the_manual_has_no_valid_r(signature: bytes, digits: tuple[str, str]) -> None:
    misread = bytes.fromhex(signature.hex().upper().replace(*digits))
    assert "belongs to no point" in (signature_problem(misread) or "")


@pytest.mark.parametrize(
    ("r", "s", "name"), [(0, 1, "r"), (ORDER, 1, "r"), (1, 0, "s"), (1, ORDER, "s"), (2**256 - 1, 1, "r")]
)
def test_r_and_s_lie_between_one_and_the_order(r: int, s: int, name: str) -> None:
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    assert (signature_problem(signature) or "").startswith(name)
    assert not verify(KEY, b"", signature)


def test_a_small_r_may_belong_to_a_point_whose_x_is_above_the_order() -> None:
    def point(x: int) -> bool:
        try:
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x02" + x.to_bytes(32, "big"))
        except ValueError:
            return False
        return True

    found = [(point(r), point(r + ORDER)) for r in range(1, 40)]
    assert set(found) == {(False, False), (False, True), (True, False), (True, True)}
    for r, on_curve in enumerate(found, 1):
        problem = signature_problem(r.to_bytes(32, "big") + (1).to_bytes(32, "big"))
        assert (problem is None) is any(on_curve), r


def test_the_same_octets_get_the_same_signature_and_other_octets_another() -> None:
    key = SigningKey.generate(random.Random(1))
    assert key.sign(b"log") == key.sign(b"log") != key.sign(b"lot")
    assert SigningKey.generate(random.Random(1)) == key != SigningKey.generate(random.Random(2))


def test_rfc_6979_signs_its_own_example() -> None:
    """RFC 6979 A.2.5, P-256, SHA-256, message "sample"."""
    key = SigningKey(0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721)
    assert key.public.hex().upper() == (
        "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"
        "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"
    )
    assert key.sign(b"sample").hex().upper() == (
        "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
        "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
    )


@openssl
def test_openssl_accepts_our_signature(tmp_path: Path) -> None:
    key = SigningKey.generate(random.Random(3))
    numbers = ec.EllipticCurvePublicNumbers(
        int.from_bytes(key.public[:32], "big"), int.from_bytes(key.public[32:], "big"), ec.SECP256R1()
    )
    (tmp_path / "key.pem").write_bytes(
        numbers.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    signature = key.sign(b"an update log")
    halves = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    (tmp_path / "signature").write_bytes(encode_dss_signature(*halves))
    command = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "signature"]
    good = subprocess.run(command, input=b"an update log", cwd=tmp_path, capture_output=True, check=False)
    bad = subprocess.run(command, input=b"an update lot", cwd=tmp_path, capture_output=True, check=False)
    assert (good.returncode, bad.returncode) == (0, 1)


@openssl
def test_we_accept_a_signature_of_openssl(tmp_path: Path) -> None:
    private = ec.derive_private_key(123456789, ec.SECP256R1())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    assert load_pem_private_key(pem, None)
    command = ["openssl", "dgst", "-sha256", "-sign", "key.pem"]
    made = subprocess.run(command, input=b"an update log", cwd=tmp_path, capture_output=True, check=True).stdout
    r, s = decode_dss_signature(made)
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    assert verify(raw(private.public_key()), b"an update log", signature)
    assert not verify(raw(private.public_key()), b"an update lot", signature)


@pytest.mark.parametrize("secret", [0, ORDER, -1])
def test_a_private_key_outside_the_group_is_refused(secret: int) -> None:
    with pytest.raises(P256Error, match="between 1 and the order"):
        SigningKey(secret)


@given(st.binary(max_size=130), st.binary(max_size=130), st.binary(max_size=20))
def test_any_octets_are_judged_without_trouble(key: bytes, signature: bytes, data: bytes) -> None:
    assert isinstance(verify(key, data, signature), bool)
    assert not verify(key, data, signature)
    assert not verify(KEY, data, signature)
