"""YAML with places: plain data plus the line and column of every key and value, for error messages.

The words ``on``, ``off``, ``yes`` and ``no`` stay words, and ``1.8.0`` stays a register: only ``true``, ``false``,
``null``, whole numbers and decimal numbers are read as such (numbers keep their written form as `Decimal`).
"""

from __future__ import annotations

import hashlib
import re
import stat
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from devices.errors import Place, UsageError

Path_ = tuple[str | int, ...]

MAX_FILE = 1_000_000
"""Octets: a scenario or bench file is never larger; a larger one is refused instead of read."""
MAX_DEPTH = 40
"""Levels of nesting that any file of ours needs many times over."""
MAX_NODES = 100_000
"""Values in one file, those that aliases repeat counted each time."""

_INTEGER = re.compile(r"[+-]?(0|[1-9]\d*)\Z")
_DECIMAL = re.compile(r"[+-]?\d+\.\d+\Z")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class Source:
    """One YAML document and where everything in it stands.

    Attributes:
        file: the file as named by the user.
        text: what stands in it.
        data: mappings as dict, sequences as list, scalars as str, int, Decimal, bool or None.
        places: path into the data -> (line, column) of the value, from 1.
        keys: path into the data -> (line, column) of its key.
    """

    file: Path
    text: str
    data: Any
    places: dict[Path_, tuple[int, int]] = field(default_factory=dict)
    keys: dict[Path_, tuple[int, int]] = field(default_factory=dict)

    def place(self, path: Path_, *, of_key: bool = False) -> Place:
        """The place of `path`, or of the nearest thing above it that stands in the file."""
        table = self.keys if of_key else self.places
        while path and path not in table:
            path, table = path[:-1], self.places
        line, column = table.get(path, (1, 1))
        return Place(self.file, line, column)

    def line(self, path: Path_) -> int:
        """The line of `path`."""
        return self.place(path).line or 1


def read(file: Path) -> Source:
    """Read the one YAML document in `file`; UsageError names file, line and column of what is wrong."""
    try:
        if not file.is_dir() and not regular(file):
            raise UsageError("this is a device or a pipe, a file is wanted", place=Place(file))
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"octet {error.start} is not UTF-8 text", place=Place(file), hint="save the file as UTF-8"
        ) from None
    except IsADirectoryError:
        raise UsageError("this is a folder, a YAML file is wanted", place=Place(file)) from None
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", place=Place(file)) from None
    return parse(text, file)


def regular(file: Path) -> bool:
    """Whether `file` is a plain file, which ends; UsageError when it is larger than any of ours, OSError as usual."""
    state = file.stat()
    if state.st_size > MAX_FILE:
        raise UsageError(f"the file is larger than {MAX_FILE} octets", place=Place(file))
    return stat.S_ISREG(state.st_mode)


def fingerprint(text: str) -> str:
    """SHA-256 of a text, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def parse(text: str, file: Path) -> Source:
    """As `read`, of text that is already there."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
        raise UsageError(f"not valid YAML: {_problem(error)}", place=place, hint=_yaml_hint(error, text)) from None
    except yaml.YAMLError as error:
        raise UsageError(f"not valid YAML: {str(error).splitlines()[0]}", place=Place(file)) from None
    finally:
        loader.dispose()
    source = Source(file, text, None)
    if node is not None:
        source.data = _convert(node, (), source, 0)
    return source


def _problem(error: yaml.MarkedYAMLError) -> str:
    parts = [part for part in (error.context, error.problem) if part]
    return ", ".join(parts) or "syntax error"


def _yaml_hint(error: yaml.MarkedYAMLError, text: str) -> str | None:
    mark = error.problem_mark
    if mark is None:
        return None
    lines = text.splitlines()
    if mark.line < len(lines) and "\t" in lines[mark.line]:
        return "indent with spaces, not with tabs"
    if error.problem and "mapping values are not allowed" in error.problem:
        return "put a text that contains ': ' into quotes, and indent the keys of one mapping alike"
    return None


def _convert(node: yaml.Node, path: Path_, source: Source, depth: int) -> Any:
    source.places[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
    if len(source.places) > MAX_NODES:
        raise UsageError(f"the file holds more than {MAX_NODES} values", place=Place(source.file))
    if depth > MAX_DEPTH:
        raise UsageError(f"nested more than {MAX_DEPTH} levels deep", place=source.place(path))
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return [_convert(item, (*path, index), source, depth + 1) for index, item in enumerate(node.value)]
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise UsageError("a key must be a word", place=_mark(source.file, key_node))
        key = str(key_node.value)
        if key in result:
            raise UsageError(f"the key {key!r} stands here twice", place=_mark(source.file, key_node))
        source.keys[(*path, key)] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        result[key] = _convert(value_node, (*path, key), source, depth + 1)
    return result


def _mark(file: Path, node: yaml.Node) -> Place:
    return Place(file, node.start_mark.line + 1, node.start_mark.column + 1)


def _scalar(node: yaml.ScalarNode) -> str | int | Decimal | bool | None:
    text: str = node.value
    if node.style:  # quoted or block text is always text; plain is None or '' (C loader)
        return text
    if text in _WORDS:
        return _WORDS[text]
    if len(text) < 19 and _INTEGER.match(text):
        return int(text)
    if len(text) < 40 and _DECIMAL.match(text):
        return Decimal(text)
    return text
