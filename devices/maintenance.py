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
"""Default of `MaintenancePort`."""
MAX_LINE = 64_000_000
"""Octets of one answer: 15 months of values of several meters fit."""


class Refused(UsageError):
    """The emulated gateway understood the request and refuses it in the state that it is in.

    Attributes:
        answer: all that it said, such as the rules that an order breaks.
    """

    def __init__(self, message: str, answer: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.answer = answer or {}


class MaintenancePort:
    """Client of the maintenance port; several may ask at the same time, each request has a deadline.

    Args:
        clock: for deadlines.
        port: the bench's end.
        answer_within_s: seconds of bench time within which the emulation answers a request.
    """

    def __init__(self, clock: Clock, port: BytePort, answer_within_s: float = ANSWER_WITHIN_S) -> None:
        self._clock = clock
        self._port = port
        self._answer_within_s = answer_within_s
        self._number = 0
        self._received_octets = bytearray()
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        port.set_receiver(self._received)

    async def do(self, name: str, **fields: Any) -> dict[str, Any]:
        """Make the fault `name`.

        Raises:
            Refused: the gateway refuses it in its present state.
            UsageError: the emulation does not know it or its fields.
        """
        answer = await self._ask({"do": name, **fields})
        if not answer.get("ok"):
            text = f"the emulated gateway refuses {name!r}: {answer.get('error')}"
            raise Refused(text, answer) if answer.get("refused") else UsageError(text)
        return answer

    async def read(self, what: str, **fields: Any) -> dict[str, Any]:
        """Read ``log``, ``values`` or ``info`` from the memory of the emulated gateway."""
        answer = await self._ask({"read": what, **fields})
        if not answer.get("ok"):
            raise BenchError(f"the emulated gateway cannot give {what!r}: {answer.get('error')}")
        return answer

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request as it came, good or not, without its number."""
        answer = await self._ask(request)
        return {name: value for name, value in answer.items() if name != "id"}

    async def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        number = self._number
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        self._port.write(json.dumps({"id": number, **request}, default=str).encode() + b"\n")
        try:
            async with asyncio.timeout(self._answer_within_s):
                return await answer
        except TimeoutError:
            raise BenchError(f"the maintenance port did not answer within {self._answer_within_s:g} s") from None
        finally:
            del self._waiting[number]

    def _received(self, data: bytes) -> None:
        octets = self._received_octets
        octets += data
        if b"\n" not in data:
            if len(octets) > MAX_LINE:
                octets.clear()
                self._fail("the answer of the maintenance port is too long")
            return
        *lines, rest = bytes(octets).split(b"\n")
        octets[:] = rest
        for line in lines:
            if line.strip():
                self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            answer = json.loads(line)
        except ValueError:
            self._fail(f"the maintenance port answered what is no JSON: {line[:60]!r}")
            return
        number = answer.get("id") if isinstance(answer, dict) else None
        waiting = self._waiting.get(number) if isinstance(number, int) else None
        if waiting is not None and not waiting.done():  # a late answer to a request that was given up is let pass
            waiting.set_result(answer)

    def _fail(self, text: str) -> None:
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(BenchError(text))

    def close(self) -> None:
        """Let go of the port."""
        self._port.close()
