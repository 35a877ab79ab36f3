"""What an export for the transparency software shall hold."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is exported, and what the contract does not say.

    Attributes:
        begin_s, end_s: span of the instants, both included; None: as far as there are values.
        usage_point, supplier, tariff: in place of those of the contract, empty: those.
    """

    begin_s: int | None = None
    end_s: int | None = None
    usage_point: str = ""
    supplier: str = ""
    tariff: str = ""
