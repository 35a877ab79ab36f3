"""Single objects of a base meter, read and written over SML (lmn-wired 4.2 to 4.4)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from devices.clock import Clock
from devices.errors import UsageError
from devices.meters.base_meter import BaseMeter
from devices.meters.catalogue import make_meter
from devices.meters.cosem_objects import BOOLEAN, OCTETS, CosemObject, Shape, ValueType
from devices.meters.load_profile import constant
from devices.meters.status_word import StatusWord
from devices.protocols.sml.bodies import write_body
from devices.protocols.sml.messages import (
    ActionCosemRequest,
    Attention,
    Body,
    CloseRequest,
    CosemAttribute,
    GetCosemRequest,
    GetCosemResponse,
    GetListRequest,
    GetListResponse,
    GetProcParameterRequest,
    GetProcParameterResponse,
    Message,
    OpenRequest,
    ParameterTree,
    SetCosemRequest,
    SetCosemResponse,
    SetProcParameterRequest,
    attention_code,
    cosem_attribute,
    cosem_name,
    encode_messages,
)
from devices.protocols.sml.obis import parse_obis
from devices.protocols.sml.objects import (
    COVER_DETECTION,
    COVER_EVENTS,
    DATA_CLASS,
    DEVICE_ID,
    DEVICE_MAKER,
    IDENTIFICATION,
    INFO_DATASET,
    MAGNET_DETECTION,
    MAGNET_EVENTS,
    PIN_FALLBACK,
    PUBLIC_KEY,
    REGISTER_CLASS,
    SERVER_ID,
    SOFTWARE_0,
    SOFTWARE_1,
    STATUS,
    TWO_TARIFFS,
)
from devices.protocols.sml.transport import decode_file, encode_file

CAPTURE_B = Path(__file__).parents[1] / "vectors" / "sml" / "capture_b.hex"
NUMBER = "1SAG0021061001"
OCTETS_OF_ID = bytes.fromhex("0A0153414700 01415D89")
U8 = 0x62
U16 = 0x63
I8 = 0x52


def ask(meter: BaseMeter, *bodies: Body) -> list[Body]:
    between = (OpenRequest(b"gateway", b"file"), *bodies, CloseRequest())
    request = encode_file(encode_messages([Message(bytes([index]), 0, 0, body) for index, body in enumerate(between)]))
    file = decode_file(meter.answer(request))
    assert not file.errors
    return [message.body for message in file.messages][1:-1]


def read(meter: BaseMeter, obis: bytes, class_id: int = DATA_CLASS) -> object:
    path = (cosem_name(obis, class_id), cosem_attribute(2))
    (answer,) = ask(meter, GetProcParameterRequest(path))
    assert isinstance(answer, GetProcParameterResponse), obis.hex()
    return answer.tree.children[0].value


def register(meter: BaseMeter, code: str) -> object:
    return read(meter, parse_obis(code), REGISTER_CLASS)


def write(meter: BaseMeter, obis: bytes, value: int | bytes | bool, head: int = 0, attribute: int = 2) -> int | None:
    number = cosem_attribute(attribute)
    tree = ParameterTree(number, value, value_head=head)
    (answer,) = ask(meter, SetProcParameterRequest((cosem_name(obis, DATA_CLASS), number), tree))
    assert isinstance(answer, Attention)
    return attention_code(answer.number)


@pytest.fixture
async def meter(clock: Clock) -> BaseMeter:
    return BaseMeter(clock, NUMBER, profile=constant(2_300_000))


async def test_the_status_word_is_answered_octet_for_octet_as_in_the_capture(clock: Clock) -> None:
    """lmn-wired 7, capture B: only the number itself is another."""
    captured = decode_file(bytes.fromhex(CAPTURE_B.read_text())).messages[1].body
    assert isinstance(captured, GetProcParameterResponse)
    meter = BaseMeter(clock, captured.server_id)
    (answer,) = ask(meter, GetProcParameterRequest(captured.path, captured.server_id))
    assert isinstance(answer, GetProcParameterResponse)
    (child,) = answer.tree.children
    assert child.value == 0x1C0004
    same = replace(answer, tree=replace(answer.tree, children=(replace(child, value=0),)))
    assert write_body(same) == write_body(captured)


async def test_who_it_is_can_be_asked_in_every_way_that_the_sheet_names(meter: BaseMeter) -> None:
    assert read(meter, SERVER_ID) == read(meter, DEVICE_ID) == OCTETS_OF_ID
    assert read(meter, IDENTIFICATION) == NUMBER.encode()
    assert read(meter, DEVICE_MAKER) == b"SAG"
    assert (read(meter, SOFTWARE_0), read(meter, SOFTWARE_1)) == (b"01.00", b"01.00")


async def test_the_public_key_is_a_point_of_p_256_and_no_other_meters(clock: Clock, meter: BaseMeter) -> None:
    key = read(meter, PUBLIC_KEY)
    assert isinstance(key, bytes)
    ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + key)
    assert read(BaseMeter(clock, "1SAG0021061002"), PUBLIC_KEY) != key
    assert read(BaseMeter(clock, NUMBER), PUBLIC_KEY) == key
    assert read(BaseMeter(clock, NUMBER, public_key=b"key"), PUBLIC_KEY) == b"key"


async def test_the_grid_is_told_from_the_load(meter: BaseMeter) -> None:
    """2300 W on three phases of 230 V: 766.6 W and 3.33 A each."""
    assert [register(meter, f"{code}.7.0") for code in (32, 52, 72)] == [2300, 2300, 2300]
    assert [register(meter, f"{code}.7.0") for code in (31, 51, 71)] == [333, 333, 333]
    assert [register(meter, f"{code}.7.0") for code in (36, 56, 76)] == [7666, 7666, 7666]
    assert register(meter, "14.7.0") == 500
    assert [register(meter, f"81.7.{angle}") for angle in (1, 2, 4, 15, 26)] == [120, 240, 0, 0, 0]
    meter.metrology.load(constant(-690_000))
    assert [register(meter, f"81.7.{angle}") for angle in (4, 15, 26)] == [180, 180, 180]
    assert register(meter, "31.7.0") == 100
    meter.metrology.fault(StatusWord.FIELD_REVERSED)
    assert [register(meter, f"81.7.{angle}") for angle in (1, 2)] == [240, 120]


async def test_a_phase_without_voltage_has_no_current_and_no_angle(clock: Clock) -> None:
    meter = BaseMeter(clock, NUMBER, profile=constant(460_000), phases=(3,))
    assert [register(meter, f"{code}.7.0") for code in (32, 72, 31, 71)] == [0, 2300, 0, 200]
    assert [register(meter, f"81.7.{angle}") for angle in (1, 2)] == [0, 0]


async def test_scaler_and_unit_stand_beside_a_register(meter: BaseMeter) -> None:
    path = (cosem_name(parse_obis("31.7.0"), REGISTER_CLASS), cosem_attribute(3), cosem_attribute(1))
    (answer,) = ask(meter, GetProcParameterRequest(path))
    assert isinstance(answer, GetProcParameterResponse)
    scaler_unit, name = answer.tree.children
    assert scaler_unit.value.octets.hex() == "7252fe6221", "10^-2 ampere"  # type: ignore[union-attr]
    assert name.value == parse_obis("31.7.0")


async def test_a_list_shows_grid_and_tariffs_when_it_is_told_to_and_else_not(clock: Clock) -> None:
    codes = {"1.8.0": "1 kWh", "1.8.2": "5 kWh", "32.7.0": "load", "81.7.2": "load", "14.7.0": "49.9 Hz"}
    meter = make_meter(clock, "base_meter", registers=codes)
    assert isinstance(meter, BaseMeter)
    (answer,) = ask(meter, GetListRequest(b"gateway"))
    assert isinstance(answer, GetListResponse)
    numbers = {entry.obis: entry.number for entry in answer.val_list}
    told = [numbers[parse_obis(code)] for code in codes]
    assert [str(number) for number in told] == ["1000.000", "5000.000", "230.0", "240", "49.9"]
    plain = BaseMeter(clock, NUMBER)
    assert len(plain.entries()) == 6


async def test_tariff_registers_share_what_flows_while_the_function_is_on(clock: Clock) -> None:
    meter = BaseMeter(clock, NUMBER, profile=constant(3_600_000))
    await clock.sleep(10)
    assert [register(meter, code) for code in ("1.8.0", "1.8.1", "1.8.2")] == [10_000, 0, 0]
    assert write(meter, TWO_TARIFFS, 1, U8) == 0xFD00
    await clock.sleep(20)
    meter.tariff(2)
    await clock.sleep(30)
    meter.metrology.load(constant(-3_600_000))
    await clock.sleep(5)
    assert write(meter, TWO_TARIFFS, 0, U8) == 0xFD00
    await clock.sleep(7)
    assert [register(meter, f"1.8.{tariff}") for tariff in range(3)] == [60_000, 20_000, 30_000]
    assert [register(meter, f"2.8.{tariff}") for tariff in range(3)] == [12_000, 0, 5_000]
    with pytest.raises(UsageError, match="no tariff 3"):
        meter.tariff(3)


@pytest.mark.parametrize("obis", [INFO_DATASET, MAGNET_DETECTION, COVER_DETECTION, TWO_TARIFFS, PIN_FALLBACK])
async def test_switches_are_written_read_back_and_kept_without_mains(meter: BaseMeter, obis: bytes) -> None:
    for value in (1, 0, 1):
        assert write(meter, obis, value, U8) == 0xFD00
        assert read(meter, obis) == value
    meter.power(False)
    meter.power(True)
    assert read(meter, obis) == 1


@pytest.mark.parametrize(
    ("obis", "value", "head", "code"),
    [
        (INFO_DATASET, 1, U16, 0xFE09),
        (INFO_DATASET, 1, I8, 0xFE0F),
        (INFO_DATASET, True, 0, 0xFE0F),
        (INFO_DATASET, b"\x01", 0, 0xFE0F),
        (INFO_DATASET, 2, U8, 0xFE09),
        (MAGNET_DETECTION, 3, U8, 0xFE09),
        (STATUS, 1, U8, 0xFE05),
        (MAGNET_EVENTS, 0, U8, 0xFE05),
        (bytes(6), 1, U8, 0xFE0E),
    ],
)
async def test_what_cannot_be_written_is_refused_with_its_reason_and_changes_nothing(
    meter: BaseMeter, obis: bytes, value: int | bytes | bool, head: int, code: int
) -> None:
    before = dict(meter.switches)
    assert write(meter, obis, value, head) == code
    assert meter.switches == before


async def test_only_the_value_can_be_written(meter: BaseMeter) -> None:
    assert write(meter, INFO_DATASET, 1, U8, attribute=1) == 0xFE05


async def test_a_tree_shaped_as_an_answer_can_be_written_too_and_before_open_nothing(meter: BaseMeter) -> None:
    name = cosem_name(INFO_DATASET, DATA_CLASS)
    tree = ParameterTree(name, None, (ParameterTree(cosem_attribute(2), 1, value_head=U8),))
    body = SetProcParameterRequest((name, cosem_attribute(2)), tree)
    (answer,) = ask(meter, body)
    assert isinstance(answer, Attention)
    assert attention_code(answer.number) == 0xFD00
    assert meter.switches[INFO_DATASET]
    (refused,) = decode_file(meter.answer(encode_file(encode_messages([Message(b"1", 0, 0, body)])))).messages
    assert isinstance(refused.body, Attention)
    assert attention_code(refused.body.number) == 0xFE0D


async def test_magnet_and_cover_are_detected_counted_and_reset(clock: Clock, meter: BaseMeter) -> None:
    meter.magnet()
    meter.magnet(False)
    meter.magnet()
    meter.open_cover()
    assert meter.metrology.status() & (StatusWord.MAGNET | StatusWord.COVER_OPENED) == 0x600
    assert (read(meter, MAGNET_EVENTS), read(meter, COVER_EVENTS)) == (2, 1)
    assert write(meter, MAGNET_DETECTION, 2, U8) == write(meter, COVER_DETECTION, 2, U8) == 0xFD00
    assert not meter.metrology.status() & (StatusWord.MAGNET | StatusWord.COVER_OPENED)
    assert read(meter, MAGNET_DETECTION) == read(meter, COVER_DETECTION) == 1, "still on"
    write(meter, MAGNET_DETECTION, 0, U8)
    write(meter, COVER_DETECTION, 0, U8)
    meter.magnet()
    meter.open_cover()
    assert not meter.metrology.status() & (StatusWord.MAGNET | StatusWord.COVER_OPENED)
    assert (read(meter, MAGNET_EVENTS), read(meter, COVER_EVENTS)) == (2, 1)


async def test_the_cosem_services_serve_the_same_objects(meter: BaseMeter) -> None:
    (got,) = ask(meter, GetCosemRequest(parse_obis("32.7.0"), REGISTER_CLASS))
    assert isinstance(got, GetCosemResponse)
    assert [attribute.number for attribute in got.attributes] == [1, 2, 3]
    assert got.attributes[1].value == 2300
    written = CosemAttribute(2, 1, bytes((0, U8)))
    (put,) = ask(meter, SetCosemRequest(INFO_DATASET, DATA_CLASS, attributes=(written,)))
    assert isinstance(put, SetCosemResponse)
    assert put.attributes == (2,)
    assert meter.switches[INFO_DATASET]
    refused = ask(
        meter,
        SetCosemRequest(STATUS, DATA_CLASS, attributes=(written,)),
        GetCosemRequest(STATUS, REGISTER_CLASS),
        GetCosemRequest(STATUS, DATA_CLASS, attributes=(3,)),
        ActionCosemRequest(STATUS, DATA_CLASS),
    )
    codes = [attention_code(answer.number) for answer in refused if isinstance(answer, Attention)]
    assert codes == [0xFE05, 0xFE0E, 0xFE06, 0xFE0A]


async def test_objects_can_be_added_and_one_that_is_only_written_cannot_be_read(meter: BaseMeter) -> None:
    taken: list[object] = []
    key = parse_obis("96.13.10")
    meter.objects.add(CosemObject(key, Shape(ValueType.OCTETS, 16), None, taken.append))
    assert write(meter, key, bytes(15)) == 0xFE09
    assert write(meter, key, True) == 0xFE0F
    assert write(meter, key, bytes(16)) == 0xFD00
    assert taken == [bytes(16)]
    (answer,) = ask(meter, GetProcParameterRequest((cosem_name(key, DATA_CLASS), cosem_attribute(2))))
    assert isinstance(answer, Attention)
    assert attention_code(answer.number) == 0xFE06
    assert (BOOLEAN.head, OCTETS.head) == (0, 0)


async def test_an_independent_parser_reads_the_list(meter: BaseMeter) -> None:
    smllib = pytest.importorskip("smllib", reason="bench extra")
    reader = smllib.SmlStreamReader()
    bodies = (OpenRequest(b"gateway", b"file"), GetListRequest(b"gateway"), CloseRequest())
    reader.add(meter.answer(encode_file(encode_messages([Message(b"1", 0, 0, body) for body in bodies]))))
    frame = reader.get_frame()
    assert frame is not None
    found = {entry.obis.obis_code: entry.get_value() for entry in frame.get_obis()}
    assert found["1-0:16.7.0*255"] == 2300
    assert found["1-0:96.1.0*255"].lower() == OCTETS_OF_ID.hex()
    assert list(found) == [
        "1-0:96.50.1*1",
        "1-0:96.1.0*255",
        "1-0:1.8.0*255",
        "1-0:2.8.0*255",
        "1-0:16.7.0*255",
        "1-0:96.5.0*255",
    ]
