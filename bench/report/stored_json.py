"""Reads stored JSON with an eye for damage: what has the wrong shape reads as nothing, never as an exception."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

Json = Mapping[str, Any]

MAX_JSON = 64 * 2**20
"""Octets that one JSON document of a run folder may have."""


def load_object(path: Path) -> Json | str:
    """The JSON object in `path`, or what is wrong with it."""
    try:
        if path.stat().st_size > MAX_JSON:
            return f"{path.name} is larger than {MAX_JSON // 2**20} MiB"
        value = json.loads(path.read_bytes())
    except OSError as error:
        return f"{path.name} cannot be read: {error.strerror}"
    except (ValueError, RecursionError) as error:
        return f"{path.name} is no JSON: {error}"
    return value if isinstance(value, dict) else f"{path.name} holds no JSON object"


def as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | dict | list):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return str(value)


def as_texts(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(as_text(item) for item in as_list(value))


def as_pairs(value: Any) -> tuple[tuple[str, str], ...]:
    if isinstance(value, str):
        return (("", value),)
    return tuple((str(name), as_text(item)) for name, item in as_mapping(value).items())


def as_number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def as_mapping(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def as_mappings(value: Any) -> list[Json]:
    return [item for item in as_list(value) if isinstance(item, dict)]


def as_time(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None
