"""Image of the application firmware (APP-FW) as a file: header, signature, payload (lmn-wired 5.6, assumed).

     0  4   magic "SBZI"
     4  8   type code of the meters that it is for, ASCII padded with spaces
    12  2   version: major, minor
    14  4   length of the payload, big-endian
    18  32  SHA-256 of the payload
    50  64  ECDSA P-256/SHA-256 by a maker key over the 50 octets before, r|s
   114  n   payload

The maker's own format is unknown; images of this one are good for emulated meters only.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import Final

from devices.protocols.crc import x25
from devices.protocols.p256 import OCTETS as SIGNATURE_OCTETS
from devices.protocols.p256 import SigningKey, verify
from devices.protocols.smarty_service import METER_TYPE
from devices.protocols.smarty_update import ImageChecks, Verdict

MAGIC: Final = b"SBZI"
_FIELDS: Final = struct.Struct(">4s8sBBI32s")
HEADER_OCTETS: Final = _FIELDS.size + SIGNATURE_OCTETS
BENCH_MAKER: Final = SigningKey.named("smgw-bench: maker of test firmware")
"""Signs the images that this bench makes; known to everybody."""


class ImageError(ValueError):
    """Octets that are no image.

    Attributes:
        offset: of the octet that is wrong or missing.
    """

    def __init__(self, reason: str, offset: int = 0) -> None:
        self.offset = offset
        super().__init__(f"{reason} (at octet {offset})")


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """Version of a firmware; compares by number, so that 2.10 is higher than 2.9.

    Attributes:
        major, minor: 0 to 255.
    """

    major: int
    minor: int

    def __post_init__(self) -> None:
        if not (0 <= self.major <= 0xFF and 0 <= self.minor <= 0xFF):
            raise ImageError(f"version {self.major}.{self.minor} has numbers above 255", 12)

    @classmethod
    def parse(cls, text: str) -> Version:
        """From ``V2.0`` or ``2.0``. Raises ImageError for anything else."""
        major, dot, minor = text.strip().removeprefix("V").removeprefix("v").partition(".")
        numbers = [part for part in (major, minor) if part.isascii() and part.isdigit() and len(part) <= 3]
        if not dot or len(numbers) != 2:
            raise ImageError(f"{text!r} is no version like V2.0", 12)
        return cls(int(major), int(minor))

    def __str__(self) -> str:
        return f"V{self.major}.{self.minor}"


@dataclass(frozen=True, slots=True)
class AppImage:
    """An image taken apart; nothing of it is checked.

    Attributes:
        meter_type: type code of the meters that it is for.
        version: of the firmware.
        length: octets of payload as the header says.
        digest: SHA-256 of the payload as the header says.
        signature: r|s.
        payload: what is there of it.
        signed: the octets that the signature is over.
    """

    meter_type: str
    version: Version
    length: int
    digest: bytes
    signature: bytes
    payload: bytes
    signed: bytes

    @classmethod
    def from_bytes(cls, data: bytes) -> AppImage:
        """Read header and payload. Raises ImageError when it is not even a header."""
        if not data.startswith(MAGIC):
            raise ImageError("no image of application firmware: it does not begin with SBZI")
        if len(data) < HEADER_OCTETS:
            raise ImageError(f"an image of {len(data)} octets, the header alone has {HEADER_OCTETS}", len(data))
        _, kind, major, minor, length, digest = _FIELDS.unpack_from(data)
        return cls(
            kind.rstrip(b" \0").decode("ascii", "replace"),
            Version(major, minor),
            length,
            digest,
            data[_FIELDS.size : HEADER_OCTETS],
            data[HEADER_OCTETS:],
            data[: _FIELDS.size],
        )

    @property
    def crc(self) -> int:
        """Check of the firmware as the update log shows it: CRC-16/X-25 over the payload (own choice)."""
        return x25(self.payload)


def build_image(
    payload: bytes, version: Version, meter_type: str = METER_TYPE, maker: SigningKey = BENCH_MAKER
) -> bytes:
    """An image as octets.

    Args:
        payload: the firmware.
        version: of it.
        meter_type: up to 8 ASCII characters. ImageError when longer.
        maker: who signs it.
    """
    kind = meter_type.encode("ascii", "replace")
    if not 1 <= len(kind) <= 8:
        raise ImageError(f"type code {meter_type!r} has not 1 to 8 characters", 4)
    head = _FIELDS.pack(
        MAGIC, kind.ljust(8), version.major, version.minor, len(payload), hashlib.sha256(payload).digest()
    )
    return head + maker.sign(head) + payload


def check_image(
    data: bytes, meter_type: str, maker_key: bytes, running: Version, *, allow_downgrade: bool = False
) -> ImageChecks:
    """Each check with its own verdict; what cannot be judged because there is no header stays NOT_CHECKED.

    Args:
        data: the image as it was stored.
        meter_type: of the meter.
        maker_key: X|Y of who may sign.
        running: version in the meter.
        allow_downgrade: any version is new enough.
    """
    try:
        image = AppImage.from_bytes(data)
    except ImageError:
        return ImageChecks(undamaged=Verdict.NOK)
    whole = image.length == len(image.payload) and image.digest == hashlib.sha256(image.payload).digest()
    return ImageChecks(
        _verdict(whole),
        _verdict(image.meter_type == meter_type),
        _verdict(verify(maker_key, image.signed, image.signature)),
        _verdict(allow_downgrade or image.version > running),
    )


def payload_with_crc(start: bytes, crc: int) -> bytes:
    """`start` and two more octets, so that the CRC-16/X-25 of it all is `crc`: 0x564c as in the maker's example."""
    # The check is linear in the two octets but for a constant: each of their 16 bits flips a fixed set of its bits.
    zero = x25(start + b"\0\0")
    rest, chosen = zero ^ crc, 0
    basis: dict[int, tuple[int, int]] = {}
    for bit in range(16):
        effect, bits = x25(start + (1 << bit).to_bytes(2, "big")) ^ zero, 1 << bit
        effect, bits = _reduced(effect, bits, basis)
        basis[effect.bit_length()] = effect, bits
    rest, chosen = _reduced(rest, chosen, basis)
    return start + chosen.to_bytes(2, "big")


def _reduced(effect: int, bits: int, basis: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """`effect` freed of all that `basis` (highest bit -> effect, bits) can make, and the bits that do it."""
    for top in sorted(basis, reverse=True):
        if effect.bit_length() == top:
            effect, bits = effect ^ basis[top][0], bits ^ basis[top][1]
    return effect, bits


def _verdict(good: bool) -> Verdict:
    return Verdict.OK if good else Verdict.NOK
