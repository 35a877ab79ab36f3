"""The radio telegrams that are measured: the collection beside the repository, or a file that is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
COLLECTION = ROOT.parent / "shared" / "data" / "wmbus" / "telegrams.jsonl"


def telegrams(path: Path = COLLECTION) -> list[dict[str, Any]]:
    """The lines of the collection; none when it is not there."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
