"""The gateway's certificates: shape of the test SM-PKI, taken by OpenSSL, the same for a seed (wan-core 5.1)."""

from __future__ import annotations

import random
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from devices.errors import UsageError
from firmware.config import Options
from firmware.security.certificates import (
    GW_WAN_ENC,
    GW_WAN_TLS,
    SM_ROOT,
    SUB_CA,
    certificate,
    chain,
    make_certificates,
    names,
)
from firmware.security.module import GW_WAN_SIG, SecurityModule, make_keys
from firmware.storage.memory import NonVolatileMemory

NOW = datetime(2026, 1, 5, 12, 0, 0, 500_000, tzinfo=UTC)
NUMBER = "EPPC0210495730"
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl here")


def made(seed: int = 1, *, triple: bool = False, options: Options | None = None) -> NonVolatileMemory:
    memory, rng = NonVolatileMemory(), random.Random(seed)
    make_keys(memory, rng, "brainpoolP256r1")
    if triple:
        for name in (GW_WAN_TLS, GW_WAN_ENC):
            key = ec.derive_private_key(rng.randrange(1, 1 << 255), ec.BrainpoolP256R1())
            memory.keep_secret(name, key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    make_certificates(memory, rng, NUMBER, options or Options(), NOW)
    return memory


def openssl(folder: Path, memory: NonVolatileMemory, name: str, *, at: datetime = NOW, root: str = SM_ROOT) -> str:
    for one in names(memory):
        (folder / f"{one}.pem").write_bytes(certificate(memory, one).pem)
    words = ["openssl", "verify", "-x509_strict", "-policy_check", "-attime", str(int(at.timestamp()))]
    words += ["-CAfile", f"{root}.pem", "-untrusted", f"{SUB_CA}.pem", f"{name}.pem"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@needs_openssl
def test_openssl_accepts_the_chain_of_each_key(tmp_path: Path) -> None:
    memory = made(triple=True)
    for name in (GW_WAN_SIG, GW_WAN_TLS, GW_WAN_ENC):
        assert openssl(tmp_path, memory, name) == f"{name}.pem: OK\n"


@needs_openssl
def test_openssl_refuses_it_outside_its_two_years_and_under_another_root(tmp_path: Path) -> None:
    memory = made()
    assert "expired" in openssl(tmp_path, memory, GW_WAN_SIG, at=NOW + timedelta(days=729, seconds=1))
    assert openssl(tmp_path, memory, GW_WAN_SIG, at=NOW + timedelta(days=728)).endswith("OK\n")
    assert "not yet valid" in openssl(tmp_path, memory, GW_WAN_SIG, at=NOW - timedelta(days=2))
    (tmp_path / "other.pem").write_bytes(certificate(made(2), SM_ROOT).pem)
    assert "error" in openssl(tmp_path, memory, GW_WAN_SIG, root="other")


def test_names_are_those_of_the_test_pki() -> None:
    own, sub, root = (one.x509 for one in chain(made(), GW_WAN_SIG))

    def said(name: x509.Name) -> dict[str, object]:
        return {one.rfc4514_attribute_name: one.value for one in name}

    assert said(root.subject).items() >= {"CN": "SM-Test-Root.CA", "O": "SM-Test-PKI-DE", "C": "DE"}.items()
    assert str(said(sub.subject)["CN"]).endswith(".CA")
    wanted = {"CN": f"{NUMBER}.SMGW", "O": "SM-Test-PKI-DE", "OU": "Bench-Test-GWA.PKI", "C": "DE"}
    assert said(own.subject).items() >= wanted.items()
    (number,) = own.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    assert str(number.value).isdecimal()
    assert (own.issuer, sub.issuer, root.issuer) == (sub.subject, root.subject, root.subject)


def test_extensions_are_those_of_a_gateways_certificate() -> None:
    memory = made(triple=True)
    required = {
        "authorityKeyIdentifier", "subjectKeyIdentifier", "keyUsage", "certificatePolicies", "issuerAltName",
        "basicConstraints", "cRLDistributionPoints",
    }  # fmt: skip
    used = {
        GW_WAN_SIG: ("digital_signature", required),
        GW_WAN_TLS: ("digital_signature", required | {"extendedKeyUsage"}),
        GW_WAN_ENC: ("key_agreement", required),
    }
    for name, (usage, extensions) in used.items():
        own = certificate(memory, name).x509
        assert {one.oid._name for one in own.extensions} == extensions
        critical = {one.oid._name for one in own.extensions if one.critical}
        assert critical == {"keyUsage", "basicConstraints", "extendedKeyUsage"} & extensions
        assert getattr(own.extensions.get_extension_for_class(x509.KeyUsage).value, usage)
        (policy,) = own.extensions.get_extension_for_class(x509.CertificatePolicies).value
        assert policy.policy_identifier.dotted_string == "0.4.0.127.0.7.3.4.1.1.1"
    keys = {certificate(memory, name).public_key.public_numbers() for name in used}
    assert len(keys) == 3, "one subject, distinct keys"


def test_the_signing_certificate_holds_the_key_of_the_module_on_its_curve_for_two_years() -> None:
    memory = made()
    own = certificate(memory, GW_WAN_SIG)
    assert own.public_key == SecurityModule(memory).public_key
    assert isinstance(own.public_key.curve, ec.BrainpoolP256R1)
    begin = datetime(2026, 1, 4, 12, tzinfo=UTC)
    assert (own.x509.not_valid_before_utc, own.x509.not_valid_after_utc) == (begin, begin + timedelta(days=730))


def test_the_same_seed_gives_the_same_certificates_and_another_one_others() -> None:
    assert made(1).dump() == made(1).dump()
    assert certificate(made(1), SM_ROOT).der != certificate(made(2), SM_ROOT).der


def test_a_unit_keeps_the_certificates_that_it_has() -> None:
    memory = made()
    before = memory.dump()
    make_certificates(memory, random.Random(9), NUMBER, Options(), NOW + timedelta(days=400))
    assert memory.dump() == before


def test_a_certificate_that_is_not_there_is_named_with_those_that_are() -> None:
    memory = made()
    assert names(memory) == [GW_WAN_SIG, SM_ROOT, SUB_CA]
    with pytest.raises(UsageError, match=r"no certificate 'GW_HAN' \(there are: GW_WAN_SIG, SM_ROOT, SUB_CA\)"):
        certificate(memory, "GW_HAN")


def test_administrator_and_life_are_options() -> None:
    memory = made(options=Options(certificate_administrator="ACME", certificate_days=10))
    own = certificate(memory, GW_WAN_SIG).x509
    assert own.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)[0].value == "ACME.PKI"
    assert own.not_valid_after_utc - own.not_valid_before_utc == timedelta(days=10)
    with pytest.raises(UsageError, match="cannot last 0 days"):
        made(options=Options(certificate_days=0.0))
