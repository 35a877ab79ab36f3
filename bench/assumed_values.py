"""Other values for what the documents leave open, as files write them."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from devices.errors import UsageError

AssumedValue = Annotated[
    Any,
    BeforeValidator(lambda value: float(value) if isinstance(value, Decimal) else value),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": ["number", "boolean", "string"]},
                {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True},
            ]
        }
    ),
]
"""Another value for a named default: a number, true or false, a word, or a list of words, as the default wants it."""


def _known(value: dict[str, Any]) -> dict[str, Any]:
    from devices.meters.defaults import LmnDefaults

    try:
        LmnDefaults().overridden(value)
    except UsageError as error:
        raise ValueError(f"{error.message} ({error.hint})" if error.hint else error.message) from None
    return value


AssumedOfMeters = Annotated[dict[str, AssumedValue], AfterValidator(_known)]
"""Other values for what the documents leave open about wired meters, by the name of the default."""
