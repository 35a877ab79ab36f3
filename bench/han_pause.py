"""When a bench logged in last at gateways that want to be left alone in between (han 2.1)."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from bench.quantity import text_of
from bench.store import write_json
from bench.timeline import Event

FILE: Final = "logins.json"
"""File in a run folder: host and port of a gateway -> instant of the run's last login there."""


class LastLogins:
    """Host and port of a real gateway -> when this process, or the run that it takes up, logged in last."""

    def __init__(self) -> None:
        self._at: dict[str, datetime] = {}
        self._file: Path | None = None
        self._of_run: set[str] = set()

    def keep_in(self, folder: Path) -> None:
        """Keep the logins of a run in its folder from now on; those that it has already are taken up."""
        self._file, kept = folder / FILE, _read(folder / FILE)
        self._of_run = set(kept)
        for where, at in kept.items():
            self._at[where] = max(at, self._at.get(where, at))

    def let_go(self) -> None:
        """The run is over."""
        self._file = None

    def at(self, where: str) -> datetime | None:
        """The last login there, None: none is known."""
        return self._at.get(where)

    def note(self, where: str, at: datetime | None) -> None:
        """The last login there was at that time; None: there was none."""
        self._of_run.add(where)
        if at is None:
            self._at.pop(where, None)
        else:
            self._at[where] = at
        if self._file is not None:
            write_json(self._file, {one: self._at[one].isoformat() for one in sorted(self._of_run & set(self._at))})


def _read(file: Path) -> dict[str, datetime]:
    """What is kept in a file; nothing of one that is not there or damaged."""
    try:
        found = json.loads(file.read_text("utf-8"))
        times = {str(where): datetime.fromisoformat(at) for where, at in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
    return {where: at for where, at in times.items() if at.tzinfo is not None}


LAST: Final = LastLogins()
"""Those of this process."""
NOBODY: Final[set[str]] = set()
"""Host and port of those real gateways that did not answer when they were asked last."""


def waiting(event: Event) -> str:
    """What is told of a pause while it lasts, in local time; empty for all other events."""
    if event.kind != "han_pause":
        return ""
    until = datetime.fromisoformat(event.data["until"]).astimezone()
    is_short = event.data["seconds"] < 120
    shown = f"{until:%H:%M:%S}" if is_short else f"{until + timedelta(seconds=59):%H:%M}"
    return f"waiting until {shown}: logins are {text_of(event.data['every'])} apart (han.every)"
