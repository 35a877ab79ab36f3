"""Real adapters: direction, echo, loss, and what the driver of the operating system says (feasibility 3)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import serial.serialposix
import serial.tools.list_ports_linux
from hypothesis import given
from hypothesis import strategies as st
from serial.tools import list_ports

from devices.clock import Clock
from devices.errors import BenchError
from devices.ports import serial as serial_lines
from devices.ports.base import LineSettings, PortLost
from devices.ports.pty import pty_pair
from devices.ports.serial import open_device
from devices.rs485.adapter import (
    ECHO_PATIENCE_S,
    AdapterPort,
    AdapterSettings,
    EchoFilter,
    adapter_notes,
    open_adapter,
)
from devices.rs485.bus import Rs485Bus

OCTET_S = 10 / 921_600
INVITE = bytes.fromhex("7ea009fe03020313842a7e")


def test_an_echo_is_dropped_and_the_answer_behind_it_is_not() -> None:
    echo = EchoFilter()
    echo.sent(INVITE)
    assert echo.heard(INVITE[:4]) == b""
    assert echo.heard(INVITE[4:] + b"answer") == b"answer"
    assert echo.heard(b"more") == b"more"
    assert (echo.spoilt, echo.waiting) == (0, 0)


def test_an_adapter_without_echo_loses_nothing_though_answer_and_question_begin_alike() -> None:
    answer = bytes.fromhex("7ea0090203fe0373")
    echo = EchoFilter()
    echo.sent(INVITE)
    assert b"".join(map(echo.heard, (answer[:1], answer[1:2], answer[2:3], answer[3:]))) == answer
    assert echo.spoilt == 1


def test_a_spoilt_echo_is_a_collision_and_is_heard_whole() -> None:
    echo = EchoFilter()
    echo.sent(INVITE)
    spoilt = INVITE[:6] + b"\x55" + INVITE[7:]
    assert echo.heard(spoilt) == spoilt
    assert echo.spoilt == 1


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=9), st.binary(max_size=9)), max_size=5), st.data())
def test_whatever_pieces_it_comes_in_only_what_others_sent_is_left(
    exchanges: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    echo, heard = EchoFilter(), b""
    for sent, answer in exchanges:
        echo.sent(sent)
        wire = sent + answer
        while wire:
            size = data.draw(st.integers(1, len(wire)))
            heard += echo.heard(wire[:size])
            wire = wire[size:]
    assert heard == b"".join(answer for _, answer in exchanges)
    assert echo.spoilt == 0


def settings(path: str, **values: object) -> AdapterSettings:
    return AdapterSettings(path, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("direction", ["kernel", "rts"])
async def test_a_driver_without_direction_control_is_named_with_what_to_do(clock: Clock, direction: str) -> None:
    """RS-485 ioctl and RTS are ENOTTY on a pseudo-terminal (feasibility 3)."""
    far, path = pty_pair(clock)
    with pytest.raises(BenchError, match=rf"{path}: its driver has no .*'direction: auto'"):
        open_adapter(clock, settings(path, direction=direction))
    open_adapter(clock, settings(path)).close()
    far.close()


async def test_the_kernel_is_told_the_mode_with_levels_and_delays(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flags ENABLED 1, RTS_ON_SEND 2, RTS_AFTER_SEND 4, RX_DURING_TX 16 of struct serial_rs485; then delays in ms."""
    told: list[list[int]] = []
    plain = serial.serialposix.fcntl.ioctl

    def ioctl(descriptor: int, request: int, *rest: object) -> object:
        if request == serial.serialposix.TIOCGRS485:
            return 0
        if request == serial.serialposix.TIOCSRS485:
            told.append(list(rest[0]))  # type: ignore[call-overload]
            return 0
        return plain(descriptor, request, *rest)

    monkeypatch.setattr(serial.serialposix.fcntl, "ioctl", ioctl)
    far, path = pty_pair(clock)
    open_adapter(clock, settings(path, direction="kernel", before_send_s=0.002, after_send_s=0.003)).close()
    open_adapter(clock, settings(path, direction="kernel", rts_active=False, echo=True)).close()
    far.close()
    assert [flags[:3] for flags in told] == [[1 | 2, 2, 3], [1 | 4 | 16, 0, 0]]


async def test_auto_asks_nothing_of_the_driver(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some USB drivers answer TIOCGRS485 and work wrongly from then on."""
    asked: list[int] = []
    plain = serial.serialposix.fcntl.ioctl

    def ioctl(descriptor: int, request: int, *rest: object) -> object:
        asked.append(request)
        return plain(descriptor, request, *rest)

    monkeypatch.setattr(serial.serialposix.fcntl, "ioctl", ioctl)
    far, path = pty_pair(clock)
    open_adapter(clock, settings(path)).close()
    far.close()
    assert not {serial.serialposix.TIOCGRS485, serial.serialposix.TIOCSRS485} & set(asked)


class Wires:
    """An adapter on a pseudo-terminal whose driver enable is noted instead of driven."""

    def __init__(self, clock: Clock, **values: object) -> None:
        self.clock = clock
        self.far, path = pty_pair(clock, LineSettings())
        self.events: list[tuple[float, str]] = []
        device = open_device(path, LineSettings())
        self.port = AdapterPort(clock, device, "adapter", settings(path, direction="rts", **values), self.drive)
        self.far.set_receiver(lambda data: self.note(f"heard {data.decode()}"))

    def drive(self, on: bool) -> None:
        self.note("on" if on else "off")

    def note(self, what: str) -> None:
        self.events.append((self.clock.seconds(), what))

    def close(self) -> None:
        self.port.close()
        self.far.close()


async def test_rts_holds_the_driver_from_before_the_first_bit_until_after_the_last(clock: Clock) -> None:
    wires = Wires(clock, before_send_s=0.001, after_send_s=0.0005)
    wires.port.write(b"frame")
    await clock.sleep(0.1)
    (on, _), (heard, what), (off, _) = wires.events
    assert [name for _, name in wires.events] == ["on", "heard frame", "off"]
    assert what == "heard frame"
    assert heard - on == pytest.approx(0.001 + 5 * OCTET_S, abs=1e-6)
    assert off - on == pytest.approx(0.001 + 5 * OCTET_S + 0.0005, abs=1e-6)
    wires.close()


async def test_what_is_written_while_the_driver_is_on_goes_out_without_letting_go(clock: Clock) -> None:
    wires = Wires(clock, before_send_s=0.001, after_send_s=0.0005)
    wires.port.write(b"one")
    wires.port.write(b"two")
    clock.call_later(0.001 + 3 * OCTET_S, wires.port.write, b"three")
    await clock.sleep(0.1)
    names = [name for _, name in wires.events]
    assert (names[0], names[-1]) == ("on", "off")
    assert names.count("on") == names.count("off") == 1
    assert "".join(name.removeprefix("heard ") for name in names[1:-1]) == "onetwothree"
    wires.port.write(b"next")
    await clock.sleep(0.1)
    assert [name for _, name in wires.events[-3:]] == ["on", "heard next", "off"]
    wires.close()


async def test_a_station_on_an_adapter_keeps_the_driver_on_from_end_to_end_of_its_frame(clock: Clock) -> None:
    wires = Wires(clock, after_send_s=0.0001)
    bus = Rs485Bus(clock, wires.port)

    class Meter:
        name = "meter"

        def receive(self, data: bytes) -> None:
            """It only speaks."""

    send = bus.attach(Meter())
    send(b"A" * 300)
    await clock.sleep(0.1)
    assert [name for _, name in wires.events] == ["on", "heard " + "A" * 300, "off"]
    wires.close()


async def test_closing_in_the_midst_of_a_frame_lets_go_of_the_wires(clock: Clock) -> None:
    wires = Wires(clock, before_send_s=0.5)
    wires.port.write(b"never sent")
    wires.close()
    await clock.sleep(1)
    assert [name for _, name in wires.events] == ["on", "off"]
    with pytest.raises(PortLost):
        wires.port.write(b"x")


class Echoing:
    """An adapter that hears itself: the far end sends back everything at once."""

    def __init__(self, clock: Clock) -> None:
        self.far, path = pty_pair(clock)
        self.heard = bytearray()
        self.port = open_adapter(clock, settings(path, echo=True))
        self.port.set_receiver(self.heard.extend)

    def close(self) -> None:
        self.port.close()
        self.far.close()


@pytest.mark.asyncio(loop_factories=["virtual", "real"])
async def test_an_adapter_that_hears_itself_hears_only_others(clock: Clock) -> None:
    adapter = Echoing(clock)
    adapter.far.set_receiver(lambda data: adapter.far.write(data + b"answer"))
    for _ in range(3):
        adapter.port.write(INVITE)
        await clock.sleep(0.1)
    assert adapter.heard == b"answer" * 3
    assert adapter.port.spoilt_echoes == 0
    adapter.close()


async def test_an_echo_that_breaks_off_is_given_up_in_time(clock: Clock) -> None:
    adapter = Echoing(clock)
    adapter.far.set_receiver(lambda data: adapter.far.write(data[:3]))
    adapter.port.write(INVITE)
    await clock.sleep(ECHO_PATIENCE_S / 2)
    assert adapter.heard == b"", "it may still become an echo"
    await clock.sleep(ECHO_PATIENCE_S)
    assert adapter.heard == INVITE[:3]
    assert adapter.port.spoilt_echoes == 1
    adapter.close()


async def test_each_spoilt_echo_is_told_in_words(clock: Clock) -> None:
    """A spoilt echo is a collision that must be seen; one that never comes says that the setting is wrong."""
    adapter = Echoing(clock)
    told: list[str] = []
    adapter.port.on_spoilt_echo = told.append
    spoil: list[Callable[[bytes], bytes]] = [lambda data: data, lambda data: b"\xff" + data[1:], lambda data: b""]
    adapter.far.set_receiver(lambda data: adapter.far.write(spoil.pop(0)(data)))
    for _ in range(3):
        adapter.port.write(INVITE)
        await clock.sleep(0.2)
    assert len(told) == adapter.port.spoilt_echoes == 2
    assert "heard other octets than it sent: somebody else spoke" in told[0]
    assert f"did not hear {len(INVITE)} octets of what it sent" in told[1]
    adapter.close()


@pytest.mark.asyncio(loop_factories=["virtual", "real"])
@pytest.mark.parametrize("values", [{}, {"echo": True}])
async def test_a_pulled_adapter_is_told_once_and_refuses_to_write(clock: Clock, values: dict[str, bool]) -> None:
    far, path = pty_pair(clock)
    port = open_adapter(clock, settings(path, **values))
    lost: list[PortLost] = []
    port.on_lost = lost.append
    port.write(b"last words")
    far.close()
    deadline = clock.deadline(5)
    while not lost:
        assert not deadline.passed
        await clock.sleep(0.01)
    await clock.sleep(0.2)
    assert len(lost) == 1
    with pytest.raises(PortLost):
        port.write(b"x")
    port.close()


async def test_an_adapter_belongs_to_one_program(clock: Clock) -> None:
    far, path = pty_pair(clock)
    port = open_adapter(clock, settings(path))
    with pytest.raises(BenchError, match="in use by another program"):
        open_adapter(clock, settings(path))
    port.close()
    far.close()


def test_notes_name_the_stable_path_and_a_slow_latency_timer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    device = tmp_path / "dev" / "ttyUSB3"
    device.parent.mkdir()
    device.touch()
    by_id = tmp_path / "by-id"
    by_id.mkdir()
    (by_id / "usb-FTDI_USB-RS485").symlink_to(device)
    port = serial.tools.list_ports_linux.SysFS(str(device))
    monkeypatch.setattr(list_ports, "comports", lambda: [port])
    monkeypatch.setattr(serial_lines, "_BY_ID", by_id)
    timer = tmp_path / "sys" / "ttyUSB3" / "latency_timer"
    timer.parent.mkdir(parents=True)
    timer.write_text("16\n")
    stable = str(by_id / "usb-FTDI_USB-RS485")
    (slow,) = adapter_notes(stable, sysfs=tmp_path / "sys")
    assert "up to 16 ms" in slow
    assert str(timer) in slow
    timer.write_text("1\n")
    assert adapter_notes(stable, sysfs=tmp_path / "sys") == []


def test_a_plain_name_is_answered_with_the_one_that_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("devices.rs485.adapter.serial_paths", lambda: {str(tmp_path / "stable"): "an adapter"})
    (tmp_path / "stable").symlink_to("/dev/null")
    (note,) = adapter_notes("/dev/null", sysfs=tmp_path)
    assert str(tmp_path / "stable") in note
