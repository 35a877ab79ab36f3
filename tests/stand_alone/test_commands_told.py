"""What can be done with an emulated gateway is told in whole: by the port, by the control socket, and in the manual."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench.cli import main
from bench.standalone import client
from bench.standalone.control import _FIELDS, _TAKES, Control
from firmware.faults import FaultPort
from firmware.maintenance import Command, Parameter, described

MANUAL = Path(__file__).parents[2] / "docs" / "emulated-gateway.md"


def commands() -> dict[str, dict[str, Command]]:
    return FaultPort(cast("Any", SimpleNamespace()), lambda: None, lambda start: None).commands()


class Port:
    """A maintenance port that knows its commands and does nothing."""

    asked: list[Any]

    def __init__(self) -> None:
        self.asked = []

    async def read(self, what: str) -> dict[str, Any]:
        self.asked.append(what)
        answer = commands()["read"][what].carry_out()
        return {"ok": True, **cast("dict[str, Any]", answer)}

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(request)
        return {"ok": True}


def control() -> tuple[Control, Port]:
    port = Port()
    unit = SimpleNamespace(time_server=None, plug=SimpleNamespace(mains=None), port=port)
    meters = SimpleNamespace(stations={}, radio={})
    return Control(cast("Any", unit), cast("Any", meters), cast("Any", None), dict), port


async def answer(one: Control, **request: Any) -> dict[str, Any]:
    return await one.answer(json.dumps(request).encode())


def test_the_manual_has_every_command_with_its_fields() -> None:
    rows = [line.split("|") for line in MANUAL.read_text().splitlines() if line.startswith("| `")]
    told = {name: row[2] for row in rows for name in re.findall(r"`([a-z_]+)`", row[1])}
    for name, command in commands()["do"].items():
        assert name in told, name
        assert set(command.parameters) <= set(re.findall(r"`([a-z_]+)`", told[name])), name
        for field, parameter in command.parameters.items():
            if field not in ("book", "on"):
                assert all(choice in told[name] for choice in parameter.choices), (name, field)


@pytest.mark.parametrize(
    ("parameter", "told"),
    [
        (Parameter((str,), True), "text"),
        (Parameter((int, float)), "number; may be left out"),
        (Parameter((dict, list), True), "object or list"),
        (Parameter((bool, str), True, (True, False, "on")), "true, false or on"),
    ],
)
def test_fields_are_told_in_words(parameter: Parameter, told: str) -> None:
    assert parameter.told == told


def test_the_port_tells_its_commands_with_their_fields() -> None:
    found = commands()
    told = cast("dict[str, Any]", found["read"]["commands"].carry_out())
    assert told == described(found)
    assert told["do"] == sorted(found["do"])
    assert told["fields"]["do"]["disturb_han"] == {
        "how": "frozen, dropped, busy, slow or empty",
        "seconds": "number; may be left out",
    }
    assert told["fields"]["read"]["commands"] == {}


async def test_the_socket_tells_its_own_deeds_among_them() -> None:
    one, _ = control()
    told = await answer(one, read="commands")
    assert told["ok"]
    assert {"power", "cable", "meter", "time_server", "stop", "fill_log"} <= set(told["do"])
    assert {"leds", "gateway", "info", "commands"} <= set(told["read"])
    assert told["fields"]["do"]["cable"] == {"socket": "HAN, CLS or WAN", "plugged": "on or off"}
    assert told["fields"]["do"]["fill_log"]["book"] == "system, calibration or consumer"
    assert set(_FIELDS) == set(_TAKES) == {name for _, name in one._own}
    assert all(f"{field}=" in _TAKES[name] for name, fields in _FIELDS.items() for field in fields)


async def test_unknown_names_are_told_with_all_that_there_is() -> None:
    one, port = control()
    error = (await answer(one, do="nix"))["error"]
    assert error.startswith("'do' does not know 'nix' (known: ")
    assert all(f" {name}" in error for name in ("power", "cable", "meter", "time_server", "stop", "disturb_han"))
    assert (await answer(one, do="powr"))["error"] == "'do' does not know 'powr' (did you mean 'power'?)"
    assert (await answer(one, read="led"))["error"] == "'read' does not know 'led' (did you mean 'leds'?)"
    assert "does not know []" in (await answer(one, do=[]))["error"]
    assert (await answer(one, do="restart"))["ok"]
    assert port.asked == ["commands", {"do": "restart"}], "what is known is asked for once"


def test_the_usage_shows_one_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["gateway-control", "--help"])
    usage = " ".join(capsys.readouterr().out.split())
    assert "gateway-control [-h] DIR COMMAND [FIELD=VALUE ...] " in usage
    assert "[COMMAND ...]" not in usage
    assert re.search(r"exit codes: 0 .*; 1 .*; 2 .*; 3 ", usage)


def test_all_words_behind_the_folder_are_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(client, "control", lambda data, words: asked.append((data, words)) or 0)
    assert main(["gateway-control", "here", "do", "fill_log", "book=system"]) == 0
    assert asked == [(Path("here"), ["do", "fill_log", "book=system"])]
