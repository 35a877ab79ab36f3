"""The maintenance port of an emulated gateway: JSON lines that make faults inside it and read its memory.

No real gateway has such a port. A bench that has it can do what a laboratory could only do with the device opened;
scenarios that use it say ``needs: emulated``.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from devices.clock import Clock
from devices.errors import BenchError, UsageError
from devices.ports.base import BytePort

ANSWER_WITHIN_S = 5.0
"""Seconds of bench time within which the emulation answers a request."""
MAX_LINE = 64_000_000
"""Octets of one answer: 15 months of values of several meters fit."""


class MaintenancePort:
    """Client of the maintenance port: one request at a time, each with a deadline.

    Args:
        clock: for deadlines.
        port: the bench's end.
    """

    def __init__(self, clock: Clock, port: BytePort) -> None:
        self._clock = clock
        self._port = port
        self._number = 0
        self._chunks: list[bytes] = []
        self._answer: asyncio.Future[dict[str, Any]] | None = None
        port.set_receiver(self._received)

    async def do(self, name: str, **fields: Any) -> dict[str, Any]:
        """Make the fault `name`; UsageError when the emulation does not know it or its fields."""
        answer = await self._ask({"do": name, **fields})
        if not answer.get("ok"):
            raise UsageError(f"the emulated gateway refuses {name!r}: {answer.get('error')}")
        return answer

    async def read(self, what: str, **fields: Any) -> dict[str, Any]:
        """Read ``log``, ``values`` or ``info`` from the memory of the emulated gateway."""
        answer = await self._ask({"read": what, **fields})
        if not answer.get("ok"):
            raise BenchError(f"the emulated gateway cannot give {what!r}: {answer.get('error')}")
        return answer

    async def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        self._answer = asyncio.get_running_loop().create_future()
        self._chunks.clear()
        line = json.dumps({"id": self._number, **request}, default=str)
        self._port.write(line.encode() + b"\n")
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await self._answer
        except TimeoutError:
            raise BenchError(f"the maintenance port did not answer within {ANSWER_WITHIN_S:g} s") from None
        finally:
            self._answer = None

    def _received(self, data: bytes) -> None:
        self._chunks.append(data)
        if b"\n" not in data or self._answer is None or self._answer.done():
            return
        text = b"".join(self._chunks)
        self._chunks.clear()
        if len(text) > MAX_LINE:
            self._answer.set_exception(BenchError("the answer of the maintenance port is too long"))
            return
        for line in text.split(b"\n"):
            if line.strip():
                self._take(line)

    def _take(self, line: bytes) -> None:
        answer = json.loads(line)
        if self._answer is not None and not self._answer.done() and answer.get("id") in (self._number, None):
            self._answer.set_result(answer)

    def close(self) -> None:
        """Let go of the port."""
        self._port.close()
