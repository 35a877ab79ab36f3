"""The body of a call, ``{"method": ..., ...}``, and its parameters (han 3.1, 3.2)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from firmware.han.conexa.times import understood

MOST_CHANNELS: Final = 200
"""Channels that one call may name."""
_NUMBER: Final = re.compile(r"[0-9]{1,18}")


class Refused(Exception):
    """A call that is not answered with its result.

    Attributes:
        status: of HTTP.
        reason: for people.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def bad(reason: str) -> Refused:
    """The body or a parameter is wrong."""
    return Refused(400, reason)


class Parameters:
    """The parameters of a call. All methods raise :class:`Refused` with status 400.

    Numbers may be numbers or texts, flags true or "true": programs write both (han 3.1).

    Args:
        given: the object.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given

    def names(self, *among: str) -> frozenset[str]:
        """Which of some parameters are there; null counts as not."""
        return frozenset(one for one in among if self._given.get(one) is not None)

    def text(self, name: str) -> str:
        """A text that must be there."""
        value = self._given.get(name)
        if not isinstance(value, str) or not value:
            raise bad(f"{name} must be a text")
        return value

    def choice(self, name: str, *choices: str) -> str | None:
        """One of some texts, None without it."""
        value = self._given.get(name)
        if value is not None and value not in choices:
            raise bad(f"{name} must be one of {', '.join(choices)}")
        return value

    def number(self, name: str, least: int, most: int) -> int | None:
        """A whole number, None without it."""
        value = self._given.get(name)
        if value is None:
            return None
        if isinstance(value, str) and _NUMBER.fullmatch(value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise bad(f"{name} must be a whole number from {least} to {most}")
        return value

    def flag(self, name: str) -> bool:
        """True or false, false without it."""
        value = self._given.get(name)
        if isinstance(value, bool) or value is None:
            return bool(value)
        if value not in ("true", "false"):
            raise bad(f"{name} must be true or false")
        return bool(value == "true")

    def instant(self, name: str) -> int | None:
        """An instant, seconds since 1970; None without it."""
        value = self._given.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise bad(f"{name} must be a time")
        try:
            return understood(value)
        except ValueError as error:
            raise bad(f"{name}: {error}") from None

    def channels(self) -> tuple[str, ...] | None:
        """The channels named in ``channels[]{channel}``, None for all."""
        value = self._given.get("channels")
        if value is None:
            return None
        if not isinstance(value, list) or len(value) > MOST_CHANNELS:
            raise bad(f"channels must be a list of at most {MOST_CHANNELS}")
        named = [one.get("channel") if isinstance(one, dict) else None for one in value]
        texts = tuple(one for one in named if isinstance(one, str) and one)
        if len(texts) != len(named):
            raise bad("each of channels must have a text channel")
        return texts or None


def call_of(octets: bytes) -> tuple[str, Parameters]:
    """Method and parameters of a body.

    Raises:
        Refused: no JSON object with a method.
    """
    try:
        given = json.loads(octets.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise bad("the body is no JSON") from None
    if not isinstance(given, dict):
        raise bad("the body is no object")
    method = given.get("method")
    if not isinstance(method, str):
        raise bad("there is no method")
    return method, Parameters(given)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")
