"""What the gateway writes into a meter's key objects over TLS: an operational key, a crypto reset (lmn-wired 3.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

from devices.protocols.sml.messages import Value
from devices.protocols.sml.objects import CRYPTO_RESET, OPERATIONAL_KEY
from devices.protocols.sym import KEY_OCTETS, operational_key
from firmware.lmn.keys import KeyStore, MeterKeys
from firmware.lmn.object_writing import NOT_EXECUTED, WriteRefused, check_written, write_request
from firmware.lmn.sessions import TlsSession
from firmware.metering.registration import ActiveProfile
from firmware.unit import Unit


class KeyOrders:
    """The orders to one meter whose session stands. All raise LinkTrouble, LmnTlsError, SmlError, WriteRefused.

    Args:
        store: keys; what is sent is stored before.
        profile: of the meter, with its initial key.
        session: to it.
        unit: randomness and id of the gateway.
        next_request: numbers the requests.
    """

    def __init__(
        self,
        store: KeyStore,
        profile: ActiveProfile,
        session: TlsSession,
        unit: Unit,
        next_request: Callable[[], int],
    ) -> None:
        assert profile.key is not None
        self._initial = profile.key
        self._server_id = profile.server_id
        self._store = store
        self._session = session
        self._unit = unit
        self._next_request = next_request

    async def operational_key(self) -> bytes:
        """Give the meter an operational key; returns it.

        Octets that were offered before and not acknowledged are offered again, so that at most one key is in doubt.
        """
        keys = self._store.of(self._server_id)
        offered = keys.offered
        if offered is None:
            offered = self._unit.rng.randbytes(KEY_OCTETS)
            await self._store.put(self._server_id, replace(keys, offered=offered))
        try:
            await self._write(OPERATIONAL_KEY, offered)
        except WriteRefused:
            await self._store.put(self._server_id, replace(keys, offered=None))
            raise
        key = operational_key(self._initial, offered)
        await self._store.put(self._server_id, replace(keys, operational=key, offered=None))
        return key

    async def reset(self) -> None:
        """Put the meter back to its initial key, without certificates.

        A meter does that only for a while after its start or a new key; one that does not do it now gets a new key
        first.
        """
        try:
            await self._write(CRYPTO_RESET, True)
        except WriteRefused as refused:
            if refused.code != NOT_EXECUTED:
                raise
            await self.operational_key()
            await self._write(CRYPTO_RESET, True)
        await self._store.put(self._server_id, MeterKeys(counter=self._store.of(self._server_id).counter))

    async def _write(self, obis: bytes, value: Value) -> None:
        client = self._unit.config.device_id.encode()
        request = write_request(self._next_request(), client, self._server_id, obis, value)
        check_written(await self._session.ask(request, self._unit.options.lmn_pairing_patience_s))


def shown(key: bytes) -> str:
    """A key as logs name it: the begin of its hash, never itself."""
    return hashlib.sha256(key).hexdigest()[:8]
