"""SYM, the symmetric pairing: layout, keys, counters and both ends (lmn-wired 3.2)."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from devices.protocols.lmn_certificate import Identity, make_identity
from devices.protocols.sym import (
    COUNTER_ASKED,
    REASONS,
    Abilities,
    BadRequest,
    SymError,
    SymGateway,
    SymMessage,
    SymMeter,
    aes_cmac,
    operational_key,
    split_identity,
)

KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
SERVER_ID = bytes.fromhex("0A01534147000141 5D89")


def identity(name: str, curve: str = "brainpoolP256r1", seed: int = 1) -> Identity:
    return make_identity(name, curve, datetime(2026, 1, 5, tzinfo=UTC), 2555, random.Random(seed))


METER = identity("1SAG0021061001.sm")
GATEWAY = identity("EEMH0012345678.sm", seed=2)


def gateway(**values: int) -> SymGateway:
    return SymGateway(KEY, SERVER_ID, METER, GATEWAY.certificate, **values)


def converse(one: SymGateway, other: SymMeter) -> list[bytes]:
    """All octets of a pairing, requests and answers."""
    seen = [one.start()]
    while True:
        seen.append(other.answer(seen[-1]))
        following = one.feed(seen[-1])
        if following is None:
            return seen
        seen.append(following)


def reason_of(error: pytest.ExceptionInfo[SymError]) -> str:
    assert error.value.reason in REASONS
    return error.value.reason


class Independent:
    """AES-CMAC and CBC once more, from block cipher calls alone, as RFC 4493 and SP 800-38A describe them."""

    @staticmethod
    def block(key: bytes, data: bytes) -> bytes:
        encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
        return encryptor.update(data) + encryptor.finalize()

    @classmethod
    def cmac(cls, key: bytes, data: bytes) -> bytes:
        def doubled(number: int) -> int:
            return (number << 1 ^ (0x87 if number >> 127 else 0)) & (1 << 128) - 1

        first = doubled(int.from_bytes(cls.block(key, bytes(16)), "big"))
        whole = bool(data) and len(data) % 16 == 0
        subkey = first if whole else doubled(first)
        padded = data if whole else data + b"\x80" + bytes(-(len(data) + 1) % 16)
        state = 0
        for at in range(0, len(padded), 16):
            piece = int.from_bytes(padded[at : at + 16], "big")
            last = at + 16 == len(padded)
            state = int.from_bytes(cls.block(key, (state ^ piece ^ (subkey if last else 0)).to_bytes(16, "big")), "big")
        return state.to_bytes(16, "big")

    @classmethod
    def cbc(cls, key: bytes, data: bytes) -> bytes:
        out, before = b"", bytes(16)
        for at in range(0, len(data), 16):
            before = cls.block(key, bytes(a ^ b for a, b in zip(data[at : at + 16], before, strict=True)))
            out += before
        return out


def by_hand(kind: int, counter: int, padded: bytes, encrypt_with: int, authenticate_with: int) -> bytes:
    """A message put together from the sheet's text with nothing of the codec."""
    tail = counter.to_bytes(4, "big") + SERVER_ID + b"\x01"
    encryption = Independent.cmac(KEY, bytes((encrypt_with,)) + tail)
    authentication = Independent.cmac(KEY, bytes((authenticate_with,)) + tail)
    length = 1 + 4 + 4 + len(padded) + 16
    octets = bytes((kind,)) + length.to_bytes(4, "big") + counter.to_bytes(4, "big")
    octets += Independent.cbc(encryption, padded)
    return octets + Independent.cmac(authentication, octets)


@pytest.mark.parametrize(
    ("length", "mac"),
    [
        (0, "bb1d6929e95937287fa37d129b756746"),
        (16, "070a16b46b4d4144f79bdd9dd04a287c"),
        (40, "dfa66747de9ae63030ca32611497c827"),
        (64, "51f0bebf7e3b9d92fc49741779363cfe"),
    ],
)
def test_cmac_gives_the_values_of_rfc_4493(length: int, mac: str) -> None:
    text = bytes.fromhex(
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
        "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
    )
    assert aes_cmac(KEY, text[:length]).hex() == mac
    assert Independent.cmac(KEY, text[:length]).hex() == mac


def test_the_first_request_is_a_header_with_counter_ffffffff_and_a_mac() -> None:
    first = gateway().start()
    assert first[:9].hex() == "0100000019ffffffff"
    assert first == by_hand(0x01, COUNTER_ASKED, b"", 0x10, 0x11)


def test_every_message_of_a_pairing_is_what_the_sheet_describes() -> None:
    def filled(payload: bytes) -> bytes:
        gap = 16 - len(payload) % 16
        return payload + bytes((gap,)) * gap

    suites = bytes.fromhex("FFFF0001 04 C023C024C02BC02C 05 00170018001A001B001C")
    expected = [
        by_hand(0x01, COUNTER_ASKED, b"", 0x10, 0x11),
        by_hand(0x81, 41, b"", 0x00, 0x01),
        by_hand(0x02, 42, b"", 0x10, 0x11),
        by_hand(0x82, 43, filled(suites), 0x00, 0x01),
        by_hand(0x03, 44, filled(METER.certificate + METER.key), 0x10, 0x11),
        by_hand(0x83, 45, b"", 0x00, 0x01),
        by_hand(0x04, 46, filled(GATEWAY.certificate), 0x10, 0x11),
        by_hand(0x84, 47, b"", 0x00, 0x01),
        by_hand(0x05, 48, b"", 0x10, 0x11),
        by_hand(0x85, 49, bytes.fromhex("0800" + "0e" * 14), 0x00, 0x01),
    ]
    assert converse(gateway(), SymMeter(KEY, SERVER_ID, counter=41)) == expected


def test_after_five_steps_both_ends_know_what_they_need() -> None:
    one, other = gateway(), SymMeter(KEY, SERVER_ID, counter=7)
    converse(one, other)
    assert one.result is not None
    assert one.result.suites == (0xC023, 0xC024, 0xC02B, 0xC02C)
    assert one.result.curves == (23, 24, 26, 27, 28)
    assert (one.result.max_octets, one.result.counter, other.counter) == (2048, 15, 15)
    assert other.paired
    assert (other.identity, other.gateway_certificate) == (METER, GATEWAY.certificate)


@pytest.mark.parametrize("curve", ["P-256", "P-384", "brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1"])
def test_certificates_and_keys_of_every_curve_can_be_handed_over(curve: str) -> None:
    made, other = identity("1SAG0021061001.sm", curve), SymMeter(KEY, SERVER_ID)
    converse(SymGateway(KEY, SERVER_ID, made, GATEWAY.certificate), other)
    assert other.identity == made


def test_a_second_pairing_goes_on_where_the_counter_stands() -> None:
    other = SymMeter(KEY, SERVER_ID)
    one = gateway()
    converse(one, other)
    again = gateway(counter=one.counter)
    converse(again, other)
    assert (again.counter, other.counter, other.pairings) == (16, 16, 2)


def test_a_pairing_that_breaks_off_leaves_the_old_one_in_force() -> None:
    other = SymMeter(KEY, SERVER_ID)
    converse(gateway(), other)
    one = SymGateway(KEY, SERVER_ID, identity("1SAG0021061001.sm", seed=9), GATEWAY.certificate)
    request: bytes | None = one.start()
    for _ in range(4):
        assert request is not None
        request = one.feed(other.answer(request))
    other.break_off()
    assert other.answer(request or b"") == b""
    assert other.identity == METER


def test_the_operational_key_is_the_cmac_of_the_random_octets() -> None:
    assert operational_key(KEY, bytes(range(16))) == Independent.cmac(KEY, bytes(range(16)))
    with pytest.raises(SymError) as error:
        operational_key(KEY, bytes(15))
    assert reason_of(error) == "key"


# --- what a gateway does not accept


def awaiting(step: int) -> tuple[SymGateway, SymMeter, bytes]:
    """A gateway whose request of `step` is under way, the meter, and its right answer."""
    one, other = gateway(), SymMeter(KEY, SERVER_ID, counter=100)
    request = one.start()
    for _ in range(step - 1):
        request = one.feed(other.answer(request)) or b""
    return one, other, other.answer(request)


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5])
def test_the_gateway_refuses_an_answer_with_a_wrong_mac_in_every_step(step: int) -> None:
    one, _, answer = awaiting(step)
    with pytest.raises(SymError) as error:
        one.feed(answer[:-1] + bytes((answer[-1] ^ 1,)))
    assert reason_of(error) == "mac"


@pytest.mark.parametrize("step", [2, 3, 4, 5])
@pytest.mark.parametrize("off", [-2, -1, 1])
def test_the_gateway_refuses_an_answer_whose_counter_is_not_the_next(step: int, off: int) -> None:
    one, other, answer = awaiting(step)
    right = SymMessage.decode(answer, KEY, SERVER_ID)
    with pytest.raises(SymError) as error:
        one.feed(SymMessage(right.kind, right.counter + off, right.payload).encode(KEY, SERVER_ID))
    assert reason_of(error) == "counter"
    assert other.counter == right.counter


def test_the_gateway_refuses_a_counter_that_it_has_seen_before() -> None:
    one = gateway(counter=200)
    with pytest.raises(SymError, match="older than 200") as error:
        one.feed(SymMeter(KEY, SERVER_ID, counter=199).answer(one.start()))
    assert reason_of(error) == "counter"


def test_the_gateway_refuses_to_begin_when_the_counter_is_used_up() -> None:
    one = gateway()
    with pytest.raises(SymError) as error:
        one.feed(SymMeter(KEY, SERVER_ID, counter=COUNTER_ASKED - 3).answer(one.start()))
    assert reason_of(error) == "counter"


def test_an_answer_to_another_step_is_refused() -> None:
    one, _, answer = awaiting(1)
    one.feed(answer)
    with pytest.raises(SymError) as error:
        one.feed(answer)
    assert reason_of(error) == "order"


def test_an_answer_that_nobody_awaits_is_refused() -> None:
    with pytest.raises(SymError) as error:
        gateway().feed(bytes(25))
    assert reason_of(error) == "order"


@pytest.mark.parametrize(
    ("step", "payload"),
    [
        (1, b"x"),
        (2, b""),
        (2, bytes.fromhex("FFFF0001 04 C023")),
        (2, Abilities().to_bytes() + b"\0"),
        (3, b"\0"),
        (4, b"\0"),
        (5, b""),
        (5, b"\x08\x00\x00"),
    ],
)
def test_an_answer_that_says_something_else_is_refused(step: int, payload: bytes) -> None:
    one, _, answer = awaiting(step)
    right = SymMessage.decode(answer, KEY, SERVER_ID)
    with pytest.raises(SymError) as error:
        one.feed(SymMessage(right.kind, right.counter, payload).encode(KEY, SERVER_ID))
    assert reason_of(error) == "content"


# --- what a meter does not accept


@pytest.mark.parametrize(
    ("reason", "kind", "counter", "payload"),
    [
        ("counter", 1, 5, b""),
        ("counter", 2, 100, b""),
        ("counter", 2, 102, b""),
        ("order", 3, 101, b""),
        ("type", 0x82, 101, b""),
        ("content", 2, 101, b"x"),
    ],
)
def test_a_meter_keeps_silent_to_a_request_out_of_place(reason: str, kind: int, counter: int, payload: bytes) -> None:
    other = SymMeter(KEY, SERVER_ID, counter=100)
    other.answer(SymMessage(1, COUNTER_ASKED).encode(KEY, SERVER_ID))
    assert other.answer(SymMessage(kind, counter, payload).encode(KEY, SERVER_ID)) == b""
    assert other.refused is not None
    assert other.refused.reason == reason
    assert other.counter == 100


def test_a_request_that_was_heard_before_is_refused() -> None:
    other = SymMeter(KEY, SERVER_ID)
    requests = converse(gateway(), other)[::2]
    assert [other.answer(one) for one in requests[1:]] == [b""] * 4
    assert other.refused is not None
    assert other.refused.reason == "counter"


def test_a_meter_may_repeat_its_last_answer_instead() -> None:
    other = SymMeter(KEY, SERVER_ID, on_bad_request=BadRequest.REPEAT)
    first = other.answer(gateway().start())
    assert other.answer(b"nonsense") == first


@pytest.mark.parametrize(
    ("reason", "payload"),
    [
        ("content", METER.certificate),
        ("content", METER.certificate + METER.key + b"\0"),
        ("content", METER.certificate[:-1]),
        ("certificate", METER.certificate + GATEWAY.key),
        ("certificate", METER.certificate + METER.certificate),
        ("certificate", METER.key + METER.key),
        ("content", b"\x30\x80" + METER.key),
    ],
)
def test_a_certificate_comes_with_its_own_key_and_nothing_else(reason: str, payload: bytes) -> None:
    with pytest.raises(SymError) as error:
        split_identity(payload)
    assert reason_of(error) == reason


@pytest.mark.parametrize(
    ("reason", "octets"),
    [
        ("length", b""),
        ("length", bytes(24)),
        ("length", bytes(2049)),
        ("length", gateway().start() + b"\0"),
        ("type", b"\x06" + gateway().start()[1:]),
        ("type", b"\x00" + gateway().start()[1:]),
        ("mac", b"\x02" + gateway().start()[1:]),
        ("padding", by_hand(3, 9, bytes(16), 0x10, 0x11)),
    ],
)
def test_octets_that_are_no_message_name_the_reason(reason: str, octets: bytes) -> None:
    with pytest.raises(SymError) as error:
        SymMessage.decode(octets, KEY, SERVER_ID)
    assert reason_of(error) == reason


def test_another_key_another_meter_and_the_other_direction_do_not_fit() -> None:
    request = gateway().start()
    for key, server_id in ((bytes(16), SERVER_ID), (KEY, SERVER_ID[:-1] + b"\0")):
        with pytest.raises(SymError) as error:
            SymMessage.decode(request, key, server_id)
        assert reason_of(error) == "mac"


@given(st.data())
def test_whatever_comes_the_ends_raise_nothing_but_their_own_error(data: st.DataObject) -> None:
    one, other, answer = awaiting(data.draw(st.integers(1, 5)))
    octets = bytearray(answer)
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(octets[: data.draw(st.integers(0, len(octets)))])
    if cut != answer:
        with pytest.raises(SymError):
            one.feed(cut)
    assert other.answer(cut) == b""


@given(st.integers(1, 5), st.binary(max_size=700))
def test_whatever_is_said_with_the_right_key_raises_nothing_but_the_own_error(step: int, payload: bytes) -> None:
    one, other, _ = awaiting(step)
    other.answer(SymMessage(step, other.counter + 1, payload).encode(KEY, SERVER_ID))
    message = SymMessage(0x80 | step, one.counter + 2, payload)
    try:
        one.feed(message.encode(KEY, SERVER_ID))
    except SymError as problem:
        assert problem.reason in REASONS


@given(
    st.sampled_from([1, 2, 3, 4, 5, 0x81, 0x82, 0x83, 0x84, 0x85]), st.integers(0, 2**32 - 1), st.binary(max_size=99)
)
def test_a_message_comes_back_as_it_went(kind: int, counter: int, payload: bytes) -> None:
    message = SymMessage(kind, counter, payload)
    assert SymMessage.decode(message.encode(KEY, SERVER_ID), KEY, SERVER_ID) == message
