"""The base meter: exact registers, second index and status word (lmn-wired 4.4), answers in SML (4.1 to 4.3)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from devices.clock import Clock
from devices.errors import UsageError
from devices.meters.base_meter import DRAWN, FED, POWER, SECOND_INDEX, SERVER_ID, STATUS, BaseMeter
from devices.meters.catalogue import make_meter
from devices.meters.grid import Grid
from devices.meters.load_profile import constant, stepped
from devices.meters.registers import share
from devices.meters.status_word import StatusWord
from devices.protocols.sml.messages import (
    Attention,
    Body,
    CloseRequest,
    CloseResponse,
    GetListRequest,
    GetListResponse,
    GetProcParameterRequest,
    GetProcParameterResponse,
    Message,
    OpenRequest,
    OpenResponse,
    ParameterTree,
    SetProcParameterRequest,
    attention_code,
    cosem_attribute,
    cosem_name,
    encode_messages,
)
from devices.protocols.sml.transport import decode_file, encode_file

NUMBER = "1SAG0021061001"
OCTETS = bytes.fromhex("0A0153414700 01415D89")


def ask(meter: BaseMeter, *bodies: Body, abort: int = 0) -> list[Body]:
    messages = [Message(bytes([7, index]), 1, abort, body) for index, body in enumerate(bodies)]
    file = decode_file(meter.answer(encode_file(encode_messages(messages))))
    assert not file.errors
    asked = [message.transaction_id for message in messages]
    assert all(answer.transaction_id in asked for answer in file.messages)
    return [message.body for message in file.messages]


def opened(meter: BaseMeter, *bodies: Body, abort: int = 0) -> list[Body]:
    first, *rest = ask(meter, OpenRequest(b"gateway", b"file 1"), *bodies, CloseRequest(), abort=abort)
    assert first == OpenResponse(b"file 1", meter.server_id, b"gateway", first.ref_time)  # type: ignore[union-attr]
    return rest


def readings(meter: BaseMeter) -> dict[bytes, Decimal | None]:
    answer = opened(meter, GetListRequest(b"gateway"))[0]
    assert isinstance(answer, GetListResponse)
    return {entry.obis: entry.number for entry in answer.val_list}


def refusals(answers: list[Body]) -> list[int | None]:
    return [attention_code(answer.number) for answer in answers if isinstance(answer, Attention)]


async def test_the_device_number_of_the_manual_gives_its_server_id(clock: Clock) -> None:
    assert BaseMeter(clock, NUMBER).server_id == OCTETS


async def test_the_list_has_maker_id_registers_and_status_in_this_order(clock: Clock) -> None:
    meter = make_meter(clock, "smarty_bz_plus_v2", registers={"1.8.0": "12345.6 kWh", "2.8.0": "0 kWh"}, load="500 W")
    assert isinstance(meter, BaseMeter)
    await clock.sleep(60)
    answer, closed = opened(meter, GetListRequest(b"gateway"))
    assert isinstance(answer, GetListResponse)
    assert closed == CloseResponse()
    names = [entry.obis.hex() for entry in answer.val_list]
    assert names == ["010060320101", "0100600100ff", "0100010800ff", "0100020800ff", "0100100700ff", "0100600500ff"]
    maker, identity, drawn, fed, power, status = answer.val_list
    assert (maker.value, identity.value) == (b"SAG", OCTETS)
    assert (drawn.scaler, drawn.unit, drawn.number) == (-3, 30, Decimal("12345608.333"))
    assert (fed.number, power.number, power.unit) == (0, 500, 27)
    assert drawn.val_time is not None
    assert drawn.val_time.seconds == 60
    assert status.value == drawn.status == 0x1C0104, "as the Holley dump says: three phases and load"


async def test_the_energy_register_is_the_exact_integral_and_never_falls(clock: Clock) -> None:
    meter = BaseMeter(clock, NUMBER, profile=stepped([(0, 1000), (1800, "333.333"), (3600, -720), (7200, 0)]))
    last = Decimal(0)
    for _ in range(600):
        await clock.sleep(6.1)
        value = readings(meter)[DRAWN]
        assert value is not None
        assert value >= last
        last = value
    await clock.sleep_until(86_400)
    values = readings(meter)
    assert values[DRAWN] == Decimal("666.666"), "500 Wh and 166.6665 Wh, cut down to mWh"
    assert values[FED] == 720


async def test_reading_often_changes_nothing(clock: Clock) -> None:
    often, once = (BaseMeter(clock, NUMBER, profile=constant(777_777)) for _ in range(2))
    for _ in range(200):
        await clock.sleep(1 / 3)
        often.metrology.power(True)
        often.metrology.load(constant(777_777))
        readings(often)
    assert often.metrology.energy() == once.metrology.energy()


async def test_without_mains_energy_and_second_index_stand_still_and_nobody_answers(clock: Clock) -> None:
    meter = BaseMeter(clock, NUMBER, profile=constant(3_600_000), second_index=1000)
    await clock.sleep(100)
    meter.power(False)
    await clock.sleep(5000)
    assert meter.answer(encode_file(b"")) == b""
    assert meter.metrology.second_index() == 1100
    meter.power(True)
    meter.power(True)
    await clock.sleep(10.5)
    assert readings(meter)[DRAWN] == Decimal("110.5"), "a Wh per second"
    assert meter.metrology.second_index() == 1110


async def test_the_load_can_be_changed_while_the_meter_runs(clock: Clock) -> None:
    meter = BaseMeter(clock, NUMBER, profile=constant(3_600_000))
    await clock.sleep(10)
    meter.metrology.load(constant(-7_200_000))
    await clock.sleep(10)
    values = readings(meter)
    assert (values[DRAWN], values[FED], values[POWER]) == (10, 20, -7200)


async def test_a_meter_with_backstop_counts_no_feed_in(clock: Clock) -> None:
    meter = BaseMeter(clock, NUMBER, profile=stepped([(0, -3600), (10, 3600)]), backstop=True)
    await clock.sleep(20)
    values = readings(meter)
    assert (values[DRAWN], values[FED]) == (10, 0)
    assert meter.metrology.status() & StatusWord.BACKSTOP


async def test_the_status_word_says_what_happens_at_the_meter(clock: Clock) -> None:
    meter = BaseMeter(clock, NUMBER, profile=constant(0))
    metrology = meter.metrology
    assert metrology.status() == 0x1C0004
    metrology.load(constant(-1_000_000))
    assert metrology.status() == 0x1C7904, "sum and every phase flow back"
    metrology.load(constant(0))
    for name in StatusWord.FATAL, StatusWord.MAGNET, StatusWord.FIELD_REVERSED:
        metrology.fault(name)
        assert metrology.status() == 0x1C0004 | name
        metrology.fault(name, on=False)
    assert metrology.status() == 0x1C0004
    single = BaseMeter(clock, NUMBER, profile=constant(100_000), phases=(3,))
    assert single.metrology.status() == 0x100104, "as the ISKRA single phase dump says"


async def test_an_opened_cover_stays_in_the_status_word_for_24_hours(clock: Clock) -> None:
    meter = BaseMeter(clock, NUMBER)
    meter.metrology.open_cover()
    await clock.sleep(24 * 3600 - 1)
    assert meter.metrology.status() & StatusWord.COVER_OPENED
    await clock.sleep(1)
    assert not meter.metrology.status() & StatusWord.COVER_OPENED


async def test_single_cosem_objects_are_read_by_class_and_attribute(clock: Clock) -> None:
    meter = BaseMeter(clock, NUMBER, profile=constant(3_600_000), second_index=500)
    await clock.sleep(3)

    def read(obis: bytes, class_id: int, *attributes: int) -> list[object]:
        path = (cosem_name(obis, class_id), *map(cosem_attribute, attributes))
        answer = opened(meter, GetProcParameterRequest(path, OCTETS))[0]
        assert isinstance(answer, GetProcParameterResponse)
        assert (answer.path, answer.tree.name) == (path, path[0])
        assert [child.name for child in answer.tree.children] == list(path[1:])
        return [child.value for child in answer.tree.children]

    assert read(STATUS, 1, 2) == [0x1C0104]
    assert read(SECOND_INDEX, 1, 2) == [503]
    assert read(SERVER_ID, 1, 1, 2) == [SERVER_ID, OCTETS]
    name, value, scaler_unit = read(DRAWN, 3, 1, 2, 3)
    assert (name, value) == (DRAWN, 3000)
    assert scaler_unit.octets.hex() == "7252fd621e"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (GetProcParameterRequest((cosem_name(STATUS, 3), cosem_attribute(2))), 0xFE0E),
        (GetProcParameterRequest((cosem_name(bytes(6), 1), cosem_attribute(2))), 0xFE0E),
        (GetProcParameterRequest((cosem_name(STATUS, 1), cosem_attribute(9))), 0xFE06),
        (GetProcParameterRequest((STATUS,)), 0xFE04),
        (GetProcParameterRequest((cosem_name(STATUS, 1), cosem_attribute(2)), b"somebody else"), 0xFE03),
        (GetListRequest(b"gateway", list_name=bytes(6)), 0xFE0E),
        (GetListRequest(b"gateway", b"somebody else"), 0xFE03),
        (SetProcParameterRequest((cosem_name(STATUS, 1),), ParameterTree(STATUS, 1)), 0xFE05),
        (CloseResponse(), 0xFE01),
    ],
)
async def test_what_cannot_be_done_is_answered_with_the_attention_for_it(clock: Clock, body: Body, code: int) -> None:
    answers = opened(BaseMeter(clock, NUMBER), body)
    assert refusals(answers) == [code]
    assert answers[-1] == CloseResponse()


async def test_requests_before_open_and_files_without_close_are_refused(clock: Clock) -> None:
    meter = BaseMeter(clock, NUMBER)
    assert refusals(ask(meter, GetListRequest(b"g"), CloseRequest())) == [0xFE0D, 0xFE0D]
    assert refusals(ask(meter, OpenRequest(b"g", b"f"), GetListRequest(b"g"))) == [0xFE14]
    assert refusals(ask(meter, OpenRequest(b"g", b"f", b"somebody else"), CloseRequest())) == [0xFE03, 0xFE0D]


async def test_abort_on_error_skips_the_group_or_stops(clock: Clock) -> None:
    meter = BaseMeter(clock, NUMBER)
    wrong = GetListRequest(b"g", list_name=bytes(6))
    assert len(opened(meter, wrong, GetListRequest(b"g"))) == 3
    assert refusals(opened(meter, wrong, GetListRequest(b"g"), abort=0xFF)) == [0xFE0E]
    assert len(opened(meter, wrong, GetListRequest(b"g"), abort=0xFF)) == 1
    assert len(opened(meter, wrong, GetListRequest(b"g"), abort=1)) == 1, "all are of one group"


async def test_damaged_files_are_answered_with_checksum_or_parser_attention(clock: Clock) -> None:
    meter = BaseMeter(clock, NUMBER)
    good = encode_file(encode_messages([Message(b"1", 0, 0, OpenRequest(b"g", b"f"))]))
    for octets, code in ((good[:-1] + b"\0", 0xFE0B), (good[:-5], 0xFE08), (b"no file at all", 0xFE08), (b"", 0xFE08)):
        file = decode_file(meter.answer(octets))
        assert refusals([message.body for message in file.messages]) == [code], octets


async def test_one_register_can_be_asked_for_by_name(clock: Clock) -> None:
    answer = opened(BaseMeter(clock, NUMBER), GetListRequest(b"gateway", OCTETS, list_name=DRAWN))[0]
    assert isinstance(answer, GetListResponse)
    assert [entry.obis for entry in answer.val_list] == [DRAWN]


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"kind": "basemeter"}, "did you mean base_meter"),
        ({"kind": "base_meter", "id": "1SAG21061001"}, "is no meter id"),
        ({"kind": "smarty_bz_plus_v2", "id": "1EMH0005975894"}, "made by SAG"),
        ({"kind": "base_meter", "registers": {"1.8.0": "12345.6"}}, "no quantity"),
        ({"kind": "base_meter", "registers": {"1.8.0": "12 W"}}, "cannot begin at"),
        ({"kind": "base_meter", "registers": {"1.8.0": "0.0000001 kWh"}}, "more decimals"),
        ({"kind": "base_meter", "registers": {"1.8.x": "1 kWh"}}, "is no register"),
        ({"kind": "base_meter", "registers": {"16.7.0": "5 W"}}, "follows the load"),
        ({"kind": "base_meter", "registers": {"1.8.0": "1 kWh", "1-0:1.8.0": "1 kWh"}}, "twice"),
        ({"kind": "base_meter", "registers": {"32.7.0": "230 Volt"}}, "is no unit"),
        ({"kind": "base_meter", "load": "500 Wh"}, "is in Wh"),
        ({"kind": "base_meter", "load": "none.csv"}, "cannot be read"),
        ({"kind": "base_meter", "load": [[0, "1 W"], [0, "2 W"]]}, "does not follow"),
        ({"kind": "base_meter", "load": {"week": []}}, "'week'"),
        ({"kind": "base_meter", "status": ["broken"]}, "no bit 'broken'"),
        ({"kind": "base_meter", "dump": "x.bin"}, "only a replay"),
        ({"kind": "replay"}, "needs a dump"),
        ({"kind": "replay", "dump": "none.bin"}, "cannot be read"),
        ({"kind": "replay", "dump": b"noise"}, "say which meter"),
    ],
)
async def test_wrong_parameters_are_refused_in_words(clock: Clock, parameters: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make_meter(clock, **parameters)  # type: ignore[arg-type]


async def test_registers_and_loads_are_made_from_what_a_scenario_says(clock: Clock) -> None:
    meter = make_meter(
        clock,
        "base_meter",
        registers={"1.8.0": "1.5 MWh", "1.8.1": "1 kWh", "36.7.0": "load", "76.7.0": None, "32.7.0": "230.5 V"},
        load=[[0, "0.3 kW"], ["1 min", -600]],
        status=["fatal", "cover_opened"],
    )
    assert isinstance(meter, BaseMeter)
    assert {register.scaler for register in meter.registers} == {-3, -1}
    await clock.sleep(30)
    values = readings(meter)
    assert values[DRAWN] == 1_500_002_500 / Decimal(1000)
    assert values[bytes.fromhex("0100010801ff")] == 1000
    assert values[bytes.fromhex("0100200700ff")] == Decimal("230.5")
    assert values[bytes.fromhex("01004c0700ff")] == 100
    assert values[STATUS] == 0x1E0504
    day = make_meter(clock, "base_meter", load={"day": ["1 kW"] * 24})
    assert isinstance(day, BaseMeter)
    assert sum(day.metrology.milliwatts()) == 1_000_000


def test_a_lost_phase_has_nothing_and_the_load_goes_on_on_the_others(clock: Clock) -> None:
    """wan-core 7.6, TAF-10: one phase lost; status bits 18 to 20 tell which phases carry voltage (wan-core 7.3)."""
    meter = BaseMeter(clock, NUMBER, profile=constant(2400_000))
    metrology = meter.metrology
    metrology.phases = (1, 3)
    assert metrology.milliwatts() == (1_200_000, 0, 1_200_000)
    reading = metrology.reading()
    found = {code: reading.grid(bytes.fromhex(code)) for code in ("0100200700ff", "0100340700ff", "0100480700ff")}
    assert list(found.values()) == [230_000, 0, 230_000]
    assert reading.grid(bytes.fromhex("0100330700ff")) == 0
    assert reading.grid(bytes.fromhex("0100510701ff")) == 0
    assert reading.grid(bytes.fromhex("0100510702ff")) == 240_000
    assert reading.grid(bytes.fromhex("01000e0700ff")) == 50_000
    bits = {phase for phase in (1, 2, 3) if int(metrology.status()) >> (17 + phase) & 1}
    assert bits == {1, 3}
    metrology.phases = (2,)
    assert metrology.milliwatts() == (0, 2_400_000, 0)


@pytest.mark.parametrize(
    ("watts", "angle", "shown"), [(690, 0, 0), (690, 359_000, 359_000), (-690, 0, 180_000), (-690, 358_000, 178_000)]
)
def test_the_angle_of_a_current_stays_within_a_turn(clock: Clock, watts: int, angle: int, shown: int) -> None:
    meter = BaseMeter(clock, NUMBER, profile=constant(watts * 1000))
    meter.metrology.grid = Grid(current_angle=angle)
    reading = meter.metrology.reading()
    assert [reading.grid(bytes.fromhex(code)) for code in ("0100510704ff", "010051070fff", "010051071aff")] == [
        shown
    ] * 3


@pytest.mark.parametrize("phases", [(1, 2, 3), (1, 3), (2, 3), (2,)])
@pytest.mark.parametrize("milliwatt", [0, 1, 2, 100, -100, -7, 2_400_001])
def test_what_the_phases_carry_is_the_load(milliwatt: int, phases: tuple[int, ...]) -> None:
    shares = share(milliwatt, phases)
    assert sum(shares) == milliwatt
    assert all(shares[phase - 1] == 0 for phase in {1, 2, 3} - set(phases))
