"""What the bench needs for itself does not count against a gateway, and how long an exchange takes neither."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from bench.expect import Outcome
from bench.han_access import HanAccess
from bench.steps.han import HanStep
from bench.timeline import Timeline
from bench.verdict import Verdict
from devices.clock import Clock, run
from devices.han.content import Component, DeviceInfo, LogEntry
from devices.han.errors import LoginRefused
from devices.han.login import Login, Settings

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
_HOSTS = count()


class _Slow:
    """Every answer takes `takes_s`; it has a log entry, and takes logins, from `ready_s` on."""

    def __init__(self, clock: Clock, login: Login, takes_s: float, ready_s: float) -> None:
        self._clock, self._takes_s, self._ready_s = clock, takes_s, ready_s
        self.link = SimpleNamespace(login=login, certificate=b"", fingerprint="", number="")

    async def _answer(self) -> bool:
        """Whether it was ready when the request came."""
        ready = self._clock.seconds() >= self._ready_s
        await self._clock.sleep(self._takes_s)
        return ready

    async def login(self) -> None:
        await self._answer()

    async def logout(self) -> None:
        """Nothing."""

    async def device(self) -> DeviceInfo:
        now = self._clock.now()
        await self._answer()
        return DeviceInfo("", "1", components=(Component("all", "1"),), time=now)

    async def log(self) -> list[LogEntry]:
        at = self._clock.now()
        return [LogEntry(1, at, "INFO", "Selbsttest erfolgreich")] if await self._answer() else []

    async def close(self) -> None:
        """Nothing."""


class _Refusing(_Slow):
    async def login(self) -> None:
        if not await self._answer():
            raise LoginRefused("not yet")


def looked(
    monkeypatch: pytest.MonkeyPatch,
    step: dict[str, Any],
    *,
    real: bool,
    every: timedelta = SECOND,
    takes_s: float = 1.0,
    ready_s: float = 0.0,
    before: int = 0,
    kind: type[_Slow] = _Slow,
) -> tuple[Outcome, list[str]]:
    """Outcome of a step, and the pauses.

    Args:
        before: logins just before the step.
    """

    def opened(clock: Clock, product: str, settings: Settings, login: Login, **more: Any) -> Any:
        return kind(clock, login, takes_s, ready_s)

    monkeypatch.setattr("devices.han.open.open_client", opened)
    host = f"slow-{next(_HOSTS)}"
    found: list[Any] = []

    async def work() -> None:
        clock = Clock(asyncio.get_running_loop())
        timeline = Timeline(clock)
        users = {"consumer-1": Login("hks2", "a")}
        han = HanAccess(clock, timeline, "ppc", lambda: Settings(host), users, every=every, real=real)
        for _ in range(before):
            await han.client()
            await han.end(None)

        async def sleep_until(instant: float) -> None:
            await clock.sleep(max(0.0, instant - clock.seconds()))

        rig: Any = SimpleNamespace(
            clock=clock,
            timeline=timeline,
            han=han,
            bench=SimpleNamespace(gateway=SimpleNamespace(emulated=not real)),
            gateway_type=None,
            raise_if_violated=lambda: None,
            sleep_until=sleep_until,
        )
        found.append(await HanStep.model_validate(step).run(rig))
        found.append([one.data["seconds"] for one in timeline.events if one.kind == "han_pause"])

    run(work(), virtual=True)
    return found[0], found[1]


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize(
    "step",
    [
        {"log": {"count": "at least 1"}},
        {"log": {"text": "Selbsttest"}},
        {"device": {"components": 1, "clock_within": "0 s"}},
        {"reachable": True},
        {"locked": False},
        {"log": {"text": "Selbsttest"}, "within": "0.5 s"},
    ],
    ids=str,
)
@pytest.mark.parametrize(("every", "takes_s"), [(SECOND, 1.0), (timedelta(minutes=15), 20.0)])
def test_an_answer_counts_as_of_when_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, step: dict[str, Any], every: timedelta, takes_s: float, real: bool
) -> None:
    outcome, pauses = looked(monkeypatch, step, real=real, every=every, takes_s=takes_s, before=1)
    assert (outcome.verdict, outcome.reason) == (Verdict.PASS, "")
    assert bool(pauses) == (every > 2 * takes_s * SECOND)  # a login and the device's answer were before


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize("kind", [_Slow, _Refusing])
def test_what_is_so_too_late_still_fails(monkeypatch: pytest.MonkeyPatch, kind: type[_Slow], real: bool) -> None:
    step: dict[str, Any] = {"log": {"text": "Selbsttest"}} if kind is _Slow else {"locked": False}
    for within, verdict in ((None, Verdict.FAIL), ("10 s", Verdict.FAIL), ("30 min", Verdict.PASS)):
        more = {} if within is None else {"within": within}
        outcome, _ = looked(monkeypatch, step | more, real=real, ready_s=600.0, kind=kind)
        assert (outcome.verdict, outcome.seen) == (verdict, outcome.seen)


def test_what_could_not_be_asked_in_time_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten minutes after the first look the session is over, and the next login is not yet due."""
    step = {"log": {"text": "Selbsttest"}, "within": "10 min"}
    outcome, pauses = looked(monkeypatch, step, real=True, every=timedelta(minutes=30), ready_s=300.0)
    assert (outcome.verdict, len(pauses)) == (Verdict.INCONC, 1)
    assert "could not look within" in outcome.reason
    never, _ = looked(monkeypatch, step, real=True, every=timedelta(minutes=30), ready_s=1e6)
    assert never.verdict is Verdict.FAIL
