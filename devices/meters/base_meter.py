"""The FNN base meter: what its metrology measured, answered in SML with COSEM objects (lmn-wired 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from devices.clock import Clock
from devices.meters.load_profile import LoadProfile, constant
from devices.meters.metrology import Metrology
from devices.meters.registers import BILLING_SCALER, POWER_SCALER, UNIT_W, UNIT_WH, Register, Source
from devices.meters.sml_service import (
    CANNOT_READ,
    CANNOT_WRITE,
    NO_REQUEST_FIELD,
    UNKNOWN_OBIS,
    Refused,
    SmlService,
)
from devices.protocols.sml.messages import (
    Body,
    GetListRequest,
    GetListResponse,
    GetProcParameterRequest,
    GetProcParameterResponse,
    ListEntry,
    ParameterTree,
    Raw,
    SmlTime,
    TimeKind,
    Value,
)
from devices.protocols.sml.server_id import server_id as server_id_of

MAKER: Final = bytes.fromhex("010060320101")
"""1-0:96.50.1*1, manufacturer."""
SERVER_ID: Final = bytes.fromhex("0100600100ff")
"""1-0:96.1.0*255, server id."""
STATUS: Final = bytes.fromhex("0100600500ff")
"""1-0:96.5.0*255, status word."""
SECOND_INDEX: Final = bytes.fromhex("01005e310001")
"""1-0:94.49.0*1, second index."""
WHOLE_LIST: Final = bytes.fromhex("0100620affff")
"""Name under which meters send their list; a request may leave it out."""

DRAWN: Final = bytes.fromhex("0100010800ff")
FED: Final = bytes.fromhex("0100020800ff")
POWER: Final = bytes.fromhex("0100100700ff")

DATA_CLASS: Final = 1
REGISTER_CLASS: Final = 3

_UNSIGNED_64 = 0x69
_SIGNED_64 = 0x59
_UNSIGNED_32 = 0x65

STANDARD_REGISTERS: Final = (
    Register(DRAWN, UNIT_WH, BILLING_SCALER, Source.DRAWN, billing=True),
    Register(FED, UNIT_WH, BILLING_SCALER, Source.FED, billing=True),
    Register(POWER, UNIT_W, POWER_SCALER, Source.POWER),
)
"""1.8.0 and 2.8.0 in mWh, 16.7.0 in tenths of a watt, all beginning at zero."""


class BaseMeter:
    """A base meter that runs by load profile.

    Attributes:
        server_id: its octets, 10 for a DIN 43863-5 number.
        sensor_id: second id of the discovery record.
        metrology: what it measures; load, faults and mains are switched there.
        registers: in the order of its list.
        requests: how many request files it was given so far.
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
        """
        self.server_id = server_id_of(identity) if isinstance(identity, str) else identity
        self.sensor_id = self.server_id if sensor_id is None else sensor_id
        self.registers = tuple(registers)
        self.metrology = Metrology(
            clock,
            profile or constant(0),
            phases=phases,
            second_index=second_index,
            backstop=backstop,
            powered=powered,
        )
        self.requests = 0
        self._service = SmlService(self.server_id, self.metrology.second_index, self._serve)

    def power(self, on: bool) -> None:
        """Mains of the meter on or off."""
        self.metrology.power(on)

    def answer(self, request: bytes) -> bytes:
        """The answer to a request file, as a file; faults in it are answered with attentions."""
        if not self.metrology.powered:
            return b""
        self.requests += 1
        return self._service.answer(request)

    def entries(self) -> tuple[ListEntry, ...]:
        """The meter's own list as of now."""
        energy, phases = self.metrology.energy(), self.metrology.milliwatts()
        status, time = int(self.metrology.status()), self._service.time()
        entries = [ListEntry(MAKER, value=self.server_id[2:5]), ListEntry(SERVER_ID, value=self.server_id)]
        for register in self.registers:
            entry = ListEntry(
                register.obis,
                unit=register.unit,
                scaler=register.scaler,
                value=register.value(energy, phases),
                value_head=_UNSIGNED_64 if register.billing else _SIGNED_64,
            )
            if register.billing:
                entry = replace(entry, status=status, status_octets=4, val_time=time)
            entries.append(entry)
        entries.append(ListEntry(STATUS, value=status, value_head=_UNSIGNED_32))
        return tuple(entries)

    def _serve(self, body: Body) -> Body:
        if isinstance(body, GetListRequest):
            return self._list(body)
        if isinstance(body, GetProcParameterRequest):
            return self._parameter(body)
        raise Refused(CANNOT_WRITE)

    def _list(self, request: GetListRequest) -> GetListResponse:
        entries = self.entries()
        if request.list_name not in (None, b"", WHOLE_LIST):
            entries = tuple(entry for entry in entries if entry.obis == request.list_name)
            if not entries:
                raise Refused(UNKNOWN_OBIS)
        return GetListResponse(
            self.server_id,
            entries,
            request.client_id,
            request.list_name or WHOLE_LIST,
            SmlTime(TimeKind.SECOND_INDEX, self._service.time().seconds),
        )

    def _parameter(self, request: GetProcParameterRequest) -> GetProcParameterResponse:
        if len(request.path) < 2 or len(request.path[0]) != 9:
            raise Refused(NO_REQUEST_FIELD)
        name, *asked = request.path
        attributes = self._object(name[:6], int.from_bytes(name[6:8], "big"))
        children = []
        for attribute in asked:
            number = int.from_bytes(attribute, "big")
            if number not in attributes:
                raise Refused(CANNOT_READ)
            value, head = attributes[number]
            children.append(ParameterTree(attribute, value, value_head=head))
        return GetProcParameterResponse(self.server_id, request.path, ParameterTree(name, None, tuple(children)))

    def _object(self, obis: bytes, class_id: int) -> dict[int, tuple[Value, int]]:
        """Attributes of a COSEM object, by number: value and TL octet. Raises Refused when there is none."""
        data: dict[bytes, tuple[Value, int]] = {
            MAKER: (self.server_id[2:5], 0),
            SERVER_ID: (self.server_id, 0),
            STATUS: (int(self.metrology.status()), _UNSIGNED_32),
            SECOND_INDEX: (self.metrology.second_index(), _UNSIGNED_32),
        }
        if class_id == DATA_CLASS and obis in data:
            return {1: (obis, 0), 2: data[obis]}
        for register in self.registers:
            if class_id == REGISTER_CLASS and obis == register.obis:
                value = register.value(self.metrology.energy(), self.metrology.milliwatts())
                # Scaler and unit as a list of two numbers (assumed: captures show plain values only).
                scaler_unit = Raw(bytes((0x72, 0x52, register.scaler & 0xFF, 0x62, register.unit)))
                head = _UNSIGNED_64 if register.billing else _SIGNED_64
                return {1: (obis, 0), 2: (value, head), 3: (scaler_unit, 0)}
        raise Refused(UNKNOWN_OBIS)
