"""Meters from plain parameters, as a scenario file names them: kind, id, registers, load."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from devices.clock import Clock
from devices.errors import UsageError
from devices.meters.base_meter import BaseMeter
from devices.meters.base_objects import MORE_REGISTERS, STANDARD_REGISTERS
from devices.meters.load_profile import LoadProfile, constant, day_curve, read_csv, stepped
from devices.meters.register_units import unit_of
from devices.meters.registers import BILLING_SCALER, UNIT_WH, Register, Source, counts
from devices.meters.replay_meter import AtEnd, ReplayMeter
from devices.meters.smarty_bz import LOG_CAPACITY, SmartyBz, UpdateTiming
from devices.meters.smarty_metrology import FACTORY
from devices.meters.status_word import StatusWord
from devices.protocols.smarty_service import CrcOrder
from devices.protocols.sml import SmlError
from devices.protocols.sml.obis import parse_obis
from devices.protocols.sml.objects import DRAWN, FED, POWER
from devices.protocols.sml.server_id import server_id
from devices.protocols.sml.units import UNITS, unit_code
from devices.protocols.update_log import UpdateLogEntry

BASE_METER: Final = "base_meter"
SMARTY: Final = "smarty_bz_plus_v2"
REPLAY: Final = "replay"
KINDS: Final = {
    BASE_METER: "FNN base meter of any maker",
    SMARTY: "Sagemcom SMARTY BZ-PLUS v2: a base meter of maker SAG with update and update log",
    REPLAY: "plays a dump of a real meter",
}
"""Kind of meter to what it is."""

DEFAULT_IDENTITY: Final = {BASE_METER: "1EMH0005975894", SMARTY: "1SAG0021061001"}
"""Device number when none is given: those of public captures (lmn-wired 4.5)."""

BY_LOAD: Final = "load"
"""What stands for the value of a power register: it follows the load."""

Load = str | Sequence[object] | Mapping[str, Sequence[object]] | LoadProfile | None

_QUANTITY = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*([kMm]?)([A-Za-z°µ/³²]+)\s*")
_UNIT_NAMES = frozenset(UNITS.values())
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
_PREFIXES = {"": 0, "k": 3, "M": 6, "m": -3}
_MOVED = {register.obis: register for register in (*STANDARD_REGISTERS, *MORE_REGISTERS)}


@dataclass(frozen=True)
class SmartyOptions:
    """What a SMARTY BZ-PLUS v2 has beside a base meter.

    Attributes:
        log_capacity: entries that fit into its update log.
        history: entries that are in it from the start.
        version, firmware_crc: of the firmware that the factory installed.
        allow_downgrade: lower versions may be loaded too.
        largest_image: octets; None: as the meter comes.
        crc_order: of the inner check of its service protocol.
        timing: how long an update takes.
    """

    log_capacity: int = LOG_CAPACITY
    history: tuple[UpdateLogEntry, ...] = ()
    version: str = str(FACTORY.version)
    firmware_crc: int = FACTORY.crc
    allow_downgrade: bool = False
    largest_image: int | None = None
    crc_order: CrcOrder = CrcOrder.HIGH_FIRST
    timing: UpdateTiming = field(default_factory=UpdateTiming)


def make_meter(
    clock: Clock,
    kind: str,
    *,
    id: str | bytes | None = None,  # noqa: A002 - the word of the scenario files
    registers: Mapping[str, str | None] | None = None,
    load: Load = None,
    dump: Path | str | bytes | None = None,
    at_end: AtEnd = "repeat",
    status: Iterable[str] = (),
    phases: tuple[int, ...] = (1, 2, 3),
    second_index: int = 0,
    backstop: bool = False,
    powered: bool = True,
    folder: Path = Path(),
    smarty: SmartyOptions | None = None,
) -> BaseMeter | ReplayMeter:
    """A meter of `kind`. Raises UsageError that names the parameter and what would be right.

    Args:
        clock: the laboratory's.
        kind: one of KINDS.
        id: device number (``1SAG0021061001``), server id in hex or octets; a replay knows its own from the dump.
        registers: OBIS code to where it begins (``12345.6 kWh``); 1.8.0 and 2.8.0 run by load, power registers
            (16.7.0, 36.7.0, 56.7.0, 76.7.0) follow it and have ``load`` for a value; voltages, currents, frequency
            and angles may. 1.8.1 to 2.8.2 run while their tariff counts, others stand still. 16.7.0 is there in any
            case. None or empty: 1.8.0 and 2.8.0 from zero.
        load: ``500 W`` (negative: feeding in); pairs of time and power; ``{"day": [24 or 96 powers]}``; the name of
            a CSV file; a profile. None: no load.
        dump: file, or octets, that a replay plays.
        at_end: what a replay does when it has played all.
        status: names of status bits that are set by hand (``fatal``, ``magnet``, ``cover_opened`` ...).
        phases: which phases carry voltage.
        second_index: seconds that the meter has already run.
        backstop: registers cannot run backwards.
        powered: whether it has mains from the start.
        folder: where relative file names begin.
        smarty: what a SMARTY has beside; unless told, as it comes.
    """
    if kind not in KINDS:
        close = get_close_matches(kind, KINDS, 1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(KINDS)}"
        raise UsageError(f"there is no kind of meter called {kind!r}", hint=hint)
    octets = identity_of(id)
    if kind == REPLAY:
        return ReplayMeter(clock, octets, _dump(dump, folder), at_end=at_end, powered=powered)
    if dump is not None:
        raise UsageError(f"a {kind} has no dump", hint="only a replay has")
    if octets is None:
        octets = server_id(DEFAULT_IDENTITY[kind])
    if kind == SMARTY and octets[2:5] != b"SAG":
        raise UsageError(f"a {SMARTY} is made by SAG, its id says {octets[2:5]!r}", hint="an id like 1SAG0021061001")
    base: dict[str, Any] = {"phases": phases, "second_index": second_index, "backstop": backstop, "powered": powered}
    parts = make_registers(registers), make_profile(load, clock, folder)
    if kind == SMARTY:
        meter: BaseMeter = _smarty(clock, octets, *parts, smarty or SmartyOptions(), base)
    else:
        meter = BaseMeter(clock, octets, *parts, **base)
    for name in status:
        if status_bit(name) is StatusWord.COVER_OPENED:
            meter.metrology.open_cover()
        else:
            meter.metrology.fault(status_bit(name))
    return meter


def _smarty(
    clock: Clock,
    octets: bytes,
    registers: tuple[Register, ...],
    profile: LoadProfile,
    options: SmartyOptions,
    base: Mapping[str, Any],
) -> SmartyBz:
    try:
        meter = SmartyBz(
            clock,
            octets,
            registers,
            profile,
            log_capacity=options.log_capacity,
            history=options.history,
            version=options.version,
            firmware_crc=options.firmware_crc,
            allow_downgrade=options.allow_downgrade,
            crc_order=options.crc_order,
            timing=options.timing,
            **base,
        )
    except SmlError as problem:
        raise UsageError(
            f"no SMARTY has the id {octets.hex().upper()}: {problem}", hint="an id like 1SAG0021061001"
        ) from problem
    except ValueError as problem:
        raise UsageError(f"no SMARTY is like that: {problem}") from problem
    if options.largest_image is not None:
        cpu = meter.metrology_cpu
        cpu.rules = replace(cpu.rules, largest_image=options.largest_image)
    return meter


def quantity(text: str, unit: str) -> Decimal:
    """The number of `text` in `unit`, given with its unit and perhaps a prefix k, M or m (``12345.6 kWh``)."""
    number, found = _quantity(text)
    if found != unit:
        raise UsageError(f"{text!r} is in {found}", hint=f"a number with k{unit}, {unit} or m{unit}")
    return number


def make_registers(given: Mapping[str, str | None] | None) -> tuple[Register, ...]:
    """Registers from OBIS code and start value, see `make_meter`."""
    if not given:
        return STANDARD_REGISTERS
    registers = [_register(code, value) for code, value in given.items()]
    if all(register.obis != POWER for register in registers):
        registers.append(STANDARD_REGISTERS[-1])
    for index, register in enumerate(registers):
        if any(register.obis == other.obis for other in registers[:index]):
            raise UsageError(f"register {list(given)[index]} is there twice")
    return tuple(registers)


def make_profile(load: Load, clock: Clock, folder: Path = Path()) -> LoadProfile:
    """A load profile from what a scenario says, see `make_meter`."""
    if load is None:
        return constant(0)
    if isinstance(load, str):
        if load.lower().endswith(".csv"):
            return read_csv(folder / load, clock.start)
        return constant(counts(quantity(load, "W"), -3, f"load {load!r}"))
    if isinstance(load, Mapping):
        if set(load) != {"day"}:
            raise UsageError(f"a load of {', '.join(map(repr, load)) or 'nothing'}", hint="day: a list of powers")
        return day_curve([_watts(value) for value in load["day"]], clock.start)
    if isinstance(load, Sequence):
        return stepped([_step(pair) for pair in load])
    return load


def status_bit(name: str) -> StatusWord:
    """A status bit by its name in any case. Raises UsageError with the names that there are."""
    bit = StatusWord.__members__.get(name.strip().upper())
    if bit is None:
        names = ", ".join(member.lower() for member in StatusWord.__members__)
        raise UsageError(f"the status word has no bit {name!r}", hint=f"there are {names}")
    return bit


def _register(code: str, value: str | None) -> Register:
    try:
        obis = parse_obis(code)
    except SmlError as problem:
        raise UsageError(f"{code!r} is no register", hint="an OBIS code such as 1.8.0") from problem
    moved = _MOVED.get(obis)
    if moved is not None and moved.source is Source.POWER:
        if value not in (None, BY_LOAD):
            raise UsageError(f"{code} follows the load and has no value of its own", hint=f"{code}: {BY_LOAD}")
        return moved
    if moved is not None and moved.source is Source.GRID and value == BY_LOAD:
        return moved
    if value is None:
        raise UsageError(f"{code} has no value", hint=f"{code}: 0 kWh")
    number, unit = _quantity(value)
    if obis[2:4] in (DRAWN[2:4], FED[2:4]):
        if unit != "Wh" or number < 0:
            raise UsageError(f"{code} cannot begin at {value!r}", hint="an energy of 0 kWh or more")
        start = counts(number, BILLING_SCALER, code)
        if moved is not None:
            return replace(moved, start=start)
        return Register(obis, UNIT_WH, BILLING_SCALER, start=start, billing=True)
    exponent = number.as_tuple().exponent
    scaler = min(0, exponent) if isinstance(exponent, int) else 0
    right = unit_of(obis)
    try:
        if unit_code(unit) and right not in (None, unit):
            raise UsageError(f"{code} is measured in {right}, not in {unit}", hint=f"{code}: 0 {right}")
        return Register(obis, unit_code(unit), scaler, start=counts(number, scaler, code))
    except SmlError as problem:
        raise UsageError(f"{code}: {unit!r} is no unit", hint="as Wh, W, V, A, Hz") from problem


def _quantity(text: str) -> tuple[Decimal, str]:
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is no quantity", hint="a number with its unit, as 12345.6 kWh or 500 W")
    number, prefix, unit = match.groups()
    if prefix + unit in _UNIT_NAMES:
        return Decimal(number), prefix + unit
    return Decimal(number).scaleb(_PREFIXES[prefix]), unit


def _watts(value: object) -> Decimal | int | str:
    return quantity(value, "W") if isinstance(value, str) else _number(value)


def _step(pair: object) -> tuple[Decimal | int | str, Decimal | int | str]:
    if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
        raise UsageError(f"{pair!r} is no step of a load", hint="a pair of seconds and watts, as [900, 2500]")
    when, watts = pair
    return (_seconds(when) if isinstance(when, str) else _number(when)), _watts(watts)


def _seconds(text: str) -> Decimal:
    number, unit = _quantity(text)
    if unit not in _SECONDS:
        raise UsageError(f"{text!r} is no time", hint=f"a number with {', '.join(_SECONDS)}")
    return number * _SECONDS[unit]


def _number(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise UsageError(f"{value!r} is no number")
    return Decimal(str(value))


def identity_of(identity: str | bytes | None) -> bytes | None:
    """Server id from a device number or from its octets in hex; octets, and None, as they are. Raises UsageError."""
    if identity is None or isinstance(identity, bytes):
        return identity
    try:
        return server_id(identity)
    except SmlError as problem:
        compact = identity.replace(" ", "")
        if re.fullmatch(r"(?:[0-9A-Fa-f]{2}){6,14}", compact):
            return bytes.fromhex(compact)
        raise UsageError(
            f"{identity!r} is no meter id", hint="a device number as 1SAG0021061001, or a server id in hex"
        ) from problem


def _dump(dump: Path | str | bytes | None, folder: Path) -> bytes:
    if dump is None:
        raise UsageError("a replay needs a dump", hint="dump: FILE.bin")
    if isinstance(dump, bytes):
        return dump
    try:
        return (folder / dump).read_bytes()
    except OSError as problem:
        raise UsageError(f"dump {folder / dump} cannot be read: {problem.strerror}") from problem
