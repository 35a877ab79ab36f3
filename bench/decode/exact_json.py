"""JSON with numbers that keep their decimals: 2355929.0 stays so, which a float would not promise."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any


def exact_json(value: Any, depth: int = 0, open_levels: int = 2) -> str:
    """`value` as JSON text: dicts, lists, text, numbers, booleans, None; a Decimal is written digit for digit.

    Args:
        open_levels: how many levels are spread over lines; what lies deeper is one line each.
    """
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict):
        parts = [
            f"{json.dumps(str(key), ensure_ascii=False)}: {exact_json(part, depth + 1, 0)}"
            for key, part in value.items()
        ]
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, list | tuple):
        if depth >= open_levels or not value:
            return "[" + ", ".join(exact_json(part, depth + 1, open_levels) for part in value) + "]"
        inner = "\n" + " " * (depth + 1)
        parts = [exact_json(part, depth + 1, open_levels) for part in value]
        return "[" + inner + ("," + inner).join(parts) + "\n" + " " * depth + "]"
    return json.dumps(value, ensure_ascii=False)
