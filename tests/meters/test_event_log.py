"""The event log of a meter: what enters it, and how it is read by GetProfileList (lmn-wired 4.4)."""

from __future__ import annotations

import pytest

from devices.clock import Clock
from devices.meters.base_meter import BaseMeter
from devices.meters.event_log import CAPACITY, EventLog, LogEntry, MeterEvent
from devices.meters.status_word import StatusWord
from devices.protocols.sml.messages import (
    Attention,
    Body,
    CloseRequest,
    GetProfileListRequest,
    GetProfileListResponse,
    GetProfilePackRequest,
    Message,
    OpenRequest,
    SmlTime,
    TimeKind,
    attention_code,
    encode_messages,
)
from devices.protocols.sml.objects import EVENT_LOG, EVENT_NUMBER, INFO_DATASET, LOG_SECOND_INDEX, STATUS
from devices.protocols.sml.transport import decode_file, encode_file


def ask(meter: BaseMeter, body: Body) -> list[Body]:
    bodies = (OpenRequest(b"gateway", b"file"), body, CloseRequest())
    file = decode_file(meter.answer(encode_file(encode_messages([Message(b"1", 0, 0, one) for one in bodies]))))
    assert not file.errors
    return [message.body for message in file.messages][1:-1]


def rows(answers: list[Body]) -> list[dict[bytes, object]]:
    assert all(isinstance(answer, GetProfileListResponse) for answer in answers), answers
    return [
        {entry.obis: entry.value for entry in answer.entries}
        for answer in answers
        if isinstance(answer, GetProfileListResponse)
    ]


def index(seconds: int) -> SmlTime:
    return SmlTime(TimeKind.SECOND_INDEX, seconds)


@pytest.fixture
async def meter(clock: Clock) -> BaseMeter:
    return BaseMeter(clock, "1EMH0005975894", second_index=100)


async def test_every_tamper_and_fault_leaves_an_entry_with_time_and_status(clock: Clock, meter: BaseMeter) -> None:
    for act in (meter.magnet, meter.open_cover, meter.fatal):
        await clock.sleep(10)
        act()
    await clock.sleep(10)
    meter.fatal(False)
    meter.power(False)
    await clock.sleep(1000)
    meter.power(True)
    answers = ask(meter, GetProfileListRequest((EVENT_LOG,)))
    table = [(row[EVENT_NUMBER], row[LOG_SECOND_INDEX], row[STATUS]) for row in rows(answers)]
    assert table == [
        (MeterEvent.MAGNET_BEGUN, 110, 0x1C0204),
        (MeterEvent.COVER_OPENED, 120, 0x1C0604),
        (MeterEvent.FATAL_BEGUN, 130, 0x1E0604),
        (MeterEvent.FATAL_ENDED, 140, 0x1C0604),
        (MeterEvent.POWER_LOST, 140, 0x1C0604),
        (MeterEvent.POWER_RESTORED, 140, 0x1C0604),
    ]
    first = answers[0]
    assert isinstance(first, GetProfileListResponse)
    assert [entry.obis for entry in first.entries] == [EVENT_NUMBER, STATUS, LOG_SECOND_INDEX]
    assert (first.val_time, first.status, first.path) == (index(110), 0x1C0204, (EVENT_LOG,))


async def test_what_is_already_so_is_no_event(meter: BaseMeter) -> None:
    meter.temporary()
    meter.magnet()
    meter.fatal(False)
    meter.power(True)
    assert [entry.event for entry in meter.log.entries()] == [MeterEvent.MAGNET_BEGUN]
    assert meter.log.counts == {MeterEvent.MAGNET_BEGUN: 1}


async def test_a_changed_setting_names_the_object_in_place_of_the_status(meter: BaseMeter) -> None:
    meter.switch(INFO_DATASET, True)
    (row,) = rows(ask(meter, GetProfileListRequest((EVENT_LOG,))))
    assert row == {EVENT_NUMBER: MeterEvent.SETTING_CHANGED, INFO_DATASET: 1, LOG_SECOND_INDEX: 100}


async def test_a_part_of_the_log_and_single_columns_can_be_asked_for(clock: Clock, meter: BaseMeter) -> None:
    for _ in range(5):
        await clock.sleep(10)
        meter.open_cover()
    part = GetProfileListRequest((EVENT_LOG,), begin=index(120), end=index(140), objects=(LOG_SECOND_INDEX,))
    assert rows(ask(meter, part)) == [{LOG_SECOND_INDEX: second} for second in (120, 130, 140)]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (GetProfileListRequest((STATUS,)), 0xFE0E),
        (GetProfileListRequest(()), 0xFE0E),
        (GetProfileListRequest((EVENT_LOG,), begin=index(500)), 0xFE13),
        (GetProfileListRequest((EVENT_LOG,), begin=index(5), end=index(4)), 0xFE12),
        (GetProfileListRequest((EVENT_LOG,), begin=SmlTime(TimeKind.TIMESTAMP, 5)), 0xFE09),
        (GetProfileListRequest((EVENT_LOG,), b"somebody else"), 0xFE03),
        (GetProfilePackRequest((EVENT_LOG,)), 0xFE0E),
    ],
)
async def test_what_the_log_cannot_give_is_refused_with_the_attention_for_it(
    meter: BaseMeter, body: Body, code: int
) -> None:
    meter.open_cover()
    (answer,) = ask(meter, body)
    assert isinstance(answer, Attention)
    assert attention_code(answer.number) == code


async def test_an_empty_log_has_no_entries(meter: BaseMeter) -> None:
    (answer,) = ask(meter, GetProfileListRequest((EVENT_LOG,)))
    assert isinstance(answer, Attention)
    assert attention_code(answer.number) == 0xFE11


def test_a_full_log_loses_its_oldest_entry_but_counts_on() -> None:
    log = EventLog()
    for second in range(CAPACITY + 5):
        log.add(LogEntry(MeterEvent.COVER_OPENED, second, StatusWord.BASE_METER))
    assert [entry.second_index for entry in log.entries()] == list(range(5, CAPACITY + 5))
    assert log.counts[MeterEvent.COVER_OPENED] == CAPACITY + 5


async def test_the_whole_log_fits_into_one_message_of_the_link(meter: BaseMeter) -> None:
    for _ in range(CAPACITY):
        meter.open_cover()
    bodies = (OpenRequest(b"gateway", b"file"), GetProfileListRequest((EVENT_LOG,)), CloseRequest())
    answer = meter.answer(encode_file(encode_messages([Message(b"1", 0, 0, body) for body in bodies])))
    assert len(answer) < 65_536
    assert len(decode_file(answer).messages) == CAPACITY + 2
