"""Records and handshake messages of TLS 1.2 as far as they travel in the clear: to look on, and to damage them.

Layout of a record: ``type 1 | version 2 | length 2 | content``; of a handshake message in records of type 22:
``type 1 | length 3 | content`` (RFC 5246, 6.2.1 and 7.4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

RECORD_HEAD: Final = 5
MESSAGE_HEAD: Final = 4
MAX_RECORD: Final = 16_384 + 2_048
MAX_MESSAGE: Final = 16_384


class RecordType(IntEnum):
    """First octet of a record."""

    CHANGE_CIPHER_SPEC = 20
    ALERT = 21
    HANDSHAKE = 22
    APPLICATION_DATA = 23


class MessageType(IntEnum):
    """First octet of a handshake message."""

    CLIENT_HELLO = 1
    SERVER_HELLO = 2
    CERTIFICATE = 11
    SERVER_KEY_EXCHANGE = 12
    CERTIFICATE_REQUEST = 13
    SERVER_HELLO_DONE = 14
    CERTIFICATE_VERIFY = 15
    CLIENT_KEY_EXCHANGE = 16
    FINISHED = 20


ALERTS: Final = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    22: "record_overflow",
    40: "handshake_failure",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    90: "user_canceled",
    100: "no_renegotiation",
}
"""Alert descriptions (RFC 5246, 7.2)."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    Attributes:
        kind: see RecordType; others are possible.
        version: 0x0303 for TLS 1.2, 0x0301 in the first record of a client.
        content: up to 18 432 octets.
    """

    kind: int
    version: int
    content: bytes

    def to_bytes(self) -> bytes:
        """The record on the wire."""
        head = bytes((self.kind,)) + self.version.to_bytes(2, "big") + len(self.content).to_bytes(2, "big")
        return head + self.content


def records(octets: bytes) -> Iterator[Record]:
    """Whole records at the front of `octets`; an unfinished one at the end is left out."""
    position = 0
    while position + RECORD_HEAD <= len(octets):
        length = int.from_bytes(octets[position + 3 : position + 5], "big")
        end = position + RECORD_HEAD + length
        if end > len(octets):
            return
        version = int.from_bytes(octets[position + 1 : position + 3], "big")
        yield Record(octets[position], version, octets[position + RECORD_HEAD : end])
        position = end


def messages(handshake: bytes) -> Iterator[tuple[int, bytes]]:
    """Whole handshake messages at the front of the content of handshake records: type and content."""
    position = 0
    while position + MESSAGE_HEAD <= len(handshake):
        end = position + MESSAGE_HEAD + int.from_bytes(handshake[position + 1 : position + 4], "big")
        if end > len(handshake):
            return
        yield handshake[position], handshake[position + MESSAGE_HEAD : end]
        position = end


def alert(description: int, *, fatal: bool = True) -> bytes:
    """An alert in the clear, as before a session stands."""
    return Record(RecordType.ALERT, 0x0303, bytes((2 if fatal else 1, description))).to_bytes()


def spoil_signature(flight: bytes) -> bytes:
    """`flight` with one bit of the signature in a ServerKeyExchange turned over, as by an end with the wrong key."""
    return _changed(flight, MessageType.SERVER_KEY_EXCHANGE, lambda body: body[:-1] + bytes((body[-1] ^ 0x01,)))


def choose_suite(flight: bytes, suite: int) -> bytes:
    """`flight` with `suite` as the choice in a ServerHello, whatever was offered."""

    def choose(body: bytes) -> bytes:
        # version 2, random 32, length of the session id 1, session id, suite 2
        at = 35 + body[34] if len(body) > 34 else len(body)
        return body[:at] + suite.to_bytes(2, "big") + body[at + 2 :] if at + 2 <= len(body) else body

    return _changed(flight, MessageType.SERVER_HELLO, choose)


def spoil_data(octets: bytes) -> bytes:
    """`octets` with the last bit of every record with data turned over, as after a fault on the way."""
    found = []
    for record in records(octets):
        content = bytearray(record.content)
        if record.kind == RecordType.APPLICATION_DATA and content:
            content[-1] ^= 0x01
        found.append(replace(record, content=bytes(content)).to_bytes())
    return b"".join(found)


def _changed(flight: bytes, kind: MessageType, change: Callable[[bytes], bytes]) -> bytes:
    """Whole records of `flight`, with `change` made to the messages of one kind; it may not change their length."""
    found = []
    for record in records(flight):
        content = bytearray(record.content)
        position = 0
        for one, body in messages(record.content) if record.kind == RecordType.HANDSHAKE else ():
            end = position + MESSAGE_HEAD + len(body)
            if one == kind and body:
                content[position + MESSAGE_HEAD : end] = change(body)
            position = end
        found.append(replace(record, content=bytes(content)).to_bytes())
    return b"".join(found)


class CertificateWatch:
    """Looks at what comes from the other end for the certificate that it shows, until encryption begins.

    OpenSSL tells it only when the handshake is through; who has to say why it failed needs it before.

    Attributes:
        certificate: DER of the first certificate, None until it has come.
    """

    def __init__(self) -> None:
        self.certificate: bytes | None = None
        self._octets = bytearray()
        self._handshake = bytearray()
        self._done = False

    @property
    def waiting(self) -> int:
        """Octets that are kept at the moment."""
        return len(self._octets) + len(self._handshake)

    def feed(self, data: bytes) -> None:
        """Take octets; never more are kept than one record and one message."""
        if self._done:
            return
        self._octets += data
        for record in records(bytes(self._octets)):
            del self._octets[: RECORD_HEAD + len(record.content)]
            if record.kind == RecordType.HANDSHAKE:
                self._handshake += record.content
                self._messages()
            else:
                self._done = True
        self._done = self._done or len(self._octets) > MAX_RECORD or len(self._handshake) > MAX_MESSAGE
        if self._done:
            self._octets.clear()
            self._handshake.clear()

    def _messages(self) -> None:
        for kind, body in messages(bytes(self._handshake)):
            del self._handshake[: MESSAGE_HEAD + len(body)]
            if kind == MessageType.CERTIFICATE and len(body) >= 6:
                # length of the list 3, length of the first certificate 3, the certificate
                self.certificate = body[6 : 6 + int.from_bytes(body[3:6], "big")]
                self._done = True
