"""What can stand on a bench and how it is wired: the parts of a bench file."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import (
    BeforeValidator,
    Field,
    field_validator,
    model_validator,
)

from bench.assumed_values import AssumedOfMeters
from bench.quantity import Duration
from bench.written import Written
from devices.errors import UsageError

if TYPE_CHECKING:
    from devices.power.energy_meter import Quantity
    from devices.rs485.adapter import AdapterSettings


PlainFloat = Annotated[float, BeforeValidator(lambda value: float(value) if isinstance(value, Decimal) else value)]


class RtuLine(Written):
    """A Modbus RTU line.

    Attributes:
        port: device, best its /dev/serial/by-id name; ``emulated``: a pseudo-terminal with an emulated device.
        baudrate: bits per second.
        parity: N, E or O.
        stop_bits: 1 or 2.
    """

    port: str
    baudrate: int = Field(default=9600, ge=300, le=4_000_000)
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1


class TcpAddress(Written):
    """A Modbus TCP device; ``host: emulated`` starts an emulated one on the loopback."""

    host: str
    port: int = Field(default=502, ge=0, le=65535)


class ModbusDevice(Written):
    """Where a Modbus device is.

    Attributes:
        rtu: on a serial line, or
        tcp: on the network.
        unit: device id, 1 to 247.
        timeout: how long an answer may take.
    """

    rtu: RtuLine | None = None
    tcp: TcpAddress | None = None
    unit: int = Field(default=1, ge=1, le=247)
    timeout: Duration = Field(default="1 s", validate_default=True)

    @model_validator(mode="after")
    def _one(self) -> ModbusDevice:
        if (self.rtu is None) == (self.tcp is None):
            raise ValueError("say either 'rtu' or 'tcp'")
        return self

    @property
    def emulated(self) -> bool:
        """Whether the other end of the wire is emulated."""
        if self.rtu is not None:
            return self.rtu.port == "emulated"
        return self.tcp is not None and self.tcp.host == "emulated"


class Relay(ModbusDevice):
    """The relay in the gateway's mains.

    Attributes:
        coil: number of the coil, from 0.
        contact: how the mains runs through the relay.
        at_close: what the relay does when the bench lets go.
    """

    coil: int = Field(default=0, ge=0, le=65535)
    contact: Literal["normally_open", "normally_closed"] = "normally_open"
    at_close: Literal["leave", "on", "off"] = "leave"


class Register(Written):
    """Where a meter keeps one quantity.

    Attributes:
        address: its number (written ``register``).
        unit: unit of the value.
        type: how it is coded.
        scale: factor from the number in the register to `unit`.
        word_order: which of its words comes first.
        holding: holding register (function 3) instead of input register (function 4).
    """

    address: int = Field(ge=0, le=65535, alias="register")
    unit: str
    type: Literal["float32", "int16", "uint16", "int32", "uint32", "int64", "uint64"] = "float32"
    scale: Decimal = Decimal(1)
    word_order: Literal["big", "little"] = "big"
    holding: bool = False

    def quantity(self) -> Quantity:
        """As the driver wants it."""
        from devices.power.energy_meter import Quantity

        return Quantity(self.address, self.unit, self.type, self.scale, self.word_order, self.holding)


class ReferenceMeter(ModbusDevice):
    """A Modbus energy meter as reference instrument.

    Attributes:
        registers: quantity (voltage, current, power, frequency, energy_import ...) -> register; default: those of
            the single-phase Eastron SDM meters.
    """

    registers: dict[str, Register] = Field(default_factory=dict)

    def quantities(self) -> dict[str, Quantity]:
        """The registers as the driver wants them."""
        return {name: register.quantity() for name, register in self.registers.items()}


class GpioLeds(Written):
    """LEDs sensed through GPIO lines.

    Attributes:
        chip: /dev/gpiochipN.
        lines: LED name -> line offset or line name.
        active_low: a lit LED pulls the line down.
        debounce: edges closer than this are suppressed by the kernel; the analyser debounces by itself.
        bias: pull resistor.
    """

    chip: str
    lines: dict[str, int | str]
    active_low: bool = False
    debounce: Duration = Field(default="0 s", validate_default=True)
    bias: Literal["as_is", "pull_up", "pull_down", "disabled"] = "as_is"

    @field_validator("lines")
    @classmethod
    def _real_lines(cls, value: dict[str, int | str]) -> dict[str, int | str]:
        if not value:
            raise ValueError("no LED is sensed: name the lines, such as {PWR: 17, TLS: 27}")
        first: dict[int | str, str] = {}
        for led, line in value.items():
            if isinstance(line, int) and line < 0:
                raise ValueError(f"{led} cannot be at line {line}: lines count from 0")
            other = first.setdefault(line, led)
            if other != led:
                raise ValueError(f"{led} and {other} are both at line {line}: each LED has its own")
        return value


class Leds(Written):
    """How the LEDs are seen: exactly one of the three."""

    emulated: bool = False
    gpio: GpioLeds | None = None
    recorded: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Leds:
        if sum((self.emulated, self.gpio is not None, self.recorded is not None)) != 1:
            raise ValueError("say exactly one of 'emulated: true', 'gpio', 'recorded'")
        return self


class Rs485Adapter(Written):
    """An adapter on a meter bus and how its driver is turned on (`devices.rs485.adapter.AdapterSettings`).

    Attributes:
        port: device, best its /dev/serial/by-id name.
        baudrate: bits per second.
        direction: ``auto``: the adapter turns its driver on by itself; ``kernel``: its driver does (TIOCSRS485);
            ``rts``: the bench does by RTS.
        rts_level: level of RTS while sending.
        before_send: from driver on to the first bit.
        after_send: from the last bit to driver off.
        echo: the adapter hears itself; exactly what was sent is dropped.
    """

    port: str
    baudrate: int = Field(default=921_600, ge=300, le=4_000_000)
    direction: Literal["auto", "kernel", "rts"] = "auto"
    rts_level: Literal["high", "low"] = "high"
    before_send: Duration = Field(default="0 s", validate_default=True)
    after_send: Duration = Field(default="0 s", validate_default=True)
    echo: bool = False

    def settings(self) -> AdapterSettings:
        """As the driver wants it."""
        from devices.rs485.adapter import AdapterSettings

        return AdapterSettings(
            self.port,
            self.baudrate,
            self.direction,
            self.rts_level == "high",
            self.before_send.total_seconds(),
            self.after_send.total_seconds(),
            self.echo,
        )


class MeterAdapter(Rs485Adapter):
    """An adapter on a bus with meters of which not everything is known.

    Attributes:
        assumed: other values for what the documents leave open about meters, by the name of the default
            (`devices.meters.defaults.LmnDefaults`).
    """

    assumed: AssumedOfMeters = Field(default_factory=dict)


class WiredLmn(MeterAdapter):
    """The adapter on the gateway's LMN-1 socket.

    Attributes:
        port: adapter device; ``memory`` or ``pty``: the cable to an emulated gateway.
    """


class WirelessLmn(Written):
    """How radio meters reach the gateway's antenna.

    Attributes:
        port: ``air``: emulated meters with antennas of their own around an emulated gateway; ``memory`` or ``pty``:
            an emulated stick there sends for them; else a real stick's device, best its /dev/serial/by-id name.
        stick: what sits at `port`; of those that there are, these can send.
        baudrate: bits per second, None: as the stick is delivered.
        assumed: other values for what is assumed about the air, by the name of the default
            (`devices.wmbus.air.AirSettings`).
    """

    port: str
    stick: Literal["im871a", "amb8465", "rc1180"] | None = None
    baudrate: int | None = Field(default=None, ge=300, le=4_000_000)
    assumed: dict[str, PlainFloat] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits(self) -> WirelessLmn:
        if (self.port == "air") != (self.stick is None):
            if self.port == "air":
                raise ValueError("'port: air' has no stick: leave 'stick' away, or say memory, pty or a device")
            raise ValueError("say which 'stick' sits at the port: im871a, amb8465 or rc1180; only 'port: air' has none")
        return self


class MeterOnAdapter(Written):
    """The real meter at a service adapter, which is not the one that scenarios name.

    Attributes:
        id: its number, or server id in hex.
        label_key: public key on its type plate, 128 hex digits.
    """

    id: str | None = None
    label_key: str | None = None

    @field_validator("id")
    @classmethod
    def _number(cls, value: str | None) -> str | None:
        from devices.meters.catalogue import identity_of

        try:
            identity_of(value)
        except UsageError as error:
            raise ValueError(str(error)) from None
        return value

    @field_validator("label_key")
    @classmethod
    def _key(cls, value: str | None) -> str | None:
        from devices.protocols.key_label import parse_key

        if value is not None:
            parse_key(value)
        return value


class ServiceAdapter(MeterAdapter):
    """The adapter that takes the gateway's place on a meter's bus.

    Attributes:
        port: adapter device; ``memory`` or ``pty``: the cable to emulated meters.
        meter: the real meter there.

    What it says under ``assumed`` goes before what ``wired_lmn`` says there.
    """

    meter: MeterOnAdapter | None = None

    @model_validator(mode="after")
    def _real(self) -> ServiceAdapter:
        if self.meter is not None and self.port in ("memory", "pty"):
            raise ValueError("'meter' tells which real meter is there; an emulated one is the one that scenarios name")
        return self


class TimeServerAt(Written):
    """Where the bench's time server listens; the gateway is told by its administrator."""

    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
