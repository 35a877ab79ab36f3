"""What no document says of the products, and their clients here assume."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

CASA_SELFTEST: Final = "/selftest"
"""Path of the order on a CASA's portal, by POST; [CASA] 7.4 shows the button alone."""
CONEXA_EDGE: Final = timedelta(minutes=1)
"""How far a CONEXA's capture lies from its instant of the grid at most; spans are asked for wider by that and cut
again."""
CONEXA_PROFILE: Final = timedelta(hours=1)
"""How long after the begin of a contract a CONEXA may have no signed profile for it; it makes one within minutes."""
NO_SUPPLIER: Final = "unknown"
"""Supplier of a contract that tells none; a file for the transparency software needs one."""
