"""Operational key and crypto reset obey the rules of all objects (lmn-wired 3.2, 4.2, 4.3)."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from devices.clock import Clock
from devices.meters.base_meter import BaseMeter
from devices.meters.key_objects import KeyObjects
from devices.meters.sml_service import Refused
from devices.protocols.sml.messages import (
    Attention,
    Body,
    CloseRequest,
    CosemAttribute,
    GetListRequest,
    GetListResponse,
    GetProcParameterRequest,
    GetProcParameterResponse,
    GetProfileListRequest,
    Message,
    OpenRequest,
    OpenResponse,
    ParameterTree,
    SetCosemRequest,
    SetCosemResponse,
    SetProcParameterRequest,
    attention_code,
    cosem_attribute,
    cosem_name,
    encode_messages,
)
from devices.protocols.sml.objects import CRYPTO_RESET, EVENT_LOG, MAGNET_DETECTION, OPERATIONAL_KEY, STATUS
from devices.protocols.sml.server_id import server_id
from devices.protocols.sml.transport import decode_file, encode_file

NUMBER, OTHER = "1SAG0021061001", server_id("1EMH0005975894")
OPEN, CLOSE = OpenRequest(b"gateway", b"file"), CloseRequest()
LIST = GetListRequest(b"gateway")
SKIP_GROUP, STOP = 0x01, 0xFF


def write(
    obis: bytes = OPERATIONAL_KEY,
    *,
    class_id: int = 1,
    attribute: int = 2,
    server: bytes | None = None,
    value: bytes | int = bytes(16),
) -> SetProcParameterRequest:
    path = (cosem_name(obis, class_id), cosem_attribute(attribute))
    return SetProcParameterRequest(path, ParameterTree(path[-1], value), server)


@dataclass
class Keys:
    """A base meter with key objects in front; `written` is what came through."""

    meter: BaseMeter
    written: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        writes = {OPERATIONAL_KEY: self._key, CRYPTO_RESET: self.written.append}
        self.objects = KeyObjects(self.meter.server_id, self.meter.answer, writes)

    def _key(self, value: object) -> None:
        if not isinstance(value, bytes):
            raise Refused(0xFE09)
        self.written.append(value)

    def say(self, *messages: Body | Message) -> list[Message]:
        whole = [
            one if isinstance(one, Message) else Message(bytes((at,)), at, 0, one) for at, one in enumerate(messages)
        ]
        return list(decode_file(self.objects.message(encode_file(encode_messages(whole)))).messages)

    def codes(self, *messages: Body | Message) -> list[int | None]:
        bodies = [message.body for message in self.say(*messages)]
        return [attention_code(body.number) for body in bodies if isinstance(body, Attention)]


@pytest.fixture
async def keys(clock: Clock) -> Keys:
    return Keys(BaseMeter(clock, NUMBER))


async def test_a_request_for_another_meter_is_refused_and_nothing_is_written(keys: Keys) -> None:
    """The open is refused for its recipient, so that what follows is unexpected."""
    assert keys.codes(OpenRequest(b"gw", b"f", OTHER), write(server=OTHER), CLOSE) == [0xFE03, 0xFE0D, 0xFE0D]
    assert keys.codes(OPEN, write(server=OTHER), CLOSE) == [0xFE03]
    assert keys.written == []


async def test_without_open_nothing_is_written(keys: Keys) -> None:
    assert keys.codes(write(), OPEN, CLOSE) == [0xFE0D]
    assert keys.codes(OPEN, CLOSE, write()) == []
    assert keys.written == []


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (write(class_id=3), 0xFE0E),
        (write(attribute=1), 0xFE05),
        (write(attribute=3), 0xFE05),
        (SetProcParameterRequest((OPERATIONAL_KEY,), ParameterTree(b"", bytes(16))), 0xFE04),
        (GetProcParameterRequest((cosem_name(OPERATIONAL_KEY, 1), cosem_attribute(2))), 0xFE06),
        (write(value=5), 0xFE09),
        (SetCosemRequest(OPERATIONAL_KEY, 3, attributes=(CosemAttribute(2, bytes(16)),)), 0xFE0E),
    ],
    ids=["class", "attribute 1", "attribute 3", "short name", "read", "value", "class of SetCosem"],
)
async def test_class_attribute_and_value_have_to_be_right(keys: Keys, request_: Body, code: int) -> None:
    assert keys.codes(OPEN, request_, CLOSE) == [code]
    assert keys.written == []


async def test_the_right_request_is_carried_out_whether_the_meter_is_named_or_not(keys: Keys) -> None:
    own = keys.meter.server_id
    assert keys.codes(OPEN, write(), CLOSE) == [0xFD00]
    assert keys.codes(OpenRequest(b"gw", b"f", own), write(server=own + bytes(4)), CLOSE) == [0xFD00]
    answer = keys.say(OPEN, SetCosemRequest(CRYPTO_RESET, 1, attributes=(CosemAttribute(2, True),)), CLOSE)[1].body
    assert isinstance(answer, SetCosemResponse)
    assert keys.written == [bytes(16), bytes(16), True]


@pytest.mark.parametrize(("abort", "expected"), [(0, [0xFE0E, 0xFD00]), (SKIP_GROUP, [0xFE0E]), (STOP, [0xFE0E])])
async def test_a_refusal_before_a_write_skips_its_group_or_the_rest(
    keys: Keys, abort: int, expected: list[int]
) -> None:
    unknown = GetProcParameterRequest((cosem_name(bytes(6), 1), cosem_attribute(2)))
    codes = keys.codes(Message(b"1", 0, 0, OPEN), Message(b"2", 1, abort, unknown), Message(b"3", 1, 0, write()))
    assert codes[: len(expected)] == expected
    assert len(keys.written) == len(expected) - 1


async def test_a_refused_write_keeps_the_meter_from_what_follows_in_its_group(keys: Keys) -> None:
    switch = SetProcParameterRequest(
        (cosem_name(MAGNET_DETECTION, 1), cosem_attribute(2)), ParameterTree(cosem_attribute(2), 0, value_head=0x62)
    )
    keys.say(OPEN, Message(b"2", 1, SKIP_GROUP, write(value=5)), Message(b"3", 1, 0, switch), CLOSE)
    assert keys.meter.switches[MAGNET_DETECTION]
    keys.say(OPEN, Message(b"2", 1, 0, write(value=5)), Message(b"3", 1, 0, switch), CLOSE)
    assert not keys.meter.switches[MAGNET_DETECTION]


async def test_other_requests_of_the_file_are_answered_by_the_meter_in_their_places(keys: Keys) -> None:
    keys.meter.open_cover()
    read = GetProcParameterRequest((cosem_name(STATUS, 1), cosem_attribute(2)))
    events = GetProfileListRequest((EVENT_LOG,))
    answer = keys.say(OPEN, LIST, write(), read, events, CLOSE)
    assert [type(message.body).__name__ for message in answer[:4]] == [
        "OpenResponse",
        "GetListResponse",
        "Attention",
        "GetProcParameterResponse",
    ]
    assert [message.transaction_id for message in answer] == [b"\0", b"\1", b"\2", b"\3", b"\4", b"\5"]
    status = answer[3].body
    assert isinstance(status, GetProcParameterResponse)
    assert status.server_id == keys.meter.server_id


async def test_a_false_server_id_is_told_in_every_answer(keys: Keys) -> None:
    keys.meter.claimed_id = OTHER
    answers = [message.body for message in keys.say(OPEN, LIST, write(), CLOSE)]
    told = [body.server_id for body in answers if isinstance(body, OpenResponse | GetListResponse | Attention)]
    assert told == [OTHER] * 3
    assert keys.written == [bytes(16)]


async def test_a_meter_without_mains_is_silent_and_takes_no_key(keys: Keys) -> None:
    keys.meter.power(False)
    bodies: tuple[Body, ...] = (OPEN, write(), CLOSE)
    whole = [Message(bytes((at,)), at, 0, one) for at, one in enumerate(bodies)]
    assert keys.objects.message(encode_file(encode_messages(whole))) == b""
    assert keys.written == []


async def test_files_without_keys_go_to_the_meter_as_they_came(keys: Keys) -> None:
    asked: list[bytes] = []
    keys.objects.answer = lambda request: asked.append(request) or b""  # type: ignore[func-returns-value]
    request = encode_file(encode_messages([Message(b"1", 0, 0, OPEN), Message(b"2", 0, 0, LIST)]))
    keys.objects.message(request)
    keys.objects.message(b"\xff" + request[:-3])
    assert asked == [request, b"\xff" + request[:-3]]
