"""Bench files say how a real adapter is driven."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.config import load_bench
from devices.errors import UsageError
from devices.rs485.adapter import AdapterSettings

BENCH = """name: hall
title: a real meter on an adapter
time: real
gateway: {{emulated: true}}
service_adapter: {{port: /dev/serial/by-id/x, {more}}}
"""


def bench(folder: Path, more: str) -> Path:
    path = folder / "hall.yaml"
    path.write_text(BENCH.format(more=more), "utf-8")
    return path


def test_direction_delays_and_echo_reach_the_driver(tmp_path: Path) -> None:
    more = "direction: rts, rts_level: low, before_send: 1 ms, after_send: 200 µs, echo: true"
    adapter = load_bench(str(bench(tmp_path, more)))[0].service_adapter
    assert adapter is not None
    assert adapter.settings() == AdapterSettings("/dev/serial/by-id/x", 921_600, "rts", False, 0.001, 0.0002, True)


def test_an_emulated_gateway_at_a_real_port_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hall.yaml"
    path.write_text("name: hall\ngateway: {emulated: true}\nwired_lmn: {port: /dev/ttyUSB0}\n", "utf-8")
    with pytest.raises(UsageError, match="an emulated gateway is not at /dev/ttyUSB0"):
        load_bench(str(path))


@pytest.mark.parametrize(
    ("more", "expected"),
    [("direction: rst", "direction"), ("rts_levle: low", "did you mean 'rts_level'"), ("echo: maybe", "echo")],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, more: str, expected: str) -> None:
    with pytest.raises(UsageError, match=expected) as caught:
        load_bench(str(bench(tmp_path, more)))
    assert "hall.yaml:5:" in str(caught.value)
