"""What every driver of a wM-Bus stick does: the port, questions with deadlines, telegrams in, coming back when pulled.

    Stick         what who uses a stick may rely on
    StickDriver   base of the drivers; each adds its framing, its set-up and its way to send

A stick that is pulled out, falls silent or answers nonsense is trouble of the bench, never of the gateway.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar

from devices.clock import Clock, Deadline
from devices.errors import BenchError, UsageError
from devices.ports.base import BytePort, LineSettings, PortLost
from devices.ports.radio import RadioMode, Reception
from devices.protocols.wmbus_sticks.scanner import Heard, Noise, Scanner
from devices.wmbus.pause import Pause

ANSWER_S: Final = 0.5
"""How long an answer may take (assumed; drivers in use wait 0.1 s)."""
TRIES: Final = 2
"""How often a question is asked."""
SILENCE_S: Final = 0.1
"""A pause that no message has inside (assumed; USB adapters hold octets back for up to 16 ms)."""
SETTLE_S: Final = 0.03
"""How long a stick may take to do what it does not answer (assumed)."""
SET_UP_S: Final = 8.0
"""How long the set-up of a stick that is back may take."""
WATCH_S: Final = 60.0
"""How often a stick is asked whether it is still there, when nobody says otherwise (assumed)."""
_SHOWN = 12
_SENDERS: Final = "to send take an iM871A, AMB8465 or RC1180"

PortFactory = Callable[[], BytePort]
"""Opens the stick's port anew; BenchError when there is none."""


class Receive(Enum):
    """What a stick listens to; with NOTHING it only sends, and need not be switched back each time."""

    C_AND_T = "c+t"
    T = "t"
    C = "c"
    S = "s"
    NOTHING = "nothing"


class StickSilent(BenchError):
    """The stick does not answer, or not in its language."""


class StickRefused(BenchError):
    """The stick says no, or cannot do what was asked."""


@dataclass(frozen=True, slots=True)
class Reopening:
    """How a lost port is opened again.

    Attributes:
        tries: at most so many.
        first_s: pause before the first one.
        factor: each pause is so much longer.
        longest_s: but not longer than this.
    """

    tries: int = 20
    first_s: float = 0.5
    factor: float = 1.5
    longest_s: float = 10.0

    def pause(self, attempt: int) -> float:
        """Seconds before the attempt, from 0."""
        return min(self.longest_s, self.first_s * self.factor ** min(attempt, 64))


@dataclass(frozen=True, slots=True)
class StickReception(Reception):
    """A telegram through a stick.

    Attributes:
        stamp: the stick's own time stamp as it counts, None: it sends none.
        mode_known: whether the stick said how the telegram was sent; else `mode` is a guess.
    """

    stamp: int | None = None
    mode_known: bool = True


class Stick(Protocol):
    """A stick, whatever it is. All calls come from the thread of the event loop.

    Attributes:
        name: kind and port, for messages.
        on_frame: called with each telegram.
        on_trouble: called when the stick is lost, and when it is given up; it comes back by itself in between.
        on_recovered: called when it is back.
    """

    name: str
    on_frame: Callable[[Reception], None] | None
    on_trouble: Callable[[BenchError], None] | None
    on_recovered: Callable[[], None] | None

    async def open(self, deadline: Deadline) -> None:
        """Open the port, make sure what sits there, set it up. Raises BenchError."""

    async def identify(self, deadline: Deadline) -> str:
        """Kind, firmware, number as the stick tells them. Raises BenchError."""

    async def send(self, stripped: bytes, mode: RadioMode, deadline: Deadline | None = None) -> None:
        """Send a telegram. Raises BenchError when the stick cannot, or does not say that it has."""

    async def reset(self, deadline: Deadline) -> None:
        """Start the stick anew and set it up. Raises BenchError."""

    def close(self) -> None:
        """Let go; may be called twice."""


M = TypeVar("M")

_MODES: Final = {
    "T1": RadioMode.T1,
    "C1": RadioMode.C1_A,
    "C1A": RadioMode.C1_A,
    "C1B": RadioMode.C1_B,
    "S1": RadioMode.S1,
}


class StickDriver(ABC, Generic[M]):
    """Base of the drivers; see Stick.

    Attributes:
        kind: as commands and bench files call it.
        title: as its maker calls it.
        line: how octets stand on its serial line.
        name: title and port.
        receive: what it listens to.
        heard: telegrams so far.
        noise: octets so far that belong to no message.
        last_noise: the latest of them.
        given_up: whether it stayed away for too long.
    """

    kind: ClassVar[str]
    title: ClassVar[str]
    line: ClassVar[LineSettings]
    listens: ClassVar[tuple[Receive, ...]]
    """What it can listen to, the usual first."""
    overhead: ClassVar[int] = 6
    """Octets around a telegram on the line, for its time."""

    def __init__(
        self,
        clock: Clock,
        open_port: PortFactory,
        *,
        receive: Receive | None = None,
        reopening: Reopening | None = None,
        watch_s: float | None = WATCH_S,
    ) -> None:
        """Prepare; `open` does the work.

        Args:
            clock: of the running loop.
            open_port: opens the port, also when the stick is put back.
            receive: what to listen to; None: what is usual for it.
            reopening: how often and how fast a lost port is opened again.
            watch_s: how often the stick is asked whether it is there; None: never.

        Raises UsageError for what it cannot listen to.
        """
        receive = receive or self.listens[0]
        if receive is Receive.NOTHING and receive not in self.listens:
            raise UsageError(f"{self.title} only receives", hint=_SENDERS)
        if receive not in self.listens:
            can = ", ".join(one.value for one in self.listens)
            raise UsageError(f"{self.title} cannot listen to {receive.value}", hint=f"it can to {can}")
        self.name = self.title
        self.on_frame: Callable[[Reception], None] | None = None
        self.on_trouble: Callable[[BenchError], None] | None = None
        self.on_recovered: Callable[[], None] | None = None
        self.receive = receive
        self.heard = 0
        self.noise = 0
        self.last_noise: Noise | None = None
        self.given_up = False
        self._clock = clock
        self._open_port = open_port
        self._reopening = reopening or Reopening()
        self._watch_s = watch_s
        self._port: BytePort | None = None
        self._scanner = self._make_scanner()
        self._pause = Pause(clock, SILENCE_S, self._silent)
        self._turn = asyncio.Lock()
        self._awaited: tuple[Callable[[M], bool], asyncio.Future[M]] | None = None
        self._ready = False
        self._closed = False
        self._last_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    # --- what a driver adds

    @abstractmethod
    def _make_scanner(self) -> Scanner[M]:
        """The framing of what comes from the stick."""

    @abstractmethod
    async def _identify(self, deadline: Deadline) -> str:
        """See identify."""

    @abstractmethod
    async def _set_up(self, deadline: Deadline) -> None:
        """Make the stick listen; its turn is taken."""

    @abstractmethod
    def _take(self, message: M) -> Sequence[Heard]:
        """The telegrams in a message that nobody asked for."""

    async def _check(self, deadline: Deadline) -> None:
        """Make sure that the stick is still there; its turn is taken."""
        await self._identify(deadline)

    async def _send(self, stripped: bytes, mode: RadioMode, deadline: Deadline) -> None:
        raise StickRefused(f"{self.name} only receives; {_SENDERS}")

    async def _reset(self, deadline: Deadline) -> None:
        """Start the stick anew; `_set_up` follows."""

    # --- Stick

    async def open(self, deadline: Deadline) -> None:
        """Open the port, make sure what sits there, set it up. Raises BenchError."""
        self._attach(self._open_port())
        try:
            async with self._turn:
                await self._set_up(deadline)
        except BaseException:
            self._detach()
            raise
        self._ready = True
        if self._watch_s is not None:
            self._start(self._watch(self._watch_s))

    async def identify(self, deadline: Deadline) -> str:
        """Kind, firmware, number as the stick tells them. Raises BenchError."""
        async with self._turn:
            return await self._identify(deadline)

    async def probe(self, deadline: Deadline) -> str:
        """Open the port, ask who is there, close it; nothing is set. Raises BenchError when it is another stick."""
        self._attach(self._open_port())
        try:
            return await self.identify(deadline)
        finally:
            self._detach()

    async def send(self, stripped: bytes, mode: RadioMode, deadline: Deadline | None = None) -> None:
        """Send a telegram.

        Args:
            stripped: first L, no link CRCs.
            mode: how.
            deadline: for everything that has to be said to the stick.

        Raises ValueError for what is no telegram, BenchError when the stick cannot, or does not say that it has.
        """
        if len(stripped) < 10 or stripped[0] != len(stripped) - 1:
            raise ValueError(f"{len(stripped)} octets that begin with {stripped[:1].hex()} are no telegram")
        if not self._ready:
            raise StickSilent(f"{self.name} is not there: it was pulled out, or not opened")
        async with self._turn:
            await self._send(stripped, mode, deadline or self._clock.deadline(2 * TRIES * ANSWER_S))

    async def reset(self, deadline: Deadline) -> None:
        """Start the stick anew and set it up. Raises BenchError."""
        async with self._turn:
            await self._reset(deadline)
            self._scanner.clear()
            await self._set_up(deadline)

    def close(self) -> None:
        """Let go; may be called twice."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        self._detach()

    # --- questions

    async def _ask(
        self,
        octets: bytes,
        wanted: Callable[[M], bool],
        what: str,
        deadline: Deadline,
        *,
        within_s: float = ANSWER_S,
        tries: int = TRIES,
    ) -> M:
        """Write `octets` and wait for the message that is wanted; again when nothing comes. Raises StickSilent."""
        noise = self.noise
        for _ in range(tries):
            future: asyncio.Future[M] = asyncio.get_running_loop().create_future()
            self._awaited = (wanted, future)
            try:
                self._write(octets)
                async with asyncio.timeout(min(within_s, deadline.remaining)):
                    return await future
            except TimeoutError:
                if deadline.passed:
                    break
            finally:
                self._awaited = None
        came = f"{self.noise - noise} octets that it does not say" if self.noise > noise else "nothing"
        if self.noise > noise and self.last_noise is not None:
            came += f" ({self.last_noise.octets[:_SHOWN].hex(' ')}...: {self.last_noise.reason})"
        raise StickSilent(
            f"{self.name}: no answer to {what}, {came} came; right would be {self._right()} at {self.line.baudrate} Bd"
        )

    def _right(self) -> str:
        article = "an" if self.title[0] in "AEIOUai" else "a"
        return f"{article} {self.title}"

    def _write(self, octets: bytes) -> None:
        if self._port is None:
            raise StickSilent(f"{self.name} is not there: it was pulled out, or not opened")
        self._port.write(octets)

    async def _tell_stick(self, octets: bytes) -> None:
        """Write what is not answered, and give the stick the time to take it."""
        self._write(octets)
        await self._clock.sleep(self.line.seconds(len(octets)) + SETTLE_S)

    # --- the line

    def _attach(self, port: BytePort) -> None:
        self._port = port
        self.name = f"{self.title} at {port.name}"
        self._scanner = self._make_scanner()
        port.on_lost = self._lost
        port.set_receiver(self._received)

    def _detach(self) -> None:
        self._ready = False
        self._pause.stop()
        port, self._port = self._port, None
        if port is not None:
            port.on_lost = None
            with contextlib.suppress(BenchError):
                port.close()

    def _received(self, octets: bytes) -> None:
        self._pause.touch()
        for event in self._scanner.feed(octets):
            self._event(event)

    def _silent(self) -> None:
        for event in self._scanner.silence():
            self._event(event)

    def _event(self, event: M | Noise) -> None:
        if isinstance(event, Noise):
            self.noise += event.count
            self.last_noise = event
            return
        if self._awaited is not None:
            wanted, future = self._awaited
            if not future.done() and wanted(event):
                future.set_result(event)
                return
        for telegram in self._take(event):
            self._hear(telegram)

    def _hear(self, heard: Heard) -> None:
        self.heard += 1
        if self.on_frame is None or not self._ready:
            return
        on_line = self.line.seconds(len(heard.telegram) + self.overhead)
        at_s = max(self._last_s, self._clock.seconds() - on_line)
        self._last_s = at_s
        mode = _MODES.get(heard.mode)
        self.on_frame(
            StickReception(
                at_s, heard.telegram, mode or RadioMode.T1, heard.rssi_dbm, heard.stamp, mode_known=mode is not None
            )
        )

    # --- loss and return

    def _lost(self, lost: PortLost) -> None:
        ready = self._ready
        for event in self._scanner.end():
            self._event(event)
        if self._awaited is not None and not self._awaited[1].done():
            self._awaited[1].set_exception(BenchError(f"{self.name}: {lost}"))
        self._detach()
        if not ready or self._closed:
            return
        if self._reopening.tries == 0:
            self.given_up = True
            self._tell(BenchError(f"{self.name} is gone ({lost})"))
        else:
            self._give_way(BenchError(f"{self.name} is gone ({lost}); it is opened again when it is back"))

    def _give_way(self, error: BenchError) -> None:
        """Tell trouble and try to come back."""
        self._start(self._reopen())
        self._tell(error)

    def _tell(self, error: BenchError) -> None:
        if self.on_trouble is not None:
            self.on_trouble(error)

    async def _reopen(self) -> None:
        last: BenchError | None = None
        for attempt in range(self._reopening.tries):
            await self._clock.sleep(self._reopening.pause(attempt))
            try:
                async with self._turn:
                    self._attach(self._open_port())
                    await self._set_up(self._clock.deadline(SET_UP_S))
            except BenchError as error:
                last = error
                self._detach()
                continue
            self._ready = True
            if self.on_recovered is not None:
                self.on_recovered()
            return
        self.given_up = True
        self._tell(BenchError(f"{self.name} did not come back in {self._reopening.tries} attempts: {last}"))

    async def _watch(self, period: float) -> None:
        while not self.given_up:
            await self._clock.sleep(period)
            if not self._ready:
                continue
            try:
                async with self._turn:
                    await self._check(self._clock.deadline(SET_UP_S))
            except BenchError as error:
                if self._ready:
                    self._detach()
                    self._give_way(BenchError(f"{error}; it is opened again"))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
