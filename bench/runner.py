"""Runs one case on one bench, from `given` to verdict, and leaves the evidence in the case's folder."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.assembly import open_rig
from bench.config import BenchFile
from bench.expect import Measurement, Monitor, Outcome
from bench.interrupts import CASE_TASK
from bench.products import device_name, gateway_type
from bench.rig import Rig, Violated
from bench.scenario.loader import Case
from bench.store import write_json, write_scenario, write_text
from bench.timeline import Event, Timeline
from bench.verdict import Verdict, merge
from devices.clock import Clock, run, wall_seconds
from devices.errors import BenchError, DeviceError, UsageError

VERDICT_SCHEMA = "smgw-bench/verdict/1"
DEFAULT_TIME_LIMIT_S = 400 * 86400.0
"""Bench seconds after which any case is given up: more than the longest billing year in a scenario."""


@dataclass
class StepResult:
    """How one step went; the fields of ``steps`` in verdict.json."""

    index: int
    line: int
    action: str
    sentence: str
    started: float
    ended: float = 0.0
    verdict: str = "none"
    expected: str = ""
    seen: str = ""
    reason: str = ""


@dataclass
class CaseResult:
    """How one case went.

    Attributes:
        case: what was run.
        verdict: merged verdict.
        reason: why it is not pass.
        steps: what was done.
        monitors: what was watched.
        measurements: figures taken.
        assumed: facts relied on without certainty.
        wall_s: real seconds it took.
        bench_s: bench seconds it took.
        started: UTC bench time of the begin, ISO 8601.
        ended: UTC bench time of the end.
        told: what the gateway told of itself at its home interface, and where values were read.
    """

    case: Case
    verdict: Verdict = Verdict.NONE
    reason: str = ""
    steps: list[StepResult] = field(default_factory=list)
    monitors: list[dict[str, Any]] = field(default_factory=list)
    measurements: list[Measurement] = field(default_factory=list)
    assumed: list[dict[str, str]] = field(default_factory=list)
    wall_s: float = 0.0
    bench_s: float = 0.0
    started: str = ""
    ended: str = ""
    told: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """What a live display may listen to; every call is made while the case runs.

    Attributes:
        event: something was seen.
        step: a step begins.
    """

    event: Callable[[Event], None] | None = None
    step: Callable[[StepResult], None] | None = None


def run_case(
    case: Case, bench: BenchFile, folder: Path, *, seed: int, replay: list[str], progress: Progress | None = None
) -> CaseResult:
    """Run `case` and leave its evidence in `folder`, which is made.

    Whatever the case does ends in its verdict; BenchError is raised only when no evidence can be written.

    Args:
        seed: of all randomness.
        replay: command that repeats this case, for the report.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_scenario(case, folder)
    except OSError as error:
        raise BenchError(f"the case's folder {folder} cannot be made: {error.strerror}") from error
    result = CaseResult(case)
    begin = wall_seconds()
    main = _Run(case, bench, folder, seed, progress or Progress(), result)
    try:
        run(main.all(), virtual=bench.time == "virtual")
    except (BenchError, UsageError) as error:
        give_up(result, str(error))
    except Exception as error:  # a defect of the bench must not end the session, nor read as a device fault
        write_text(folder / "defect.txt", traceback.format_exc())
        give_up(result, f"defect in the bench: {type(error).__name__}: {error} (see defect.txt)")
    result.wall_s = round(wall_seconds() - begin, 6)
    write_json(folder / "verdict.json", _record(result, bench, folder, seed, replay))
    return result


def give_up(result: CaseResult, reason: str) -> None:
    """The bench could not carry the case through."""
    result.verdict, result.reason = Verdict.ERROR, reason
    if result.steps and not result.steps[-1].ended:
        result.steps[-1].verdict, result.steps[-1].reason = "error", reason


class _Run:
    """One run of one case, inside its event loop."""

    def __init__(
        self, case: Case, bench: BenchFile, folder: Path, seed: int, progress: Progress, result: CaseResult
    ) -> None:
        self.case, self.bench, self.folder, self.seed = case, bench, folder, seed
        self.progress, self.result = progress, result

    async def all(self) -> None:
        scenario = self.case.scenario
        if task := asyncio.current_task():
            task.set_name(CASE_TASK)
        clock = Clock(asyncio.get_running_loop(), scenario.given.time if self.bench.time == "virtual" else None)
        self.result.started = clock.now().isoformat()
        timeline = Timeline(clock, self.folder / "timeline.jsonl")
        if self.progress.event is not None:
            timeline.subscribe(self.progress.event)
        try:
            product = None if scenario.device else gateway_type(self.case.gateway)
            async with open_rig(clock, timeline, self.case, product, self.bench, self.folder, self.seed) as rig:
                try:
                    _heed_cancellation()
                    await self._judge(rig)
                except (BenchError, UsageError) as error:
                    give_up(self.result, str(error))
                finally:
                    self._conclude(rig)
        finally:
            self.result.ended = clock.now().isoformat()
            self.result.bench_s = round(clock.seconds(), 6)
            timeline.close()

    async def _judge(self, rig: Rig) -> None:
        scenario = self.case.scenario
        limit = scenario.time_limit.total_seconds() if scenario.time_limit else DEFAULT_TIME_LIMIT_S
        monitors = [
            Monitor(watch.expectation.condition(), watch.always is not None, self.case.source.line(("watch", index)))
            for index, watch in enumerate(scenario.watch)
        ]
        watching = asyncio.create_task(_watch(rig, monitors)) if monitors else None
        trouble: BenchError | UsageError | None = None
        try:
            async with asyncio.timeout(limit) as timeout:
                await self._steps(rig)
        except TimeoutError:
            if not timeout.expired():
                raise
            trouble = BenchError(f"the case was not done within its time limit of {limit:g} s")
        except (BenchError, UsageError) as error:
            trouble = error
        finally:
            ended = await _stop(watching)
        for monitor in monitors:
            await monitor.settle(rig)
        self._judge_monitors(monitors)
        trouble = trouble or rig.timeline.trouble  # what failed for want of an adapter says nothing about a device
        if trouble is not None or ended is not None:
            raise trouble or ended  # type: ignore[misc]

    async def _steps(self, rig: Rig) -> None:
        for index, step in enumerate(self.case.scenario.steps):
            _heed_cancellation()
            record = StepResult(
                index, self.case.step_line(index), step.key, step.sentence(), round(rig.clock.seconds(), 6)
            )
            self.result.steps.append(record)
            rig.timeline.add("step", "begin", {"index": index, "sentence": record.sentence})
            if self.progress.step is not None:
                self.progress.step(record)
            try:
                outcome = await step.run(rig)
            except Violated as violated:
                outcome = Outcome(Verdict.FAIL, reason=f"a monitor was violated: {violated}")
            except DeviceError as error:
                outcome = Outcome(Verdict.FAIL, reason=str(error))
            self._note(record, outcome, rig)
            if outcome.verdict >= Verdict.INCONC:
                self.result.reason = self.result.reason or f"step {index + 1}, line {record.line}: {outcome.reason}"
                break

    def _note(self, record: StepResult, outcome: Outcome, rig: Rig) -> None:
        record.ended = round(rig.clock.seconds(), 6)
        record.verdict, record.expected = str(outcome.verdict), outcome.expected
        record.seen, record.reason = outcome.seen, outcome.reason
        self.result.measurements.extend(outcome.measurements)
        self.result.verdict = merge((self.result.verdict, outcome.verdict))
        data = {"index": record.index, "verdict": record.verdict, "seen": record.seen, "reason": record.reason}
        rig.timeline.add("step", "end", data)

    def _judge_monitors(self, monitors: list[Monitor]) -> None:
        for monitor in monitors:
            verdict, reason = monitor.verdict, monitor.reason
            if verdict >= Verdict.INCONC:
                self.result.reason = self.result.reason or f"{monitor.sentence()}: {reason}"
            self.result.verdict = merge((self.result.verdict, verdict))
            self.result.monitors.append(
                {
                    "sentence": monitor.sentence(),
                    "line": monitor.line,
                    "verdict": str(verdict),
                    "reason": reason,
                    "undecided_s": round(monitor.undecided_s, 3),
                }
            )

    def _conclude(self, rig: Rig) -> None:
        self.result.assumed = [
            {"name": name, "value": value, "source": source, "why": why}
            for name, (value, source, why) in sorted(rig.assumed.items())
        ]
        self.result.told = rig.told()
        rig.timeline.add("verdict", str(self.result.verdict), {"reason": self.result.reason})


def _heed_cancellation() -> None:
    """End a case that was cancelled, where a driver that was being opened has swallowed that."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def _stop(watching: asyncio.Task[None] | None) -> Exception | None:
    """End the watch; returns what went wrong in it."""
    if watching is None:
        return None
    watching.cancel()
    ended = (await asyncio.gather(watching, return_exceptions=True))[0]
    return ended if isinstance(ended, Exception) else None


async def _watch(rig: Rig, monitors: list[Monitor]) -> None:
    """Look at all monitors whenever something happened or could have changed by the passing of time."""
    while True:
        known = len(rig.timeline.events)
        again = rig.clock.seconds() + 3600.0
        for monitor in monitors:
            soon = await monitor.check(rig)
            if monitor.violated_at is not None:
                rig.violate(f"{monitor.sentence()}; seen: {monitor.seen}")
                return
            if soon is not None:
                again = min(again, soon)
        await rig.timeline.changed(max(again, rig.clock.seconds() + 1e-6), known)


def _record(result: CaseResult, bench: BenchFile, folder: Path, seed: int, replay: list[str]) -> dict[str, Any]:
    case, scenario = result.case, result.case.scenario
    emulated = bench.service_adapter_emulated if scenario.device else bench.gateway.emulated
    return {
        "schema": VERDICT_SCHEMA,
        "evidence": sorted(path.name for path in folder.iterdir() if path.is_file() and path.suffix != ".part"),
        "key": case.key,
        "scenario": scenario.id,
        "suite": case.suite,
        "title": scenario.title,
        "purpose": scenario.purpose,
        "verifies": list(scenario.verifies),
        "gateway": {
            "type": case.gateway,
            "name": device_name(case.gateway),
            "emulated": emulated,
            **({"told": result.told} if result.told else {}),
        },
        "parameters": {name: json.loads(json.dumps(value, default=str)) for name, value in case.parameters.items()},
        "needs": sorted(scenario.all_needs()),
        "file": case.source.file.name,
        "started": result.started,
        "ended": result.ended,
        "bench_s": result.bench_s,
        "wall_s": result.wall_s,
        "verdict": str(result.verdict),
        "reason": result.reason,
        "steps": [asdict(step) for step in result.steps],
        "monitors": result.monitors,
        "measurements": [asdict(measurement) for measurement in result.measurements],
        "assumed": result.assumed,
        "seed": seed,
        "replay": replay,
    }
