"""A stick as an antenna: emulated meters send through it into the real air, and hear what it hears."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from devices.errors import BenchError
from devices.ports.radio import RadioMode, Reception
from devices.wmbus.airtime import airtime
from devices.wmbus.stick import Stick

QUEUE_LIMIT: Final = 64
"""Telegrams that may wait for the stick."""


class StickAntenna:
    """See `devices.ports.radio.Antenna`. Telegrams go out one after the other, each as soon as the stick can.

    Attributes:
        on_reception: called with what the stick hears.
        on_trouble: called when a telegram could not be sent.
        on_sent: called when the stick has said that it sent one.
        dropped: telegrams that found the queue full.
    """

    def __init__(self, stick: Stick) -> None:
        self.on_reception: Callable[[Reception], None] | None = None
        self.on_trouble: Callable[[BenchError], None] | None = None
        self.on_sent: Callable[[bytes, RadioMode], None] | None = None
        self.dropped = 0
        self._stick = stick
        self._queue: asyncio.Queue[tuple[bytes, RadioMode]] = asyncio.Queue(QUEUE_LIMIT)
        self._task = asyncio.get_running_loop().create_task(self._work())
        stick.on_frame = self._heard

    def send(self, telegram: bytes, mode: RadioMode) -> float:
        """Have a stripped telegram sent; returns seconds on the air. Raises ValueError for what is none."""
        seconds = airtime(telegram, mode)
        try:
            self._queue.put_nowait((telegram, mode))
        except asyncio.QueueFull:
            self.dropped += 1
            if self.on_trouble is not None:
                self.on_trouble(BenchError(f"the stick is too slow: {QUEUE_LIMIT} telegrams wait, one more is dropped"))
        return seconds

    def detach(self) -> None:
        """Nothing is received or sent any more."""
        self.on_reception = None
        self._task.cancel()

    def _heard(self, reception: Reception) -> None:
        if self.on_reception is not None:
            self.on_reception(reception)

    async def _work(self) -> None:
        while True:
            telegram, mode = await self._queue.get()
            try:
                await self._stick.send(telegram, mode)
            except BenchError as error:
                if self.on_trouble is not None:
                    self.on_trouble(error)
                continue
            if self.on_sent is not None:
                self.on_sent(telegram, mode)
