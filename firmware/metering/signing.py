"""When values are signed: at once, or by further threads while the firmware goes on (wan-core 7.6: before storing).

OpenSSL gives the interpreter's lock away while it signs, so with `SignAhead` a second core takes most of the work. What
is signed comes back in the order in which it was handed in.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
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

    def close(self) -> None:
        """Give up what is under way."""


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

    def close(self) -> None:
        """Nothing is held."""


class _Turns:
    """How long threads keep the interpreter, for the whole process: `TURN_S` while anybody signs ahead."""

    def __init__(self) -> None:
        self._holders = 0
        self._usual_s = 0.0

    def quicken(self) -> None:
        if not self._holders:
            self._usual_s = sys.getswitchinterval()
            sys.setswitchinterval(TURN_S)
        self._holders += 1

    def slacken(self) -> None:
        self._holders -= 1
        if not self._holders:
            sys.setswitchinterval(self._usual_s)


_TURNS: Final = _Turns()


@dataclass(slots=True)
class _Batch:
    """Octets that are to be signed, the thread's work on them (None: without threads), and the caller's own."""

    octets: Sequence[bytes]
    done: Done
    future: Future[list[bytes]] | None
    signatures: list[bytes] | None = None

    def claim(self) -> bool:
        """The caller takes it, unless a thread has begun it or it is signed; returns whether it is the caller's now."""
        return self.signatures is None and (self.future is None or self.future.cancel())


class SignAhead:
    """Signs many batches in a row, later than they were submitted; batches are done in the thread of the caller.

    In a row, because evaluating and signing in turns make each other slower by a tenth (caches). A caller who would
    have to wait for a thread signs batches that nobody has begun, so that no core stands idle.

    Args:
        sign: makes one signature; called from several threads.
        threads: how many sign beside the caller; 0: it signs alone.
        depth: most batches under way; with more the caller signs down to half of them.
    """

    def __init__(self, sign: Sign, threads: int = 1, depth: int = 64) -> None:
        self._sign = sign
        self._depth = depth
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="sign") if threads else None
        self._under_way: deque[_Batch] = deque()
        self._begun = self._closed = False
        self.made = 0

    def submit(self, octets: Sequence[bytes], done: Done) -> None:
        """Sign later; after `close` nothing is signed any more."""
        if self._closed:
            return
        if self._pool is not None and not self._begun:
            self._begun = True
            _TURNS.quicken()
        self.made += len(octets)
        own = tuple(octets)
        self._under_way.append(_Batch(own, done, None if self._pool is None else self._pool.submit(self._all, own)))
        if len(self._under_way) > self._depth:
            self._work_down(self._depth // 2)

    def flush(self) -> None:
        """Sign or wait until nothing is under way."""
        self._work_down(0)

    def close(self) -> None:
        """Give up what is under way, end the threads, and let threads keep the interpreter as long as before."""
        self._under_way.clear()
        if self._begun and not self._closed:
            _TURNS.slacken()
        self._closed = True
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def _all(self, octets: Sequence[bytes]) -> list[bytes]:
        return [self._sign(one) for one in octets]

    def _work_down(self, left: int) -> None:
        """First sign what nobody has begun of all but the last `left` batches, then do these in their order."""
        for batch in tuple(islice(self._under_way, len(self._under_way) - left)):
            if batch.claim():
                batch.signatures = self._all(batch.octets)
        while len(self._under_way) > left:
            signatures = self._signed(self._under_way[0])
            self._under_way.popleft().done(signatures)

    def _signed(self, batch: _Batch) -> list[bytes]:
        if batch.signatures is not None:
            return batch.signatures
        if batch.claim():  # it came while others were done
            return self._all(batch.octets)
        assert batch.future is not None
        return batch.future.result()
