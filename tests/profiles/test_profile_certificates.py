"""V12: chains, roles, uses and curves of certificates that OpenSSL made (wan-core 5, 6.2)."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from openssl_pki import Pki, standard_pki
from profile_parts import Shelf, meter, peer, person, proxy, rules

from devices.clock import Clock
from firmware.profiles import installed
from firmware.profiles.plain import PlainDataError
from firmware.profiles.trust import root_statement
from firmware.storage.memory import NonVolatileMemory


@pytest.fixture(scope="module")
def more(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """The standard hierarchy and what is wrong in some way."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is not installed")
    pki = standard_pki(tmp_path_factory.mktemp("more"))
    pki.make("other-root", "SM-Test-Root.CA", None, "authority")
    pki.make("other-sub", "Test-Sub.CA", "other-root", "last_authority")
    pki.make("emt-foreign", "Test-EMT", "other-sub", "tls")
    pki.make("emt-expired", "Test-EMT", "sub", "tls", end="20251231235959Z")
    pki.make("emt-future", "Test-EMT", "sub", "tls", begin="20260201000000Z")
    pki.make("emt-k1", "Test-EMT", "sub", "tls", curve="secp256k1")
    pki.make("emt-rsa", "Test-EMT", "sub", "tls", curve="rsa")
    pki.make("emt-self", "Test-EMT", None, "tls")
    pki.make("emt-usage", "Test-EMT", "sub", "encryption")
    pki.make("emt-plain", "Test-EMT", "sub", "plain")
    pki.make("emt-same-key", "Test-EMT", "sub", "tls", key="emt-signature")
    pki.make("emt-2", "Other-EMT", "sub", "tls")
    pki.make("emt-authority", "Test-EMT", "root", "authority")
    pki.make("emt-by-emt", "Test-EMT", "emt-tls", "tls")
    pki.make("not-signing", "Test-Sub-2.CA", "root", "not_signing")
    pki.make("emt-not-signing", "Test-EMT", "not-signing", "tls")
    pki.make("sub-sub", "Test-Sub-Sub.CA", "sub", "authority")
    pki.make("emt-too-deep", "Test-EMT", "sub-sub", "tls")
    pki.make("sub-old", "Test-Sub-Old.CA", "root", "last_authority", end="20251231235959Z")
    pki.make("emt-old-issuer", "Test-EMT", "sub-old", "tls")
    pki.make("emt-p384", "Test-EMT", "sub", "tls", curve="brainpoolP384r1")
    return pki


@pytest.fixture
def shop(clock: Clock, more: Pki) -> Shelf:
    """A store that trusts the first root."""
    return Shelf(clock, more)


def reasons(shelf: Shelf, plain: dict[str, Any]) -> list[str]:
    """What is wrong with the certificates of a profile, each finding having the right answer and log entry."""
    before = len(shelf.events)
    answer = shelf.store.install(plain)
    assert {rule for rule, _ in rules(answer)} <= {"V12"}
    assert {name for name, _ in shelf.events[before:]} <= {
        "communication_profile_rejected",  # PPC 10217
        "communication_profile_created",
    }
    return [one.reason for one in answer.findings]


def test_chains_of_openssl_are_taken_and_openssl_takes_them_too(shop: Shelf, more: Pki) -> None:
    more.openssl("verify", "-CAfile", "root.pem", "-untrusted", "sub.pem", "emt-tls.pem")
    assert reasons(shop, peer(more, "EMT")) == []
    assert reasons(shop, peer(more, "GWA")) == []
    assert reasons(shop, peer(more, "NTP")) == []


def test_the_order_of_issuers_does_not_matter_nor_does_the_root_among_them(shop: Shelf, more: Pki) -> None:
    for number, issuers in enumerate((["sub", "root"], ["root", "sub"], ["cls", "sub"])):
        plain = peer(more, "EMT", id=f"emt-{number}", issuers=[more.hex(one) for one in issuers])
        assert reasons(shop, plain) == []


@pytest.mark.parametrize(
    ("name", "issuers", "reason"),
    [
        ("emt-foreign", ["other-sub"], "leads to no installed root"),
        ("emt-foreign", ["other-sub", "other-root"], "leads to no installed root"),
        ("emt-foreign", ["sub"], "leads to no installed root"),  # same names, other keys
        ("emt-self", ["sub"], "leads to no installed root"),
        ("emt-self", ["emt-self"], "leads to no installed root"),
        ("emt-expired", ["sub"], "expired on 2025-12-31"),
        ("emt-future", ["sub"], "not valid before 2026-02-01"),
        ("emt-k1", ["sub"], "curve secp256k1 is not allowed"),
        ("emt-rsa", ["sub"], "no elliptic curve"),
        ("emt-usage", ["sub"], "key usage does not have digital signature"),
        ("emt-plain", ["sub"], "key usage does not have digital signature"),
        ("emt-same-key", ["sub"], "same key"),
        ("emt-2", ["sub"], "different subjects"),
        ("emt-authority", ["sub"], "that of an authority"),
        ("emt-by-emt", ["sub", "emt-tls"], "is no authority"),
        ("emt-not-signing", ["sub", "not-signing"], "may not sign certificates"),
        ("emt-too-deep", ["sub", "sub-sub"], "may have 0 authorities below it"),
        ("emt-old-issuer", ["sub", "sub-old"], "issuer Test-Sub-Old.CA: it has expired"),
        ("cls", ["sub"], "the name of a EMT ends with EMT"),
        ("gwa-tls", ["sub"], "the name of a EMT ends with EMT"),
    ],
)
def test_v12_a_bad_certificate_is_refused(shop: Shelf, more: Pki, name: str, issuers: list[str], reason: str) -> None:
    plain = peer(more, "EMT", tls=more.hex(name), issuers=[more.hex("sub"), *(more.hex(one) for one in issuers)][-4:])
    found = reasons(shop, plain)
    assert any(reason in one for one in found), found
    assert shop.store.profiles == {}


def test_without_the_sub_ca_there_is_no_chain(shop: Shelf, more: Pki) -> None:
    assert len(reasons(shop, peer(more, "EMT", issuers=[]))) == 3


def test_a_missing_chain_has_the_code_of_an_issuer_who_is_not_trusted(shop: Shelf, more: Pki) -> None:
    shop.roots = ["other-root"]
    reasons(shop, peer(more, "EMT"))
    assert [told["code"] for _, told in shop.events] == [2_300_306] * 3


def test_another_installed_root_is_as_good(shop: Shelf, more: Pki) -> None:
    shop.roots = ["root", "other-root"]
    plain = {use: more.hex("emt-foreign") for use in ("tls",)}
    found = reasons(shop, peer(more, "EMT", issuers=[more.hex("sub"), more.hex("other-sub")], **plain))
    assert found == []


def test_the_allowed_curves_are_those_that_were_named(shop: Shelf, more: Pki) -> None:
    assert reasons(shop, peer(more, "EMT", id="a", tls=more.hex("emt-p384"))) == []
    shop.curves = frozenset(("brainpoolP256r1",))
    assert "brainpoolP384r1 is not allowed" in reasons(shop, peer(more, "EMT", id="b", tls=more.hex("emt-p384")))[0]


def test_while_the_time_is_unknown_validity_is_not_judged(shop: Shelf, more: Pki) -> None:
    shop.knows_time = False
    assert reasons(shop, peer(more, "EMT", tls=more.hex("emt-expired"))) == []


def test_validity_is_judged_by_the_time_of_the_gateway(shop: Shelf, more: Pki) -> None:
    shop.now = datetime(2026, 3, 1, tzinfo=UTC)
    assert reasons(shop, peer(more, "EMT", id="a", tls=more.hex("emt-future"))) == []
    shop.now = datetime(2036, 1, 1, tzinfo=UTC)
    assert len(reasons(shop, peer(more, "EMT", id="b"))) == 9  # three certificates, their Sub-CA, the root


def test_what_is_no_certificate_is_422(shop: Shelf, more: Pki) -> None:
    for fields in ({"tls": "00"}, {"tls": more.hex("emt-tls")[:-2]}, {"issuers": ["3000"]}):
        answer = shop.store.install(peer(more, "EMT", **fields))
        assert answer.status == 422
        assert answer.findings[0].rule == "V12"


def test_one_flipped_bit_anywhere_in_a_certificate_is_found(shop: Shelf, more: Pki) -> None:
    whole = more.der("emt-tls")
    good = 0
    for place in range(0, len(whole) * 8, 13):
        bent = bytearray(whole)
        bent[place // 8] ^= 1 << (place % 8)
        answer = shop.store.install(peer(more, "EMT", tls=bytes(bent).hex()))
        good += answer.good
        assert {rule for rule, _ in rules(answer)} <= {"V12"}
    assert good == 0


def test_certificates_at_home_need_no_chain_but_a_curve_that_is_allowed(shop: Shelf, more: Pki) -> None:
    by_certificate = {"authentication": "certificate", "password_digest": None}
    assert shop.store.install(person(**by_certificate, certificate=more.hex("cls"))).good
    assert shop.store.install(peer(more, "EMT")).good
    assert shop.store.install(proxy(more)).good
    answer = shop.store.change(proxy(more, cls_certificate=more.hex("emt-k1")))
    assert rules(answer) == [("V12", 400)]
    assert shop.names[-1] == "proxy_profile_rejected"  # PPC 10270
    answer = shop.store.change(person(**by_certificate, certificate=more.hex("emt-rsa")))
    assert rules(answer) == [("V12", 400)]


def test_a_meters_certificate_is_small(shop: Shelf, more: Pki) -> None:
    assert rules(shop.store.install(meter(certificate="00" * 601))) == [("V12", 400), ("V12", 422)]
    assert len(more.der("cls")) <= 600
    assert shop.store.install(meter(certificate=more.hex("cls"))).good


def test_roots_are_installed_and_stay(tmp_path: Path, more: Pki) -> None:
    memory = NonVolatileMemory(tmp_path / "gateway.db")
    assert installed(memory) == ((), ())
    memory.commit([root_statement(memory, more.der("root"))])
    memory.commit([root_statement(memory, more.der("root"))])
    memory.close()
    again = NonVolatileMemory(tmp_path / "gateway.db")
    assert [one.subject.rfc4514_string().split(",")[-1] for one in installed(again)[0]] != []
    assert len(installed(again)[0]) == 1
    for name in ("sub", "emt-tls", "emt-self"):
        with pytest.raises(PlainDataError):
            root_statement(again, more.der(name))
    again.close()
