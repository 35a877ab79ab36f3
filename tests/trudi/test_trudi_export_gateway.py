"""`smgw-bench export`: from a gateway's memory to a file that others can check (han 5.2, wan-core 7.2)."""

from __future__ import annotations

import hashlib
import io
import json
import random
import re
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from lxml import etree
from trudi_export_files import AR, ESPI, assert_valid
from trudi_files import supplier
from trudi_recipe import DOCUMENT, check, recipe

from bench.cli import main
from bench.emulation import LongRun, Wishes, simulate_core
from devices import gateway_types
from devices.clock import run
from devices.errors import UsageError
from devices.protocols.trudi.export import read_export
from devices.protocols.trudi.received import check as check_rules
from firmware.config import Options
from firmware.logs.book import LogBook, LogEntry
from firmware.metering.contracts import Contract, contract_statement, contracts
from firmware.metering.trudi_export import UOM, Exported, export_contract
from firmware.metering.values import Entry, Reading, octets_to_sign, store_signed
from firmware.security.certificates import make_certificates
from firmware.security.module import SecurityModule, make_keys
from firmware.storage.kept import KeptMemory
from firmware.storage.memory import NonVolatileMemory, firmware_image, setting_statement
from firmware.unit import image_statement

BERLIN = ZoneInfo("Europe/Berlin")
BEGIN = int(datetime(2026, 1, 1, tzinfo=BERLIN).timestamp())
END = int(datetime(2026, 1, 3, tzinfo=BERLIN).timestamp())
FIRST, SECOND = "1SMB0000000001", "1SMB0000000002"
ENERGY = "1-0:1.8.0*255"


def _meter(per_quarter: int):  # type: ignore[no-untyped-def]
    return lambda at_us: ((ENERGY, 5000 + per_quarter * ((at_us // 1_000_000 - BEGIN) // 900), -1, 30),)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days of two meters, each with contracts of TAF-1, 2, 6 and 7."""
    folder = tmp_path_factory.mktemp("gateway")
    meters = {FIRST: _meter(10), SECOND: _meter(3)}
    plan = LongRun(gateway_types.load("casa"), meters, (1, 2, 6, 7), BEGIN, END, 1, 0, folder / "memory.sqlite")
    run(simulate_core(plan), virtual=True)
    return folder


def export(data: Path, *words: str) -> int:
    return main(["export", "trudi", "--data", str(data), *words])


def exported(data: Path, contract: str, tmp_path: Path, *words: str) -> Path:
    out = tmp_path / f"{contract}.xml"
    assert export(data, "--contract", contract, "--out", str(out), *words) == 0
    return out


@pytest.mark.parametrize(
    ("taf", "lists", "values"),
    # Two days of quarter hours with both ends are 193; TAF-2 has begin, four switches and end of total, two stages, 63.
    [(1, 2, 193 + 2), (2, 5, 193 + 4 * 6), (6, 1, 3), (7, 1, 193)],
)
def test_the_schema_takes_what_the_gateway_exports(
    data: Path, tmp_path: Path, taf: int, lists: int, values: int
) -> None:
    root = assert_valid(exported(data, f"taf{taf}-{FIRST.lower()}", tmp_path).read_bytes())
    assert len(list(root.iter(f"{AR}MeterReading"))) == lists
    assert len(list(root.iter(f"{AR}IntervalReading"))) == values
    assert {one.text for one in root.iter(f"{AR}meterId")} == {FIRST}
    assert root.findtext(f".//{AR}smgwId") == gateway_types.load("casa").device_id


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl here")
@pytest.mark.parametrize(("taf", "every"), [(2, 9), (6, 1), (7, 16)])
def test_signatures_and_chain_hold_for_openssl_from_the_file_alone(
    data: Path, tmp_path: Path, taf: int, every: int
) -> None:
    assert main(["export", "certificates", "--data", str(data), "--out", str(tmp_path / "pem")]) == 0
    root, script = tmp_path / "pem" / "sm_root.pem", recipe(tmp_path)
    file = exported(data, f"taf{taf}-{FIRST.lower()}", tmp_path)
    done = check(script, file, root, every)
    total = len(list(etree.parse(str(file)).iter(f"{AR}IntervalReading")))
    assert f"{total // every} signatures fit, 0 do not" in done.stdout
    assert "own.pem: OK" in done.stdout
    assert done.returncode == 0


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl here")
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (r"(<espi:value>\d*)(\d)", lambda found: found[1] + str((int(found[2]) + 1) % 10)),
        (r"(<timePeriod>.*?T..:..:.)(\d)", lambda found: found[1] + str((int(found[2]) + 1) % 10)),
        (r"(<statusFNN>A00)0", r"\g<1>8"),
        (r"(<scaler>-)1", r"\g<1>2"),
        (r"(<espi:uom>7)2", r"\g<1>1"),
        (r"(<signature>.*?)(.)(?=</signature>)", lambda found: found[1] + ("0" if found[2] != "0" else "1")),
        (rf"taf6-{FIRST.lower()}\.sm", f"taf6-{SECOND.lower()}.sm"),
    ],
)
def test_the_recipe_finds_anything_that_was_bent(data: Path, tmp_path: Path, right: str, wrong: str) -> None:
    assert main(["export", "certificates", "--data", str(data), "--out", str(tmp_path / "pem")]) == 0
    file = exported(data, f"taf6-{FIRST.lower()}", tmp_path)
    text = file.read_text(encoding="utf-8")
    bent = re.sub(right, wrong, text)
    assert bent != text
    file.write_text(bent, encoding="utf-8")
    done = check(recipe(tmp_path), file, tmp_path / "pem" / "sm_root.pem", 1)
    assert "0 signatures fit, 3 do not" in done.stdout
    assert done.returncode == 1


def test_the_tariff_command_takes_an_export_and_the_suppliers_file(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten tenths of a watt hour in each quarter of an hour: 60 of 96 in stage 2, by two days."""
    names = ["--usage-point", "DE1", "--supplier", "S", "--tariff", "T"]
    values = exported(data, f"taf7-{FIRST.lower()}", tmp_path, *names)
    tariff = tmp_path / "supplier.xml"
    tariff.write_bytes(
        supplier(datetime(2026, 1, 1, tzinfo=BERLIN), 2).replace(
            b"ESBE0000000001", gateway_types.load("casa").device_id.encode()
        )
    )
    capsys.readouterr()
    assert main(["tariff", str(values), str(tariff), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"1-0:1.8.1*255": 720, "1-0:1.8.2*255": 1200, "1-0:1.8.63*255": 0}


def test_the_stages_that_the_gateway_derived_are_those_of_the_tariff_command(data: Path, tmp_path: Path) -> None:
    lists = {
        str(one.register): one
        for one in read_export(exported(data, f"taf2-{FIRST.lower()}", tmp_path).read_bytes()).lists
        if not one.original
    }
    last = {name: one.readings[-1].value for name, one in lists.items()}
    assert last == {
        "1-0:1.8.0*255": 5000 + 1920,
        "1-0:1.8.1*255": 2 * 64 * 10,
        "1-0:1.8.2*255": 2 * 32 * 10,
        "1-0:1.8.63*255": 0,
    }
    assert {one.readings[0].value for name, one in lists.items() if name != ENERGY} == {0}


def test_only_the_span_that_was_asked_for_is_written(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--from", "2026-01-02", "--to", "2026-01-02T01:00:00+01:00", "--json"]
    file = exported(data, f"taf7-{FIRST.lower()}", tmp_path, *words)
    told = json.loads(capsys.readouterr().out)
    (values,) = read_export(file.read_bytes()).lists
    wanted = [datetime(2026, 1, 2, tzinfo=BERLIN) + number * timedelta(minutes=15) for number in range(5)]
    assert [one.target for one in values.readings] == wanted
    assert told == {
        "octets": file.stat().st_size, "lists": 1, "values": 5, "begin_s": int(wanted[0].timestamp()),
        "end_s": int(wanted[-1].timestamp()), "without_value": 0,
    }  # fmt: skip
    root = etree.parse(str(file))
    assert root.findtext(f".//{AR}interval/{AR}start") == "2026-01-01T23:00:00Z"


def test_without_a_file_the_export_goes_to_the_standard_output(
    data: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert export(data, "--contract", f"taf6-{SECOND.lower()}") == 0
    assert_valid(capsysbinary.readouterr().out)


def test_reading_a_memory_leaves_it_as_it_is(data: Path, tmp_path: Path) -> None:
    def state() -> dict[str, str]:
        return {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in data.iterdir()}

    before = state()
    exported(data, f"taf7-{FIRST.lower()}", tmp_path)
    assert state() == before
    with pytest.raises(UsageError, match="only read"):
        KeptMemory(data / "memory.sqlite").commit([])


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--contract", "none"], f"the gateway has no contract 'none' (there are: taf1-{FIRST.lower()}, "),
        (["--contract", "C", "--from", "2026-02-01"], "has no values from 2026-01-31T23:00:00Z (there are values from"),
        (["--contract", "C", "--from", "2026-01-02", "--to", "2026-01-01"], "the span ends before it begins"),
        (["--contract", "C", "--from", "soon"], "--from: 'soon' is no instant (2026-01-01 or"),
        (["--contract", "C", "--to", "2026-01-01T00:00:00"], "--to: '2026-01-01T00:00:00' is no instant"),
        (["--contract", "C", "--json"], "--json tells what was written, which needs a file"),
        (["--contract", "C", "--usage-point", "x" * 257], "usagePointId: it has 257 characters, at most 256"),
        (
            ["--contract", "C", "--usage-point", " "],
            "argument --usage-point: it is empty (left away, the contract's is",
        ),
        (["--contract", "C", "--supplier", ""], "argument --supplier: it is empty"),
        (["--contract", "C", "--tariff="], "argument --tariff: it is empty"),
        (["--contract", "C", "--out", "no/such/folder/values.xml"], "cannot be written: No such file or directory"),
    ],
)
def test_refusals_are_one_line(data: Path, words: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = export(data, *[f"taf7-{FIRST.lower()}" if word == "C" else word for word in words])
    except SystemExit as ended:
        code = ended.code  # type: ignore[assignment]
    assert code == 2
    told = capsys.readouterr()
    assert text in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""


def test_what_is_no_memory_of_a_gateway_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refused() -> str:
        assert export(tmp_path / "gateway", "--contract", "C") == 2
        told = capsys.readouterr().err
        assert told.count("\n") == 1
        return told

    assert "there is no folder" in refused()
    (tmp_path / "gateway").mkdir()
    assert "holds no gateway's memory (a folder with the file memory.sqlite)" in refused()
    (tmp_path / "gateway" / "memory.sqlite").write_text("something else entirely, longer than a header of SQLite" * 9)
    assert "is no memory of a gateway" in refused()
    (tmp_path / "gateway" / "memory.sqlite").write_bytes(b"")
    assert "is no memory of a gateway" in refused()


@pytest.mark.parametrize("taf", [1, 2, 6, 7])
def test_what_is_exported_keeps_the_rules_that_the_tariff_command_checks(data: Path, tmp_path: Path, taf: int) -> None:
    assert check_rules(read_export(exported(data, f"taf{taf}-{FIRST.lower()}", tmp_path).read_bytes())) == ()


@pytest.mark.parametrize(
    ("sql", "tafs"),
    [
        ("UPDATE entry SET value = value + 1 WHERE meter = ? AND grid_s = (SELECT MAX(grid_s) FROM entry)", {1, 2, 7}),
        ("UPDATE entry SET scaler = 0 WHERE meter = ?", {1, 2, 7}),
        ("UPDATE reading SET capture_us = capture_us + 1000000 WHERE meter = ? AND grid_s % 86400 = 0", {1, 2, 7}),
        ("UPDATE reading SET status = 'A008000020000000' WHERE meter = ? AND grid_s % 86400 = 0", {1, 2, 7}),
        ("UPDATE derived SET value = value + 1 WHERE profile LIKE 'taf6-' || lower(?)", {6}),
        ("UPDATE derived SET signature = x'' WHERE profile LIKE 'taf2-' || lower(?)", {2}),
    ],
)
def test_a_value_that_does_not_fit_its_signature_is_not_exported(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], sql: str, tafs: set[int]
) -> None:
    bent, out = tmp_path / "bent", tmp_path / "values.xml"
    shutil.copytree(data, bent)
    with closing(sqlite3.connect(bent / "memory.sqlite")) as memory:
        assert memory.execute(sql, (FIRST,)).rowcount > 0
        memory.commit()
    for taf in (1, 2, 6, 7):
        contract = ["--contract", f"taf{taf}-{FIRST.lower()}"]
        code, misfit = export(bent, *contract, "--out", str(out)), taf in tafs
        told = capsys.readouterr()
        assert (code, out.exists()) == (int(misfit), not misfit), taf
        if misfit:
            assert "nothing is exported: the signature of a stored value does not fit: 0100010" in told.err
            assert told.err.count("\n") == 1
            assert export(bent, *contract) == 1
            assert capsys.readouterr().out == ""
        out.unlink(missing_ok=True)


def test_a_refused_export_leaves_an_older_file_alone(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "values.xml"
    out.write_text("older")
    words = ["--contract", f"taf7-{FIRST.lower()}", "--out", str(out), "--supplier", "x" * 65]
    assert export(data, *words) == 2
    assert out.read_text() == "older"
    assert list(tmp_path.iterdir()) == [out]


# --- memories made by hand


START = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp())
WIRED, RADIO = "A000000020000000", "A000400000000000"


def memory_with(readings: list[Reading], **changes: object) -> NonVolatileMemory:
    """A gateway's memory with one contract, its readings signed."""
    memory, rng = NonVolatileMemory(), random.Random(3)
    make_keys(memory, rng, "brainpoolP256r1")
    make_certificates(memory, rng, "EXYZ0123456789", Options(), datetime.fromtimestamp(START, UTC))
    module = SecurityModule(memory)
    signatures = [module.sign(octets) for one in readings for octets in octets_to_sign(one)]
    plain = {
        "name": "c", "use_case": 7, "consumer": "anna.sm", "usage_point": "DE1", "supplier": "S", "tariff": "T",
        "registers": (("M1", ENERGY),), "begin_s": START, "end_s": None, "period_s": 900,
    }  # fmt: skip
    memory.commit(
        [
            *store_signed(readings, signatures),
            contract_statement(Contract(**(plain | changes))),  # type: ignore[arg-type]
            setting_statement("hardware", "EXYZ0123456789"),
            image_statement("firmware", "1.0", firmware_image("firmware", "1.0")),
        ]
    )
    return memory


def taken(memory: NonVolatileMemory, wishes: Wishes | None = None) -> tuple[Exported, bytes]:
    sink = io.BytesIO()
    return export_contract(memory, "c", wishes or Wishes(), lambda: sink), sink.getvalue()


def at(number: int, *entries: Entry, late_s: int = 1, status: str = WIRED) -> Reading:
    grid_s = START + number * 900
    return Reading("M1", grid_s, (grid_s + late_s) * 1_000_000, status, entries)


def test_instants_without_a_value_are_not_in_the_file_but_are_counted() -> None:
    gap = Reading("M1", START + 900, None, "A004000020000000")
    without = at(2, Entry("1-0:2.8.0*255", 5, -1, 30))
    octets = at(3, Entry(ENERGY, b"\1\2"))
    memory = memory_with([at(0, Entry(ENERGY, 10, -1, 30)), gap, without, octets, at(4, Entry(ENERGY, 40, -1, 30))])
    written, file = taken(memory)
    root = assert_valid(file)
    assert [one.text for one in root.iter(f"{ESPI}value")] == ["10", "40"]
    assert (written.values, written.without_value) == (2, 3)
    assert root.findtext(f".//{AR}customerId") == "anna"


def test_a_register_that_changes_its_scaler_gets_a_list_for_each() -> None:
    memory = memory_with([at(0, Entry(ENERGY, 10, -1, 30)), at(1, Entry(ENERGY, 2, 0, 30)), at(2, Entry(ENERGY, 3))])
    root = assert_valid(taken(memory)[1])
    kinds = list(root.iter(f"{AR}ReadingType"))
    assert [(one.findtext(f"{AR}scaler"), one.findtext(f"{ESPI}uom")) for one in kinds] == [
        (None, "0"), ("-1", "72"), ("0", "72"),
    ]  # fmt: skip
    assert len({one.text for one in root.iter(f"{AR}meterReadingId")}) == 3
    assert len({one.text for one in root.iter(f"{AR}qualifiedLogicalName")}) == 1


def test_a_radio_meters_word_does_not_stand_where_the_software_would_misread_it() -> None:
    memory = memory_with([at(0, Entry(ENERGY, 10, -1, 30), status=RADIO)])
    one = assert_valid(taken(memory)[1]).find(f".//{AR}IntervalReading")
    assert one.find(f"{AR}statusFNN") is None
    assert one.findtext(f"{AR}statusPTB") == "0"
    assert one.findtext(f"{AR}statusVendor") == RADIO


def test_blocks_reach_to_captures_outside_the_span() -> None:
    early, late = at(0, Entry(ENERGY, 1, 0, 30), late_s=-3), at(1, Entry(ENERGY, 2, 0, 30), late_s=8)
    memory = memory_with([early, late])
    root = assert_valid(taken(memory, Wishes(START, START + 900))[1])
    assert root.findtext(f".//{AR}interval/{AR}start") == "2026-02-28T23:59:57Z"
    assert root.findtext(f".//{AR}interval/{AR}duration") == str(3 + 900 + 8)


def test_a_unit_without_a_code_is_refused() -> None:
    memory = memory_with([at(0, Entry(ENERGY, 10, 0, 8))])
    with pytest.raises(UsageError, match="COSEM unit 8, for which the TRuDI format has no code"):
        taken(memory)


def test_the_document_and_the_export_have_the_same_units() -> None:
    told = re.search(r"^COSEM = (\{.*?\})", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert told is not None
    listed = json.loads(re.sub(r"(\d+): \[", r'"\1": [', told[1]))
    assert {int(unit): int(code) for code, units in listed.items() for unit in units if unit} == UOM


def test_a_contract_without_values_for_the_software_is_refused() -> None:
    memory = memory_with([at(0, Entry(ENERGY, 10, 0, 30))], use_case=9)
    with pytest.raises(UsageError, match=r"contract c is one of TAF-9 \(values are exported of TAF-1, TAF-2"):
        taken(memory)
    with pytest.raises(UsageError, match="contract c has no values yet"):
        taken(memory_with([]))


def test_more_than_three_years_are_refused() -> None:
    memory = memory_with([at(0, Entry(ENERGY, 10, 0, 30))])
    with pytest.raises(UsageError, match="1097 days, at most 1096"):
        taken(memory, Wishes(START, START + 1097 * 86_400))


def test_the_consumers_log_of_the_span_is_in_the_file() -> None:
    memory = memory_with([at(0, Entry(ENERGY, 10, 0, 30)), at(4, Entry(ENERGY, 11, 0, 30))])
    rows = [
        ("consumer", "anna.sm", START - 1, 7, "info", "success", "before"),
        ("consumer", "anna.sm", START, 4294948294, "warning", "success", "a\x07b < c"),
        ("consumer", "anna.sm", START + 900, -5, "fatal", "failure", "negative id"),
        ("consumer", "otto.sm", START + 900, 7, "info", "success", "another's"),
        ("system", "", START + 900, 7, "info", "success", "technical"),
    ]
    for book, owner, time, vendor, level, outcome, text in rows:
        entry = LogEntry(0, time * 1_000_000, "made_up", vendor, 4, level, outcome, {}, text)
        memory.commit(LogBook(memory, book, owner, 100).append(entry))
    entries = list(assert_valid(taken(memory)[1]).iter(f"{AR}LogEntry"))
    assert [one.findtext(f".//{AR}text") for one in entries] == ["a\ufffdb < c", "negative id"]
    assert [one.findtext(f".//{AR}level") for one in entries] == ["2", "4"]
    assert [one.findtext(f".//{AR}outcome") for one in entries] == ["0", "1"]
    assert [one.findtext(f".//{AR}eventId") for one in entries] == ["4294948294", None]


def test_contracts_come_back_as_they_were_stored() -> None:
    memory = memory_with([], kind=1, end_s=START + 1)
    (found,) = contracts(memory).values()
    assert (found.kind, found.end_s, found.registers) == (1, START + 1, (("M1", ENERGY),))
