"""Compact frames: records without DIB and VIB, which an earlier full frame or a format frame told (lmn-wireless 4.7).

    compact  signature(2) fullCRC(2) data          format  LEN(1) signature(2) DIB VIB DIB VIB ...

The signature is the CRC of EN 13757 over all DIB and VIB, the full CRC that over the whole full frame; both low octet
first. A cache keeps the formats of one meter; those that are known without a telegram stand by.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from devices.protocols.mbus.crc import crc
from devices.protocols.mbus.data_types import variable_size
from devices.protocols.mbus.dif import FILLER
from devices.protocols.mbus.errors import RecordError
from devices.protocols.mbus.layouts import VARIABLE, layout_at
from devices.protocols.mbus.records import Contents, Record, decode_records

MAX_FORMATS: Final = 1024
"""Formats that are kept at most; the one learned longest ago goes first."""

MAX_FORMAT: Final = 255
"""Octets of a format that is kept at most: no telegram holds more."""

_CHECK: Final = bytes((FILLER, FILLER))
"""What encrypted contents begin with."""

_HEAD: Final = 4
_SIGNATURE: Final = 2

WELL_KNOWN: Final[tuple[bytes, ...]] = tuple(
    bytes.fromhex(known)
    for known in (
        "02FF2004134413615B6167",
        "02FF20041392013BA1015B8101E7FF0F",
        "02FF2004134413A1015B8101E7FF0F",
        "02FF2004134413615B5167",
        "02FF2004134413",
        "02FF200413523B",
        "02FF2004134413426C523B615B616751678101E7FF0F06FF1B",
        "04FF234413523B06FF1B426C61675167023B04138101E7FF0F",
        "04FF2304134413426C023B92013BA2013B06FF1BA1015B91015BA10167",
        "22691269026905FF0905FF0A02FD17",
        "02F9FF15040604EEFF0704EEFF0804148440148480401402FD17026C426C44064414C44014C4804014043B0259025D",
        "040404843C042B04AB3C",
        "040E04FF0704FF08041384401484804014043B0259025D142D84100E84200E04FF22026C440E4413C44014C4804014426C",
        "030643060314426C022D01FF21",
    )
)
"""Formats that meters in the field use (Kamstrup water, heat and electricity meters); a signature proves its format."""


@dataclass(frozen=True, slots=True)
class Expanded:
    """A compact frame made whole.

    Attributes:
        apl: the application layer as the full frame would have it.
        signature: of its format.
        whole: the full CRC is right.
    """

    apl: bytes
    signature: int
    whole: bool


class FormatCache:
    """Formats of one meter, or of what one listens to, by signature. Holds MAX_FORMATS that were learned at most."""

    def __init__(self, known: Iterable[bytes] = WELL_KNOWN) -> None:
        self._known = {crc(form): form for form in known}
        self._learned: dict[int, bytes] = {}
        self._seen: set[bytes] = set()

    def learn(self, apl: bytes) -> bool:
        """Keep the format of the full frame `apl`; returns whether it is a new one.

        A frame that cannot be read to its end, or that holds maker's data, is not learned.
        """
        return self.learn_records(decode_records(apl))

    def learn_records(self, contents: Contents) -> bool:
        """The same of a full frame whose records were read already."""
        if contents.trouble or not contents.records or contents.manufacturer_data:
            return False
        return self.add(format_of(contents.records))

    def learn_format(self, frame: bytes) -> bool:
        """Keep the format that a format frame (CI 69, 6A, 6B) tells; returns whether it is a new one.

        Raises RecordError for a frame that is cut, or whose signature is not that of its format.
        """
        begin = 1 + _SIGNATURE
        length = frame[0] - _SIGNATURE if frame else -1
        form = frame[begin : begin + max(length, 0)]
        if length < 0 or len(form) < length:
            raise RecordError("a format frame is cut", len(frame))
        signed = int.from_bytes(frame[1:begin], "little")
        if crc(form) != signed:
            raise RecordError(f"signature {signed:04X} is not that of the format, {crc(form):04X}", 1)
        _read_format(form)
        return self.add(form)

    def add(self, form: bytes) -> bool:
        """Keep a format: all DIB and VIB of a frame; returns whether it is a new one."""
        if form in self._seen or not form or len(form) > MAX_FORMAT:
            return False
        found = crc(form)
        self._seen.discard(self._learned.pop(found, b""))
        self._learned[found] = form
        self._seen.add(form)
        if len(self._learned) > MAX_FORMATS:
            self._seen.discard(self._learned.pop(next(iter(self._learned))))
        return True

    def lookup(self, signature: int) -> bytes | None:
        """All DIB and VIB of the format with this signature: one that was learned, else a well-known one."""
        return self._learned.get(signature) or self._known.get(signature)

    def formats(self) -> list[bytes]:
        """What was learned, for who keeps it over a power cut."""
        return list(self._learned.values())


def format_of(records: Iterable[Record]) -> bytes:
    """All DIB and VIB of records."""
    return b"".join([record.layout.dib + record.layout.vib for record in records])


def signature(apl: bytes) -> int:
    """Signature of the records of a full frame."""
    return crc(format_of(decode_records(apl).records))


def full_crc(apl: bytes) -> int:
    """CRC over the whole application layer of a full frame."""
    return crc(apl)


def compact(apl: bytes) -> bytes:
    """The compact frame, from its signature on, of a full frame; raises RecordError when that cannot be read."""
    contents = decode_records(apl)
    if contents.trouble or contents.manufacturer_data or not contents.records:
        raise RecordError(contents.trouble or "a compact frame needs records and holds nothing else", contents.offset)
    data = b"".join(record.to_bytes()[len(record.dib) + len(record.vib) :] for record in contents.records)
    return signature(apl).to_bytes(2, "little") + full_crc(apl).to_bytes(2, "little") + data


def format_frame(apl: bytes) -> bytes:
    """The format frame, from LEN on, of a full frame; raises RecordError for a format of more than 253 octets."""
    form = format_of(decode_records(apl).records)
    if len(form) > MAX_FORMAT - _SIGNATURE:
        raise RecordError(f"a format of {len(form)} octets does not fit into one format frame")
    return bytes((len(form) + _SIGNATURE,)) + crc(form).to_bytes(2, "little") + form


def expand(apl: bytes, cache: FormatCache) -> bytes | None:
    """The full frame of the compact frame `apl`, see `unfold`; None when its format is not known yet.

    Raises RecordError when data is cut or the full CRC is wrong.
    """
    if cache.lookup(_told_signature(apl)) is None:
        return None
    found = unfold(apl, cache)
    if not found.whole:
        raise RecordError(f"the full CRC of the compact frame is wrong: format {found.signature:04X} is not its own")
    return found.apl


def unfold(apl: bytes, cache: FormatCache) -> Expanded:
    """The full frame of the compact frame `apl`, which begins with its signature, or with 2F2F in front of it.

    A wrong full CRC is told in the result. Raises RecordError when the format is unknown, or the data is cut.
    """
    begin = len(_CHECK) if apl.startswith(_CHECK) else 0
    signed = _told_signature(apl)
    full = int.from_bytes(apl[begin + 2 : begin + _HEAD], "little")
    form = cache.lookup(signed)
    if form is None:
        raise RecordError(f"the format with the signature {signed:04X} is unknown: no full frame told it yet", begin)
    parts: list[bytes] = []
    position = begin + _HEAD
    for head, size in _read_format(form):
        length = size
        if size == VARIABLE:
            told = variable_size(apl[position]) if position < len(apl) else None
            if told is None:
                raise RecordError("data of the compact frame is cut", position)
            length = 1 + told
        data = apl[position : position + length]
        if len(data) < length:
            raise RecordError("data of the compact frame is cut", position)
        parts += (head, data)
        position += length
    whole = b"".join(parts)
    return Expanded(whole + apl[position:], signed, full_crc(whole) == full)


def _told_signature(apl: bytes) -> int:
    begin = len(_CHECK) if apl.startswith(_CHECK) else 0
    if len(apl) < begin + _HEAD:
        raise RecordError("a compact frame is cut", len(apl))
    return int.from_bytes(apl[begin : begin + 2], "little")


def _read_format(form: bytes) -> list[tuple[bytes, int]]:
    """DIB with VIB, and size of the data, of each record of a format."""
    found = []
    position = 0
    while position < len(form):
        layout, end = layout_at(form, position)
        found.append((form[position:end], layout.size))
        position = end
    return found
