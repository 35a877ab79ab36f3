"""The FNN base meter: what its metrology measured, answered in SML with COSEM objects (lmn-wired 4)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec

from devices.clock import Clock
from devices.errors import UsageError
from devices.meters.base_objects import STANDARD_REGISTERS, SWITCHES, base_objects
from devices.meters.cosem_objects import CosemObjects
from devices.meters.event_log import OF_STATUS_BIT, EventLog, LogEntry, MeterEvent
from devices.meters.load_profile import LoadProfile, constant
from devices.meters.metrology import Metrology
from devices.meters.registers import Register
from devices.meters.sml_service import (
    CANNOT_WRITE,
    END_BEFORE_START,
    NO_ENTRIES,
    NOT_EXECUTED,
    OUT_OF_RANGE,
    RANGE_EMPTY,
    UNKNOWN_OBIS,
    Refused,
    SmlService,
)
from devices.meters.status_word import StatusWord
from devices.protocols.sml.messages import (
    ActionCosemRequest,
    Body,
    GetCosemRequest,
    GetListRequest,
    GetListResponse,
    GetProcParameterRequest,
    GetProfileListRequest,
    GetProfileListResponse,
    GetProfilePackRequest,
    ListEntry,
    PeriodEntry,
    SetCosemRequest,
    SetProcParameterRequest,
    SmlTime,
    TimeKind,
)
from devices.protocols.sml.objects import (
    COVER_DETECTION,
    DATA_CLASS,
    DRAWN,
    EVENT_LOG,
    EVENT_NUMBER,
    FED,
    LOG_SECOND_INDEX,
    MAGNET_DETECTION,
    MAKER,
    POWER,
    REGISTER_CLASS,
    SECOND_INDEX,
    SERVER_ID,
    STATUS,
    TWO_TARIFFS,
    WHOLE_LIST,
)
from devices.protocols.sml.server_id import server_id as server_id_of

__all__ = [
    "DATA_CLASS",
    "DRAWN",
    "FED",
    "MAKER",
    "POWER",
    "REGISTER_CLASS",
    "SECOND_INDEX",
    "SERVER_ID",
    "STANDARD_REGISTERS",
    "STATUS",
    "WHOLE_LIST",
    "BaseMeter",
]

SOFTWARE: Final = ("01.00", "01.00")
"""Versions 1-0:0.2.0*0 and *1 unless told (assumed)."""

_UNSIGNED_64 = 0x69
_SIGNED_64 = 0x59
_UNSIGNED_32 = 0x65
_UNIT_SECOND = 7


class BaseMeter:
    """A base meter that runs by load profile.

    Attributes:
        server_id: its octets, 10 for a DIN 43863-5 number.
        sensor_id: second id of the discovery record.
        metrology: what it measures; load, faults and mains are switched there.
        registers: in the order of its list.
        requests: how many request files it was given so far.
        log: what happened to it; kept without mains.
        switches: settings, OBIS code to on or off; `switch` changes them.
        objects: what can be asked for and written one by one; more may be added.
        software: versions 1-0:0.2.0*0 and *1.
    """

    def __init__(
        self,
        clock: Clock,
        identity: str | bytes,
        registers: Sequence[Register] = STANDARD_REGISTERS,
        profile: LoadProfile | None = None,
        *,
        sensor_id: bytes | None = None,
        phases: tuple[int, ...] = (1, 2, 3),
        second_index: int = 0,
        backstop: bool = False,
        powered: bool = True,
        software: tuple[str, str] = SOFTWARE,
        public_key: bytes | None = None,
    ) -> None:
        """Make a meter.

        Args:
            clock: the laboratory's.
            identity: device number such as ``1SAG0021061001``, or the octets of a server id. SmlError when neither.
            registers: what it offers.
            profile: its load; none at all unless told.
            sensor_id: unless told, the server id again.
            phases: which phases carry voltage.
            second_index: seconds that it has already run.
            backstop: registers cannot run backwards, feed-in is not counted.
            powered: whether it has mains from the start.
            software: see the attribute.
            public_key: X and Y; unless told, a P-256 key that follows from the server id (assumed).
        """
        self.server_id = server_id_of(identity) if isinstance(identity, str) else identity
        self.sensor_id = self.server_id if sensor_id is None else sensor_id
        self.registers = tuple(registers)
        self.metrology: Metrology = Metrology(
            clock,
            profile or constant(0),
            phases=phases,
            second_index=second_index,
            backstop=backstop,
            powered=powered,
        )
        self.requests = 0
        self.software: tuple[str, str] = software
        self.log: EventLog = EventLog()
        self.switches = {obis: switch.on for obis, switch in SWITCHES.items()}
        self.metrology.on_fault = self._faulted
        self._public_key = public_key
        self._input = 1
        self._service = SmlService(self.server_id, self.metrology.second_index, self._serve)
        self.objects = CosemObjects(lambda: self.shown_id, base_objects(self))

    # --- what happens to it

    def power(self, on: bool) -> None:
        """Mains of the meter on or off."""
        if on == self.metrology.powered:
            return
        if not on:
            self._note(MeterEvent.POWER_LOST)
        self.metrology.power(on)
        if on:
            self._note(MeterEvent.POWER_RESTORED)

    def magnet(self, on: bool = True) -> None:
        """Somebody holds a magnet to it, or takes it away; not noticed while detection is off."""
        if self.switches[MAGNET_DETECTION]:
            self.metrology.fault(StatusWord.MAGNET, on)

    def open_cover(self) -> None:
        """Somebody opens the cover: noticed for 24 h unless detection is off."""
        if self.switches[COVER_DETECTION]:
            self.metrology.open_cover()

    def fatal(self, on: bool = True) -> None:
        """A fatal error: its values are not to be used."""
        self.metrology.fault(StatusWord.FATAL, on)

    def temporary(self, on: bool = True) -> None:
        """What a gateway takes for a critical temporary fault, see StatusWord.TEMPORARY."""
        self.metrology.fault(StatusWord.TEMPORARY, on)

    def tariff(self, number: int) -> None:
        """The tariff input says 1 or 2; of consequence while the two tariff function is on. UsageError for others."""
        if number not in (1, 2):
            raise UsageError(f"a meter has no tariff {number}", hint="1 or 2")
        if number != self._input:
            self._input = number
            self._switch_tariff()

    def switch(self, obis: bytes, on: bool | None) -> None:
        """Change a setting of SWITCHES, or with None reset what it has detected; KeyError for none of them."""
        if on is None:
            self._resets[obis](self)
        else:
            self.switches[obis] = on
        if obis == TWO_TARIFFS:
            self._switch_tariff()
        self._note(MeterEvent.SETTING_CHANGED, obis, 2 if on is None else int(on))

    # --- what it says

    @property
    def shown_id(self) -> bytes:
        """The server id that it tells in answers: its own unless `claimed_id` is set."""
        return self._service.shown_id

    @property
    def claimed_id(self) -> bytes | None:
        """Server id that it falsely tells, None while it is honest; may be set."""
        return self._service.claimed_id

    @claimed_id.setter
    def claimed_id(self, server_id: bytes | None) -> None:
        self._service.claimed_id = server_id

    @cached_property
    def public_key(self) -> bytes:
        """Public key, X and Y; 64 octets for P-256."""
        if self._public_key is not None:
            return self._public_key
        secret = int.from_bytes(hashlib.sha256(b"key of an emulated meter" + self.server_id).digest()[1:], "big")
        point = ec.derive_private_key(secret, ec.SECP256R1()).public_key().public_numbers()
        return point.x.to_bytes(32, "big") + point.y.to_bytes(32, "big")

    def answer(self, request: bytes) -> bytes:
        """The answer to a request file, as a file; faults in it are answered with attentions."""
        if not self.metrology.powered:
            return b""
        self.requests += 1
        return self._service.answer(request)

    def entries(self) -> tuple[ListEntry, ...]:
        """The meter's own list as of now."""
        reading = self.metrology.reading()
        status, time = int(self.metrology.status()), self._service.time()
        shown = self.shown_id
        entries = [ListEntry(MAKER, value=shown[2:5]), ListEntry(SERVER_ID, value=shown)]
        for register in self.registers:
            entry = ListEntry(
                register.obis,
                unit=register.unit,
                scaler=register.scaler,
                value=register.value(reading),
                value_head=_UNSIGNED_64 if register.billing else _SIGNED_64,
            )
            if register.billing:
                entry = replace(entry, status=status, status_octets=4, val_time=time)
            entries.append(entry)
        entries.append(ListEntry(STATUS, value=status, value_head=_UNSIGNED_32))
        return tuple(entries)

    # --- serving

    def _serve(self, body: Body) -> Body | Sequence[Body]:
        serve = self._services.get(type(body))
        if serve is None:
            raise Refused(CANNOT_WRITE)
        return serve(self, body)

    def _list(self, request: GetListRequest) -> GetListResponse:
        entries = self.entries()
        if request.list_name not in (None, b"", WHOLE_LIST):
            entries = tuple(entry for entry in entries if entry.obis == request.list_name)
            if not entries:
                raise Refused(UNKNOWN_OBIS)
        return GetListResponse(
            self.shown_id,
            entries,
            request.client_id,
            request.list_name or WHOLE_LIST,
            SmlTime(TimeKind.SECOND_INDEX, self._service.time().seconds),
        )

    def _profile(self, request: GetProfileListRequest) -> Sequence[Body]:
        """The event log, one message for each entry."""
        if not request.path or request.path[0][:6] != EVENT_LOG:
            raise Refused(UNKNOWN_OBIS)
        begin, end = _second_index(request.begin), _second_index(request.end)
        if begin is not None and end is not None and end < begin:
            raise Refused(END_BEFORE_START)
        entries = self.log.entries(begin, end)
        if not entries:
            raise Refused(RANGE_EMPTY if self.log.entries() else NO_ENTRIES)
        time = self._service.time()
        return [
            GetProfileListResponse(
                self.shown_id,
                request.path,
                _columns(entry, request.objects),
                time,
                0,
                SmlTime(TimeKind.SECOND_INDEX, entry.second_index),
                int(entry.status),
            )
            for entry in entries
        ]

    def _no_profile(self, _request: Body) -> Body:
        raise Refused(UNKNOWN_OBIS)

    def _action(self, request: ActionCosemRequest) -> Body:
        self.objects.find(request.obis, request.class_id)
        raise Refused(NOT_EXECUTED)

    # --- noting

    def _faulted(self, bit: StatusWord, on: bool) -> None:
        self._note(OF_STATUS_BIT.get((bit, on), MeterEvent.OTHER))

    def _note(self, event: MeterEvent, changed: bytes | None = None, value: int | None = None) -> None:
        self.log.add(LogEntry(event, self.metrology.second_index(), self.metrology.status(), changed, value))

    def _switch_tariff(self) -> None:
        tariff = self._input if self.switches[TWO_TARIFFS] else 0
        if tariff != self.metrology.tariff:
            self.metrology.switch_tariff(tariff)
            self._note(MeterEvent.TARIFF_SWITCHED)

    def _reset_magnet(self) -> None:
        self.metrology.fault(StatusWord.MAGNET, on=False)

    def _reset_cover(self) -> None:
        self.metrology.close_cover()
        self._note(MeterEvent.COVER_RESET)

    _resets: Final[dict[bytes, Callable[[BaseMeter], None]]] = {
        MAGNET_DETECTION: _reset_magnet,
        COVER_DETECTION: _reset_cover,
    }
    _services: Final[dict[type[Any], Callable[[BaseMeter, Any], Body | Sequence[Body]]]] = {
        GetListRequest: _list,
        GetProfileListRequest: _profile,
        GetProfilePackRequest: _no_profile,
        GetProcParameterRequest: lambda meter, request: meter.objects.get_parameter(request),
        SetProcParameterRequest: lambda meter, request: meter.objects.set_parameter(request),
        GetCosemRequest: lambda meter, request: meter.objects.get_cosem(request),
        SetCosemRequest: lambda meter, request: meter.objects.set_cosem(request),
        ActionCosemRequest: _action,
    }


def _second_index(time: SmlTime | None) -> int | None:
    """Where a profile begins or ends; base meters know nothing but the second index."""
    if time is None:
        return None
    if time.kind is not TimeKind.SECOND_INDEX:
        raise Refused(OUT_OF_RANGE)
    return time.seconds


def _columns(entry: LogEntry, asked: tuple[bytes, ...] | None) -> tuple[PeriodEntry, ...]:
    """The objects of one entry: event number, status word or changed object, second index."""
    second = PeriodEntry(STATUS, value=int(entry.status))
    if entry.changed is not None:
        second = PeriodEntry(entry.changed, value=entry.value)
    columns = (
        PeriodEntry(EVENT_NUMBER, value=int(entry.event)),
        second,
        PeriodEntry(LOG_SECOND_INDEX, _UNIT_SECOND, 0, entry.second_index),
    )
    return columns if asked is None else tuple(column for column in columns if column.obis in asked)
