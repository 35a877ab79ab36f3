"""The files of a stand-alone gateway: what is wrong is told with its place, and what is right becomes profiles."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.standalone.config import EXAMPLES
from bench.standalone.data_dir import DataFolder, Kept
from bench.standalone.given import take
from bench.standalone.history import begin_of_history
from bench.standalone.plan import Plan, first_of_month, make_plan
from bench.standalone.run import free_address, prepare
from bench.standalone.users import introduce
from devices.errors import BenchError, UsageError
from devices.protocols.http_digest import ha1

NOW = datetime(2026, 11, 21, 15, 7, tzinfo=UTC)
ORIGIN = datetime(2026, 10, 11, 21, 55, tzinfo=UTC)


def written(folder: Path, text: str) -> Path:
    file = folder / "gateway.yaml"
    file.write_text(text)
    return file


def complaint(folder: Path, text: str, kind: str = "ppc") -> str:
    with pytest.raises(UsageError) as caught:
        make_plan(kind, written(folder, text), None)
    return str(caught.value).replace(str(folder), "DIR")


@pytest.mark.parametrize("kind", ["ppc", "conexa", "casa"])
def test_each_product_has_an_example_with_all_billed_use_cases(kind: str) -> None:
    plan = make_plan(kind, EXAMPLES / f"gateway-{kind}.yaml", None)
    assert {one.taf for one in plan.given.contracts.values()} == {1, 2, 6, 7}
    assert len(plan.wired) == len(plan.consumers) == 2
    assert plan.given.technicians


def test_without_a_file_there_is_a_consumer_a_meter_and_two_contracts() -> None:
    plan = make_plan("casa", None, None)
    assert plan.consumers == ("consumer-1",)
    assert list(plan.numbers.values()) == ["1LGZ0072999211"]
    assert {name: one.taf for name, one in plan.given.contracts.items()} == {"taf7": 7, "taf1": 1}


def test_a_conexa_has_usage_points_with_the_names_that_clients_look_for() -> None:
    def names(file: Path | None) -> dict[str, list[str]]:
        contracts = make_plan("conexa", file, None).given.contracts.values()
        return {one.tariff: [obis for _, obis, _ in one.terms] for one in contracts if one.taf == 7}

    drawn, fed_in = "1-0:1.8.0*255", "1-0:2.8.0*255"
    assert names(None) == {"house-BEZUG": [drawn, fed_in]}
    assert names(EXAMPLES / "gateway-conexa.yaml") == {
        "house-BEZUG": [drawn],
        "house-EINSP": [fed_in],
        "flat-BEZUG": [drawn],
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("consumer: {}\n", "DIR/gateway.yaml:1:1: unknown key 'consumer' (did you mean 'consumers'?)"),
        (
            "meters:\n  house: {id: 1LGZ0072999211, laod: 5 W}\n",
            "DIR/gateway.yaml:2:31: unknown key 'laod' (did you mean 'load'?)",
        ),
        ("gateway: {id: X1}\n", "DIR/gateway.yaml:1:15: 'id': 'X1' is no number of a gateway"),
        ("gateway: {options: {boot_scael: 1}}\n", "did you mean 'boot_scale'?"),
        ("consumers: {anna: {password: true}}\n", "put it into quotes"),
        ("consumers: {anna: {password: 12345}}\n", "'password': put it into quotes"),
        ("consumers: {anna: {password: ''}}\n", "'password': it must have at least 1 character, not 0"),
        ("consumers: {anna: {rights: [everything]}}\n", "'rights' cannot be 'everything'"),
        ("contracts:\n  a: {taf: 7, meters: {house: 1.8.0}, supplier: ''}\n", "'supplier': it must have at least 1"),
        ("contracts:\n  a: {taf: 7, meters: {house: 1.8.0}, tariff: ''}\n", "'tariff': it must have at least 1"),
        (
            "gateway: {id: EEMH0009264155}\n",
            "DIR/gateway.yaml:1:15: 'id': EEMH0009264155 is the number of a casa gateway",
        ),
        ("time: {server: 300.1.1.1}\n", "'300.1.1.1' is no time server"),
        ("time: {server: 192.0.2}\n", "is no time server"),
        ("time: {server: a..b}\n", "is no time server"),
        ("technicians: {tom: {password: x}}\n", "a technician has a certificate only"),
        ("time: {server: '192.0.2.7:0'}\n", "is no time server"),
        (
            "contracts:\n  bill: {taf: 7, meters: {hause: 1.8.0}}\n",
            "DIR/gateway.yaml:2:34: there is no meter 'hause' under meters (house)",
        ),
        (
            "contracts:\n  bill: {taf: 7, meters: {house: 1.8.0}, consumer: eve}\n",
            "DIR/gateway.yaml:2:52: there is no consumer 'eve'",
        ),
        ("consumers: {'a b': {}}\n", "'a b' is not made of letters, digits"),
        ("consumers: {a: {}}\ntechnicians: {a: {}}\n", "'a' is a consumer already"),
        ("meters: {a: {id: 1LGZ0072999211}, b: {id: 1LGZ0072999211}}\n", "'b' has the id of 'a'"),
        ("meters: {a: {type: replay, dump: x.bin}}\n", "is a recording"),
        ("gateway: {type: casa}\n", "--type ppc: the file is that of a casa gateway"),
        ("- 1\n", "the file holds no mapping"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    assert told in complaint(tmp_path, text)


def test_a_missing_file_of_meters_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        make_plan("ppc", None, tmp_path / "none.yaml")


def test_meters_of_another_file_take_the_place_of_those_of_the_configuration(tmp_path: Path) -> None:
    meters = tmp_path / "meters.yaml"
    meters.write_text("meters: {house: {id: 1EMH0012345678, registers: {1.8.0: 5 kWh}}}\n")
    plan = make_plan("ppc", None, meters)
    assert plan.numbers == {"house": "1EMH0012345678"}
    assert plan.meter_profiles()[0].plain["registers"] == ["1-0:1.8.0*255"]


def test_registers_that_contracts_need_are_kept(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "profiles: {house: {registers: [16.7.0]}}\ncontracts: {a: {taf: 7, meters: {house: 1.8.0}}}\n",
    )
    assert make_plan("ppc", file, None).meter_profiles()[0].plain["registers"] == ["1-0:16.7.0*255", "1-0:1.8.0*255"]


def test_contracts_without_a_begin_begin_as_early_as_they_can() -> None:
    plan = make_plan("ppc", EXAMPLES / "gateway-ppc.yaml", None)
    assert plan.begin_of("house-profile", NOW) == datetime(2026, 11, 21, 15, 15, tzinfo=UTC)
    assert plan.begin_of("house-bill", NOW) == datetime(2026, 11, 30, 23, 0, tzinfo=UTC)
    midnight = datetime(2026, 10, 31, 23, 0, tzinfo=UTC)
    assert first_of_month(midnight) == midnight


@pytest.mark.parametrize(
    ("text", "begin"),
    [
        ("40d", datetime(2026, 10, 11, 22, 0, tzinfo=UTC)),
        ("2w", datetime(2026, 11, 6, 23, 0, tzinfo=UTC)),
        ("6h", datetime(2026, 11, 21, 9, 0, tzinfo=UTC)),
        ("2mo", datetime(2026, 9, 20, 22, 0, tzinfo=UTC)),
        ("1y", datetime(2025, 11, 20, 23, 0, tzinfo=UTC)),
        ("2026-10-01", datetime(2026, 9, 30, 22, 0, tzinfo=UTC)),
    ],
)
def test_a_history_begins_at_a_local_midnight_or_hour(text: str, begin: datetime) -> None:
    assert begin_of_history(text, NOW) == begin


@pytest.mark.parametrize("text", ["", "40", "0d", "d", "9999d", "2027-01-01", "40 d", "-1d", "0mo", "9999y"])
def test_no_other_span_is_taken(text: str) -> None:
    with pytest.raises(UsageError, match="--history"):
        begin_of_history(text, NOW)


# --- users


def new_folder(path: Path, plan: Plan) -> DataFolder:
    folder = DataFolder(path)
    folder.keep(Kept(plan.product.id, plan.device_id, ORIGIN, ORIGIN))
    return folder


def test_the_gateway_gets_hashes_of_passwords_and_never_these(tmp_path: Path) -> None:
    plan = make_plan("ppc", EXAMPLES / "gateway-ppc.yaml", None)
    with new_folder(tmp_path, plan) as folder:
        told, ways = introduce(plan, folder)
    anna = next(one for one in ways if one.id == "han-consumer-1")
    # RFC 2617: H(A1) of user name, realm (han 2.1) and password
    assert anna.plain["password_digest"][:32] == ha1("consumer-1", "SmartMeterGateway", "Sonne.und.Regen.")
    assert not any("Sonne" in str(one.plain) for one in ways)
    assert told[0].password == "Sonne.und.Regen."


def test_what_was_made_up_for_users_is_the_same_the_next_time(tmp_path: Path) -> None:
    plan = make_plan("conexa", None, None)
    with new_folder(tmp_path, plan) as folder:
        first = introduce(plan, folder)
    with DataFolder(tmp_path) as folder:
        assert introduce(plan, folder) == first
    assert first[0][0].made and first[0][0].password
    technician = first[0][1]
    assert technician.certificate is not None and technician.certificate.exists()


def test_a_certificate_that_cannot_be_read_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "anna.pem").write_text("no certificate")
    file = written(tmp_path, "consumers:\n  anna: {certificate: anna.pem}\n")
    plan = make_plan("ppc", file, None)
    with new_folder(tmp_path / "data", plan) as folder, pytest.raises(UsageError) as caught:
        introduce(plan, folder)
    assert "gateway.yaml:2:23:" in str(caught.value)
    assert "holds no certificate" in str(caught.value)


# --- the folder


def test_a_folder_is_one_process_s(tmp_path: Path) -> None:
    with DataFolder(tmp_path), pytest.raises(BenchError, match=r"is in use \(process \d+\)"):
        DataFolder(tmp_path)
    DataFolder(tmp_path).release()


def test_a_folder_stays_that_of_its_gateway(tmp_path: Path) -> None:
    plan = make_plan("ppc", None, None)
    with new_folder(tmp_path, plan) as folder:
        with pytest.raises(UsageError, match="the data of a ppc gateway"):
            prepare(make_plan("casa", None, None), folder, None, NOW)
        other = make_plan("ppc", written(tmp_path, "gateway: {id: EPPC0000000001}\n"), None)
        with pytest.raises(UsageError, match="the data of the gateway EPPC0210495730"):
            prepare(other, folder, None, NOW)


def test_a_history_that_was_killed_leaves_nothing_to_the_next_start(tmp_path: Path) -> None:
    plan = make_plan("ppc", None, None)
    with new_folder(tmp_path, plan) as folder:
        for name in ("memory.sqlite.part", "memory.sqlite.part-wal"):
            (tmp_path / name).write_bytes(b"half of it")
        prepare(plan, folder, None, NOW)
        assert folder.kept is not None
        assert folder.kept.began == NOW
    assert not list(tmp_path.glob("*.part*"))


def test_a_folder_of_something_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "memory.sqlite").write_bytes(b"of `smgw-bench simulate`")
    with pytest.raises(UsageError, match="something else"):
        DataFolder(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="is a file"):
        DataFolder(tmp_path / "file")


def test_a_folder_with_other_files_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"is no gateway's folder: it holds 'notes\.txt'") as caught:
        DataFolder(tmp_path)
    assert len(str(caught.value).splitlines()) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("name", ["given-photos", "given-0123456789abcdef0", "given-0123456789ABCDEF"])
def test_a_folder_with_a_name_like_that_of_copies_is_somebody_s(tmp_path: Path, name: str) -> None:
    photo = tmp_path / name / "photo.jpg"
    photo.parent.mkdir()
    photo.write_bytes(b"mine")
    with pytest.raises(UsageError, match=rf"is no gateway's folder: it holds '{name}'"):
        DataFolder(tmp_path)
    with new_folder(tmp_path / "data", make_plan("ppc", None, None)) as folder:
        photo.parent.rename(folder.path / name)
        take("ppc", None, None, folder)
        folder.clear_if_new()
    assert (tmp_path / "data" / name / "photo.jpg").read_bytes() == b"mine"


def test_a_file_with_the_name_of_copies_is_somebody_s(tmp_path: Path) -> None:
    (tmp_path / "given-0123456789abcdef").write_bytes(b"mine")
    with pytest.raises(UsageError, match="is no gateway's folder"):
        DataFolder(tmp_path)


def test_copies_of_a_start_that_was_killed_are_taken_and_go(tmp_path: Path) -> None:
    (tmp_path / "given-0123456789abcdef").mkdir()
    with DataFolder(tmp_path) as folder:
        take("ppc", None, None, folder)
    assert [one.name for one in tmp_path.iterdir()] == ["gateway.lock"]


def test_a_folder_that_is_empty_or_left_by_a_start_that_was_killed_is_taken(tmp_path: Path) -> None:
    DataFolder(tmp_path).release()
    assert (tmp_path / "gateway.lock").exists()
    (tmp_path / "gateway.json.part").write_text("{")
    with DataFolder(tmp_path) as folder:
        assert folder.kept is None


def test_a_new_folder_without_a_memory_is_cleared_as_it_was_before(tmp_path: Path) -> None:
    plan, empty = make_plan("ppc", None, None), tmp_path / "empty"
    empty.mkdir()
    for path in (empty, tmp_path / "made" / "below"):
        with new_folder(path, plan) as folder:
            introduce(plan, folder)
            (path / "given-0123456789abcdef").mkdir()
            folder.clear_if_new()
    assert [one.name for one in tmp_path.iterdir()] == ["empty"]
    assert not list(empty.iterdir())


def test_the_lock_goes_last_when_a_folder_is_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who gets a new lock must not find the identity, or half of it, of the gateway that goes."""
    gone: list[str] = []
    unlink = Path.unlink

    def seen(path: Path, missing_ok: bool = False) -> None:
        gone.append(path.name)
        unlink(path, missing_ok)

    with new_folder(tmp_path / "data", make_plan("ppc", None, None)) as folder:
        monkeypatch.setattr(Path, "unlink", seen)
        folder.clear_if_new()
    assert gone == ["gateway.json", "gateway.json.part", "gateway.lock"]
    assert not folder.path.exists()


def test_a_folder_of_a_start_before_or_with_a_memory_is_not_cleared(tmp_path: Path) -> None:
    plan = make_plan("ppc", None, None)
    with new_folder(tmp_path, plan) as folder:
        introduce(plan, folder)
        before = sorted(tmp_path.rglob("*"))
    with DataFolder(tmp_path) as folder:
        folder.clear_if_new()
    assert sorted(tmp_path.rglob("*")) == before
    with new_folder(tmp_path / "new", plan) as folder:
        folder.memory.touch()
        folder.clear_if_new()
        assert folder.memory.exists()


def test_a_damaged_identity_is_told(tmp_path: Path) -> None:
    (tmp_path / "gateway.json").write_text('{"schema": "smgw-bench/gateway/1"}')
    with pytest.raises(UsageError, match=r"gateway\.json"):
        DataFolder(tmp_path)


def test_an_address_that_is_taken_is_told() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(BenchError, match="nobody can listen there"):
            free_address("127.0.0.1", taken.getsockname()[1])
    assert free_address("127.0.0.1", 0)[1] > 0


@pytest.mark.parametrize("server", ["192.0.2.7:123", "ntp.example", "ntp1.example:1230", "own", "none"])
def test_hosts_that_are_hosts_are_taken(tmp_path: Path, server: str) -> None:
    text = f"gateway: {{id: ECCC0210495730}}\nconsumers: {{a: {{password: '12345'}}}}\ntime: {{server: '{server}'}}\n"
    plan = make_plan("ppc", written(tmp_path, text), None)
    assert (plan.given.time.server, plan.device_id) == (server, "ECCC0210495730")
    assert plan.given.consumers["a"].password == "12345"
