"""The public key as people give it: typed from the type plate, scanned, or pasted ([BZ] 5.2.3).

The 2D code of the type plate holds several fields; a leading "AC" marks the one with the key.
"""

from __future__ import annotations

import re
from typing import Final

from devices.protocols.p256 import OCTETS, P256Error

MARK: Final = "AC"
DIGITS: Final = 2 * OCTETS
LONGEST: Final = 4096
"""Characters that a scan may have."""

_SEPARATORS: Final = re.compile(r"[\s:;,.\-_|/]+")
_FIELD: Final = re.compile(rf"(?<![0-9A-Z])(?=AC([0-9A-F]{{{DIGITS}}})(?![0-9A-F]))")
_ANYWHERE: Final = re.compile(rf"(?=AC([0-9A-F]{{{DIGITS}}}))")
_FOREIGN: Final = re.compile(r"[^0-9A-F]")


def parse_key(text: str) -> bytes:
    """The 64 octets of the key in `text`: 128 hexadecimal digits in any case, with or without separators and AC, or a
    scan of the whole 2D code.

    Raises P256Error with one sentence that says what is wrong; its offset counts characters. Whether the key is a
    point of the curve is another question, see `p256.key_problem`.
    """
    if len(text) > LONGEST:
        raise P256Error(f"{len(text)} characters are no key, a scan has at most {LONGEST}", LONGEST)
    given = text.strip().upper()
    digits = _SEPARATORS.sub("", given)
    if len(digits) == DIGITS + len(MARK) and digits.startswith(MARK):
        digits = digits[len(MARK) :]
    if len(digits) == DIGITS and not _FOREIGN.search(digits):
        return bytes.fromhex(digits)
    for pattern in (_FIELD, _ANYWHERE):
        found = sorted({match[1] for match in pattern.finditer(given)})
        if len(found) == 1:
            return bytes.fromhex(found[0])
        if found:
            raise P256Error(f"the scan holds {len(found)} different keys behind {MARK}", 0)
    raise _complaint(digits)


def _complaint(digits: str) -> P256Error:
    if not digits:
        return P256Error("no key was given")
    foreign = _FOREIGN.search(digits)
    if foreign is None:
        return P256Error(f"a key has {DIGITS} hexadecimal digits, this one has {len(digits)}", min(len(digits), DIGITS))
    place, sign = foreign.start() + 1, foreign[0]
    hint = {"O": " (a zero?)", "I": " (a one?)", "L": " (a one?)"}.get(sign, "")
    return P256Error(
        f"{sign!r}{hint} at digit {place} is no hexadecimal digit; a key has {DIGITS} of them, "
        f"and in a scan it stands behind {MARK}",
        foreign.start(),
    )


def grouped(key: bytes) -> tuple[str, ...]:
    """The key with separators as the maker prints it: four lines of eight groups of four digits."""
    digits = key.hex()
    groups = [digits[start : start + 4] for start in range(0, len(digits), 4)]
    return tuple(" ".join(groups[start : start + 8]) for start in range(0, len(groups), 8))
