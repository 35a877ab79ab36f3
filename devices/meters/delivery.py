"""What comes with a meter on paper: the key that its first pairing needs (lmn-wired 3.2)."""

from __future__ import annotations

import hashlib
from typing import Final

KEY_OCTETS: Final = 16


def delivery_key(server_id: bytes) -> bytes:
    """The initial key M of an emulated meter, 16 octets, unless another is given.

    Makers draw theirs at random and hand them to the operator; here it follows from the id, so that bench files and
    scenarios need not name it, and two meters never share one.
    """
    return hashlib.sha256(b"delivery key of an emulated meter" + server_id).digest()[:KEY_OCTETS]
