"""A look at a gateway's home interface before anything is run: is it there, is it the one, is it of the product.

Nothing but one request without credentials is sent where all is well; of a gateway that does not answer where its
product does, the places of the other products are asked as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from bench.applicability import not_applicable
from bench.config import BenchFile
from bench.han_models import HanOnBench, joined
from bench.products import ALL, gateway_type
from bench.scenario.loader import Case
from bench.scenario.source import Source
from devices.clock import Clock, run
from devices.errors import BenchError, UsageError
from devices.han.casa import in_lockdown, is_locked
from devices.han.client import HanClient
from devices.han.conexa import ROOT, TESTING
from devices.han.content import RawAnswer
from devices.han.errors import CertificateChanged, HanError, HanUnreachable
from devices.han.login import Login
from devices.han.open import open_client
from devices.han.ppc import PATH
from devices.han.ppc_pages import Page

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
_LATER: Final = {
    ("conexa", 403): f"Of a conexa it means that {TESTING}: try again then.",
    ("ppc", 500): "A ppc that was asked too often may say so: try again in 15 minutes.",
    ("casa", 503): "A casa in soft lock-down lets nobody in: ask its administrator.",
}
"""Product and status -> what it may mean, where the answer does not show whose it is."""


async def _ask(client: HanClient, product: str, where: str) -> None:
    place = PLACES[product]
    answer = await client.raw("GET", place, authenticate=False)
    maker = _by_number(client.link.number)
    if maker == product or (not maker and await _answers(client, product, answer)):
        return
    if not maker:
        for other in ALL:
            if other != product and _challenges(await client.raw("GET", PLACES[other], authenticate=False)):
                maker = other
                break
    if maker:
        raise WrongPlace(("type",), f"{where} is a {maker}, not a {product}", f"write 'type: {maker}'", maker)
    if answer.status in _NOT_THERE:
        problem = f"{where} is no {product}: it has no {place} (status {answer.status})"
    else:
        what = f"status {answer.status}" + (" without a digest challenge" if answer.status == 401 else "")
        problem = f"{where} does not answer as a {product}: {what} at {place}, where it asks for credentials"
    more = f" {_LATER[product, answer.status]}" if (product, answer.status) in _LATER else ""
    raise WrongPlace(("han", "address"), problem, f"{_HINT} And is 'type: {product}' right?{more}")


def _challenges(answer: RawAnswer) -> bool:
    """Whether it asks for a digest, as all products do (han 1)."""
    asked = [value for name, value in (*answer.fields, *answer.headers.items()) if name == "www-authenticate"]
    return answer.status == 401 and any(one.lower().startswith("digest ") for one in asked)


async def _answers(client: HanClient, product: str, answer: RawAnswer) -> bool:
    """Whether that is how a product answers without credentials: with a challenge, or with a refusal of its own."""
    if _challenges(answer):
        return True
    if product == "ppc":  # a login page, with status 200 (han 2.1)
        return answer.status == 200 and Page(answer.body, "look").failed
    if product == "casa":
        return is_locked(answer) or in_lockdown(answer)
    if answer.status == 307:
        return urlsplit(answer.headers.get("location", "")).path.startswith(f"{ROOT}/")
    if answer.status != 403:
        return False
    elsewhere = await client.raw("GET", PLACES["ppc"], authenticate=False)
    return elsewhere.status != 403  # only its own interface is closed while it tests itself (han 3.1)


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
