"""What can be wrong with the files of the transparency software."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

Side = Literal["", "values", "supplier"]
"""Which of the two files is meant: the gateway's export or the supplier's; empty: both together."""


class TrudiError(ValueError):
    """A file, or two of them together, cannot be worked with.

    Attributes:
        line: line of the file, None: it is about the whole.
        element: name of the XML element, empty when it is about none.
    """

    def __init__(self, reason: str, line: int | None = None, element: str = "") -> None:
        super().__init__(reason)
        self.line = line
        self.element = element


class FormatError(TrudiError):
    """The file is no XML, or not that of the schema (han 5.2)."""


class UnreadableError(FormatError):
    """The file is empty, no XML at all, or too long to be read."""


class StatusWordError(FormatError):
    """A status word lacks the bits that are always set (han 5.3).

    Attributes:
        fits: order of bits in which they are there, empty: in none.
    """

    def __init__(self, reason: str, line: int | None, fits: Literal["", "lsb", "msb"]) -> None:
        super().__init__(reason, line, "statusFNN")
        self.fits = fits


class TariffError(TrudiError):
    """Register values do not follow from these files (han 5.6).

    Attributes:
        side: the file in which `line` counts.
    """

    def __init__(self, reason: str, line: int | None = None, side: Side = "") -> None:
        super().__init__(reason, line)
        self.side = side


class ExportRefused(TrudiError):
    """An export breaks rules of its format, so it is not written.

    Attributes:
        findings: the rules, at least one.
    """

    def __init__(self, findings: Sequence[object]) -> None:
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        super().__init__(f"{findings[0]}{more}")
        self.findings = tuple(findings)
