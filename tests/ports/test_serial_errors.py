"""A bench file that names a wrong port gets one message that says which ports there are."""

from __future__ import annotations

from pathlib import Path

import pytest
from serial.tools import list_ports
from serial.tools.list_ports_linux import SysFS

from devices.clock import Clock
from devices.errors import BenchError
from devices.ports import serial as serial_lines
from devices.ports.serial import is_pseudo_terminal, open_serial, serial_paths


def adapter(device: str, description: str, number: str) -> SysFS:
    port = SysFS(device)
    port.description = description
    port.serial_number = number
    return port


@pytest.fixture
def two_adapters(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A computer with two adapters, of which one has a stable name."""
    by_id = tmp_path / "by-id"
    by_id.mkdir()
    target = tmp_path / "ttyUSB0"
    target.touch()
    (by_id / "usb-FTDI_USB-RS485_FT1ABC-if00-port0").symlink_to(target)
    ports = [adapter("/dev/ttyS0", "n/a", ""), adapter(str(target), "USB-RS485", "FT1ABC")]
    monkeypatch.setattr(list_ports, "comports", lambda: ports)
    monkeypatch.setattr(serial_lines, "_BY_ID", by_id)
    return by_id


def test_stable_names_stand_for_plain_ones_and_come_first(two_adapters: Path) -> None:
    stable = str(two_adapters / "usb-FTDI_USB-RS485_FT1ABC-if00-port0")
    assert list(serial_paths()) == [stable, "/dev/ttyS0"]
    assert serial_paths()[stable] == "USB-RS485, FT1ABC"


async def test_a_missing_port_names_those_that_exist_and_the_nearest(clock: Clock, two_adapters: Path) -> None:
    with pytest.raises(BenchError) as caught:
        open_serial("/dev/serial/by-id/usb-FTDI_USB-RS485_FT1ABD-if00-port0")
    message = str(caught.value)
    assert message.startswith("serial port /dev/serial/by-id/usb-FTDI_USB-RS485_FT1ABD-if00-port0 does not exist")
    assert f"did you mean {two_adapters}/usb-FTDI_USB-RS485_FT1ABC-if00-port0?" in message
    assert "/dev/ttyS0" in message


async def test_a_computer_without_serial_ports_says_so(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_ports, "comports", list)
    monkeypatch.setattr(serial_lines, "_BY_ID", Path("/nowhere"))
    with pytest.raises(BenchError, match="ttyUSB7 does not exist; this computer has no serial port"):
        open_serial("/dev/ttyUSB7")


async def test_a_file_is_no_serial_port(clock: Clock, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("no wires")
    for path in (file, tmp_path):
        with pytest.raises(BenchError, match="is no serial port"):
            open_serial(path)


def test_pseudo_terminals_are_told_apart_from_lines_with_wires() -> None:
    assert is_pseudo_terminal("/dev/pts/3")
    assert not is_pseudo_terminal("/dev/ttyUSB0")
