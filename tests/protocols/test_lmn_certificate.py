"""Certificates of the LMN keep the rules of wan-core 5.3; OpenSSL reads and verifies them too."""

from __future__ import annotations

import random
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.protocols.lmn_certificate import (
    CURVES,
    LIFE_DAYS,
    MAX_OCTETS,
    CertificateError,
    Identity,
    belong_together,
    make_identity,
    read_certificate,
    read_key,
)

BEGIN = datetime(2026, 1, 5, 12, 30, 15, 999, tzinfo=UTC)
NAME = "1SAG0021061001.sm"


def identity(curve: str = "brainpoolP256r1", seed: int = 1) -> Identity:
    return make_identity(NAME, curve, BEGIN, LIFE_DAYS, random.Random(seed))


@pytest.mark.parametrize("curve", CURVES)
def test_a_pair_keeps_the_rules_on_every_curve(curve: str) -> None:
    made = identity(curve)
    certificate = read_certificate(made.certificate)
    assert certificate.violations == ()
    assert (certificate.name, certificate.curve) == (NAME, curve)
    assert len(made.certificate) <= MAX_OCTETS
    assert belong_together(made)
    assert certificate.not_after - certificate.not_before == timedelta(days=LIFE_DAYS)


def test_the_key_is_handed_over_as_sec_1() -> None:
    assert identity("P-256").key.startswith(bytes.fromhex("30770201010420"))  # lmn-wired 3.2, step 3


def test_the_same_seed_makes_the_same_pair_and_another_seed_another() -> None:
    assert identity(seed=1) == identity(seed=1) != identity(seed=2)


@pytest.mark.parametrize("octets", [8, 20])
def test_serial_numbers_have_8_to_20_octets(octets: int) -> None:
    made = make_identity(NAME, "P-256", BEGIN, 10, random.Random(3), serial_octets=octets)
    assert (read_certificate(made.certificate).serial.bit_length() + 7) // 8 == octets
    with pytest.raises(CertificateError, match="8 to 20"):
        make_identity(NAME, "P-256", BEGIN, 10, random.Random(3), serial_octets=7)


def test_even_the_longest_name_on_the_largest_curve_keeps_the_600_octets() -> None:
    made = make_identity("x" * 61 + ".sm", "brainpoolP512r1", BEGIN, 10, random.Random(1), serial_octets=20)
    assert len(made.certificate) <= MAX_OCTETS == 600


def test_validity_is_judged_by_the_clock_that_is_given() -> None:
    certificate = read_certificate(identity().certificate)
    begin = BEGIN.replace(microsecond=0)
    assert certificate.valid_at(begin) and certificate.valid_at(begin + timedelta(days=LIFE_DAYS))
    assert not certificate.valid_at(begin - timedelta(seconds=1))
    assert not certificate.valid_at(begin + timedelta(days=LIFE_DAYS, seconds=1))


def test_a_key_of_somebody_else_is_noticed() -> None:
    assert not belong_together(Identity(identity(seed=1).certificate, identity(seed=2).key))


@pytest.mark.parametrize(
    ("octets", "reason"), [(b"", "encoding"), (b"\x30\x80\x00", "encoding"), (identity().certificate[:-1], "encoding")]
)
def test_octets_that_are_no_certificate_are_refused(octets: bytes, reason: str) -> None:
    with pytest.raises(CertificateError) as caught:
        read_certificate(octets)
    assert caught.value.reason == reason


def _foreign(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, signer: ec.EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "meter")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(5).not_valid_before(BEGIN).not_valid_after(BEGIN + timedelta(days=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.DER)


def test_broken_rules_are_listed() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    violations = read_certificate(_foreign(key, key)).violations
    assert [one.split()[0] for one in violations] == ["common", "serial", "no", "it"]


def test_a_certificate_signed_by_somebody_else_or_with_another_kind_of_key_is_refused() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(CertificateError, match="not signed with its own key"):
        read_certificate(_foreign(key, ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(CertificateError, match="none of the curves"):
        read_certificate(_foreign(rsa.generate_private_key(65537, 1024), key))
    with pytest.raises(CertificateError, match="none of the curves"):
        read_certificate(_foreign(ec.generate_private_key(ec.SECP256K1()), key))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(0, 342), st.integers(1, 255))
def test_a_damaged_certificate_raises_nothing_but_its_own_error(position: int, change: int) -> None:
    octets = bytearray(identity().certificate)
    octets[position % len(octets)] ^= change
    try:
        read_certificate(bytes(octets))
    except CertificateError as error:
        assert error.reason


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.binary(max_size=200))
def test_octets_that_are_no_key_raise_nothing_but_the_own_error(octets: bytes) -> None:
    with pytest.raises(CertificateError):
        read_key(octets)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl command for a second opinion")
@pytest.mark.parametrize("curve", CURVES)
def test_openssl_reads_certificate_and_key_and_finds_the_signature_good(curve: str) -> None:
    made = identity(curve)
    shown = _openssl(["x509", "-inform", "DER", "-noout", "-text", "-nameopt", "RFC2253"], made.certificate)
    assert f"Subject: CN={NAME}" in shown
    assert "X509v3 Key Usage: critical\n                Digital Signature\n" in shown
    assert "CA:FALSE" in shown
    public = _openssl(["x509", "-inform", "DER", "-noout", "-pubkey"], made.certificate)
    assert public == _openssl(["ec", "-inform", "DER", "-pubout"], made.key)


def _openssl(arguments: list[str], data: bytes) -> str:
    done = subprocess.run(["openssl", *arguments], input=data, capture_output=True, timeout=20, check=True)
    return done.stdout.decode()
