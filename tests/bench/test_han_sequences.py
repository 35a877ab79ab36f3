"""Programs' sequences against emulated gateways whose answers are changed in one place: the verdict must be failed."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from aiohttp import web

from bench.cli import main
from bench.scenario.loader import load
from bench.steps.han_sequences import compared, missing
from devices.errors import UsageError
from devices.han.sequences.programs import PROGRAMS
from devices.han.sequences.visit import Told
from firmware.han.server import HanServer

HOME = Path(__file__).parents[2] / "scenarios" / "home"
BODY, STATUS = "body", "status"


def scenario_of(program: str) -> Path:
    """The scenario of a program."""
    (found,) = [one for one in HOME.glob("program_*.yaml") if f"han_sequence: {program}\n" in one.read_text()]
    return found


def verdict_of(program: str, out: Path) -> dict[str, str]:
    main(["run", str(scenario_of(program)), "--gateway", PROGRAMS[program].product, "--out", str(out), "--plain"])
    (file,) = (out / "cases").glob("*/verdict.json")
    found: dict[str, str] = json.loads(file.read_text())
    return found


def change(monkeypatch: pytest.MonkeyPatch, where: str, old: str, new: str) -> list[str]:
    """Let the gateway answer otherwise: in the body, the status or a header. Returns where it did."""
    made = HanServer.__init__
    changed: list[str] = []

    def apply(request: web.Request, response: web.StreamResponse) -> None:
        before = (response.status, response.headers.copy(), getattr(response, "body", None))
        if where == STATUS and response.status == int(old):
            response.set_status(int(new))
        elif where == BODY and isinstance(response, web.Response) and isinstance(response.body, bytes):
            response.body = re.sub(old.encode(), new.encode(), response.body)
        elif where in response.headers:
            response.headers[where] = re.sub(old, new, response.headers[where])
        if (response.status, response.headers, getattr(response, "body", None)) != before:
            changed.append(request.path)

    @web.middleware
    async def otherwise(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            response = await handler(request)
        except web.HTTPException as answer:
            apply(request, answer)
            raise
        apply(request, response)
        return response

    def make(server: HanServer, clock: object, application: web.Application, *more: object, **named: object) -> None:
        made(server, clock, application, *more, **named)  # type: ignore[arg-type]
        application.middlewares.insert(0, otherwise)

    monkeypatch.setattr(HanServer, "__init__", make)
    return changed


MUTANTS = [
    ("ha-ppc-smgw", BODY, "div_fwversion", "div_version", "div_fwversion"),
    ("ha-ppc-smgw", BODY, "meterform_select_meter", "meter_select", "meterform_select_meter"),
    ("ha-ppc-smgw", BODY, "table_metervalues_col_wert", "table_metervalues_col_value", "col_wert"),
    ("ha-ppc-smgw", BODY, "name='tkn' value='....", "name='tkn' value='0000", ""),
    ("ha-ppc-smgw", "Set-Cookie", "session=", "sid=", "cookies sid"),
    ("ha-ppc-smgw", BODY, r">100\.48", ">100.49", "was read"),
    ("ha-ppc-smgw", BODY, ">kWh<", ">MWh<", "MWh was read"),
    ("ha-ppc-smgw", BODY, ">1-0:2.8.0<", ">1-0:2.8.1<", "nothing of that instant"),
    ("ha-ppc-smgw-library", BODY, "</td></tr>", "</td><td></td></tr>", "exactly three cells"),
    ("py-ppc-smgw-exports", BODY, "e_meter_sensor_setup-1", "e_meter_sensor_setup-2", "ems:values"),
    ("node-red-contrib-smgw", STATUS, "401", "403", "status 403"),
    ("node-red-contrib-smgw", "WWW-Authenticate", 'qop="auth"', 'qop="auth-int"', "qop"),
    ("node-red-contrib-smgw", BODY, "<table ", "<p></p><table><tbody></tbody></table><table ", "table:nth-of-type(2)"),
    ("smgw-cms-data-extractor", BODY, "</ns1:object>", "</nsA:object>", "</ns1:object>"),
    ("smgw-cms-data-extractor", "Content-Disposition", "sm_data", "data", "Content-Disposition"),
    ("ha-lutarym-ppc-smgw", BODY, "Ausleseintervall", "Intervall", "Ausleseintervall"),
    ("ha-lutarym-ppc-smgw", BODY, "table_metervalues_line", "table_metervalues_row", "table_metervalues_line"),
    ("openhab", "Set-Cookie", ";secure", "; Secure", "set-cookie"),
    ("openhab", BODY, "name='mid'", "name='meter'", "select"),
    ("trudi-ppc", BODY, "smgw-services", "smgw-service", "smgw-services"),
    ("ha-theben", BODY, '"firmware-info"', '"firmwareinfo"', "firmware-info"),
    ("ha-theben", BODY, '"readings": ?\\[', '"values":[', "readings"),
    ("ha-theben", BODY, '"value": ?"1004', '"value":"1005', "was read"),
    ("ha-theben", BODY, '"value": ?"([0-9]+)"', r'"value":\1', "is no text"),
    ("ha-smgw", BODY, "0100020800ff", "0100020800ff.1sag0021061001.sm", "2.8.0"),
    ("ha-smgw", "Content-Type", "application/json", "text/html", "content type"),
    ("smgw-theben-conexa", STATUS, "307", "302", "status 302"),
    ("smgw-theben-conexa", "Location", "/json", "/form", "status 404"),
    ("aiohttp-client", BODY, '"databases"', '"database"', "databases"),
    ("trudi-conexa", BODY, '"taf-profile"', '"profile"', "taf-profile"),
    ("ha-emh", BODY, '"logical_name"', '"name"', "logical_name"),
    ("ha-emh", BODY, '"unit": ?30', '"unit":"30"', "unit"),
    ("ha-emh", BODY, '"value": ?"1004', '"value":"1005', "was read"),
    ("emh-casa-go", BODY, '"sensor_domains"', '"domains"', "sensor_domains"),
    ("emh-casa-go", BODY, "TAF-1", "TAF1", "no contract of TAF-1"),
    ("trudi-casa", BODY, '"timestamp_act"', '"timestamp"', "timestamp_act"),
]


@pytest.mark.parametrize(
    ("program", "where", "old", "new", "told"), MUTANTS, ids=[f"{one[0]}-{one[2][:24]}" for one in MUTANTS]
)
def test_whatever_a_program_depends_on_fails_when_it_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, where: str, old: str, new: str, told: str
) -> None:
    changed = change(monkeypatch, where, old, new)
    found = verdict_of(program, tmp_path / "run")
    assert changed, "the mutation meets nothing"
    assert found["verdict"] == "fail", found["reason"]
    assert told in found["reason"]


AT = datetime(2026, 1, 5, 1, 0, 1, tzinfo=UTC)
IMPORT, EXPORT = "1-0:1.8.0*255", "1-0:2.8.0*255"
STORED = {("m1", IMPORT, AT): (Decimal("100480.001"), "Wh"), ("m1", EXPORT, AT): (Decimal(7000), "Wh")}


@pytest.mark.parametrize(
    ("value", "unit", "at", "wrong", "unknown"),
    [
        ("100.480001", "kWh", AT, 0, 0),
        ("100480.0", "Wh", AT, 0, 0),  # cut to tenths
        ("100480.1", "Wh", AT, 1, 0),
        ("100480.002", "Wh", AT, 1, 0),
        ("100480.001", "W", AT, 1, 0),
        ("100480.001", "Wh", None, 0, 1),
        ("100480.001", "Wh", AT.replace(second=2), 0, 1),
    ],
)
def test_a_value_is_what_is_stored_of_its_instant_or_that_cut(
    value: str, unit: str, at: datetime | None, wrong: int, unknown: int
) -> None:
    found = compared((Told("m1", IMPORT, Decimal(value), unit, at),), STORED)
    assert [len(one) for one in found] == [wrong, unknown]


@pytest.mark.parametrize(
    ("program", "meters", "contracted", "absent"),
    [
        ("ha-emh", {"m1"}, set(), ["register 1-0:2.8.0*255 of meter m1 was left out"]),
        ("ha-emh", {"m1", "m2"}, set(), ["meter m2 was left out", "register 1-0:2.8.0*255 of meter m1 was left out"]),
        ("ha-ppc-smgw", {"m1", "m2"}, set(), ["register 1-0:2.8.0*255 of meter m1 was left out"]),
        ("ha-theben", {"m1"}, {("m1", IMPORT)}, []),
        ("ha-theben", {"m1"}, {("m1", EXPORT)}, ["register 1-0:2.8.0*255 of meter m1 was left out"]),
        ("node-red-contrib-smgw", {"m1"}, set(), []),
    ],
)
def test_what_a_program_leaves_out_is_told(
    program: str, meters: set[str], contracted: set[tuple[str, str]], absent: list[str]
) -> None:
    told = (Told("m1", IMPORT, Decimal("100480.001"), "Wh", AT),)
    assert missing(PROGRAMS[program], told, meters, STORED, contracted) == absent


SCENARIO = """
id: T-1
title: A trial
gateways: [{gateways}]
needs: [han]
given: {{han: {{site: own}}}}
steps:
{steps}
"""


@pytest.mark.parametrize(
    ("gateways", "steps", "told"),
    [
        ("casa", ["han_sequence: ha-nobody"], "there is no program 'ha-nobody'"),
        ("ppc, casa", ["han_sequence: ha-emh"], "ha-emh reads a casa, not a ppc"),
        ("casa", ["sequence_values: ha-emh"], "'ha-emh' has read nothing before"),
        ("conexa", ["han_sequence: aiohttp-client", "sequence_values: aiohttp-client"], "reads no register"),
    ],
)
def test_mistakes_are_told_beforehand(tmp_path: Path, gateways: str, steps: list[str], told: str) -> None:
    file = tmp_path / "trial.yaml"
    file.write_text(SCENARIO.format(gateways=gateways, steps="\n".join(f"  - {one}" for one in steps)))
    with pytest.raises(UsageError) as found:
        load([file])
    assert told in str(found.value)


def test_every_program_has_a_scenario() -> None:
    assert {scenario_of(program) for program in PROGRAMS} == set(HOME.glob("program_*.yaml"))
