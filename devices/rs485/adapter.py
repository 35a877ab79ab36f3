"""Real RS-485 adapters: which way the wires are driven, and what an adapter hears of itself.

Three ways of turning the driver on and off are in use:

* ``auto``: the adapter does it alone, as USB adapters with a transmit-enable pin of their own chip do. Nothing is asked
  of the operating system's driver: some USB drivers answer TIOCGRS485 and work wrongly from then on.
* ``kernel``: the driver of the serial port does it (TIOCSRS485), as with the ports built into small computers.
* ``rts``: this port does it with the RTS line, for converters whose driver hangs on RTS.

At 921 600 Bd an octet takes 10.85 us; a driver that is released late by more than the turn-around of the meter (some
milliseconds) spoils the answer. Where the adapter or the kernel can do it, that is the better choice.
"""

from __future__ import annotations

import array
import errno
import fcntl
import termios
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import serial
import serial.rs485

from devices.clock import Clock
from devices.errors import BenchError
from devices.ports.base import LineSettings, PortLost
from devices.ports.serial import SerialPort, open_device, port_name, serial_paths
from devices.ports.wire import QUEUE_LIMIT, PortCongested

Turning = Literal["auto", "kernel", "rts"]

BAUDRATE: Final = 921_600
"""Of the wired LMN (lmn-wired 1.1)."""
ECHO_PATIENCE_S: Final = 0.05
"""How long after its time on the wire an echo may come (assumed: three times the 16 ms of a USB adapter)."""
LOW_LATENCY_MS: Final = 1
_DRAIN_LOOKS: Final = 200
_SYSFS: Final = Path("/sys/bus/usb-serial/devices")


@dataclass(frozen=True, slots=True)
class AdapterSettings:
    """An adapter and how it is driven.

    Attributes:
        port: device; prefer the stable names of /dev/serial/by-id.
        baudrate: bits per second, 8N1.
        direction: who turns the driver on, see the module.
        rts_active: level of RTS while sending (``kernel``, ``rts``).
        before_send_s: from turning the driver on to the first bit (``kernel`` rounds to milliseconds).
        after_send_s: from the last bit to turning it off.
        echo: the adapter hears what it sends; exactly that is dropped.
    """

    port: str
    baudrate: int = BAUDRATE
    direction: Turning = "auto"
    rts_active: bool = True
    before_send_s: float = 0.0
    after_send_s: float = 0.0
    echo: bool = False


class EchoFilter:
    """Drops what was sent from what is heard, and nothing else.

    Octets are held back while they may be an echo. As soon as one differs, or the echo is overdue, all that was held
    is given on: a spoilt echo is a collision that must be seen, and an adapter without echo must lose nothing.

    Attributes:
        spoilt: echoes that came otherwise than they were sent, or not at all.
    """

    def __init__(self) -> None:
        self.spoilt = 0
        self._awaited: deque[bytes] = deque()
        self._matched = 0

    @property
    def waiting(self) -> int:
        """Octets of which the echo has not been heard yet."""
        return sum(map(len, self._awaited)) - self._matched

    def sent(self, data: bytes) -> None:
        """`data` goes out and will be heard."""
        if data:
            self._awaited.append(data)

    def heard(self, data: bytes) -> bytes:
        """What of `data`, and of what was held back, somebody else has sent."""
        position = 0
        while position < len(data) and self._awaited:
            due = self._awaited[0]
            part = data[position : position + len(due) - self._matched]
            if due[self._matched : self._matched + len(part)] != part:
                return self.give_up() + data[position:]
            position += len(part)
            self._matched += len(part)
            if self._matched == len(due):
                self._awaited.popleft()
                self._matched = 0
        return data[position:]

    def give_up(self) -> bytes:
        """The echo does not come any more; what was held back."""
        if not self._awaited:
            return b""
        self.spoilt += 1
        held = self._awaited[0][: self._matched]
        self._awaited.clear()
        self._matched = 0
        return held


class AdapterPort(SerialPort):
    """A byte port on a real adapter; opened by :func:`open_adapter`.

    Attributes:
        settings: as it was opened.
        on_spoilt_echo: told in words of each echo that came otherwise than it was sent, or not at all; None: nobody
            listens.
        whole: a frame has to come in one piece, so that it goes out without gaps and with the driver on throughout.
    """

    whole: Final = True

    def __init__(
        self,
        clock: Clock,
        device: serial.Serial,
        name: str,
        settings: AdapterSettings,
        drive: Callable[[bool], None] | None = None,
    ) -> None:
        """Take over an open device.

        Args:
            clock: paces the direction and the patience for echoes.
            device: open and set up.
            name: for messages and evidence.
            settings: see AdapterSettings.
            drive: switches the driver on and off; None: nobody needs to.
        """
        super().__init__(device, name, LineSettings(settings.baudrate))
        self.settings = settings
        self.on_spoilt_echo: Callable[[str], None] | None = None
        self._clock = clock
        self._echo = EchoFilter() if settings.echo else None
        self._echo_due = 0.0
        self._drive = drive
        self._driving = False
        self._outgoing = bytearray()
        self._looks = 0

    @property
    def spoilt_echoes(self) -> int:
        """Echoes that came otherwise than they were sent, or not at all."""
        return 0 if self._echo is None else self._echo.spoilt

    def write(self, data: bytes) -> None:
        """Send `data`; with ``rts`` the driver is turned on first. Raises PortLost, PortCongested."""
        if self._drive is None or self._gone is not None or not data:
            self._put_out(data)
            return
        if len(self._outgoing) + len(data) > QUEUE_LIMIT:
            raise PortCongested(f"{self.name}: {len(self._outgoing)} octets wait already, the limit is {QUEUE_LIMIT}")
        self._outgoing += data
        if not self._driving:
            self._driving = True
            self._switch(True)
            if self.settings.before_send_s > 0:
                self._clock.call_later(self.settings.before_send_s, self._flow)
            else:
                self._flow()

    def close(self) -> None:
        """Let go of wires and device."""
        if self._driving and self._gone is None:
            self._switch(False)
        self._driving = False
        super().close()

    def _put_out(self, data: bytes) -> None:
        super().write(data)
        if self._echo is not None and data:
            self._echo.sent(bytes(data))
            due = max(self._clock.seconds(), self._echo_due - ECHO_PATIENCE_S) + self.line.seconds(len(data))
            self._echo_due = due + ECHO_PATIENCE_S
            self._clock.call_at(self._echo_due, self._echo_late)

    # --- direction

    def _switch(self, on: bool) -> None:
        assert self._drive is not None
        try:
            self._drive(on)
        except OSError as error:
            reason = f"the adapter does not take the direction any more ({error.strerror or error})"
            self._loop.call_soon(self._lose, reason)

    def _flow(self) -> None:
        """Write what waits, and look again when it should be out."""
        if self._gone is not None:
            return
        data = bytes(self._outgoing)
        self._outgoing.clear()
        self._looks = 0
        try:
            self._put_out(data)
        except PortLost:
            return
        self._clock.call_later(self.line.seconds(len(data)), self._drained)

    def _drained(self) -> None:
        if self._gone is not None:
            return
        if self._outgoing and not self._unsent:
            self._flow()
            return
        left = len(self._unsent) + _queued(self._descriptor)
        self._looks += 1
        if left and self._looks < _DRAIN_LOOKS:
            self._clock.call_later(self.line.seconds(left), self._drained)
        elif self.settings.after_send_s > 0:
            self._clock.call_later(self.settings.after_send_s, self._release_wires)
        else:
            self._release_wires()

    def _release_wires(self) -> None:
        if self._gone is not None:
            return
        if self._outgoing:
            self._flow()
            return
        self._driving = False
        self._switch(False)

    # --- echo

    def _received(self, data: bytes) -> None:
        if self._echo is not None:
            spoilt = self._echo.spoilt
            data = self._echo.heard(data)
            if self._echo.spoilt != spoilt:
                self._tell(f"{self.name} heard other octets than it sent: somebody else spoke at the same time")
        if data:
            super()._received(data)

    def _echo_late(self) -> None:
        if self._echo is None or self._gone is not None or self._clock.seconds() < self._echo_due - 1e-9:
            return
        waiting = self._echo.waiting
        held = self._echo.give_up()
        if waiting:
            self._tell(f"{self.name} did not hear {waiting} octets of what it sent; does it hear itself ('echo')?")
        if held:
            super()._received(held)

    def _tell(self, spoilt: str) -> None:
        if self.on_spoilt_echo is not None:
            self.on_spoilt_echo(spoilt)


def open_adapter(clock: Clock, settings: AdapterSettings, *, name: str | None = None) -> AdapterPort:
    """Open an adapter for this program alone, inside the running loop.

    Args:
        clock: of the running loop.
        settings: see AdapterSettings.
        name: for messages and evidence; default: the path, or "pty" for a pseudo-terminal.

    Raises:
        BenchError: there is no such port, it is in use or not permitted, or its driver cannot turn the direction
            in the way that is asked for.
    """
    device = open_device(settings.port, LineSettings(settings.baudrate))
    name = name or port_name(settings.port)
    drive: Callable[[bool], None] | None = None
    try:
        if settings.direction == "kernel":
            device.rs485_mode = serial.rs485.RS485Settings(
                rts_level_for_tx=settings.rts_active,
                rts_level_for_rx=not settings.rts_active,
                loopback=settings.echo,
                delay_before_tx=settings.before_send_s,
                delay_before_rx=settings.after_send_s,
            )
        elif settings.direction == "rts":
            drive = _rts(device, settings.rts_active)
            drive(False)
    except (OSError, ValueError) as error:
        device.close()
        raise _no_direction(settings, error) from error
    return AdapterPort(clock, device, name, settings, drive)


def adapter_notes(port: str, *, sysfs: Path = _SYSFS) -> list[str]:
    """What a person should know of the adapter at `port`, in sentences; nothing is changed.

    Args:
        port: as it was named.
        sysfs: where the kernel keeps its USB serial ports.
    """
    notes = []
    path = Path(port)
    stable = next((known for known in serial_paths() if Path(known).resolve() == path.resolve()), None)
    if path.parent == Path("/dev") and stable is not None and stable != port:
        notes.append(f"{port} may have another name after the next boot; {stable} stays")
    timer = sysfs / path.resolve().name / "latency_timer"
    try:
        latency = int(timer.read_text("ascii"))
    except (OSError, ValueError):
        return notes
    if latency > LOW_LATENCY_MS:
        notes.append(
            f"the adapter holds octets back for up to {latency} ms (FTDI latency timer); "
            f"'echo {LOW_LATENCY_MS} | sudo tee {timer}' makes every exchange faster"
        )
    return notes


def _rts(device: serial.Serial, active: bool) -> Callable[[bool], None]:
    def drive(on: bool) -> None:
        device.rts = active if on else not active

    return drive


def _queued(descriptor: int) -> int:
    """Octets that the driver has not sent yet; 0 when it does not say."""
    left = array.array("i", [0])
    try:
        fcntl.ioctl(descriptor, termios.TIOCOUTQ, left)
    except OSError:
        return 0
    return left[0]


def _no_direction(settings: AdapterSettings, error: Exception) -> BenchError:
    how = {"kernel": "no RS-485 mode (TIOCSRS485)", "rts": "no RTS line"}[settings.direction]
    cause = error if isinstance(error, OSError) else error.__context__
    if isinstance(cause, OSError) and cause.errno in (errno.ENOTTY, errno.EINVAL, errno.EOPNOTSUPP):
        return BenchError(
            f"serial port {settings.port}: its driver has {how}, so 'direction: {settings.direction}' is not possible; "
            "most USB adapters turn the direction alone: 'direction: auto'"
        )
    return BenchError(f"serial port {settings.port}: 'direction: {settings.direction}' was refused: {error}")
