"""The emulated sticks by the names of their kinds."""

from __future__ import annotations

from typing import Final

from devices.wmbus.emulated.amb8465 import EmulatedAmb8465
from devices.wmbus.emulated.base import EmulatedStick
from devices.wmbus.emulated.cul import EmulatedCul
from devices.wmbus.emulated.im871a import EmulatedIm871a
from devices.wmbus.emulated.iu891a import EmulatedIu891a
from devices.wmbus.emulated.rc1180 import EmulatedRc1180
from devices.wmbus.emulated.rtl_wmbus import EmulatedRtlWmbus

EMULATED: Final[dict[str, type[EmulatedStick]]] = {
    "im871a": EmulatedIm871a,
    "iu891a": EmulatedIu891a,
    "amb8465": EmulatedAmb8465,
    "rc1180": EmulatedRc1180,
    "cul": EmulatedCul,
    "rtl_wmbus": EmulatedRtlWmbus,
}
"""Kind -> its emulated other end."""
