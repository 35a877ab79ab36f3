"""The octets that a value's signature covers, defined here and nowhere else.

The sheet says what is covered: logical name, status, capture time, value, scaler and unit (wan-core 7.2); no public
document says how these become octets. Assumed, the plainest form that any program can rebuild: a text of these seven
lines in UTF-8, each closed by one line feed (0A)::

    smgw-value-1
    0100010800ff.1sag0021061001.sm    logical name in lower case: OBIS code in 12 hexadecimal digits, device id, "sm"
    A000000020000000                  status, 16 hexadecimal digits in capitals, bit 0 first
    2026-01-01T00:00:01Z              capture time in UTC, whole seconds; empty when nothing was captured
    123456                            value as a decimal integer; octets as hexadecimal digits in lower case after
                                      "x"; true or false; empty when there is none
    -1                                scaler, empty without one
    30                                COSEM unit code, empty without one

The signature is ECDSA over the SHA-256 hash of this text with GW_WAN_SIG.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

HEAD: Final = "smgw-value-1"
_OBIS: Final = re.compile(r"(\d+)-(\d+):(\d+)\.(\d+)\.(\d+)\*(\d+)")


@lru_cache(maxsize=4096)
def logical_name(obis: str, device: str) -> str:
    """``0100010800ff.1sag0021061001.sm`` of ``1-0:1.8.0*255`` and ``1SAG0021061001`` (wan-core 7.2)."""
    found = _OBIS.fullmatch(obis)
    if found is None:
        raise ValueError(f"{obis!r} is no OBIS code such as 1-0:1.8.0*255")
    return f"{''.join(f'{int(one):02x}' for one in found.groups())}.{device.lower()}.sm"


@lru_cache(maxsize=64)
def whole_second(time_us: int | None) -> str:
    """A time as it is signed and handed out: to the second, with Z; empty for None."""
    if time_us is None:
        return ""
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).isoformat().removesuffix("+00:00") + "Z"


def signed_octets(
    name: str,
    status: str,
    capture_us: int | None,
    value: int | bytes | bool | None,
    scaler: int | None,
    unit: int | None,
) -> bytes:
    """The octets to sign.

    Args:
        name: logical name, see `logical_name`.
        status: 16 hexadecimal digits.
        capture_us: microseconds since 1970, None when nothing was captured.
        value: as it was captured.
        scaler: power of ten.
        unit: COSEM unit code.
    """
    if value is None:
        shown = ""
    elif isinstance(value, bool):
        shown = "true" if value else "false"
    else:
        shown = str(value) if isinstance(value, int) else f"x{value.hex()}"
    power = "" if scaler is None else scaler
    code = "" if unit is None else unit
    return f"{HEAD}\n{name}\n{status}\n{whole_second(capture_us)}\n{shown}\n{power}\n{code}\n".encode()
