"""Messages of SYM, the symmetric pairing on selector 6, and what their payloads say (lmn-wired 3.2).

Message: ``type 1 | length 4 | counter 4 | payload, encrypted | MAC 16``; the length counts all of it. The payload is
AES-128-CBC with an initial vector of zeros, filled up as PKCS #7 says, and left out when empty; the MAC is AES-CMAC
over everything before it. Both keys come from the meter's key, the counter of the message and the meter's server id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from cryptography.hazmat.primitives import cmac, constant_time, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from devices.protocols.lmn_certificate import MAX_OCTETS as MAX_CERTIFICATE
from devices.protocols.lmn_certificate import CertificateError, Identity, belong_together, read_certificate

KEY_OCTETS: Final = 16
MAC_OCTETS: Final = 16
SERVER_ID_OCTETS: Final = 10
HEAD_OCTETS: Final = 9
MIN_OCTETS: Final = HEAD_OCTETS + MAC_OCTETS
"""A message without payload: 0x19."""
MAX_OCTETS: Final = 2_048
"""Of a message; the one known meter says this in step 5 (assumed for others)."""

COUNTER_ASKED: Final = 0xFFFF_FFFF
"""Counter of the first request, which asks for the meter's."""
ANSWER: Final = 0x80
"""Set in the type of an answer."""

PREAMBLE: Final = bytes.fromhex("ffff0001")
"""In front of suites and curves; its meaning is unknown (lmn-wired 3.2)."""
SUITES: Final = (0xC023, 0xC024, 0xC02B, 0xC02C)
CURVES: Final = (0x0017, 0x0018, 0x001A, 0x001B, 0x001C)

_SEQUENCE = 0x30
_BLOCK = 16


class Step(IntEnum):
    """Low bits of a message's type."""

    COUNTER = 1
    SUITES = 2
    METER_CERTIFICATE = 3
    GATEWAY_CERTIFICATE = 4
    MAX_SIZE = 5


STEP_WORDS: Final[Mapping[Step, str]] = {
    Step.COUNTER: "counter",
    Step.SUITES: "parameters",
    Step.METER_CERTIFICATE: "meter certificate",
    Step.GATEWAY_CERTIFICATE: "gateway certificate",
    Step.MAX_SIZE: "largest message",
}
"""Step -> what it is about, in words."""


class Purpose(IntEnum):
    """First octet of what a key is derived from."""

    METER_ENCRYPTION = 0x00
    METER_MAC = 0x01
    GATEWAY_ENCRYPTION = 0x10
    GATEWAY_MAC = 0x11


REASONS: Final = {
    "length": "the octets are no message, or the length in it is wrong",
    "type": "no step has this type",
    "mac": "the authentication code is wrong: another key, another meter or a damaged message",
    "counter": "the counter is not the next one",
    "padding": "the payload is not a whole number of filled blocks",
    "order": "the message does not belong to the step under way",
    "content": "the payload does not say what belongs into this step",
    "certificate": "the certificate is unreadable, too large or not for its key",
    "key": "a key has not 16 octets, or a server id not 10",
}
"""Meaning of `SymError.reason`."""


class SymError(ValueError):
    """A message that has no place in a pairing, or values that fit into none.

    Attributes:
        reason: a word of `REASONS`.
        offset: of the octet that is wrong.
    """

    def __init__(self, reason: str, text: str = "", offset: int = 0) -> None:
        self.reason = reason
        self.offset = offset
        super().__init__(f"{text or REASONS[reason]} (at octet {offset})")


def aes_cmac(key: bytes, data: bytes) -> bytes:
    """AES-CMAC (RFC 4493) with a key of 16 octets."""
    if len(key) != KEY_OCTETS:
        raise SymError("key", f"a key has {KEY_OCTETS} octets, not {len(key)}")
    mac = cmac.CMAC(algorithms.AES(key))
    mac.update(data)
    return mac.finalize()


def derive_key(key: bytes, purpose: Purpose, counter: int, server_id: bytes) -> bytes:
    """Key of one message: CMAC over purpose, counter, server id and 01; raises SymError (``key``, ``counter``)."""
    if len(server_id) != SERVER_ID_OCTETS:
        raise SymError("key", f"a server id has {SERVER_ID_OCTETS} octets, not {len(server_id)}")
    if not 0 <= counter <= COUNTER_ASKED:
        raise SymError("counter", f"counter {counter} has no room in four octets")
    return aes_cmac(key, bytes((purpose,)) + counter.to_bytes(4, "big") + server_id + b"\x01")


def operational_key(initial_key: bytes, random_octets: bytes) -> bytes:
    """The key that replaces `initial_key` once the gateway has written 16 random octets; raises SymError (``key``)."""
    if len(random_octets) != KEY_OCTETS:
        raise SymError("key", f"{KEY_OCTETS} random octets make an operational key, not {len(random_octets)}")
    return aes_cmac(initial_key, random_octets)


@dataclass(frozen=True, slots=True)
class SymMessage:
    """One message.

    Attributes:
        kind: 0x01 to 0x05 for requests, 0x81 to 0x85 for answers.
        counter: transmission counter, 32 bits.
        payload: in the clear and without filling; empty for none.
    """

    kind: int
    counter: int
    payload: bytes = b""

    @property
    def step(self) -> Step:
        """The step that it belongs to."""
        return Step(self.kind & ~ANSWER)

    @property
    def is_answer(self) -> bool:
        """Whether it comes from the meter."""
        return bool(self.kind & ANSWER)

    def encode(self, key: bytes, server_id: bytes) -> bytes:
        """The message on the wire; raises SymError when a value does not fit."""
        encryption, authentication = _purposes(self.kind)
        payload = _encrypted(derive_key(key, encryption, self.counter, server_id), self.payload)
        length = MIN_OCTETS + len(payload)
        if length > MAX_OCTETS:
            raise SymError("length", f"the message would have {length} octets, {MAX_OCTETS} are allowed")
        octets = bytes((self.kind,)) + length.to_bytes(4, "big") + self.counter.to_bytes(4, "big") + payload
        return octets + aes_cmac(derive_key(key, authentication, self.counter, server_id), octets)

    @classmethod
    def decode(cls, octets: bytes, key: bytes, server_id: bytes) -> SymMessage:
        """Read and check one message; raises SymError for anything that is none."""
        if not MIN_OCTETS <= len(octets) <= MAX_OCTETS:
            raise SymError("length", f"{len(octets)} octets are no message of {MIN_OCTETS} to {MAX_OCTETS}")
        length = int.from_bytes(octets[1:5], "big")
        if length != len(octets):
            raise SymError("length", f"the length says {length}, there are {len(octets)} octets", 1)
        encryption, authentication = _purposes(octets[0])
        counter = int.from_bytes(octets[5:HEAD_OCTETS], "big")
        expected = aes_cmac(derive_key(key, authentication, counter, server_id), octets[:-MAC_OCTETS])
        if not constant_time.bytes_eq(expected, octets[-MAC_OCTETS:]):
            raise SymError("mac", offset=len(octets) - MAC_OCTETS)
        payload = _decrypted(derive_key(key, encryption, counter, server_id), octets[HEAD_OCTETS:-MAC_OCTETS])
        return cls(octets[0], counter, payload)


_KNOWN_KINDS = frozenset({*map(int, Step), *(ANSWER | step for step in Step)})


def _purposes(kind: int) -> tuple[Purpose, Purpose]:
    """What the keys of a message of this type are for: encryption and authentication."""
    if kind not in _KNOWN_KINDS:
        raise SymError("type", f"type {kind & 0xFF:02X} is none of 01 to 05 and 81 to 85")
    if kind & ANSWER:
        return Purpose.METER_ENCRYPTION, Purpose.METER_MAC
    return Purpose.GATEWAY_ENCRYPTION, Purpose.GATEWAY_MAC


def _cipher(key: bytes) -> Cipher[modes.CBC]:
    return Cipher(algorithms.AES(key), modes.CBC(bytes(_BLOCK)))


def _encrypted(key: bytes, payload: bytes) -> bytes:
    if not payload:
        return b""
    filler = padding.PKCS7(8 * _BLOCK).padder()
    encryptor = _cipher(key).encryptor()
    return encryptor.update(filler.update(payload) + filler.finalize()) + encryptor.finalize()


def _decrypted(key: bytes, payload: bytes) -> bytes:
    if not payload:
        return b""
    if len(payload) % _BLOCK:
        raise SymError("padding", f"{len(payload)} octets of payload are no whole blocks", HEAD_OCTETS)
    decryptor = _cipher(key).decryptor()
    filler = padding.PKCS7(8 * _BLOCK).unpadder()
    try:
        return filler.update(decryptor.update(payload) + decryptor.finalize()) + filler.finalize()
    except ValueError as problem:
        raise SymError("padding", offset=HEAD_OCTETS) from problem


# --- what the payloads say


@dataclass(frozen=True, slots=True)
class Abilities:
    """Answer of step 2.

    Attributes:
        suites: cipher suites of TLS.
        curves: named curves of TLS.
        preamble: four octets in front, of unknown meaning.
    """

    suites: tuple[int, ...] = SUITES
    curves: tuple[int, ...] = CURVES
    preamble: bytes = PREAMBLE

    def to_bytes(self) -> bytes:
        """As payload: preamble, then each list with the number of its codes in front."""
        return self.preamble + _codes(self.suites) + _codes(self.curves)

    @classmethod
    def from_bytes(cls, payload: bytes) -> Abilities:
        """Read a payload; raises SymError (``content``)."""
        position = len(PREAMBLE)
        lists = []
        for what in ("suites", "curves"):
            count = payload[position] if position < len(payload) else -1
            end = position + 1 + 2 * count
            if count < 0 or end > len(payload):
                raise SymError("content", f"the list of {what} ends too early", HEAD_OCTETS)
            codes = payload[position + 1 : end]
            lists.append(tuple(int.from_bytes(codes[at : at + 2], "big") for at in range(0, len(codes), 2)))
            position = end
        if position != len(payload):
            raise SymError("content", "something stands behind the list of curves", HEAD_OCTETS)
        return cls(lists[0], lists[1], payload[: len(PREAMBLE)])


def _codes(codes: tuple[int, ...]) -> bytes:
    return bytes((len(codes),)) + b"".join(code.to_bytes(2, "big") for code in codes)


def join_identity(identity: Identity) -> bytes:
    """Payload of step 3: the certificate, and its private key behind it."""
    return identity.certificate + identity.key


def split_identity(payload: bytes) -> Identity:
    """Read the payload of step 3; raises SymError when there are not two DER values, or they do not fit together."""
    end = _der_end(payload)
    if _der_end(payload[end:]) != len(payload) - end:
        raise SymError("content", "behind the certificate stands no private key, or something behind that", HEAD_OCTETS)
    identity = Identity(payload[:end], payload[end:])
    read_peer(identity.certificate)
    try:
        fit = belong_together(identity)
    except CertificateError as problem:
        raise SymError("certificate", f"the private key is unreadable: {problem}", HEAD_OCTETS + end) from problem
    if not fit:
        raise SymError("certificate", "the private key belongs to another certificate", HEAD_OCTETS + end)
    return identity


def read_peer(certificate: bytes) -> bytes:
    """A certificate as steps 3 and 4 carry it, checked; raises SymError (``certificate``)."""
    if len(certificate) > MAX_CERTIFICATE:
        raise SymError("certificate", f"the certificate has more than {MAX_CERTIFICATE} octets", HEAD_OCTETS)
    try:
        return read_certificate(certificate).der
    except CertificateError as problem:
        raise SymError("certificate", f"the certificate is unreadable: {problem}", HEAD_OCTETS) from problem


def _der_end(octets: bytes) -> int:
    """Octets of the DER sequence at the front of `octets`; raises SymError (``content``)."""
    if len(octets) < 2 or octets[0] != _SEQUENCE:
        raise SymError("content", "no DER sequence stands where a certificate or key belongs", HEAD_OCTETS)
    width = octets[1] & 0x7F if octets[1] & 0x80 else 0
    length = int.from_bytes(octets[2 : 2 + width], "big") if octets[1] & 0x80 else octets[1]
    end = 2 + width + length
    if width > 2 or octets[1] == 0x80 or end > len(octets):
        raise SymError("content", "a DER sequence is longer than the payload", HEAD_OCTETS)
    return end
