"""Who may read and who may delete log entries (wan-core 8.1, [CASA] 5.1); the matrix is in the gateway types."""

from __future__ import annotations

from devices.gateway_types.parts import Interface, Role
from firmware.logs.book import CONSUMER
from firmware.product import Product


def may_read(
    product: Product, book: str, role: Role, *, interface: Interface | None = None, user: str = "", owner: str = ""
) -> bool:
    """Whether somebody may read a log.

    Args:
        product: whose matrix.
        book: system, consumer or calibration.
        role: what he is.
        interface: where he asks; None: at any that his role has.
        user: id of the consumer who asks.
        owner: whose consumer log it is; a consumer reads his own alone.
    """
    interfaces = product.store(book).read.get(role, ())
    if not interfaces or (interface is not None and interface not in interfaces):
        return False
    return book != CONSUMER or role != "consumer" or (user != "" and user == owner)


def may_delete(product: Product, book: str, role: Role) -> bool:
    """Whether somebody may delete entries of a log: nobody, unless a maker's data say so.

    That old entries go when a book is full is the gateway's own doing (:mod:`firmware.logs.capacity`).
    """
    return role in product.store(book).delete
