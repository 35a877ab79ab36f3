"""Telegrams of wireless meters opened and made, on published examples, in both directions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.protocols.mbus import tpl as tpl_layer
from devices.protocols.mbus.afl import Reassembly, split
from devices.protocols.mbus.ell import Ell, Session
from devices.protocols.mbus.errors import FrameError, LayerError, MbusError, SecurityError
from devices.protocols.mbus.link import Address, FrameFormat, LinkFrame, dress, encode_link
from devices.protocols.mbus.telegram import (
    Telegram,
    TelegramPlan,
    decode,
    decode_body,
    encode,
    open_,
    parse,
    whole,
)
from devices.protocols.mbus.telegram_plan import Profile, frame_of, message_of

GAS = Address("ELS", "12345678", 0x33, 0x03)
ADAPTER = Address("RAD", "11223344", 0x03, 0x37)
GATEWAY = Address("XYZ", "33445566", 0x0A, 0x31)
WATER = Address("KAM", "76348799", 0x1B, 0x16)
COLD = Address("KAW", "53820306", 0x3C, 0x16)

RECORDS = bytes.fromhex("0C1427048502046D32371F1502FD170000")
FILLED = b"\x2f\x2f" + RECORDS + b"\x2f" * 13


@dataclass(frozen=True)
class Example:
    """A published telegram.

    Attributes:
        octets: stripped.
        plan: what it says.
        apl: its application layer as decoded.
        clear_from: where in it the unencrypted octets begin.
    """

    octets: bytes
    plan: TelegramPlan
    apl: bytes
    clear_from: int | None = None


EXAMPLES = {
    "mode 5 of OMS Annex N": Example(
        bytes.fromhex("2E4493157856341233037A2A0020255923C95AAA26D1B2E7493B013EC4A6F6D3529B520EDFF0EA6DEFC99D6D69EBF3"),
        TelegramPlan(
            0x44,
            GAS,
            RECORDS,
            access_number=0x2A,
            flags=tpl_layer.SYNCHRONOUS,
            profile="A",
            key=bytes.fromhex("0102030405060708090A0B0C0D0E0F11"),
        ),
        FILLED,
    ),
    "partly encrypted long header of the KNX annex": Example(
        bytes.fromhex("294493444433221155087288776655934455080004100500DFE2A782146D1513581CD2F83F3904015B19"),
        TelegramPlan(
            0x44,
            Address("QDS", "11223344", 0x55, 0x08),
            bytes.fromhex("0B6E341200426CFE044B6E563402"),
            header="long",
            meter=Address("QDS", "55667788", 0x55, 0x08),
            status=tpl_layer.LOW_POWER,
            profile="A",
            key=bytes(range(16)),
            clear=bytes.fromhex("015B19"),
        ),
        bytes.fromhex("2F2F0B6E341200426CFE044B6E563402015B19"),
        16,
    ),
    "extended link layer of a water meter": Example(
        bytes.fromhex("2A442D2C998734761B168D2091D37CAC21E1D68CDAFFCD3DC452BD802913FF7B1706CA9E355D6C2701CC24"),
        TelegramPlan(
            0x44,
            WATER,
            bytes.fromhex("02FF207100041308190000441308190000615B7F616713"),
            header="none",
            profile="ell-ctr",
            key=bytes.fromhex("28F64A24988064A079AA2C807D6102AE"),
            ell=Ell(0x20, 0x91, None, Session(1_755_085, 3)),
        ),
        bytes.fromhex("02FF207100041308190000441308190000615B7F616713"),
    ),
    "mode 7 of OMS Annex N": Example(
        bytes.fromhex(
            "434493157856341233038C2075900F002C25B30A000021924D4F2FB66E017A75002007109058475F4BC91DF878B80A1B0F98B629"
            "024AAC727942BFC549233C0140829B93"
        ),
        TelegramPlan(
            0x44,
            GAS,
            RECORDS,
            access_number=0x75,
            profile="B",
            key=bytes(range(16)),
            counter=2739,
            ell=Ell(0x20, 0x75),
        ),
        FILLED,
    ),
    "mode 7 through a radio adapter": Example(
        bytes.fromhex(
            "530824484433221103378E80753A63665544330A31900F002C25B30A0000AF5D74DF73A600D9727856341293153303750020"
            "07109058475F4BC91DF878B80A1B0F98B629024AAC727942BFC549233C0140829B93"
        ),
        TelegramPlan(
            0x08,
            ADAPTER,
            RECORDS,
            header="long",
            meter=GAS,
            access_number=0x75,
            profile="B",
            key=bytes(range(16)),
            counter=2739,
            ell=Ell(0x80, 0x75, GATEWAY),
        ),
        FILLED,
    ),
    # A meter's own telegram and key, published by its owner in thread 1667 of wmbusmeters.
    "mode 10 of a cold water meter": Example(
        bytes.fromhex(
            "4544372C060382533C168C20307A3010FF2A10018C570E006DA7632471F42B0A3CECCD461353573ED02B87118BC5FFE982F7F00A"
            "0274543BC51938F8B9C8BB8928114D60788A"
        ),
        TelegramPlan(
            0x44,
            COLD,
            bytes.fromhex("046D1C2A2F3C04150000000002FF25010406FF1BFFFFFFFFFFFF446D0020213C441500000000"),
            access_number=0x30,
            status=tpl_layer.TEMPORARY_ERROR,
            profile="D",
            key=bytes.fromhex("BF902DD6DFADAFE83E4AE6832B5FA14C"),
            counter=939_916,
            ell=Ell(0x20, 0x30),
        ),
        bytes.fromhex("046D1C2A2F3C04150000000002FF25010406FF1BFFFFFFFFFFFF446D0020213C441500000000"),
    ),
}
WRONG_KIND = {"mode5": "padding", "mode7": "mac", "mode10": "mac", "ell-ctr": "crc"}

each = pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES.keys())


# --- published telegrams


@each
def test_a_published_telegram_is_opened(example: Example) -> None:
    """lmn-wireless 2.6, 3"""
    telegram = decode(example.octets, example.plan.key)
    assert (telegram.state, telegram.trouble, telegram.trouble_kind) == ("decrypted", "", "")
    assert telegram.apl == example.apl
    assert telegram.clear_from == example.clear_from
    assert telegram.link.c == example.plan.c
    assert telegram.meter == (example.plan.meter or example.plan.address)
    assert telegram.counter == example.plan.counter
    assert telegram.ell == example.plan.ell
    protected = example.plan.profile in ("B", "D")
    assert telegram.mac_valid is (True if protected else None)


@each
def test_a_published_telegram_is_made_octet_for_octet(example: Example) -> None:
    assert encode(example.plan).hex().upper() == example.octets.hex().upper()


@each
@pytest.mark.parametrize("form", FrameFormat)
def test_a_published_telegram_is_opened_in_every_frame_format(example: Example, form: FrameFormat) -> None:
    assert decode(dress(example.octets, form), example.plan.key, form) == decode(example.octets, example.plan.key)


@each
def test_without_a_key_only_the_headers_are_told(example: Example) -> None:
    telegram = decode(example.octets)
    assert (telegram.state, telegram.trouble_kind, telegram.apl) == ("encrypted", "no_key", b"")
    assert telegram.mac_valid is None
    assert "key" in telegram.trouble
    assert telegram.counter == example.plan.counter


@each
def test_a_wrong_key_shows_up_as_each_protection_can_tell(example: Example) -> None:
    """lmn-wireless 7, trap 5"""
    telegram = decode(example.octets, bytes(15) + b"\x01")
    kind = WRONG_KIND[telegram.security]
    assert (telegram.state, telegram.trouble_kind, telegram.apl) == ("failed", kind, b"")
    assert telegram.mac_valid is (False if kind == "mac" else None)


@each
def test_address_and_counter_are_told_before_a_key_is_picked(example: Example) -> None:
    parsed = parse(example.octets)
    assert parsed.meter == (example.plan.meter or example.plan.address)
    assert parsed.counter == example.plan.counter
    assert parsed.security == decode(example.octets).security
    assert open_(parsed, example.plan.key) == decode(example.octets, example.plan.key)


@each
def test_a_telegram_that_is_cut_is_an_error_or_cannot_be_opened(example: Example) -> None:
    for size in range(11, len(example.octets)):
        cut = bytes((size - 1,)) + example.octets[1:size]
        try:
            telegram = decode(cut, example.plan.key)
        except LayerError as error:
            assert error.offset is not None
            assert 0 <= error.offset <= size
        else:
            assert telegram.state != "decrypted" or example.clear_from is not None


@pytest.mark.parametrize("name", ["mode 7 of OMS Annex N", "mode 7 through a radio adapter"])
def test_every_octet_from_the_message_on_is_under_the_mac(name: str) -> None:
    example = EXAMPLES[name]
    first = example.octets.index(bytes.fromhex("25B30A0000"))
    tpl_at = example.octets.index(b"\x7a\x75" if b"\x7a\x75" in example.octets else b"\x72\x78")
    for place in (*range(first + 1, first + 5), *range(tpl_at + 1, len(example.octets))):
        damaged = bytearray(example.octets)
        damaged[place] ^= 0x10
        try:
            telegram = decode(bytes(damaged), example.plan.key)
        except LayerError:
            continue
        assert telegram.state != "decrypted", place
        assert telegram.mac_valid is not True or telegram.trouble_kind, place


def test_the_mac_is_checked_before_anything_is_decrypted() -> None:
    """TR-03116-3 7.3: the padding is not touched before the MAC is verified."""
    example = EXAMPLES["mode 7 of OMS Annex N"]
    spoiled = bytearray(example.octets)
    spoiled[-32] ^= 1  # the first block, so that 2F2F is gone too
    telegram = decode(bytes(spoiled), example.plan.key)
    assert (telegram.trouble_kind, telegram.mac_valid) == ("mac", False)


def test_the_fields_of_the_radio_adapter_telegram_are_told() -> None:
    """lmn-wireless 3"""
    example = EXAMPLES["mode 7 through a radio adapter"]
    telegram = decode(example.octets, example.plan.key)
    assert str(telegram.link.address) == "RAD 11223344 03 37"
    assert telegram.meter == GAS
    assert telegram.ell is not None
    assert telegram.ell.receiver == GATEWAY
    assert (telegram.access_number, telegram.status, telegram.ci, telegram.to_meter) == (0x75, 0, 0x72, False)


# --- the layers in the clear


def test_a_telegram_without_protection_is_plain() -> None:
    octets = encode(TelegramPlan(0x44, GAS, RECORDS, access_number=7, status=4, ell=Ell(0x80, 9)))
    for key in (None, bytes(16)):
        telegram = decode(octets, key)
        assert (telegram.security, telegram.state, telegram.apl) == ("none", "plain", RECORDS)
        assert (telegram.clear_from, telegram.access_number, telegram.status) == (0, 7, 4)
    bare = decode(encode(TelegramPlan(0x44, GAS, RECORDS, header="none", ell=Ell(0x80, 9))))
    assert (bare.ci, bare.apl, bare.access_number, bare.status) == (0x78, RECORDS, 9, None)


def test_a_frame_without_anything_behind_the_address_is_plain_and_empty() -> None:
    telegram = decode(encode_link(LinkFrame(0x00, GAS)))
    assert (telegram.state, telegram.apl, telegram.ci, telegram.clear_from) == ("plain", b"", None, None)
    assert (telegram.counter, telegram.access_number) == (None, None)


def test_a_session_without_encryption_has_a_payload_crc() -> None:
    octets = encode(TelegramPlan(0x44, WATER, RECORDS, header="none", ell=Ell(0x20, 1, None, Session(5, 1, 0))))
    assert (decode(octets).security, decode(octets).state, decode(octets).apl) == ("none", "plain", RECORDS)
    damaged = decode(octets[:-1] + b"\x01")
    assert (damaged.state, damaged.trouble_kind) == ("failed", "crc")


def test_a_network_layer_is_stepped_over() -> None:
    octets = encode(TelegramPlan(0x44, GAS, RECORDS, network=b"\x81\x1d"))
    telegram = decode(octets)
    assert (telegram.parsed.network, telegram.apl) == (b"\x81\x1d", RECORDS)


def test_on_the_way_to_a_meter_the_receiver_is_the_meter() -> None:
    command = TelegramPlan(0x5B, GATEWAY, ci=0x8A, ell=Ell(0x80, 1, GAS))
    assert decode(encode(command)).meter == GAS
    confirmation = TelegramPlan(0x06, GATEWAY, header="long", meter=GAS, ci=0x80)
    telegram = decode(encode(confirmation))
    assert (telegram.meter, telegram.to_meter) == (GAS, True)


def test_the_keys_of_a_command_are_others_than_those_of_a_meter() -> None:
    """lmn-wireless 3: Lenc and Lmac."""
    plan = TelegramPlan(
        0x53, GATEWAY, b"\x01\x02", "long", GAS, 0x5B, 3, profile="B", key=bytes(16), counter=9, ell=Ell(0, 3)
    )
    octets = encode(plan)
    assert decode(octets, bytes(16)).state == "decrypted"
    as_a_meter = octets[:1] + b"\x44" + octets[2:]
    assert decode(as_a_meter, bytes(16)).trouble_kind == "mac"


def test_frames_of_the_wired_bus_have_their_layers_opened_too() -> None:
    message = EXAMPLES["partly encrypted long header of the KNX annex"].octets[10:]
    telegram = decode_body(LinkFrame(0x08, GAS, message), bytes(range(16)))
    assert (telegram.state, telegram.meter.id) == ("decrypted", "55667788")


# --- modes and lengths that are not opened


@pytest.mark.parametrize("mode", [1, 2, 3, 4, 6, 8, 9, 11, 12, 14, 16, 21, 24, 31])
def test_other_modes_are_named_and_left_alone(mode: int) -> None:
    octets = encode_link(LinkFrame(0x44, GAS, bytes((0x7A, 1, 0, 0x20, mode)) + bytes(32)))
    for key in (None, bytes(16)):
        telegram = decode(octets, key)
        assert (telegram.security, telegram.state, telegram.trouble_kind) == (f"mode{mode}", "encrypted", "mode")
        assert (telegram.apl, telegram.payload) == (b"", bytes(32))
    assert decode(octets, predecrypted=True).trouble_kind == "mode"


def test_tls_is_marked_and_its_payload_left_as_it_is() -> None:
    """lmn-wireless 2.8: mode 13; one octet of extension."""
    octets = encode_link(LinkFrame(0x44, GAS, bytes.fromhex("7A010005 0D00".replace(" ", "")) + b"\x16\x03\x03\0\0"))
    telegram = decode(octets, bytes(16))
    assert (telegram.security, telegram.state, telegram.trouble_kind) == ("mode13", "encrypted", "mode")
    assert telegram.tpl is not None
    assert (telegram.tpl.encrypted_octets, telegram.payload) == (5, b"\x16\x03\x03\0\0")
    assert "TLS" in telegram.trouble


def test_more_blocks_than_there_are_is_a_wrong_format() -> None:
    example = EXAMPLES["mode 5 of OMS Annex N"]
    octets = bytearray(example.octets)
    octets[13] = 0x30
    telegram = decode(bytes(octets), example.plan.key)
    assert (telegram.state, telegram.trouble_kind) == ("failed", "format")
    octets[13] = 0xF0
    assert decode(bytes(octets), example.plan.key).apl == FILLED


def test_no_encrypted_blocks_leave_the_payload_in_the_clear() -> None:
    octets = encode_link(LinkFrame(0x44, GAS, bytes.fromhex("7A01000005") + RECORDS))
    telegram = decode(octets, bytes(16))
    assert (telegram.security, telegram.state, telegram.apl) == ("mode5", "plain", RECORDS)


def test_mode_7_and_10_without_a_counter_cannot_be_opened() -> None:
    for body in ("7A0100100710" + "00" * 16, "7A0100FF0A1001" + "00" * 16):
        telegram = decode(encode_link(LinkFrame(0x44, GAS, bytes.fromhex(body))), bytes(16))
        assert (telegram.state, telegram.trouble_kind) == ("failed", "format")
        assert "counter" in telegram.trouble


def test_mode_7_without_a_mac_is_opened_and_says_that_nothing_proves_it() -> None:
    example = EXAMPLES["mode 7 of OMS Annex N"]
    plan = replace(example.plan, counter_in_tpl=True)
    body = encode(plan)[10:]
    without = body[:3] + body[body.index(b"\x7a\x75") :]
    telegram = decode(encode_link(LinkFrame(0x44, GAS, without)), plan.key)
    assert (telegram.state, telegram.mac_valid, telegram.apl) == ("decrypted", None, FILLED)


def test_partial_encryption_in_mode_10_is_not_guessed() -> None:
    example = EXAMPLES["mode 10 of a cold water meter"]
    octets = bytearray(example.octets)
    octets[16] = 0x10
    assert decode(bytes(octets), example.plan.key).trouble_kind == "mode"


def test_a_gmac_is_named_and_not_taken_for_a_cmac() -> None:
    example = EXAMPLES["mode 7 of OMS Annex N"]
    afl = bytes.fromhex("9013002C28B30A0000") + bytes(12)
    body = example.octets[10:13] + afl + example.octets[30:]
    telegram = decode(encode_link(LinkFrame(0x44, GAS, body)), example.plan.key)
    assert (telegram.state, telegram.trouble_kind, telegram.mac_valid) == ("encrypted", "mode", None)


def test_the_fifth_extended_link_layer_is_refused_at_its_place() -> None:
    with pytest.raises(LayerError) as caught:
        decode(encode_link(LinkFrame(0x44, GAS, b"\x86\x00\x00")))
    assert caught.value.offset == 10


def test_keys_of_another_length_are_refused() -> None:
    with pytest.raises(SecurityError, match="16 octets"):
        decode(EXAMPLES["mode 5 of OMS Annex N"].octets, bytes(15))


# --- already decrypted


def test_a_payload_that_is_already_clear_is_believed_only_when_told_so() -> None:
    """lmn-wireless 7, trap 2"""
    example = EXAMPLES["mode 7 of OMS Annex N"]
    clear = example.octets[:-32] + FILLED
    assert decode(clear).state == "encrypted"
    assert decode(clear, example.plan.key).trouble_kind == "mac"
    told = decode(clear, predecrypted=True)
    assert (told.security, told.state, told.apl, told.mac_valid) == ("mode7", "plain", FILLED, None)


def test_an_extended_link_layer_that_is_already_clear_has_a_right_payload_crc() -> None:
    example = EXAMPLES["extended link layer of a water meter"]
    clear = example.octets[:17] + bytes.fromhex("576C78") + example.apl
    told = decode(clear, predecrypted=True)
    assert (told.security, told.state, told.apl) == ("ell-ctr", "plain", example.apl)
    assert decode(example.octets, predecrypted=True).trouble_kind == "crc"


# --- messages in pieces


def test_a_long_message_goes_in_pieces_and_its_mac_covers_all_of_it() -> None:
    """lmn-wireless 2.7"""
    plan = replace(EXAMPLES["mode 7 of OMS Annex N"].plan, apl=RECORDS * 8, key_id=3, ki=True)
    afl, message = message_of(plan)
    frames = [frame_of(plan, piece, octets) for piece, octets in split(afl, message, 60)]
    assert len(frames) > 2
    reassembly = Reassembly()
    for number, frame in enumerate(frames, 1):
        alone = decode(frame, plan.key)
        assert (alone.state, alone.trouble_kind) == ("encrypted", "format")
        parsed = parse(frame)
        assert parsed.afl is not None
        done = reassembly.feed(parsed.link.address, parsed.afl, parsed.message)
        assert (done is None) == (number < len(frames))
    assert done is not None
    telegram = open_(whole(parsed, *done), plan.key)
    assert (telegram.state, telegram.mac_valid) == ("decrypted", True)
    assert telegram.apl.startswith(b"\x2f\x2f" + RECORDS * 8)
    octets = bytearray(done[1])
    octets[-1] ^= 1
    assert open_(whole(parsed, done[0], bytes(octets)), plan.key).trouble_kind == "mac"


# --- plans

keys = st.binary(min_size=16, max_size=16)
addresses = st.builds(Address.from_link, st.binary(min_size=8, max_size=8))
octet = st.integers(0, 255)


@st.composite
def plans(draw: st.DrawFn) -> TelegramPlan:
    profile: Profile | None = draw(st.sampled_from([None, "A", "B", "D", "ell-ctr"]))
    headers = ["short", "long"] if profile in ("A", "B", "D") else ["none", "short", "long"]
    session = st.builds(Session, st.integers(0, (1 << 25) - 1), st.integers(0, 15))
    session = session if profile == "ell-ctr" else st.none()
    ell = st.builds(Ell, octet, octet, st.none() | addresses, session)
    header = draw(st.sampled_from(headers))
    counted = profile in ("B", "D")
    return TelegramPlan(
        draw(st.sampled_from([0x44, 0x46, 0x08, 0x53, 0x06])),
        draw(addresses),
        draw(st.binary(max_size=120)),
        header,
        draw(addresses) if header == "long" else None,
        access_number=0 if header == "none" else draw(octet),
        status=0 if header == "none" else draw(octet),
        profile=profile,
        key=draw(keys),
        counter=draw(st.integers(0, (1 << 32) - 1)) if counted else None,
        counter_in_tpl=profile == "B" and draw(st.booleans()),
        kdf=draw(st.sampled_from([0, 1])),
        key_id=draw(st.integers(0, 15)) if counted else 0,
        key_version=draw(st.none() | octet) if counted else None,
        ki=profile == "B" and draw(st.booleans()),
        message_length=profile == "B" and draw(st.booleans()),
        mac_octets=draw(st.sampled_from([4, 8, 12, 16])),
        clear=draw(st.binary(max_size=20)) if profile in ("A", "B") else b"",
        ell=draw(ell if profile == "ell-ctr" else st.none() | ell),
    )


@given(plans())
def test_whatever_is_planned_is_read_again(plan: TelegramPlan) -> None:
    telegram = decode(encode(plan), plan.key)
    assert telegram.trouble == ""
    assert telegram.state == ("plain" if plan.profile is None else "decrypted")
    assert content(telegram, plan) == plan.apl + plan.clear
    assert (telegram.link.c, telegram.link.address, telegram.ell) == (plan.c, plan.address, plan.ell)
    assert telegram.counter == plan.counter
    protected = plan.profile in ("B", "D")
    assert telegram.mac_valid is (True if protected else None)
    assert telegram.mac_octets == (plan.mac_octets if protected else 0)
    if plan.header == "long":
        assert telegram.meter == plan.meter
    if plan.header != "none":
        assert (telegram.access_number, telegram.status) == (plan.access_number, plan.status)


def content(telegram: Telegram, plan: TelegramPlan) -> bytes:
    """The application layer without what encryption added."""
    if plan.profile not in ("A", "B"):
        return telegram.apl
    assert telegram.apl[:2] == b"\x2f\x2f"
    end = len(telegram.apl) - len(plan.clear)
    filling = telegram.apl[2 + len(plan.apl) : end]
    assert filling.strip(b"\x2f") == b""
    return telegram.apl[2 : 2 + len(plan.apl)] + telegram.apl[end:]


@given(plans(), st.data())
def test_no_flipped_bit_of_a_message_with_a_mac_is_believed(plan: TelegramPlan, data: st.DataObject) -> None:
    """Profiles B and D: header and payload; the link address counts through the keys."""
    if plan.profile not in ("B", "D"):
        return
    octets = bytearray(encode(plan))
    tail = len(parse(bytes(octets)).message)
    place = data.draw(st.integers(len(octets) - tail, len(octets) - 1))
    octets[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        telegram = decode(bytes(octets), plan.key)
    except LayerError:
        return
    assert telegram.mac_valid is not True


@given(st.sampled_from(list(EXAMPLES.values())), st.data())
def test_damaged_telegrams_give_fields_or_the_codecs_own_errors(example: Example, data: st.DataObject) -> None:
    octets = bytearray(example.octets)
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(1, len(octets) - 1))] = data.draw(octet)
    for key in (None, example.plan.key):
        for predecrypted in (False, True):
            check(bytes(octets), key, predecrypted=predecrypted)


@given(st.binary(max_size=245), st.sampled_from([0x44, 0x08, 0x53]))
def test_octets_of_any_kind_give_fields_or_the_codecs_own_errors(body: bytes, c: int) -> None:
    check(body, bytes(16))
    check(encode_link(LinkFrame(c, GAS, body)), bytes(16))


@given(
    st.sampled_from([b"\x8c", b"\x8d", b"\x8e", b"\x8f", b"\x90", b"\x72", b"\x7a", b"\x81"]), st.binary(max_size=80)
)
def test_layers_of_any_content_give_fields_or_the_codecs_own_errors(ci: bytes, rest: bytes) -> None:
    octets = encode_link(LinkFrame(0x44, GAS, ci + rest))
    check(octets, bytes(16))
    check(octets, bytes(16), predecrypted=True)


def check(octets: bytes, key: bytes | None, *, predecrypted: bool = False) -> None:
    try:
        telegram = decode(octets, key, predecrypted=predecrypted)
    except (FrameError, LayerError) as error:
        assert error.offset is not None
        assert 0 <= error.offset <= len(octets)
        return
    assert len(telegram.apl) <= len(octets)
    assert (telegram.state in ("encrypted", "failed")) == bool(telegram.trouble) == bool(telegram.trouble_kind)


@pytest.mark.parametrize(
    "plan",
    [
        TelegramPlan(0x44, GAS, profile="A"),
        TelegramPlan(0x44, GAS, profile="A", key=bytes(15)),
        TelegramPlan(0x44, GAS, profile="A", key=bytes(16), header="none"),
        TelegramPlan(0x44, GAS, profile="B", key=bytes(16)),
        TelegramPlan(0x44, GAS, profile="B", key=bytes(16), counter=1 << 32),
        TelegramPlan(0x44, GAS, profile="B", key=bytes(16), counter=1, mac_octets=5),
        TelegramPlan(0x44, GAS, profile="B", key=bytes(16), counter=1, key_id=16),
        TelegramPlan(0x44, GAS, profile="B", key=bytes(16), counter=1, kdf=2),
        TelegramPlan(0x44, GAS, profile="D", key=bytes(16), counter=1, mac_octets=2),
        TelegramPlan(0x44, GAS, profile="D", key=bytes(16), counter=1, clear=b"\0"),
        TelegramPlan(0x44, GAS, profile="ell-ctr", key=bytes(16)),
        TelegramPlan(0x44, GAS, profile="ell-ctr", ell=Ell(0, 0, None, Session(1))),
        TelegramPlan(0x44, GAS, key=bytes(16), ell=Ell(0, 0, None, Session(1))),
        TelegramPlan(0x44, GAS, profile="ell-ctr", key=bytes(16), ell=Ell(0, 0, None, Session(1, 0, 2))),
        TelegramPlan(0x44, GAS, bytes(247)),
        TelegramPlan(0x44, GAS, bytes(241), profile="A", key=bytes(16)),
        TelegramPlan(0x44, GAS, ci=0x72),
        TelegramPlan(0x44, GAS, access_number=256),
        TelegramPlan(0x44, GAS, profile="A", key=bytes(16), access_number=256),
    ],
)
def test_plans_that_cannot_be_sent_are_refused(plan: TelegramPlan) -> None:
    with pytest.raises(MbusError):
        encode(plan)


def test_only_profile_b_can_be_split() -> None:
    with pytest.raises(LayerError):
        message_of(TelegramPlan(0x44, GAS))
