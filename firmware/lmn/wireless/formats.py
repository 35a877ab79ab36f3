"""Formats of compact frames, kept per meter over power cuts (lmn-wireless 4.7, 7)."""

from __future__ import annotations

from typing import Final

from devices.protocols.mbus.compact_frame import FormatCache
from firmware.storage.memory import NonVolatileMemory, setting_statement
from firmware.storage.writer import StorageWriter

STORED: Final = "radio_formats"
"""Setting that holds meter -> formats, each its DIB and VIB octets in hexadecimal digits."""


class Formats:
    """What full frames of each meter looked like.

    Args:
        memory: where the formats lie.
        writer: how they get there.
    """

    def __init__(self, memory: NonVolatileMemory, writer: StorageWriter) -> None:
        self._writer = writer
        self._caches: dict[str, FormatCache] = {}
        for meter, formats in memory.setting(STORED, {}).items():
            for form in formats:
                self.of(meter).add(bytes.fromhex(form))

    def of(self, meter: str) -> FormatCache:
        """The formats of one meter."""
        return self._caches.setdefault(meter, FormatCache())

    def learn(self, meter: str, apl: bytes) -> None:
        """Remember the format of a full frame; stored when it is new."""
        if self.of(meter).learn(apl):
            kept = {name: [form.hex() for form in cache.formats()] for name, cache in self._caches.items()}
            self._writer.put([setting_statement(STORED, kept)])
