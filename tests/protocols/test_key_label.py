"""The key as people type, paste and scan it ([BZ] 5.2.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smarty_words import KEY

from devices.protocols.key_label import LONGEST, grouped, parse_key
from devices.protocols.p256 import P256Error

DIGITS = KEY.hex()
STARTS_WITH_AC = bytes.fromhex("ac") + KEY[1:]


@pytest.mark.parametrize(
    "text",
    [
        DIGITS,
        DIGITS.upper(),
        f"  {DIGITS}\r\n",
        "\n".join(grouped(KEY)),
        "-".join(DIGITS[i : i + 2] for i in range(0, 128, 2)),
        "AC" + DIGITS,
        "ac " + " ".join(grouped(KEY)),
        f"1SAG0021061001;AC{DIGITS};5426AD000",
        f"AA1SAG0021061001\x1dAB0A015341470001415D89\x1dAC{DIGITS.upper()}\x1dADENSO-MME",
        f"[)>\x1e06\x1dAC{DIGITS}\x1e\x04",
        f"12ABAC{DIGITS}",
        f"AC{DIGITS}AC{DIGITS}",
    ],
)
def test_the_key_is_found_in_whatever_form_it_comes(text: str) -> None:
    assert parse_key(text) == KEY


def test_a_key_that_begins_with_ac_itself_is_not_shortened() -> None:
    assert parse_key(STARTS_WITH_AC.hex()) == STARTS_WITH_AC
    assert parse_key("AC" + STARTS_WITH_AC.hex()) == STARTS_WITH_AC


def test_the_separators_are_those_of_the_manual() -> None:
    assert grouped(KEY) == (
        "82ff 258d 7d48 4d9a 11fe 2d7f 4aa7 c37e",
        "762c f3b9 9fc3 8155 5873 1657 08ad 6e7f",
        "e9a7 ff9b 3f8b 27a9 501e 54e1 5aaf f8eb",
        "9eb9 2e47 2c44 74a6 1342 862a 97a8 9c31",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no key was given"),
        (DIGITS[:-1], "a key has 128 hexadecimal digits, this one has 127"),
        (DIGITS + "0", "a key has 128 hexadecimal digits, this one has 129"),
        (DIGITS[:9] + "O" + DIGITS[10:], r"'O' \(a zero\?\) at digit 10 is no hexadecimal digit"),
        (DIGITS[:9] + "ö" + DIGITS[10:], "'Ö' at digit 10"),
        (f"x AC{DIGITS} AC{STARTS_WITH_AC.hex()}", "2 different keys"),
        ("0" * (LONGEST + 1), "4097 characters"),
    ],
)
def test_a_wrong_key_gives_one_clear_message(text: str, message: str) -> None:
    with pytest.raises(P256Error, match=message):
        parse_key(text)


@given(st.binary(min_size=64, max_size=64), st.sampled_from(["", " ", ":", "-", "\n", "  "]), st.booleans())
def test_every_key_comes_back_however_it_is_separated(key: bytes, separator: str, marked: bool) -> None:
    text = separator.join(f"{octet:02x}" for octet in key)
    assert parse_key("AC" + separator + text if marked else text) == key


@given(st.text(max_size=300) | st.text("0123456789abcdefACx; ", max_size=300))
def test_any_text_is_a_key_or_refused_in_one_way(text: str) -> None:
    try:
        assert len(parse_key(text)) == 64
    except P256Error as error:
        assert "\n" not in str(error)
