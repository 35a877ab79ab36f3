"""TLS on the LMN: both ends against each other, what is offered against a public capture, and what goes wrong."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.protocols import libssl
from devices.protocols.lmn_certificate import CURVES as CURVE_NAMES
from devices.protocols.lmn_certificate import Identity, make_identity
from devices.protocols.lmn_tls import CURVES, DEVIATIONS, HEARTBEAT, SUITES, LmnTlsError, TlsEnd, TlsSettings

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
CAPTURE_A = Path(__file__).parents[1] / "vectors" / "hdlc" / "capture_a.hex"


def identities(curve: str = "brainpoolP256r1", days: float = 2555) -> tuple[Identity, Identity]:
    rng = random.Random(3)
    gateway = make_identity("ESBE0000000001.sm", curve, BEGIN, days, rng)
    return gateway, make_identity("1SAG0021061001.sm", curve, BEGIN, days, rng)


def shake_hands(gateway: TlsEnd, meter: TlsEnd, piece: int = 0) -> list[bytes]:
    """Flights until nobody has anything to say; `piece`: octets handed over at a time, 0: all at once."""
    flights = [gateway.start()]
    listener, speaker = meter, gateway
    while flights[-1]:
        data, answer = flights[-1], b""
        for start in range(0, len(data), piece or len(data)):
            answer += listener.feed(data[start : start + (piece or len(data))])
        flights.append(answer)
        listener, speaker = speaker, listener
        assert len(flights) < 10
    return flights


def ends(meter_settings: TlsSettings | None = None, curve: str = "brainpoolP256r1") -> tuple[TlsEnd, TlsEnd]:
    own, other = identities(curve)
    gateway = TlsEnd.gateway(own, other.certificate, NOW)
    return gateway, TlsEnd.meter(other, own.certificate, NOW, meter_settings)


def trouble(gateway: TlsEnd, meter: TlsEnd) -> LmnTlsError:
    with pytest.raises(LmnTlsError) as caught:
        shake_hands(gateway, meter)
    return caught.value


@pytest.mark.parametrize("curve", CURVE_NAMES)
@pytest.mark.parametrize("suite", SUITES)
def test_all_suites_shake_hands_on_all_curves(suite: int, curve: str) -> None:
    gateway, meter = ends(TlsSettings(suites=(suite,)), curve)
    shake_hands(gateway, meter)
    assert gateway.established and meter.established and gateway.suite == meter.suite == suite
    assert gateway.send(b"") == b""
    meter.feed(gateway.send(b"asked"))
    assert meter.received() == b"asked" and meter.received() == b""
    gateway.feed(meter.send(b"answered"))
    assert gateway.received() == b"answered"


def test_a_meter_that_could_take_all_suites_takes_c023() -> None:
    gateway, meter = ends()
    shake_hands(gateway, meter)
    assert gateway.suite == 0xC023  # lmn-wired 3.1: the meter's choice


def test_octets_may_come_one_by_one() -> None:
    gateway, meter = ends()
    shake_hands(gateway, meter, piece=1)
    for octet in gateway.send(b"x" * 40_000):
        meter.feed(bytes((octet,)))
    assert meter.received() == b"x" * 40_000


@pytest.mark.skipif(not libssl.available(), reason="this Python's OpenSSL cannot be reached")
def test_the_hello_is_that_of_the_public_capture_but_for_the_random_and_the_heartbeat() -> None:
    own, other = identities()
    made = TlsEnd.gateway(own, other.certificate, NOW).start()
    captured = bytes.fromhex(CAPTURE_A.read_text())[10:-3]
    heartbeat = HEARTBEAT.to_bytes(2, "big") + bytes.fromhex("000101")
    assert captured.endswith(heartbeat)  # OpenSSL has no heartbeat any more
    wanted = bytearray(captured[: -len(heartbeat)])
    wanted[3:5] = (len(wanted) - 5).to_bytes(2, "big")
    wanted[6:9] = (len(wanted) - 9).to_bytes(3, "big")
    extensions = bytes(wanted).index(bytes.fromhex("002d000b0004"))
    wanted[extensions : extensions + 2] = (0x2D - len(heartbeat)).to_bytes(2, "big")
    assert _without_random(made) == _without_random(bytes(wanted))


def test_what_differs_from_the_capture_is_there_for_a_report() -> None:
    assert DEVIATIONS["ClientHello: heartbeat extension"][0] == "not offered"
    assert all(all(words) for words in DEVIATIONS.values())


def _without_random(hello: bytes) -> bytes:
    return hello[:11] + hello[43:]


@pytest.mark.skipif(not libssl.available(), reason="this Python's OpenSSL cannot be reached")
def test_the_meter_asks_for_an_ecdsa_certificate_and_names_the_gateways_one() -> None:
    gateway, meter = ends()
    answer = meter.feed(gateway.start())
    # CertificateRequest: one type (64 ecdsa_sign), one algorithm (0403), one name (lmn-wired 3.1).
    assert bytes.fromhex("0140000204030016001430123110300e06035504030c07")[:6] in answer
    assert b"ESBE0000000001.sm" in answer[answer.index(bytes.fromhex("014000020403")) :]


@pytest.mark.skipif(not libssl.available(), reason="this Python's OpenSSL cannot be reached")
def test_the_same_seed_gives_the_same_session_octet_for_octet() -> None:
    told = []
    for seed in (1, 1, 2):
        with libssl.seeded_randomness(random.Random(seed)):
            gateway, meter = ends()
            told.append([*shake_hands(gateway, meter), gateway.send(b"asked")])
    assert told[0] == told[1] != told[2]


def test_a_meter_with_another_certificate_is_refused() -> None:
    own, other = identities()
    stranger = make_identity("1SAG0021061001.sm", "brainpoolP256r1", BEGIN, 2555, random.Random(99))
    error = trouble(
        TlsEnd.gateway(own, other.certificate, NOW), TlsEnd.meter(stranger, own.certificate, NOW, check=False)
    )
    assert error.reason == "wrong_certificate"
    assert error.answer[:5] == bytes.fromhex("1503030002")  # an alert goes out


def test_a_gateway_with_another_certificate_is_refused_and_hears_an_alert() -> None:
    own, other = identities()
    stranger = make_identity("ESBE0000000001.sm", "brainpoolP256r1", BEGIN, 2555, random.Random(99))
    gateway = TlsEnd.gateway(stranger, other.certificate, NOW)
    error = trouble(gateway, TlsEnd.meter(other, own.certificate, NOW))
    assert error.reason == "wrong_certificate"
    with pytest.raises(LmnTlsError) as heard:
        gateway.feed(error.answer)
    assert heard.value.reason == "alert"


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (datetime(2026, 1, 4, tzinfo=UTC), "certificate_not_yet_valid"),
        (datetime(2033, 1, 4, tzinfo=UTC), "certificate_expired"),
    ],
)
def test_validity_is_judged_by_the_clock_that_is_given(now: datetime, reason: str) -> None:
    own, other = identities()
    error = trouble(TlsEnd.gateway(own, other.certificate, now), TlsEnd.meter(other, own.certificate, NOW))
    assert error.reason == reason


def test_a_key_that_does_not_belong_to_the_certificate_is_no_identity() -> None:
    own, other = identities()
    with pytest.raises(LmnTlsError) as caught:
        TlsEnd.meter(replace(other, key=own.key), own.certificate, NOW)
    assert caught.value.reason == "identity"


def test_without_a_common_suite_there_is_no_session() -> None:
    own, other = identities()
    gateway = TlsEnd.gateway(own, other.certificate, NOW, TlsSettings(suites=(0xC02C,)))
    meter = TlsEnd.meter(other, own.certificate, NOW, TlsSettings(suites=(0xC023,)))
    assert trouble(gateway, meter).reason == "no_common_suite"


@pytest.mark.skipif(not libssl.available(), reason="this Python's OpenSSL cannot be reached")
def test_a_curve_that_is_not_offered_cannot_be_used() -> None:
    own, other = identities()
    gateway = TlsEnd.gateway(own, other.certificate, NOW, TlsSettings(curves=(23,)))
    assert trouble(gateway, TlsEnd.meter(other, own.certificate, NOW)).reason == "no_common_suite"
    assert CURVES[26] == "brainpoolP256r1"


def test_settings_know_only_suites_and_curves_of_the_lmn() -> None:
    with pytest.raises(LmnTlsError, match="1301"):
        TlsSettings(suites=(0x1301,))
    with pytest.raises(LmnTlsError, match="29"):
        TlsSettings(curves=(29,))


def test_a_flipped_bit_in_a_record_ends_the_session() -> None:
    gateway, meter = ends()
    shake_hands(gateway, meter)
    record = bytearray(gateway.send(b"asked"))
    record[-1] ^= 1
    with pytest.raises(LmnTlsError) as caught:
        meter.feed(bytes(record))
    assert caught.value.reason == "record" and not meter.established


def test_the_other_ends_farewell_is_told() -> None:
    gateway, meter = ends()
    shake_hands(gateway, meter)
    farewell = gateway.close()
    assert not gateway.established and farewell
    with pytest.raises(LmnTlsError) as caught:
        meter.feed(farewell)
    assert caught.value.reason == "closed"


def test_nothing_can_be_said_before_the_handshake() -> None:
    gateway, _ = ends()
    with pytest.raises(LmnTlsError, match="not established"):
        gateway.send(b"early")


def test_more_than_a_record_is_not_hoarded() -> None:
    gateway, meter = ends()
    with pytest.raises(LmnTlsError):
        meter.feed(b"\x16\x03\x03\x40\x00" + bytes(70_000))
    assert gateway.close() == b""


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 2), st.integers(0, 700), st.integers(1, 255))
def test_a_damaged_flight_raises_nothing_but_the_own_error(flight: int, position: int, change: int) -> None:
    gateway, meter = ends()
    data, listener, speaker = gateway.start(), meter, gateway
    try:
        for number in range(4):
            octets = bytearray(data)
            if number == flight and octets:
                octets[position % len(octets)] ^= change
            data = listener.feed(bytes(octets))
            listener, speaker = speaker, listener
    except LmnTlsError as error:
        assert error.reason


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.binary(max_size=300))
def test_octets_without_sense_raise_nothing_but_the_own_error(octets: bytes) -> None:
    _, meter = ends()
    try:
        meter.feed(octets)
    except LmnTlsError as error:
        assert error.reason
