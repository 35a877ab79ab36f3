"""Reports out of a stored run folder alone: `run_folder` reads, `build` makes the `model`, `html` and `junit` show it.

`write_reports` does all of it; `summary` closes a run on the terminal.
"""

from bench.report.write import write_reports

__all__ = ["write_reports"]
