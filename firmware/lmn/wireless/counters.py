"""Transmission counters of radio meters: only what is greater counts, and power cuts do not take them back.

TR-03116-3 7.3: a receiver accepts only a counter that is strictly greater than the last one; after a loss of power
the stored one may be at most 12 h old (lmn-wireless 1). A counter is taken over after the MAC was found right, never
before; otherwise one forged telegram would lock the meter out (lmn-wireless 7).
"""

from __future__ import annotations

from firmware.own_clock import OwnClock
from firmware.storage.memory import NonVolatileMemory, setting_statement
from firmware.storage.writer import StorageWriter

STORED = "radio_counters"
"""Setting that holds meter -> last accepted counter."""


class Counters:
    """The last accepted counter of each meter.

    Args:
        memory: where they lie.
        writer: how they get there.
        own: the gateway's clock.
        store_interval_s: longest time that an accepted counter may wait to be stored; 0: with every telegram.
    """

    def __init__(
        self, memory: NonVolatileMemory, writer: StorageWriter, own: OwnClock, store_interval_s: float
    ) -> None:
        self._writer = writer
        self._own = own
        self._interval_us = round(store_interval_s * 1e6)
        self._last: dict[str, int] = dict(memory.setting(STORED, {}))
        self._stored_us: int | None = None

    def last(self, meter: str) -> int | None:
        """The last accepted counter, None: none yet."""
        return self._last.get(meter)

    def accept(self, meter: str, counter: int) -> None:
        """A telegram with that counter was authentic."""
        self._last[meter] = counter
        now_us = self._own.now_us()
        due = self._stored_us is None or not 0 <= now_us - self._stored_us < self._interval_us
        if due:
            self._stored_us = now_us
            self.store()

    def forget(self, meter: str) -> None:
        """The meter got a new key: it may count from the begin (TR-03116-3 7.1)."""
        if self._last.pop(meter, None) is not None:
            self.store()

    def store(self) -> None:
        """Hand all counters in for storage."""
        self._writer.put([setting_statement(STORED, self._last)])
