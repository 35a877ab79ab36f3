"""Programs by the names that scenarios give them (han 2.4, 3.3, 4.2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal

from devices.errors import UsageError
from devices.han.errors import NotUnderstood
from devices.han.sequences import casa, conexa, ppc_current, ppc_lists
from devices.han.sequences.visit import NIST, Findings, Visit

Reach = Literal["all", "first", "contracts", "part", "none"]
"""How much a program reads: all registers of all meters, of the first meter, of the contracts that it picks, some
registers only, or none at all."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program.

    Attributes:
        product: whose interface it knows.
        run: its calls, in their order.
        reach: how much of what the user may see it reads.
        source: sign of the fact sheet, and what it does, in words.
        md5: it answers every challenge with MD5.
        curves: that it offers, None: brainpool too, as the transparency software does (han 1).
    """

    product: str
    run: Callable[[Visit], Awaitable[Findings]]
    reach: Reach
    source: str
    md5: bool = False
    curves: tuple[str, ...] | None = NIST


PROGRAMS: Final[dict[str, Program]] = {
    "ha-ppc-smgw": Program(
        "ppc", ppc_current.home_assistant, "first", "HA built-in: meterform, showMeterProfile, logout", md5=True
    ),
    "ha-ppc-smgw-library": Program(
        "ppc", ppc_current.library, "first", "HA with py-ppc-smgw: no token, swversions", md5=True
    ),
    "py-ppc-smgw-exports": Program(
        "ppc", ppc_lists.library_exports, "part", "LIB: exportMeterProfile, exportMeterValues", md5=True
    ),
    "node-red-contrib-smgw": Program(
        "ppc", ppc_current.node_red, "part", "NR: one nonce, nc 1, 2, 3, the page's structure, no logout", md5=True
    ),
    "ha-ppc-smgw-taf": Program(
        "ppc", ppc_lists.history, "first", "TR: showMeterValuesForm, showMeterValues of yesterday", md5=True
    ),
    "smgw-cms-data-extractor": Program(
        "ppc", ppc_lists.extractor, "all", "CMS: the saved export, read without ASN.1", md5=True
    ),
    "ha-lutarym-ppc-smgw": Program(
        "ppc", ppc_current.lutarym, "all", "LU: every meter and every tariff profile by regular expressions", md5=True
    ),
    "openhab": Program("ppc", ppc_current.open_hab, "first", "OH: showMeterValues from today to today", md5=True),
    "trudi-ppc": Program(
        "ppc", ppc_lists.transparency, "all", "TRuDI: versions, contracts, periods, values, log", curves=None
    ),
    "ha-theben": Program("conexa", conexa.home_assistant, "contracts", "HA: smgw-info, user-info, readings", md5=True),
    "ha-smgw": Program("conexa", conexa.own_lengths, "contracts", "LC: the same with length headers of its own"),
    "smgw-theben-conexa": Program("conexa", conexa.scripts, "none", "KL: smgw-info, two scripts by the redirect"),
    "old-uri-client": Program("conexa", conexa.keeps_the_old_uri, "none", "httpx: the redirect with the old digest"),
    "aiohttp-client": Program("conexa", conexa.databases, "none", "posts to the root, databases[0].channels"),
    "window-client": Program("conexa", conexa.walks_back, "part", "back in windows of 31 days, BEZUG and EINSP"),
    "trudi-conexa": Program(
        "conexa", conexa.transparency, "contracts", "TRuDI 1.0.6: JSON, all contracts", curves=None
    ),
    "ha-emh": Program("casa", casa.home_assistant, "all", "HA: origin list, /extended of each meter", md5=True),
    "emh-casa-go": Program("casa", casa.evcc, "first", "EG (evcc): TAF-1 contract, its sensor domain, /extended"),
    "trudi-casa": Program(
        "casa", casa.transparency, "all", "TRuDI: contracts, profiles, months, periods, log", curves=None
    ),
}
"""The calls ``getdata?request=...`` of TRuDI 1.0.3.6 (han 3.3) are not here: no source tells their answers' form."""


def program_named(name: str) -> Program:
    """A program. Raises UsageError for one that is not known."""
    if name not in PROGRAMS:
        raise UsageError(f"there is no program {name!r}", hint=", ".join(PROGRAMS))
    return PROGRAMS[name]


async def replay(program: Program, visit: Visit) -> Findings:
    """Run a program. Raises HanError, NotUnderstood where it would stumble over an answer of another shape."""
    try:
        return await program.run(visit)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise NotUnderstood("answer", f"{type(error).__name__}: {error}") from error
