"""The bench file: what stands on this bench, how it is wired, and whose time runs."""

from __future__ import annotations

import difflib
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from bench.products import ALL
from bench.quantity import Duration
from bench.scenario.mistakes import translate
from bench.scenario.source import Source, read
from bench.written import Written
from devices.errors import Place, UsageError, UsageErrors

if TYPE_CHECKING:
    from devices.power.energy_meter import Quantity
    from devices.rs485.adapter import AdapterSettings

BUILT_IN = Path(__file__).parent / "benches"
"""Folder of the benches that are named without a path."""

PlainFloat = Annotated[float, BeforeValidator(lambda value: float(value) if isinstance(value, Decimal) else value)]

AssumedValue = Annotated[
    Any,
    BeforeValidator(lambda value: float(value) if isinstance(value, Decimal) else value),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": ["number", "boolean", "string"]},
                {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True},
            ]
        }
    ),
]
"""Another value for a named default: a number, true or false, a word, or a list of words, as the default wants it."""


def _known(value: dict[str, Any]) -> dict[str, Any]:
    from devices.meters.defaults import LmnDefaults

    try:
        LmnDefaults().overridden(value)
    except UsageError as error:
        raise ValueError(f"{error.message} ({error.hint})" if error.hint else error.message) from None
    return value


AssumedOfMeters = Annotated[dict[str, AssumedValue], AfterValidator(_known)]
"""Other values for what the documents leave open about wired meters, by the name of the default."""


class GatewayOnBench(Written):
    """The device under test.

    Attributes:
        emulated: True plugs an emulated gateway of the wanted type onto the cables.
        type: product of a real gateway.
        serial: its number, for the report.
        options: other values for facts that the documents leave open (emulated only).

    A bench that tests meters only has none: then nothing of this is said.
    """

    emulated: bool = False
    type: Literal["ppc", "conexa", "casa"] | None = None
    serial: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)

    @property
    def absent(self) -> bool:
        """Whether no gateway is on the bench."""
        return not self.emulated and self.type is None

    @model_validator(mode="after")
    def _fits(self) -> GatewayOnBench:
        if not self.emulated and self.type is None:
            raise ValueError(f"say 'emulated: true', or the 'type' of the real gateway ({', '.join(ALL)})")
        return self


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


_OF_A_GATEWAY: Final = (
    "mains",
    "leds",
    "wired_lmn",
    "wireless_lmn",
    "time_server",
    "patch_field",
    "reference_meter",
    "maintenance",
)
"""Parts of a bench file that make no sense without a gateway."""


class BenchFile(Written):
    """A bench.

    Attributes:
        name: for the report.
        title: what it is, in one line.
        time: whose time runs; virtual only when nothing on the bench is real.
        gateway: the device under test; may be left away where a meter at the service adapter is all that is tested.
        mains: relay in its mains.
        leds: how its LEDs are seen.
        wired_lmn: adapter on its metrological bus.
        wireless_lmn: stick, or emulated air, from which its antenna hears radio meters.
        time_server: NTP server of the bench.
        patch_field: ``emulated`` when the Ethernet sockets end in an emulated patch field.
        reference_meter: reference instrument.
        maintenance: ``memory`` or ``pty``: cable to the maintenance port of an emulated gateway.
        service_adapter: adapter on the bus of a meter that is itself the device under test.
    """

    name: str = Field(min_length=1, max_length=60)
    title: str = ""
    time: Literal["virtual", "real"] = "real"
    gateway: GatewayOnBench = Field(default_factory=GatewayOnBench.model_construct)
    mains: Relay | None = None
    leds: Leds | None = None
    wired_lmn: WiredLmn | None = None
    wireless_lmn: WirelessLmn | None = None
    time_server: TimeServerAt | None = None
    patch_field: Literal["emulated"] | None = None
    reference_meter: ReferenceMeter | None = None
    maintenance: Literal["memory", "pty"] | None = None
    service_adapter: ServiceAdapter | None = None

    @model_validator(mode="after")
    def _has_a_device(self) -> BenchFile:
        if not self.gateway.absent:
            return self
        if self.service_adapter is None:
            raise ValueError(
                "nothing is tested on this bench: write 'gateway: {emulated: true}' or the 'type' of a real one, or "
                "'service_adapter' for a meter alone"
            )
        for name in _OF_A_GATEWAY:
            if getattr(self, name) is not None:
                raise ValueError(f"{name!r} belongs to a gateway, and 'gateway' is missing")
        return self

    @model_validator(mode="after")
    def _fits(self) -> BenchFile:
        real = self.real_parts()
        if self.time == "virtual" and real:
            raise ValueError(f"time cannot be virtual: {', '.join(real)} is real")
        if self.maintenance and not self.gateway.emulated:
            raise ValueError("only an emulated gateway has a maintenance port")
        if self.wireless_lmn and self.wireless_lmn.port in ("air", "memory", "pty") and not self.gateway.emulated:
            raise ValueError("a real gateway hears radio meters from a stick: name its device under 'wireless_lmn'")
        if self.wired_lmn and self.wired_lmn.port not in ("memory", "pty") and self.gateway.emulated:
            raise ValueError(
                f"an emulated gateway is not at {self.wired_lmn.port}, it would hear no meter there: write "
                "'wired_lmn: {port: memory}' or 'pty'"
            )
        if self.leds and self.leds.emulated and not self.gateway.emulated:
            raise ValueError("the LEDs of a real gateway are seen through 'gpio' or in a recording")
        return self

    def real_parts(self) -> list[str]:
        """What on this bench is real hardware."""
        real = [] if self.gateway.emulated or self.gateway.absent else ["the gateway"]
        for name, device in (("the relay", self.mains), ("the reference meter", self.reference_meter)):
            if device is not None and not device.emulated:
                real.append(name)
        if self.leds is not None and self.leds.gpio is not None:
            real.append("the LED sensing")
        if self.wired_lmn is not None and self.wired_lmn.port not in ("memory", "pty"):
            real.append("the RS-485 adapter")
        if self.wireless_lmn is not None and self.wireless_lmn.port not in ("air", "memory", "pty"):
            real.append("the radio stick")
        if self.service_adapter is not None and not self.service_adapter_emulated:
            real.append("the service adapter")
        return real

    @property
    def service_adapter_emulated(self) -> bool:
        """Whether emulated meters sit at the service adapter's cable."""
        return self.service_adapter is None or self.service_adapter.port in ("memory", "pty")

    def assumed_of_meters(self) -> dict[str, Any]:
        """Other values for what the documents leave open about wired meters, wherever this file gives them."""
        given: dict[str, Any] = {}
        for adapter in (self.wired_lmn, self.service_adapter):
            given |= {} if adapter is None else adapter.assumed
        return given

    def capabilities(self) -> frozenset[str]:
        """What scenarios can ask of this bench (`bench.scenario.models.CAPABILITIES`)."""
        have = {
            "power": self.mains,
            "leds": self.leds,
            "wired_lmn": self.wired_lmn,
            "wireless_lmn": self.wireless_lmn,
            "time_server": self.time_server,
            "patch_field": self.patch_field,
            "reference_meter": self.reference_meter,
            "emulated": self.maintenance,
            "records": self.maintenance,
            "back_office": self.maintenance,
            "service_adapter": self.service_adapter,
            "emulated_meter": self.service_adapter if self.service_adapter_emulated else None,
        }
        return frozenset(name for name, part in have.items() if part is not None)


def load_bench(name: str) -> tuple[BenchFile, Source]:
    """The bench called `name`, or the one in the file `name`."""
    path = Path(name)
    if not path.suffix and not path.exists():
        path = BUILT_IN / f"{name}.yaml"
        if not path.exists():
            known = sorted(p.stem for p in BUILT_IN.glob("*.yaml"))
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"built in are {', '.join(known)}; or name a file"
            raise UsageError(f"there is no bench {name!r}", hint=hint)
    elif not path.exists():
        raise UsageError("no such bench file", place=Place(path))
    source = read(path)
    if not isinstance(source.data, dict):
        raise UsageError("the bench file holds no mapping", place=Place(path, 1), hint="it begins with 'name: ...'")
    try:
        bench = BenchFile.model_validate(source.data)
    except ValidationError as error:
        raise UsageErrors(list(translate(error, source, BenchFile))) from None
    if bench.leds is not None and bench.leds.recorded is not None and not Path(bench.leds.recorded).is_file():
        raise UsageError(f"there is no file {bench.leds.recorded!r}", place=source.place(("leds", "recorded")))
    check_options(bench.gateway.options, source, ("gateway", "options"))
    return bench, source


def check_options(options: dict[str, Any], source: Source, path: tuple[str, ...]) -> None:
    """UsageError with the place of the first option that an emulated gateway does not take."""
    if not options:
        return
    from bench.emulation import wrong_option

    for name, value in options.items():
        found = wrong_option(name, value)
        if found is not None:
            raise UsageError(found.message, place=source.place((*path, name)), hint=found.hint)
