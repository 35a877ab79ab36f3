"""Writes all reports of a stored run into its folder."""

from __future__ import annotations

from pathlib import Path

from bench.report.build import build_report
from bench.report.html import render_html
from bench.report.junit import render_junit
from bench.report.model import Report, Status
from bench.report.run_folder import read_run_folder
from devices.errors import BenchError

HTML = "report.html"
JUNIT = "junit.xml"


def write_reports(folder: Path | str) -> dict[str, Path]:
    """Write ``report.html`` and ``junit.xml`` for the run in `folder`, from what is stored there alone.

    May be called again at any time, also for a killed run; each file is replaced in one go. Two calls on the same
    folder write the same bytes.

    Returns:
        path of each report by its kind: ``html``, ``junit``.

    Raises:
        UsageError: `folder` is no run folder.
        BenchError: a report cannot be written.
    """
    path = Path(folder)
    return write_report(build_report(read_run_folder(path)), path)


def damaged(folder: Path | str) -> list[str]:
    """What of the stored evidence cannot be read or is gone, case by case, in words."""
    report = build_report(read_run_folder(folder))
    return [
        f"{case.key}: {text}"
        for case in report.cases
        if case.status is not Status.UNFINISHED  # a torn end is what a killed case leaves
        for text in case.damage
    ]


def write_report(report: Report, folder: Path) -> dict[str, Path]:
    """Write all renderings of `report` into `folder`, see :func:`write_reports`."""
    return {
        "html": _replace(folder / HTML, render_html(report)),
        "junit": _replace(folder / JUNIT, render_junit(report)),
    }


def _replace(path: Path, text: str) -> Path:
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.write_text(text, encoding="utf-8", newline="\n")
        fresh.replace(path)
    except OSError as error:
        raise BenchError(f"the report {path} cannot be written: {error.strerror}") from error
    return path
