"""What is fuzzed of wM-Bus, on which seeds, and what must hold: see `fuzz_targets`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.decode.record_json import records_json
from bench.decode.wmbus import Request, answer_line
from bench.decode.wmbus_json import reading_json
from bench.decode.wmbus_reading import FORMS, TelegramReader
from bench.decode.wmbus_text import reading_lines
from devices.protocols.mbus.compact_frame import FormatCache, compact, expand, unfold
from devices.protocols.mbus.compact_profile import profile_values
from devices.protocols.mbus.errors import MbusError
from devices.protocols.mbus.link import HEADER
from devices.protocols.mbus.records import Contents, decode_records, encode_records
from devices.protocols.wmbus_sticks import cul, im871a, iu891a
from devices.protocols.wmbus_sticks.amb8465 import AmberScanner, CommandScanner, Frame
from devices.protocols.wmbus_sticks.cul import CulScanner
from devices.protocols.wmbus_sticks.errors import StickError
from devices.protocols.wmbus_sticks.im871a import HciMessage, HciScanner
from devices.protocols.wmbus_sticks.iu891a import Config, SlipMessage, SlipScanner
from devices.protocols.wmbus_sticks.rc1180 import RcScanner
from devices.protocols.wmbus_sticks.rtl_wmbus import RtlScanner
from devices.protocols.wmbus_sticks.scanner import Heard, Noise, Scanner

STICKS: tuple[Callable[[], Scanner[Any]], ...] = (
    HciScanner,
    SlipScanner,
    lambda: AmberScanner(rssi=True),
    lambda: AmberScanner(transparent=True, rssi=True),
    CommandScanner,
    lambda: RcScanner(rssi=True),
    CulScanner,
    RtlScanner,
)
LONGEST_KEPT = 4096
"""Octets of half a message that a framing may keep."""
PUBLISHED = Path(__file__).parents[1] / "vectors" / "wmbus" / "published.txt"
KEYS = sorted({line.split()[1] for line in PUBLISHED.read_text().splitlines() if not line.startswith("#")})

APPLICATION = (
    "2F2F0C1427048502046D32371F1502FD1700002F2F2F2F2F2F2F2F2F2F2F2F2F",
    "2F2F0B6E341200426CFE044B6E563402015B19",
    "02FF207100041308190000441308190000615B7F616713",
    "84046D002A4F3184040387D612008D04831F0A520FFA000401FF00F500",
    "84046D002341118B04151630128D049513056901110203",
    "066D1E5C11DA21400AFDC9FC01310205AEFF03BEA7BF4004FB82F53CCA0100000DFD0A03636465",
    "02FC0348522574D41180C84AFD93080D7FEB0700000006040C5C7E034E0F0102",
)
COMPACT = ("EDA8E475710009190000091900007F16", "2F2FEDA8E475710009190000091900007F162F", "08313B02020215022A")


def application_seeds() -> list[bytes]:
    """Application layers: of the annexes, of real meters, with profiles, text and odd units."""
    return [bytes.fromhex(text) for text in APPLICATION]


def compact_seeds() -> list[bytes]:
    """Compact frames of a format that is known, and a format frame."""
    return [bytes.fromhex(text) for text in COMPACT]


def telegram_seeds() -> list[bytes]:
    """Published telegrams; the first octet chooses the key, as in `mbus_telegram`."""
    rows = [line.split() for line in PUBLISHED.read_text().splitlines() if not line.startswith("#")]
    return [bytes((KEYS.index(key),)) + bytes.fromhex(telegram) for _, key, telegram in rows]


def line_seeds() -> list[bytes]:
    """Lines as programs write them."""
    rows = [line.split() for line in PUBLISHED.read_text().splitlines() if not line.startswith("#")]
    return [json.dumps({"hex": telegram, "key": key, "form": form}).encode() for form, key, telegram in rows] + [
        rows[0][2].encode(),
        b'{"id": 5, "hex": "zz"}',
    ]


def mbus_records(data: bytes) -> None:
    """Records are read within what is there, and written as they came."""
    contents = decode_records(data)
    assert sum(len(record.to_bytes()) for record in contents.records) <= len(data)
    octets = encode_records(contents.records)
    assert decode_records(octets) == Contents(contents.records)
    assert len(profile_values(contents.records)) <= len(data)
    assert len(json.loads(records_json(contents))) == len(contents.records) + (contents.cut is not None)
    try:
        frame = compact(octets)
    except MbusError:
        return
    cache = FormatCache(())
    if cache.learn(octets):
        assert expand(frame, cache) == octets


def mbus_compact(data: bytes) -> None:
    """Compact frames expand to no more than their data and format."""
    cache = FormatCache()
    try:
        cache.learn_format(data)
    except MbusError as error:
        assert error.offset is None or 0 <= error.offset <= len(data)
    try:
        assert len(unfold(data, cache).apl) <= len(data) + 255
    except MbusError as error:
        assert error.offset is None or 0 <= error.offset <= len(data)


def mbus_telegram(data: bytes) -> None:
    """A telegram in every frame format, with and without key: nothing but the codec's own errors."""
    if not data:
        return
    telegram = data[1:]
    reader = TelegramReader()
    for key in (None, bytes.fromhex(KEYS[data[0] % len(KEYS)])):
        for form in (None, *FORMS.values()):
            try:
                reading = reader.read(telegram, key, form)
            except MbusError as error:
                assert error.offset is None or 0 <= error.offset <= len(telegram)
                continue
            json.loads(reading_json(reading))
            reading_lines(reading)


def stick_seeds() -> list[bytes]:
    """What each stick says, the first octet choosing which, as in `wmbus_sticks`."""
    gas = bytes.fromhex(next(line.split()[2] for line in PUBLISHED.read_text().splitlines() if line[:1] == "s"))
    told = (
        [HciMessage(2, 3, gas[1:], stamp=1, rssi=0x8C, fcs=True).to_bytes(), bytes.fromhex("A50110083300151778563412")],
        [iu891a.indication(gas, -70, 9).to_bytes(), SlipMessage(9, 2, b"\0" + Config().to_octets()).to_bytes()],
        [Frame(3, gas[1:] + b"\x14").to_bytes(), Frame(0x8A, bytes((0, 120)) + bytes(120)).to_bytes()],
        [bytes((len(gas),)) + gas[1:] + b"\x14"],
        [bytes.fromhex("FF0903050101F0"), bytes.fromhex("FF0A02008077")],
        [bytes((len(gas),)) + gas[1:] + b"\x14"],
        [f"{cul.telegram_line(gas, mode, -64.0)}\r\n".encode() for mode in ("T1", "C1B")],
        [f"T1;1;1;2019-04-03 19:00:42.000;97;148;12345678;0x{gas.hex()}\n".encode(), b"# tuned\n"],
    )
    return [bytes((number,)) + seed for number, seeds in enumerate(told) for seed in seeds]


def wmbus_sticks(data: bytes) -> None:
    """A stream of a stick in pieces: telegrams that are whole, noise, little that is kept."""
    if not data:
        return
    scanner = STICKS[data[0] % len(STICKS)]()
    events: list[Any] = []
    size = data[0] // len(STICKS) * 4 + 1
    for start in range(1, len(data), size):
        events += scanner.feed(data[start : start + size])
        assert scanner.waiting <= LONGEST_KEPT
    events += scanner.end()
    events += scanner.silence()
    assert scanner.waiting == 0
    assert sum(event.count for event in events if isinstance(event, Noise)) <= len(data)
    for event in events:
        telegrams = (event.telegram,) if isinstance(event, Heard) else getattr(event, "telegrams", ())
        assert all(one[0] == len(one) - 1 >= HEADER - 1 for one in telegrams)
        try:
            if isinstance(event, HciMessage):
                im871a.heard(event)
            elif isinstance(event, SlipMessage):
                iu891a.heard(event)
        except StickError:
            continue


def wmbus_lines(data: bytes) -> None:
    """Every line gets one answer that is JSON."""
    reader = TelegramReader()
    for number, line in enumerate(data.split(b"\n"), 1):
        answer, good = answer_line(reader, line, number, Request(b""), as_json=True)
        assert "\n" not in answer
        assert good != ("error" in json.loads(answer))
