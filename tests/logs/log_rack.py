"""Small log books for tests, made by the firmware itself, and files of them."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

from devices.gateway_types import load
from firmware.config import Options
from firmware.logs.book import LogBook, LogEntry
from firmware.logs.capacity import Key
from firmware.logs.journal import Journal
from firmware.own_clock import OwnClock
from firmware.product import Product
from firmware.security.certificates import make_certificates
from firmware.security.module import SecurityModule, make_keys
from firmware.storage.memory import NonVolatileMemory, setting_statement
from firmware.storage.writer import StorageWriter

DEVICE = "EEMH0009264154"
BOOKS: tuple[Key, ...] = (("calibration", ""), ("system", ""), ("consumer", "consumer-1"))


def entry(number: int, **more: object) -> LogEntry:
    """An entry unlike any other."""
    text = f"Clock set, a step of {number} ms.\nÄÖÜ, second line" if number % 3 else f"Message {number}"
    told = {"deviation_ms": number, "who": "Zähler 1SAG", **more}
    return LogEntry(
        0, 1_767_225_600_000_000 + number * 1_000_000, "time_set", 13002 if number % 2 else None,
        0 if number % 4 else None, "info", "success", told, text, bool(number % 5),
    )  # fmt: skip


def filled(file: Path | None, entries: int, *, drop: int = 0, curve: str = "brainpoolP256r1") -> NonVolatileMemory:
    """A memory with three books of that many entries, of which the oldest went."""
    memory = NonVolatileMemory(file)
    make_keys(memory, random.Random(7), curve)
    signer = SecurityModule(memory)
    make_certificates(memory, random.Random(9), DEVICE, Options(), datetime(2026, 1, 1, tzinfo=UTC))
    statements = [setting_statement("hardware", DEVICE)]
    for name, owner in BOOKS:
        book = LogBook(memory, name, owner, 10_000, signer)
        statements += book.begin()
        for number in range(1, entries + 1):
            statements += book.append(entry(number))
        statements += book.drop_oldest(drop)
    memory.commit(statements)
    return memory


def journal_of(
    memory: NonVolatileMemory,
    writer: StorageWriter,
    own: OwnClock,
    product: str = "casa",
    options: Options | None = None,
    causes: list[str] | None = None,
) -> Journal:
    """A journal beside which nothing else runs; what it says about operating states is put into `causes`."""
    make_keys(memory, random.Random(7), "brainpoolP256r1")
    make_certificates(memory, random.Random(9), DEVICE, Options(), datetime(2026, 1, 1, tzinfo=UTC))
    memory.commit([setting_statement("hardware", DEVICE)])
    said = [] if causes is None else causes
    return Journal(
        Product(load(product)), memory, writer, own, options or Options(), ("consumer-1",),
        lambda cause, **_: said.append(cause), lambda _: True, SecurityModule(memory),
    )  # fmt: skip
