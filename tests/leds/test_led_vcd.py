"""LED waveforms in value change dumps: what is written can be read, here and elsewhere, also after a kill."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from led_signals import edges_of

from devices.clock import Clock
from devices.errors import BenchError
from devices.leds.pattern import Blink
from devices.leds.vcd import RecordedLeds, VcdWriter, read_vcd
from devices.leds.watch import LedWatch
from devices.ports.led_lines import LedEdge

LINES = ("PWR", "TLS", "LMC", "wMT", "HAN.link")


def _write(path: Path, edges: list[LedEdge], **more: object) -> None:
    with VcdWriter(path, LINES, {"PWR": True, "TLS": False}, **more) as writer:  # type: ignore[arg-type]
        for edge in edges:
            writer.write(edge)


def test_what_is_written_is_read_to_the_microsecond(tmp_path: Path) -> None:
    edges = [LedEdge(1.25, "PWR", lit=False), LedEdge(1.25, "wMT", lit=True), LedEdge(2.000001, "HAN.link", lit=True)]
    _write(tmp_path / "leds.vcd", edges, start=0.5)
    recording = read_vcd(tmp_path / "leds.vcd")
    assert recording.lines == LINES
    assert recording.initial == {"PWR": True, "TLS": False, "LMC": None, "wMT": None, "HAN.link": None}
    assert [(edge.line, edge.lit) for edge in recording.edges] == [(edge.line, edge.lit) for edge in edges]
    assert [edge.t for edge in recording.edges] == pytest.approx([edge.t for edge in edges], abs=1e-9)
    assert (recording.start, recording.end) == pytest.approx((0.5, 2.000001))
    assert recording.level_at("PWR", 1.0) is True
    assert recording.level_at("PWR", 1.5) is False
    assert recording.unknown["wMT"] == ((0.5, 1.25),)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    edges=st.lists(
        st.builds(LedEdge, st.integers(0, 10**12).map(lambda us: us / 1e6), st.sampled_from(LINES), st.booleans())
    ).map(lambda edges: sorted(edges, key=lambda edge: edge.t))
)
def test_any_edges_come_back(edges: list[LedEdge], tmp_path: Path) -> None:
    path = tmp_path / "leds.vcd"
    with VcdWriter(path, LINES, dict.fromkeys(LINES, False)) as writer:
        for edge in edges:
            writer.write(edge)
    read = read_vcd(path).edges
    assert [(round(edge.t * 1e6), edge.line, edge.lit) for edge in read] == [
        (round(edge.t * 1e6), edge.line, edge.lit) for edge in edges
    ]


def test_a_killed_bench_leaves_all_edges_in_the_file(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from devices.leds.vcd import VcdWriter; from devices.ports.led_lines import LedEdge\n"
        "writer = VcdWriter(Path(sys.argv[1]), ['PWR'], {'PWR': False})\n"
        "for i in range(100): writer.write(LedEdge(i * 0.25 + 1, 'PWR', i % 2 == 0))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "leds.vcd"
    subprocess.run([sys.executable, "-c", program, str(path)], check=False, timeout=30, cwd=Path(__file__).parents[2])
    assert len(read_vcd(path).edges) == 100


def test_a_file_that_breaks_off_gives_what_it_has_and_invents_no_time(tmp_path: Path) -> None:
    path = tmp_path / "leds.vcd"
    _write(path, [LedEdge(float(i), "PWR", i % 2 == 0) for i in range(1, 20)])
    whole = path.read_bytes()
    seen = read_vcd(path).edges
    for cut in range(whole.index(b"$end\n#0"), len(whole)):
        path.write_bytes(whole[:cut])
        got = read_vcd(path).edges
        assert got == seen[: len(got)]


def test_dumps_of_other_makers_are_read(tmp_path: Path) -> None:
    """Any timescale, vectors of width one, unknown levels, wide and real variables beside (IEEE 1364-2005, 18.2)."""
    path = tmp_path / "scope.vcd"
    path.write_text(
        "$date today $end\n$version libsigrok 0.5.2 $end\n$comment\n  1 MHz\n$end\n$timescale\n  100 ns\n$end\n"
        "$scope module libsigrok $end\n$var wire 1 ! D0 $end\n$var reg 1 # D1 [0] $end\n$var wire 8 % bus [7:0] $end\n"
        "$var real 64 & volts $end\n$scope module inner $end\n$var wire 1 ( D0 $end\n$upscope $end\n$upscope $end\n"
        "$enddefinitions $end\n#0 0! b1 # b1010 % r3.3 & x(\n#10000000 1! b0 # z( $comment half $end\n#20000000 x!\n"
        "#30000000 1!\n#40000000\n"
    )
    recording = read_vcd(path)
    assert recording.lines == ("D0", "D1", "libsigrok.inner.D0")
    assert recording.initial == {"D0": False, "D1": True, "libsigrok.inner.D0": None}
    assert recording.of("D0") == [(pytest.approx(1.0), True), (pytest.approx(3.0), True)]
    assert recording.of("D1") == [(pytest.approx(1.0), False)]
    assert recording.unknown == {
        "D0": ((pytest.approx(2.0), pytest.approx(3.0)),),
        "libsigrok.inner.D0": ((0.0, pytest.approx(4.0)),),
    }
    assert recording.end == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("hello", "no \\$enddefinitions"),
        ("$timescale 1 parsec $end $enddefinitions $end ", "timescale"),
        ("$var wire 1 $end $enddefinitions $end ", "variable"),
        ("$enddefinitions $end #abc ", "time mark"),
        ("$enddefinitions $end #0 ?! ", "unexpected"),
    ],
)
def test_what_is_no_dump_is_refused_with_the_reason(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "leds.vcd"
    path.write_text(text)
    with pytest.raises(BenchError, match=complaint):
        read_vcd(path)


def test_a_missing_file_or_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"nothing\.vcd"):
        read_vcd(tmp_path / "nothing.vcd")
    with pytest.raises(BenchError, match=r"cannot write"):
        VcdWriter(tmp_path / "no" / "leds.vcd", LINES)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.sampled_from("$#01xzbr! \nenddefinitions timescale us var wire scope end"), max_size=120))
def test_reading_never_fails_but_with_a_bench_error(text: str, tmp_path: Path) -> None:
    path = tmp_path / "leds.vcd"
    path.write_text("$enddefinitions $end " + text)
    with suppress(BenchError):
        read_vcd(path)


async def test_a_captured_waveform_is_judged_again(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "leds.vcd"
    with VcdWriter(path, ["PWR", "TLS"], {"PWR": False, "TLS": True}, start=100.0) as writer:
        for t, lit in edges_of(Blink(0.5, 0.5), 100.0, 108.0, 0.999):
            writer.write(LedEdge(t, "PWR", lit))
    await clock.sleep(7.0)
    leds = RecordedLeds(clock, path, {"power": "PWR", "tls": "TLS"})
    watch = LedWatch(clock.seconds, leds)
    assert leds.levels() == {"power": False, "tls": True}
    assert leds.ends == pytest.approx(clock.seconds() + 8.0, abs=0.5)
    await clock.sleep(7.9)
    assert str(watch.reading("power").pattern) == "blinking 500 ms, 50 %"
    assert str(watch.reading("tls").pattern) == "on"
    leds.close()
    leds.close()


async def test_a_wire_that_is_unknown_at_first_has_no_level_yet(tmp_path: Path, clock: Clock) -> None:
    _write(tmp_path / "leds.vcd", [LedEdge(5.0, "wMT", lit=True)])
    leds = RecordedLeds(clock, tmp_path / "leds.vcd")
    watch = LedWatch(clock.seconds, leds)
    assert leds.levels() == {"PWR": True, "TLS": False}
    await clock.sleep(4.0)
    assert str(watch.reading("wMT").pattern).startswith("undecided")
    assert str(watch.reading("PWR").pattern) == "on"
    await clock.sleep(2.0)
    assert leds.levels()["wMT"] is True


async def test_a_wire_that_the_recording_lacks_is_named_with_those_it_has(tmp_path: Path, clock: Clock) -> None:
    _write(tmp_path / "leds.vcd", [])
    with pytest.raises(BenchError, match=r"no wire PWER; it has: PWR, TLS"):
        RecordedLeds(clock, tmp_path / "leds.vcd", {"PWR": "PWER"})


def test_names_with_spaces_and_dollars_do_not_break_the_file(tmp_path: Path) -> None:
    path = tmp_path / "leds.vcd"
    with VcdWriter(path, ["status LED", "$end"], comment="bench $end of time") as writer:
        writer.write(LedEdge(1.0, "status LED", lit=True))
        with pytest.raises(KeyError):
            writer.write(LedEdge(1.0, "other", lit=True))
    writer.write(LedEdge(2.0, "status LED", lit=False))
    assert read_vcd(path).lines == ("status_LED", "_end")


def test_a_hundred_wires_have_codes_of_their_own(tmp_path: Path) -> None:
    lines = [f"L{i}" for i in range(200)]
    with VcdWriter(tmp_path / "leds.vcd", lines) as writer:
        for i, line in enumerate(lines):
            writer.write(LedEdge(i + 1.0, line, lit=True))
        writer.close(end=1000.0)
    recording = read_vcd(tmp_path / "leds.vcd")
    assert [edge.line for edge in recording.edges] == lines
    assert recording.end == 1000.0
