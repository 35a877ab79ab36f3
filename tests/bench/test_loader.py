"""What a new user gets wrong: each mistake is one message with file, line, column and a suggestion."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.scenario.loader import Case, load
from devices.errors import UsageError, UsageErrors

HEAD = "id: T-1\ntitle: A test\n"
METER = "given:\n  meters:\n    house: {type: base_meter, id: 1SAG0021061001, registers: {1.8.0: 12.5 kWh}}\n"


def write(folder: Path, text: str, name: str = "s.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def cases(folder: Path, text: str) -> list[Case]:
    return load([write(folder, text)])


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(UsageError) as caught:
        load([write(folder, text)])
    return str(caught.value).replace(str(folder) + "/", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEAD + "stesp:\n  - power: on\n", "s.yaml:3:1: unknown key 'stesp' (did you mean 'steps'?)"),
        (HEAD + "steps:\n  - powr: on\n", "s.yaml:4:5: unknown step 'powr' (did you mean 'power'?)"),
        (HEAD + "steps:\n  - power: onn\n", "did you mean 'on'?"),
        (HEAD + "steps:\n  - wait: 5\n", "s.yaml:4:11: 'wait': 5 has no unit: a duration is written like '90 s'"),
        (HEAD + "steps:\n  - wait: 5 kWh\n", "'5 kWh' is an energy, but here a duration is wanted, like '90 s'"),
        (HEAD + "steps:\n  - leds: {PWRR: on}\n", "s.yaml:4:12: unknown key 'PWRR' (did you mean 'PWR'?)"),
        (HEAD + "steps:\n  - leds: {PWR: blinkin}\n", "'blinkin' is no LED pattern"),
        (HEAD + "steps:\n  - leds: {shows: redy}\n", "did you mean 'ready'?"),
        (HEAD + "steps:\n  - gateway: {state: stoped}\n", "has no state 'stoped'"),
        (HEAD + "steps:\n  - log: {book: system, has: gateway_strated}\n", "did you mean 'gateway_started'?"),
        (HEAD + "steps:\n  - lmn: {meter: huose, addressed: true}\n", "there is no meter 'huose' under given.meters"),
        (HEAD + METER + "steps:\n  - values: {meter: house}\n", "say exactly one of count, gaps, equals"),
        (HEAD + METER.replace("base_meter", "base_metre") + "steps:\n  - power: on\n", "did you mean 'base_meter'?"),
        (HEAD + METER.replace("id: 1SAG", "ide: 1SAG") + "steps:\n  - power: on\n", "unknown key 'ide'"),
        (HEAD + "steps:\n  power: on\n", "s.yaml:4:3: 'steps'"),
        (HEAD + "steps:\n  - power\n", "'power' is not a step: write it like 'power: on'"),
        (HEAD + "steps:\n  - power: on\n    wait: 5 s\n", "begin each step with its own dash"),
        (HEAD + "steps:\n  - fault: {do: fill_log, book: system}\n", "say so with 'needs: [emulated]'"),
        (HEAD + "needs: [powr]\nsteps:\n  - power: on\n", "unknown capability 'powr' (did you mean 'power'?)"),
        (HEAD + "gateways: [cassa]\nsteps:\n  - power: on\n", "unknown gateway 'cassa' (did you mean 'casa'?)"),
        (HEAD + "device: bz_plus\nsteps:\n  - wait: 1 s\n", "unknown meter 'bz_plus' (did you mean 'bz_plus_v2'?)"),
        (
            HEAD + "device: bz_plus_v2\ngateways: [ppc]\nsteps:\n  - wait: 1 s\n",
            "s.yaml:4:11: a scenario about a meter has no gateways (leave them away)",
        ),
        (
            HEAD + 'parameters: {cut: [1 s]}\nsteps:\n  - power: {cut: "{cutt}"}\n',
            "{cutt} is no parameter (did you mean 'cut'?)",
        ),
        (HEAD + "parameters: {cut: [1 s]}\nsteps:\n  - power: on\n", "parameter 'cut' is never used"),
        (HEAD + 'per_gateway: {t: {ppc: 1 s}}\nsteps:\n  - wait: "{t}"\n', "'t' has no value for conexa, casa"),
        (HEAD + "watch:\n  - never: {wait: 5 s}\nsteps:\n  - power: on\n", "wait cannot be watched"),
        (HEAD + "steps:\n  - power: {cut: 2 s, times: 3}\n", "several cuts need 'every'"),
        (HEAD + METER.replace("1SAG0021061001", "1SAG0021") + "steps:\n  - power: on\n", "s.yaml:5:35: 'id'"),
        (HEAD + METER.replace("12.5 kWh", "12.5") + "steps:\n  - power: on\n", "write it like '12345.6 kWh'"),
        (HEAD + METER.replace("1.8.0", "1.8.x") + "steps:\n  - power: on\n", "'registers'"),
        (HEAD + METER.replace("regis", "load: 5 V, regis") + "steps:\n  - power: on\n", "a power"),
        (HEAD + "steps:\n  - wait: 99999999999999999999 d\n", "is more than a hundred years"),
        (HEAD + "steps:\n  - power: {cut: 2 s, at: tomorrow}\n", "write it like 2026-01-05T00:07:30Z"),
        ("title: A test\nsteps:\n  - power: on\n", "'id' is missing"),
        ("", "the file is empty (a scenario begins with 'id: ...')"),
        ("- power: on\n", "the file holds no mapping"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_would_be_right(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in complaint(tmp_path, text)


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    text = HEAD + "steps:\n  - powr: on\n  - wait: 5\n"
    with pytest.raises(UsageErrors) as caught:
        cases(tmp_path, text)
    assert len(caught.value.errors) == 2


def test_parameters_make_one_case_per_combination_and_gateway(tmp_path: Path) -> None:
    text = (
        HEAD
        + "gateways: [ppc, casa]\nparameters: {cut: [1 s, 5 s], n: [2, 3]}\n"
        + 'steps:\n  - power: {cut: "{cut}", times: "{n}", every: 20 s}\n'
    )
    loaded = cases(tmp_path, text)
    assert [case.key for case in loaded][:3] == ["T-1[ppc,cut=1 s,n=2]", "T-1[ppc,cut=1 s,n=3]", "T-1[ppc,cut=5 s,n=2]"]
    assert len(loaded) == 8
    assert loaded[0].scenario.steps[0].sentence() == "Cut the mains for 1 s, 2 times, every 20 s."


def test_a_value_may_differ_per_gateway(tmp_path: Path) -> None:
    text = HEAD + 'per_gateway: {t: {ppc: 3 s, conexa: 4 s, casa: 5 s}}\nsteps:\n  - wait: "{t}"\n'
    assert [case.scenario.steps[0].sentence() for case in cases(tmp_path, text)] == [
        "Wait 3 s.",
        "Wait 4 s.",
        "Wait 5 s.",
    ]


def test_files_may_be_a_parameter_and_a_missing_folder_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "recordings").mkdir()
    for name in ("b.bin", "a.bin"):
        (tmp_path / "recordings" / name).write_bytes(b"\0")
    text = HEAD + (
        "gateways: [ppc]\nparameters:\n  dump: {files: [recordings/*.bin, not/there/*.bin]}\n"
        'given:\n  meters:\n    m: {type: replay, id: 1SAG0021061001, dump: "{dump}"}\nsteps:\n  - wait: 1 s\n'
    )
    assert [case.key for case in cases(tmp_path, text)] == ["T-1[ppc,dump=a]", "T-1[ppc,dump=b]"]


def test_a_pattern_with_an_exclamation_mark_leaves_files_out(tmp_path: Path) -> None:
    (tmp_path / "recordings").mkdir()
    for name in ("a.bin", "noise.bin"):
        (tmp_path / "recordings" / name).write_bytes(b"\0")
    text = HEAD + (
        'gateways: [ppc]\nparameters:\n  dump: {files: [recordings/*.bin, "!noise*"]}\n'
        'given:\n  meters:\n    m: {type: replay, id: 1SAG0021061001, dump: "{dump}"}\nsteps:\n  - wait: 1 s\n'
    )
    assert [case.key for case in cases(tmp_path, text)] == ["T-1[ppc,dump=a]"]


def test_an_event_per_gateway_is_looked_up_at_its_own_gateway_only(tmp_path: Path) -> None:
    event = "per_gateway: {event: {ppc: meter_checksum_invalid, conexa: %s, casa: metering_warning}}\n"
    text = HEAD + event + 'steps:\n  - log: {book: system, has: "{event}"}\n'
    assert len(cases(tmp_path, text % "metering_warning")) == 3
    assert "'meter_checksum_invalid' is unknown" in complaint(tmp_path, text % "meter_checksum_invalid")


def test_the_same_id_in_two_files_is_a_mistake(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        write(tmp_path, HEAD + "steps:\n  - power: on\n", name)
    with pytest.raises(UsageError, match=r"id 'T-1' is taken by .*a\.yaml:1:5"):
        load([tmp_path])


def test_an_empty_folder_and_a_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no scenario in this folder"):
        load([tmp_path])
    write(tmp_path, HEAD + "steps:\n  - power: on\n", "start.yaml")
    with pytest.raises(UsageError, match=r"no such file or folder \(did you mean 'start\.yaml'\?\)"):
        load([tmp_path / "stat.yaml"])


def test_what_the_steps_need_is_added_to_what_is_named(tmp_path: Path) -> None:
    loaded = cases(tmp_path, HEAD + METER + "needs: [leds]\nsteps:\n  - power: on\n")
    assert loaded[0].scenario.all_needs() == {"leds", "power", "wired_lmn"}


def test_case_folders_are_safe_names_and_differ(tmp_path: Path) -> None:
    text = HEAD + "gateways: [ppc]\nparameters: {x: [a/b c, 'ü']}\nsteps:\n  - lmn: {meter: \"{x}\", addressed: true}\n"
    text += "given:\n  meters:\n    a/b c: {id: 1SAG0021061001}\n    ü: {id: 1SAG0021061002}\n"
    folders = [case.folder for case in cases(tmp_path, text)]
    assert all("/" not in folder and " " not in folder for folder in folders)


def test_a_scenario_about_a_meter_is_one_case_and_belongs_to_no_gateway(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD + "device: bz_plus_v2\nsteps:\n  - wait: 1 s\n")
    assert [case.key for case in load([path])] == ["T-1[bz_plus_v2]"]
    assert load([path], ["ppc", "casa"]) == []
