"""Verdicts and how they merge: the worst one wins, and a bench fault never reads as a device fault."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class Verdict(IntEnum):
    """In rising order; ``none`` means that nothing was judged.

    ``inconc`` is what could not be decided on the evidence, ``fail`` a fault of the device under test, ``error`` a
    fault of the bench.
    """

    NONE = 0
    PASS = 1
    INCONC = 2
    FAIL = 3
    ERROR = 4

    def __str__(self) -> str:
        return self.name.lower()


def merge(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of `verdicts`; none of nothing."""
    return max(verdicts, default=Verdict.NONE)


EXIT_USAGE = 2
EXIT_BENCH = 3
EXIT_INTERRUPTED = 130
EXIT_CODES = {Verdict.NONE: EXIT_USAGE, Verdict.PASS: 0, Verdict.INCONC: 1, Verdict.FAIL: 1, Verdict.ERROR: EXIT_BENCH}
"""What a command returns for the merged verdict of its run; EXIT_USAGE is kept for wrong use."""
