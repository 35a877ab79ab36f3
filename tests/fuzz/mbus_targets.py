"""What is fuzzed of wM-Bus, on which seeds, and what must hold: see `fuzz_targets`."""

from __future__ import annotations

import json
from pathlib import Path

from bench.decode.record_json import records_json
from bench.decode.wmbus import Request, answer_line
from bench.decode.wmbus_json import reading_json
from bench.decode.wmbus_reading import FORMS, TelegramReader
from bench.decode.wmbus_text import reading_lines
from devices.protocols.mbus.compact_frame import FormatCache, compact, expand, unfold
from devices.protocols.mbus.compact_profile import profile_values
from devices.protocols.mbus.errors import MbusError
from devices.protocols.mbus.records import Contents, decode_records, encode_records

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


def wmbus_lines(data: bytes) -> None:
    """Every line gets one answer that is JSON."""
    reader = TelegramReader()
    for number, line in enumerate(data.split(b"\n"), 1):
        answer, good = answer_line(reader, line, number, Request(b""), as_json=True)
        assert "\n" not in answer
        assert good != ("error" in json.loads(answer))
