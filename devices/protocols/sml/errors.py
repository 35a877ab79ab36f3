"""The one error of the SML codecs."""

from __future__ import annotations


class SmlError(ValueError):
    """Octets, text or values that are not what SML allows.

    Attributes:
        reason: what is wrong.
        offset: where, in octets (or characters) of what was given; in a FileReader's results octets of the stream.
        raw: the octets in question, when a whole file was damaged; else empty.
    """

    def __init__(self, reason: str, offset: int = 0, raw: bytes = b"") -> None:
        self.reason = reason
        self.offset = offset
        self.raw = raw
        super().__init__(f"{reason} (at octet {offset})")
