"""Reads the YAML of a gateway type, with the line of every value for error messages.

The words ``on``, ``off``, ``yes`` and ``no`` stay words; only ``true``, ``false``, ``null`` and whole numbers are read
as such. A duration or a percentage is text with its unit.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, RootModel, ValidationError
from pydantic.fields import FieldInfo

from devices.errors import Place, UsageError, UsageErrors

MAX_OCTETS = 1_000_000
"""No gateway type is larger; a larger file is refused instead of read."""
MAX_DEPTH = 20
MAX_VALUES = 100_000

_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})\Z")
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

Path_ = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)


@dataclass
class Document:
    """One YAML file and where everything in it stands.

    Attributes:
        file: as the user named it.
        data: mappings, lists, text, whole numbers, true/false, None.
        lines: path into the data -> line from 1, of keys and of list items.
    """

    file: Path
    data: Any = None
    lines: dict[Path_, int] = field(default_factory=dict)

    def place(self, path: Path_) -> Place:
        """Where `path` stands, or the nearest thing above it."""
        while path and path not in self.lines:
            path = path[:-1]
        return Place(self.file, self.lines.get(path, 1))


def read(file: Path) -> Document:
    """Read one file; UsageError names file, line and what is wrong."""
    try:
        if file.stat().st_size > MAX_OCTETS:
            raise UsageError(f"the file is larger than {MAX_OCTETS} octets", place=Place(file))
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"octet {error.start} is not UTF-8 text", place=Place(file)) from None
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", place=Place(file)) from None
    loader = _LOADER(text)
    try:
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1) if mark else Place(file)
        raise UsageError(f"not valid YAML: {error.problem or error.context}", place=place) from None
    except yaml.YAMLError as error:
        raise UsageError(f"not valid YAML: {str(error).splitlines()[0]}", place=Place(file)) from None
    finally:
        loader.dispose()
    document = Document(file)
    if node is not None:
        document.data = _value(node, (), document)
    return document


def _value(node: yaml.Node, path: Path_, document: Document) -> Any:
    document.lines.setdefault(path, node.start_mark.line + 1)
    if len(document.lines) > MAX_VALUES or len(path) > MAX_DEPTH:
        raise UsageError("too many values, or nested too deep, for a gateway type", place=document.place(path))
    if isinstance(node, yaml.ScalarNode):
        text: str = node.value
        if node.style:  # quoted or block text is always text; plain is None or '' (C loader)
            return text
        if text in _WORDS:
            return _WORDS[text]
        return int(text) if _INTEGER.match(text) else text
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, index), document) for index, item in enumerate(node.value)]
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise UsageError("a key must be a word", place=Place(document.file, line))
        key = str(key_node.value)
        if key in result:
            raise UsageError(f"the key {key!r} stands here twice", place=Place(document.file, line))
        document.lines[*path, key] = line
        result[key] = _value(value_node, (*path, key), document)
    return result


def build(model: type[Model], document: Document) -> Model:
    """The document as a model; UsageErrors names file, line and field of every mistake."""
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        mistakes = [_mistake(model, document, one) for one in error.errors(include_url=False)]
        raise mistakes[0] if len(mistakes) == 1 else UsageErrors(mistakes) from None


def _mistake(model: type[BaseModel], document: Document, error: Any) -> UsageError:
    path = _in_file(document, tuple(error["loc"]))
    shown = ".".join(str(part) for part in path) or "the file"
    if error["type"] == "extra_forbidden":
        known = _keys_at(model, path[:-1])
        near = difflib.get_close_matches(str(path[-1]), known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}" if known else None
        return UsageError(f"{shown}: this key is unknown", place=document.place(path), hint=hint)
    if error["type"] == "missing":
        return UsageError(f"{shown}: this key is missing", place=document.place(path[:-1]))
    if error["type"] in ("model_type", "dict_type"):
        return UsageError(f"{shown}: keys with values are wanted here", place=document.place(path))
    message = error["msg"].removeprefix("Value error, ")
    return UsageError(f"{shown}: {message[:1].lower() + message[1:]}", place=document.place(path))


def _in_file(document: Document, loc: Path_) -> Path_:
    """The path without the names that pydantic adds for the branch of a union."""
    path: Path_ = ()
    for part in loc[:-1]:
        if (*path, part) in document.lines:
            path = (*path, part)
    return path + loc[-1:]


def _keys_at(model: type[BaseModel], path: Path_) -> list[str]:
    """Keys that the model allows at `path`, as far as they are found by following the fields' types."""
    here: type[BaseModel] | None = _model_in(model)
    for part in path:
        if here is None:
            return []
        field_ = _fields(here).get(str(part))
        if field_ is not None:  # else the key of a mapping, or the place in a list
            here = _model_in(field_.annotation)
    return [] if here is None else list(_fields(here))


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {one.alias or name: one for name, one in model.model_fields.items()}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (
            _model_in(annotation.model_fields["root"].annotation) if issubclass(annotation, RootModel) else annotation
        )
    for argument in getattr(annotation, "__args__", ()):
        found = _model_in(argument)
        if found is not None:
            return found
    return None
