"""Programs' sequences against emulated gateways whose answers are changed in one place: the verdict must be failed."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from aiohttp import web

from bench.cli import main
from bench.scenario.loader import load
from bench.steps.han_sequences import SequenceValuesStep, Stored, _key, compared, missing
from devices.clock import Clock
from devices.errors import UsageError
from devices.han.errors import NotUnderstood
from devices.han.link import HanLink
from devices.han.login import Login, Settings
from devices.han.sequences import conexa, ppc_lists
from devices.han.sequences.programs import PROGRAMS, Program, replay
from devices.han.sequences.visit import Findings, Told, Visit
from firmware.han.server import HanServer

if TYPE_CHECKING:
    from bench.rig import Rig

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


VERSION = r'"version": ?"1\.[23]\.0"'
MUTANTS = [
    ("ha-ppc-smgw", BODY, "div_fwversion", "div_version", "div_fwversion: no element"),
    ("ha-ppc-smgw", BODY, "meterform_select_meter", "meter_select", "meterform_select_meter: no element"),
    ("ha-ppc-smgw", BODY, "table_metervalues_col_wert", "table_metervalues_col_value", "col_wert: no element"),
    ("ha-ppc-smgw", BODY, "name='tkn' value='....", "name='tkn' value='0000", "meterform_select_meter: no element"),
    ("ha-ppc-smgw", "Set-Cookie", "session=", "sid=", "cookies sid"),
    ("ha-ppc-smgw", BODY, r">100\.48", ">100.49", "was read"),
    ("ha-ppc-smgw", BODY, ">kWh<", ">MWh<", "MWh was read"),
    ("ha-ppc-smgw", BODY, ">1-0:2.8.0<", ">1-0:2.8.1<", "nothing of that instant"),
    ("ha-ppc-smgw-library", BODY, "</td></tr>", "</td><td></td></tr>", "exactly three cells"),
    ("py-ppc-smgw-exports", BODY, "e_meter_sensor_setup-1", "e_meter_sensor_setup-2", "ems:values"),
    ("node-red-contrib-smgw", STATUS, "401", "403", "status 403"),
    ("node-red-contrib-smgw", "WWW-Authenticate", 'qop="auth"', 'qop="auth-int"', "qop is 'auth-int', not 'auth'"),
    ("node-red-contrib-smgw", "Set-Cookie", "^session=[^;]*", "session", "its first entry is not the session"),
    ("node-red-contrib-smgw", BODY, "<table ", "<p></p><table><tbody></tbody></table><table ", "table:nth-of-type(2)"),
    ("smgw-cms-data-extractor", BODY, "</ns1:object>", "</nsA:object>", "no octets <?xml ... </ns1:object>"),
    ("smgw-cms-data-extractor", "Content-Disposition", "sm_data", "data", "does not name 1sag0021061001.sm_data"),
    ("ha-lutarym-ppc-smgw", BODY, "Ausleseintervall", "Intervall", "label Ausleseintervall: no row"),
    ("ha-lutarym-ppc-smgw", BODY, "table_metervalues_line", "table_metervalues_row", "not every row has such an id"),
    ("openhab", "Set-Cookie", ";secure", "; Secure", "set-cookie: another form"),
    ("openhab", BODY, "name='mid'", "name='meter'", "select[name=mid]: not there"),
    ("trudi-ppc", BODY, "smgw-services", "smgw-service", "smgw-services: version none"),
    ("ha-theben", BODY, '"firmware-info"', '"firmwareinfo"', "smgw-info.firmware-info: it is missing"),
    ("ha-theben", BODY, '"readings": ?\\[', '"values":[', "channel.readings: it is missing"),
    ("ha-theben", BODY, '"value": ?"1004', '"value":"1005', "was read"),
    ("ha-theben", BODY, '"value": ?"([0-9]+)"', r'"value":\1', "is no text"),
    (
        "ha-smgw",
        BODY,
        "0100020800ff",
        "0100020800ff.1sag0021061001.sm",
        "register 1-0:2.8.0*255 of meter 1sag0021061001 was left out",
    ),
    ("ha-smgw", "Content-Type", "application/json", "text/html", "content type 'text/html'"),
    ("smgw-theben-conexa", STATUS, "307", "302", "status 302"),
    ("smgw-theben-conexa", "Location", "/json", "/form", "status 404"),
    ("aiohttp-client", BODY, '"databases"', '"database"', "usage-point-info.databases: it is missing"),
    ("old-uri-client", "Location", "^/", "@", "'@smgw/m2m"),
    ("trudi-conexa", BODY, '"taf-profile"', '"profile"', "usage-point-info.taf-profile: it is missing"),
    (
        "trudi-conexa",
        BODY,
        '"taf-profile": ?"[0-9a-f]+"',
        '"taf-profile":""',
        "taf-profile: empty, and the contract began at 2026-01-05T00:15:00+00:00",
    ),
    ("trudi-conexa", BODY, VERSION, '"version":"1.2.x"', "'1.2.x' is no version like 1.2.0"),
    ("trudi-conexa", BODY, VERSION, '"version":"1.1.9"', "'1.1.9' is older than 1.2.0"),
    ("ha-emh", BODY, '"logical_name"', '"name"', "values.logical_name: it is missing"),
    ("ha-emh", BODY, r'\["1sag', r'["\\r\\n1sag', "cannot be asked for"),
    ("ha-emh", BODY, r'\["1sag', r'["1 sag', "cannot be asked for"),
    ("ha-emh", BODY, '"unit": ?30', '"unit":"30"', "values.unit: '30' is no number"),
    ("ha-emh", BODY, '"value": ?"1004', '"value":"1005', "was read"),
    ("emh-casa-go", BODY, '"sensor_domains"', '"domains"', "contract.sensor_domains: it is missing"),
    ("emh-casa-go", BODY, "TAF-1", "TAF1", "no contract of TAF-1"),
    ("trudi-casa", BODY, '"timestamp_act"', '"timestamp"', "month.timestamp_act: it is missing"),
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


def test_a_version_is_no_text_that_is_sorted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = change(monkeypatch, BODY, VERSION, '"version":"1.10.0"')
    found = verdict_of("trudi-conexa", tmp_path / "run")
    assert changed
    assert found["verdict"] == "pass", found["reason"]


@pytest.mark.parametrize(
    ("begin", "ready_s", "problem"),
    [
        ("2026-01-05T05:00:00+01:00", 59 * 60, ""),
        ("2026-01-05T05:00:00+01:00", 61 * 60, "empty, and the contract began at 2026-01-05T04:00:00+00:00"),
        ("", 0, "empty, and no begin of the contract is told"),
    ],
)
def test_a_profile_may_be_empty_while_its_contract_is_young(begin: str, ready_s: int, problem: str) -> None:
    now = datetime(2026, 1, 5, 4, tzinfo=UTC) + timedelta(seconds=ready_s)
    if not problem:
        conexa._must_be_young({"start-time": begin}, now)
        return
    with pytest.raises(NotUnderstood, match=re.escape(problem)):
        conexa._must_be_young({"start-time": begin}, now)


def test_a_conexa_that_has_not_made_a_profile_yet_is_read_and_that_is_told(tmp_path: Path) -> None:
    """One contract began hours ago, the other a quarter of an hour (han 3.2)."""
    text = scenario_of("trudi-conexa").read_text()
    young = text.replace("begin: 2026-01-05 02:00", "begin: 2026-01-05 04:45")
    late = young.replace("given:\n", "given:\n  gateway: {options: {han_conexa_profile_ready_s: 3000}}\n")
    assert text != young != late
    (tmp_path / "young.yaml").write_text(late)
    out = tmp_path / "run"
    main(["run", str(tmp_path / "young.yaml"), "--gateway", "conexa", "--out", str(out), "--plain"])
    verdict = json.loads(next((out / "cases").glob("*/verdict.json")).read_text())
    assert verdict["verdict"] == "pass", verdict["reason"]
    assert "a signed profile is there after the begin of its contract within" in json.dumps(verdict)


def test_more_pages_than_the_bench_fetches_are_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ppc_lists, "PAGES", 0)
    found = verdict_of("trudi-ppc", tmp_path / "run")
    assert found["verdict"] == "inconc", found["reason"]
    assert "showTarification has more than 0 pages" in found["reason"]


@pytest.mark.parametrize("error", [ArithmeticError, AttributeError, LookupError, TypeError, ValueError])
async def test_what_a_program_stumbles_over_is_the_answer(error: type[Exception]) -> None:
    async def run(visit: Visit) -> Findings:
        raise error("of an odd answer")

    with pytest.raises(NotUnderstood, match="of an odd answer"):
        await replay(Program("casa", run, "all", "a trial"), cast(Visit, None))


@pytest.mark.parametrize("target", ["", "@host/", "x", "/a b", "/a\r\nb", "/a\x7f", "/a#b", "/a\u2028b", "/a\udc80"])
async def test_a_target_that_an_answer_has_spoilt_is_never_sent(clock: Clock, target: str) -> None:
    async with HanLink(clock, Settings("127.0.0.1", 9), Login("anna", "geheim.")) as link:
        with pytest.raises(NotUnderstood, match="cannot be asked for"):
            await link.request("GET", target)


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
given: {{han: {han}}}
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
        ("casa", ["han_sequence: {program: ha-emh, as: otto}"], "there is no user 'otto'"),
        ("casa", ["han_sequence: ha-emh", "sequence_values: {of: ha-emh, as: otto}"], "there is no user 'otto'"),
    ],
)
def test_mistakes_are_told_beforehand(tmp_path: Path, gateways: str, steps: list[str], told: str) -> None:
    file = tmp_path / "trial.yaml"
    file.write_text(
        SCENARIO.format(gateways=gateways, han="{site: own}", steps="\n".join(f"  - {one}" for one in steps))
    )
    with pytest.raises(UsageError) as found:
        load([file])
    assert told in str(found.value)


TWO = "{users: {anna: {}, otto: {}}}"


@pytest.mark.parametrize(
    ("run_as", "asked_as", "nobody"),
    [
        (None, None, None),
        (None, "anna", None),
        ("anna", None, None),
        ("otto", "otto", None),
        ("otto", None, "anna"),
        (None, "otto", "otto"),
    ],
)
def test_values_are_those_of_the_user_who_is_named(
    tmp_path: Path, run_as: str | None, asked_as: str | None, nobody: str | None
) -> None:
    """The first user is meant where nobody is named."""
    first, second = (f", as: {name}" if name else "" for name in (run_as, asked_as))
    steps = f"  - han_sequence: {{program: ha-emh{first}}}\n  - sequence_values: {{of: ha-emh{second}}}"
    file = tmp_path / "trial.yaml"
    file.write_text(SCENARIO.format(gateways="casa", han=TWO, steps=steps))
    if nobody is None:
        load([file])
        return
    with pytest.raises(UsageError, match=f"'ha-emh' has read nothing for '{nobody}' before"):
        load([file])


async def test_two_users_findings_are_kept_apart() -> None:
    """Each is compared with his own: a value of another one's meter is not taken for it."""
    own = {name: Findings((Told(name, IMPORT, Decimal(1), "Wh", AT),)) for name in ("anna", "otto")}
    seen: list[str] = []

    class Step(SequenceValuesStep):
        async def _stored(self, rig: Rig, found: Findings) -> Stored:
            seen.append(found.told[0].meter)
            raise NotUnderstood("trial", "enough was seen")

    async def client(user: str | None) -> Any:
        return SimpleNamespace(meters=meters)

    async def meters() -> tuple[str, ...]:
        return ()

    han = SimpleNamespace(first="anna", client=client, forget=lambda _: None)
    remembered = {_key("ha-emh", name): found for name, found in own.items()}
    rig = cast("Rig", SimpleNamespace(han=han, remembered=remembered))
    for user in (None, "otto", "anna"):
        await Step.model_validate({"of": "ha-emh", "as": user}).run(rig)
    assert seen == ["anna", "otto", "anna"]
    with pytest.raises(UsageError, match="has read nothing for 'emil' before"):
        await Step.model_validate({"of": "ha-emh", "as": "emil"}).run(rig)


async def test_only_the_users_own_contracts_say_what_he_should_see() -> None:
    contracts = {
        name: SimpleNamespace(consumer=name, terms=[(name, obis, 1)])
        for name, obis in (("anna", IMPORT), ("otto", EXPORT))
    }
    rig = SimpleNamespace(
        bench=SimpleNamespace(gateway=SimpleNamespace(emulated=True)),
        scenario=SimpleNamespace(given=SimpleNamespace(contracts=contracts)),
        han=SimpleNamespace(first="anna"),
        meter_id=str.upper,
    )
    for user, register in ((None, ("anna", IMPORT)), ("otto", ("otto", EXPORT))):
        step = SequenceValuesStep.model_validate({"of": "ha-theben", "as": user})
        assert await step._registers(cast("Rig", rig)) == {register}


def test_a_users_name_is_quoted_in_his_address() -> None:
    assert conexa.full_path("hks 2/ü") == "/smgw/m2m/hks%202%2F%C3%BC.sm/json"


def test_every_program_has_a_scenario() -> None:
    assert {scenario_of(program) for program in PROGRAMS} == set(HOME.glob("program_*.yaml"))
