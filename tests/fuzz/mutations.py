"""Small damage done to octets at random."""

from __future__ import annotations

import random
from collections.abc import Sequence

TELLING = bytes.fromhex("0001020f1a1b40425052606265707277 7e7f80")
"""Heads of elements, escapes, flags."""

TELLING_WORDS = (
    *(bytes.fromhex(word) for word in ("1b1b1b1b", "01010101", "1b1b1b1b01010101", "1b1b1b1b1a00")),
    *(bytes.fromhex(word) for word in ("7ea009", "7ea7ff", "f1ff", "590000010000000000", "5900000000ffffffff")),
)
"""Escapes, starts and ends of files and frames, long counts, numbers beyond their field."""

MAX_EDITS = 4
MAX_SPAN = 40
LONGEST = 1500
"""Octets of a mutated input at most."""


def mutated(rng: random.Random, seed: bytes, others: Sequence[bytes]) -> bytes:
    """`seed` with one to `MAX_EDITS` edits; `others` lend pieces."""
    octets = bytearray(seed)
    for _ in range(rng.randint(1, MAX_EDITS)):
        place = rng.randrange(len(octets) + 1)
        span = rng.randint(1, MAX_SPAN)
        edit = rng.randrange(8)
        if edit == 0 and octets:
            octets[place % len(octets)] ^= 1 << rng.randrange(8)
        elif edit == 1 and octets:
            octets[place % len(octets)] = rng.choice(TELLING)
        elif edit == 2:
            octets[place:place] = rng.choice(TELLING_WORDS)
        elif edit == 3:
            del octets[place : place + span]
        elif edit == 4:
            octets[place:place] = octets[place : place + span]
        elif edit == 5:
            octets[place:place] = rng.randbytes(span)
        elif edit == 6:
            other = rng.choice(others)
            start = rng.randrange(len(other) + 1)
            octets[place : place + span] = other[start : start + span]
        else:
            del octets[place:]
    return bytes(octets[:LONGEST])
