"""What the gateway says to an order of the administrator: which rule is broken, the HTTP status, the log entry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from firmware.metering.tariffs.findings import Finding as TariffFinding
from firmware.metering.tariffs.refused import EVENT as EVALUATION_REJECTED
from firmware.profiles.kinds import Kind

REJECTED: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.METER: "meter_profile_rejected",
        Kind.EVALUATION: EVALUATION_REJECTED,
        Kind.WAN: "communication_profile_rejected",
        Kind.HAN: "communication_profile_rejected",
        Kind.PROXY: "proxy_profile_rejected",
    }
)
"""Kind -> log entry of one that is not taken: PPC 10218, 10219, 10217, 10270."""
FORM_WRONG: Final = "wan_xml_invalid"
"""PPC 10180."""
NO_ROOM: Final = "meter_profile_limit_reached"
"""PPC 10197."""
SIGNER_WRONG: Final = "signature_invalid"
"""PPC 10092."""
LAWFUL_CHANGE: Final = "calibrated_parameter_changed"
"""PPC 10023."""
UNTRUSTED: Final = 2_300_306
"""Code of a certificate whose issuer is not trusted ([CASA] 9.4)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken rule.

    Attributes:
        rule: ``V1`` to ``V14`` (wan-core 6.2), or ``use case`` for one that the gateway does not take.
        answer: HTTP status.
        event: neutral name of the log entry.
        reason: in words.
        profile: id of the profile, empty where none is known.
        details: further parameters of the log entry.
    """

    rule: str
    answer: int
    event: str
    reason: str
    profile: str = ""
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return f"{self.rule} {self.profile}: {self.reason}".replace(" :", ":").strip()

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        told = {"rule": self.rule, "answer": self.answer, "event": self.event, "reason": self.reason}
        return told | {"profile": self.profile, **self.details}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway answers.

    Attributes:
        status: HTTP status.
        findings: why not; empty when it was done.
        body: what was read.
    """

    status: int
    findings: tuple[Finding, ...] = ()
    body: Any = None

    @property
    def good(self) -> bool:
        """Whether it was done."""
        return 200 <= self.status < 300


def refused(findings: Iterable[Finding]) -> Answer:
    """The answer to what breaks rules; its status is that of the first finding."""
    found = tuple(findings)
    return Answer(found[0].answer, found)


def of_tariff(found: TariffFinding, profile: str) -> Finding:
    """A finding of the tariff rules."""
    return Finding(found.rule, found.answer, EVALUATION_REJECTED, found.reason, profile)
