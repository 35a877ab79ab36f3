"""A telegram of a wireless meter opened layer by layer: link, [ELL], [network], [AFL], transport, application.

Two steps, so that a receiver may look at address and message counter before it picks the key: `parse` reads what is in
the clear, `open_` checks the MAC, then decrypts (TR-03116-3 7.3; lmn-wireless 3). `telegram_plan.encode` is the way
back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol

from devices.protocols.frozen import builder
from devices.protocols.mbus import afl as afl_layer
from devices.protocols.mbus import security as crypto
from devices.protocols.mbus import tpl as tpl_layer
from devices.protocols.mbus.afl import GMAC_OCTETS, Afl, decode_afl
from devices.protocols.mbus.control import to_meter
from devices.protocols.mbus.ell import AES_CTR, PCRC_OCTETS, VARIABLE_CI, Ell, decode_ell, is_ell, pcrc_is_right
from devices.protocols.mbus.errors import LayerError, SecurityError, TroubleKind
from devices.protocols.mbus.link import HEADER, NOBODY, Address, FrameFormat, LinkFrame, decode_link
from devices.protocols.mbus.telegram_plan import NETWORK_CI, TelegramPlan, encode
from devices.protocols.mbus.tpl import ALL_BLOCKS, ALL_OCTETS, Tpl, decode_tpl

__all__ = [
    "Parsed",
    "State",
    "Telegram",
    "TelegramPlan",
    "Trouble",
    "decode",
    "decode_body",
    "encode",
    "open_",
    "parse",
]

State = Literal["plain", "decrypted", "encrypted", "failed"]
"""plain: nothing was encrypted. decrypted: opened. encrypted: not opened, for want of a key or of knowledge. failed:
the key, a MAC, a payload CRC or a length is wrong."""

Trouble = Literal["", "format"] | TroubleKind
"""What kind of trouble, for events: see `errors.TroubleKind`; format: headers that contradict each other, or a piece of
a message."""

_NETWORK_OCTETS: Final = 2
"""CI 81 and one octet, which telegrams of repeated meters show (assumed to be all)."""
_NAMES: Final = tuple("none" if mode == 0 else f"mode{mode}" for mode in range(32))
_Keys = tuple[bytes, bytes] | None
"""For encryption and MAC, when they differ from message to message."""
_AES_MODES: Final = frozenset({tpl_layer.AES_CBC_IV, tpl_layer.AES_CBC_NO_IV, tpl_layer.AES_CCM})


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a telegram tells in the clear.

    Attributes:
        link: C field, address of the sender, everything from the first CI on.
        ell: extended link layer.
        network: network layer from its CI on, not understood here; empty: there is none.
        afl: authentication and fragmentation layer.
        tpl: transport layer; None: there is none, it is encrypted by the ELL, or this is a later piece of a message.
        message: from CI of the transport layer to the end; from PCRC on when the ELL has a session and is not opened.
        payload_at: where the application layer begins in `message`.
        opened: whether the encryption of the ELL has been taken off.
    """

    link: LinkFrame
    ell: Ell | None
    network: bytes
    afl: Afl | None
    tpl: Tpl | None
    message: bytes
    payload_at: int
    opened: bool = False

    @property
    def security(self) -> str:
        """``none``, ``mode5``, ``mode7``, ... or ``ell-ctr``; what an encrypted ELL holds shows when it is opened."""
        tpl, ell = self.tpl, self.ell
        if tpl is not None and (mode := tpl.cf >> 8 & 0x1F):
            return _NAMES[mode]
        if ell is None or ell.session is None or not ell.session.encryption:
            return "none"
        return "ell-ctr" if ell.session.encryption == AES_CTR else f"ell-{ell.session.encryption}"

    @property
    def counter(self) -> int | None:
        """Message counter, 32 bits: of the transport layer, else of the AFL (lmn-wireless 3); None: there is none."""
        if self.tpl is not None and self.tpl.counter is not None:
            return self.tpl.counter
        return None if self.afl is None else self.afl.mcr

    @property
    def to_meter(self) -> bool:
        """Whether it goes to a meter, not from one."""
        return to_meter(self.link.c, None if self.tpl is None else self.tpl.ci)

    @property
    def identity(self) -> Address:
        """Whose address keys and vectors are made with: of the long header, else of the link layer."""
        return self.link.address if self.tpl is None or self.tpl.address is None else self.tpl.address

    @property
    def meter(self) -> Address:
        """Which meter it is about: of the long header; else, on the way to a meter, the ELL's receiver; else of the
        link layer. With a radio adapter in between the long header names the meter, the link layer the adapter."""
        if self.tpl is not None and self.tpl.address is not None:
            return self.tpl.address
        if self.ell is not None and self.ell.receiver is not None and self.to_meter:
            return self.ell.receiver
        return self.link.address


@dataclass(frozen=True, slots=True)
class Telegram:
    """A telegram as far as it could be opened.

    Attributes:
        parsed: what was in the clear, and the inner layers when the ELL was opened.
        security: ``none``, ``mode5``, ``mode7``, ``mode10``, ``mode13``, ..., ``ell-ctr``.
        state: see State.
        apl: plain octets of the application layer, 2F2F and filling included; empty when it cannot be read.
        mac_valid: whether the MAC (or the tag of AES-CCM) is right; None: there is none, or it was not checked.
        clear_from: from where in `apl` the octets were never encrypted; None: there are none such.
        trouble: what is wrong, in words; empty when nothing is.
        trouble_kind: the kind of that.
    """

    parsed: Parsed
    security: str
    state: State
    apl: bytes = b""
    mac_valid: bool | None = None
    clear_from: int | None = None
    trouble: str = ""
    trouble_kind: Trouble = ""

    @property
    def link(self) -> LinkFrame:
        """Link layer."""
        return self.parsed.link

    @property
    def ell(self) -> Ell | None:
        """Extended link layer."""
        return self.parsed.ell

    @property
    def afl(self) -> Afl | None:
        """Authentication and fragmentation layer."""
        return self.parsed.afl

    @property
    def tpl(self) -> Tpl | None:
        """Transport layer."""
        return self.parsed.tpl

    @property
    def counter(self) -> int | None:
        """Message counter, 32 bits."""
        return self.parsed.counter

    @property
    def meter(self) -> Address:
        """Which meter it is about, see Parsed."""
        return self.parsed.meter

    @property
    def to_meter(self) -> bool:
        """Whether it goes to a meter, not from one."""
        return self.parsed.to_meter

    @property
    def ci(self) -> int | None:
        """CI field of the transport layer; None: it cannot be seen, or there is none."""
        return None if self.parsed.tpl is None else self.parsed.tpl.ci

    @property
    def access_number(self) -> int | None:
        """ACC of the transport layer, else of the ELL; None: neither has one."""
        tpl, ell = self.parsed.tpl, self.parsed.ell
        if tpl is not None and tpl.access_number is not None:
            return tpl.access_number
        return None if ell is None else ell.access_number

    @property
    def status(self) -> int | None:
        """Status byte; None: there is no header, or it cannot be seen."""
        return None if self.parsed.tpl is None else self.parsed.tpl.status

    @property
    def mac_octets(self) -> int:
        """Octets of the MAC or tag, 0: there is none. Shorter ones than the 8 of TR-03116-3 are checked, too."""
        tpl, afl = self.parsed.tpl, self.parsed.afl
        return len(afl.mac) if afl is not None and afl.mac else 0 if tpl is None else tpl.tag_octets

    @property
    def payload(self) -> bytes:
        """What follows the transport layer, as it was sent."""
        return self.parsed.message[self.parsed.payload_at :]


_build_parsed = builder(Parsed)
_build = builder(Telegram)


class Framed(Protocol):
    """A frame of another link layer, such as the wired bus."""

    @property
    def c(self) -> int:
        """C field."""

    @property
    def body(self) -> bytes:
        """From CI on."""


def decode(
    octets: bytes, key: bytes | None = None, form: FrameFormat = FrameFormat.STRIPPED, *, predecrypted: bool = False
) -> Telegram:
    """Open one telegram; see `open_`. Raises FrameError or LayerError for octets that are no telegram."""
    return open_(parse(octets, form), key, predecrypted=predecrypted)


def decode_body(frame: Framed, key: bytes | None = None, *, predecrypted: bool = False) -> Telegram:
    """Open what another link layer carried, which has no address of eight octets: a short header names nobody."""
    return open_(_layers(LinkFrame(frame.c, NOBODY, frame.body)), key, predecrypted=predecrypted)


def parse(octets: bytes, form: FrameFormat = FrameFormat.STRIPPED) -> Parsed:
    """What one telegram tells in the clear; raises FrameError or LayerError, with the offset in the stripped octets
    for the layers above the link."""
    return _layers(decode_link(octets, form))


def whole(parsed: Parsed, afl: Afl, message: bytes) -> Parsed:
    """The message that a Reassembly has put together, in the frame of its last piece; raises LayerError."""
    tpl, payload_at = decode_tpl(message)
    return replace(parsed, afl=afl, tpl=tpl, message=message, payload_at=payload_at)


def _layers(link: LinkFrame) -> Parsed:
    body = link.body
    at = 0
    ell: Ell | None = None
    if body and body[0] == VARIABLE_CI:
        raise LayerError("extended link layer of kind V: its layout is not known here", HEADER)
    try:
        if body and is_ell(body[0]):
            ell, at = decode_ell(body)
            if ell.session is not None:
                return _build_parsed(link, ell, b"", None, None, body[at:], 0, False)
        return _upper(link, ell, body, at)
    except LayerError as error:
        error.offset = HEADER + (error.offset or 0)
        raise


def _upper(link: LinkFrame, ell: Ell | None, body: bytes, at: int) -> Parsed:
    """The layers from `at` on; the offset of a LayerError counts from the begin of `body`."""
    network, afl = b"", None
    opened = ell is not None and ell.session is not None
    try:
        if body[at : at + 1] == NETWORK_CI:
            network = body[at : at + _NETWORK_OCTETS]
            at += len(network)
        if at < len(body) and body[at] == afl_layer.CI:
            afl, end = decode_afl(body[at:])
            at += end
            if afl.fragment > 1:
                return _build_parsed(link, ell, network, afl, None, body[at:], 0, opened)
        message = body[at:]
        if not message:
            return _build_parsed(link, ell, network, afl, None, message, 0, opened)
        tpl, payload_at = decode_tpl(message)
    except LayerError as error:
        error.offset = at + (error.offset or 0)
        raise
    return _build_parsed(link, ell, network, afl, tpl, message, payload_at, opened)


def open_(parsed: Parsed, key: bytes | None, *, predecrypted: bool = False) -> Telegram:
    """Check the MAC, then decrypt. Whatever goes wrong is told in the result.

    Args:
        parsed: the telegram.
        key: the meter's own key, None: there is none.
        predecrypted: the payload is in the clear though the headers announce encryption; a replay aid, never for
            production (lmn-wireless 7, trap 2). MACs are not checked then.

    Raises LayerError when what the ELL had encrypted is no telegram, SecurityError for a key of another length.
    """
    if key is not None:
        crypto.check_key(key)
    try:
        if parsed.ell is not None and parsed.ell.session is not None and not parsed.opened:
            parsed = _open_ell(parsed, None if predecrypted else key, predecrypted=predecrypted)
    except SecurityError as error:
        return _unread(parsed, error.kind, error.reason)
    if parsed.afl is not None and parsed.afl.is_fragment:
        return _build(parsed, parsed.security, "encrypted", b"", None, None, "a piece of a message", "format")
    if predecrypted:
        return _as_is(parsed)
    return _open_tpl(parsed, key)


def _unread(parsed: Parsed, kind: TroubleKind, trouble: str, mac_valid: bool | None = None) -> Telegram:
    state: State = "encrypted" if kind in ("no_key", "mode") else "failed"
    return _build(parsed, parsed.security, state, b"", False if kind == "mac" else mac_valid, None, trouble, kind)


def _as_is(parsed: Parsed) -> Telegram:
    """The payload as it came, for telegrams that somebody else has decrypted."""
    mode = 0 if parsed.tpl is None else parsed.tpl.mode
    if mode and mode not in _AES_MODES:
        return _unread(parsed, "mode", f"security mode {mode} is not known here")
    apl = parsed.message[parsed.payload_at :]
    return _build(parsed, parsed.security, "plain", apl, None, 0 if apl else None, "", "")


def _open_ell(parsed: Parsed, key: bytes | None, *, predecrypted: bool) -> Parsed:
    """Take the encryption of the ELL off and check the payload CRC; raises SecurityError."""
    ell, octets = parsed.ell, parsed.message
    assert ell is not None
    assert ell.session is not None
    if ell.encrypted and not predecrypted:
        if ell.session.encryption != AES_CTR:
            raise SecurityError(f"encryption {ell.session.encryption} of the ELL is not known here", "mode")
        if key is None:
            raise SecurityError("the ELL is encrypted, and there is no key", "no_key")
        octets = crypto.ell_crypt(key, parsed.link.address, ell, octets)
    if not pcrc_is_right(octets):
        reason = "wrong key, or damaged" if ell.encrypted and not predecrypted else "damaged"
        raise SecurityError(f"payload CRC of the ELL is wrong: {reason}", "crc")
    try:
        return _upper(parsed.link, ell, octets, PCRC_OCTETS)
    except LayerError as error:
        error.offset = HEADER + len(parsed.link.body) - len(octets) + (error.offset or 0)
        raise


def _open_tpl(parsed: Parsed, key: bytes | None) -> Telegram:
    tpl = parsed.tpl
    if tpl is None:
        return _in_clear(parsed, None, b"", None, None)
    mac_valid: bool | None = None
    keys: _Keys = None
    try:
        if key is not None:
            if tpl.mode == tpl_layer.AES_CBC_NO_IV:
                keys = crypto.message_keys(key, tpl.kdf, parsed.counter, parsed.identity, to_meter=parsed.to_meter)
            if parsed.afl is not None and parsed.afl.mac:
                mac_valid = _check_mac(parsed, parsed.afl, tpl, key, keys)
        opener = _OPENERS.get(tpl.mode, _unknown)
        if key is None and tpl.mode in _AES_MODES:
            trouble = f"the payload is encrypted (mode {tpl.mode}), and there is no key"
            return _unread(parsed, "no_key", trouble)
        return opener(parsed, tpl, key or b"", keys, mac_valid)
    except SecurityError as error:
        return _unread(parsed, error.kind, error.reason, mac_valid)
    except LayerError as error:
        return _build(parsed, parsed.security, "failed", b"", mac_valid, None, error.reason, "format")


def _check_mac(parsed: Parsed, afl: Afl, tpl: Tpl, key: bytes, keys: _Keys) -> bool:
    """True; raises SecurityError when the MAC is wrong or of a kind that is not known here."""
    if afl.authentication in GMAC_OCTETS or afl.mcl is None:
        raise SecurityError(f"authentication type {afl.authentication} of the AFL is not known here", "mode")
    if afl.kdf is not None or keys is None:
        kdf = afl.kdf
        if kdf is None:
            kdf = tpl.kdf if tpl.mode == tpl_layer.AES_CCM else crypto.KDF_A
        keys = crypto.message_keys(key, kdf, parsed.counter, parsed.identity, to_meter=parsed.to_meter)
    if not crypto.mac_is_right(keys[1], afl.mac_input() + parsed.message, afl.mac):
        raise SecurityError("the MAC is wrong: wrong key, or not authentic", "mac")
    return True


def _in_clear(parsed: Parsed, _: Tpl | None, __: bytes, ___: _Keys, mac_valid: bool | None) -> Telegram:
    """Mode 0: nothing is encrypted but by the ELL."""
    apl = parsed.message[parsed.payload_at :]
    by_ell = parsed.ell is not None and parsed.ell.encrypted
    state: State = "decrypted" if by_ell else "plain"
    return _build(parsed, parsed.security, state, apl, mac_valid, None if by_ell or not apl else 0, "", "")


def _unknown(parsed: Parsed, tpl: Tpl, _: bytes, __: _Keys, mac_valid: bool | None) -> Telegram:
    """Modes that are not opened here; TLS (13) is one for which a session would be needed."""
    what = "TLS" if tpl.mode == tpl_layer.TLS else "not known here"
    return _unread(parsed, "mode", f"security mode {tpl.mode}: {what}", mac_valid)


def _open_cbc(parsed: Parsed, tpl: Tpl, key: bytes, keys: _Keys, mac_valid: bool | None) -> Telegram:
    """Modes 5 and 7: N blocks, then octets in the clear."""
    at, message, blocks = parsed.payload_at, parsed.message, tpl.blocks
    size = len(message) - at
    length = blocks * tpl_layer.BLOCK
    if length > size:
        if blocks != ALL_BLOCKS:
            raise LayerError(f"{blocks} encrypted blocks are announced, {size} octets follow")
        length = size - size % tpl_layer.BLOCK
    encrypted, clear = message[at : at + length], message[at + length :]
    if not encrypted:
        return _build(parsed, parsed.security, "plain", clear, mac_valid, 0 if clear else None, "", "")
    if tpl.mode == tpl_layer.AES_CBC_IV or keys is None:
        vector = crypto.initial_vector(parsed.identity, tpl.access_number or 0)
        plain = crypto.cbc_decrypt(key, vector, encrypted)
    else:
        plain = crypto.cbc_decrypt_once(keys[0], encrypted)
    if plain[:2] != crypto.CHECK:
        reason = "wrong key, or damaged" if mac_valid is None else "the MAC is right, the sender made a mistake"
        trouble = f"no 2F2F after decryption: {reason}"
        return _build(parsed, parsed.security, "failed", b"", mac_valid, None, trouble, "padding")
    return _build(parsed, parsed.security, "decrypted", plain + clear, mac_valid, length if clear else None, "", "")


def _open_ccm(parsed: Parsed, tpl: Tpl, key: bytes, _: _Keys, __: bool | None) -> Telegram:
    """Mode 10: everything up to the tag."""
    octets, counter = parsed.message[parsed.payload_at :], parsed.counter
    size = len(octets) - tpl.tag_octets
    if size < 0:
        raise LayerError(f"{len(octets)} octets cannot hold a tag of {tpl.tag_octets}")
    if tpl.encrypted_octets not in (ALL_OCTETS, size):
        raise SecurityError(f"{tpl.encrypted_octets} of {size} octets encrypted in mode 10 is not known here", "mode")
    if counter is None:
        raise LayerError("mode 10 needs a message counter")
    k_enc, _unused = crypto.message_keys(key, tpl.kdf, counter, parsed.identity, to_meter=parsed.to_meter)
    nonce = crypto.ccm_nonce(parsed.identity, counter)
    plain = crypto.ccm_open(k_enc, nonce, octets, tpl.associated(), tpl.tag_octets)
    return _build(parsed, parsed.security, "decrypted", plain, True, None, "", "")


_OPENERS: Final[dict[int, Callable[[Parsed, Tpl, bytes, _Keys, bool | None], Telegram]]] = {
    tpl_layer.NO_SECURITY: _in_clear,
    tpl_layer.AES_CBC_IV: _open_cbc,
    tpl_layer.AES_CBC_NO_IV: _open_cbc,
    tpl_layer.AES_CCM: _open_ccm,
}
"""Security mode -> how it is opened."""
