"""Signing ahead: many batches in a row, each done once and in order, whatever threads and errors do."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.metering.signing import SignAhead, SignAtOnce

PATIENCE_S = 10.0
"""Longest wait for another thread; then a test fails."""
THREADS = (0, 1, 2)


def signature(octets: bytes) -> bytes:
    """Stands for a signature."""
    return b"signed " + octets


def by_thread() -> bool:
    return threading.current_thread().name.startswith("sign")


@pytest.fixture(autouse=True)
def turns() -> Iterator[None]:
    """What threads take turns with is the same after a test as before."""
    before = sys.getswitchinterval()
    yield
    assert sys.getswitchinterval() == before


@dataclass
class Book:
    """What was submitted, and what came back, in the order of the calls."""

    signer: SignAhead
    numbers: Iterator[int] = field(default_factory=count)
    submitted: list[int] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    most_under_way: int = 0

    def submit(self, size: int = 1, then: Callable[[], None] = lambda: None) -> None:
        number = next(self.numbers)
        octets = [b"%d.%d" % (number, place) for place in range(size)]

        def done(signatures: list[bytes]) -> None:
            assert signatures == [signature(one) for one in wanted]
            assert threading.current_thread() is threading.main_thread()
            self.done.append(number)
            then()

        wanted = tuple(octets)
        self.submitted.append(number)
        self.signer.submit(octets, done)
        octets.clear()  # the caller may use his list again
        self.most_under_way = max(self.most_under_way, len(self.submitted) - len(self.done))


@given(
    threads=st.sampled_from(THREADS),
    depth=st.integers(0, 9),
    orders=st.lists(st.none() | st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=60),
)
@settings(max_examples=150, deadline=None)
def test_all_is_done_once_in_order_and_never_more_is_under_way_than_the_depth(
    threads: int, depth: int, orders: list[tuple[int, int] | None]
) -> None:
    """Batches of any size, each of which submits further ones when it is done; None: a flush in between."""
    signer = SignAhead(signature, threads, depth)
    book = Book(signer)

    def more(batches: int) -> None:
        for _ in range(batches):
            book.submit(2)

    for order in orders:
        if order is None:
            signer.flush()
            assert book.done == book.submitted
            continue
        size, further = order
        book.submit(size, partial(more, further))
        assert book.done == book.submitted[: len(book.done)]
    signer.flush()
    signer.close()
    assert book.done == book.submitted == list(range(len(book.submitted)))
    assert book.most_under_way <= depth
    assert signer.made == sum(size for size, _ in filter(None, orders)) + 2 * sum(n for _, n in filter(None, orders))


def test_without_threads_many_are_signed_in_a_row_before_they_are_done() -> None:
    seen = list[str]()

    def sign(octets: bytes) -> bytes:
        seen.append("sign")
        return octets

    signer = SignAhead(sign, 0, 8)
    for _ in range(8):
        signer.submit([b""], lambda signatures: seen.append("done"))
    assert seen == []
    signer.submit([b""], lambda signatures: seen.append("done"))
    assert seen == ["sign"] * 5 + ["done"] * 5  # down to half of the depth
    signer.flush()
    assert seen[10:] == ["sign"] * 4 + ["done"] * 4
    signer.close()


class Slow:
    """A signature of a thread that is held up, while the caller's own take no time."""

    def __init__(self) -> None:
        self.begun, self.free = threading.Event(), threading.Event()
        self.caller_signed = list[bytes]()

    def __call__(self, octets: bytes) -> bytes:
        if by_thread():
            self.begun.set()
            if not self.free.wait(PATIENCE_S):
                raise TimeoutError("the caller does not sign what the thread has not begun")
        else:
            self.caller_signed.append(octets)
            if len(self.caller_signed) == 4:
                self.free.set()
        return signature(octets)


def test_while_the_thread_is_busy_the_caller_signs_what_nobody_has_begun() -> None:
    sign = Slow()
    signer = SignAhead(sign, 1, 8)
    book = Book(signer)
    book.submit()
    assert sign.begun.wait(PATIENCE_S)
    for _ in range(8):
        book.submit()
    assert sign.caller_signed == [b"1.0", b"2.0", b"3.0", b"4.0"]
    assert book.done == [0, 1, 2, 3, 4]  # the caller's are ready, and wait for the thread's all the same
    signer.flush()
    signer.close()
    assert book.done == book.submitted


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_sign_while_the_caller_does_something_else(threads: int) -> None:
    """As many at a time as there are threads: each waits until the others have begun."""
    together = threading.Barrier(threads)

    def sign(octets: bytes) -> bytes:
        assert by_thread()
        together.wait(PATIENCE_S)
        signed.release()
        return signature(octets)

    signed = threading.Semaphore(0)
    signer = SignAhead(sign, threads, 8)
    book = Book(signer)
    for _ in range(threads):
        book.submit()
    for _ in range(threads):
        assert signed.acquire(timeout=PATIENCE_S)
    assert book.done == []  # in the caller's thread only, and he has not come back
    signer.flush()
    signer.close()
    assert book.done == book.submitted


class NoKeyError(Exception):
    """The security module refuses."""


@pytest.mark.parametrize("threads", THREADS)
def test_what_goes_wrong_in_a_signature_reaches_the_caller(threads: int) -> None:
    """And nothing behind it is done as if it had not been."""

    def sign(octets: bytes) -> bytes:
        if octets == b"1.0":
            raise NoKeyError(octets)
        return signature(octets)

    signer = SignAhead(sign, threads, 8)
    book = Book(signer)
    for _ in range(4):
        book.submit()
    with pytest.raises(NoKeyError, match=r"1\.0"):
        signer.flush()
    signer.close()
    assert book.done in ([], [0])


def test_what_goes_wrong_in_a_thread_reaches_the_caller() -> None:
    """The thread has it before the caller could take the batch himself."""
    begun = threading.Event()

    def sign(octets: bytes) -> bytes:
        assert by_thread()
        begun.set()
        raise NoKeyError(octets)

    signer = SignAhead(sign, 1, 8)
    book = Book(signer)
    book.submit()
    assert begun.wait(PATIENCE_S)
    with pytest.raises(NoKeyError):
        signer.flush()
    signer.close()
    assert book.done == []


@pytest.mark.parametrize("threads", THREADS)
def test_what_goes_wrong_in_what_is_done_loses_no_other_batch(threads: int) -> None:
    signer = SignAhead(signature, threads, 8)
    book = Book(signer)

    def fail() -> None:
        raise NoKeyError

    for number in range(5):
        book.submit(then=fail if number == 1 else lambda: None)
    with pytest.raises(NoKeyError):
        signer.flush()
    assert book.done == [0, 1]
    signer.flush()
    signer.close()
    assert book.done == book.submitted


@pytest.mark.parametrize("threads", THREADS)
def test_what_is_under_way_at_the_close_is_given_up_and_no_thread_is_left(threads: int) -> None:
    before = threading.active_count()
    signer = SignAhead(signature, threads, 8)
    book = Book(signer)
    for _ in range(5):
        book.submit()
    signer.close()
    signer.flush()
    assert book.done == []
    assert threading.active_count() == before
    signer.close()


def test_signing_at_once_does_each_batch_before_it_returns() -> None:
    signer = SignAtOnce(signature)
    got = list[list[bytes]]()
    signer.submit([b"a", b"b"], got.append)
    assert got == [[b"signed a", b"signed b"]]
    assert signer.made == 2
    signer.flush()


def test_two_that_are_closed_in_the_order_of_their_making_leave_the_turns_as_they_were() -> None:
    first, second = SignAhead(signature, 1), SignAhead(signature, 1)
    usual = sys.getswitchinterval()
    for one in (first, second):
        one.submit((b"a",), lambda signatures: None)
    first.close()
    assert sys.getswitchinterval() < usual
    second.close()
    second.close()
    assert sys.getswitchinterval() == usual


@pytest.mark.parametrize("threads", THREADS)
def test_after_the_end_nothing_is_signed_and_nothing_fails(threads: int) -> None:
    signer = SignAhead(signature, threads)
    signer.close()
    signer.submit((b"a",), lambda signatures: pytest.fail("it was closed"))
    signer.flush()
    assert signer.made == 0
