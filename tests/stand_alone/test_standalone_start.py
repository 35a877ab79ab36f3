"""What a start of the stand-alone gateway does without, so that the first answer comes soon."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli import main
from bench.standalone.garbage import made_to_stay

UNUSED = (
    "pytest",
    "rich",
    "lxml",
    "serial",
    "devices.protocols.trudi.content",
    "devices.protocols.trudi.writer",
    "devices.leds.watch",
    "devices.meters.radio.meter",
    "devices.rs485.adapter",
    "devices.rs485.smarty_client",
    "devices.wmbus",
    "devices.han",
    "firmware.logs.verifier",
    "firmware.metering.trudi_export",
    "firmware.simulation",
    "bench.bench_parts",
    "bench.report",
    "bench.runner",
    "bench.steps",
    "bench.scenario.loader",
    "bench.scenario.models",
)
"""Modules, each with all below it, that a gateway without radio meters works without."""


def test_a_gateway_imports_what_it_needs_only() -> None:
    text = "import sys, bench.cli, bench.standalone.run, firmware.han.server; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True, timeout=60)
    loaded = done.stdout.split()
    assert "firmware.gateway" in loaded
    assert not [one for one in loaded for unused in UNUSED if one == unused or one.startswith(f"{unused}.")]


def test_the_command_line_alone_imports_no_product() -> None:
    text = "import sys, bench.cli; bench.cli._parser(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True, timeout=60)
    loaded = done.stdout.split()
    unused = ("firmware", "pydantic", "cryptography", "asyncio", "yaml", "importlib.metadata")
    assert not [one for one in loaded for name in unused if one == name or one.startswith(f"{name}.")]


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("smgw-bench ")


def test_what_a_start_makes_is_not_looked_at_by_the_collector() -> None:
    try:
        with made_to_stay():
            assert not gc.isenabled()
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


def test_a_start_that_fails_leaves_the_collector_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["gateway", "--type", "ppc", "--han", "127.0.0.1:0", "--config", str(tmp_path / "none.yaml")]
    assert main(line) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
