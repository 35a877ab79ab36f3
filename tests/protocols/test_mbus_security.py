"""Keys, ciphers and MACs of wireless meters, against published values and the bare primitives."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given
from hypothesis import strategies as st

from devices.protocols.mbus import security
from devices.protocols.mbus.ell import Ell, Session
from devices.protocols.mbus.errors import LayerError, SecurityError
from devices.protocols.mbus.link import Address

MASTER = bytes.fromhex("000102030405060708090A0B0C0D0E0F")
GAS = Address("ELS", "12345678", 0x33, 0x03)

keys = st.binary(min_size=16, max_size=16)
counters = st.integers(0, (1 << 32) - 1)
meters = st.builds(Address.from_link, st.binary(min_size=8, max_size=8))


def mac_of(key: bytes, octets: bytes) -> bytes:
    """AES-CMAC by the library."""
    mac = CMAC(algorithms.AES(key))
    mac.update(octets)
    return mac.finalize()


def test_the_keys_of_a_message_are_as_published() -> None:
    """lmn-wireless 3: Kenc and Kmac of CEN/TR 17167 F.3; Lenc and Lmac computed for the fact sheet."""
    up = [key.hex().upper() for key in security.derive_keys(MASTER, 2739, GAS)]
    assert up == ["ECCF39D475D730B8284FDFDC1995D52F", "C9CD19FF5A9AAD5A6BBDA13BD2C4C7AD"]
    down = [key.hex().upper() for key in security.derive_keys(MASTER, 2739, GAS, to_meter=True)]
    assert down == ["A9D4883E284217CAA4B6325F75B48444", "AE001B2FED6E042C3E6C4D8833D4BE1D"]


@given(keys, counters, meters, st.booleans())
def test_derived_keys_are_the_cmac_of_their_input(key: bytes, counter: int, meter: Address, to_meter: bool) -> None:
    tail = counter.to_bytes(4, "little") + bytes.fromhex(meter.id)[::-1] + b"\x07" * 7
    first = b"\x10" if to_meter else b"\x00"
    second = b"\x11" if to_meter else b"\x01"
    expected = mac_of(key, first + tail), mac_of(key, second + tail)
    assert security.derive_keys(key, counter, meter, to_meter=to_meter) == expected


def test_the_mac_of_annex_n_is_as_published() -> None:
    """lmn-wireless 3: all 16 octets, of which 8 are sent."""
    k_mac = bytes.fromhex("C9CD19FF5A9AAD5A6BBDA13BD2C4C7AD")
    covered = bytes.fromhex("25B30A0000 7A7500200710 9058475F4BC91DF878B80A1B0F98B629024AAC727942BFC549233C0140829B93")
    mac = security.cmac(k_mac, covered)
    assert mac.hex().upper() == "21924D4F2FB66E0160CE5F71F1B74310"
    assert all(security.mac_is_right(k_mac, covered, mac[:size]) for size in (2, 4, 8, 12, 16))
    assert not security.mac_is_right(k_mac, covered, b"")
    assert not security.mac_is_right(k_mac, covered, mac + b"\0")
    assert not security.mac_is_right(k_mac, covered + b"\0", mac[:8])


def test_the_initial_vector_of_annex_n_is_as_published() -> None:
    """lmn-wireless 3"""
    assert security.initial_vector(GAS, 0x2A).hex().upper() == "93157856341233032A2A2A2A2A2A2A2A"


@given(keys, keys, st.integers(0, 15), st.data())
def test_cbc_is_that_of_the_library(key: bytes, vector: bytes, blocks: int, data: st.DataObject) -> None:
    plain = data.draw(st.binary(min_size=16 * blocks, max_size=16 * blocks))
    reference = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor().update(plain)
    assert security.cbc_encrypt(key, vector, plain) == reference
    assert security.cbc_decrypt(key, vector, reference) == plain
    if vector == bytes(16):
        assert security.cbc_decrypt_once(key, reference) == plain
    zero = Cipher(algorithms.AES(key), modes.CBC(bytes(16))).encryptor().update(plain)
    assert security.cbc_decrypt_once(key, zero) == plain


@given(st.binary(max_size=100))
def test_what_is_encrypted_is_filled_to_whole_blocks(plain: bytes) -> None:
    filled = security.filled(plain)
    assert len(filled) % 16 == 0
    assert filled.startswith(b"\x2f\x2f" + plain)
    assert set(filled[2 + len(plain) :]) <= {0x2F}
    assert len(filled) - len(plain) - 2 < 16


def test_the_extended_link_layer_opens_with_its_published_start_block() -> None:
    """lmn-wireless 2.6: the block is 2D2C998734761B16 20 D37CAC21 0000 00."""
    key = bytes.fromhex("28F64A24988064A079AA2C807D6102AE")
    encrypted = bytes.fromhex("E1D68CDAFFCD3DC452BD802913FF7B1706CA9E355D6C2701CC24")
    start = bytes.fromhex("2D2C998734761B1620D37CAC21000000")
    reference = Cipher(algorithms.AES(key), modes.CTR(start)).decryptor().update(encrypted)
    sender = Address("KAM", "76348799", 0x1B, 0x16)
    ell = Ell(0x20, 0x91, None, Session(1_755_085, 3))
    assert security.ell_crypt(key, sender, ell, encrypted) == reference
    assert reference.hex().upper().startswith("576C7802FF2071000413")


@given(keys, meters, st.integers(0, 255), st.binary(max_size=240))
def test_repeaters_do_not_change_how_the_link_layer_is_encrypted(
    key: bytes, sender: Address, cc: int, octets: bytes
) -> None:
    """lmn-wireless 2.6: hop and repeat bit are left out of the start block."""
    session = Session(5, 1)
    sent = security.ell_crypt(key, sender, Ell(cc, 0, None, session), octets)
    start = sender.link_octets() + bytes((cc & 0xED,)) + session.to_bytes() + bytes(3)
    assert sent == Cipher(algorithms.AES(key), modes.CTR(start)).encryptor().update(octets)
    assert security.ell_crypt(key, sender, Ell(cc ^ 0x12, 7, None, session), sent) == octets


@pytest.mark.parametrize("tag", [4, 8, 12, 16])
def test_ccm_has_a_nonce_of_13_octets_and_tags_of_the_guideline(tag: int) -> None:
    """lmn-wireless 2.8; TR-03116-3 allows tags of 16, 12 and 8 octets."""
    nonce = security.ccm_nonce(GAS, 939_916)
    assert nonce.hex().upper() == "931578563412330300000E578C"
    sealed = security.ccm_seal(MASTER, nonce, b"records", b"header", tag)
    assert sealed == AESCCM(MASTER, tag_length=tag).encrypt(nonce, b"records", b"header")
    assert len(sealed) == 7 + tag
    assert security.ccm_open(MASTER, nonce, sealed, b"header", tag) == b"records"
    for wrong in (sealed[:-1], sealed + b"\0", bytes((sealed[0] ^ 1,)) + sealed[1:], b""):
        with pytest.raises(SecurityError) as caught:
            security.ccm_open(MASTER, nonce, wrong, b"header", tag)
        assert caught.value.kind == "mac"


def test_keys_of_another_length_and_unknown_derivations_are_refused() -> None:
    for wrong in (b"", MASTER[:-1], MASTER + b"\0"):
        with pytest.raises(SecurityError):
            security.derive_keys(wrong, 1, GAS)
    assert security.message_keys(MASTER, 0, None, GAS) == (MASTER, MASTER)
    with pytest.raises(LayerError):
        security.message_keys(MASTER, 1, None, GAS)
    with pytest.raises(SecurityError) as caught:
        security.message_keys(MASTER, 2, 1, GAS)
    assert caught.value.kind == "mode"


def test_only_a_bounded_number_of_keys_is_kept() -> None:
    for number in range(5000):
        security.derive_keys(number.to_bytes(16, "big"), 1, GAS)
    for kept in (security._encryptor, security._decryptor, security._cmac_subkey):
        assert kept.cache_info().currsize <= 4096
