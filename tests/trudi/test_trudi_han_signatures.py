"""Signatures of a file that was read at the home interface: what the bench says it has verified (han 5.2, 6)."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from trudi_recipe import DOCUMENT

from bench.tools.han_signatures import checked, told
from devices.han import signatures
from devices.han.errors import NotUnderstood
from devices.han.ppc_export import read_values
from devices.han.signatures import ENOUGH, WORDS
from devices.protocols import cms
from devices.protocols.trudi.content import (
    CertType,
    ExportedCertificate,
    Gateway,
    GatewayExport,
    IntervalBlock,
    IntervalReading,
    MeterReading,
    ReadingType,
)
from devices.protocols.trudi.status import Severity, severity_of_word

BEGIN = datetime(2026, 1, 10, tzinfo=UTC)
NAME = "0100010800ff.1SAG0021061001.sm"
WORD, DRAWN = "A000000020000000", "A000000020803800"
KEY = ec.derive_private_key(4711, ec.BrainpoolP256R1())
CA_KEY = ec.derive_private_key(4712, ec.BrainpoolP256R1())


def made_out(name: str, key: ec.EllipticCurvePrivateKey, issuer: str, by: ec.EllipticCurvePrivateKey) -> bytes:
    subject, above = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (name, issuer))
    made = x509.CertificateBuilder(above, subject, key.public_key(), 7, BEGIN, BEGIN + timedelta(days=700))
    made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return made.sign(by, SHA256()).public_bytes(Encoding.DER)


OWN, SUB = made_out("E.SMGW", KEY, "Sub", CA_KEY), made_out("Sub", CA_KEY, "Sub", CA_KEY)
STRANGER = made_out("Sub", KEY, "Sub", KEY)


def raw(octets: bytes) -> bytes:
    """r || s."""
    r, s = decode_dss_signature(KEY.sign(octets, ec.ECDSA(SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def value(number: int, word: str, status: str | None = None, **changes: object) -> IntervalReading:
    """Signed as docs/trudi.md has it; `status`: what the file tells of it, None: that word."""
    at = BEGIN + number * timedelta(minutes=15)
    lines = ("smgw-value-1", NAME.lower(), word, f"{at:%Y-%m-%dT%H:%M:%SZ}", 1000 + number, -1, 30)
    signature = raw("".join(f"{line}\n" for line in lines).encode())
    plain = IntervalReading(1000 + number, at, word if status is None else status, certificate=1, signature=signature)
    return replace(plain, **changes)  # type: ignore[arg-type]


def export(*readings: IntervalReading, certificates: tuple[tuple[CertType, bytes], ...] = ()) -> GatewayExport:
    shown = certificates or ((CertType.SIGNATURE, OWN), (CertType.SUB_CA, SUB))
    listed = tuple(ExportedCertificate(number, kind, der) for number, (kind, der) in enumerate(shown, 1))
    block = IntervalBlock(BEGIN, 86_400, readings)
    values = MeterReading("1SAG0021061001", NAME, ReadingType("0100010800ff", NAME, 72, -1, period_s=900), (block,))
    gateway = Gateway("e", "1", tuple(one.id for one in listed))
    return GatewayExport("DE1", 0, "c", "s", gateway, listed, "T", (values,))


def counts(one: GatewayExport) -> tuple[int, int, int, bool]:
    (found,) = checked(one)["signatures"]
    assert found["name"] == NAME.lower()
    return found["fit"], found["misfit"], found["unsigned"], found["guessed"]


def test_values_that_fit_and_those_that_do_not_are_counted() -> None:
    good = [value(number, WORD) for number in range(4)]
    bent = [
        value(4, WORD, value=1),
        value(5, WORD, at=BEGIN),
        value(6, WORD, status=DRAWN),
        value(7, WORD, signature=b"\1" * 64),
    ]
    assert counts(export(*good, *bent, value(8, WORD, signature=b""))) == (4, 4, 1, False)
    lines = list(told(checked(export(*good, *bent))))
    assert lines[1:] == [
        f"  {NAME.lower()}: 4 fit, 4 do not",
        "certificate: issued by the Sub-CA in the file; the root is not in it",
    ]
    assert "no document says what real ones sign" in lines[0]


def test_without_a_status_word_those_of_good_readings_are_tried_and_that_is_told() -> None:
    one = export(value(0, DRAWN, ""), value(1, WORD, ""), value(2, "A000000020000001", ""))
    assert counts(one) == (2, 1, 0, True)
    assert list(told(checked(one)))[1].endswith("2 fit, 1 do not; status words were guessed, as the product tells none")


def test_guessing_ends_when_none_of_many_fits_and_the_rest_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A year of a real PPC would take minutes, and none of its values is expected to fit."""
    bad = value(0, "A000000020000001", "")
    many = [replace(bad, at=BEGIN + number * timedelta(minutes=15)) for number in range(ENOUGH + 36)]
    tried: list[bytes] = []
    fits = signatures._fits
    monkeypatch.setattr(signatures, "_fits", lambda *given: tried.append(given[3]) or fits(*given))
    one = export(*many, replace(bad, signature=b""))
    assert counts(one) == (0, ENOUGH, 1, True)
    assert len(tried) == ENOUGH * len(WORDS)
    found = checked(one)
    assert json.loads(json.dumps(found))["signatures"][0]["not_verified"] == 36
    assert f"0 fit, {ENOUGH} do not; 36 not verified, as none before them fits; status" in list(told(found))[1]


def test_where_one_fits_or_the_words_are_told_all_are_verified() -> None:
    bad = value(0, "A000000020000001", "")
    assert counts(export(value(1, WORD, ""), *[bad] * (ENOUGH + 3))) == (1, ENOUGH + 3, 0, True)
    assert counts(export(*[value(0, WORD, status=DRAWN)] * (ENOUGH + 3))) == (0, ENOUGH + 3, 0, False)


def test_a_key_that_is_not_known_leaves_the_values_unverified() -> None:
    p256 = made_out("E.SMGW", ec.derive_private_key(4713, ec.SECP256R1()), "Sub", CA_KEY)
    curve = bytes.fromhex("06082a8648ce3d030107")
    strange = p256.replace(curve, curve[:-1] + b"\x63")
    with pytest.raises((ValueError, UnsupportedAlgorithm)):
        x509.load_der_x509_certificate(strange).public_key()
    for der in (strange, b"no certificate"):
        one = export(value(0, WORD), certificates=((CertType.SIGNATURE, der),))
        assert counts(one) == (0, 0, 1, False)


@pytest.mark.parametrize("shown", [((CertType.HAN, OWN),), ((CertType.SUB_CA, OWN),)])
def test_without_a_certificate_of_the_signatures_nothing_was_verified(
    shown: tuple[tuple[CertType, bytes], ...],
) -> None:
    one = export(value(0, WORD), certificates=shown)
    assert counts(one) == (0, 0, 1, False)
    lines = list(told(checked(one)))
    assert "none of 1 values was verified" in lines[1]
    assert "it was not checked who issued it" in lines[2]


def test_the_document_tries_the_same_words() -> None:
    found = re.search(r"^WORDS = (\[.*?\])", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    assert tuple(json.loads(found[1])) == WORDS
    assert {severity_of_word(one) for one in WORDS} == {Severity.NONE}


def test_another_sub_ca_is_told() -> None:
    one = export(value(0, WORD), certificates=((CertType.SIGNATURE, OWN), (CertType.SUB_CA, STRANGER)))
    assert list(told(checked(one)))[-1] == "certificate: not issued by the Sub-CA in the file"


def test_an_export_of_a_ppc_whose_signature_does_not_fit_is_refused() -> None:
    xml = b"<ns1:object xmlns:ns1='urn:k461-dke-de:profile_generic-1'/>"
    whole = cms.signed_data(xml, OWN, cms.key_identifier_of(OWN), raw, BEGIN)
    assert read_values(whole, "1SAG0021061001", None, None).certificates == (OWN,)
    with pytest.raises(NotUnderstood, match="its signature: the content does not have the digest"):
        read_values(whole.replace(b"ns1:object", b"ns1:0bject", 1), "1SAG0021061001", None, None)
