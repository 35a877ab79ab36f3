"""Reading gateway types: mistakes are told with file, line and field; reading is fast; nothing else is raised."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices import gateway_types
from devices.errors import UsageError, UsageErrors
from devices.gateway_types import model

FOLDER = Path(gateway_types.__file__).parent


def own_type(folder: Path, *changes: tuple[str, str], file: str = "casa.yaml") -> Path:
    """A copy of the CASA type with some text replaced in one of its files."""
    for source in FOLDER.glob("casa*.yaml"):
        text = source.read_text(encoding="utf-8")
        if source.name == file:
            for old, new in changes:
                assert old in text
                text = text.replace(old, new, 1)
        (folder / source.name).write_text(text, encoding="utf-8")
    return folder / "casa.yaml"


def line_of(file: Path, text: str) -> int:
    return next(number for number, line in enumerate(file.read_text("utf-8").splitlines(), 1) if text in line)


def test_the_three_products_are_there_in_order() -> None:
    assert gateway_types.names() == ("ppc", "conexa", "casa")
    for name in gateway_types.names():
        product = gateway_types.load(name)
        assert product.id == name and product.device_id.startswith(product.device_id_prefix)
        assert gateway_types.load(name) is product


def test_an_unknown_product_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match="did you mean 'conexa'"):
        gateway_types.load("conex")


@pytest.mark.parametrize("name", gateway_types.names())
def test_a_product_is_read_in_less_than_60_ms(name: str) -> None:
    def spent() -> float:
        begin = time.process_time()
        product = model.from_file(FOLDER / f"{name}.yaml")
        assert product.events and product.modems is not None and product.faults is not None
        return time.process_time() - begin

    assert min(spent() for _ in range(5)) < 0.060


def test_a_maker_s_own_type_is_read_from_its_own_folder(tmp_path: Path) -> None:
    file = own_type(tmp_path, ("name: CASA", "name: CASA 2"))
    product = gateway_types.load_file(file)
    assert product.name == "CASA 2"
    assert product.event("gateway_started").id == 19004
    assert len(product.faults) == 300


def test_a_maker_s_own_type_may_use_the_parts_of_a_built_in_product(tmp_path: Path) -> None:
    file = own_type(tmp_path)
    (tmp_path / "casa_events.yaml").unlink()
    assert gateway_types.load_file(file).event("gateway_started").id == 19004


def test_events_may_stand_in_the_file_itself(tmp_path: Path) -> None:
    events = (FOLDER / "casa_events.yaml").read_text("utf-8")
    inline = "events:\n" + "".join(f"  {line}\n" for line in events.splitlines())
    file = own_type(tmp_path, ("events: casa_events.yaml", inline))
    assert gateway_types.load_file(file).event("restart").id == 4294948285
    file.write_text(file.read_text("utf-8").replace("level: fatal", "level: deadly", 1), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        gateway_types.load_file(file)
    assert caught.value.place is not None and caught.value.place.line == line_of(file, "deadly")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("time_invalid_policy: {value: stop,", "time_invalid_policy: {valeu: stop,", "did you mean 'value'"),
        ("at_start: false", "at_strat: false", "did you mean 'at_start'"),
        ("    exit: administrator", "    exit: magic", "states.restricted.exit"),
        ("lock: 24 h", "lock: 24", "is not a duration"),
        ("lock: 24 h", "lock: 24 hours", "ms, s, min, h, d"),
        ("share: 90 %", "share: 190 %", "is not a share"),
        ("period: 1500 ms}}}", "perod: 1500 ms}}}", "heartbeat has no 'perod'"),
        ("gap: 100 ms, period: 1500 ms", "gap: 2 s, period: 1500 ms", "do not fit into its period"),
        ("shows: {LMC: off}", "shows: {LMC: dim}", "a pattern is one of off, on"),
        ("shows: {LMC: off}", "shows: {LCM: off}", "there is no LED 'LCM'"),
        ("leads_to: restricted, share", "leads_to: restrictd, share", "there is no state 'restrictd'"),
        ("seen_by: [metering_suspended]", "seen_by: [metering_suspendd]", "there is no event 'metering_suspendd'"),
        ("leds: restricted", "leds: blinking", "no signal means 'blinking'"),
        ("means: ready", "means: steady", "no LED meaning is called 'steady'"),
        ("  stopped:\n    name", "  asleep:\n    name", "no operating state is called 'asleep'"),
        ("assumed: [log_vendor]\n", "assumed: log_vendor\n", "assumed"),
        ("assumed: [period, duty]", "assumed: [periode]", "'periode' cannot be assumed"),
        ('source: "[CASA] 8"', "source: somewhere", "source"),
        ("name: CASA\n", "name: CASA\nname: CASA\n", "stands here twice"),
        ("name: CASA\n", "name: {CASA\n", "not valid YAML"),
        ("maker: EMH metering GmbH & Co. KG\n", "", "maker: this key is missing"),
    ],
)
def test_a_mistake_is_told_with_file_and_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    file = own_type(tmp_path, (old, new))
    with pytest.raises(UsageError) as caught:
        gateway_types.load_file(file)
    assert message in str(caught.value)
    errors = caught.value.errors if isinstance(caught.value, UsageErrors) else [caught.value]
    if new and "twice" not in message and "YAML" not in message:
        assert line_of(file, new.splitlines()[0]) in [error.place.line for error in errors if error.place]
    assert all(error.place is not None and str(error.place.file) == str(file) for error in errors)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    file = own_type(tmp_path, ("lock: 24 h", "lock: x"), ("maker:", "makr:"))
    with pytest.raises(UsageErrors) as caught:
        gateway_types.load_file(file)
    assert len(caught.value.errors) == 3, "a bad duration, an unknown key, a missing one"


def test_a_mistake_in_a_part_is_told_with_the_part_s_file_and_line(tmp_path: Path) -> None:
    file = own_type(tmp_path, ("level: fatal", "level: fatl"), file="casa_events.yaml")
    with pytest.raises(UsageError, match=r"casa_events.yaml:\d+: .*level"):
        gateway_types.load_file(file)
    file = own_type(tmp_path, ("parameters: [meter, code]", "parameters: [meter]"), file="casa_events.yaml")
    with pytest.raises(UsageError, match=r"text_en has the place \{code\}, which is not among the parameters"):
        gateway_types.load_file(file)
    file = own_type(tmp_path, ("soft_lockdown: true", "softlockdown: true"), file="casa_faults.yaml")
    with pytest.raises(UsageError, match="did you mean 'soft_lockdown'"):
        _ = gateway_types.load_file(file).faults


def test_a_missing_part_is_told_by_name(tmp_path: Path) -> None:
    file = own_type(tmp_path, ("casa_events.yaml", "gone.yaml"))
    with pytest.raises(UsageError, match=r"gone\.yaml: cannot be read"):
        gateway_types.load_file(file)


def test_files_that_are_no_gateway_type_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "type.yaml"
    for content, message in (
        (b"", "keys with values"),
        (b"- 1\n", "keys with values"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"? [a]\n: 1\n", "a key must be a word"),
        (b"a: &x [*x]\n", "nested too deep"),
        (b"[" * 100, "not valid YAML"),
        (b"#" * 1_100_000, "larger than"),
    ):
        file.write_bytes(content)
        with pytest.raises(UsageError, match=message):
            gateway_types.load_file(file)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_is_damaged_only_usage_errors_come(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    text = (FOLDER / "conexa.yaml").read_text("utf-8")
    position = data.draw(st.integers(0, len(text) - 1))
    length = data.draw(st.integers(0, 12))
    patch = data.draw(st.text("abc:-{}[]&*!|>'\"\n \t#%0", max_size=6))
    folder = tmp_path_factory.getbasetemp()
    (folder / "conexa_events.yaml").write_bytes((FOLDER / "conexa_events.yaml").read_bytes())
    file = folder / "damaged.yaml"
    file.write_text(text[:position] + patch + text[position + length :], encoding="utf-8")
    try:
        product = gateway_types.load_file(file)
    except UsageError:
        return
    assert product.lines[0] == "PWR" or product.lines
