"""Files with the keys of radio meters, for listening: ``7ELS3312345678: 0102...``, or the eight digits alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.scenario.source import Source, read
from devices.errors import Place, UsageError, UsageErrors
from devices.protocols.mbus.link import Address

_WHOLE: Final = re.compile(r"[0-9E]([A-Z]{3}[0-9A-F]{10})\Z")
_DIGITS: Final = re.compile(r"[0-9A-F]{8}\Z")
_KEY: Final = re.compile(r"[0-9A-F]{32}\Z")


class RadioKeys:
    """Keys by meter. A whole number is the better choice: eight digits may belong to meters of two makers."""

    def __init__(self, keys: Mapping[str, bytes] | None = None) -> None:
        """Keys by number as on the case, or by its eight digits. Raises ValueError for what is neither."""
        self._keys: dict[str, bytes] = {}
        for number, key in (keys or {}).items():
            self.add(number, key)

    def add(self, number: str, key: bytes) -> None:
        """One more. Raises ValueError for what is no number."""
        self._keys[_name(number)] = key

    def of(self, address: Address) -> bytes | None:
        """The key of the meter with this address, None when it is not known."""
        whole = f"{address.manufacturer}{address.version:02X}{address.id}"
        return self._keys.get(whole) or self._keys.get(address.id)

    def __len__(self) -> int:
        return len(self._keys)


def read_keys(path: Path) -> RadioKeys:
    """The keys in a YAML file, one mapping of number to 32 hexadecimal digits. Raises UsageError with every mistake."""
    source = read(path)
    if not isinstance(source.data, dict):
        hint = "write lines like '7ELS3312345678: 000102030405060708090A0B0C0D0E0F'"
        raise UsageError("the file holds no mapping", place=Place(path, 1), hint=hint)
    mistakes: list[UsageError] = []
    keys: dict[str, bytes] = {}
    first: dict[str, str | int] = {}
    for number, written in source.data.items():
        digits = "" if written is None else str(written).replace(" ", "").upper().removeprefix("0X")
        try:
            name = _name(str(number))
        except ValueError as error:
            mistakes.append(UsageError(str(error), place=source.place((number,), of_key=True)))
        else:
            if first.setdefault(name, number) != number:
                place = source.place((number,), of_key=True)
                mistakes.append(UsageError(f"{number} has a key already, as {first[name]}", place=place))
        if _KEY.match(digits):
            keys[str(number)] = bytes.fromhex(digits)
        else:
            mistakes.append(_no_key(source, number, digits))
    if mistakes:
        raise UsageErrors(mistakes)
    return RadioKeys(keys)


def _no_key(source: Source, number: str | int, digits: str) -> UsageError:
    wrong = next((letter for letter in digits if letter not in "0123456789ABCDEF"), None)
    found = "nothing" if not digits else f"{len(digits)} of them" if wrong is None else f"{wrong!r} among them"
    return UsageError(f"the key of {number} has 32 hexadecimal digits, not {found}", place=source.place((number,)))


def _name(number: str) -> str:
    plain = str(number).replace(" ", "").upper()
    if _DIGITS.match(plain):
        return plain
    whole = _WHOLE.match(plain)
    if whole is None:
        raise ValueError(
            f"{number!r} is no number of a radio meter: write it like 7ELS3312345678, or its last 8 digits"
        )
    return whole[1]
