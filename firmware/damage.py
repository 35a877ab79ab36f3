"""Damage that somebody who knows the gateway could do to what it stores (fault port): digests fit, signatures do not.

Plain flips of bits are in :meth:`firmware.storage.memory.NonVolatileMemory.flip_bit`.
"""

from __future__ import annotations

import random
from datetime import datetime

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

from devices.errors import UsageError
from firmware.config import Options
from firmware.metering import values
from firmware.security.certificates import certificate, make_certificates
from firmware.security.module import GW_WAN_SIG, SecurityModule, make_keys
from firmware.storage.memory import NonVolatileMemory, setting_statement

_NEWEST = 16


def forge_value(memory: NonVolatileMemory, rng: random.Random) -> str:
    """Change the number of one of the latest values, and its digest with it; only the signature tells. Gives which.

    Raises:
        UsageError: there is no number to change.
    """
    rows = memory.query(
        "SELECT meter, grid_s, position, value FROM entry WHERE kind = 'int' ORDER BY grid_s DESC, meter, position"
        f" LIMIT {_NEWEST}"
    )
    if not rows:
        raise UsageError("there is no value to forge", hint="let a meter be read before")
    meter, grid_s, position, value = rows[rng.randrange(len(rows))]
    where = (meter, grid_s)
    change = "UPDATE entry SET value = ? WHERE meter = ? AND grid_s = ? AND position = ?"
    memory.commit([(change, (str(int(value) + 1), *where, position))])
    (changed,) = (one for one in values.read(memory, meter, grid_s, grid_s + 1) if one.meter == meter)
    change = "UPDATE reading SET digest = ? WHERE meter = ? AND grid_s = ?"
    memory.commit([(change, (values.digest_of(changed), *where))])
    return f"value of {meter} at {grid_s}"


def exchange_key(memory: NonVolatileMemory, rng: random.Random) -> None:
    """The security module was exchanged: its key is another one."""
    other = _other_module(memory, rng)
    memory.keep_secret(GW_WAN_SIG, other.secret(GW_WAN_SIG) or b"")
    other.close()


def corrupt_key(memory: NonVolatileMemory, rng: random.Random) -> None:
    """A bit of the private key in the security module has flipped."""
    octets = bytearray(memory.secret(GW_WAN_SIG) or b"")
    if not octets:
        raise UsageError("the security module holds no key")
    key = load_der_private_key(bytes(octets), None)
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    end = bytes(octets).index(point)  # behind the private number stands the public point (RFC 5915)
    octets[rng.randrange(end - 24, end - 8)] ^= 1 << rng.randrange(8)
    memory.keep_secret(GW_WAN_SIG, bytes(octets))


def swap_certificate(
    memory: NonVolatileMemory, rng: random.Random, device_id: str, options: Options, now: datetime
) -> None:
    """The certificate of GW_WAN_SIG, with those above it, is that of another gateway's key."""
    other = _other_module(memory, rng)
    make_certificates(other, rng, device_id, options, now)
    memory.commit([
        setting_statement(name, other.setting(name))
        for (name,) in other.query("SELECT name FROM setting WHERE name >= 'certificate/' AND name < 'certificate0'")
    ])  # fmt: skip
    other.close()


def damage_certificate(memory: NonVolatileMemory, rng: random.Random) -> None:
    """A bit in the signature of the certificate has flipped; the digest of where it lies fits."""
    found = certificate(memory, GW_WAN_SIG)
    octets = bytearray(found.der)
    octets[len(octets) - 1 - rng.randrange(16)] ^= 1 << rng.randrange(8)
    name = f"certificate/{GW_WAN_SIG}"
    memory.commit([setting_statement(name, {**memory.setting(name), "der": octets.hex()})])


def _other_module(memory: NonVolatileMemory, rng: random.Random) -> NonVolatileMemory:
    other = NonVolatileMemory()
    make_keys(other, rng, SecurityModule(memory).curve)
    return other
