"""An adapter that hears itself tells when it heard something else: in the timeline of a case, as trouble of a tool."""

from __future__ import annotations

from bench.timeline import Timeline
from bench.tools.connection import Way, at_meter
from bench.tools.screen import Screen
from bench.wires import note_spoilt_echoes
from devices.clock import Clock
from devices.errors import BenchError
from devices.ports.memory import memory_pair
from devices.ports.pty import pty_pair
from devices.rs485.adapter import AdapterSettings, open_adapter


async def test_the_timeline_tells_of_a_spoilt_echo(clock: Clock) -> None:
    far, path = pty_pair(clock)
    port = open_adapter(clock, AdapterSettings(path, echo=True), name="LMN")
    timeline = Timeline(clock)
    note_spoilt_echoes(port, timeline)
    far.set_receiver(lambda data: far.write(b"\xff" + data[1:]))
    port.write(b"0123456789")
    await clock.sleep(0.2)
    (event,) = timeline.select("note", "spoilt_echo")
    assert event.data == {"text": "LMN heard other octets than it sent: somebody else spoke at the same time"}
    port.close()
    far.close()


async def test_a_cable_without_echo_has_none_to_tell_of(clock: Clock) -> None:
    timeline = Timeline(clock)
    note_spoilt_echoes(memory_pair(clock)[0], timeline)
    assert not list(timeline.select("note"))


async def test_a_tool_that_finds_no_meter_says_that_its_echo_was_spoilt(clock: Clock) -> None:
    far, path = pty_pair(clock)
    far.set_receiver(lambda data: None)
    reason = ""
    try:
        async with at_meter(clock, Way(AdapterSettings(path, echo=True)), Screen("en", quiet=True)):
            pass
    except BenchError as error:
        reason = str(error)
    assert "did not hear" in reason
    assert "does it hear itself" in reason
    far.close()
