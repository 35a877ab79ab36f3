"""Power cuts at every commit of a busy morning, on all three products, in virtual time.

Each case runs the story of `cut_rack` once more, with a cut in the middle of one commit or right behind it, and goes on
to the end. What was committed before is there unchanged, nothing is half-done, and the gateway works as if nothing had
happened but for the instants at which it was away.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from functools import cache
from typing import Any

import cut_rack
import pytest

from devices.clock import VirtualLoop
from firmware.storage.writer import StorageWriter

PRODUCTS = ("ppc", "conexa", "casa")
PARTS = 4


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


@cache
def _uncut(product: str) -> cut_rack.Uncut:
    found: cut_rack.Uncut = _run(cut_rack.uncut(product))
    return found


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_story_is_busy(product: str) -> None:
    run = _uncut(product)
    assert len(run.ends) > 20
    assert len(run.rows["reading"]) == 9
    assert {row[3] for row in run.rows["derived"]} == {"first", "switch"}
    assert {"selftest_passed", "time_synchronised", "update_done"} <= run.events
    assert any(sql.startswith("DELETE FROM log") for done in run.statements for sql, _ in done)  # the book wraps
    assert "2.0.0" in {row[1] for row in run.rows["image"]}


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("product", PRODUCTS)
def test_a_cut_at_any_commit_loses_nothing_and_leaves_nothing_half_done(product: str, part: int) -> None:
    rng = random.Random(f"{product}")
    wrong = {}
    for at_s in cut_rack.instants(_uncut(product), rng)[part::PARTS]:
        found = _run(cut_rack.cut(product, (at_s, 3.0)))
        if found:
            wrong[at_s] = found
    assert wrong == {}


@pytest.mark.parametrize("product", PRODUCTS)
def test_cuts_at_any_instants_again_and_again(product: str) -> None:
    """Also while it starts, before it has written anything of the one before, and for longer than a quarter."""
    rng = random.Random(product)
    for _ in range(8):
        at_s, cuts = 0.0, []
        for _ in range(rng.randrange(2, 7)):
            at_s += rng.choice((1.5, 5.0, 20.0, 41.0, 47.0, 300.0, 800.0)) + rng.random()
            off_s = rng.choice((0.05, 1.0, 30.0)) + rng.random()
            cuts.append((at_s, off_s))
            at_s += off_s
        assert (cuts, _run(cut_rack.cut(product, *cuts))) == (cuts, [])


def test_the_harness_sees_a_memory_that_keeps_half_a_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it would find if commits were not atomic."""
    cut_whole = StorageWriter.cut

    def cut_half(self: StorageWriter) -> None:
        half = self._running[: len(self._running) // 2]
        cut_whole(self)
        self._memory.commit(half)

    found = _wrong_with(monkeypatch, "cut", cut_half)
    assert any("not what was committed" in one for one in found)


def test_the_harness_sees_a_memory_that_answers_before_it_has_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it would find if orders were acknowledged while their commit is under way."""
    flush = StorageWriter.flush

    async def hasty(self: StorageWriter) -> None:
        if not any("profile" in str(parameters) for _, parameters in self._running):
            await flush(self)

    found = _wrong_with(monkeypatch, "flush", hasty)
    assert "acknowledged and lost: profile of the second meter" in found


def test_the_harness_sees_readings_that_are_split_over_two_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it would find if a reading and its registers, or an entry and its head, were stored one after the other."""

    def start_one(self: StorageWriter) -> None:
        if self._held or self._dead or self._handle is not None or not self._waiting:
            return
        self._running = [self._waiting.pop(0)]
        if not self._waiting:
            self._running_waiters, self._waiters = self._waiters, []
        self._begun = self._clock.seconds()
        self._handle = self._clock.call_later(self._write_time_s, self._end)

    found = _wrong_with(monkeypatch, "_start", start_one, later=8)
    assert any("readings and their registers differ" in one for one in found)
    assert any("before the restart: system" in one for one in found)


def _wrong_with(monkeypatch: pytest.MonkeyPatch, name: str, worse: Any, later: int = 1) -> list[str]:
    """What the harness says of cuts shortly before the ends of the commits from 00:14 to 00:27 with a worse writer.

    Args:
        monkeypatch: puts `worse` into the writer.
        name: in the place of what.
        worse: what is put in.
        later: at so many instants for each commit, a commit's time apart.
    """
    ends = [at_s - 0.001 for at_s in _uncut("casa").ends if 240 < at_s < 1000]
    monkeypatch.setattr(StorageWriter, name, worse)
    cuts = [at_s + 0.01 * n for at_s in ends for n in range(later)]
    return [one for at_s in cuts for one in _run(cut_rack.cut("casa", (at_s, 3.0)))]
