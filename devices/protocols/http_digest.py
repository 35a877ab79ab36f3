"""HTTP digest access authentication, qop ``auth``: headers and arithmetic of both sides (RFC 2617, RFC 7616); sans-IO.

The gateway products ask with MD5 (han 1); newer CONEXA firmware announces SHA-256 (han 3.1).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Final

MD5: Final = "MD5"
SHA_256: Final = "SHA-256"
_HASHES: Final = {MD5: hashlib.md5, SHA_256: hashlib.sha256}
_ALGORITHMS: Final = {name.lower(): name for name in _HASHES}
LONGEST_HEADER: Final = 4096
"""Characters of an Authorization header that are read at all."""
LONGEST_CNONCE: Final = 64
"""Characters of a client's nonce; curl sends 44, others less."""
_PARAMETER: Final = re.compile(r'\s*([A-Za-z0-9_-]{1,32})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))\s*(?:,|$)')
_ESCAPED: Final = re.compile(r"\\(.)")
_COUNT: Final = re.compile(r"[0-9a-fA-F]{8}")
_HEX: Final = re.compile(r"[0-9a-fA-F]{32,64}")


class DigestError(ValueError):
    """An Authorization header that is no digest answer.

    Attributes:
        offset: character at which it stops making sense.
    """

    def __init__(self, reason: str, offset: int = 0) -> None:
        super().__init__(f"{reason} (character {offset})")
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Credentials:
    """A client's answer to a challenge.

    Attributes:
        username, realm, nonce, uri, response: as sent; `response` in hex.
        algorithm: ``MD5`` or ``SHA-256``; MD5 when the client names none.
        qop: ``auth``, or empty for the old form without it.
        count: nonce count as written, eight hexadecimal digits; empty without qop.
        cnonce: the client's nonce, empty without qop.
        opaque: as sent, empty without.
    """

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str = MD5
    qop: str = ""
    count: str = ""
    cnonce: str = ""
    opaque: str = ""


def challenge(realm: str, nonce: str, opaque: str, algorithm: str = MD5, *, stale: bool = False) -> str:
    """The value of a WWW-Authenticate header, in the order and with the quotes that han 2.1 shows."""
    text = f'Digest realm="{realm}",qop="auth",algorithm="{algorithm}",nonce="{nonce}",opaque="{opaque}"'
    return text + (",stale=true" if stale else "")


def parse_authorization(header: str) -> Credentials:
    """Read the value of an Authorization header.

    Raises:
        DigestError: another scheme, broken syntax, a parameter that is missing, twice or out of range.
    """
    if len(header) > LONGEST_HEADER:
        raise DigestError(f"longer than {LONGEST_HEADER} characters")
    if header[:7].lower() != "digest ":
        raise DigestError("not the scheme Digest")
    given = _parameters(header)
    missing = [name for name in ("username", "realm", "nonce", "uri", "response") if name not in given]
    if missing:
        raise DigestError(f"{missing[0]} is missing", len(header))
    algorithm = _ALGORITHMS.get(given.get("algorithm", MD5).lower())
    if algorithm is None:
        raise DigestError("an unknown algorithm", header.find("algorithm"))
    if not _HEX.fullmatch(given["response"]):
        raise DigestError("response is no hash", header.find("response"))
    qop = given.get("qop", "")
    if qop not in ("", "auth"):
        raise DigestError("another qop than auth", header.find("qop"))
    if qop and (not _COUNT.fullmatch(given.get("nc", "")) or "cnonce" not in given):
        raise DigestError("nc is not eight hexadecimal digits, or there is no cnonce", header.find("nc"))
    if qop and len(given["cnonce"]) > LONGEST_CNONCE:
        raise DigestError(f"cnonce is longer than {LONGEST_CNONCE} characters", header.find("cnonce"))
    return Credentials(
        given["username"],
        given["realm"],
        given["nonce"],
        given["uri"],
        given["response"].lower(),
        algorithm,
        qop,
        given["nc"] if qop else "",
        given["cnonce"] if qop else "",
        given.get("opaque", ""),
    )


def _parameters(header: str) -> dict[str, str]:
    found: dict[str, str] = {}
    place = 7
    while place < len(header):
        match = _PARAMETER.match(header, place)
        if match is None:
            raise DigestError("no parameter of the form name=value", place)
        name = match[1].lower()
        if name in found:
            raise DigestError(f"{name} is there twice", place)
        found[name] = match[3] if match[2] is None else _ESCAPED.sub(r"\1", match[2]) if "\\" in match[2] else match[2]
        place = match.end()
    return found


def ha1(username: str, realm: str, password: str, algorithm: str = MD5) -> str:
    """The hash that a server keeps in place of the password, hex. Raises KeyError for an unknown algorithm."""
    return _HASHES[algorithm](f"{username}:{realm}:{password}".encode(errors="surrogateescape")).hexdigest()


def response(secret: str, method: str, credentials: Credentials) -> str:
    """The response that belongs to credentials.

    Args:
        secret: `ha1` of the user, hex.
        method: of the request.
        credentials: their uri, nonce, count, cnonce, qop and algorithm count.
    """
    hashed = _HASHES[credentials.algorithm]
    ha2 = hashed(f"{method}:{credentials.uri}".encode(errors="surrogateescape")).hexdigest()
    middle = credentials.nonce
    if credentials.qop:
        middle += f":{credentials.count}:{credentials.cnonce}:{credentials.qop}"
    return hashed(f"{secret}:{middle}:{ha2}".encode(errors="surrogateescape")).hexdigest()


def matches(secret: str, method: str, credentials: Credentials) -> bool:
    """Whether the response was made with this secret; takes the same time either way."""
    return hmac.compare_digest(response(secret, method, credentials), credentials.response)
