"""Who may log in at the home interface: the communication profiles of consumers and technicians."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from devices.protocols.http_digest import MD5, SHA_256
from firmware.profiles.kinds import HanProfile, HanRole, Profile, Right

_LENGTHS: Final[Mapping[int, tuple[tuple[str, int, int], ...]]] = MappingProxyType(
    {16: ((MD5, 0, 16),), 32: ((SHA_256, 0, 32),), 48: ((MD5, 0, 16), (SHA_256, 16, 48))}
)
"""Octets of a stored password digest -> which hashes it holds: that of MD5, of SHA-256, or one behind the other."""


@dataclass(frozen=True, slots=True)
class HanUser:
    """Somebody at the home interface.

    Attributes:
        id: of the consumer, whose log and values they are, or of the technician.
        role: consumer or technician.
        login: user name for the digest.
        digests: algorithm -> hash of user name, realm and password, hex; empty without a password.
        fingerprints: SHA-256 of his certificates, hex.
        rights: what he may read and do.
    """

    id: str
    role: HanRole
    login: str
    digests: Mapping[str, str]
    fingerprints: frozenset[str]
    rights: tuple[Right, ...]

    def may(self, right: Right | None) -> bool:
        """Whether he may do what needs a right; a profile without rights leaves him all of his role (assumed)."""
        return right is None or not self.rights or right in self.rights


class Directory:
    """The users as the profiles say at this moment; one with password and certificate has two profiles.

    Args:
        profiles: gives the profiles in force, by id; another object when they have changed.
    """

    def __init__(self, profiles: Callable[[], Mapping[str, Profile]]) -> None:
        self._profiles = profiles
        self._read: Mapping[str, Profile] = {}
        self._users: tuple[HanUser, ...] = ()

    def users(self) -> tuple[HanUser, ...]:
        """All users; made anew when the profiles are others."""
        profiles = self._profiles()
        if profiles is not self._read:
            found: dict[tuple[HanRole, str], HanUser] = {}
            for one in profiles.values():
                if isinstance(one, HanProfile):
                    key = (one.role, one.user)
                    found[key] = _joined(found.get(key), one)
            self._read, self._users = profiles, tuple(found.values())
        return self._users

    def by_login(self, login: str) -> HanUser | None:
        """The user of that name who logs in with a password."""
        return next((one for one in self.users() if one.login == login and one.digests), None)

    def by_certificate(self, der: bytes, role: HanRole | None = None) -> HanUser | None:
        """The user whose certificate this is, as a technician or consumer, or as whichever comes first."""
        fingerprint = hashlib.sha256(der).hexdigest()
        return next((one for one in self.users() if fingerprint in one.fingerprints and role in (None, one.role)), None)

    def certificates(self) -> tuple[bytes, ...]:
        """All certificates that users have, DER."""
        found = (one.certificate for one in self._profiles().values() if isinstance(one, HanProfile))
        return tuple(dict.fromkeys(one for one in found if one is not None))


def _joined(known: HanUser | None, one: HanProfile) -> HanUser:
    octets = one.password_digest or b""
    digests = {name: octets[begin:end].hex() for name, begin, end in _LENGTHS.get(len(octets), ())}
    prints = frozenset() if one.certificate is None else frozenset((hashlib.sha256(one.certificate).hexdigest(),))
    if known is None:
        return HanUser(one.user, one.role, one.user, digests, prints, one.rights)
    rights = tuple(dict.fromkeys((*known.rights, *one.rights)))
    return HanUser(one.user, one.role, one.user, {**known.digests, **digests}, known.fingerprints | prints, rights)
