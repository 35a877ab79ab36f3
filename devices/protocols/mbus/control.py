"""C field of the link layer, CI fields of all layers: names, and who speaks to whom (lmn-wireless 2.2, 2.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

Header = Literal["none", "short", "long"]
"""Header of the transport layer behind a CI field."""

FRAME_COUNT: Final = 0x20
"""Bit of a request that turns with each new one."""

C_NAMES: Final[Mapping[int, str]] = (
    {0x44: "SND-NR", 0x46: "SND-IR", 0x47: "ACC-NR", 0x48: "ACC-DMD", 0x40: "SND-NKE", 0x06: "CNF-IR"}
    | {0x43: "SND-UD2", 0x45: "SND-UD3", 0x53: "SND-UD", 0x73: "SND-UD"}
    | {0x5A: "REQ-UD1", 0x7A: "REQ-UD1", 0x5B: "REQ-UD2", 0x7B: "REQ-UD2"}
    | {c | bits: name for c, name in ((0x08, "RSP-UD"), (0x00, "ACK"), (0x01, "NACK")) for bits in (0, 16, 32, 48)}
)
"""C field -> name."""

FROM_METER: Final = frozenset({0x44, 0x46, 0x47, 0x48, 0x08, 0x18, 0x28, 0x38, 0x00, 0x10, 0x20, 0x30})
"""C fields that meters send: data, installation, access, answers, acknowledgements."""
_FROM_GATEWAY: Final = frozenset({0x40, 0x06, 0x43, 0x45, 0x53, 0x73, 0x5A, 0x7A, 0x5B, 0x7B})
_FROM_BOTH: Final = frozenset({0x00, 0x10, 0x20, 0x30})

CI_HEADERS: Final[Mapping[int, Header]] = {
    **dict.fromkeys((0x69, 0x70, 0x71, 0x78, 0x79, 0x51), "none"),
    **dict.fromkeys((0x5A, 0x61, 0x6A, 0x6E, 0x74, 0x7A, 0x7B, 0x7D, 0x8A, 0x9E, 0xC4), "short"),
    **dict.fromkeys(
        (0x5B, 0x5F, 0x60, 0x6B, 0x6C, 0x6D, 0x6F, 0x72, 0x73, 0x75, 0x7C, 0x80, 0x8B, 0x9F, 0xC3, 0xC5), "long"
    ),
}
"""CI field of a transport layer -> its header; those of makers (A0 to B7) and unknown ones have none. C3 is taken as
long, C4 as short and C5 as long, as the fact sheet orders them."""

CI_NAMES: Final[Mapping[int, str]] = {
    **dict.fromkeys((0x6C, 0x6D), "time synchronisation"),
    **dict.fromkeys((0x6E, 0x6F, 0x70), "application error"),
    **dict.fromkeys((0x71, 0x74, 0x75), "alarm"),
    **dict.fromkeys((0x80, 0x8A, 0x8B), "transport layer alone"),
    **dict.fromkeys((0xC3, 0xC4, 0xC5), "security information transfer"),
    **dict.fromkeys((0x60, 0x61, 0x7C, 0x7D), "DLMS"),
    **dict.fromkeys((0x5F, 0x9E, 0x9F), "specific usage"),
}
"""CI field of a transport layer whose application layer holds no records -> what that is (lmn-wireless 2.5)."""

MAKERS_CI: Final = range(0xA0, 0xB8)
"""CI fields that mean what the maker wants."""

_CI_TO_METER: Final = frozenset({0x51, 0x5A, 0x5B, 0x5F, 0x60, 0x61, 0x6C, 0x6D, 0x80, 0xC3})


def c_name(c: int) -> str:
    """Name of a C field; its number when it has none."""
    return C_NAMES.get(c, f"C {c:02X}")


def to_meter(c: int, ci: int | None) -> bool:
    """Whether a telegram goes to a meter. An ACK may come from both; there the CI field of the transport layer tells,
    and without one it is taken as the meter's."""
    return ci in _CI_TO_METER if c in _FROM_BOTH else c in _FROM_GATEWAY
