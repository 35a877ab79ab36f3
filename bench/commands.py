"""What the commands run, list and check do."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from bench.config import load_bench
from bench.interrupts import ending_signals
from bench.quantity import printable
from bench.scenario.loader import Case
from bench.selection import select
from bench.store import read_json
from bench.verdict import EXIT_BENCH, EXIT_CODES, EXIT_USAGE, Verdict
from devices.errors import BenchError, Place, UsageError

if TYPE_CHECKING:
    from bench.session import Session

DEFAULT_BENCH = "emulated"
DEFAULT_SEED = 1


def run(arguments: argparse.Namespace) -> int:
    """`smgw-bench run`."""
    from bench.live import listener_for
    from bench.session import Session

    resume = arguments.resume is not None
    folder = _folder(arguments)
    if resume:
        _take_up(arguments, folder)
    bench, source = load_bench(arguments.bench or DEFAULT_BENCH)
    if arguments.jobs < 1:
        raise UsageError(f"--jobs is a number of processes from 1 on, not {arguments.jobs}")
    if arguments.jobs > 1 and bench.real_parts():
        raise UsageError(
            f"--jobs {arguments.jobs} is not possible on this bench", hint="real equipment runs one case at a time"
        )
    cases = select(arguments)
    if bench.only_han:
        from bench.han_look import look_first

        look_first(bench, source, cases)
    seed = DEFAULT_SEED if arguments.seed is None else arguments.seed
    command = ["smgw-bench", "run", *sys.argv[2:]] if sys.argv[1:2] == ["run"] else ["smgw-bench", "run"]
    choice = {name: getattr(arguments, name) for name in ("bench", "keyword", "case", "gateway")}
    choice |= {"seed": seed, "paths": _absolute(arguments.paths)}
    session = Session(cases, bench, source.file, folder, seed, command, arguments.fail_fast, choice)
    listener = listener_for(sys.stdout, plain=arguments.plain, bench=bench)
    verdict, interrupted = Verdict.NONE, False
    with ending_signals() as signals:
        try:
            session.prepare(resume=resume)
            with listener:
                if bench.gateway.han is not None:
                    from bench.han_forecast import forecast

                    listener.tell(forecast(session.left(), bench))
                verdict = session.run(listener, jobs=arguments.jobs)
        except (KeyboardInterrupt, asyncio.CancelledError):
            signals.ignore()
            interrupted = True
            if not session.record:
                raise
            session.interrupted("interrupted", f"{signals.name}, while cases were running")
            session.finish()
        except BenchError as error:
            session.interrupted("stopped by bench trouble", str(error))
            print(f"smgw-bench: bench trouble: {error}", file=sys.stderr)
            print(f"go on with: smgw-bench run --resume {session.folder}", file=sys.stderr)
            with contextlib.suppress(BenchError):
                session.finish()
            return EXIT_BENCH
        finally:
            session.close()
        _close(session, interrupted=interrupted)
    return signals.exit_code if interrupted else _exit_code(session, verdict)


def _exit_code(session: Session, verdict: Verdict) -> int:
    """0 only when all that was to be run was run, and judged, and passed."""
    if verdict > Verdict.PASS:
        return EXIT_CODES[verdict]
    left = len(session.record.get("unfinished", ()))
    if left:
        print(f"smgw-bench: bench trouble: {counted(left, 'case')} not run to the end", file=sys.stderr)
        return EXIT_BENCH
    open_cases = session.record["counts"].get(str(Verdict.NONE), 0)
    if verdict is Verdict.NONE:
        print("smgw-bench: nothing was judged, so nothing has passed", file=sys.stderr)
    elif open_cases:
        print(f"smgw-bench: {counted(open_cases, 'case')} not judged: nothing was expected", file=sys.stderr)
        return EXIT_USAGE
    return EXIT_CODES[verdict]


def counted(count: int, word: str) -> str:
    """``1 case``, ``2 cases``."""
    return f"{count} {word}" + ("" if count == 1 else "s")


def _folder(arguments: argparse.Namespace) -> Path:
    """`--resume DIR`, or `--resume` together with `--out DIR`."""
    if arguments.resume is None:
        from bench.session import default_folder

        return Path(arguments.out or default_folder())
    if arguments.resume != Path():
        if arguments.out is not None and arguments.out != arguments.resume:
            raise UsageError("--out and --resume name two different folders")
        return Path(arguments.resume)
    if arguments.out is None:
        raise UsageError("--resume needs the run folder", hint="write '--resume DIR'")
    return Path(arguments.out)


def _take_up(arguments: argparse.Namespace, folder: Path) -> None:
    """A resumed run is the same run: what was chosen at its begin holds, and cannot be chosen anew."""
    choice = read_json(folder / "run.json").get("choice")
    if not isinstance(choice, dict):
        raise UsageError("run.json does not say what was chosen", place=Place(folder))
    for name in ("bench", "seed", "keyword", "case"):
        given = getattr(arguments, name)
        if given is not None and given != choice.get(name):
            raise UsageError(f"the run in {folder} was begun with another {name}", hint="leave the option away")
    if arguments.paths and _absolute(arguments.paths) != choice["paths"]:
        raise UsageError(f"the run in {folder} was begun with other scenarios", hint="leave them away")
    arguments.paths = [Path(path) for path in choice["paths"]]
    for name in ("bench", "seed", "keyword", "case", "gateway"):
        setattr(arguments, name, choice[name])


def _absolute(paths: list[Path]) -> list[str]:
    return [str(path.resolve()) for path in paths or [Path("scenarios")]]


def _close(session: Session, *, interrupted: bool) -> None:
    from bench.report.summary import closing_summary

    print(closing_summary(session.folder))
    print(f"report: {session.folder / 'report.html'}")
    if interrupted or session.record.get("unfinished") or session.record["counts"].get(str(Verdict.ERROR)):
        print(f"go on with: smgw-bench run --resume {session.folder}")


def list_scenarios(arguments: argparse.Namespace) -> int:
    """`smgw-bench list`."""
    cases = select(arguments)
    if arguments.json:
        print(json.dumps([_row(case) for case in cases], indent=1, ensure_ascii=False, default=str))
        return 0
    if arguments.cases:
        width = max(len(case.key) for case in cases)
        for case in cases:
            print(f"{case.key:{width}}  {printable(case.scenario.title)}")
        return 0
    by_scenario: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_scenario[case.scenario.id].append(case)
    width = max(len(name) for name in by_scenario)
    suite = None
    for name, group in by_scenario.items():
        if group[0].suite != suite:
            suite = group[0].suite
            print(f"\n{suite}" if suite else "")
        gateways = ", ".join(dict.fromkeys(case.gateway for case in group))
        print(f"  {name:{width}}  {printable(group[0].scenario.title)}  ({gateways}; {counted(len(group), 'case')})")
    print(f"\n{counted(len(by_scenario), 'scenario')}, {counted(len(cases), 'case')}")
    return 0


def _row(case: Case) -> dict[str, object]:
    scenario = case.scenario
    return {
        "key": case.key,
        "scenario": scenario.id,
        "title": scenario.title,
        "suite": case.suite,
        "gateway": case.gateway,
        "parameters": case.parameters,
        "verifies": scenario.verifies,
        "needs": sorted(scenario.all_needs()),
        "file": str(case.source.file),
    }


def check(arguments: argparse.Namespace) -> int:
    """`smgw-bench check`."""
    from bench.applicability import not_applicable
    from bench.scenario.notes import notes

    bench = None if arguments.bench is None else load_bench(arguments.bench)[0]
    cases = select(arguments)
    scenarios = {case.scenario.id for case in cases}
    verb = "is" if len(scenarios) == 1 else "are"
    print(f"{counted(len(scenarios), 'scenario')} with {counted(len(cases), 'case')} {verb} in order")
    for text in dict.fromkeys(text for case in cases for text in notes(case)):
        print(f"  note: {printable(text)}")
    if bench is not None:
        print(f"bench {bench.name!r} is in order: it offers {', '.join(sorted(bench.capabilities())) or 'nothing'}")
        reasons = [(case.key, reason) for case in cases if (reason := not_applicable(case, bench)) is not None]
        for key, reason in reasons:
            print(f"  not applicable: {key}: {reason}")
        print(f"{len(cases) - len(reasons)} of {len(cases)} cases can be run on it")
    return 0
