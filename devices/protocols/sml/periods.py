"""Values that stand alone: SML_PeriodEntry and SML_TupelEntry (SML 1.03), in profile lists and parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from devices.protocols.sml.coding import (
    Coding,
    Schema,
    integer_field,
    maybe_octets,
    octets_field,
    scaler_field,
    time_field,
    unsigned_field,
    value_field,
)
from devices.protocols.sml.entries import SmlTime, Value, scaled


@dataclass(frozen=True, slots=True)
class PeriodEntry:
    """One object of a profile at one time.

    Attributes:
        obis: six octets.
        unit, scaler, value, signature: see ListEntry.
        heads: first octet of every element as received, see `coding.Schema`.
    """

    obis: bytes
    unit: int | None = None
    scaler: int | None = None
    value: Value = None
    signature: bytes | None = None
    heads: bytes = field(default=b"", compare=False, repr=False)

    @property
    def number(self) -> Decimal | None:
        """The value times ten to the scaler, exactly; None for octets, booleans and absent values."""
        return scaled(self.value, self.scaler)


@dataclass(frozen=True, slots=True)
class TupleEntry:
    """The six energies of a SyM2 meter at one second index, signed in two groups.

    Attributes:
        server_id: the meter.
        second_index: when.
        status: status word.
        unit_X, scaler_X, value_X: of +A (pa), -A (ma) and the four quadrants (r1 to r4).
        signature_pa_r1_r4, signature_ma_r2_r3: over the three energies that each names.
        heads: first octet of every element as received, see `coding.Schema`.
    """

    server_id: bytes
    second_index: SmlTime | None = None
    status: int | None = None
    unit_pa: int | None = None
    scaler_pa: int | None = None
    value_pa: int | None = None
    unit_r1: int | None = None
    scaler_r1: int | None = None
    value_r1: int | None = None
    unit_r4: int | None = None
    scaler_r4: int | None = None
    value_r4: int | None = None
    signature_pa_r1_r4: bytes | None = None
    unit_ma: int | None = None
    scaler_ma: int | None = None
    value_ma: int | None = None
    unit_r2: int | None = None
    scaler_r2: int | None = None
    value_r2: int | None = None
    unit_r3: int | None = None
    scaler_r3: int | None = None
    value_r3: int | None = None
    signature_ma_r2_r3: bytes | None = None
    heads: bytes = field(default=b"", compare=False, repr=False)

    def energies(self) -> tuple[tuple[str, Decimal | None, int | None], ...]:
        """Name, number and unit code of the six energies in the order of the wire."""
        return tuple(
            (
                name,
                scaled(getattr(self, f"value_{name}"), getattr(self, f"scaler_{name}")),
                getattr(self, f"unit_{name}"),
            )
            for name in TUPLE_ENERGIES
        )


TUPLE_ENERGIES: Final = ("pa", "r1", "r4", "ma", "r2", "r3")
"""+A, the quadrants counted with it, -A, the quadrants counted with that."""


def _energies(*names: str) -> tuple[Coding, ...]:
    return tuple(
        coding
        for name in names
        for coding in (
            unsigned_field(f"unit_{name}", 1),
            scaler_field(f"scaler_{name}"),
            integer_field(f"value_{name}", 8),
        )
    )


PERIOD_ENTRY: Final = Schema(
    PeriodEntry,
    octets_field("obis"),
    unsigned_field("unit", 1),
    scaler_field("scaler"),
    value_field("value"),
    maybe_octets("signature"),
)
TUPLE_ENTRY: Final = Schema(
    TupleEntry,
    octets_field("server_id"),
    time_field("second_index"),
    unsigned_field("status"),
    *_energies(*TUPLE_ENERGIES[:3]),
    maybe_octets("signature_pa_r1_r4"),
    *_energies(*TUPLE_ENERGIES[3:]),
    maybe_octets("signature_ma_r2_r3"),
)
