"""A session: many cases on one bench into one run folder, resumable, with reports at the end."""

from __future__ import annotations

import json
import os
import platform
import random
import shutil
import sys
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from bench.applicability import not_applicable
from bench.config import BenchFile
from bench.crew import crew
from bench.han_pause import LAST
from bench.runner import VERDICT_SCHEMA, CaseResult, Progress, run_case
from bench.scenario.loader import Case
from bench.scenario.source import fingerprint
from bench.store import RUN_SCHEMA, FolderLock, read_json, write_json
from bench.verdict import Verdict, merge
from devices.clock import wall_now
from devices.errors import BenchError, Place, UsageError

PACKAGES = ("smgw-bench", "pymodbus", "pyserial", "cryptography", "pydantic", "PyYAML", "rich", "pytest", "gpiod")


EARLIER = "earlier"
"""Folder, in that of a run, with what cases left that were run again because the bench's own trouble had ended them."""
DAMAGED = ".damaged"
"""Ending of the folder of a case whose verdict could not be read."""


class _Told:
    """Tells a listener, and keeps count."""

    def __init__(self, listener: Listener | None, total: int) -> None:
        self.worst = Verdict.NONE
        self._listener = listener
        self._total = total
        self._ended = 0

    def begin(self, case: Case) -> Progress | None:
        if self._listener is None:
            return None
        self._listener.begin_case(case, self._ended + 1, self._total)
        return self._listener.progress_of(case)

    def end(self, results: Iterable[CaseResult]) -> None:
        for result in results:
            self._ended += 1
            self.worst = max(self.worst, result.verdict)
            if self._listener is not None:
                self._listener.end_case(result, self._ended, self._total)


class Listener(Protocol):
    """Somebody who wants to know how a session goes on."""

    def begin_case(self, case: Case, number: int, total: int) -> None:
        """Case `number` of `total` begins."""

    def end_case(self, result: CaseResult, number: int, total: int) -> None:
        """A case is finished, the `number`-th of `total`; with several processes not the one that began last."""

    def progress_of(self, case: Case) -> Progress | None:
        """Callbacks for what happens inside the case, or None."""


@dataclass
class Session:
    """What is run and where it goes.

    Attributes:
        cases: in the order in which they are run.
        bench: on what.
        bench_file: its file.
        folder: run folder.
        seed: of all randomness.
        command: how it was started, for the report.
        fail_fast: stop behind the first case that does not pass.
        choice: what was chosen on the command line, so that a resumed run chooses the same.
    """

    cases: Sequence[Case]
    bench: BenchFile
    bench_file: Path
    folder: Path
    seed: int
    command: list[str]
    fail_fast: bool = False
    choice: dict[str, Any] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)
    _lock: FolderLock | None = None

    def prepare(self, *, resume: bool = False) -> None:
        """Make the run folder, or take up the one of a run that did not end; `close` lets go of it."""
        path = self.folder / "run.json"
        if resume:
            read_json(path)  # is it a run folder at all?
            self._lock = FolderLock(self.folder)
            self.record = read_json(path)
            self.seed = int(self.record["seed"])
            self._refuse_changes()
            broken = [case for case in self.cases if (row := self._row(case)) and row["verdict"] == str(Verdict.ERROR)]
            done = sum(self._row(case) is not None for case in self.cases) - len(broken)
            again = f"; run again after an error: {', '.join(case.key for case in broken)}" if broken else ""
            more = f" (what they left is in {EARLIER}/)" if broken else ""
            self.interrupted("resumed", f"{done} of {len(self.cases)} cases were finished{again}{more}")
            self._write()  # the note comes first: what is set aside is never without it
            self._set_aside(broken)
            self._drop_unfinished()
        else:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._lock = FolderLock(self.folder)
                if path.exists():
                    hint = "name another folder with --out, or go on with --resume"
                    raise UsageError("there is a run in this folder already", place=Place(self.folder), hint=hint)
                (self.folder / "cases").mkdir(exist_ok=True)
                shutil.copyfile(self.bench_file, self.folder / "bench.yaml")
            except OSError as error:
                raise UsageError(f"the run folder cannot be made: {error.strerror}", place=Place(self.folder)) from None
            self.record = self._new_record()
        LAST.keep_in(self.folder)
        self.record["process"] = os.getpid()
        self._write()

    def close(self) -> None:
        """Let go of the run folder; may be called twice."""
        if self._lock is not None:
            LAST.let_go()
            self._lock.release()
            self._lock = None

    def interrupted(self, kind: str, text: str) -> None:
        """Note in the record that the run did not go straight on."""
        when = wall_now().isoformat(timespec="seconds")
        self.record.setdefault("interruptions", []).append({"at": when, "kind": kind, "text": text})

    def _refuse_changes(self) -> None:
        """A run is of one version of its files: what was changed in between makes another run of it."""
        told, now = self.record.get("scenarios"), self._fingerprints()
        before: dict[str, Any] = told if isinstance(told, dict) else now
        hint = "begin a new run, or put the file back as it was"
        for file in dict.fromkeys([*before, *now]):
            if file not in now:
                raise UsageError("the scenario is gone since the run was begun", place=Place(file), hint=hint)
            if file not in before:
                raise UsageError("the scenario is new since the run was begun", place=Place(file), hint=hint)
            if before[file] != now[file]:
                raise UsageError("the scenario was changed since the run was begun", place=Place(file), hint=hint)
        try:
            same = (self.folder / "bench.yaml").read_bytes() == self.bench_file.read_bytes()
        except OSError as error:
            raise UsageError(f"the bench file cannot be compared: {error.strerror}", place=Place(self.folder)) from None
        if not same:
            raise UsageError("the bench was changed since the run was begun", place=Place(self.bench_file), hint=hint)

    def _fingerprints(self) -> dict[str, str]:
        return {str(case.source.file.resolve()): fingerprint(case.source.text) for case in self.cases}

    def _new_record(self) -> dict[str, Any]:
        now = wall_now()
        return {
            "schema": RUN_SCHEMA,
            "id": f"{now:%Y%m%dT%H%M%SZ}-{self.seed:08x}",
            "started": now.isoformat(timespec="seconds"),
            "finished": None,
            "seed": self.seed,
            "bench": {
                "name": self.bench.name,
                "title": self.bench.title,
                "time": self.bench.time,
                "emulated": not self.bench.real_parts() if self.bench.gateway.absent else self.bench.gateway.emulated,
                "file": "bench.yaml",
                **({"reached": reached} if (reached := self.bench.only_han) else {}),
            },
            "gateway": self.bench.gateway.model_dump(exclude_defaults=True, mode="json"),
            "versions": versions(),
            "host": {
                "system": platform.platform(),
                "python": platform.python_version(),
                "machine": platform.machine(),
            },
            "command": self.command,
            "choice": self.choice,
            "scenarios": self._fingerprints(),
            "cases": [],
            "not_tested": [],
            "counts": {},
            "interruptions": [],
        }

    def _set_aside(self, cases: Iterable[Case]) -> None:
        """Keep what cases left that the bench's own trouble ended; they are run again."""
        for case in cases:
            number = 1
            while (aside := self.folder / EARLIER / f"{case.folder}.{number}").exists():
                number += 1
            try:
                aside.parent.mkdir(exist_ok=True)
                self.case_folder(case).rename(aside)
            except OSError as error:
                raise BenchError(f"{aside} cannot be made: {error.strerror}") from error

    def _drop_unfinished(self) -> None:
        """Cases that were in flight are run again; one with a damaged verdict is kept aside and run again."""
        for folder in (self.folder / "cases").glob("*"):
            if not folder.is_dir() or folder.suffix == DAMAGED or _row_of(folder) is not None:
                continue
            if (folder / "verdict.json").exists():
                aside = folder.with_name(folder.name + DAMAGED)
                shutil.rmtree(aside, ignore_errors=True)
                folder.rename(aside)
                self.record["interruptions"][-1]["text"] += f"; damaged: {aside.name}"
            else:
                shutil.rmtree(folder)

    def left(self) -> list[Case]:
        """The cases that can be run on this bench and are not finished."""
        return [case for case in self.cases if self._row(case) is None and not_applicable(case, self.bench) is None]

    def run(self, listener: Listener | None = None, *, jobs: int = 1) -> Verdict:
        """Run what is not finished yet; returns the merged verdict of all.

        Args:
            listener: told how it goes on.
            jobs: processes that run cases side by side; more than one for emulated benches only.
        """
        self.record["not_tested"] = []
        todo: deque[tuple[Case, Path, int, list[str]]] = deque()
        for case in self.cases:
            reason = not_applicable(case, self.bench)
            if reason is not None:
                self.record["not_tested"].append(_not_tested(case, reason))
            elif self._row(case) is None:
                todo.append((case, self.case_folder(case), case_seed(self.seed, case), self.replay(case)))
        told = _Told(listener, len(todo))
        with crew(min(jobs, len(todo)), self.bench) as workers:
            while todo:
                if workers is not None:
                    workers.keep_busy(todo)
                    told.end(workers.done())
                    if not todo:
                        break
                case, folder, seed, replay = todo.popleft()
                progress = told.begin(case)
                result = run_case(case, self.bench, folder, seed=seed, replay=replay, progress=progress)
                told.end([result])
                if self.fail_fast and told.worst > Verdict.PASS and todo:
                    self.interrupted("stopped by --fail-fast", f"behind {case.key}, {_left(len(todo))}")
                    todo.clear()
            if workers is not None:
                for result in workers.rest():
                    told.end([result])
        return self.finish()

    def finish(self) -> Verdict:
        """Collect the verdicts of all finished cases into run.json and write the reports."""
        from bench.report import write_reports

        self.record["cases"] = [row for case in self.cases if (row := self._row(case)) is not None]
        done = {row["key"] for row in self.record["cases"]}
        missing = [c.key for c in self.cases if c.key not in done and not_applicable(c, self.bench) is None]
        self.record["unfinished"] = missing
        counts = Counter(row["verdict"] for row in self.record["cases"])
        self.record["counts"] = {**counts, "not applicable": len(self.record["not_tested"])}
        self.record["finished"] = None if missing else wall_now().isoformat(timespec="seconds")
        self._write()
        write_reports(self.folder)
        return merge(Verdict[row["verdict"].upper()] for row in self.record["cases"])

    def _row(self, case: Case) -> dict[str, Any] | None:
        return _row_of(self.case_folder(case))

    def case_folder(self, case: Case) -> Path:
        """Where the evidence of `case` goes."""
        return self.folder / "cases" / case.folder

    def replay(self, case: Case) -> list[str]:
        """The command that repeats `case` alone."""
        bench = str(self.bench.name if self.bench_file.parent.name == "benches" else self.bench_file)
        file = str(case.source.file)
        return ["smgw-bench", "run", file, "--case", case.key, "--bench", bench, "--seed", str(self.seed)]

    def _write(self) -> None:
        write_json(self.folder / "run.json", self.record)


def _not_tested(case: Case, reason: str) -> dict[str, str]:
    return {"scenario": case.scenario.id, "key": case.key, "gateway": case.gateway, "reason": reason}


def _row_of(folder: Path) -> dict[str, Any] | None:
    """The line of run.json about the case in `folder`; None while it is not finished."""
    try:
        record = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or record.get("schema") != VERDICT_SCHEMA:
        return None
    if record.get("verdict") not in [str(verdict) for verdict in Verdict]:
        return None
    told = ("key", "suite", "scenario", "title", "parameters", "verdict", "reason", "started", "wall_s", "bench_s")
    try:
        return {
            "folder": f"cases/{folder.name}",
            "gateway": record["gateway"]["type"],
            **{name: record[name] for name in told},
        }
    except (KeyError, TypeError):
        return None


def finish_folder(session: Session, not_tested: Sequence[dict[str, str]]) -> None:
    """End a run whose cases were run by other processes: what has a verdict is what was run."""
    from bench.report import write_reports

    session.record["not_tested"] = list(not_tested)
    rows = [_row_of(folder) for folder in sorted((session.folder / "cases").iterdir()) if folder.is_dir()]
    session.record["cases"] = [row for row in rows if row is not None]
    counts = Counter(row["verdict"] for row in session.record["cases"])
    session.record["counts"] = {**counts, "not applicable": len(not_tested)}
    session.record["finished"] = wall_now().isoformat(timespec="seconds")
    write_json(session.folder / "run.json", session.record)
    write_reports(session.folder)


def case_seed(seed: int, case: Case) -> int:
    """Seed of one case: the same whether it runs alone or among others."""
    return random.Random(f"{seed}/{case.key}").getrandbits(32)


def versions() -> dict[str, str]:
    """Software that a run depends on."""
    found = {"python": sys.version.split()[0]}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def default_folder() -> Path:
    """Where a run goes when nobody says so: runs/ and the time of its begin."""
    base = Path(os.environ.get("SMGW_BENCH_RUNS", "runs"))
    return base / f"{wall_now():%Y-%m-%dT%H%M%S}"


def _left(count: int) -> str:
    return "1 case was left" if count == 1 else f"{count} cases were left"
