"""HTTP digest against the examples of RFC 2617 and RFC 7616, and what makes no sense."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.protocols.http_digest import (
    MD5,
    SHA_256,
    Credentials,
    DigestError,
    challenge,
    ha1,
    matches,
    parse_authorization,
)

RFC_2617 = (
    'Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
    'uri="/dir/index.html", qop=auth, nc=00000001, cnonce="0a4f113b", '
    'response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
)
RFC_7616_SHA_256 = (
    'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=SHA-256, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, '
    'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, '
    'response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
RFC_7616_MD5 = RFC_7616_SHA_256.replace("SHA-256", "MD5").replace(
    "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1", "8ca523f5e9506fed4657c9700eebdbec"
)


@pytest.mark.parametrize(
    ("header", "realm", "password", "algorithm"),
    [
        (RFC_2617, "testrealm@host.com", "Circle Of Life", MD5),
        (RFC_7616_MD5, "http-auth@example.org", "Circle of Life", MD5),
        (RFC_7616_SHA_256, "http-auth@example.org", "Circle of Life", SHA_256),
    ],
)
def test_the_examples_of_the_standards_match(header: str, realm: str, password: str, algorithm: str) -> None:
    found = parse_authorization(header)
    assert found.algorithm == algorithm
    assert matches(ha1("Mufasa", realm, password, algorithm), "GET", found)
    assert not matches(ha1("Mufasa", realm, password + ".", algorithm), "GET", found)
    assert not matches(ha1("Mufasa", realm, password, algorithm), "POST", found)


def test_a_challenge_has_the_form_of_the_recordings() -> None:
    assert challenge("SmartMeterGateway", "0" * 32, "1" * 32) == (
        'Digest realm="SmartMeterGateway",qop="auth",algorithm="MD5",'
        f'nonce="{"0" * 32}",opaque="{"1" * 32}"'
    )  # fmt: skip
    assert challenge("x", "n", "o", stale=True).endswith(",stale=true")


def test_the_old_form_without_qop_is_understood() -> None:
    header = f'Digest username="a", realm="r", nonce="n", uri="/", response="{"0" * 32}"'
    assert parse_authorization(header) == Credentials("a", "r", "n", "/", "0" * 32)


def test_a_clients_nonce_has_a_longest_length() -> None:
    longest = RFC_2617.replace("0a4f113b", "x" * 64)
    assert parse_authorization(longest).cnonce == "x" * 64
    with pytest.raises(DigestError, match="cnonce is longer than 64"):
        parse_authorization(longest.replace("xx", "xxx", 1))


def test_quotes_and_the_count_are_kept_as_written() -> None:
    header = RFC_2617.replace('"Mufasa"', '"Mu\\"fa\\\\sa"').replace("nc=00000001", "nc=0000000A")
    found = parse_authorization(header)
    assert (found.username, found.count) == ('Mu"fa\\sa', "0000000A")


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("Basic YWJj", "scheme"),
        ("Digest ", "username is missing"),
        (RFC_2617 + ', nonce="x"', "twice"),
        (RFC_2617.replace("nc=00000001", "nc=1"), "nc"),
        (RFC_2617.replace("qop=auth", "qop=auth-int"), "qop"),
        (RFC_2617.replace('"6629fae49393a05397450978507c4ef1"', '"no"'), "hash"),
        (RFC_2617 + ", algorithm=MD4", "algorithm"),
        (RFC_2617 + ', x="' + "y" * 5000 + '"', "longer"),
        ('Digest username="a', "name=value"),
    ],
)
def test_what_makes_no_sense_is_refused(header: str, reason: str) -> None:
    with pytest.raises(DigestError, match=reason):
        parse_authorization(header)


@given(st.text(max_size=200))
def test_whatever_is_sent_gives_credentials_or_the_error(text: str) -> None:
    try:
        parse_authorization("Digest " + text)
    except DigestError:
        return
