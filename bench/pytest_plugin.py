"""Scenario files as pytest items: `pytest scenarios -k ... -n 2 --bench emulated --bench-out DIR`.

Each case (scenario, gateway type, parameters) is one item. Verdict pass passes, fail and inconc fail, error is an
error of the item's set-up; what is not applicable is skipped, and so is a case in which nothing was judged. A session
in which nothing at all was judged ends with exit code 2. With ``--bench-out`` the evidence stays and reports are
written.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.verdict import EXIT_BENCH, EXIT_USAGE

if TYPE_CHECKING:
    from bench.config import BenchFile
    from bench.runner import CaseResult
    from bench.scenario.loader import Case
    from bench.session import Session

_BENCH = pytest.StashKey[tuple["BenchFile", Path]]()
_SESSION = pytest.StashKey["Session"]()
_SKIPPED = pytest.StashKey[list[dict[str, str]]]()


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of cases, at least 1 is right")
    return int(text)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("smgw-bench", "test bench for smart meter gateways")
    group.addoption("--bench", default="emulated", metavar="NAME|FILE", help="bench that scenarios run on")
    group.addoption("--bench-out", default=None, metavar="DIR", help="keep the evidence in this run folder and report")
    group.addoption("--bench-seed", type=int, default=1, metavar="N", help="seed of all randomness")
    group.addoption(
        "--bench-sample",
        type=_at_least_one,
        default=None,
        metavar="N",
        help="at most N cases of each scenario (default: all)",
    )
    group.addoption("--gateway", default="all", metavar="TYPE", help="ppc, conexa, casa, several with commas, or all")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """Scenario files are those below a folder `scenarios`, and those named on the command line."""
    if file_path.suffix not in (".yaml", ".yml"):
        return None
    named = any(Path(str(arg).split("::")[0]).resolve() == file_path for arg in parent.config.args)
    if not named and "scenarios" not in file_path.parts:
        return None
    if not named and not _is_scenario(file_path):
        return None
    return ScenarioFile.from_parent(parent, path=file_path)


def _is_scenario(path: Path) -> bool:
    return path.is_file() and re.search(r"^steps\s*:", path.read_text("utf-8", "replace"), re.MULTILINE) is not None


class ScenarioFile(pytest.File):
    """One scenario file."""

    def collect(self) -> Iterator[ScenarioItem]:
        from bench.scenario.loader import cases_of
        from bench.scenario.source import read
        from bench.selection import wanted_devices
        from devices.errors import UsageError

        gateways = wanted_devices(self.config.getoption("--gateway"))
        try:
            cases = cases_of(read(self.path), gateways, _suite(self.path))
        except UsageError as error:
            raise self.CollectError(str(error)) from None
        for case in sample(cases, self.config.getoption("--bench-sample")):
            yield ScenarioItem.from_parent(self, name=case.key, case=case)


def sample(cases: Sequence[Case], most: int | None) -> Sequence[Case]:
    """At most so many of a scenario's cases, of as many devices as there is room for and from all over its parameters.

    The same ones every time, in their order; which devices a scenario is left with depends on its id. None: all.
    """
    if most is None or len(cases) <= most:
        return cases
    places: dict[str, list[int]] = {}
    for place, case in enumerate(cases):
        places.setdefault(case.gateway, []).append(place)
    turn = sum(cases[0].scenario.id.encode()) % len(places)
    devices = [*list(places.values())[turn:], *list(places.values())[:turn]]
    chosen: set[int] = set()
    for number, own in enumerate(devices[:most]):
        share = most // len(places) + (number < most % len(places)) or 1
        chosen.update(own[(part * len(own) // share + number) % len(own)] for part in range(min(share, len(own))))
    return [cases[place] for place in sorted(chosen)]


def pytest_report_header(config: pytest.Config) -> list[str]:
    """A sample is told: what it leaves out was not checked."""
    most = config.getoption("--bench-sample")
    return [] if most is None else [f"smgw-bench: a sample, at most {most} cases of each scenario"]


def _suite(path: Path) -> str:
    parts = path.parent.parts
    below = parts[parts.index("scenarios") + 1 :] if "scenarios" in parts else parts[-1:]
    return "/".join(below)


class NotPassed(Exception):
    """A case that failed or could not be decided."""

    def __init__(self, result: CaseResult) -> None:
        self.result = result
        super().__init__(f"{result.verdict}: {result.reason}")


class BenchTrouble(NotPassed):
    """A case that the bench could not carry out."""


class ScenarioItem(pytest.Item):
    """One case."""

    def __init__(self, *, case: Case, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.case = case
        self.user_properties.extend(
            [("key", case.key), ("scenario", case.scenario.id), ("suite", case.suite), ("gateway", case.gateway)]
        )
        from bench.products import clauses_of

        self.user_properties.extend(("verifies", clause) for clause in clauses_of(case.gateway, case.scenario.verifies))

    def setup(self) -> None:
        from bench.applicability import not_applicable

        bench, _ = _bench_of(self.config)
        reason = not_applicable(self.case, bench)
        if reason is not None:
            pytest.skip(f"not applicable: {reason}")

    def runtest(self) -> None:
        from bench.runner import run_case
        from bench.session import case_seed
        from bench.verdict import Verdict

        session = _session_of(self.config, self.case)
        result = run_case(
            self.case,
            session.bench,
            session.case_folder(self.case),
            seed=case_seed(session.seed, self.case),
            replay=session.replay(self.case),
        )
        self.user_properties.append(("verdict", str(result.verdict)))
        self.user_properties.append(("bench_s", result.bench_s))
        if result.verdict is Verdict.ERROR:
            raise BenchTrouble(result)
        if result.verdict is Verdict.NONE:
            pytest.skip("not judged: the scenario expects nothing")
        if result.verdict is not Verdict.PASS:
            raise NotPassed(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **kwargs: Any) -> Any:
        if not isinstance(excinfo.value, NotPassed):
            return super().repr_failure(excinfo, *args, **kwargs)
        result = excinfo.value.result
        lines = [f"{result.case.source.file}", f"verdict: {result.verdict}", f"reason: {result.reason}", ""]
        for step in result.steps:
            lines.append(f"{step.line:5}  {step.verdict:6} {step.started:12.3f} s  {step.sentence}")
            if step.seen:
                lines.append(f"{'':14}seen: {step.seen}")
        return "\n".join(lines)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, self.name


def _bench_of(config: pytest.Config) -> tuple[BenchFile, Path]:
    if _BENCH not in config.stash:
        from bench.config import load_bench
        from devices.errors import UsageError

        try:
            bench, source = load_bench(config.getoption("--bench"))
        except UsageError as error:
            raise pytest.UsageError(str(error)) from None
        config.stash[_BENCH] = (bench, source.file)
    return config.stash[_BENCH]


def _session_of(config: pytest.Config, case: Case) -> Session:
    """The run that the items of this process belong to; without --bench-out its folder is temporary."""
    if _SESSION not in config.stash:
        from bench.session import Session

        bench, file = _bench_of(config)
        seed = config.getoption("--bench-seed")
        config.stash[_SESSION] = Session([], bench, file, _folder(config), seed, ["pytest", *map(str, config.args)])
    return config.stash[_SESSION]


def _folder(config: pytest.Config) -> Path:
    out = config.getoption("--bench-out")
    if out is not None:
        return Path(out).resolve()
    factory = config._tmp_path_factory  # type: ignore[attr-defined]
    folder: Path = factory.mktemp("smgw-bench")
    return folder


def pytest_configure(config: pytest.Config) -> None:
    """The controlling process looks at the options and makes the run folder once, before workers fill it."""
    if hasattr(config, "workerinput"):
        return
    _check_options(config)
    config.pluginmanager.register(Judged(), "smgw-bench-judged")
    if config.getoption("--bench-out") is None:
        return
    from bench.session import Session
    from devices.errors import UsageError

    bench, file = _bench_of(config)
    session = Session([], bench, file, _folder(config), config.getoption("--bench-seed"), ["pytest"])
    try:
        session.prepare()
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[_SESSION] = session
    config.add_cleanup(session.close)
    config.pluginmanager.register(SkippedCases(config), "smgw-bench-skipped")


def _check_options(config: pytest.Config) -> None:
    """One message for a wrong option, instead of one for each case."""
    from bench.selection import wanted_devices
    from devices.errors import UsageError

    if config.getoption("--bench") != "emulated":
        _bench_of(config)
    if config.getoption("--gateway") != "all":
        try:
            wanted_devices(config.getoption("--gateway"))
        except UsageError as error:
            raise pytest.UsageError(f"--gateway: {error}") from None


def pytest_collection_finish(session: pytest.Session) -> None:
    """Look at a gateway at the end of one cable before the first case; workers, which it is not meant for, do not."""
    config = session.config
    cases = [one.case for one in session.items if isinstance(one, ScenarioItem)]
    if not cases or config.option.collectonly or hasattr(config, "workerinput"):
        return
    bench, _ = _bench_of(config)
    if not bench.only_han:
        return
    from bench.config import load_bench
    from bench.han_look import look_first
    from devices.errors import BenchError, UsageError

    try:
        look_first(bench, load_bench(config.getoption("--bench"))[1], cases)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
    except BenchError as error:
        pytest.exit(f"bench trouble: {error}", returncode=EXIT_BENCH)


class Judged:
    """Counts, in the controlling process, the cases that were judged: without any, nothing has passed."""

    def __init__(self) -> None:
        self.judged = self.not_judged = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = dict(report.user_properties)
        if report.when == "call" and "verdict" in told and "scenario" in told:
            self.judged += told["verdict"] != "none"
            self.not_judged += told["verdict"] == "none"

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.not_judged and not self.judged and session.exitstatus == 0 and session.testscollected:
            session.exitstatus = EXIT_USAGE

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.not_judged and not self.judged:
            terminalreporter.write_line("smgw-bench: nothing was judged, so nothing has passed")


class SkippedCases:
    """Keeps, in the controlling process, why cases were not applicable: workers tell it with their reports."""

    def __init__(self, config: pytest.Config) -> None:
        self.cases: list[dict[str, str]] = config.stash.setdefault(_SKIPPED, [])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = dict(report.user_properties)
        if report.when == "setup" and report.skipped and "scenario" in told and isinstance(report.longrepr, tuple):
            reason = str(report.longrepr[2]).removeprefix("Skipped: ").removeprefix("not applicable: ")
            self.cases.append({name: str(told[name]) for name in ("scenario", "key", "gateway")} | {"reason": reason})


def pytest_sessionfinish(session: pytest.Session) -> None:
    """The controlling process collects what was run into run.json and the reports."""
    config = session.config
    if config.getoption("--bench-out") is None or hasattr(config, "workerinput") or _SESSION not in config.stash:
        return
    from bench.session import finish_folder

    skipped = config.stash.get(_SKIPPED, list[dict[str, str]]())
    finish_folder(config.stash[_SESSION], skipped)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if config.getoption("--bench-out") is not None and not hasattr(config, "workerinput"):
        terminalreporter.write_line(f"smgw-bench report: {_folder(config) / 'report.html'}")
