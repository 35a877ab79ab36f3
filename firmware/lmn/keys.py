"""Keys and certificates of wired meters, and the gateway's own; what is used has been stored before.

Everything lies in settings of the non-volatile memory: one for the gateway's certificates, one for each meter. What
cannot be read any more counts as never stored: the meter is then paired anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from devices.protocols.lmn_certificate import CertificateError, Identity, LmnCertificate, read_certificate
from firmware.storage.memory import NonVolatileMemory, Statement, setting_statement
from firmware.storage.writer import StorageWriter

OWN: Final = "lmn_certificates"
METER: Final = "lmn_meter "
"""With the server id in hex behind it."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """What one pairing hands over.

    Attributes:
        identity: certificate and key of the meter.
        own: fingerprint of the gateway's certificate that goes with it.
    """

    identity: Identity
    own: str


@dataclass(frozen=True, slots=True)
class MeterKeys:
    """What is kept of one meter.

    Attributes:
        counter: last counter of SYM that is known.
        operational: the key in force, None: the initial key.
        offered: random octets for a new operational key that were sent or are about to be; whether the meter has
            taken them is not known.
        paired: the pairing in force, None before the first.
        begun: a pairing that was begun; whether it is in force at the meter is not known.
        reset_ordered: a crypto reset was ordered and not acknowledged yet.
    """

    counter: int = 0
    operational: bytes | None = None
    offered: bytes | None = None
    paired: Pairing | None = None
    begun: Pairing | None = None
    reset_ordered: bool = False


class KeyStore:
    """Keys and certificates that outlive power cuts.

    Args:
        memory: where they lie.
        writer: how they get there.
    """

    def __init__(self, memory: NonVolatileMemory, writer: StorageWriter) -> None:
        self._memory = memory
        self._writer = writer
        self._meters: dict[bytes, MeterKeys] = {}
        self._current, self._own = self._load_own()

    @property
    def own(self) -> Identity | None:
        """The gateway's certificate for new pairings, None before the first."""
        return self._own.get(self._current)

    @property
    def own_fingerprint(self) -> str:
        """Fingerprint of that certificate."""
        return self._current

    def own_of(self, pairing: Pairing) -> Identity | None:
        """The gateway's certificate that goes with `pairing`, None when it is gone."""
        return self._own.get(pairing.own)

    def of(self, server_id: bytes) -> MeterKeys:
        """What is kept of a meter."""
        found = self._meters.get(server_id)
        if found is None:
            stored = _setting(self._memory, METER + server_id.hex())
            found = self._meters[server_id] = _meter(stored)
        return found

    async def put(self, server_id: bytes, keys: MeterKeys) -> None:
        """Store what is kept of a meter; it counts when it is stored."""
        await self._writer.commit([setting_statement(METER + server_id.hex(), _plain(keys))])
        self._meters[server_id] = keys

    async def forget(self, server_id: bytes) -> None:
        """Delete what is kept of a meter."""
        self._meters.pop(server_id, None)
        await self._writer.commit([("DELETE FROM setting WHERE name = ?", (METER + server_id.hex(),))])

    async def put_own(self, identity: Identity, meters: Iterable[bytes]) -> None:
        """Store a new certificate of the gateway, and forget those of the old that none of `meters` goes with."""
        fingerprint = certificate_of(identity).fingerprint
        needed = {pairing.own for one in meters for pairing in _pairings(self.of(one))} | {self._current}
        own = {name: one for name, one in self._own.items() if name in needed} | {fingerprint: identity}
        await self._writer.commit([_own_statement(fingerprint, own)])
        self._current, self._own = fingerprint, own

    def _load_own(self) -> tuple[str, dict[str, Identity]]:
        stored = _setting(self._memory, OWN)
        try:
            own = {name: _identity(one) for name, one in stored["certificates"].items()}
            return str(stored["current"]), own
        except (KeyError, TypeError, ValueError, AttributeError):
            return "", {}


def certificate_of(identity: Identity) -> LmnCertificate:
    """What the certificate of an identity says; raises CertificateError when it cannot be read."""
    return _read(identity.certificate)


@lru_cache(maxsize=256)
def _read(certificate: bytes) -> LmnCertificate:
    return read_certificate(certificate)


def _pairings(keys: MeterKeys) -> list[Pairing]:
    return [one for one in (keys.paired, keys.begun) if one is not None]


def _setting(memory: NonVolatileMemory, name: str) -> Any:
    try:
        return memory.setting(name)
    except ValueError:
        return None


def _own_statement(current: str, own: dict[str, Identity]) -> Statement:
    plain = {name: _plain_identity(one) for name, one in own.items()}
    return setting_statement(OWN, {"current": current, "certificates": plain})


def _plain_identity(identity: Identity) -> dict[str, str]:
    return {"certificate": identity.certificate.hex(), "key": identity.key.hex()}


def _identity(stored: dict[str, str]) -> Identity:
    identity = Identity(bytes.fromhex(stored["certificate"]), bytes.fromhex(stored["key"]))
    certificate_of(identity)
    return identity


def _plain_pairing(pairing: Pairing | None) -> dict[str, str] | None:
    return None if pairing is None else {**_plain_identity(pairing.identity), "own": pairing.own}


def _pairing(stored: dict[str, str] | None) -> Pairing | None:
    return None if stored is None else Pairing(_identity(stored), stored["own"])


def _plain(keys: MeterKeys) -> dict[str, Any]:
    return {
        "counter": keys.counter,
        "operational": None if keys.operational is None else keys.operational.hex(),
        "offered": None if keys.offered is None else keys.offered.hex(),
        "paired": _plain_pairing(keys.paired),
        "begun": _plain_pairing(keys.begun),
        "reset_ordered": keys.reset_ordered,
    }


def _octets(stored: str | None) -> bytes | None:
    return None if stored is None else bytes.fromhex(stored)


def _meter(stored: Any) -> MeterKeys:
    if stored is None:
        return MeterKeys()
    try:
        return MeterKeys(
            int(stored["counter"]),
            _octets(stored["operational"]),
            _octets(stored["offered"]),
            _pairing(stored["paired"]),
            _pairing(stored["begun"]),
            bool(stored["reset_ordered"]),
        )
    except (KeyError, TypeError, ValueError, CertificateError):
        return MeterKeys()
