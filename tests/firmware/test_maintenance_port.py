"""The maintenance port: JSON lines, errors that help, with and without mains."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from gateway_rack import PRODUCT, Console, Rack

from devices.clock import Clock
from devices.gateway_types import load
from devices.ports.memory import memory_pair
from firmware.config import GatewayConfig
from firmware.maintenance import Command, MaintenanceServer


@pytest.fixture
async def rack(clock: Clock) -> Rack:
    return Rack(clock, PRODUCT, GatewayConfig(device_id="EXYZ0123456789"))


BAD = [
    (b"{\n", "no JSON"),
    (b"[1, 2]\n", "JSON object"),
    (b"\xff\xfe\n", "no JSON"),
    (b"[" * 100_000 + b"\n", "no JSON"),
    (b'{"id": 1}\n', "exactly one of"),
    (b'{"id": 1, "do": "restart", "read": "info"}\n', "exactly one of"),
    (b'{"id": 1, "do": "flip_bits", "of": "log"}\n', "did you mean 'flip_bit'"),
    (b'{"id": 1, "do": "flip_bit"}\n', "needs the field 'of'"),
    (b'{"id": 1, "do": "flip_bit", "of": "moon"}\n', "one of firmware, kernel"),
    (b'{"id": 1, "do": "flip_bit", "of": 3}\n', "must be str"),
    (b'{"id": 1, "do": "fill_storage", "to": 1.5}\n', "from 0 to 1"),
    (b'{"id": 1, "do": "fill_storage", "to": true}\n', "must be"),
    (b'{"id": 1, "do": "restart", "now": true}\n', "no field 'now'"),
    (b'{"id": 1, "do": "component_fails", "variant": "purple"}\n', "one of all"),
    (b'{"id": 1, "do": "violation"}\n', "has no operating state for"),
    (b'{"id": 1, "do": "add_meter_profile", "meter": "nonsense"}\n', "neither the number"),
    (b'{"id": 1, "do": "set_rtc"}\n', "exactly one of"),
    (b'{"id": 1, "do": "set_rtc", "time": "yesterday"}\n', "no instant"),
    (b'{"id": 1, "do": "clear_cause", "cause": "boredom"}\n', "one of calibration_log_full"),
    (b'{"id": 1, "do": "mend", "fault": "storage_full"}\n', "planted"),
    (b'{"id": 1, "do": "set_rtc", "offset_s": 1e308}\n', "years from 1 to 9999"),
    (b'{"id": 1, "do": "set_rtc", "offset_s": NaN}\n', "years from 1 to 9999"),
    (b'{"id": [1], "read": "info"}\n', "number or a text"),
    (b'{"id": "\\ud800", "do": "fly"}\n', "does not know"),
    (b'{"id": 1, "read": "log", "book": "system", "since": 100000000000000000000}\n', "OverflowError"),
    (b'{"id": 1, "read": "log", "book": "diary"}\n', "one of system"),
    (b'{"id": 1, "read": {}}\n', "does not know"),
]


@pytest.mark.parametrize(("line", "said"), BAD)
async def test_a_bad_request_gets_an_error_that_helps(rack: Rack, line: bytes, said: str) -> None:
    rack.gateway.power_on()
    await rack.ready()
    answer = await rack.console.raw(line)
    assert answer["ok"] is False
    assert "refused" not in answer
    assert said in answer["error"]
    assert (await rack.console.info())["state"] == "run"
    await rack.close()


async def test_an_endless_line_is_refused_and_the_next_one_served(rack: Rack) -> None:
    answer = await rack.console.raw(b"x" * (1 << 18) + b"yz")
    assert "longer than" in answer["error"]
    assert (await rack.console.raw(b'more of it\n{"id":7,"read":"info"}\n'))["id"] == 7
    await rack.close()


async def test_requests_in_pieces_and_several_at_once(clock: Clock, rack: Rack) -> None:
    rack.port[1].write(b'{"id":1,"re')
    await clock.sleep(0.1)
    rack.port[1].write(b'ad":"info"}\n{"id":2,"read":"info"}\n\n{"id":"three","read":"info"}\n')
    await clock.sleep(0.1)
    assert [answer["id"] for answer in rack.console.answers] == [1, 2, "three"]
    await rack.close()


async def test_it_answers_without_mains_too(rack: Rack) -> None:
    info = await rack.console.info()
    assert (info["state"], info["device_id"], info["software"]) == ("off", "EXYZ0123456789", "1.0.0")
    answer = await rack.console.ask(do="fill_storage", to=0.5)
    assert "without power" in answer["error"]
    await rack.close()


async def test_info_tells_the_phase_while_it_boots(clock: Clock, rack: Rack) -> None:
    rack.gateway.power_on()
    await clock.sleep(1)
    info = await rack.console.info()
    assert (info["state"], info["phase"]) == ("boot", "led_test")
    answer = await rack.console.ask(do="selftest", initiator="technician")
    assert "not ready yet" in answer["error"]
    await rack.close()


async def test_a_large_answer_arrives_whole(clock: Clock, rack: Rack) -> None:
    rack.gateway.power_on()
    await rack.ready()
    await rack.console.do("fill_log", book="system", to=0.9)
    entries = (await rack.console.ask(read="log", book="system"))["entries"]
    assert len(entries) == 1800
    assert [entry["number"] for entry in entries] == list(range(1, 1801))
    assert (await rack.console.ask(read="log", book="system", since=1795))["entries"] == entries[1795:]
    await rack.close()


async def test_what_the_gateway_refuses_in_its_state_is_told_apart_from_what_makes_no_sense(clock: Clock) -> None:
    data = load("ppc")
    rack = Rack(clock, data, GatewayConfig(device_id=data.device_id))
    refused: list[tuple[dict[str, Any], str]] = []

    async def ask(said: str, **request: Any) -> None:
        refused.append((await rack.console.ask(**request), said))

    await ask("without power", do="restart")
    await ask("without power", do="fill_storage", to=0.5)
    await ask("only a persistent", do="violation", variant="all")
    rack.gateway.power_on()
    await ask("not ready", do="install_update")
    await rack.ready()
    await ask("not present", do="clear_cause", cause="storage_full")
    await rack.console.do("install_update")
    await clock.sleep(1)
    await ask("being installed", do="install_update")
    await clock.sleep(70)
    await rack.ready()
    await rack.console.do("fill_log", book="calibration", to=1.0)
    await ask("no update", do="install_update")
    await ask("no way out", do="clear_cause", cause="calibration_log_full")
    for answer, said in refused:
        assert (answer["ok"], answer["refused"]) == (False, True)
        assert said in answer["error"]
    await rack.close()


async def test_a_self_test_that_is_not_carried_out_says_so_by_itself(rack: Rack) -> None:
    """wan-core 9, han 3.4: not again for 600 s."""
    rack.gateway.power_on()
    await rack.ready()
    await rack.console.do("selftest")
    answer = await rack.console.do("selftest")
    assert answer["accepted"] is False
    assert "possible at" in answer["reason"]
    await rack.close()


@pytest.mark.parametrize(
    "request_",
    [
        {"read": "log", "book": "system"},
        {"read": "values"},
        {"do": "fill_log", "book": "system", "to": 0.5},
        {"do": "selftest"},
    ],
    ids=lambda request: str(next(iter(request.values()))),
)
@pytest.mark.parametrize("cut_after_s", [0.003, 0.3])
async def test_a_power_cut_during_a_request_leaves_no_request_without_answer(
    clock: Clock, rack: Rack, request_: dict[str, Any], cut_after_s: float
) -> None:
    rack.gateway.power_on()
    await rack.ready()
    await rack.console.do("add_meter_profile", meter="1SAG0021061001")
    rack.console.answers.clear()
    rack.port[1].write(b'{"id":1,"do":"restart"}\n')  # writes that it restarts
    for number, one in ((2, request_), (3, {"read": "info"}), (4, {"read": "log", "book": "system"})):
        rack.port[1].write(json.dumps({"id": number, **one}).encode() + b"\n")
    await clock.sleep(cut_after_s)
    rack.gateway.power_off()
    await clock.sleep(5)
    answers = {answer["id"]: answer for answer in rack.console.answers}
    assert sorted(answers) == [1, 2, 3, 4]
    assert "refused" not in answers[2] or "without power" in answers[2]["error"]
    assert answers[4]["ok"]
    before = rack.memory.dump()
    await clock.sleep(5)
    assert rack.memory.dump() == before  # a device without mains writes nothing
    assert (await rack.console.info())["state"] == "off"
    await rack.close()


async def test_a_failure_of_the_emulation_itself_is_answered_and_the_port_goes_on(clock: Clock) -> None:
    async def broken_off() -> dict[str, Any]:
        inner: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        inner.cancel()
        return await inner

    commands = {
        "do": {
            "divide": Command(lambda: {"result": 1 // 0}, {}),
            "wait": Command(broken_off, {}),
            "draw": Command(lambda: {"picture": object()}, {}),
            "nod": Command(dict, {}),
        }
    }
    near, far = memory_pair(clock, ("gateway", "bench"))
    server, console = MaintenanceServer(clock, near, commands), Console(clock, far)
    for name, said in (("divide", "ZeroDivisionError"), ("wait", "broken off"), ("draw", "TypeError")):
        answer = await console.ask(do=name)
        assert answer["ok"] is False
        assert said in answer["error"]
    assert (await console.ask(do="nod"))["ok"]
    await server.close()
