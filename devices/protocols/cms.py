"""Signed data of the Cryptographic Message Syntax, RFC 5652: exports and signed profiles of a gateway (han 6).

One certificate, one signer found by his subjectKeyIdentifier, ECDSA over SHA-256, attributes contentType, signingTime
and messageDigest, written in DER. The reader also takes what other programs write: BER, the signer by issuer and serial
number, several certificates, longer hashes, no attributes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from asn1crypto import algos, cms, core, x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509 import InvalidVersion, load_der_x509_certificate

ID_DATA: Final = "1.2.840.113549.1.7.1"
"""Content of no declared type: the XML of an export, a profile."""
MOST_OCTETS: Final = 64 * 1024 * 1024
"""Longest message that `read` takes, unless told otherwise."""
MOST_CERTIFICATES: Final = 16
MOST_SIGNERS: Final = 4

_SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
_DIGESTS: Final = MappingProxyType({"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()})
_SIGNATURES: Final = MappingProxyType(
    {"sha256_ecdsa": "sha256", "sha384_ecdsa": "sha384", "sha512_ecdsa": "sha512", "ecdsa": ""}
)
_PARSING: Final = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError)
"""What asn1crypto raises at octets that are not what they should be."""


class CmsError(ValueError):
    """Octets that are no signed data as read here, or a signature that does not fit.

    Attributes:
        offset: of the octet from which on they are wrong; 0 when the fault has no place.
    """

    def __init__(self, reason: str, offset: int = 0) -> None:
        self.offset = offset
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed, and how.

    Attributes:
        key_identifier: subjectKeyIdentifier of his certificate; None when he is named by issuer and serial number.
        issuer: DER of the issuer's name, None with a key identifier.
        serial: number of his certificate, None with a key identifier.
        digest: hash of the content, `sha256` ...
        signature_hash: hash under the signature, `sha256` ...; empty for an algorithm that is not read here.
        attributes: DER of the signed attributes as a SET, the octets that are signed; empty when there are none.
        content_type: dotted, of the attributes; None when absent.
        signing_time: UTC, None when absent.
        message_digest: None when absent.
        signature: DER, SEQUENCE of r and s.
    """

    key_identifier: bytes | None
    issuer: bytes | None
    serial: int | None
    digest: str
    signature_hash: str
    attributes: bytes
    content_type: str | None
    signing_time: datetime | None
    message_digest: bytes | None
    signature: bytes


@dataclass(frozen=True, slots=True)
class SignedData:
    """A message that was read.

    Attributes:
        content: what is signed.
        content_type: dotted, `ID_DATA` mostly.
        certificates: DER, as they came.
        signers: at least one.
    """

    content: bytes
    content_type: str
    certificates: tuple[bytes, ...]
    signers: tuple[Signer, ...]

    def certificate_of(self, signer: Signer) -> bytes | None:
        """The certificate in the message that a signer names, DER; None when it is not there."""
        return next((der for der in self.certificates if _names(signer, der)), None)

    def verify(self, certificate: bytes | None = None) -> None:
        """Check digest and signature of every signer; whether his certificate can be trusted is not asked here.

        Args:
            certificate: DER, taken instead of those in the message.

        Raises:
            CmsError: no certificate, an algorithm that is not read here, or what is signed is something else.
        """
        for signer in self.signers:
            der = certificate if certificate is not None else self.certificate_of(signer)
            if der is None:
                raise CmsError("the message does not hold the signer's certificate")
            self._verify(signer, der)

    def _verify(self, signer: Signer, der: bytes) -> None:
        signed = self.content
        if signer.attributes:
            if signer.content_type != self.content_type:
                raise CmsError(f"attributes are of a content {signer.content_type}, the content is {self.content_type}")
            if hashlib.new(signer.digest, self.content).digest() != signer.message_digest:
                raise CmsError("the content does not have the digest that is signed")
            signed = signer.attributes
        if signer.signature_hash not in _DIGESTS:
            raise CmsError("the signature is not ECDSA over SHA-256, SHA-384 or SHA-512")
        try:
            key = load_der_x509_certificate(der).public_key()
        except (ValueError, TypeError, InvalidVersion, UnsupportedAlgorithm) as error:
            raise CmsError(f"the certificate cannot be read: {error}") from error
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise CmsError("the certificate's key is none of an elliptic curve")
        try:
            key.verify(signer.signature, signed, ec.ECDSA(_DIGESTS[signer.signature_hash]))
        except InvalidSignature as error:
            raise CmsError("the signature does not fit") from error


def signed_data(
    content: bytes,
    certificate_der: bytes,
    key_identifier: bytes,
    sign: Callable[[bytes], bytes],
    at: datetime,
    content_type: str = ID_DATA,
) -> bytes:
    """A ContentInfo with signed data, in DER.

    Args:
        content: what is signed, in the message itself.
        certificate_der: of the signer; it goes with the message.
        key_identifier: subjectKeyIdentifier in that certificate.
        sign: gives r || s, ECDSA over SHA-256, for the octets it is handed.
        at: signing time, aware.
        content_type: dotted.

    Raises:
        CmsError: no certificate, one with another key identifier, no time zone, or a signature of odd length.
    """
    if at.tzinfo is None:
        raise CmsError("the signing time has no time zone")
    if key_identifier_of(certificate_der) != key_identifier:
        raise CmsError(f"the certificate's subjectKeyIdentifier is not {key_identifier.hex()}")
    at = at.astimezone(UTC).replace(microsecond=0)
    time = core.UTCTime(at) if 1950 <= at.year < 2050 else core.GeneralizedTime(at)
    attributes = cms.CMSAttributes(
        [
            {"type": "content_type", "values": [content_type]},
            {"type": "signing_time", "values": [cms.Time({_time_name(at): time})]},
            {"type": "message_digest", "values": [hashlib.sha256(content).digest()]},
        ]
    )
    raw = sign(attributes.dump())
    if not raw or len(raw) % 2:
        raise CmsError(f"a signature r || s of {len(raw)} octets")
    half = len(raw) // 2
    digest = algos.DigestAlgorithm({"algorithm": "sha256"})
    signer = cms.SignerInfo(
        {
            "version": "v3",
            "sid": cms.SignerIdentifier({"subject_key_identifier": key_identifier}),
            "digest_algorithm": digest,
            "signed_attrs": attributes,
            "signature_algorithm": algos.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"}),
            "signature": encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big")),
        }
    )
    message = cms.SignedData(
        {
            "version": "v3",
            "digest_algorithms": [digest],
            "encap_content_info": {"content_type": content_type, "content": core.ParsableOctetString(content)},
            "certificates": [cms.CertificateChoices("certificate", x509.Certificate.load(certificate_der))],
            "signer_infos": [signer],
        }
    )
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": message}).dump())


def key_identifier_of(certificate_der: bytes) -> bytes:
    """subjectKeyIdentifier in a certificate. Raises CmsError when it cannot be read or has none."""
    try:
        found = x509.Certificate.load(certificate_der, strict=True).key_identifier
    except _PARSING as error:
        raise CmsError(f"the certificate cannot be read: {error}") from error
    if not found:
        raise CmsError("the certificate has no subjectKeyIdentifier")
    return bytes(found)


def read(octets: bytes, most: int = MOST_OCTETS) -> SignedData:
    """Take a message apart; signatures are not checked yet.

    Args:
        octets: DER or BER of a ContentInfo.
        most: longest message taken.

    Raises:
        CmsError: too long, no signed data, no content in it, or more parts than bounds allow.
    """
    if len(octets) > most:
        raise CmsError(f"a message of {len(octets)} octets, at most {most} are read")
    try:
        return _read(octets)
    except CmsError:
        raise
    except _PARSING as error:
        raise CmsError(f"no signed data: {error}") from error


def _read(octets: bytes) -> SignedData:
    outer = cms.ContentInfo.load(octets, strict=True)
    if outer["content_type"].dotted != _SIGNED_DATA:
        raise CmsError(f"a message of type {outer['content_type'].dotted}, not signed data")
    inner = outer["content"]
    content = inner["encap_content_info"]["content"]
    if isinstance(content, core.Void):
        raise CmsError("the signed content is not in the message")
    certificates = inner["certificates"]
    signers = inner["signer_infos"]
    if len(certificates) > MOST_CERTIFICATES or not 1 <= len(signers) <= MOST_SIGNERS:
        raise CmsError(f"{len(certificates)} certificates and {len(signers)} signers")
    return SignedData(
        bytes(content),
        str(inner["encap_content_info"]["content_type"].dotted),
        tuple(bytes(one.chosen.dump()) for one in certificates if one.name == "certificate"),
        tuple(_signer(one) for one in signers),
    )


def _signer(info: Any) -> Signer:
    sid = info["sid"]
    by_key = sid.name == "subject_key_identifier"
    digest = str(info["digest_algorithm"]["algorithm"].native)
    if digest not in _DIGESTS:
        raise CmsError(f"a digest by {digest}, not SHA-256, SHA-384 or SHA-512")
    algorithm = _SIGNATURES.get(str(info["signature_algorithm"]["algorithm"].native))
    attributes = info["signed_attrs"]
    octets = b""
    values: dict[str, Any] = {}
    if attributes:
        octets = b"\x31" + bytes(attributes.dump())[1:]
        for attribute in attributes:
            name = str(attribute["type"].native)
            if name in values or len(attribute["values"]) != 1:
                raise CmsError(f"attribute {name} more than once, or not with one value")
            values[name] = attribute["values"][0]
    return Signer(
        key_identifier=bytes(sid.native) if by_key else None,
        issuer=None if by_key else bytes(sid.chosen["issuer"].dump()),
        serial=None if by_key else int(sid.chosen["serial_number"].native),
        digest=digest,
        signature_hash="" if algorithm is None else algorithm or digest,
        attributes=octets,
        content_type=str(values["content_type"].dotted) if "content_type" in values else None,
        signing_time=values["signing_time"].native if "signing_time" in values else None,
        message_digest=bytes(values["message_digest"].native) if "message_digest" in values else None,
        signature=bytes(info["signature"].native),
    )


def _names(signer: Signer, der: bytes) -> bool:
    try:
        certificate = x509.Certificate.load(der)
        if signer.key_identifier is not None:
            return bool(certificate.key_identifier == signer.key_identifier)
        return bool(certificate.issuer.dump() == signer.issuer and certificate.serial_number == signer.serial)
    except _PARSING:
        return False


def _time_name(at: datetime) -> str:
    return "utc_time" if 1950 <= at.year < 2050 else "general_time"
