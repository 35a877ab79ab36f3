"""The bench with one cable against stand-alone gateways, each a process of its own, as if they were real ones."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(1, str(Path(__file__).parents[1] / "trudi"))

from running import Running, running
from trudi_judge import File, stages_of, supplier_file
from trudi_recipe import check, recipe

from bench.cli import main
from bench.han_access import HanAccess
from bench.report.build import build_report
from bench.report.run_folder import read_run_folder
from devices.han.login import Exchange

HOME = Path(__file__).parents[2] / "scenarios" / "home"
SCENARIOS = [str(one) for one in sorted(HOME.glob("*.yaml")) if not one.name.startswith("program_")]
"""All but those that look for the contracts and values of single programs."""
PRODUCTS = ("ppc", "conexa", "casa")
USERS = {"ppc": "hks2", "conexa": "consumer-1", "casa": "consumer-1"}
"""What the gateway calls its consumer; scenarios call him consumer-1 at each."""
RUN = {"HAN-1", "HAN-6", "HAN-10", "HAN-11"}
"""Scenarios that need nothing but the home interface, of any product."""
SWITCHES = ((0, 2), (6, 1), (22, 2))
CONFIG = """
gateway: {options: {signature_curve: secp256r1}}
meters:
  house:
    id: 1LGZ0072999211
    registers: {1.8.0: 23163.627 kWh, 2.8.0: 4711.5 kWh}
    load: {day: [180 W, 150 W, 140 W, 135 W, 140 W, 190 W, 420 W, 610 W, 480 W, 200 W, -350 W, -900 W,
                 -1400 W, -1250 W, -700 W, -150 W, 410 W, 640 W, 880 W, 930 W, 790 W, 610 W, 420 W, 260 W]}
consumers: {consumer-1: {password: "Sonne.und.Regen."}}
contracts:
  tariff:
    {consumer: consumer-1, taf: 2, meters: {house: 1.8.0}, billing: 1 day, tariff: day-night,
     switches: {"00:00": 2, "06:00": 1, "22:00": 2},
     usage_point: DE0007300000000000000000000012345, supplier: supplier.example}
  demand: {consumer: consumer-1, taf: 6, meters: {house: [1.8.0, 2.8.0]}, usage_point: DE00073, supplier: grid.example}
  profile:
    {consumer: consumer-1, taf: 7, meters: {house: [1.8.0, 2.8.0]}, usage_point: DE00073, supplier: supplier.example}
"""


@pytest.fixture(scope="module")
def gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Running]]:
    """One of each product, with values since yesterday's begin."""
    with ExitStack() as stack:
        found = {}
        for product in PRODUCTS:
            folder = tmp_path_factory.mktemp(product)
            config = folder / "gateway.yaml"
            config.write_text(CONFIG.replace("consumer-1", USERS[product]))
            options = ("--history", "2d", "--config", str(config))
            found[product] = stack.enter_context(running(product, folder, *options))
        yield found


def bench_file(folder: Path, product: str, address: tuple[str, int], **more: Any) -> Path:
    """Nothing but the address, the user, and the file with his password."""
    password = folder / "password"
    password.write_text(f"{more.pop('password', 'Sonne.und.Regen.')}\n")
    han = {"address": "{}:{}".format(*address), "user": USERS[product], "password_file": str(password)}
    every = {"every": "1 s"} if product == "ppc" else {}
    file = folder / "cellar.yaml"
    file.write_text(json.dumps({"name": "cellar", "gateway": {"type": product, "han": han | every | more}}))
    return file


def run(file: Path, out: Path, *words: str) -> tuple[int, dict[str, dict[str, Any]], dict[str, str]]:
    """Exit code, verdict of each scenario that was run, and reason of each case that was not."""
    code = main(["run", *SCENARIOS, "--bench", str(file), "--out", str(out), "--plain", *words])
    verdicts = [json.loads(one.read_text()) for one in (out / "cases").glob("*/verdict.json")]
    told = json.loads((out / "run.json").read_text())
    left = {str(one["key"]): str(one["reason"]) for one in told["not_tested"]}
    return code, {str(one["scenario"]): one for one in verdicts}, left


@pytest.mark.timeout(240)
@pytest.mark.parametrize("product", PRODUCTS)
def test_what_only_reads_passes_and_all_else_is_not_applicable(
    tmp_path: Path, gateways: dict[str, Running], product: str
) -> None:
    gateway, out = gateways[product], tmp_path / "run"
    file = bench_file(tmp_path, product, gateway.address, fingerprint=gateway.told["fingerprint"])
    code, verdicts, left = run(file, out, "--gateway", product)
    assert {name: one["verdict"] for name, one in verdicts.items()} == dict.fromkeys(RUN, "pass"), verdicts
    others = {one["verdict"] for name, one in verdicts.items() if name not in RUN}
    assert others <= {"pass", "inconc"}, verdicts  # a program that looks for another contract finds nothing here
    assert code == ("inconc" in others)
    assert_report_is_of(product, out)
    assert left and all("the bench lacks " in one for one in left.values())
    told = verdicts["HAN-1"]["gateway"]["told"]
    report = (out / "report.html").read_text()
    assert told["id"].lower() == gateway.told["device_id"].lower()
    assert told["certificate"] == gateway.told["fingerprint"]
    for shown in (told["id"], told["firmware"], told["certificate"]):
        assert shown and shown in report
    exports = sorted(next((out / "cases").glob("HAN-11*")).glob("trudi-*.xml"))
    assert len(exports) == 3
    for export in exports:
        judged(export, tmp_path)


def assert_report_is_of(product: str, out: Path) -> None:
    """It credits clauses of this product alone, lists what was assumed, and says what is known of the device."""
    made = build_report(read_run_folder(out))
    assert made.requirements and {one.clause.split()[0] for one in made.requirements} == {product.upper()}
    assert {clause.split()[0] for case in made.cases for clause in case.verifies} <= {product.upper()}
    (known,) = (one.value for one in made.head.bench if one.name == "Gateway")
    assert known.startswith("reached over the home interface at 127.0.0.1:") and "cannot tell" in known
    names = [one.name for one in made.assumed]
    assert len(names) >= 7 and all(one.startswith("home interface, ") for one in names)
    assert {one.split(", ")[1] for one in names} & {"PPC", "CONEXA", "CASA"} == {product.upper()}
    pause = [(one.value, one.source) for one in made.assumed if one.name.endswith("pause between two logins")]
    assert pause == ([("1 s", "bench file, for han 2.1")] if product == "ppc" else [])


AGAIN = """
id: T-1
title: A login of its own beside the one that is open
gateways: [ppc, conexa, casa]
needs: [han]
given: {han: {site: own}}
steps:
  - han: {login: consumer-1, accepted: true}
  - han: {login: consumer-1, accepted: true}
  - han: {values: all}
"""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("product", PRODUCTS)
def test_who_logs_in_twice_still_sees_his_values(tmp_path: Path, gateways: dict[str, Running], product: str) -> None:
    """A PPC ends the first session; the bench takes up none that is over, whatever the gateway calls the user."""
    scenario, out = tmp_path / "again.yaml", tmp_path / "run"
    scenario.write_text(AGAIN)
    file = bench_file(tmp_path, product, gateways[product].address)
    words = ["--bench", str(file), "--gateway", product, "--out", str(out), "--plain"]
    code = main(["run", str(scenario), *words])
    verdict = json.loads(next((out / "cases").glob("*/verdict.json")).read_text())
    assert (code, verdict["verdict"], verdict["reason"]) == (0, "pass", "")


def judged(export: Path, folder: Path) -> None:
    """A file of the transparency software, by its rules, its signatures and its sums."""
    file, key = File(export), folder / "key.pem"
    case = 2 if "tariff" in export.stem else 6 if "demand" in export.stem else 7
    assert file.judge(case, closed=case == 2, signature_key=key) == []
    good, bad = file.signatures(key, folder, every=29)
    assert good >= len(file.lists)
    assert bad == []
    if case != 2:
        return
    energy = file.originals[0]
    supplier = folder / "supplier.xml"
    supplier.write_text(supplier_file(file, 2, {"01000108": SWITCHES}))
    out = folder / "bill.json"
    with out.open("w") as sink, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", sink)
        assert main(["tariff", str(export), str(supplier), "--json"]) == 0
    bill = {int(name.split("*")[0].split(".")[-1]): value for name, value in json.loads(out.read_text()).items()}
    assert bill == stages_of(energy, SWITCHES)
    assert sum(bill.values()) == energy.values[-1].value - energy.values[0].value > 0
    derived = {int(one.obis[8:10], 16): one.values[-1].value - one.values[0].value for one in file.derived}
    assert {stage: derived[stage] for stage in bill} == bill


@pytest.mark.timeout(120)
@pytest.mark.parametrize("product", PRODUCTS)
def test_the_command_tells_what_it_verified_and_the_documents_script_finds_the_same(
    tmp_path: Path, gateways: dict[str, Running], product: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a file read at the home interface and of one out of the memory; a PPC tells no status words, nor a chain."""
    gateway, pem, chains = gateways[product], tmp_path / "pem", product == "conexa"
    bench_file(tmp_path, product, gateway.address)
    data = ["--data", gateway.told["data"]]
    han = ["--han", "{}:{}".format(*gateway.address), "--type", product, "--user", USERS[product]]
    han += ["--password-file", str(tmp_path / "password")]
    assert main(["export", "certificates", *data, "--out", str(pem)]) == 0
    both = tmp_path / "both.pem"
    both.write_bytes((pem / "sm_root.pem").read_bytes() + (pem / "sub_ca.pem").read_bytes())
    script = recipe(tmp_path)
    for words, from_memory in ((data, True), (han, False)):
        out = tmp_path / f"{from_memory}.xml"
        capsys.readouterr()
        assert main(["export", "trudi", *words, "--contract", "profile", "--out", str(out)]) == 0
        shown = capsys.readouterr().out
        names = [one.name.lower() for one in File(out).lists]
        assert len(names) == 2
        for name in names:
            line = next((line for line in shown.splitlines() if line.startswith(f"  {name}: all ")), "")
            assert bool(line) != from_memory
            assert ("guessed" in line) == (product == "ppc" and not from_memory)
        assert ("issued by the Sub-CA" in shown) == (chains and not from_memory)
        done = check(script, out, pem / "sm_root.pem", 19)
        assert done.returncode == 0, done
        assert all(f"{name}: " in done.stdout for name in names)
        assert ", 0 do not\n" in done.stdout.splitlines(keepends=True)[-1]
        assert ("own.pem: OK" in done.stdout) == (chains or from_memory)
        assert ("(no Sub-CA in the file)" in done.stdout) != (chains or from_memory)
        assert (gateway.told["fingerprint"] in done.stdout) != from_memory
        assert "own.pem: OK" in check(script, out, both, 10_000).stdout


def test_a_bill_of_more_than_1096_days_is_refused_before_anything_is_read(
    tmp_path: Path, gateways: dict[str, Running], capsys: pytest.CaptureFixture[str]
) -> None:
    bench_file(tmp_path, "casa", gateways["casa"].address)
    words = ["--han", "{}:{}".format(*gateways["casa"].address), "--type", "casa", "--user", "consumer-1"]
    words += ["--password-file", str(tmp_path / "password"), "--contract", "profile", "--out", str(tmp_path / "x.xml")]
    assert main(["export", "trudi", *words, "--from", "2023-01-01", "--to", "2026-01-02"]) == 2
    assert "a file has at most 1096 days" in capsys.readouterr().err
    assert not (tmp_path / "x.xml").exists()


def test_a_wrong_password_is_tried_once_and_is_the_benchs_trouble(tmp_path: Path, gateways: dict[str, Running]) -> None:
    """Each further try would bring the lock for all consumers nearer."""
    gateway = gateways["conexa"]
    file = bench_file(tmp_path, "conexa", gateway.address, password="Sonne.und.Regen", user="consumer-9")
    code, verdicts, _ = run(file, tmp_path / "run", "--gateway", "conexa")
    assert (code, {one["verdict"] for one in verdicts.values()}) == (3, {"error"})
    reasons = sorted(one["reason"] for one in verdicts.values())
    assert all("does not take what the bench file says of its user" in one for one in reasons)
    assert sum("not asked again" in one for one in reasons) == len(RUN) - 1
    right = bench_file(tmp_path, "conexa", gateway.address)
    assert run(right, tmp_path / "right", "--gateway", "conexa", "-k", "HAN-6")[0] == 0


def refused(file: Path, out: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What is said of a bench file before anything is run; it is trouble of the bench, and nothing was run."""
    assert main(["run", *SCENARIOS, "--bench", str(file), "--out", str(out), "--plain", *words]) == 3
    told = capsys.readouterr()
    assert not out.exists() and "fail" not in told.out
    assert told.err.count("\n") == 1
    return told.err


def test_at_another_certificate_nothing_is_run(
    tmp_path: Path, gateways: dict[str, Running], capsys: pytest.CaptureFixture[str]
) -> None:
    address = gateways["casa"].address
    file = bench_file(tmp_path, "casa", ("localhost", address[1]), fingerprint="ab" * 32)
    told = refused(file, tmp_path / "run", capsys)
    assert f"{file}:1:" in told and "'fingerprint'" in told and "named is " + "ab" * 32 in told
    assert gateways["casa"].told["fingerprint"] in told


def test_where_nobody_listens_nothing_is_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        begin = time.monotonic()
        told = refused(bench_file(tmp_path, "casa", free.getsockname()), tmp_path / "run", capsys)
    assert "'address'" in told and "cannot be reached" in told and "look at cable, address and supply" in told
    assert time.monotonic() - begin < 60


@pytest.mark.parametrize("there", PRODUCTS)
def test_another_product_than_the_bench_file_names_is_its_mistake(
    tmp_path: Path, gateways: dict[str, Running], capsys: pytest.CaptureFixture[str], there: str
) -> None:
    for named in PRODUCTS:
        if named != there:
            file = bench_file(tmp_path, named, gateways[there].address)
            told = refused(file, tmp_path / named, capsys)
            assert f"{file}:1:" in told
            assert f"'type': 127.0.0.1:{gateways[there].address[1]} is a {there}, not a {named}" in told
            assert f"(write 'type: {there}')" in told


def test_the_export_says_which_product_it_is(
    tmp_path: Path, gateways: dict[str, Running], capsys: pytest.CaptureFixture[str]
) -> None:
    bench_file(tmp_path, "casa", gateways["casa"].address)
    words = ["--han", "{}:{}".format(*gateways["casa"].address), "--user", "consumer-1", "--out", str(tmp_path / "x")]
    words += ["--password-file", str(tmp_path / "password"), "--type", "conexa"]
    assert main(["export", "trudi", *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("smgw-bench: --type: 127.0.0.1:") and said.count("\n") == 1
    assert said.endswith(" is a casa, not a conexa (write --type casa)\n")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("status", [401, 200])
def test_a_gateway_that_is_killed_in_mid_run_is_no_verdict_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """Cable, supply and device cannot be told apart from here; the cases after it say so too, and nothing hangs.

    It dies in the middle of the first login, or behind it.
    """
    out = tmp_path / "run"
    folder = tmp_path / "gateway"
    folder.mkdir()
    exchanged = HanAccess._exchanged
    with pytest.raises(AssertionError, match="ended by itself"), running("casa", folder) as gateway:
        file = bench_file(tmp_path, "casa", gateway.address, password=gateway.password())

        def kill(access: HanAccess, one: Exchange) -> None:
            exchanged(access, one)
            if one.status == status and gateway.process.poll() is None:
                gateway.process.kill()
                gateway.process.wait(60)

        monkeypatch.setattr(HanAccess, "_exchanged", kill)
        code, verdicts, _ = run(file, out, "--gateway", "casa")
    assert code == 3
    assert set(verdicts) == RUN
    assert {one["verdict"] for one in verdicts.values()} == {"error"}
    reasons = [one["reason"] for one in verdicts.values()]
    assert all("look at cable, address and supply" in one for one in reasons), reasons
    assert all(("it answered before" in one) == (status == 200) for one in reasons), reasons
