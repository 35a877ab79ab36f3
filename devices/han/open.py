"""The client of a product, and what all of them tell by an answer."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from devices.clock import Clock
from devices.errors import UsageError
from devices.han.casa import CasaClient, is_locked
from devices.han.client import HanClient
from devices.han.conexa import ConexaClient
from devices.han.content import RawAnswer
from devices.han.errors import HanError
from devices.han.link import HanLink
from devices.han.login import Exchange, Login, Settings
from devices.han.ppc import PpcClient
from devices.han.ppc_pages import Page

CLIENTS: Final[dict[str, Callable[[HanLink], HanClient]]] = {
    "ppc": PpcClient,
    "conexa": ConexaClient,
    "casa": CasaClient,
}


def open_client(
    clock: Clock,
    product: str,
    settings: Settings,
    login: Login,
    *,
    rng: random.Random | None = None,
    on_exchange: Callable[[Exchange], object] | None = None,
    judge: Callable[[HanError], Exception] | None = None,
) -> HanClient:
    """The client of a product for one user; nothing is sent yet.

    Args:
        clock: for the times of the exchanges.
        product: ppc, conexa or casa.
        settings: where the gateway is, and which certificate it is known by.
        login: who asks.
        rng: makes client nonces; None: the system's.
        on_exchange: told of every request.
        judge: what is raised in place of HanUnreachable without a connection, and of CertificateChanged.
    """
    if product not in CLIENTS:
        raise UsageError(f"there is no home interface of {product!r}", hint=", ".join(CLIENTS))
    return CLIENTS[product](HanLink(clock, settings, login, rng=rng, on_exchange=on_exchange, judge=judge))


def login_refused(product: str, answer: RawAnswer) -> bool:
    """Whether an answer refuses the login and not what was asked for; a PPC does so by a page (han 2.1)."""
    by_page = product == "ppc" and answer.status == 200 and Page(answer.body, "login").failed
    return answer.status == 401 or is_locked(answer) or by_page
