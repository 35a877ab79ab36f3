"""OBIS codes, units and server ids as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.protocols.sml import SmlError
from devices.protocols.sml.obis import format_obis, parse_obis
from devices.protocols.sml.server_id import device_number, server_id
from devices.protocols.sml.units import UNITS, unit_code, unit_name


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1.8.0", "0100010800ff"),
        ("1-0:1.8.0", "0100010800ff"),
        ("1-0:1.8.0*255", "0100010800ff"),
        ("1-0:0.2.0*1", "010000020001"),
        ("129-129:199.130.3*255", "8181c78203ff"),
    ],
)
def test_codes_are_read_with_and_without_their_outer_groups(text: str, code: str) -> None:
    assert parse_obis(text) == bytes.fromhex(code)


@given(st.binary(min_size=6, max_size=6))
def test_every_code_comes_back(code: bytes) -> None:
    assert parse_obis(format_obis(code)) == code


@pytest.mark.parametrize("text", ["", "1.8", "1.8.256", "1-0:1.8.0*", "a.b.c", "1..8.0", "1.8.0.0", "١.٨.٠"])
def test_other_text_is_no_code(text: str) -> None:
    with pytest.raises(SmlError):
        parse_obis(text)


def test_codes_of_another_length_have_no_text() -> None:
    with pytest.raises(SmlError):
        format_obis(b"\x01")


@pytest.mark.parametrize(
    ("number", "server"),
    [
        ("1SAG0021061001", "0a01534147 00 01415d89"),
        ("1EMH0005975894", "0a01454d48 00 005b2f56"),
        ("1HLY0200879590", "0a01484c59 02 000d6be6"),
    ],
)
def test_device_numbers_and_server_ids_say_the_same(number: str, server: str) -> None:
    """lmn-wired 4.5: from the update manual, capture B and a dump."""
    assert server_id(number) == bytes.fromhex(server)
    assert device_number(bytes.fromhex(server)) == number
    assert server_id(f"{number[0]} {number[1:4]} {number[4:6]} {number[6:]}") == bytes.fromhex(server)


@given(st.from_regex(r"\A[0-9][A-Z]{3}[0-9A-F]{2}[0-9]{8}\Z"))
def test_every_device_number_comes_back(number: str) -> None:
    assert device_number(server_id(number)) == number


def test_an_older_id_counts_the_octets_behind_its_first() -> None:
    """lmn-wired 4.5: 09 in older EDL ids, from a dump."""
    assert device_number(bytes.fromhex("090149534b000403df63")) == "1ISK0067362659"


@pytest.mark.parametrize("number", ["", "1SAG002106100", "1sag0021061001", "XSAG0021061001", "1SAGXX21061001"])
def test_other_text_is_no_device_number(number: str) -> None:
    with pytest.raises(SmlError):
        server_id(number)


@pytest.mark.parametrize(
    "server", ["", "06454d48010271 53c8c6", "0a0a5341470001415d89", "0a01 414100 00 00000001", "0a01534147 00 ffffffff"]
)
def test_other_octets_have_no_device_number(server: str) -> None:
    with pytest.raises(SmlError):
        device_number(bytes.fromhex(server))


def test_units_have_the_names_of_dlms() -> None:
    assert unit_name(30) == "Wh"
    assert unit_code("Wh") == 30
    assert unit_name(99) == "unit 99"
    assert all(unit_code(name) == code for code, name in UNITS.items())
    with pytest.raises(SmlError):
        unit_code("horsepower")
