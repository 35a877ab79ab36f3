"""Energies in tenths of a watt-hour: programs take that for granted and do not ask for the scaler (han 3.2).

Lists hold what the meter said (wan-core 7.1). Of a meter that counts otherwise the value is cut to tenths as it is
handed out, and signed anew, over the octets of :mod:`firmware.metering.signed_octets` with the value and the scaler
that are handed out. So the signature proves what stands beside it and not the stored value, whose own signature is
handed out with option ``han_conexa_energy_scaler`` 1 only. All of it is assumed: no source tells where a CONEXA cuts.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from firmware.metering.signed_octets import signed_octets

ENERGIES: Final = frozenset((30, 31, 32))
"""COSEM units: Wh, VAh, varh."""
MOST_KEPT: Final = 20_000
"""Signatures that are remembered; the ones that were used longest ago go."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A value as it is handed out.

    Attributes:
        value: times 10**scaler of its channel.
        signature: r || s over it; None without one.
    """

    value: int
    signature: bytes | None


class Scaling:
    """Brings energies to one scaler.

    Args:
        scaler: of energies in answers; 1: each keeps its own.
        sign: gives r || s.
    """

    def __init__(self, scaler: int, sign: Callable[[bytes], bytes]) -> None:
        self._scaler = scaler
        self._sign = sign
        self._made: OrderedDict[bytes, bytes] = OrderedDict()

    def scaler(self, scaler: int, unit: int | None) -> int:
        """The scaler of a channel whose values have `scaler` and `unit` where they are stored."""
        return self._scaler if self._scaler <= 0 and unit in ENERGIES else scaler

    def shown(
        self,
        name: str,
        status: str,
        captured_us: int | None,
        value: int,
        scaler: int,
        unit: int | None,
        signature: bytes | None,
    ) -> Shown:
        """A stored value as it is handed out; for the arguments see `signed_octets`."""
        wanted = self.scaler(scaler, unit)
        if wanted == scaler:
            return Shown(value, signature)
        if wanted < scaler:
            value *= 10 ** (scaler - wanted)
        else:
            cut = abs(value) // 10 ** (wanted - scaler)
            value = cut if value >= 0 else -cut
        if signature is None:
            return Shown(value, None)
        return Shown(value, self._signed(signature, signed_octets(name, status, captured_us, value, wanted, unit)))

    def _signed(self, stored: bytes, octets: bytes) -> bytes:
        found = self._made.pop(stored, None)
        if found is None:
            found = self._sign(octets)
        self._made[stored] = found
        if len(self._made) > MOST_KEPT:
            self._made.popitem(last=False)
        return found
