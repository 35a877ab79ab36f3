"""The maintenance port: JSON lines, errors that help, with and without mains."""

from __future__ import annotations

import pytest
from gateway_rack import PRODUCT, Rack

from devices.clock import Clock
from firmware.config import GatewayConfig


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
    (b'{"id": 1, "do": "clear_cause", "cause": "storage_full"}\n', "not present"),
    (b'{"id": 1, "read": "log", "book": "diary"}\n', "one of system"),
    (b'{"id": 1, "read": {}}\n', "does not know"),
]


@pytest.mark.parametrize(("line", "said"), BAD)
async def test_a_bad_request_gets_an_error_that_helps(rack: Rack, line: bytes, said: str) -> None:
    rack.gateway.power_on()
    await rack.ready()
    answer = await rack.console.raw(line)
    assert answer["ok"] is False
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
