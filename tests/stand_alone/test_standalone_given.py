"""The folder of a stand-alone gateway keeps the files that it was given, and comes back with them alone."""

from __future__ import annotations

import json
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.cli import main
from bench.standalone.config import EXAMPLES
from bench.standalone.data_dir import DataFolder, Kept
from bench.standalone.given import Given, take
from bench.standalone.run import prepare
from bench.standalone.users import introduce
from devices.clock import wall_now
from devices.errors import UsageError

CONFIG = """
gateway: {id: EEMH0009264155}
meters: {cellar: {id: 1EMH0012345678, registers: {1.8.0: 5 kWh}, load: CELLAR.csv}}
consumers: {anna: {certificate: ../anna.pem}, berta: {}}
contracts: {profile: {taf: 7, meters: {cellar: 1.8.0}, consumer: anna}}
"""
LOAD = "0,150\n3600,250\n"
METERS = "meters: {cellar: {id: 1EMH0087654321, registers: {1.8.0: 6 kWh}, load: 70 W}}\n"


def started(data: Path, config: Path | None = None, meters: Path | None = None, *, refused: bool = False) -> Given:
    """As a start does, up to the gateway itself; which has a memory then."""
    with DataFolder(data) as folder:
        given = take("casa", config, meters, folder)
        prepare(given.plan, folder, None, wall_now(), given)
        introduce(given.plan, folder)
        folder.memory.touch()
        if not refused:
            given.keep_in(folder)
    return given


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a configuration, its files, and a file of meters."""
    plan_folder = tmp_path / "files" / "below"
    plan_folder.mkdir(parents=True)
    (plan_folder / "gateway.yaml").write_text(CONFIG)
    (plan_folder / "meters.yaml").write_text(METERS)
    (plan_folder / "CELLAR.csv").write_text(LOAD)
    with DataFolder(tmp_path / "other") as folder:
        folder.keep(Kept("casa", "EEMH0009264154", wall_now(), wall_now()))
        introduce(take("casa", None, None, folder).plan, folder)
        (tmp_path / "files" / "anna.pem").write_bytes((folder.certificates / "technician-1.pem").read_bytes())
    return plan_folder


def test_it_comes_back_as_it_was_when_its_files_are_gone(tmp_path: Path, place: Path) -> None:
    data = tmp_path / "data"
    first = started(data, place / "gateway.yaml")
    with DataFolder(data) as folder:
        told, ways = introduce(first.plan, folder)
    shutil.rmtree(place.parent)
    again = started(data)
    assert again.kept == ("config.yaml",)
    assert again.octets == first.octets
    assert again.plan.numbers == {"cellar": "1EMH0012345678"}
    assert again.plan.given.contracts == first.plan.given.contracts
    assert again.plan.device_id == "EEMH0009264155"
    with DataFolder(data) as folder:
        told_again, ways_again = introduce(again.plan, folder)
    assert [one.plain for one in ways_again] == [one.plain for one in ways]
    assert [(one.id, one.password) for one in told_again] == [(one.id, one.password) for one in told]
    assert told[1].made

    load = again.plan.meters_folder / str(again.plan.wired["cellar"].load)
    assert load.read_text() == LOAD


def test_files_that_are_named_again_take_the_place_of_those_before(tmp_path: Path, place: Path) -> None:
    data = tmp_path / "data"
    started(data, place / "gateway.yaml")
    both = started(data, None, place / "meters.yaml")
    assert both.kept == ("config.yaml",)
    (place / "meters.yaml").unlink()
    again = started(data)
    assert again.kept == ("config.yaml", "meters.yaml")
    assert again.plan.numbers == {"cellar": "1EMH0087654321"}
    assert again.plan.consumers == ("anna", "berta")
    (place / "gateway.yaml").write_text(CONFIG.replace("berta", "clara"))
    assert started(data, place / "gateway.yaml").kept == ("meters.yaml",)
    assert started(data).plan.consumers == ("anna", "clara")
    assert len(list(data.glob("given-*"))) == 1, "copies of files before are left"


def test_files_that_the_gateway_refuses_are_not_kept(tmp_path: Path, place: Path) -> None:
    data = tmp_path / "data"
    started(data, place / "gateway.yaml")
    (place / "gateway.yaml").write_text(CONFIG.replace("berta", "clara"))
    started(data, place / "gateway.yaml", refused=True)
    assert started(data).plan.consumers == ("anna", "berta")


def test_a_first_start_that_was_killed_before_it_had_a_memory_has_kept_its_files(tmp_path: Path, place: Path) -> None:
    with DataFolder(tmp_path / "data") as folder:
        given = take("casa", place / "gateway.yaml", None, folder)
        prepare(given.plan, folder, None, wall_now(), given)
    assert started(tmp_path / "data").plan.consumers == ("anna", "berta")


def test_copies_that_are_gone_are_told(tmp_path: Path, place: Path) -> None:
    data = tmp_path / "data"
    started(data, place / "gateway.yaml")
    for one in data.glob("given-*"):
        shutil.rmtree(one)
    with pytest.raises(UsageError, match="is gone"):
        started(data)
    started(data, place / "gateway.yaml")
    assert started(data).kept == ("config.yaml",)
    (next(data.glob("given-*")) / "config.yaml").unlink()
    with pytest.raises(UsageError, match="does not hold the files any more"):
        started(data)


def copies_of(data: Path) -> Path:
    (folder,) = data.glob("given-*")
    return folder


@pytest.mark.parametrize("octets", [b"meters: [", b"", CONFIG.replace("EEMH0009264155", "EEMH0009264156").encode()])
def test_a_damaged_copy_is_told_and_healed_when_its_file_is_named(tmp_path: Path, place: Path, octets: bytes) -> None:
    data = tmp_path / "data"
    started(data, place / "gateway.yaml")
    (copies_of(data) / "config.yaml").write_bytes(octets)
    with pytest.raises(UsageError, match=r"does not hold the files any more .*\(name them with --config\)"):
        started(data)
    started(data, place / "gateway.yaml")
    assert started(data).plan.device_id == "EEMH0009264155"


@pytest.mark.parametrize("which", ["*.csv", "*.pem"])
def test_a_damaged_file_beside_a_copy_is_told_and_healed(tmp_path: Path, place: Path, which: str) -> None:
    data = tmp_path / "data"
    started(data, place / "gateway.yaml")
    (file,) = copies_of(data).glob(f"config/{which}")
    octets = file.read_bytes()
    file.write_bytes(octets[:-2])
    with pytest.raises(UsageError, match="does not hold the files any more"):
        started(data)
    started(data, place / "gateway.yaml")
    assert started(data).kept == ("config.yaml",)
    assert file.read_bytes() == octets


@pytest.mark.parametrize("gone", ["meters.yaml", "config.yaml", "."])
def test_a_kept_file_that_is_gone_is_told_though_the_other_one_is_named(tmp_path: Path, place: Path, gone: str) -> None:
    data = tmp_path / "data"
    config, meters = place / "gateway.yaml", place / "meters.yaml"
    started(data, config, meters)
    lost = copies_of(data) / gone
    shutil.rmtree(lost) if gone == "." else lost.unlink()
    text = "is gone" if gone == "." else "does not hold the files any more"
    for part, named, other in (("meters", config, None), ("config", None, meters)):
        if gone in (f"{part}.yaml", "."):
            with pytest.raises(UsageError, match=rf"{text}.*\(name them with --{part}\)"):
                started(data, named, other)
    started(data, config, meters)
    assert started(data).kept == ("config.yaml", "meters.yaml")


@pytest.mark.parametrize("named", [False, True])
def test_a_folder_of_a_version_that_noted_no_files_is_taken(tmp_path: Path, place: Path, named: bool) -> None:
    data = tmp_path / "data"
    started(data, place / "gateway.yaml", place / "meters.yaml")
    told = json.loads((data / "gateway.json").read_text())
    assert set(told.pop("files")) == {"config.yaml", "meters.yaml", *certificates_of(data)}
    (data / "gateway.json").write_text(json.dumps(told))
    again = started(data, place / "gateway.yaml" if named else None)
    assert again.plan.numbers == {"cellar": "1EMH0087654321"}
    assert set(json.loads((data / "gateway.json").read_text())["files"]) == set(again.octets)
    (data / "gateway.json").write_text(json.dumps(told))
    shutil.rmtree(copies_of(data))
    with pytest.raises(UsageError, match=r"is gone \(name them with --config and --meters\)"):
        started(data)


def certificates_of(data: Path) -> set[str]:
    return {f"config/{one.name}" for one in copies_of(data).glob("config/*")}


def test_a_demonstration_keeps_nothing(tmp_path: Path) -> None:
    assert started(tmp_path).octets == {}
    assert started(tmp_path).kept == ()
    assert not list(tmp_path.glob("given-*"))


def test_a_wrong_file_makes_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "gateway.yaml").write_text("consumers: {anna: {certificate: none.pem}}\n")
    line = ["gateway", "--type", "casa", "--han", "127.0.0.1:0", "--config", str(tmp_path / "gateway.yaml")]
    assert main([*line, "--data", str(tmp_path / "data")]) == 2
    assert "gateway.yaml:1:" in (told := capsys.readouterr().err), told
    assert [one.name for one in tmp_path.iterdir()] == ["gateway.yaml"]


# --- as a program

COMMAND = (sys.executable, "-m", "bench.cli", "gateway", "--type", "casa", "--han", "127.0.0.1:0", "--json")


def life(data: Path, options: Sequence[str] = ()) -> tuple[dict[str, Any], str]:
    """What it tells when it is ready, and its errors; then it is killed."""
    line = [*COMMAND, "--data", str(data), *options]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        errors = process.communicate(timeout=60)[1]
    assert told, errors
    return json.loads(told), errors


@pytest.mark.timeout(120)
def test_a_killed_gateway_comes_back_with_its_users_meters_and_contracts(tmp_path: Path) -> None:
    data = tmp_path / "data"
    first, _ = life(data, ("--history", "1h", "--config", str(EXAMPLES / "gateway-casa.yaml")))
    again, errors = life(data)
    for name in ("users", "meters", "contracts", "device_id", "since"):
        assert again[name] == first[name]
    assert errors == f"smgw-bench: the files that {data} keeps are used: config.yaml\n"
    (copy,) = data.glob("given-*/config.yaml")
    assert copy.read_text() == (EXAMPLES / "gateway-casa.yaml").read_text()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600, "it holds passwords"


REFUSED = 'contracts:\n  old: {taf: 7, meters: {house: 1.8.0}, begin: "2020-01-01 00:00"}\n'


def refusal(data: Path, *options: str) -> list[str]:
    """What a start tells that the gateway's rules do not allow."""
    line = [*COMMAND, "--data", str(data), *options]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    return done.stderr.splitlines()


@pytest.mark.timeout(120)
def test_a_first_start_that_is_refused_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(REFUSED)
    (told,) = refusal(tmp_path / "made" / "data", "--config", str(file))
    assert "gateway.yaml:2:" in told
    assert "the gateway refuses contract 'old'" in told
    assert [one.name for one in tmp_path.iterdir()] == ["gateway.yaml"]


@pytest.mark.timeout(120)
def test_a_refusal_of_files_of_a_first_start_that_was_killed_says_what_to_name(tmp_path: Path) -> None:
    file, data = tmp_path / "gateway.yaml", tmp_path / "data"
    file.write_text(REFUSED)
    started(data, file, refused=True)
    used, hint, told = refusal(data)
    assert used == f"smgw-bench: the files that {data} keeps are used: config.yaml"
    assert hint == "smgw-bench: the files that are kept are refused: name others with --config and --meters"
    assert f"{copies_of(data)}/config.yaml:2:" in told
    file.write_text("gateway: {type: casa}\n")
    life(data, ("--config", str(file)))
    assert started(data).octets == {"config.yaml": b"gateway: {type: casa}\n"}
