"""What can be wrong with the files of the transparency software."""

from __future__ import annotations

from collections.abc import Sequence


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


class TariffError(TrudiError):
    """Register values do not follow from these files (han 5.6)."""


class ExportRefused(TrudiError):
    """An export breaks rules of its format, so it is not written.

    Attributes:
        findings: the rules, at least one.
    """

    def __init__(self, findings: Sequence[object]) -> None:
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        super().__init__(f"{findings[0]}{more}")
        self.findings = tuple(findings)
