"""The octets of a log entry, its chain value and its signature, defined here and nowhere else.

The documents say that each entry of the calibration log is signed ([CASA] 5.4, wan-core 8.4); none says over which
octets. Assumed is a text that any program can rebuild, in UTF-8, each line closed by one line feed (0A)::

    smgw-log-1
    calibration             book: system, calibration or consumer
                            owner: id of the consumer, empty for the two other books; has no line feed
    17                      number of the entry in its book, from 1
    1767225600000000        time of the gateway's own clock, microseconds since 1970-01-01T00:00:00Z
    known                   whether the gateway knew the time then: known or unknown
    calibration_log_full    vendor-neutral name of the event
    10098                   id as the product writes it, empty when no document gives one
                            sub id, empty when there is none
    fatal                   info, warning, error or fatal
    success                 success or failure
    {"percent":1}           parameters: the stored text, a JSON object without line feeds
    The calibration ...     message; the last field, so line feeds in it stay as they are

With ``octets(n)`` for this text of entry n, ``s(n)`` for its signature (r || s, 64 octets with a curve of 256 bits; no
octets in the system and consumer logs) and ``||`` for joining::

    chain(0) = SHA-256("start of the log")
    chain(n) = SHA-256(chain(n-1) || s(n-1) || octets(n))
    s(n)     = ECDSA with SHA-256 and GW_WAN_SIG over octets(n) || chain(n) as 64 hexadecimal digits in lower case || 0A

When old entries go, the anchor keeps the chain value and the signature of the last one that went; it is signed in
every book. The head names the newest entry and is written with it in one commit; the calibration log's is signed. Their
texts are ``smgw-log-anchor-1`` and ``smgw-log-head-1``, then book, owner, number, chain value and signature of that
entry, the last two in hexadecimal digits, each closed by a line feed; signed as an entry is, over this text alone.
"""

from __future__ import annotations

import hashlib
from typing import Final

HEAD: Final = b"smgw-log-1"
START: Final = hashlib.sha256(b"start of the log").digest()
"""Chain value before the first entry."""


def entry_octets(
    book: bytes,
    owner: bytes,
    number: int,
    time_us: int,
    dated: bool,
    event: bytes,
    vendor_id: int | None,
    sub_id: int | None,
    level: bytes,
    outcome: bytes,
    parameters: bytes,
    text: bytes,
) -> bytes:
    """The octets of one entry; texts as they are stored, in UTF-8."""
    return b"%s\n%s\n%s\n%d\n%d\n%s\n%s\n%s\n%s\n%s\n%s\n%s\n%s\n" % (
        HEAD,
        book,
        owner,
        number,
        time_us,
        b"known" if dated else b"unknown",
        event,
        b"" if vendor_id is None else b"%d" % vendor_id,
        b"" if sub_id is None else b"%d" % sub_id,
        level,
        outcome,
        parameters,
        text,
    )


def next_chain(chain: bytes, signature: bytes, octets: bytes) -> bytes:
    """Chain value of an entry after one with this chain value and signature."""
    return hashlib.sha256(chain + signature + octets).digest()


def signed_octets(octets: bytes, chain: bytes) -> bytes:
    """What the signature of an entry covers."""
    return octets + chain.hex().encode() + b"\n"


def mark_octets(kind: bytes, book: bytes, owner: bytes, number: int, chain: bytes, entry_signature: bytes) -> bytes:
    """What the signature of an ``anchor`` or a ``head`` covers."""
    ends = (chain.hex().encode(), entry_signature.hex().encode())
    return b"smgw-log-%s-1\n%s\n%s\n%d\n%s\n%s\n" % (kind, book, owner, number, *ends)
