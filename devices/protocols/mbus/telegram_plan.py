"""What a telegram shall be, and its octets: the sending side of wireless meters and of gateways that answer them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from devices.protocols.mbus import security as crypto
from devices.protocols.mbus import tpl as tpl_layer
from devices.protocols.mbus.afl import CMAC_OCTETS, KI_IN_MESSAGE, MCR_IN_MESSAGE, ML_IN_MESSAGE, Afl
from devices.protocols.mbus.control import Header, to_meter
from devices.protocols.mbus.ell import AES_CTR, Ell, with_pcrc
from devices.protocols.mbus.errors import LayerError, SecurityError
from devices.protocols.mbus.link import Address, LinkFrame, encode_link
from devices.protocols.mbus.tpl import ALL_OCTETS, CCM_TAGS, COUNTER_HERE, VERSION_HERE, Tpl

NETWORK_CI: Final = b"\x81"

Profile = Literal["A", "B", "D", "ell-ctr"]
"""OMS security profiles (mode 5, mode 7 with AFL, mode 10), and encryption by the extended link layer alone."""

DATA_CI: Final[dict[Header, int]] = {"none": 0x78, "short": 0x7A, "long": 0x72}
"""CI field of a meter's data with each header."""

_MAC_TYPES: Final = {octets: kind for kind, octets in CMAC_OCTETS.items()}


@dataclass(frozen=True, slots=True)
class TelegramPlan:
    """A telegram to be made.

    Attributes:
        c: C field.
        address: of the sender in the link layer: meter, radio adapter or gateway.
        apl: plain application layer without 2F2F in front and filling behind; those are added where they belong.
        header: of the transport layer.
        meter: address in a long header; None: as in the link layer.
        ci: CI field of the transport layer, None: data of a meter.
        access_number, status: of the transport layer.
        flags: bits of CF beside mode and length: `tpl.BIDIRECTIONAL` and the like, content and hop bits.
        profile: how it is protected, None: not at all.
        key: the meter's own key, for all profiles.
        counter: message counter, for profiles B and D.
        counter_in_tpl: profile B: send the counter in the transport layer instead of the AFL.
        kdf: profiles B and D: derived keys (1), or the meter's own (0).
        key_id, key_version: told in profiles B and D; no version: it is not sent.
        ki: profile B: send key id and version in the AFL too.
        message_length: profile B: send the length of the message in the AFL.
        mac_octets: of MAC (2, 4, 8, 12, 16) or tag (4, 8, 12, 16).
        clear: octets behind the encrypted ones, never encrypted: profiles A and B.
        ell: extended link layer; with a session for ``ell-ctr``.
        network: network layer from its CI on.
    """

    c: int
    address: Address
    apl: bytes = b""
    header: Header = "short"
    meter: Address | None = None
    ci: int | None = None
    access_number: int = 0
    status: int = 0
    flags: int = 0
    profile: Profile | None = None
    key: bytes | None = None
    counter: int | None = None
    counter_in_tpl: bool = False
    kdf: int = crypto.KDF_A
    key_id: int = 0
    key_version: int | None = None
    ki: bool = False
    message_length: bool = False
    mac_octets: int = 8
    clear: bytes = b""
    ell: Ell | None = None
    network: bytes = b""


def encode(plan: TelegramPlan) -> bytes:
    """The stripped telegram. Raises FrameError when it gets too long, LayerError or SecurityError for a plan that
    contradicts itself or lacks what its profile needs."""
    if (plan.profile == "ell-ctr") != (plan.ell is not None and plan.ell.encrypted):
        raise LayerError("profile ell-ctr and an ELL with an encrypting session go together")
    message, afl = _PROTECT[plan.profile](plan, _bare(plan))
    inner = plan.network + (b"" if afl is None else afl.to_bytes()) + message
    return encode_link(LinkFrame(plan.c, plan.address, _with_ell(plan, inner)))


def message_of(plan: TelegramPlan) -> tuple[Afl, bytes]:
    """AFL and message of a plan of profile B, to be split with `afl.split`; raises as `encode`."""
    message, afl = _PROTECT[plan.profile](replace(plan, message_length=True), _bare(plan))
    if afl is None:
        raise LayerError("only profile B has an authentication layer")
    return afl, message


def frame_of(plan: TelegramPlan, afl: Afl, piece: bytes) -> bytes:
    """A stripped frame with one piece of a message; raises as `encode`."""
    return encode_link(LinkFrame(plan.c, plan.address, _with_ell(plan, plan.network + afl.to_bytes() + piece)))


def _with_ell(plan: TelegramPlan, inner: bytes) -> bytes:
    ell = plan.ell
    if ell is None:
        return inner
    if ell.session is None:
        return ell.to_bytes() + inner
    following = with_pcrc(inner)
    if ell.encrypted:
        if ell.session.encryption != AES_CTR:
            raise SecurityError(f"encryption {ell.session.encryption} of the ELL is not known here", "mode")
        following = crypto.ell_crypt(_key(plan), plan.address, ell, following)
    return ell.to_bytes() + following


def _key(plan: TelegramPlan) -> bytes:
    if plan.key is None:
        raise SecurityError(f"profile {plan.profile} needs a key", "no_key")
    return crypto.check_key(plan.key)


def _counter(plan: TelegramPlan) -> int:
    if plan.counter is None or not 0 <= plan.counter < 1 << 32:
        raise LayerError(f"profile {plan.profile} needs a message counter of 32 bits, not {plan.counter}")
    return plan.counter


def _bare(plan: TelegramPlan) -> Tpl:
    """The transport layer without what protection adds."""
    ci = DATA_CI[plan.header] if plan.ci is None else plan.ci
    if plan.header == "none":
        return Tpl(ci)
    address = (plan.meter or plan.address) if plan.header == "long" else None
    return Tpl(ci, plan.header, address, plan.access_number, plan.status, plan.flags)


def _identity(plan: TelegramPlan) -> Address:
    return plan.meter if plan.header == "long" and plan.meter is not None else plan.address


def _keys(plan: TelegramPlan, tpl: Tpl) -> tuple[bytes, bytes]:
    down = to_meter(plan.c, tpl.ci)
    return crypto.message_keys(_key(plan), plan.kdf, _counter(plan), _identity(plan), to_meter=down)


def _in_clear(plan: TelegramPlan, tpl: Tpl) -> tuple[bytes, Afl | None]:
    return tpl.to_bytes() + plan.apl + plan.clear, None


def _with_mode(plan: TelegramPlan, tpl: Tpl, mode: int, low: int) -> Tpl:
    if tpl.header == "none":
        raise LayerError(f"profile {plan.profile} needs a header")
    return replace(tpl, cf=tpl.cf | mode << 8 | low)


def _blocks(plan: TelegramPlan, tpl: Tpl, mode: int) -> tuple[Tpl, bytes]:
    """Profiles A and B: header with the number of blocks, and what is to be encrypted."""
    plain = crypto.filled(plan.apl)
    blocks = len(plain) // crypto.BLOCK
    if blocks > tpl_layer.ALL_BLOCKS:
        raise LayerError(f"{blocks} encrypted blocks cannot be announced")
    return _with_mode(plan, tpl, mode, blocks << 4), plain


def _profile_a(plan: TelegramPlan, tpl: Tpl) -> tuple[bytes, Afl | None]:
    tpl, plain = _blocks(plan, tpl, tpl_layer.AES_CBC_IV)
    head = tpl.to_bytes()
    vector = crypto.initial_vector(_identity(plan), plan.access_number)
    return head + crypto.cbc_encrypt(_key(plan), vector, plain) + plan.clear, None


def _extension(plan: TelegramPlan) -> int:
    if not (0 <= plan.key_id < 16 and 0 <= plan.kdf < 4):
        raise LayerError(f"key id {plan.key_id} or key derivation {plan.kdf} has no room")
    return plan.key_id | plan.kdf << 4 | (0 if plan.key_version is None else VERSION_HERE)


def _profile_b(plan: TelegramPlan, tpl: Tpl) -> tuple[bytes, Afl | None]:
    tpl, plain = _blocks(plan, tpl, tpl_layer.AES_CBC_NO_IV)
    counter = _counter(plan)
    tpl = replace(
        tpl,
        cf=tpl.cf | (COUNTER_HERE if plan.counter_in_tpl else 0),
        cfe=bytes((_extension(plan),)),
        counter=counter if plan.counter_in_tpl else None,
        key_version=plan.key_version,
    )
    kind = _MAC_TYPES.get(plan.mac_octets)
    if kind is None:
        raise LayerError(f"no MAC has {plan.mac_octets} octets")
    ki = (plan.key_version or 0) << 8 | plan.kdf << 4 | plan.key_id if plan.ki else None
    mcl = kind | (0 if plan.counter_in_tpl else MCR_IN_MESSAGE) | (KI_IN_MESSAGE if plan.ki else 0)
    mcl |= ML_IN_MESSAGE if plan.message_length else 0
    k_enc, k_mac = _keys(plan, tpl)
    message = tpl.to_bytes() + crypto.cbc_encrypt(k_enc, bytes(crypto.BLOCK), plain) + plan.clear
    length = len(message) if plan.message_length else None
    bare = Afl(mcl, ki, None if plan.counter_in_tpl else counter, ml=length)
    return message, replace(bare, mac=crypto.cmac(k_mac, bare.mac_input() + message)[: plan.mac_octets])


def _profile_d(plan: TelegramPlan, tpl: Tpl) -> tuple[bytes, Afl | None]:
    if plan.clear:
        raise LayerError("profile D encrypts everything here")
    if plan.mac_octets not in CCM_TAGS:
        raise LayerError(f"no tag has {plan.mac_octets} octets")
    counter = _counter(plan)
    tpl = replace(
        _with_mode(plan, tpl, tpl_layer.AES_CCM, ALL_OCTETS | COUNTER_HERE),
        cfe=bytes((_extension(plan), CCM_TAGS.index(plan.mac_octets))),
        counter=counter,
        key_version=plan.key_version,
    )
    k_enc, _ = _keys(plan, tpl)
    nonce = crypto.ccm_nonce(_identity(plan), counter)
    return tpl.to_bytes() + crypto.ccm_seal(k_enc, nonce, plan.apl, tpl.associated(), plan.mac_octets), None


_PROTECT: Final = {None: _in_clear, "ell-ctr": _in_clear, "A": _profile_a, "B": _profile_b, "D": _profile_d}
"""Profile -> message from CI of the transport layer on, and AFL."""
