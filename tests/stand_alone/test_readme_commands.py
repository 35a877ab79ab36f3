"""The commands of the README, as they are written there, at the gateway that it starts."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from running import running

from bench.cli import main

README = Path(__file__).parents[2] / "README.md"


def commands(name: str) -> list[list[str]]:
    """The command lines that begin so, without the program."""
    lines = re.findall(rf"^\.venv/bin/smgw-bench ({name} .*)$", README.read_text("utf-8"), re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def test_values_of_the_demonstration_are_exported(tmp_path: Path) -> None:
    (start,) = commands("gateway --type")
    given = dict(zip(start[1::2], start[2::2], strict=True))
    (export,) = (line for line in commands("export trudi") if given["--han"] in line)
    with running(given["--type"], tmp_path, "--history", "2h") as gateway:
        password, out = tmp_path / "password", tmp_path / "values.xml"
        password.write_text(gateway.password() + "\n")
        there = {given["--han"]: "{}:{}".format(*gateway.address), "FILE": str(password), "values.xml": str(out)}
        assert main([there.get(word, word) for word in export]) == 0
        assert b"IntervalReading" in out.read_bytes()
    named = [line for line in commands("export trudi") if "--contract" in line]
    assert named == commands("export trudi"), "a gateway with two contracts wants to be told which"
