"""The script of docs/trudi.md, which checks signatures with the command of OpenSSL alone."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "trudi.md"


def recipe(tmp_path: Path) -> Path:
    """The script of the document."""
    found = re.search(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    script = tmp_path / "check.py"
    script.write_text(found[1], encoding="utf-8")
    return script


def check(script: Path, file: Path, root: Path, every: int) -> subprocess.CompletedProcess[str]:
    """Run it."""
    words = [sys.executable, str(script), str(file), str(root), str(every)]
    return subprocess.run(words, capture_output=True, text=True, check=False)
