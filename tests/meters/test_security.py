"""Pairing, TLS, keys and faults of a wired meter (lmn-wired 3, 6)."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

import pytest
from hand_made import frame
from hypothesis import given
from hypothesis import strategies as st

from devices.clock import Clock, VirtualLoop
from devices.errors import UsageError
from devices.meters.base_meter import BaseMeter
from devices.meters.security import EVENTS, MeterSecurity, SecuritySettings
from devices.meters.security_faults import CERTIFICATE_FAULTS, SECURITY_FAULTS, forged
from devices.meters.wired_station import WiredStation
from devices.ports.memory import memory_pair
from devices.protocols.libssl import seeded_randomness
from devices.protocols.lmn_certificate import make_identity, read_certificate
from devices.protocols.lmn_tls import SUITES, LmnTlsError, TlsEnd, TlsSettings
from devices.protocols.sml.messages import (
    Attention,
    CloseRequest,
    GetListRequest,
    GetListResponse,
    Message,
    OpenRequest,
    ParameterTree,
    SetProcParameterRequest,
    Value,
    attention_code,
    cosem_attribute,
    cosem_name,
    encode_messages,
)
from devices.protocols.sml.objects import CRYPTO_RESET, OPERATIONAL_KEY
from devices.protocols.sml.transport import decode_file, encode_file
from devices.protocols.sym import SymError, SymGateway, operational_key
from devices.rs485.bus import Rs485Bus

KEY = bytes(range(16))
_LOOP = VirtualLoop()
TLS, CLEAR, SYM = 1, 3, 6


def file_of(*bodies: object) -> bytes:
    whole = [OpenRequest(b"gw", b"file"), *bodies, CloseRequest()]
    return encode_file(encode_messages([Message(bytes((at,)), at, 0, body) for at, body in enumerate(whole)]))  # type: ignore[arg-type]


def write(obis: bytes, value: Value) -> SetProcParameterRequest:
    path = (cosem_name(obis, 1), cosem_attribute(2))
    return SetProcParameterRequest(path, ParameterTree(path[-1], value))


LIST = file_of(GetListRequest(b"gw"))


def attentions(answer: bytes) -> list[int | None]:
    bodies = [message.body for message in decode_file(answer).messages]
    return [attention_code(body.number) for body in bodies if isinstance(body, Attention)]


def has_list(answer: bytes) -> bool:
    return any(isinstance(message.body, GetListResponse) for message in decode_file(answer).messages)


class Gateway:
    """The other end, by hand: pairs, speaks TLS, reads."""

    def __init__(self, clock: Clock, security: MeterSecurity) -> None:
        self.clock = clock
        self.security = security
        self.services = security.services()
        rng = random.Random(7)
        self.own = make_identity("EEMH0012345678.sm", "brainpoolP256r1", clock.now(), 2555, rng)
        self.meters = make_identity("1SAG0021061001.sm", "brainpoolP256r1", clock.now(), 2555, rng)
        self.counter = 0
        self.end: TlsEnd | None = None

    def pair(self, key: bytes = KEY) -> None:
        one = SymGateway(key, self.security.server_id, self.meters, self.own.certificate, counter=self.counter)
        request: bytes | None = one.start()
        while request is not None:
            answer = self.services[SYM].message(request)
            if not answer:
                raise TimeoutError
            request = one.feed(answer)
        self.counter = one.counter

    def secure(self, settings: TlsSettings | None = None) -> TlsEnd:
        self.services[TLS].opened()
        self.end = TlsEnd.gateway(self.own, self.meters.certificate, self.clock.now(), settings)
        out = self.end.start()
        for _ in range(4):
            if not out:
                break
            out = self.services[TLS].message(out)
            out = self.end.feed(out) if out else b""
        return self.end

    def ask(self, request: bytes = LIST) -> bytes:
        assert self.end is not None
        self.end.feed(self.services[TLS].message(self.end.send(request)))
        return self.end.received()


@pytest.fixture
async def security(clock: Clock, rng: random.Random) -> MeterSecurity:
    return MeterSecurity(clock, BaseMeter(clock, "1SAG0021061001"), KEY, rng)


@pytest.fixture
async def told(security: MeterSecurity) -> list[tuple[str, dict[str, object]]]:
    events: list[tuple[str, dict[str, object]]] = []
    security.on_event = lambda kind, details: events.append((kind, details))
    return events


@pytest.fixture
async def gateway(clock: Clock, security: MeterSecurity) -> Gateway:
    return Gateway(clock, security)


async def test_before_pairing_the_meter_is_read_in_the_clear_and_not_through_tls(gateway: Gateway) -> None:
    assert has_list(gateway.services[CLEAR].message(LIST))
    with pytest.raises(LmnTlsError) as error:
        gateway.secure()
    assert error.value.reason == "alert"


async def test_after_pairing_the_meter_is_read_through_tls_only(gateway: Gateway) -> None:
    gateway.pair()
    assert gateway.secure().established
    assert gateway.security.secured
    assert has_list(gateway.ask())
    assert gateway.services[CLEAR].message(LIST) == b""
    assert not gateway.security.clear_allowed


async def test_a_paired_meter_answers_dm_to_whoever_wants_to_read_it_in_the_clear(
    gateway: Gateway, clock: Clock, rng: random.Random
) -> None:
    port, bench = memory_pair(clock, ("gateway", "bench"))
    heard: list[bytes] = []
    port.set_receiver(heard.append)
    WiredStation(
        clock, Rs485Bus(clock, bench), gateway.security, rng, address=0x66, services=gateway.security.services()
    )

    async def say(octets: bytes) -> bytes:
        heard.clear()
        port.write(octets)
        await clock.sleep(0.05)
        return b"".join(heard)

    snrm, ready = frame("CC07020793"), frame("CC07020711")
    assert await say(snrm) == frame("0207CC0773")
    gateway.pair()
    assert await say(ready) == frame("0207CC071F"), "the link that was up is gone too"
    assert await say(snrm) == frame("0207CC071F")
    gateway.security.crypto_reset()
    assert await say(snrm) == frame("0207CC0773")


async def test_what_happens_is_told(gateway: Gateway, told: list[tuple[str, dict[str, object]]]) -> None:
    gateway.pair()
    gateway.secure()
    assert [kind for kind, _ in told] == ["paired", "secured"]
    assert told[0][1]["certificate"] == read_certificate(gateway.meters.certificate).fingerprint
    assert told[1][1] == {"suite": 0xC023}
    assert {kind for kind, _ in told} <= set(EVENTS)


@pytest.mark.parametrize("suite", SUITES)
async def test_the_meter_chooses_the_suite(clock: Clock, rng: random.Random, suite: int) -> None:
    settings = SecuritySettings(tls=TlsSettings(suites=(suite,)))
    gateway = Gateway(clock, MeterSecurity(clock, BaseMeter(clock, "1SAG0021061001"), KEY, rng, settings))
    gateway.pair()
    assert gateway.secure().suite == suite
    assert has_list(gateway.ask())


async def test_a_request_in_many_records_is_answered_once_it_is_whole(gateway: Gateway) -> None:
    gateway.pair()
    end = gateway.secure()
    records = [end.send(LIST[at : at + 1]) for at in range(len(LIST))]
    answers = [gateway.services[TLS].message(record) for record in records]
    assert [bool(answer) for answer in answers] == [False] * (len(LIST) - 1) + [True]
    end.feed(answers[-1])
    assert has_list(end.received())


async def test_records_in_pieces_of_any_size_make_a_session(gateway: Gateway) -> None:
    gateway.pair()
    tls = gateway.services[TLS]
    end = TlsEnd.gateway(gateway.own, gateway.meters.certificate, gateway.clock.now())
    out = end.start()
    for _ in range(2):
        out = end.feed(b"".join(tls.message(out[at : at + 1]) for at in range(len(out))))
    assert end.established
    assert gateway.security.secured


async def test_a_link_that_is_set_up_anew_ends_the_session(gateway: Gateway) -> None:
    gateway.pair()
    end = gateway.secure()
    record = end.send(LIST)
    gateway.services[TLS].opened()
    assert not gateway.security.secured
    with pytest.raises(LmnTlsError):
        end.feed(gateway.services[TLS].message(record))


async def test_certificates_key_and_counter_outlive_the_mains_and_the_session_does_not(gateway: Gateway) -> None:
    gateway.pair()
    gateway.secure()
    assert attentions(gateway.ask(file_of(write(OPERATIONAL_KEY, bytes(16))))) == [0xFD00]
    security = gateway.security
    kept = (security.key, security.sym.counter, security.sym.identity, security.sym.gateway_certificate)
    security.power(False)
    security.power(True)
    assert not security.secured
    assert (security.key, security.sym.counter, security.sym.identity, security.sym.gateway_certificate) == kept
    assert gateway.secure().established


async def test_a_pairing_that_the_mains_cut_has_to_begin_anew(gateway: Gateway) -> None:
    one = SymGateway(KEY, gateway.security.server_id, gateway.meters, gateway.own.certificate)
    second = one.feed(gateway.services[SYM].message(one.start()))
    third = one.feed(gateway.services[SYM].message(second or b""))
    gateway.security.power(False)
    gateway.security.power(True)
    assert gateway.services[SYM].message(third or b"") == b""
    assert not gateway.security.paired
    gateway.pair()
    assert gateway.security.paired


# --- operational key and crypto reset


async def test_sixteen_octets_written_over_tls_make_the_operational_key(gateway: Gateway) -> None:
    gateway.pair()
    gateway.secure()
    assert attentions(gateway.ask(file_of(write(OPERATIONAL_KEY, bytes(range(100, 116)))))) == [0xFD00]
    assert gateway.security.key == operational_key(KEY, bytes(range(100, 116)))
    with pytest.raises(TimeoutError):
        gateway.pair(KEY)
    gateway.pair(operational_key(KEY, bytes(range(100, 116))))


@pytest.mark.parametrize("value", [bytes(15), bytes(17), 5, True])
async def test_a_key_of_another_length_or_kind_is_answered_with_fe09(gateway: Gateway, value: Value) -> None:
    gateway.pair()
    gateway.secure()
    assert attentions(gateway.ask(file_of(write(OPERATIONAL_KEY, value)))) == [0xFE09]
    assert gateway.security.key == KEY


async def test_a_second_operational_key_is_made_of_the_key_of_delivery_again(gateway: Gateway) -> None:
    gateway.pair()
    gateway.secure()
    for octets in (bytes(16), bytes(range(16, 32))):
        gateway.ask(file_of(write(OPERATIONAL_KEY, octets)))
        assert gateway.security.key == operational_key(KEY, octets)


async def test_a_crypto_reset_wants_the_value_true(gateway: Gateway) -> None:
    gateway.pair()
    gateway.secure()
    for value in (False, 1, b"\x01"):
        assert attentions(gateway.ask(file_of(write(CRYPTO_RESET, value)))) == [0xFE09]
    assert gateway.security.paired


async def test_keys_are_not_written_in_the_clear(gateway: Gateway) -> None:
    for obis, value in ((OPERATIONAL_KEY, bytes(16)), (CRYPTO_RESET, True)):
        assert attentions(gateway.services[CLEAR].message(file_of(write(obis, value)))) == [0xFE02]
    assert gateway.security.key == KEY


async def test_other_requests_of_the_same_file_are_answered_in_their_places(gateway: Gateway) -> None:
    gateway.pair()
    gateway.secure()
    answer = decode_file(gateway.ask(file_of(write(OPERATIONAL_KEY, bytes(16)), GetListRequest(b"gw"))))
    assert [message.transaction_id for message in answer.messages] == [b"\0", b"\1", b"\2", b"\3"]
    assert isinstance(answer.messages[1].body, Attention)
    assert isinstance(answer.messages[2].body, GetListResponse)


async def test_a_crypto_reset_brings_the_key_of_delivery_back_and_takes_the_certificates(gateway: Gateway) -> None:
    gateway.pair()
    end = gateway.secure()
    gateway.ask(file_of(write(OPERATIONAL_KEY, bytes(16))))
    record = end.send(file_of(write(CRYPTO_RESET, True)))
    try:
        end.feed(gateway.services[TLS].message(record))
    except LmnTlsError as closed:
        assert closed.reason == "closed"
    assert attentions(end.received()) == [0xFD00]
    security = gateway.security
    assert (security.key, security.paired, security.secured, security.clear_allowed) == (KEY, False, False, True)
    gateway.pair()
    assert gateway.secure().established


async def test_a_crypto_reset_has_to_come_within_120_seconds_of_mains_or_a_new_key(
    gateway: Gateway, clock: Clock
) -> None:
    gateway.pair()
    gateway.secure()
    await clock.sleep(120.5)
    assert not gateway.security.crypto_reset()
    assert attentions(gateway.ask(file_of(write(CRYPTO_RESET, True)))) == [0xFE0A]
    assert attentions(gateway.ask(file_of(write(OPERATIONAL_KEY, bytes(16))))) == [0xFD00]
    await clock.sleep(119)
    assert gateway.security.crypto_reset()
    await clock.sleep(121)
    assert not gateway.security.crypto_reset()
    gateway.security.power(False)
    gateway.security.power(True)
    assert gateway.security.crypto_reset()


# --- limits


async def test_a_session_ends_after_31_days(gateway: Gateway, clock: Clock) -> None:
    gateway.pair()
    end = gateway.secure()
    await clock.sleep(timedelta(days=31).total_seconds() - 1)
    assert has_list(gateway.ask())
    await clock.sleep(2)
    record = end.send(LIST)
    with pytest.raises(LmnTlsError) as error:
        end.feed(gateway.services[TLS].message(record))
    assert error.value.reason == "closed"
    assert has_list(end.received())
    assert gateway.secure().established


async def test_a_session_ends_with_the_answer_that_uses_it_up(clock: Clock, rng: random.Random) -> None:
    settings = SecuritySettings(tls=TlsSettings(session_octets=4_000))
    gateway = Gateway(clock, MeterSecurity(clock, BaseMeter(clock, "1SAG0021061001"), KEY, rng, settings))
    gateway.pair()
    gateway.secure()
    answers = 0
    with pytest.raises(LmnTlsError, match="closed"):
        for _ in range(20):
            gateway.ask()
            answers += 1
    assert 1 < answers < 10
    assert gateway.secure().established


@given(st.lists(st.tuples(st.sampled_from([TLS, CLEAR, SYM]), st.binary(max_size=200)), max_size=4), st.data())
def test_whatever_comes_on_whatever_selector_a_meter_raises_nothing(
    said: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    clock = Clock(_LOOP)
    gateway = Gateway(clock, MeterSecurity(clock, BaseMeter(clock, "1SAG0021061001"), KEY, random.Random(1)))
    gateway.pair()
    end = gateway.secure()
    true = bytearray(end.send(file_of(write(OPERATIONAL_KEY, bytes(16)))))
    for _ in range(data.draw(st.integers(0, 3))):
        true[data.draw(st.integers(0, len(true) - 1))] ^= data.draw(st.integers(1, 255))
    for selector, octets in [(TLS, bytes(true)), *said, (TLS, end.send(LIST))]:
        gateway.services[selector].message(octets)
    assert gateway.secure().established


# --- faults

TLS_REASONS = {
    "wrong_certificate": "wrong_certificate",
    "expired_certificate": "certificate_expired",
    "not_yet_valid": "certificate_not_yet_valid",
    "oversize_certificate": "certificate_size",
    "wrong_key": "wrong_key",
    "suite_not_offered": "no_common_suite",
    "no_tls": "alert",
}
"""Fault of the meter, and the reason that the gateway's end gives."""


@pytest.mark.parametrize(("kind", "reason"), TLS_REASONS.items())
async def test_a_fault_of_the_handshake_is_seen_by_the_gateway_once(
    gateway: Gateway, told: list[tuple[str, dict[str, object]]], kind: str, reason: str
) -> None:
    gateway.pair()
    gateway.security.fault(kind, times=1)
    with pytest.raises(LmnTlsError) as error:
        gateway.secure()
    assert error.value.reason == reason
    assert ("fault", {"kind": kind}) in told
    assert gateway.secure().established


async def test_a_meter_that_is_cut_in_mid_handshake_says_no_more_until_the_link_is_new(gateway: Gateway) -> None:
    gateway.pair()
    gateway.security.fault("tls_cut", times=1)
    assert not gateway.secure().established
    assert gateway.services[TLS].message(b"anything") == b""
    assert gateway.secure().established


async def test_a_corrupted_record_breaks_the_session(gateway: Gateway) -> None:
    gateway.pair()
    gateway.secure()
    gateway.security.fault("corrupted_record", times=1)
    with pytest.raises(LmnTlsError) as error:
        gateway.ask()
    assert error.value.reason == "record"
    assert gateway.end is not None
    assert gateway.end.received() == b""


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5])
async def test_a_wrong_mac_is_seen_in_the_step_that_was_told(gateway: Gateway, step: int) -> None:
    gateway.security.fault("wrong_mac", times=1, step=step)
    with pytest.raises(SymError) as error:
        gateway.pair()
    assert error.value.reason == "mac"
    gateway.pair()


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5])
async def test_a_stale_counter_is_seen_in_the_step_that_was_told(gateway: Gateway, step: int) -> None:
    gateway.pair()
    gateway.security.fault("stale_counter", times=1, step=step)
    with pytest.raises(SymError) as error:
        gateway.pair()
    assert error.value.reason == "counter"


async def test_a_meter_without_pairing_keeps_silent(gateway: Gateway) -> None:
    gateway.security.fault("no_pairing")
    with pytest.raises(TimeoutError):
        gateway.pair()
    gateway.security.clear_faults()
    gateway.pair()


async def test_every_fault_of_the_catalogue_has_a_test() -> None:
    assert set(SECURITY_FAULTS) == {
        *TLS_REASONS,
        "tls_cut",
        "corrupted_record",
        "wrong_mac",
        "stale_counter",
        "no_pairing",
    }


@pytest.mark.parametrize(
    "wrong",
    [
        lambda one: one.fault("wrong_mack"),
        lambda one: one.fault("wrong_mac", times=0),
        lambda one: one.fault("wrong_mac", step=6),
        lambda one: one.fault("wrong_key", step=1),
    ],
)
async def test_a_fault_that_cannot_be_is_refused(
    security: MeterSecurity, wrong: Callable[[MeterSecurity], None]
) -> None:
    with pytest.raises(UsageError):
        wrong(security)


@pytest.mark.parametrize("kind", CERTIFICATE_FAULTS)
@pytest.mark.parametrize("curve", ["P-256", "brainpoolP512r1"])
async def test_a_forged_certificate_has_name_and_key_of_the_true_one_and_its_fault(
    clock: Clock, rng: random.Random, kind: str, curve: str
) -> None:
    true = make_identity("1SAG0021061001.sm", curve, clock.now() - timedelta(days=9), 2555, rng)
    false = forged(true, kind, clock.now())
    was, now = read_certificate(true.certificate), read_certificate(false.certificate)
    assert (now.name, now.curve, false.key) == (was.name, was.curve, true.key)
    assert now.der != was.der
    assert (kind == "expired_certificate") == (now.not_after < clock.now())
    assert (kind == "not_yet_valid") == (now.not_before > clock.now())
    assert (kind == "oversize_certificate") == (len(now.der) > 600)


async def test_the_meter_refuses_a_gateway_with_another_certificate_unless_it_does_not_look(
    clock: Clock, rng: random.Random
) -> None:
    for looks in (True, False):
        settings = SecuritySettings(check_gateway=looks)
        gateway = Gateway(clock, MeterSecurity(clock, BaseMeter(clock, "1SAG0021061001"), KEY, rng, settings))
        gateway.pair()
        gateway.own = make_identity("EEMH0012345678.sm", "brainpoolP256r1", clock.now(), 2555, rng)
        if looks:
            with pytest.raises(LmnTlsError) as error:
                gateway.secure()
            assert error.value.reason == "alert"
        assert gateway.security.secured is False
    # Without a look OpenSSL asks for no certificate at all.
    assert gateway.secure().established


async def test_the_same_seed_gives_the_same_octets(clock: Clock) -> None:
    def run() -> list[bytes]:
        security = MeterSecurity(clock, BaseMeter(clock, "1SAG0021061001"), KEY, random.Random(3))
        gateway = Gateway(clock, security)
        gateway.pair()
        said: list[bytes] = []
        with seeded_randomness(random.Random(4)):
            end = TlsEnd.gateway(gateway.own, gateway.meters.certificate, clock.now())
            out = end.start()
            for _ in range(2):
                said.append(out)
                said.append(gateway.services[TLS].message(out))
                out = end.feed(said[-1])
        assert end.established
        return said

    assert run() == run()
