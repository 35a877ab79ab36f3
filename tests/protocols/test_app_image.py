"""Firmware images: built, taken apart, and each check failing for its own reason (lmn-wired 5.5, 5.6)."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.protocols.app_image import (
    BENCH_MAKER,
    HEADER_OCTETS,
    AppImage,
    ImageError,
    Version,
    build_image,
    check_image,
    payload_with_crc,
)
from devices.protocols.crc import x25
from devices.protocols.p256 import SigningKey
from devices.protocols.smarty_update import ImageChecks, Verdict

OK, NOK = Verdict.OK, Verdict.NOK
RUNNING = Version(2, 0)
PAYLOAD = random.Random(1).randbytes(1000)
IMAGE = build_image(PAYLOAD, Version(2, 1), "BZPLUSV2")


def checked(image: bytes, *, allow_downgrade: bool = False, running: Version = RUNNING) -> ImageChecks:
    return check_image(image, "BZPLUSV2", BENCH_MAKER.public, running, allow_downgrade=allow_downgrade)


def test_a_good_image_passes_all_checks() -> None:
    assert checked(IMAGE) == ImageChecks(OK, OK, OK, OK)
    assert checked(IMAGE).good
    image = AppImage.from_bytes(IMAGE)
    assert (image.version, image.meter_type, image.payload, image.crc) == (
        Version(2, 1),
        "BZPLUSV2",
        PAYLOAD,
        x25(PAYLOAD),
    )


@pytest.mark.parametrize("damaged", [IMAGE[:-1], IMAGE[:-1] + bytes([IMAGE[-1] ^ 1]), IMAGE + b"\0"])
def test_cut_changed_and_padded_payloads_are_damaged_but_signed(damaged: bytes) -> None:
    assert checked(damaged) == ImageChecks(NOK, OK, OK, OK)


def test_a_length_that_the_maker_signed_wrongly_is_damage() -> None:
    head = IMAGE[:14] + (len(PAYLOAD) + 1).to_bytes(4, "big") + IMAGE[18:50]
    assert checked(head + BENCH_MAKER.sign(head) + PAYLOAD) == ImageChecks(NOK, OK, OK, OK)


def test_an_image_for_another_meter_does_not_suit() -> None:
    assert checked(build_image(PAYLOAD, Version(2, 1), "OTHER")) == ImageChecks(OK, NOK, OK, OK)


def test_an_image_by_somebody_else_is_not_signed() -> None:
    stranger = SigningKey.named("stranger")
    assert checked(build_image(PAYLOAD, Version(2, 1), maker=stranger)) == ImageChecks(OK, OK, NOK, OK)


def test_a_header_changed_after_signing_is_not_signed() -> None:
    forged = IMAGE[:13] + b"\x09" + IMAGE[14:]
    assert AppImage.from_bytes(forged).version == Version(2, 9)
    assert checked(forged).failed == ("signed",)


@pytest.mark.parametrize("version", [Version(2, 0), Version(1, 99)])
def test_only_a_higher_version_is_newer_unless_downgrades_are_allowed(version: Version) -> None:
    image = build_image(PAYLOAD, version)
    assert checked(image).failed == ("newer",)
    assert checked(image, allow_downgrade=True).good


def test_versions_compare_by_number() -> None:
    assert Version.parse("V2.10") > Version.parse("2.9") > Version.parse("V1.99")
    assert str(Version.parse("v99.99")) == "V99.99"
    assert checked(build_image(PAYLOAD, Version(2, 10)), running=Version(2, 9)).good


@pytest.mark.parametrize("text", ["", "V2", "2.", "V2.x", "V2.256", "V2.0.1", "²·1", "V-1.0", "V1000.1"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ImageError):
        Version.parse(text)


@pytest.mark.parametrize("octets", [b"", b"SBZ", b"ELF!" + IMAGE[4:], IMAGE[: HEADER_OCTETS - 1]])
def test_what_has_no_header_is_damaged_and_nothing_else_is_said(octets: bytes) -> None:
    assert checked(octets) == ImageChecks(undamaged=NOK)
    with pytest.raises(ImageError):
        AppImage.from_bytes(octets)


@given(st.binary(max_size=60), st.integers(0, 0xFFFF))
def test_a_payload_can_have_any_check(start: bytes, crc: int) -> None:
    payload = payload_with_crc(start, crc)
    assert (x25(payload), payload[:-2]) == (crc, start)


@given(st.integers(0, len(IMAGE) - 1), st.integers(1, 255))
def test_no_changed_octet_passes(place: int, wrong: int) -> None:
    changed = bytearray(IMAGE)
    changed[place] ^= wrong
    assert not checked(bytes(changed)).good


@given(st.binary(max_size=200), st.booleans())
def test_any_octets_are_judged_without_trouble(data: bytes, headed: bool) -> None:
    assert not checked(b"SBZI" + data if headed else data).good
