"""Trees of parameters: what GetProcParameter and SetProcParameter carry, COSEM objects among them (lmn-wired 4.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

from devices.protocols.sml import tlv
from devices.protocols.sml.coding import Coding
from devices.protocols.sml.entries import (
    ListEntry,
    SmlTime,
    Value,
    read_entry,
    read_time,
    read_value,
    write_entry,
    write_time,
    write_value,
)
from devices.protocols.sml.errors import SmlError
from devices.protocols.sml.periods import PERIOD_ENTRY, TUPLE_ENTRY, PeriodEntry, TupleEntry


class ParameterChoice(IntEnum):
    """Choice of SML_ProcParValue."""

    VALUE = 1
    PERIOD_ENTRY = 2
    TUPLE_ENTRY = 3
    TIME = 4
    LIST_ENTRY = 5


ParameterValue = Value | SmlTime | PeriodEntry | TupleEntry | ListEntry

_READERS: Final[dict[int, Callable[[bytes, int], tuple[Any, int]]]] = {
    ParameterChoice.PERIOD_ENTRY: PERIOD_ENTRY.read,
    ParameterChoice.TUPLE_ENTRY: TUPLE_ENTRY.read,
    ParameterChoice.TIME: read_time,
    ParameterChoice.LIST_ENTRY: read_entry,
}
_WRITERS: Final[dict[type[Any], tuple[ParameterChoice, Callable[[Any], bytes]]]] = {
    PeriodEntry: (ParameterChoice.PERIOD_ENTRY, PERIOD_ENTRY.write),
    TupleEntry: (ParameterChoice.TUPLE_ENTRY, TUPLE_ENTRY.write),
    SmlTime: (ParameterChoice.TIME, write_time),
    ListEntry: (ParameterChoice.LIST_ENTRY, write_entry),
}
"""Class of a value to its choice and codec; other values are plain."""


@dataclass(frozen=True, slots=True)
class ParameterTree:
    """A named parameter with its value, its children, or both absent.

    Attributes:
        name: octet string; for COSEM the OBIS code with class and version, below it the attribute number.
        value: plain value, or one of the other choices, whose class says which; None when absent.
        children: parameters below this one.
        choice: of a raw value of a choice that the standard does not know, which it was; others go without saying.
        value_head: see ListEntry.
        no_children: True when the meter sent an empty list instead of leaving the children out.
    """

    name: bytes
    value: ParameterValue = None
    children: tuple[ParameterTree, ...] = ()
    choice: int = ParameterChoice.VALUE
    value_head: int = field(default=0, compare=False, repr=False)
    no_children: bool = field(default=False, compare=False, repr=False)


COSEM_NAME_LENGTH: Final = 9


def cosem_name(obis: bytes, class_id: int, version: int = 0) -> bytes:
    """Path element of a COSEM object: OBIS code, class id and version; raises SmlError when they do not fit."""
    if len(obis) != 6 or not 0 <= class_id <= 0xFFFF or not 0 <= version <= 0xFF:
        raise SmlError(f"{obis.hex()} class {class_id} version {version} name no COSEM object")
    return obis + class_id.to_bytes(2, "big") + bytes((version,))


def cosem_attribute(number: int) -> bytes:
    """Path element of a COSEM attribute; 1 is the logical name, 2 the value, 3 scaler and unit of a register."""
    if not 0 <= number <= 0xFFFF:
        raise SmlError(f"attribute {number} has no room in two octets")
    return number.to_bytes(2, "big")


def read_path(octets: bytes, position: int) -> tuple[tuple[bytes, ...], int]:
    """A list of octet strings."""
    count, position = tlv.read_list(octets, position)
    elements = []
    for _ in range(count):
        element, position = tlv.read_octets(octets, position)
        elements.append(element)
    return tuple(elements), position


def write_path(path: tuple[bytes, ...]) -> bytes:
    """A list of octet strings."""
    return tlv.write_list(*map(tlv.write_octets, path))


def read_parameter_tree(octets: bytes, position: int, depth: int = 0) -> tuple[ParameterTree, int]:
    """A tree of parameters, nested no deeper than lists may be."""
    if depth >= tlv.MAX_DEPTH:
        raise SmlError(f"parameters nest deeper than {tlv.MAX_DEPTH}", position)
    _, position = tlv.read_list(octets, position, 3)
    name, position = tlv.read_octets(octets, position)
    value: ParameterValue = None
    choice, value_head = int(ParameterChoice.VALUE), 0
    if octets[position : position + 1] == b"\x01":
        position += 1
    else:
        _, position = tlv.read_list(octets, position, 2)
        choice, position = tlv.read_unsigned(octets, position)
        if choice == ParameterChoice.VALUE:
            value, value_head, position = read_value(octets, position)
        elif choice in _READERS:
            value, position = _READERS[choice](octets, position)
            choice = int(ParameterChoice.VALUE)
        else:
            value, position = tlv.read_raw(octets, position)
    if octets[position : position + 1] == b"\x01":
        return ParameterTree(name, value, (), choice, value_head), position + 1
    count, position = tlv.read_list(octets, position)
    children = []
    for _ in range(count):
        child, position = read_parameter_tree(octets, position, depth + 1)
        children.append(child)
    return ParameterTree(name, value, tuple(children), choice, value_head, not children), position


def write_parameter_tree(tree: ParameterTree) -> bytes:
    """A tree of parameters; raises SmlError when a value does not fit."""
    value = b"\x01"
    if tree.value is not None:
        value = tlv.write_list(*_write_choice(tree))
    children = b"\x01"
    if tree.children or tree.no_children:
        children = tlv.write_list(*map(write_parameter_tree, tree.children))
    return tlv.write_list(tlv.write_octets(tree.name), value, children)


def _write_choice(tree: ParameterTree) -> tuple[bytes, bytes]:
    value = tree.value
    if isinstance(value, SmlTime | PeriodEntry | TupleEntry | ListEntry):
        choice, write = _WRITERS[type(value)]
        return tlv.write_unsigned(choice, 1), write(value)
    return tlv.write_unsigned(tree.choice, 1), write_value(value, tree.value_head)


def tree_field(name: str) -> Coding:
    """A field that is a tree of parameters."""
    return Coding(name, read_parameter_tree, write_parameter_tree)
