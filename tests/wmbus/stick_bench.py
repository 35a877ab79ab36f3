"""A stick's driver, its emulated other end and a cable that can be pulled, for the tests of both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from devices.clock import Clock
from devices.errors import BenchError
from devices.ports.base import BytePort
from devices.ports.memory import memory_pair
from devices.ports.pty import pty_pair
from devices.ports.radio import RadioMode, Reception
from devices.ports.serial import open_serial
from devices.wmbus.airtime import airtime
from devices.wmbus.emulated.base import EmulatedStick
from devices.wmbus.emulated.catalogue import EMULATED
from devices.wmbus.kinds import STICKS, make_stick
from devices.wmbus.stick import Receive, Reopening, StickDriver, StickReception

GAS = bytes.fromhex("2E4493157856341233037A2A0020255923C95AAA26D1B2E7493B013EC4A6F6D3529B520EDFF0EA6DEFC99D6D69EBF3")
"""The telegram of lmn-wireless 2.1, stripped."""
CONFIRM = bytes.fromhex("1706AE0C7856341201078078563412931533030A00000000")
"""CNF-IR to that meter (lmn-wireless 5.1)."""

assert CONFIRM[0] == len(CONFIRM) - 1
QUICK = Reopening(tries=40, first_s=0.05, factor=1.0)


class HandAntenna:
    """An antenna without air: a test says what is heard and sees what is sent."""

    def __init__(self, clock: Clock) -> None:
        self.on_reception: Callable[[Reception], None] | None = None
        self.sent: list[tuple[bytes, RadioMode]] = []
        self.detached = False
        self.busy = False
        self._clock = clock

    def send(self, telegram: bytes, mode: RadioMode) -> float:
        seconds = airtime(telegram, mode)
        if self.busy:
            raise ValueError("it is sending already")
        self.sent.append((telegram, mode))
        return seconds

    def hear(self, telegram: bytes, mode: RadioMode = RadioMode.T1, dbm: float = -64.0) -> None:
        if self.on_reception is not None:
            self.on_reception(Reception(self._clock.seconds(), telegram, mode, dbm))

    def detach(self) -> None:
        self.detached = True


@dataclass
class StickBench:
    """Driver and emulated stick with a cable between.

    Attributes:
        cable: memory or pty.
        kind: of the stick.
    """

    clock: Clock
    cable: str
    kind: str
    receive: Receive | None = None
    transparent: bool = False
    reopening: Reopening = QUICK
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.antenna = HandAntenna(self.clock)
        self.frames: list[StickReception] = []
        self.trouble: list[BenchError] = []
        self.recovered = 0
        self.opened = 0
        self._near: Callable[[int], BytePort] | None = None
        line = STICKS[self.kind].line
        self.emulated: EmulatedStick = EMULATED[self.kind](self.clock, self._socket(line), self.antenna, **self.options)
        self.stick: StickDriver[Any] = make_stick(
            self.clock,
            self.kind,
            lambda: self.open_at(line.baudrate),
            receive=self.receive,
            transparent=self.transparent,
            reopening=self.reopening,
        )
        self.stick.on_frame = self.frames.append  # type: ignore[assignment]
        self.stick.on_trouble = self.trouble.append
        self.stick.on_recovered = self._is_back

    def _is_back(self) -> None:
        self.recovered += 1

    def _socket(self, line: Any) -> BytePort:
        if self.cable == "pty":
            far, path = pty_pair(self.clock, line, name="stick")
            self._near = lambda baudrate: open_serial(path, type(line)(baudrate))
            return far
        near, end = memory_pair(self.clock, ("host", "stick"), line)
        ends = [near]

        def take(_: int) -> BytePort:
            if not ends:
                raise BenchError("host: the port is in use")
            return ends.pop()

        self._near = take
        return end

    def open_at(self, baudrate: int) -> BytePort:
        if self._near is None:
            raise BenchError("host: nothing is plugged in")
        self.opened += 1
        return self._near(baudrate)

    def pull(self) -> None:
        self._near = None
        self.emulated.pull_out()

    def put_back(self) -> None:
        self.emulated.plug_in(self._socket(self.emulated.line))

    async def open(self) -> StickBench:
        await self.stick.open(self.clock.deadline(10))
        return self

    async def until(self, condition: Callable[[], bool], within: float = 15.0) -> None:
        deadline = self.clock.deadline(within)
        while not condition():
            assert not deadline.passed, f"not in time; trouble: {self.trouble}"
            await self.clock.sleep(0.005)

    async def hear(self, telegram: bytes = GAS, mode: RadioMode = RadioMode.T1) -> StickReception:
        before = len(self.frames)
        self.antenna.hear(telegram, mode)
        await self.until(lambda: len(self.frames) > before)
        return self.frames[-1]

    def close(self) -> None:
        self.stick.close()
        self.emulated.close()
