"""The errors of the M-Bus codecs: one family, a branch for each layer."""

from __future__ import annotations

from typing import Literal

TroubleKind = Literal["no_key", "mac", "crc", "padding", "mode"]
"""Why a telegram cannot be opened: there is no key; a MAC is wrong; a payload CRC is wrong; the 2F2F that proves the
key is missing; a security mode or key derivation that is not known here."""


class MbusError(ValueError):
    """Octets that are not what M-Bus allows, or values that fit into none.

    Attributes:
        reason: what is wrong.
        offset: where, in octets of what was given; None when no place can be named.
    """

    def __init__(self, reason: str, offset: int | None = None) -> None:
        self.reason = reason
        self.offset = offset
        super().__init__(reason)


class FrameError(MbusError):
    """Link layer: a length, a link CRC, a frame that is cut, an address that cannot be sent."""


class LayerError(MbusError):
    """A header between link and application layer that is cut or contradicts itself."""


class SecurityError(MbusError):
    """A telegram that is well-formed, but cannot be opened or protected.

    Attributes:
        kind: why, for events.
    """

    def __init__(self, reason: str, kind: TroubleKind, offset: int | None = None) -> None:
        self.kind: TroubleKind = kind
        super().__init__(reason, offset)


class RecordError(MbusError):
    """Application layer: data records, compact frames, compact profiles."""
