"""What pydantic says of a file, in our own words, with file, line, column and a suggestion."""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from bench.scenario.source import Path_, Source
from devices.errors import Place, UsageError


class UnknownWord(ValueError):
    """A word that is not in the vocabulary; a suggestion and the place of the key are added when it is reported."""

    def __init__(self, what: str, word: str, known: tuple[str, ...]) -> None:
        self.what, self.word, self.known = what, word, known
        super().__init__(f"unknown {what} {word!r}")


def did_you_mean(near: list[str]) -> str | None:
    """The hint for close matches."""
    return f"did you mean {near[0]!r}?" if near else None


def unknown_word(error: UnknownWord, place: Place) -> UsageError:
    """The mistake with a suggestion, or with all that is known."""
    near = difflib.get_close_matches(error.word, error.known, 1)
    hint = did_you_mean(near) or f"known: {', '.join(sorted(error.known))}"
    return UsageError(str(error), place=place, hint=hint)


def translate(
    error: ValidationError, source: Source, model: type[BaseModel], *, extra: tuple[str, ...] = ()
) -> Iterator[UsageError]:
    """The mistakes in `error`, made while `model` was read from `source`.

    Args:
        extra: keys that are known beside those of the model.
    """
    for item in one_of_each_union(error.errors(include_url=False), source.data):
        path, inner, step = _through_step(source.data, item["loc"])
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, UnknownWord):
            at = (*path, cause.word) if cause.what == "step" else path
            yield unknown_word(cause, source.place(at, of_key=cause.what == "step"))
        else:
            known = known_keys(step or model, inner[:-1]) + (list(extra) if len(path) <= 1 else [])
            yield _plain(item, path, source, known)


def one_of_each_union(items: Iterable[Any], data: Any) -> list[Any]:
    """`items` with one mistake for each value that may be of several kinds.

    Pydantic tells for each kind why the value is not of it, and puts the kind into the location, where nothing in the
    file is called so. The one that found most right counts; where all fail at once, the value may be any of them.
    """
    told: list[Any] = []
    unions: dict[Path_, list[Any]] = {}
    for item in items:
        path, is_union = _without_kinds(item, data)
        if not is_union:
            told.append(item)
            continue
        if path not in unions:
            unions[path] = []
            told.append(path)
        unions[path].append(item)
    return [_united(one, unions[one], data) if isinstance(one, tuple) else one for one in told]


def _without_kinds(item: Any, data: Any) -> tuple[Path_, bool]:
    """The value that may be of several kinds, when `item` speaks of one of them."""
    value, location = data, item["loc"]
    for depth, part in enumerate(location):
        last = depth == len(location) - 1
        if isinstance(value, dict) and (part in value or (last and item["type"] == "missing")):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            kind = isinstance(part, str) and (_KIND.match(part) is not None)
            return location[:depth], kind
    return location, False


_KIND = re.compile(r"(?:str|int|float|bool|decimal|list|dict|tuple|set|is-instance|function|constrained|literal)\b")
"""How the kinds are called of which a value may be one."""


def _united(path: Path_, items: list[Any], data: Any) -> Any:
    deepest = max(items, key=lambda item: len(item["loc"]))
    if len(deepest["loc"]) > len(path) + 1:  # a key that is missing may be the one that was misspelt
        kind = deepest["loc"][: len(path) + 1]
        unknown = (one for one in items if one["type"] == "extra_forbidden" and one["loc"][: len(path) + 1] == kind)
        deepest = next(unknown, deepest)
    if len(deepest["loc"]) > len(path) + 1:
        return {**deepest, "loc": (*path, *deepest["loc"][len(path) + 1 :])}
    kinds = list(dict.fromkeys(_EXPECTED[item["type"]] for item in items if item["type"] in _EXPECTED))
    if len(kinds) < 2:
        return {**items[-1], "loc": path}
    return {**items[0], "loc": path, "type": "one_of_kinds", "msg": f"{', '.join(kinds[:-1])} or {kinds[-1]}"}


def _through_step(data: Any, location: Path_) -> tuple[Path_, Path_, type[BaseModel] | None]:
    """Where pydantic's `location` is in the file: a step is a mapping with one key, which pydantic does not tell.

    Returns the path in the file; the part of it inside the step (or all of it), and the model of the step.
    """
    depth = {"steps": 2, "watch": 3}.get(str(location[0])) if location else None
    if depth is None or len(location) < depth:
        return location, location, None
    from bench.steps.base import REGISTRY  # only scenarios have steps

    head, inner = location[:depth], location[depth:]
    value: Any = data
    try:
        for part in head:
            value = value[part]
    except (KeyError, IndexError, TypeError):
        return location, location, None
    key = next(iter(value)) if isinstance(value, dict) and len(value) == 1 else None
    step = REGISTRY.get(str(key))
    if key is None or step is None:
        return location, location, None
    if inner and not isinstance(value[key], dict):
        inner = ()  # a bare value stands for the field: speak of the step, not of the field
    return (*head, key, *inner), inner, step


def _plain(item: Any, path: Path_, source: Source, known: list[str]) -> UsageError:
    kind = item["type"]
    name = str(path[-1]) if path else ""
    if kind == "extra_forbidden":
        hint = did_you_mean(difflib.get_close_matches(name, known, 1))
        if hint is None and known:
            hint = f"known here: {', '.join(known)}"
        return UsageError(f"unknown key {name!r}", place=source.place(path, of_key=True), hint=hint)
    if kind == "missing":
        return UsageError(f"{name!r} is missing", place=source.place(path[:-1]))
    place = source.place(path)
    if kind in ("literal_error", "enum"):
        choice = str(item["ctx"]["expected"])
        near = difflib.get_close_matches(str(item["input"]), re.findall(r"'([^']*)'", choice), 1)
        written = _written(item["input"])
        name = next((part for part in reversed(path) if isinstance(part, str)), name)  # of an entry: its list
        return UsageError(f"{name!r} cannot be {written}: it is {choice}", place=place, hint=did_you_mean(near))
    text = str(item["ctx"]["error"]) if kind == "value_error" else _in_words(item)
    text = _bounded(text)
    return UsageError(f"{name!r}: {text}" if name and isinstance(path[-1], str) else text, place=place)


def _in_words(item: Any) -> str:
    if str(item["type"]).startswith("datetime"):
        return f"{_written(item['input'])} is no instant: write it like 2026-01-05T00:07:30Z"
    kind, value, bounds = item["type"], item["input"], item.get("ctx", {})
    if kind == "one_of_kinds":
        return f"it must be {item['msg']}, not {_written(value)}"
    if kind in _EXPECTED:
        return f"it must be {_EXPECTED[kind]}, not {_written(value)}"
    if kind in _BOUNDS:
        return f"it must be {_BOUNDS[kind].format(**bounds)}, not {_written(value)}"
    if kind in _SIZES:
        least, what = _SIZES[kind]
        what = "characters" if isinstance(value, str) else what  # a text that pydantic takes for any sequence
        size = bounds["min_length" if least else "max_length"]
        plural = what if size != 1 else {"entries": "entry", "characters": "character"}[what]
        return f"it must have {'at least' if least else 'at most'} {size} {plural}, not {len(value)}"
    message: str = item["msg"]
    message = message.replace("Input should be", "it must be").replace("a valid ", "a ")
    return f"{message[0].lower()}{message[1:]}, not {_written(value)}"


_EXPECTED = {
    **dict.fromkeys(("bool_parsing", "bool_type"), "true or false"),
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float", "int_parsing_size"), "a whole number"),
    **dict.fromkeys(("float_parsing", "float_type", "decimal_parsing", "decimal_type", "finite_number"), "a number"),
    **dict.fromkeys(("string_type", "string_unicode"), "a text"),
    **dict.fromkeys(("list_type", "tuple_type", "set_type"), "a list"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "a mapping of keys to values"),
}
"""Kind of mistake -> what would be right."""
_BOUNDS = {
    "greater_than_equal": "{ge} or more",
    "greater_than": "more than {gt}",
    "less_than_equal": "{le} or less",
    "less_than": "less than {lt}",
}
_SIZES = {
    "too_short": (True, "entries"),
    "too_long": (False, "entries"),
    "string_too_short": (True, "characters"),
    "string_too_long": (False, "characters"),
}
_ENDLESS = re.compile(r"[^\s]{61,}")


def _bounded(text: str) -> str:
    """`text` without the digits of endless numbers and words."""
    return _ENDLESS.sub(lambda match: match[0][:50] + "..." + match[0][-4:], text)


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    text = str(value)
    return repr(text if len(text) <= 60 else text[:57] + "...")


def known_keys(model: Any, path: Path_) -> list[str]:
    """The keys that the mapping at `path` below `model` may have; empty when that is open."""
    for part in path:
        model = _member(model, part)
    model = _model_in(model)
    if model is None:
        return []
    return [field.alias or name for name, field in model.model_fields.items()]


def _member(model: Any, part: str | int) -> Any:
    """The annotation of what `part` selects."""
    found = _model_in(model)
    if found is not None:
        for name, field in found.model_fields.items():
            if part in (name, field.alias):
                return field.annotation
        return None
    arguments = typing.get_args(model)
    if typing.get_origin(model) is dict and len(arguments) == 2:
        return arguments[1]
    if typing.get_origin(model) in (list, tuple) and arguments:
        return arguments[0]
    for option in arguments:
        inner = _member(option, part)
        if inner is not None:
            return inner
    return None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that `annotation` is or may be (``Model | None``)."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for option in typing.get_args(annotation):
            found = _model_in(option)
            if found is not None:
                return found
    return None


def wrong_option(item: Any) -> UsageError:
    """The mistake in the value of an option on the command line that is called like the field."""
    name = f"--{item['loc'][0]}: " if item["loc"] else ""
    return UsageError(name + (str(item["ctx"]["error"]) if item["type"] == "value_error" else _in_words(item)))


def unknown_option(error: UnknownWord) -> UsageError:
    """The mistake of a word on the command line."""
    near = difflib.get_close_matches(error.word, error.known, 1)
    few = error.known if len(error.known) <= 12 else ()
    hint = did_you_mean(near) or (f"known: {', '.join(few)}" if few else None)
    return UsageError(str(error), hint=hint)
