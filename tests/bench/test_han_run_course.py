"""What a run tells of its pauses between logins, what it waits for, and what it still knows when it goes on."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[1] / "han_clients"))

from han_stand_in import make_certificate, serving

from bench import han_access
from bench.applicability import not_applicable
from bench.config import BenchFile, load_bench
from bench.han_access import HanAccess
from bench.han_forecast import forecast, logins_of
from bench.han_pause import LAST, NOBODY, LastLogins
from bench.live import Display, PlainLines
from bench.scenario.loader import Case, load
from bench.session import Session
from bench.timeline import Event, Timeline
from devices.clock import Clock, run
from devices.errors import BenchError, UsageErrors
from devices.han.login import Login, Settings

HOME = Path(__file__).parents[2] / "scenarios" / "home"
DOCUMENT = Path(__file__).parents[2] / "docs" / "home-interface.md"
QUARTER = timedelta(minutes=15)
PAUSE = Event(0, 3.0, "note", "han_pause", {"seconds": 840.0, "until": "2026-04-03T18:26:30+00:00", "every": 900.0})


def cellar(product: str = "ppc", **more: Any) -> BenchFile:
    han = {"address": "ppc-9", "user": "anna", "password_env": "PASSWORD", **more}
    return BenchFile.model_validate({"name": "cellar", "gateway": {"type": product, "han": han}})


def applicable(bench: BenchFile) -> list[Case]:
    return [case for case in load([HOME]) if not_applicable(case, bench) is None]


def at(port: int, clock: Clock) -> tuple[HanAccess, Timeline, str]:
    timeline = Timeline(clock)
    settings = Settings("127.0.0.1", port)
    users = {"anna": Login("anna", "a")}
    access = HanAccess(clock, timeline, "ppc", lambda: settings, users, every=QUARTER, real=True)
    return access, timeline, f"127.0.0.1:{port}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_before_the_first_case_is_told_how_long_the_run_takes() -> None:
    bench = cellar()
    cases = applicable(bench)
    logins = sum(logins_of(case) for case in cases)
    assert logins >= len(cases) > 5
    about = round((logins - 1) / 4)
    assert forecast(cases, bench) == f"{len(cases)} cases, up to {logins} logins, 15 min apart: about {about} h"
    minutes = round((logins - 1) / 2)
    assert forecast(cases, cellar(every="30 s")).endswith(f"logins, 30 s apart: about {minutes} min")
    assert forecast(applicable(cellar("casa")), cellar("casa")) == ""
    described = DOCUMENT.read_text("utf-8")
    for bench in (cellar(), cellar(every="1 min")):
        assert forecast(cases, bench).partition(": ")[2] in " ".join(described.split())


@pytest.mark.parametrize(
    ("steps", "logins"),
    [
        ([{"han": {"contracts": 1}}, {"han": {"values": "all"}}], 1),
        ([{"han": {"reachable": True}}, {"han": {"contracts": 1}}], 2),
        ([{"han_sequence": "openhab"}, {"sequence_values": "openhab"}], 2),
        ([{"han": {"login": "consumer-1"}}, {"han": {"login": "consumer-1"}}, {"han": {"contracts": 1}}], 3),
        ([{"han": {"login": "consumer-1", "password": "wrong", "times": 4, "accepted": False}}], 4),
        ([{"han": {"contracts": 1}}, {"wait": "20 min"}, {"han": {"contracts": 1}}], 2),
        ([{"han": {"contracts": 1, "within": "31 min"}}], 3),
        ([{"han": {"contracts": 1}}, {"han": {"get": "/", "status": 200}}, {"han": {"contracts": 1}}], 3),
        ([{"han": {"get": "/", "status": 200, "anonymous": True}}, {"han": {"contracts": 1}}], 1),
    ],
)
def test_logins_are_counted_by_the_steps(tmp_path: Path, steps: list[Any], logins: int) -> None:
    file = tmp_path / "one.yaml"
    told = {"id": "T-1", "title": "logins", "gateways": ["ppc"], "needs": ["han"], "given": {"han": {"site": "own"}}}
    file.write_text(json.dumps({**told, "steps": steps}))
    (case,) = load([file])
    assert logins_of(case) == logins


def test_a_pause_is_told_while_it_lasts() -> None:
    local = datetime(2026, 4, 3, 18, 27, tzinfo=UTC).astimezone()
    expected = f"waiting until {local:%H:%M}: logins are 15 min apart (han.every)"
    case = applicable(cellar())[0]
    out = io.StringIO()
    with PlainLines(out) as plain:
        progress = plain.progress_of(case)
        assert progress is not None and progress.event is not None
        progress.event(PAUSE)
        progress.event(Event(1, 4.0, "han", "exchange", {}))
        assert out.getvalue() == f"{expected}\n"
    display = Display(io.StringIO(), cellar())
    display.begin_case(case, 1, 1)
    progress = display.progress_of(case)
    assert progress is not None and progress.event is not None
    progress.event(PAUSE)
    assert expected in picture(display)
    progress.event(Event(1, 843.0, "han", "exchange", {}))
    assert "waiting" not in picture(display)


def picture(display: Display) -> str:
    console = Console(file=io.StringIO(), width=120)
    with console.capture() as captured:
        console.print(display._picture())
    return captured.get()


async def test_a_login_that_nobody_heard_was_none_and_the_next_asks_first() -> None:
    clock = Clock(asyncio.get_running_loop())
    han, timeline, where = at(free_port(), clock)
    for known in (None, clock.now() - timedelta(minutes=16)):
        LAST.note(where, known)
        async with asyncio.timeout(10):
            with pytest.raises(BenchError, match="look at cable, address and supply"):
                await han.client()
        assert LAST.at(where) == known
    LAST.note(where, recent := clock.now() - timedelta(minutes=6))
    async with asyncio.timeout(10):  # not nine minutes
        with pytest.raises(BenchError, match="look at cable, address and supply"):
            await han.client()
    assert LAST.at(where) == recent
    assert not [one for one in timeline.events if one.kind == "han_pause"]


async def test_a_gateway_that_is_there_again_is_left_alone_for_the_rest_of_the_pause(tmp_path: Path) -> None:
    asked: list[Any] = []

    def handler(method: str, target: str, headers: Any, sent: bytes) -> Any:
        asked.append((target, "authorization" in {name.lower() for name in headers}))
        return 404, {}, b""

    clock = Clock(asyncio.get_running_loop())
    async with serving(handler, make_certificate(tmp_path, "gateway")) as port:
        han, timeline, where = at(port, clock)
        NOBODY.add(where)
        LAST.note(where, clock.now() - QUARTER + timedelta(seconds=1))
        await han.until_due()
        await han.close()
    assert asked == [("/", False)] and where not in NOBODY
    (pause,) = [one.data for one in timeline.events if one.kind == "han_pause"]
    assert 0 < pause["seconds"] <= 1 and pause["every"] == 900


def test_a_resumed_run_knows_its_last_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD", "geheim")
    file = tmp_path / "cellar.yaml"
    han = {"address": "ppc-9", "user": "anna", "password_env": "PASSWORD"}
    file.write_text(json.dumps({"name": "cellar", "gateway": {"type": "ppc", "han": han}}))
    bench, _ = load_bench(str(file))
    paused: list[float] = []

    async def work(after: float) -> None:
        clock = Clock(asyncio.get_running_loop())
        await clock.sleep(after)
        access, timeline, _ = at(9, clock)
        await access.pause()
        paused.extend(one.data["seconds"] for one in timeline.events if one.kind == "han_pause")

    for resume, after in ((False, 0.0), (True, 360.0)):
        fresh = LastLogins()  # as in a process of its own
        monkeypatch.setattr("bench.session.LAST", fresh)
        monkeypatch.setattr(han_access, "LAST", fresh)
        session = Session([], bench, file, tmp_path / "run", 1, [])
        session.prepare(resume=resume)
        run(work(after), virtual=True)
        session.close()
    assert paused == [540]
    assert list(json.loads((tmp_path / "run" / "logins.json").read_text())) == ["127.0.0.1:9"]


@pytest.mark.parametrize("text", ["", "[1]", '{"a": 3}', '{"a": "x"}', '{"a": "2026-01-05T00:00:00"}'])
def test_a_damaged_record_of_logins_stops_no_run(tmp_path: Path, text: str) -> None:
    (tmp_path / "logins.json").write_text(text)
    logins = LastLogins()
    logins.keep_in(tmp_path)
    assert logins.at("a") is None


def test_a_clock_that_was_set_back_makes_no_pause_longer() -> None:
    async def work() -> None:
        clock = Clock(asyncio.get_running_loop())
        access, timeline, where = at(11, clock)
        LAST.note(where, clock.now() + timedelta(days=3))
        await access.until_due()
        assert [one.data["seconds"] for one in timeline.events if one.kind == "han_pause"] == [900]

    run(work(), virtual=True)


def test_a_misspelt_key_is_told_before_the_one_that_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "cellar.yaml"
    file.write_text("name: x\ngateway:\n  type: ppc\n  han: {adress: 192.168.1.2, user: a, password_env: X}\n")
    with pytest.raises(UsageErrors) as caught:
        load_bench(str(file))
    assert "unknown key 'adress' (did you mean 'address'?)" in str(caught.value)
    assert f"{file}:4:9" in str(caught.value)
