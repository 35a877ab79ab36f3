"""Who writes faster into a pseudo-terminal than its line carries waits, as at a real line, and nothing is lost."""

from __future__ import annotations

import os
import threading

import pytest

from devices.clock import Clock
from devices.ports.base import LineSettings
from devices.ports.pty import pty_pair
from devices.ports.wire import QUEUE_LIMIT


@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_writer_that_is_faster_than_the_line_waits(clock: Clock) -> None:
    line = LineSettings(baudrate=4_000_000)
    port, path = pty_pair(clock, line)
    sent = os.urandom(QUEUE_LIMIT + 100_000)
    heard = bytearray()
    port.set_receiver(heard.extend)
    other = os.open(path, os.O_WRONLY | os.O_NOCTTY)

    def write() -> None:
        left = memoryview(sent)
        while left:
            left = left[os.write(other, left) :]

    began = clock.seconds()
    writer = threading.Thread(target=write)
    writer.start()
    while len(heard) < len(sent) and clock.seconds() - began < 30:
        await clock.sleep(0.05)
    writer.join()
    assert bytes(heard) == sent
    assert clock.seconds() - began >= line.seconds(len(sent)) * 0.95
    os.close(other)
    port.close()
