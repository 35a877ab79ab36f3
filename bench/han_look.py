"""A look at a gateway's home interface before anything is run: is it there, is it the one, is it of the product.

Nothing but one request without credentials is sent where all is well; of a gateway that does not answer where its
product does, the places of the other products are asked as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from bench.applicability import not_applicable
from bench.config import BenchFile
from bench.han_models import HanOnBench, joined
from bench.products import ALL, gateway_type
from bench.scenario.loader import Case
from bench.scenario.source import Source
from devices.clock import Clock, run
from devices.errors import BenchError, UsageError
from devices.han.client import HanClient
from devices.han.conexa import ROOT
from devices.han.errors import CertificateChanged, HanError, HanUnreachable
from devices.han.login import Login
from devices.han.open import open_client
from devices.han.ppc import PATH

PLACES: Final = {"ppc": PATH, "conexa": ROOT, "casa": "/json/systeminformations"}
"""Product -> path at which its home interface asks for credentials; the others do not have it."""
_NOT_THERE: Final = frozenset((400, 404, 405, 410, 501))


class WrongPlace(BenchError):
    """What is reached is not what was named.

    Attributes:
        field: what of ``gateway`` in a bench file says so: ``type``, or a key of ``han`` behind ``han``.
        problem: what is wrong.
        right: the product that answers; empty where that is not the question.
    """

    def __init__(self, field: tuple[str, ...], problem: str, hint: str, right: str = "") -> None:
        super().__init__(f"{problem} ({hint})")
        self.field, self.problem, self.right = field, problem, right


async def look(clock: Clock, product: str, han: HanOnBench) -> None:
    """Raise WrongPlace unless a gateway of that product answers there, with the certificate that is named."""
    where = joined(*han.where)
    client = open_client(clock, product, han.settings(), Login("nobody"))
    try:
        await _ask(client, product, where)
    except CertificateChanged as error:
        raise WrongPlace(
            ("han", "fingerprint"),
            f"{where} shows the certificate {error.shown}, named is {error.expected}; nothing was sent to it",
            "look at the address; where the gateway has a new certificate, write its fingerprint",
        ) from None
    except HanUnreachable as error:
        advice = "look at cable, address and supply"
        if han.where[1] == HanOnBench.model_fields["port"].default:
            advice += f"; another port than {han.where[1]} stands behind a colon, such as {joined(han.where[0], 8443)}"
        raise WrongPlace(("han", "address"), str(error), advice) from None
    except HanError as error:
        raise WrongPlace(("han", "address"), f"{where} gives no answer of a {product}: {error}", _HINT) from None
    finally:
        await client.close()


_HINT: Final = "is it the address of the gateway?"


async def _ask(client: HanClient, product: str, where: str) -> None:
    answer = await client.raw("GET", PLACES[product], authenticate=False)
    maker = _by_number(client.link.number)
    if maker == product or (not maker and answer.status not in _NOT_THERE):
        return
    if not maker:
        for other in ALL:
            if other != product and (await client.raw("GET", PLACES[other], authenticate=False)).status == 401:
                maker = other
                break
    if maker:
        raise WrongPlace(("type",), f"{where} is a {maker}, not a {product}", f"write 'type: {maker}'", maker)
    problem = f"{where} is no {product}: it has no {PLACES[product]} (status {answer.status})"
    raise WrongPlace(("han", "address"), problem, f"{_HINT} And is 'type: {product}' right?")


def _by_number(number: str) -> str:
    """The product whose maker stands in a gateway's number; empty where none does."""
    return next((one for one in ALL if number and number.upper().startswith(gateway_type(one).device_id_prefix)), "")


def look_first(bench: BenchFile, source: Source, cases: Iterable[Case]) -> None:
    """Look at the gateway of a bench with one cable, if any of `cases` is for it.

    A gateway that the bench can switch off may be off now, and is not looked at.

    Raises:
        BenchError: it is not there, or another one; with the place in the bench file.
        UsageError: credentials that the bench file names cannot be read; with their place.
    """
    han, product = bench.gateway.han, bench.gateway.type
    if not isinstance(han, HanOnBench) or product is None or not bench.only_han:
        return
    if all(not_applicable(case, bench) is not None for case in cases):
        return
    try:
        han.login()
    except UsageError as error:
        named = next((one for one in ("password_env", "password_file", "certificate") if getattr(han, one)), "user")
        raise UsageError(error.message, place=source.place(("gateway", "han", named)), hint=error.hint) from None

    async def work() -> None:
        await look(Clock(asyncio.get_running_loop()), product, han)

    try:
        run(work(), virtual=False)
    except WrongPlace as error:
        raise BenchError(f"{source.place(('gateway', *error.field))}: '{error.field[-1]}': {error}") from None
