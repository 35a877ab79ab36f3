"""Transmission counters of radio meters: only what is greater counts, and power cuts do not take them back.

TR-03116-3 7.3: a receiver accepts only a counter that is strictly greater than the last one; after a loss of power
the stored one may be at most 12 h old (lmn-wireless 1). A counter is taken over after the MAC was found right, never
before; otherwise one forged telegram would lock the meter out (lmn-wireless 7).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Final

from devices.errors import UsageError
from firmware.own_clock import OwnClock
from firmware.storage.memory import NonVolatileMemory, setting_statement
from firmware.storage.writer import StorageWriter

STORED = "radio_counters"
"""Setting that holds meter -> check sum of a key -> last counter that was accepted under it."""
LONGEST_S: Final = 43_200.0
"""So old a stored counter may be (TR-03116-3 7.3)."""
_KEYS_KEPT: Final = 16
"""Keys of one meter whose counters are kept."""


class Counters:
    """The last accepted counter of each meter under each of its keys: with a new key a meter may count from the begin
    (TR-03116-3 7.1), but when an old key comes back its telegrams do not.

    Args:
        memory: where they lie.
        writer: how they get there.
        own: the gateway's clock.
        store_interval_s: longest time that an accepted counter may wait to be stored; 0: with every telegram.

    Raises UsageError for a longer time than is allowed.
    """

    def __init__(
        self, memory: NonVolatileMemory, writer: StorageWriter, own: OwnClock, store_interval_s: float
    ) -> None:
        if not 0 <= store_interval_s <= LONGEST_S:
            raise UsageError(
                f"gateway option 'radio_counter_store_interval_s' cannot be {store_interval_s:g}",
                hint=f"0 to {LONGEST_S:g}: TR-03116-3 7.3 allows 12 h",
            )
        self._writer = writer
        self._own = own
        self._interval_us = round(store_interval_s * 1e6)
        stored: Mapping[str, Mapping[str, int]] = memory.setting(STORED, {})
        self._last: dict[str, dict[str, int]] = {meter: dict(by_key) for meter, by_key in stored.items()}
        self._timer: asyncio.TimerHandle | None = None

    def last(self, meter: str, key: bytes | None) -> int | None:
        """The last counter accepted under that key, None: none yet."""
        return self._last.get(meter, {}).get(_name(key))

    def accept(self, meter: str, key: bytes | None, counter: int) -> None:
        """A telegram with that counter was authentic under that key."""
        by_key = self._last.setdefault(meter, {})
        new = by_key.pop(_name(key), None) is None
        by_key[_name(key)] = counter
        while len(by_key) > _KEYS_KEPT:
            del by_key[next(iter(by_key))]
        if new or not self._interval_us:
            self.store()
        elif self._timer is None:
            self._timer = self._own.call_at(self._own.now_us() + self._interval_us, self.store)

    def forget(self, meter: str) -> None:
        """The meter got another key: what is owed under the one before is kept, for it may come back."""

    def store(self) -> None:
        """Hand all counters in for storage."""
        self.stop()
        self._writer.put([setting_statement(STORED, self._last)])

    def stop(self) -> None:
        """Nothing is stored later on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _name(key: bytes | None) -> str:
    """A key without telling it."""
    return "" if key is None else hashlib.sha256(b"radio counter" + key).hexdigest()[:16]
