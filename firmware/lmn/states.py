"""How far the gateway has come with one wired meter, as a table (lmn-wired 6)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final


class MeterState(Enum):
    """From nothing to values; the words are those of the maintenance port."""

    UNKNOWN = "unknown"
    """Not on the bus, or silent."""
    ADDRESSED = "addressed"
    """It has an address and answers presence checks."""
    LINKED = "linked"
    """A link is up, without certificates on both ends."""
    PAIRED = "paired"
    """A link is up and both ends hold certificates."""
    SECURED = "secured"
    """A TLS session stands."""
    READING = "reading"
    """Values came over the present link or session."""


class Sign(Enum):
    """What happens to a meter."""

    FOUND = "found"
    """It answered an invitation or a presence check."""
    LINKED = "linked"
    """UA came."""
    CERTIFIED = "certified"
    """Certificates are on both ends, from a pairing now or before."""
    SECURED = "secured"
    """The TLS handshake is done."""
    READ = "read"
    """A reading succeeded."""
    SESSION_OVER = "session over"
    """The TLS session ended or broke, the link stays."""
    UNPAIRED = "unpaired"
    """The certificates are of no use any more."""
    LINK_DOWN = "link down"
    """The link failed or is set up anew."""
    LOST = "lost"
    """Silent in a presence check, or it gave its address up."""


_S, _E = MeterState, Sign
_ON_THE_BUS = (_S.ADDRESSED, _S.LINKED, _S.PAIRED, _S.SECURED, _S.READING)
_WITH_LINK = (_S.LINKED, _S.PAIRED, _S.SECURED, _S.READING)

TRANSITIONS: Final[Mapping[tuple[MeterState, Sign], MeterState]] = MappingProxyType(
    {
        (_S.UNKNOWN, _E.FOUND): _S.ADDRESSED,
        (_S.ADDRESSED, _E.LINKED): _S.LINKED,
        (_S.LINKED, _E.CERTIFIED): _S.PAIRED,
        (_S.PAIRED, _E.SECURED): _S.SECURED,
        (_S.SECURED, _E.READ): _S.READING,
        (_S.LINKED, _E.READ): _S.READING,
        (_S.SECURED, _E.SESSION_OVER): _S.PAIRED,
        (_S.READING, _E.SESSION_OVER): _S.PAIRED,
        **{(state, _E.UNPAIRED): _S.LINKED for state in (_S.PAIRED, _S.SECURED, _S.READING)},
        **{(state, _E.LINK_DOWN): _S.ADDRESSED for state in _WITH_LINK},
        **{(state, _E.LOST): _S.UNKNOWN for state in _ON_THE_BUS},
    }
)
"""What a sign makes of a state; a pair that is not here changes nothing."""


def after(state: MeterState, sign: Sign) -> MeterState:
    """The state after `sign`."""
    return TRANSITIONS.get((state, sign), state)
