"""CMS signed data against the openssl command, both ways (han 6, RFC 5652)."""

import random
import shutil
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from asn1crypto import cms as asn1_cms
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509 import load_der_x509_certificate

from devices.protocols import cms
from devices.protocols.sm_pki import Authority, Rules, Usage, make_root

MADE = datetime(2026, 1, 1, tzinfo=UTC)
SIGNED = datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC)
CONTENT = b"<?xml version='1.0'?>\n<a>" + bytes(range(256)) + b"</a>"
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command")


class Card:
    """A certified key that signs as the security module does."""

    def __init__(self, curve: ec.EllipticCurve, seed: int = 1) -> None:
        rng = random.Random(seed)
        self.root: Authority = make_root(rng, MADE, Rules())
        sub = self.root.sub_authority("Test-Sub.CA", MADE)
        self.sub_der = sub.der
        self.key = ec.derive_private_key(rng.randrange(1, 1 << 250), curve)
        self.der = sub.issue("EPPC0210495730.SMGW", "Test.PKI", self.key.public_key(), Usage.SIGNATURE, MADE)
        self.identifier = cms.key_identifier_of(self.der)

    def sign(self, octets: bytes) -> bytes:
        width = (self.key.curve.key_size + 7) // 8
        r, s = decode_dss_signature(self.key.sign(octets, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(width, "big") + s.to_bytes(width, "big")

    def message(self, content: bytes = CONTENT, at: datetime = SIGNED) -> bytes:
        return cms.signed_data(content, self.der, self.identifier, self.sign, at)


@pytest.fixture(scope="module")
def card() -> Card:
    return Card(ec.BrainpoolP256R1())


def openssl(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["openssl", *arguments], cwd=cwd, check=False, capture_output=True, timeout=60)


@needs_openssl
@pytest.mark.parametrize("curve", [ec.BrainpoolP256R1(), ec.SECP256R1(), ec.BrainpoolP384R1()], ids=lambda c: c.name)
def test_openssl_verifies_what_is_written(curve: ec.EllipticCurve, tmp_path: Path) -> None:
    card = Card(curve)
    (tmp_path / "m.cms").write_bytes(card.message())
    authorities = [load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in (card.root.der, card.sub_der)]
    (tmp_path / "authorities").write_bytes(b"".join(authorities))
    chain = ["-CAfile", "authorities", "-purpose", "any", "-attime", str(int(SIGNED.timestamp()))]
    done = openssl("cms", "-verify", "-inform", "DER", "-in", "m.cms", "-binary", *chain, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == CONTENT
    damaged = card.message().replace(b"</a>", b"</b>")
    (tmp_path / "m.cms").write_bytes(damaged)
    done = openssl("cms", "-verify", "-inform", "DER", "-in", "m.cms", "-noverify", cwd=tmp_path)
    assert done.returncode != 0


@needs_openssl
def test_openssl_sees_the_layers_of_a_real_export(card: Card, tmp_path: Path) -> None:
    """Han 6: id-data, SHA-256, SignerInfo v3 by subjectKeyIdentifier, three signed attributes, ecdsa-with-SHA256."""
    (tmp_path / "m.cms").write_bytes(card.message())
    done = openssl("cms", "-cmsout", "-print", "-noout", "-inform", "DER", "-in", "m.cms", cwd=tmp_path)
    text = done.stdout.decode()
    assert text.startswith("CMS_ContentInfo:")
    assert "eContentType: pkcs7-data" in text
    assert text.count("d.certificate:") == 1
    signers = text[text.index("signerInfos:") :]
    assert signers.count("version: 3") == 1
    assert "d.subjectKeyIdentifier:" in signers
    assert "algorithm: sha256 (" in signers
    assert "algorithm: ecdsa-with-SHA256" in signers
    objects = [line.split("object: ")[1].split(" ")[0] for line in signers.splitlines() if "object: " in line]
    assert objects == ["contentType", "signingTime", "messageDigest"]
    assert "UTCTIME:Mar  1 12:00:01 2026 GMT" in signers


def test_what_is_written_is_der(card: Card) -> None:
    octets = card.message()
    assert asn1_cms.ContentInfo.load(octets, strict=True).dump(force=True) == octets


def test_what_is_written_can_be_read(card: Card) -> None:
    berlin = timezone(timedelta(hours=1))
    found = cms.read(card.message(at=SIGNED.astimezone(berlin)))
    found.verify()
    found.verify(card.der)
    assert found.content == CONTENT
    assert found.content_type == cms.ID_DATA
    assert found.certificates == (card.der,)
    (signer,) = found.signers
    assert signer.key_identifier == card.identifier
    assert signer.signing_time == SIGNED
    assert found.certificate_of(signer) == card.der


@needs_openssl
@pytest.mark.parametrize("options", [[], ["-keyid"], ["-stream"], ["-noattr"], ["-md", "sha384"], ["-nocerts"]])
def test_what_openssl_writes_can_be_read(card: Card, options: list[str], tmp_path: Path) -> None:
    key = card.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key").write_bytes(key)
    (tmp_path / "certificate").write_bytes(load_der_x509_certificate(card.der).public_bytes(Encoding.PEM))
    (tmp_path / "content").write_bytes(CONTENT * 50)
    signing = ["-sign", "-in", "content", "-signer", "certificate", "-inkey", "key", "-nodetach", "-binary"]
    done = openssl("cms", *signing, "-outform", "DER", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = cms.read(done.stdout)
    assert found.content == CONTENT * 50
    if "-nocerts" in options:
        with pytest.raises(cms.CmsError, match="does not hold"):
            found.verify()
    else:
        found.verify()
    found.verify(card.der)
    with pytest.raises(cms.CmsError, match="does not fit"):
        found.verify(Card(ec.BrainpoolP256R1(), seed=2).der)


def test_every_changed_octet_of_the_content_is_noticed(card: Card) -> None:
    octets = card.message()
    start = octets.index(CONTENT)
    for at in range(start, start + len(CONTENT), 37):
        changed = octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1 :]
        with pytest.raises(cms.CmsError, match="digest"):
            cms.read(changed).verify()


def test_damaged_messages_end_in_one_kind_of_error(card: Card) -> None:
    octets = card.message()
    rng = random.Random(7)
    content = range(octets.index(CONTENT), octets.index(CONTENT) + len(CONTENT))
    accepted = 0
    for _ in range(1500):
        at = rng.randrange(len(octets))
        damaged = bytearray(octets)
        damaged[at] = rng.randrange(256)
        if rng.random() < 0.3:
            del damaged[rng.randrange(len(damaged)) :]
        try:
            cms.read(bytes(damaged)).verify()
        except cms.CmsError:
            continue
        accepted += bytes(damaged) != octets
        assert at not in content or bytes(damaged) == octets
    assert accepted < 500  # what no one signs: the certificate's own signature, unused fields


def test_deep_nesting_does_not_bring_the_reader_down() -> None:
    with pytest.raises(cms.CmsError):
        cms.read(b"\x30\x80" * 100_000)
    octet_strings = b"\x24\x80" * 5_000 + b"\x00\x00" * 5_000
    head = bytes.fromhex("308006092a864886f70d010702a0803080020103310030800609 2a864886f70d010701a080")
    with pytest.raises(cms.CmsError):
        cms.read(head + octet_strings)


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "no signed data"),
        (b"\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01", "not signed data"),
        (b"<?xml", "no signed data"),
    ],
)
def test_other_octets_are_refused(octets: bytes, reason: str) -> None:
    with pytest.raises(cms.CmsError, match=reason):
        cms.read(octets)


def test_bounds_of_the_reader_hold(card: Card) -> None:
    with pytest.raises(cms.CmsError, match="at most 100"):
        cms.read(card.message(), most=100)
    with pytest.raises(cms.CmsError, match="no signed data"):
        cms.read(card.message() + b"\0")


def test_what_cannot_be_signed_is_refused(card: Card) -> None:
    with pytest.raises(cms.CmsError, match="time zone"):
        cms.signed_data(b"", card.der, card.identifier, card.sign, SIGNED.replace(tzinfo=None))
    with pytest.raises(cms.CmsError, match="subjectKeyIdentifier"):
        cms.signed_data(b"", card.der, b"\0" * 20, card.sign, SIGNED)
    with pytest.raises(cms.CmsError, match="63 octets"):
        cms.signed_data(b"", card.der, card.identifier, lambda _: b"\1" * 63, SIGNED)
    with pytest.raises(cms.CmsError, match="cannot be read"):
        cms.key_identifier_of(b"\x30\x03\x02\x01\x01")
