"""Makes small run folders as the bench leaves them, for tests of the reports and for their benchmark."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from devices.ports.pcapng import PcapngWriter
from devices.protocols.hdlc import Control, Frame, FrameKind

START = datetime(2026, 1, 5, tzinfo=UTC)
LEDS = ("PWR", "TLS", "LMC", "wMT")

Edge = tuple[float, str, int]
Step = dict[str, Any]


def step(index: int, begin: float, end: float, sentence: str, verdict: str = "none", **more: Any) -> Step:
    """A step as verdict.json has it."""
    return {
        "index": index,
        "line": 14 + index,
        "action": sentence.split(maxsplit=1)[0].lower(),
        "sentence": sentence,
        "started": begin,
        "ended": end,
        "verdict": verdict,
        "expected": more.get("expected", ""),
        "seen": more.get("seen", ""),
        "reason": more.get("reason", ""),
    }


def blinking(line: str, begin: float, end: float, half: float) -> list[Edge]:
    """Edges of an LED that blinks with equal pulses of `half` seconds, and is off at the end."""
    count = int((end - begin) / half) // 2 * 2
    return [(begin + n * half, line, 1 - n % 2) for n in range(count)]


def write_vcd(path: Path, edges: Iterable[Edge], unknown_from: float | None = None) -> None:
    """A VCD with all LEDs off at 0; `unknown_from`: PWR is unknown from then on."""
    marks = dict(zip(LEDS, '!"#$', strict=True))
    lines = ["$timescale 1 us $end", "$scope module leds $end"]
    lines += [f"$var wire 1 {mark} {line} $end" for line, mark in marks.items()]
    lines += [
        "$upscope $end",
        "$enddefinitions $end",
        "#0",
        "$dumpvars",
        *(f"0{mark}" for mark in marks.values()),
        "$end",
    ]
    found: list[tuple[float, str, str]] = [(t, line, str(lit)) for t, line, lit in edges]
    if unknown_from is not None:
        found.append((unknown_from, "PWR", "x"))
    for t, line, level in sorted(found):
        lines += [f"#{round(t * 1e6)}", f"{level}{marks[line]}"]
    last = max((t for t, _, _ in found), default=0.0)
    path.write_text("\n".join([*lines, f"#{round(last * 1e6) + 1000}"]) + "\n")


def write_timeline(path: Path, events: Iterable[tuple[float, str, str, dict[str, Any]]], torn: str = "") -> None:
    """A timeline as the bench writes it; `torn` is left at its end."""
    lines = [
        f'{{"n":{n},"t":{t:.6f},"source":"{source}","kind":{json.dumps(kind)},'
        f'"data":{json.dumps(data, separators=(",", ":"))}}}\n'
        for n, (t, source, kind, data) in enumerate(sorted(events, key=lambda event: event[0]), 1)
    ]
    path.write_text("".join(lines) + torn, encoding="utf-8")


def write_bus(path: Path, times: Sequence[float]) -> None:
    """A capture in which gateway and meter speak in turn at `times`."""
    with PcapngWriter(path, interfaces=("LMN",)) as writer:
        for n, t in enumerate(times):
            asks = n % 2 == 0
            control = Control(FrameKind.I, ns=n // 2 % 8, nr=n // 2 % 8)
            frame = Frame(3, 1, 3, control, b"\x76" + bytes(20)) if asks else Frame(1, 3, 3, control, bytes(range(90)))
            moment = START + timedelta(seconds=t)
            writer.write(moment, frame.to_bytes(), "in" if asks else "out", comment="gateway" if asks else "house")


def write_case(
    folder: Path,
    *,
    key: str,
    verdict: str | None = "pass",
    gateway: str = "ppc",
    steps: Sequence[Step] = (),
    edges: Sequence[Edge] = (),
    bus: Sequence[float] = (),
    **more: Any,
) -> dict[str, Any]:
    """One case folder; returns its line in run.json. Without `verdict` the case was killed."""
    folder.mkdir(parents=True)
    (folder / "scenario.yaml").write_text(
        f"# case: {json.dumps(key)}\n# gateway: {gateway}\n"
        f"id: {key.partition('[')[0]}\ntitle: Written in the scenario\n"
    )
    last = steps[-1]["ended"] if steps else 0.0
    events: list[tuple[float, str, str, dict[str, Any]]] = [
        (t, "led", "edge", {"line": line, "lit": bool(lit)}) for t, line, lit in edges
    ]
    events += [
        (item["started"], "step", "begin", {"index": item["index"], "sentence": item["sentence"]}) for item in steps
    ]
    events += [
        (item["ended"], "step", "end", {"index": item["index"], "verdict": item["verdict"]})
        for item in steps
        if verdict
    ]
    events += more.pop("events", [])
    write_timeline(folder / "timeline.jsonl", events, more.pop("torn", ""))
    write_vcd(folder / "leds.vcd", edges, more.pop("unknown_from", None))
    write_bus(folder / "lmn.pcapng", bus)
    for name in ("logs", "values"):
        if name in more:
            (folder / f"{name}.json").write_text(json.dumps(more.pop(name)))
    record = {
        "schema": "smgw-bench/verdict/1",
        "key": key,
        "scenario": key.partition("[")[0],
        "suite": more.pop("suite", "start_up"),
        "title": more.pop("title", "A gateway starts"),
        "purpose": more.pop("purpose", "Shows that the gateway comes into operation after power-on."),
        "verifies": more.pop("verifies", ["PPC 2.4", "FNN 6.2"]),
        "gateway": {"type": gateway, "name": gateway.upper()},
        "parameters": more.pop("parameters", {}),
        "needs": ["power", "leds"],
        "file": "start.yaml",
        "started": START.isoformat(),
        "ended": (START + timedelta(seconds=last)).isoformat(),
        "wall_s": 0.25,
        "bench_s": last,
        "verdict": verdict,
        "reason": more.pop("reason", ""),
        "steps": list(steps),
        "monitors": more.pop("monitors", []),
        "measurements": more.pop("measurements", []),
        "assumed": more.pop("assumed", []),
        "seed": 4711,
        "replay": ["smgw-bench", "run", "scenarios/start.yaml", "--case", key],
    }
    if verdict is not None:
        (folder / "verdict.json").write_text(json.dumps(record))
    told = ("key", "suite", "scenario", "title", "parameters", "verdict", "reason", "started", "wall_s", "bench_s")
    return {"folder": f"cases/{folder.name}", "gateway": gateway, **{name: record[name] for name in told}}


def write_run(folder: Path, cases: Sequence[dict[str, Any]], **more: Any) -> Path:
    """run.json and the bench file of a run with `cases`; returns `folder`."""
    record: dict[str, Any] = {
        "schema": "smgw-bench/run/1",
        "id": "20260105T101500Z-00001267",
        "started": "2026-01-05T10:15:00+00:00",
        "finished": "2026-01-05T10:15:42+00:00",
        "seed": 4711,
        "bench": {"name": "emulated", "time": "virtual", "emulated": True, "file": "bench.yaml"},
        "versions": {"python": "3.11.2", "smgw-bench": "0.1.0", "pymodbus": "3.16.1"},
        "host": {"system": "Linux", "machine": "x86_64"},
        "command": ["smgw-bench", "run", "scenarios", "--gateway", "all"],
        "cases": list(cases),
        "not_tested": [],
        "counts": {},
        "interruptions": [],
    }
    (folder / "bench.yaml").write_text("name: emulated\n")
    (folder / "run.json").write_text(json.dumps(record | more))
    return folder


HOSTILE = "<script>alert('x')</script>\u202e\x07\"&amp;"


def sample_run(folder: Path) -> Path:
    """A run with every kind of case: pass, fail, inconclusive, bench error, unfinished, long, dark, hostile."""
    root = folder / "cases"
    boot = [*blinking("PWR", 4.0, 44.0, 0.25), (44.0, "PWR", 1), (58.2, "TLS", 1), (70.4, "LMC", 1)]
    test = [(t, line, lit) for line in LEDS for t, _, lit in blinking(line, 0.2, 3.2, 0.125)]
    assumed = [
        {"name": "boot_time", "value": "40 s", "source": "wan-core 9.1", "why": "no document states it"},
        {"name": "lmn.response_timeout", "value": "200 ms", "source": "lmn-wired 1.3", "why": "inferred from traces"},
    ]
    begin = [
        step(0, 0.0, 0.0, "Switch the mains on.", seen="mains on"),
        step(
            1,
            0.0,
            3.3,
            "Expect that all LEDs flash together, within 5 s.",
            "pass",
            expected="the LEDs show led_test",
            seen="PWR, TLS, LMC and wMT together, period 250 ms, after 3.2 s",
        ),
        step(
            2,
            3.3,
            44.5,
            "Expect that PWR is on, within 120 s.",
            "pass",
            expected="PWR is on",
            seen="PWR on, after 40.7 s",
        ),
    ]
    power = [(0.0, "power", "on", {})]
    rows = [
        write_case(
            root / "start-ppc",
            key="START-1[ppc]",
            steps=begin,
            edges=test + boot,
            bus=[50 + n * 0.03 for n in range(40)],
            assumed=assumed,
            events=power,
            measurements=[
                {
                    "name": "time to PWR on",
                    "value": 44.0,
                    "unit": "s",
                    "uncertainty": 0.01,
                    "limit": "at most 120 s",
                    "t": 44.0,
                },
                {"name": "period of PWR", "value": 500.0, "unit": "ms", "uncertainty": None, "limit": None, "t": 44.0},
            ],
            monitors=[{"sentence": "at no time: the LEDs show alarm", "verdict": "pass", "reason": ""}],
            logs={
                "system": [
                    {
                        "number": n,
                        "time": f"2026-01-05T00:00:{n:02d}Z",
                        "event": "boot",
                        "id": "P10065",
                        "sub_id": None,
                        "level": "info",
                        "parameters": [],
                        "text": f"Service {n} started",
                    }
                    for n in range(1, 90)
                ],
                "calibration": [],
                "consumer": [],
            },
            values=[
                {
                    "meter": "1SAG0021061001",
                    "obis": "1-0:1.8.0*255",
                    "value": "12345.6",
                    "unit": "Wh",
                    "scaler": -1,
                    "grid_time": "2026-01-05T00:15:00Z",
                    "capture_time": "2026-01-05T00:15:02Z",
                    "status": "00000000000000A0",
                }
            ],
        ),
        write_case(
            root / "meter-ppc",
            key="LMN-3[ppc,smarty]",
            verdict="fail",
            suite="meters",
            title="A meter is read after a cut of the mains",
            reason="step 5, line 18: the value of 00:45 is missing",
            parameters={"meter": "smarty", "cut": "0.5 s"},
            verifies=["PPC 2.4", "FNN 6.5.8"],
            assumed=assumed[:1],
            steps=[
                *begin,
                step(3, 44.5, 1904.5, "Wait 31 min."),
                step(
                    4,
                    1904.5,
                    2204.5,
                    "Expect that at least 2 values of house are stored, within 5 min.",
                    "fail",
                    expected="at least 2 values of house",
                    seen="1 value",
                    reason="not so within 300 s; seen: 1 value",
                ),
            ],
            edges=test + boot + [(t, "wMT", n % 2) for n, t in enumerate((950.0, 950.5, 1810.0, 1810.5), 1)],
            bus=[50 + n * 20 for n in range(105)],
            events=[*power, (900.0, "power", "off", {}), (900.5, "power", "on", {})],
            monitors=[
                {
                    "sentence": "at no time: the LEDs show alarm",
                    "verdict": "fail",
                    "reason": "at 950.000 s: wMT blinking",
                }
            ],
        ),
        write_case(
            root / "sync-conexa",
            key="TIME-36[conexa]",
            gateway="conexa",
            suite="time",
            title="36 hours without time synchronisation",
            steps=[
                *begin,
                step(3, 44.5, 129600.0, "Wait 36 h."),
                step(
                    4,
                    129600.0,
                    129612.0,
                    "Expect that the LEDs show restricted, within 1 min.",
                    "pass",
                    expected="the LEDs show restricted",
                    seen="PWR blinking, period 100 ms, after 12 s",
                ),
            ],
            edges=test + boot + [(129600.0, "PWR", 0), *blinking("PWR", 129601.0, 129612.0, 0.05)],
            bus=[900.0 * n for n in range(1, 140)],
            assumed=assumed[1:],
            events=power,
        ),
        write_case(
            root / "dark-casa",
            key="DARK-1[casa]",
            gateway="casa",
            verdict="inconc",
            suite="start_up",
            title="No LED ever moves",
            reason="step 1, line 14: not decided after 2 s: window too short",
            edges=[],
            verifies=["CASA 2.3.2"],
            steps=[
                step(
                    0,
                    0.0,
                    2.0,
                    "Expect that PWR blinks, within 2 s.",
                    "inconc",
                    expected="PWR blinks",
                    seen="undecided",
                    reason="window too short",
                )
            ],
        ),
        write_case(
            root / "relay-casa",
            key="RELAY-1[casa]",
            gateway="casa",
            verdict="error",
            suite="start_up",
            title="The relay does not answer",
            reason="the relay at unit 1 did not answer within 2 s",
            verifies=[],
            steps=[
                step(
                    0, 0.0, 2.0, "Switch the mains on.", "error", reason="the relay at unit 1 did not answer within 2 s"
                )
            ],
        ),
        write_case(
            root / "hostile-casa",
            key=f"X-1[{HOSTILE}]",
            gateway="casa",
            suite="x/<b>",
            title=HOSTILE,
            purpose=HOSTILE,
            verifies=[HOSTILE],
            steps=[step(0, 0.0, 1.0, HOSTILE, "pass", seen=HOSTILE, expected=HOSTILE)],
            edges=[(0.5, "PWR", 1)],
            unknown_from=0.8,
        ),
    ]
    write_case(
        root / "killed-casa",
        key="KILLED-1[casa]",
        gateway="casa",
        verdict=None,
        torn='{"n":99,"t":12.0000',
        steps=begin[:2],
        edges=test,
        events=power,
    )
    return write_run(
        folder,
        rows,
        finished=None,
        not_tested=[
            {"scenario": "HAN-1", "gateway": "ppc", "reason": "the bench lacks han"},
            {"scenario": "HAN-1", "gateway": "casa", "reason": "the bench lacks han"},
            {"scenario": "SAFE-1", "gateway": "ppc", "reason": "the product has no secure state connectivity"},
        ],
        unfinished=["KILLED-1[casa]", "LATER-1[ppc]"],
        interruptions=[{"resumed": "2026-01-05T10:15:30+00:00"}],
    )
