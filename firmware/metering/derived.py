"""The list of derived values: what the use cases made of the original readings, each entry signed (wan-core 7.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from firmware.metering.signed_octets import logical_name, signed_octets
from firmware.metering.tariffs.entries import Derived, Kind
from firmware.metering.tariffs.readings import Amount, word_of
from firmware.storage.memory import NonVolatileMemory, Statement, digest

STORED: Final = frozenset((Kind.FIRST, Kind.LAST, Kind.SWITCH, Kind.BILLING, Kind.DAILY))
"""What is kept. The load profile is the list of original readings itself (han 5.2), measured values are not stored."""


@dataclass(frozen=True, slots=True)
class DerivedEntry:
    """A derived value as stored.

    Attributes:
        profile: evaluation profile.
        position: place among the entries of its profile and instant.
        derived: what the use case gave.
        capture_us: when the last reading that it is made of was captured, None when it has no value.
        signature: r || s over `octets`.
    """

    profile: str
    position: int
    derived: Derived
    capture_us: int | None
    signature: bytes = b""

    @property
    def name(self) -> str:
        """Logical name ``<obis>.<profile>.sm`` (han 5.2)."""
        return logical_name(self.derived.register, self.profile)

    @property
    def octets(self) -> bytes:
        """What is signed."""
        one, amount = self.derived, self.derived.amount
        value, scaler = (None, None) if amount is None else (amount.value, amount.scaler)
        return signed_octets(self.name, str(one.status), self.capture_us, value, scaler, one.unit)


def _digest(one: DerivedEntry) -> bytes:
    return digest(repr([one.profile, one.position, one.derived.plain(), one.capture_us, one.signature]).encode())


def store(entries: Iterable[DerivedEntry], signatures: Sequence[bytes]) -> list[Statement]:
    """The statements that store entries with their signatures; one that is stored already stays as it is."""
    statements: list[Statement] = []
    for bare, signature in zip(entries, signatures, strict=True):
        one = DerivedEntry(bare.profile, bare.position, bare.derived, bare.capture_us, signature)
        what, amount = one.derived, one.derived.amount
        value, scaler = (None, None) if amount is None else (str(amount.value), amount.scaler)
        row = (
            one.profile, what.at_s, one.position, str(what.kind), what.register, what.meter, value, scaler, what.unit,
            str(what.status), what.stage, one.capture_us, signature, _digest(one),
        )  # fmt: skip
        statements.append(("INSERT OR IGNORE INTO derived VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row))
    return statements


_COLUMNS: Final = (
    "profile, position, kind, at_s, register, value, scaler, status, unit, meter, stage, capture_us, signature, digest"
)


def _entry(row: tuple[Any, ...]) -> DerivedEntry:
    amount = None if row[5] is None else Amount(int(row[5]), row[6])
    derived = Derived(Kind(row[2]), row[3], row[4], amount, word_of(row[7]), row[8], row[9], row[10])
    return DerivedEntry(row[0], row[1], derived, row[11], row[12])


def read(
    memory: NonVolatileMemory, profile: str | None = None, since_s: int | None = None, until_s: int | None = None
) -> list[DerivedEntry]:
    """Stored entries by time, of all profiles or of one, both bounds included."""
    where, parameters = (
        ["at_s >= ?", "at_s <= ?"],
        [
            -(1 << 62) if since_s is None else since_s,
            (1 << 62) if until_s is None else until_s,
        ],
    )
    bounds: list[Any] = list(parameters)
    if profile is not None:
        where.append("profile = ?")
        bounds.append(profile)
    sql = f"SELECT {_COLUMNS} FROM derived WHERE {' AND '.join(where)} ORDER BY at_s, profile, position"
    return [_entry(row) for row in memory.query(sql, bounds)]


def newest(
    memory: NonVolatileMemory, profile: str, since_s: int, until_s: int, first: int, count: int
) -> list[DerivedEntry]:
    """`count` entries of a profile behind the `first` newest ones, the newest first, both bounds included."""
    sql = (
        f"SELECT {_COLUMNS} FROM derived WHERE profile = ? AND at_s BETWEEN ? AND ? "
        "ORDER BY at_s DESC, position DESC LIMIT ? OFFSET ?"
    )
    return [_entry(row) for row in memory.query(sql, (profile, since_s, until_s, count, first))]


def broken(memory: NonVolatileMemory, limit: int) -> list[tuple[str, int]]:
    """Profile and instant of those among the `limit` latest entries whose content does not fit its digest."""
    found = []
    for row in memory.query(f"SELECT {_COLUMNS} FROM derived ORDER BY at_s DESC, profile, position LIMIT ?", (limit,)):
        try:
            good = _digest(_entry(row)) == row[13]
        except (ValueError, TypeError):
            good = False
        if not good:
            found.append((str(row[0]), int(row[3])))
    return found
