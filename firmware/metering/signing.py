"""When values are signed: at once, or by further threads while the firmware goes on (wan-core 7.6: before storing).

OpenSSL gives the interpreter's lock away while it signs, so with `SignAhead` a second core takes most of the work. What
is signed comes back in the order in which it was handed in.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Protocol

Sign = Callable[[bytes], bytes]
Done = Callable[[list[bytes]], None]


TURN_S: Final = 50e-6
"""How long a thread keeps the interpreter while signing ahead: others need it for a moment after each signature."""


class Signer(Protocol):
    """Signs batches in their order.

    Attributes:
        made: signatures so far.
    """

    made: int

    def submit(self, octets: Sequence[bytes], done: Done) -> None:
        """Sign each of `octets`; `done` gets the signatures in the same order, at once or later."""

    def flush(self) -> None:
        """Return when all that was submitted is done."""


class SignAtOnce:
    """Signs in the thread of the caller.

    Args:
        sign: makes one signature.
    """

    def __init__(self, sign: Sign) -> None:
        self._sign = sign
        self.made = 0

    def submit(self, octets: Sequence[bytes], done: Done) -> None:
        """Sign and call `done` before this returns."""
        self.made += len(octets)
        done([self._sign(one) for one in octets])

    def flush(self) -> None:
        """Nothing is ever under way."""


class SignAhead:
    """Signs in threads of its own; batches are done in the thread of the caller, some later than they were submitted.

    Args:
        sign: makes one signature; called from several threads.
        threads: how many.
        depth: most batches under way; with more the caller waits.
    """

    def __init__(self, sign: Sign, threads: int = 2, depth: int = 64) -> None:
        self._sign = sign
        self._depth = depth
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="sign")
        self._under_way: deque[tuple[Future[list[bytes]], Done]] = deque()
        self._turn_s = sys.getswitchinterval()
        sys.setswitchinterval(TURN_S)
        self.made = 0

    def submit(self, octets: Sequence[bytes], done: Done) -> None:
        """Sign later; what is ready by now is done first."""
        self.made += len(octets)
        self._under_way.append((self._pool.submit(self._all, tuple(octets)), done))
        while len(self._under_way) > self._depth or self._under_way[0][0].done():
            self._finish()
            if not self._under_way:
                return

    def flush(self) -> None:
        """Wait for all batches under way."""
        while self._under_way:
            self._finish()

    def close(self) -> None:
        """Give up what is under way, end the threads, and let threads keep the interpreter as long as before."""
        sys.setswitchinterval(self._turn_s)
        self._under_way.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _all(self, octets: Sequence[bytes]) -> list[bytes]:
        return [self._sign(one) for one in octets]

    def _finish(self) -> None:
        future, done = self._under_way.popleft()
        done(future.result())
