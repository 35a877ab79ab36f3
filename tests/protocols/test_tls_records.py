"""Looking at TLS records in the clear, and damaging them (RFC 5246, lmn-wired 3.1 and 6)."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.protocols.hdlc import Frame
from devices.protocols.lmn_certificate import make_identity
from devices.protocols.lmn_tls import LmnTlsError, TlsEnd
from devices.protocols.tls_records import (
    CertificateWatch,
    MessageType,
    Record,
    RecordType,
    alert,
    choose_suite,
    messages,
    records,
    spoil_data,
    spoil_signature,
)

VECTORS = Path(__file__).parents[1] / "vectors"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
_RNG = random.Random(1)
METER = make_identity("1SAG0021061001.sm", "brainpoolP256r1", NOW, 2555, _RNG)
GATEWAY = make_identity("EEMH0012345678.sm", "brainpoolP256r1", NOW, 2555, _RNG)


def ends() -> tuple[TlsEnd, TlsEnd]:
    return (
        TlsEnd.gateway(GATEWAY, METER.certificate, NOW),
        TlsEnd.meter(METER, GATEWAY.certificate, NOW),
    )


def server_flight() -> bytes:
    gateway, meter = ends()
    return meter.feed(gateway.start())


def kinds(flight: bytes) -> list[int]:
    content = b"".join(record.content for record in records(flight) if record.kind == RecordType.HANDSHAKE)
    return [kind for kind, _ in messages(content)]


def test_the_captured_hello_is_one_record_with_one_message() -> None:
    frame = Frame.from_bytes(bytes.fromhex((VECTORS / "hdlc" / "capture_a.hex").read_text()))
    (record,) = records(frame.information)
    assert (record.kind, record.version, len(record.content)) == (RecordType.HANDSHAKE, 0x0301, 100)
    assert [kind for kind, _ in messages(record.content)] == [MessageType.CLIENT_HELLO]
    assert record.to_bytes() == frame.information


def test_a_meter_answers_a_hello_with_five_messages() -> None:
    assert kinds(server_flight()) == [
        MessageType.SERVER_HELLO,
        MessageType.CERTIFICATE,
        MessageType.SERVER_KEY_EXCHANGE,
        MessageType.CERTIFICATE_REQUEST,
        MessageType.SERVER_HELLO_DONE,
    ]


@pytest.mark.parametrize("size", [1, 2, 5, 700, 10_000])
def test_the_certificate_is_seen_in_whatever_pieces_it_comes(size: int) -> None:
    watch, flight = CertificateWatch(), server_flight()
    for at in range(0, len(flight), size):
        watch.feed(flight[at : at + size])
    assert watch.certificate == METER.certificate


def test_a_signature_that_was_spoiled_is_refused_by_the_gateway() -> None:
    gateway, meter = ends()
    spoiled = spoil_signature(meter.feed(gateway.start()))
    with pytest.raises(LmnTlsError):
        gateway.feed(spoiled)


def test_a_spoiled_signature_differs_in_one_bit_only() -> None:
    flight = server_flight()
    spoiled = spoil_signature(flight)
    assert kinds(spoiled) == kinds(flight)
    assert sum((a ^ b).bit_count() for a, b in zip(flight, spoiled, strict=True)) == 1


def test_a_suite_of_the_meters_own_is_refused_by_the_gateway() -> None:
    gateway, meter = ends()
    chosen = choose_suite(meter.feed(gateway.start()), 0xC009)
    with pytest.raises(LmnTlsError):
        gateway.feed(chosen)


def test_spoiled_data_is_refused_by_the_gateway() -> None:
    gateway, meter = ends()
    gateway.feed(meter.feed(gateway.feed(meter.feed(gateway.start()))))
    with pytest.raises(LmnTlsError) as error:
        gateway.feed(spoil_data(meter.send(b"reading")))
    assert error.value.reason == "record"


def test_an_alert_is_a_record_of_two_octets() -> None:
    assert alert(40).hex() == "15030300020228"
    gateway, _ = ends()
    gateway.start()
    with pytest.raises(LmnTlsError) as error:
        gateway.feed(alert(40))
    assert error.value.reason == "alert"


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 65_535), st.binary(max_size=50)), max_size=5))
def test_records_come_back_as_they_went(values: list[tuple[int, int, bytes]]) -> None:
    made = [Record(*value) for value in values]
    assert list(records(b"".join(one.to_bytes() for one in made))) == made


@given(st.binary(max_size=400), st.integers(1, 50), st.integers(0, 65_535))
def test_nothing_that_comes_raises_or_is_kept_for_ever(octets: bytes, size: int, suite: int) -> None:
    watch = CertificateWatch()
    for one in (octets, Record(22, 0x0303, octets).to_bytes(), Record(22, 0x0303, b"\x02\0\0\x20" + octets).to_bytes()):
        spoil_signature(one)
        spoil_data(one)
        assert len(choose_suite(one, suite)) <= len(one)
        for at in range(0, len(one), size):
            watch.feed(one[at : at + size])


def test_a_watch_gives_up_on_a_message_that_never_ends() -> None:
    watch = CertificateWatch()
    endless = Record(22, 0x0303, b"\x0b\xff\xff\xff" + bytes(16_000)).to_bytes()
    for _ in range(3):
        watch.feed(endless)
    assert watch.waiting == 0
    watch.feed(server_flight())
    assert watch.certificate is None
