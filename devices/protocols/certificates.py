"""X.509 certificates as others hand them over: whatever is wrong with one is a ValueError.

The library has errors of its own beside that one (a version that there is none of), and reads names when they are asked
for only.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.x509.oid import NameOID


def read_der(octets: bytes) -> x509.Certificate:
    """A certificate in DER; its key and extensions are not looked at. Raises ValueError."""
    try:
        return _named(x509.load_der_x509_certificate(octets))
    except x509.InvalidVersion as error:
        raise ValueError(str(error)) from None


def read_pem(octets: bytes) -> x509.Certificate:
    """The first certificate in PEM; as `read_der`. Raises ValueError."""
    try:
        return _named(x509.load_pem_x509_certificate(octets))
    except x509.InvalidVersion as error:
        raise ValueError(str(error)) from None


def read_chain(octets: bytes) -> tuple[x509.Certificate, ...]:
    """All certificates in PEM, at least one; as `read_der`. Raises ValueError."""
    try:
        return tuple(map(_named, x509.load_pem_x509_certificates(octets)))
    except x509.InvalidVersion as error:
        raise ValueError(str(error)) from None


def common_name(certificate: x509.Certificate) -> str:
    """The first common name of whom it is made out to; empty without one."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def _named(certificate: x509.Certificate) -> x509.Certificate:
    """A certificate whose names can be read. Raises ValueError."""
    _ = certificate.subject, certificate.issuer
    return certificate
