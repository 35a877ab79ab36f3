"""The control socket's own deeds: whatever stands in a request, the answer is one line that says what is right."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench.standalone.control import Control

FIELDS = {
    "power": "on=on or on=off",
    "cable": "socket=HAN, CLS or WAN, and plugged=on or off",
    "meter": "name= of a meter, and plugged=on or off",
    "time_server": "on=on or on=off",
    "stop": "no field",
    "leds": "no field",
    "gateway": "no field",
}


def told() -> dict[str, Any]:
    """Of its start."""
    return {}


def control() -> Control:
    """Of a gateway with one wired meter, which nothing reaches."""
    unit = SimpleNamespace(time_server=None, plug=SimpleNamespace(mains=None))
    meters = SimpleNamespace(stations={"house": None}, radio={})
    return Control(cast("Any", unit), cast("Any", meters), cast("Any", None), told)


async def error(**request: Any) -> str:
    answer = await control().answer(json.dumps({"id": 7, **request}).encode())
    assert (answer["id"], answer["ok"]) == (7, False)
    return str(answer["error"])


async def test_wrong_fields_of_each_deed_are_told_with_the_right_ones() -> None:
    own = control()._own
    assert {name for _, name in own} == set(FIELDS)
    for verb, name in own:
        text = f"{name!r} takes {FIELDS[name]}, this is 'now'"
        assert await error(**{verb: name, "now": True}) == text


async def test_a_deed_without_its_fields_is_told() -> None:
    assert await error(do="power") == "'power' takes on=on or on=off, this is nothing"


@pytest.mark.parametrize("value", [[], {}, 7, None])
async def test_values_of_another_kind_are_told(value: Any) -> None:
    assert await error(do="meter", name=value, plugged=False) == f"there is no meter {value!r} (there are house)"
    assert (await error(do="cable", socket=value, plugged=False)).startswith(f"there is no socket {value!r}")
    assert await error(do="power", on=value) == f"'power' cannot be {value!r} (on=on or on=off)"
