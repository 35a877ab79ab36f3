"""Serial lines: pyserial opens and configures, the event loop reads and writes the descriptor."""

from __future__ import annotations

import contextlib
import difflib
import errno
import fcntl
import termios
from pathlib import Path

import serial
from serial.tools import list_ports

from devices.errors import BenchError
from devices.ports.base import LineSettings
from devices.ports.descriptor import DescriptorPort

_BY_ID = Path("/dev/serial/by-id")


class SerialPort(DescriptorPort):
    """A serial line of the operating system; opened by :func:`open_serial`.

    Attributes:
        line: how octets stand on the line.
    """

    def __init__(self, device: serial.Serial, name: str, line: LineSettings) -> None:
        self.line = line
        self._device = device
        super().__init__(device.fileno(), name)

    def _close_descriptor(self) -> None:
        with contextlib.suppress(OSError, serial.SerialException):
            fcntl.ioctl(self._device, termios.TIOCNXCL)
        with contextlib.suppress(OSError, serial.SerialException):
            self._device.close()


def open_serial(
    path: str | Path, line: LineSettings | None = None, exclusive: bool = True, *, name: str | None = None
) -> SerialPort:
    """Open the serial line at `path` inside the running loop.

    Args:
        path: a device; prefer the stable names of /dev/serial/by-id, see :func:`serial_paths`.
        line: how octets stand on the line; default 921 600 Bd 8N1, the speed of the meter bus (lmn-wired 1).
        exclusive: refuse a line that another program holds, and keep others away.
        name: for messages and evidence; default: the path, or "pty" for a pseudo-terminal.

    Raises:
        BenchError: there is no such port (with the ports that there are), it is in use, or not permitted.
    """
    line = line or LineSettings()
    return SerialPort(open_device(path, line, exclusive), name or port_name(path), line)


def open_device(path: str | Path, line: LineSettings, exclusive: bool = True) -> serial.Serial:
    """The open and configured device at `path`, for a port to take over; see `open_serial`.

    An exclusive one is locked twice: by flock, which programs have to ask for, and by TIOCEXCL, which lets no other
    open it at all (but root): a modem manager that tries out new ports would talk on the meters' bus.
    """
    pseudo = is_pseudo_terminal(path)
    try:
        device = serial.Serial(
            str(path),
            baudrate=line.baudrate,
            bytesize=serial.EIGHTBITS if pseudo else line.data_bits,
            # A pseudo-terminal driver forces 8N1 and rejects later settings once parity was asked for.
            parity=serial.PARITY_NONE if pseudo else line.parity,
            stopbits=line.stop_bits,
            timeout=0,
            exclusive=exclusive,
        )
    except (OSError, ValueError) as error:  # SerialException is an OSError
        raise _cannot_open(path, error) from error
    if exclusive:
        with contextlib.suppress(OSError):
            fcntl.ioctl(device, termios.TIOCEXCL)
    return device


def port_name(path: str | Path) -> str:
    """How a port is called in messages and evidence: its path, or "pty" for a pseudo-terminal."""
    return "pty" if is_pseudo_terminal(path) else str(path)


def is_pseudo_terminal(path: str | Path) -> bool:
    """Whether `path` leads to a pseudo-terminal instead of a line with wires."""
    return Path(path).resolve().is_relative_to("/dev/pts")


def serial_paths() -> dict[str, str]:
    """The serial lines of this computer: path -> what is known of the adapter.

    Stable names (/dev/serial/by-id) come first and stand for the plain ones, which may change at the next boot.
    """
    stable = {str(entry.resolve()): str(entry) for entry in sorted(_BY_ID.iterdir())} if _BY_ID.is_dir() else {}
    found = {}
    for port in sorted(list_ports.comports(), key=lambda port: (port.device not in stable, port.device)):
        known = [text for text in (port.description, port.serial_number) if text and text != "n/a"]
        found[stable.get(port.device, port.device)] = ", ".join(known)
    return found


def _cannot_open(path: str | Path, error: Exception) -> BenchError:
    code = getattr(error, "errno", None)
    if code == errno.ENOENT or not Path(path).exists():
        return BenchError(f"serial port {path} does not exist; {_suggestion(str(path))}")
    if code in (errno.EAGAIN, errno.EWOULDBLOCK, errno.EBUSY) or "exclusively lock" in str(error):
        return BenchError(f"serial port {path} is in use by another program; end it or name another port")
    if code in (errno.EACCES, errno.EPERM):
        return BenchError(f"serial port {path}: permission denied; add the user to its group (often dialout)")
    if code in (errno.ENOTTY, errno.EISDIR) or not Path(path).is_char_device():
        return BenchError(f"{path} is no serial port")
    return BenchError(f"serial port {path} cannot be opened: {error}")


def _suggestion(path: str) -> str:
    paths = serial_paths()
    if not paths:
        return "this computer has no serial port"
    listed = "; ".join(f"{found} ({text})" if text else found for found, text in paths.items())
    by_name = {Path(found).name: found for found in paths}
    close = difflib.get_close_matches(Path(path).name, by_name, n=1)
    hint = f"did you mean {by_name[close[0]]}? " if close else ""
    return f"{hint}Ports here: {listed}"
