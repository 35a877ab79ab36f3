"""Certificates that TLS or a file lets through though they are none: what is said of them, never a traceback."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from han_stand_in import Headers, make_certificate, serving

from devices.clock import Clock
from devices.han.casa import CasaClient
from devices.han.conexa import _certificate
from devices.han.content import DeviceInfo, HanCertificate, HanContract, RawAnswer
from devices.han.errors import NotUnderstood
from devices.han.link import HanLink
from devices.han.login import Login, Settings
from devices.han.sequences.casa import transparency
from devices.han.sequences.visit import Visit
from devices.han.signatures import issued_by_sub_ca
from devices.han.trudi import Fetched, Span, content
from devices.protocols.certificates import common_name, read_chain, read_der, read_pem
from devices.protocols.trudi.content import CertType, ExportedCertificate
from devices.protocols.trudi.rules import findings

NAME = "EPPC0210495730.SMGW"


def of_version_9(der: bytes) -> bytes:
    at = der.index(bytes.fromhex("a003020102")) + 4
    return der[:at] + b"\x09" + der[at + 1 :]


def with_a_bent_name(der: bytes) -> bytes:
    at = der.rindex(NAME[:4].encode())
    return der[:at] + b"\xff" * 4 + der[at + 4 :]


@pytest.fixture(scope="module")
def der(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A good one."""
    pem = make_certificate(tmp_path_factory.mktemp("certificate"), NAME).read_bytes()
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


@pytest.fixture(params=[of_version_9, with_a_bent_name, lambda _: b"", lambda _: b"\x30\x00"],
                ids=["version 9", "bent name", "empty", "short"])  # fmt: skip
def odd(request: pytest.FixtureRequest, der: bytes) -> bytes:
    """One that is none."""
    return cast(Callable[[bytes], bytes], request.param)(der)


def pem_of(der: bytes) -> bytes:
    return ssl.DER_cert_to_PEM_cert(der).encode()


def test_the_library_has_an_error_of_its_own_for_a_version(der: bytes) -> None:
    with pytest.raises(x509.InvalidVersion):
        x509.load_der_x509_certificate(of_version_9(der))


def test_whatever_is_wrong_is_a_value_error(odd: bytes) -> None:
    for read, octets in ((read_der, odd), (read_pem, pem_of(odd)), (read_chain, pem_of(odd)), (read_pem, odd)):
        with pytest.raises(ValueError):
            cast(Callable[[bytes], object], read)(octets)


def test_a_good_one_tells_its_name(der: bytes) -> None:
    for one in (read_der(der), read_pem(pem_of(der)), *read_chain(pem_of(der) * 2)):
        assert (common_name(one), one.public_bytes(Encoding.DER)) == (NAME, der)


async def test_a_gateway_with_an_odd_certificate_has_no_number_in_it(clock: Clock, tmp_path: Path, der: bytes) -> None:
    """Version 9 is no obstacle to TLS."""
    key = make_certificate(tmp_path, NAME).read_text().partition("-----BEGIN CERTIFICATE")[0]
    own = make_certificate(tmp_path, "other")
    for made, number in ((lambda one: one, "eppc0210495730"), (of_version_9, "")):
        pem = make_certificate(tmp_path, NAME)
        key, begin, rest = pem.read_text().partition("-----BEGIN CERTIFICATE")
        changed = made(read_pem((begin + rest).encode()).public_bytes(Encoding.DER))
        own.write_text(key + pem_of(changed).decode())

        def handler(method: str, target: str, headers: Headers, body: bytes) -> tuple[int, Headers, bytes]:
            return 200, {}, b""

        async with (
            serving(handler, own) as port,
            HanLink(clock, Settings("127.0.0.1", port), Login("anna", "a")) as link,
        ):
            assert link.number == ""
            await link.request("GET", "/")
            assert (link.certificate, link.number) == (changed, number)


def test_a_file_for_the_transparency_software_says_which_certificate_is_none(odd: bytes, der: bytes) -> None:
    now = datetime(2026, 1, 5, tzinfo=UTC)
    for shown, named in ((odd, "unknown"), (der, "eppc0210495730")):
        certificates = (HanCertificate("signature", shown), HanCertificate("sub_ca", der))
        fetched = Fetched(
            HanContract("c", 7, "c"), Span(now, now, False), DeviceInfo("", "1"), certificates, (), (), ()
        )  # fmt: skip
        export, _ = content(fetched, "anna")
        assert export.gateway.id == named
    whole = (ExportedCertificate(1, CertType.SIGNATURE, odd, 2), ExportedCertificate(2, CertType.SUB_CA, der))
    changed = replace(export, certificates=whole, gateway=replace(export.gateway, certificates=(1, 2)))
    told = [str(one) for one in findings(changed) if one.where == "certContent"]
    assert told == ["certContent: the certificate 1 cannot be read"]
    assert issued_by_sub_ca(changed) is False


def test_a_conexa_that_hands_out_an_odd_one_is_not_understood(der: bytes) -> None:
    for octets in (of_version_9(der), pem_of(of_version_9(der)), with_a_bent_name(der), b"\x30\x00"):
        with pytest.raises(NotUnderstood, match="no certificate"):
            _certificate("smgw-info.sig", octets.hex())
    assert _certificate("smgw-info.sig", pem_of(der).hex()) == der


class _Link:
    """Answers every request in the same way."""

    def __init__(self, body: bytes) -> None:
        self.login, self.certificate, self._body = Login("anna", "a"), b"", body

    async def request(self, method: str, target: str, **_: object) -> RawAnswer:
        system = b'{"firmwareversion": "1", "huid": "e", "systemtime": 0, "user_domain": "a.sm", "vendor": "e"}'
        body = self._body if target.endswith(".pem") else system
        return RawAnswer(200, {"content-type": "application/json"}, body, {})


async def test_a_casa_that_hands_out_an_odd_one_is_not_understood(der: bytes) -> None:
    for octets in (of_version_9(der), with_a_bent_name(der)):
        link = cast(HanLink, _Link(pem_of(octets)))
        with pytest.raises(NotUnderstood, match="no certificates in PEM"):
            await CasaClient(link).certificates()
        with pytest.raises(NotUnderstood, match="no certificate in PEM"):
            await transparency(Visit(link, datetime(2026, 1, 5, tzinfo=UTC)))
