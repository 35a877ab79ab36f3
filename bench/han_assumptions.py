"""What the bench's users at the home interface rely on without certainty; each fact is noted by a case that used it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from devices.han.assumed import CASA_SELFTEST, CONEXA_EDGE, CONEXA_PROFILE, NO_SUPPLIER
from devices.han.login import ANSWER_S, CONNECT_S
from devices.han.times import TOLERANCE
from devices.han.trudi import LONGEST_DAILY

Use = Literal[
    "login", "device", "current", "list", "contracts", "derived", "log", "selftest", "trudi", "clock", "grid",
    "consistent", "archive", "records", "poll", "poll_gently", "session", "secret", "unready",
]  # fmt: skip
"""What a case did with the home interface."""
Assume = Callable[[str, object, str, str], None]
"""Takes name, value, source and reason of a fact."""

GENTLE_S: Final = 900.0
"""Seconds from one login to the next that a PPC bears, and between two looks at a real gateway (han 2.1)."""
CYCLE_S: Final = 300.0
"""Seconds without a request after which a session is not taken up again; products end them after 10 min."""
POLL_S: Final = 60.0
"""Seconds between two looks at an emulated gateway while something is waited for."""
CLOCK_S: Final = 1.0
"""Seconds by which times may differ as they are told in whole ones."""
GRID_S: Final = 2.0
"""Seconds by which a capture may lie beside its instant of the grid, beyond the share of `TOLERANCE`."""
BEFORE_S, BEHIND_S = 3600.0, 60.0
"""Span of the original list around the newest reading in which that reading must be found."""
ARCHIVED_DAYS: Final = 40
"""How far back original lists are archived from a gateway that says no begin of any contract."""
KEPT_DAYS: Final = 40
"""How far back values are read at a home interface for a judgement; a PPC is slow to give more (han 2.1)."""

_CLIENTS: Final = "known from clients, no document says it"
_OURS: Final = "no document gives a figure; chosen for the bench"


@dataclass(frozen=True, slots=True)
class Fact:
    """One of them.

    Attributes:
        uses: whoever does one of these relies on it.
        name, value, source, why: as the report shows them.
        products: those to which it belongs; empty: all.
    """

    uses: tuple[Use, ...]
    name: str
    value: str
    source: str
    why: str
    products: tuple[str, ...] = ()


FACTS: Final = (
    Fact(("login",), "longest wait for a connection", f"{CONNECT_S:g} s", "bench", _OURS),
    Fact(("login",), "longest wait for an answer", f"{ANSWER_S:g} s", "han 2.1", "a PPC reads meters for up to 60 s"),
    Fact(("session",), "a session is taken up again for", f"{CYCLE_S:g} s", "bench",
         "products end sessions after 10 min without a request; half of that leaves room for slow answers"),
    Fact(("poll",), "pause between two looks", f"{POLL_S:g} s", "bench", _OURS),
    Fact(("poll_gently",), "pause between two looks", f"{GENTLE_S:g} s", "han 2.1",
         "said of the PPC; other products are asked as gently"),
    Fact(("clock",), "times may differ by", f"{CLOCK_S:g} s", "bench", "times are told in whole seconds"),
    Fact(("grid",), "a capture belongs to its instant within", f"{TOLERANCE * 100:g} % of the period and {GRID_S:g} s",
         "han 5.5", "the list tells the capture alone; the share is that of the transparency software"),
    Fact(("consistent",), "the newest reading is sought in the list from", f"{BEFORE_S:g} s before to {BEHIND_S:g} s "
         "behind it", "bench", _OURS),
    Fact(("archive",), "lists of a gateway that says no begin of a contract reach back", f"{ARCHIVED_DAYS} days",
         "bench", _OURS),
    Fact(("records",), "stored values are read back for", f"{KEPT_DAYS} days", "han 2.1",
         "a PPC is slow to give more; other products are asked for the same"),
    Fact(("list", "current", "derived", "log"), "an hour that comes twice", "told apart by the order of the entries",
         _CLIENTS, "times come without a zone", ("ppc",)),
    Fact(("trudi",), "number of the gateway", "that in its signature certificate", _CLIENTS,
         "a consumer is told none", ("ppc",)),
    Fact(("trudi",), "status of a value in the file", "class of the status alone; a value that is not valid counts as "
         "not usable", "han 6", "the export tells no status word", ("ppc",)),
    Fact(("trudi",), "a capture belongs to its instant within", f"{TOLERANCE * 100:g} % of the period", "han 5.5",
         "the export tells the capture alone", ("ppc",)),
    Fact(("list", "log", "consistent"), "lists and log", "those of months, counted back from the present one",
         _CLIENTS, "the paths end in a number that no document explains", ("casa",)),
    Fact(("contracts",), "registers of a contract", "those in its signed profile, else all that the meter measures",
         _CLIENTS, "the interface does not say them", ("casa",)),
    Fact(("selftest",), "path of the self-test", f"POST {CASA_SELFTEST}", _CLIENTS, "it is ordered on the portal",
         ("casa",)),
    Fact(("device", "clock"), "smgw-time without a zone", "UTC", _CLIENTS, "as all times of the interface",
         ("conexa",)),
    Fact(("secret",), "digest where SHA-256 is announced", "MD5 is tried first", "han 3.1",
         "some firmware announces SHA-256 and means MD5", ("conexa",)),
    Fact(("list", "consistent"), "a capture lies beside its instant of the grid by at most",
         f"{CONEXA_EDGE.total_seconds():g} s", _CLIENTS, "lists are asked for wider by that and cut again",
         ("conexa",)),
    Fact(("unready",), "a signed profile is there after the begin of its contract within",
         f"{CONEXA_PROFILE.total_seconds():g} s", "bench", "it is made some minutes later, no document says how many",
         ("conexa",)),
    Fact(("trudi",), "supplier where none is told", NO_SUPPLIER, "bench", "the file needs one"),
    Fact(("trudi",), "daily values of a TAF-6 reach back", f"{LONGEST_DAILY.days} days", "han 5.6",
         "so many the use case has"),
)  # fmt: skip


def facts_of(product: str, uses: tuple[Use, ...]) -> Iterator[Fact]:
    """What a user of a product relies on who does this."""
    for fact in FACTS:
        if set(fact.uses) & set(uses) and fact.products in ((), (product,)):
            yield fact


def note_used(assume: Assume, product: str, uses: tuple[Use, ...]) -> None:
    """Note what is relied on."""
    for fact in facts_of(product, uses):
        of = fact.products[0].upper() + ", " if fact.products else ""
        assume(f"home interface, {of}{fact.name}", fact.value, fact.source, fact.why)


def note_every(assume: Assume, every_s: float, default_s: float) -> None:
    """Note how long the gateway is left alone between two logins, where it is at all."""
    if not every_s and not default_s:
        return
    name, why = "home interface, pause between two logins", "a PPC hangs when it is asked more often"
    if every_s == default_s:
        assume(name, f"{every_s:g} s", "han 2.1", why)
    else:
        assume(name, f"{every_s:g} s", "bench file, for han 2.1", f"overridden (default: {default_s:g} s); {why}")
