"""More hands for a session: worker processes that run cases of an emulated bench side by side."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

from bench.config import BenchFile
from bench.interrupts import ENDING_SIGNALS
from bench.runner import CaseResult, run_case
from bench.scenario.loader import Case
from devices.errors import BenchError

BACKLOG = 2
"""Cases that wait at each worker, so that none idles while the session itself runs a long one."""


class Crew:
    """Worker processes; the session hands them cases and takes their results while it runs cases itself.

    Args:
        workers: number of processes beside the session's own.
        bench: emulated bench, of which every process makes its own.
    """

    def __init__(self, workers: int, bench: BenchFile) -> None:
        self._bench = bench
        self._workers = workers
        self._pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_leave_interrupts)
        self._running: set[Future[CaseResult]] = set()

    def keep_busy(self, todo: deque[tuple[Case, Path, int, list[str]]]) -> None:
        """Hand over cases from the end of `todo`, which the session works off from the front."""
        while todo and len(self._running) < self._workers * BACKLOG:
            case, folder, seed, replay = todo.pop()
            self._running.add(self._pool.submit(_work, case, self._bench, folder, seed, replay))

    def done(self) -> list[CaseResult]:
        """Results that have come in since the last call."""
        finished = {future for future in self._running if future.done()}
        self._running -= finished
        return [_result(future) for future in finished]

    def rest(self) -> Iterator[CaseResult]:
        """The results that are still to come, as they come."""
        while self._running:
            finished, self._running = wait(self._running, return_when=FIRST_COMPLETED)
            for future in finished:
                yield _result(future)

    def close(self) -> None:
        """Send the workers home; what they have not begun is not begun."""
        self._pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def crew(jobs: int, bench: BenchFile) -> Iterator[Crew | None]:
    """A crew for `jobs` processes in all; None when the session works alone."""
    if jobs <= 1:
        yield None
        return
    workers = Crew(jobs - 1, bench)
    try:
        yield workers
    finally:
        workers.close()


def _result(future: Future[CaseResult]) -> CaseResult:
    try:
        return future.result()
    except BrokenProcessPool:
        raise BenchError("a process beside this one was killed") from None


def _leave_interrupts() -> None:
    """Ctrl-C and its kin are for the session: it lets its workers end their case."""
    for number in ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _work(case: Case, bench: BenchFile, folder: Path, seed: int, replay: list[str]) -> CaseResult:
    return run_case(case, bench, folder, seed=seed, replay=replay)
