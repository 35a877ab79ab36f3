"""Transport layer: CI field, address, access number, status, configuration field (EN 13757-3 and -7).

Layout (lmn-wireless 2.8): ``CI | [id 4 | M 2 | version | type] | ACC | STS | CF 2 | [CFE ..]``; a short header lacks
the address, some CI fields have no header at all. Bits 12 to 8 of CF are the security mode; what the other bits and the
extension mean depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from devices.protocols.frozen import builder
from devices.protocols.mbus.control import CI_HEADERS, Header
from devices.protocols.mbus.errors import LayerError
from devices.protocols.mbus.link import ADDRESS_OCTETS, Address

BUSY: Final = 0x01
APPLICATION_ERROR: Final = 0x02
ABNORMAL: Final = 0x03
LOW_POWER: Final = 0x04
PERMANENT_ERROR: Final = 0x08
TEMPORARY_ERROR: Final = 0x10
"""Status byte; the first three are values of its two lowest bits."""

NO_SECURITY: Final = 0
AES_CBC_IV: Final = 5
AES_CBC_NO_IV: Final = 7
AES_CCM: Final = 10
TLS: Final = 13

BIDIRECTIONAL: Final = 0x8000
ACCESSIBLE: Final = 0x4000
SYNCHRONOUS: Final = 0x2000
"""Bits of CF in modes 0 and 5."""
COUNTER_HERE: Final = 0x2000
"""Bit of CF in modes 7 and 10: the message counter stands in this layer."""
VERSION_HERE: Final = 0x40
"""Bit of the extension in modes 7 and 10: the key version stands in this layer."""
BLOCK: Final = 16
ALL_BLOCKS: Final = 15
"""As many blocks as there are (lmn-wireless 2.8, assumed)."""
ALL_OCTETS: Final = 0xFF
"""Mode 10: all octets up to the tag are encrypted."""

CCM_TAGS: Final = (4, 8, 12, 16)
"""Bits 9 and 8 of the extension in mode 10 -> octets of the tag; code 1 is seen in telegrams of a real meter, the
others are assumed. TR-03116-3 allows 8, 12 and 16."""

_MODE_AT: Final = 8
_MODE: Final = 0x1F


@dataclass(frozen=True, slots=True)
class Tpl:
    """A transport layer.

    Attributes:
        ci: CI field.
        header: which header follows it.
        address: of the meter, only in a long header.
        access_number: ACC; None without header.
        status: STS; None without header.
        cf: configuration field, 16 bits; 0 without header.
        cfe: configuration extension as sent, for modes 7, 10 and 13, without counter and key version.
        counter: message counter in this layer, None: not here.
        key_version: in this layer, None: not here.
    """

    ci: int
    header: Header = "none"
    address: Address | None = None
    access_number: int | None = None
    status: int | None = None
    cf: int = 0
    cfe: bytes = b""
    counter: int | None = None
    key_version: int | None = None

    @property
    def mode(self) -> int:
        """Security mode, 0 to 31."""
        return self.cf >> _MODE_AT & _MODE

    @property
    def blocks(self) -> int:
        """Encrypted blocks of 16 octets in modes 5 and 7."""
        return self.cf >> 4 & 0x0F

    @property
    def encrypted_octets(self) -> int:
        """Encrypted octets in modes 10 and 13; `ALL_OCTETS` in mode 10: all."""
        return self.cf & 0xFF

    @property
    def kdf(self) -> int:
        """Key derivation in modes 7 and 10: 0 persistent key, 1 KDF-A."""
        return self.cfe[0] >> 4 & 3 if self.cfe else 0

    @property
    def key_id(self) -> int:
        """Number of the key in modes 7 and 10."""
        return self.cfe[0] & 0x0F if self.cfe else 0

    @property
    def tag_octets(self) -> int:
        """Octets of the tag in mode 10; 0 in others."""
        return CCM_TAGS[self.cfe[1] & 3] if self.mode == AES_CCM and len(self.cfe) > 1 else 0

    def associated(self) -> bytes:
        """The layer without its message counter: what AES-CCM authenticates beside the payload."""
        return self._octets(0)

    def to_bytes(self) -> bytes:
        """The layer from its CI on; raises LayerError when header, mode and values do not go together."""
        octets = self._octets(1)
        again, end = decode_tpl(octets)
        if again != self or end != len(octets):
            raise LayerError(f"{self} cannot be sent so: it would be read as {again}")
        return octets

    def _octets(self, counters: int) -> bytes:
        try:
            if self.header == "none":
                return bytes((self.ci,))
            tail = bytes((self.access_number or 0, self.status or 0)) + self.cf.to_bytes(2, "little") + self.cfe
            octets = bytes((self.ci,)) + (b"" if self.address is None else self.address.header_octets()) + tail
            counter = b"" if self.counter is None or not counters else self.counter.to_bytes(4, "little")
            version = b"" if self.key_version is None else bytes((self.key_version,))
        except (ValueError, OverflowError) as error:
            raise LayerError(f"{self} has a value without room: {error}") from error
        return octets + (version + counter if self.mode == AES_CCM else counter + version)


_build = builder(Tpl)
_EXTENSION: Final = {AES_CBC_NO_IV: 1, AES_CCM: 2, TLS: 1}
"""Security mode -> octets of the extension behind CF."""
_WHAT: Final[dict[Header, Literal[0, 4, 12]]] = {"none": 0, "short": 4, "long": 12}


def decode_tpl(message: bytes) -> tuple[Tpl, int]:
    """The layer at the begin of `message`, and where the application layer begins; raises LayerError when it is cut."""
    if not message:
        raise LayerError("there is no CI field", 0)
    ci = message[0]
    header = CI_HEADERS.get(ci, "none")
    if header == "none":
        return _build(ci, header, None, None, None, 0, b"", None, None), 1
    end = 1 + _WHAT[header]
    size = len(message)
    if size < end:
        raise LayerError(f"the {header} header is cut: {size - 1} octets of {end - 1}", size)
    address = Address.from_header(message[1 : 1 + ADDRESS_OCTETS]) if header == "long" else None
    cf = message[end - 2] | message[end - 1] << 8
    access_number, status = message[end - 4], message[end - 3]
    if (mode := cf >> _MODE_AT & _MODE) not in _EXTENSION:
        return _build(ci, header, address, access_number, status, cf, b"", None, None), end
    cfe = message[end : end + _EXTENSION[mode]]
    end += _EXTENSION[mode]
    counter: int | None = None
    version: int | None = None
    if mode != TLS and size >= end:
        counter_at, version_at, end = _places(mode, cf, cfe, end)
        if size >= end:
            counter = None if counter_at is None else int.from_bytes(message[counter_at : counter_at + 4], "little")
            version = None if version_at is None else message[version_at]
    if size < end:
        raise LayerError(f"the extension of security mode {mode} is cut: {size} octets of {end}", size)
    return _build(ci, header, address, access_number, status, cf, cfe, counter, version), end


def _places(mode: int, cf: int, cfe: bytes, at: int) -> tuple[int | None, int | None, int]:
    """Where message counter and key version stand, None: nowhere; and where they end.

    Mode 7 sends the counter first, mode 10 the key version (the latter assumed).
    """
    counter, version = 4 if cf & COUNTER_HERE else 0, 1 if cfe[0] & VERSION_HERE else 0
    first_counter = at + version if mode == AES_CCM else at
    first_version = at if mode == AES_CCM else at + counter
    return (first_counter if counter else None), (first_version if version else None), at + counter + version
