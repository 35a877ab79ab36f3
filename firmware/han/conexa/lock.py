"""The lock of the self-test: 600 s after an order none can be started ([CONEXA] E-4.4.3; han 3.4)."""

from __future__ import annotations

from firmware.han.desk import HanDesk
from firmware.han.users import HanUser
from firmware.selftest import Order


class SelfTestLock:
    """Orders self-tests, and tells how long none can be ordered.

    Args:
        desk: the gateway.
    """

    def __init__(self, desk: HanDesk) -> None:
        self._desk = desk

    @property
    def left_s(self) -> float:
        """Seconds until the next one can be ordered, 0: now."""
        again_s, lock_s = self._desk.selftest_again_s(), self._desk.product.selftest.lock_s or 0.0
        return 0.0 if again_s is None else min(lock_s, again_s - self._desk.now_s())

    async def order(self, user: HanUser) -> Order:
        """Order one; the result is in the consumer's log when this returns."""
        return await self._desk.order_selftest(user)
