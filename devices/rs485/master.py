"""The bench in the gateway's place on a meter's bus: finds the meters, then asks one of them (lmn-wired 1.5, 1.7)."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final, NoReturn

from devices.clock import Clock
from devices.errors import BenchError, DeviceError
from devices.ports.base import BytePort, Direction, LineSettings, PortLost
from devices.ports.hdlc_master import HdlcMaster, LinkTrouble
from devices.ports.tap import tap
from devices.protocols.hdlc import (
    ALL_STATIONS,
    FIRST_METER,
    GATEWAY,
    LAST_METER,
    Control,
    Frame,
    FrameKind,
    HdlcError,
    Selector,
    StationRecord,
)
from devices.protocols.hdlc_link import LinkLimits, PrimaryLink, PrimaryState, Step

MAX_METERS: Final = 32
"""Meters on one bus: as many as the window has slots (assumed; one public program does so)."""

TOOL_LIMITS: Final = LinkLimits(response_timeout_s=0.5, poll_interval_s=0.005, answer_polls=400)
"""Bounds of a link that a person's computer holds: USB takes its time, the maker's own tool 90 ms for an exchange."""

_UI: Final = Control(FrameKind.UI, True)
_Take = Callable[[Frame], None]
_Begin = Callable[[], Step]


class NoMeter(BenchError):
    """Nobody answers on the bus, or not the one that was meant."""


class MeterSilent(DeviceError):
    """A meter that had answered does not do so any more, or not as the bus demands.

    Attributes:
        kind: see `devices.ports.hdlc_master.Trouble`.
    """

    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class FoundMeter:
    """A meter that has an address.

    Attributes:
        address: HDLC address, chosen by the meter itself.
        server_id: 10 octets for a meter with a DIN 43863-5 number.
        sensor_id: second id of its record.
        status: reserved field of its record; lists repeat it, because meters find themselves by all but address and
            slot (lmn-wired 1.5).
    """

    address: int
    server_id: bytes
    sensor_id: bytes = b""
    status: int = 0


@dataclass(frozen=True, slots=True)
class MasterTiming:
    """How patiently meters are looked for.

    Attributes:
        window_s: how long answers to a broadcast are awaited: 32 slots of 10 ms (lmn-wired 1.5), which is also more
            than USB adapters need.
        tries: invitations before the bus counts as empty.
        rounds: invitations at most; many new meters spoil each other's answers.
    """

    window_s: float = 0.32
    tries: int = 3
    rounds: int = 120


class LmnMaster:
    """Master on the bus of real or emulated meters.

    Attributes:
        meters: those found so far, by address.
        frames: the lower half; set its `on_frame` for a trace.
        troubles: what was wrong on the bus so far, in words.
    """

    def __init__(
        self, clock: Clock, port: BytePort, *, line: LineSettings | None = None, timing: MasterTiming | None = None
    ) -> None:
        """Take over `port`: its receiver and its `on_lost`.

        Args:
            clock: of the running loop.
            port: leads to the meters.
            line: of the bus; 921 600 Bd 8N1 unless told.
            timing: see MasterTiming.
        """
        self.meters: dict[int, FoundMeter] = {}
        self._heard = 0
        self._port = tap(clock, port, self._count)
        self._port.on_lost = self._port_lost
        self.frames = HdlcMaster(clock, self._port, line=line)
        self.frames.on_error = self._wrong
        self.troubles: list[str] = []
        self._timing = timing or MasterTiming()
        self._lost: PortLost | None = None

    def close(self) -> None:
        """Hear nothing more; the port stays open."""
        self.frames.close()
        self._port.on_lost = None

    # --- finding meters

    async def discover(self, known: Iterable[FoundMeter] = ()) -> list[FoundMeter]:
        """Invite until nobody new answers. Meters choose their addresses themselves; the list of the next invitation
        confirms them, and whoever chose the same one chooses again.

        Args:
            known: meters that keep the address that they have.

        Returns:
            All meters known now, by address; perhaps none. Raises PortLost when the adapter goes.
        """
        self.meters = {meter.address: meter for meter in known}
        silent = 0
        for _ in range(self._timing.rounds):
            before = self._heard
            if await self._invite():
                silent = 0
                continue
            silent += 1
            # Octets that made nobody known: meters spoil each other's answers, and will choose other slots.
            if self._heard == before and (self.meters or silent >= self._timing.tries):
                break
        return [self.meters[address] for address in sorted(self.meters)]

    async def present(self) -> list[FoundMeter]:
        """Those of the known meters that answer a presence check. Raises PortLost when the adapter goes."""
        if not self.meters:
            return []
        seen: set[int] = set()

        def take(frame: Frame) -> None:
            record = self.frames.record_in(frame, Selector.PRESENCE)
            meter = self.meters.get(frame.source)
            if record is not None and meter is not None and meter.server_id == record.device_id:
                seen.add(frame.source)

        records = [_listed(meter, slot) for slot, meter in enumerate(self.meters.values(), 1)]
        await self._broadcast(Selector.PRESENCE, records, take)
        return [self.meters[address] for address in sorted(seen)]

    async def _invite(self) -> bool:
        """One invitation; whether somebody new is on the list now."""
        answers: list[StationRecord] = []

        def take(frame: Frame) -> None:
            record = self.frames.record_in(frame, Selector.ADDRESSING)
            if record is None:
                return
            answers.append(record)
            known = self.meters.get(record.address)
            if known is not None and known.server_id == record.device_id:
                self._heard -= len(frame.to_bytes())  # it answers though it is on the list: nothing is left to settle

        await self._broadcast(Selector.ADDRESSING, [_listed(meter, 0) for meter in self.meters.values()], take)
        taken = [self._accept(record) for record in answers]
        return any(taken)

    def _accept(self, record: StationRecord) -> bool:
        if not FIRST_METER <= record.address <= LAST_METER:
            self._wrong("unexpected", record.address, "no meter may have this address")
            return False
        holder = self.meters.get(record.address)
        if holder is not None:
            return False
        for address in [one for one, meter in self.meters.items() if meter.server_id == record.device_id]:
            del self.meters[address]
        if len(self.meters) >= MAX_METERS:
            self._wrong("unexpected", record.address, f"there are {MAX_METERS} meters on the list already")
            return False
        self.meters[record.address] = FoundMeter(record.address, record.device_id, record.sensor_id, record.status)
        return True

    async def _broadcast(self, selector: Selector, records: list[StationRecord], take: _Take) -> None:
        information = b"".join(record.to_bytes() for record in records)
        frame = Frame(ALL_STATIONS, GATEWAY, selector, _UI, information)
        async with self.frames.lock:
            await self.frames.broadcast(frame, self._timing.window_s, take)
        self.check_port()

    # --- asking one of them

    @asynccontextmanager
    async def connect(
        self, meter: FoundMeter, selector: int, limits: LinkLimits = TOOL_LIMITS
    ) -> AsyncIterator[MeterLink]:
        """A link to `meter`, ended with DISC when left.

        Raises:
            MeterSilent: it does not answer.
            PortLost: the adapter is gone.
        """
        link = self.link(meter, selector, limits)
        await link.open()
        try:
            yield link
        finally:
            await link.close()

    def link(self, meter: FoundMeter, selector: int, limits: LinkLimits = TOOL_LIMITS) -> MeterLink:
        """A link that is still down, for those who open and close it themselves."""
        return MeterLink(self, meter, selector, limits)

    def check_port(self) -> None:
        """Raises PortLost when the adapter is gone."""
        if self._lost is not None:
            raise self._lost

    def _count(self, _at: float, direction: Direction, data: bytes) -> None:
        if direction == "in":
            self._heard += len(data)

    def _port_lost(self, lost: PortLost) -> None:
        self._lost = PortLost(f"{lost}; the bench is no longer on the meter's bus, look at adapter and cable")
        self.frames.gone()

    def _wrong(self, kind: str, address: int | None, reason: str) -> None:
        where = "" if address is None else f" (address {address:02X})"
        self.troubles.append(f"{kind}: {reason}{where}")


class MeterLink:
    """A link to one meter; made by `LmnMaster.connect`.

    Attributes:
        meter: the other end.
    """

    def __init__(self, master: LmnMaster, meter: FoundMeter, selector: int, limits: LinkLimits) -> None:
        self.meter = meter
        self._master = master
        self._link = PrimaryLink(meter.address, selector, limits)

    async def open(self) -> None:
        """SNRM and UA. Raises as `ask`."""
        await self._drive(self._link.connect, "the meter does not take the connection")

    async def ask(self, message: bytes) -> bytes:
        """The answer to `message`.

        Raises:
            MeterSilent: no answer, or one that breaks the rules of the link.
            PortLost: the adapter is gone.
        """
        answer = await self._drive(lambda: self._link.send(message), "the meter does not answer")
        if answer is None:
            raise MeterSilent("read_timeout", f"{_name(self.meter)}: the meter has no answer")
        return answer

    async def close(self) -> None:
        """DISC; says nothing when the meter or the adapter is gone, and does nothing when the link is down."""
        if self._link.state is PrimaryState.DOWN:
            return
        with contextlib.suppress(MeterSilent, PortLost):
            await self._drive(self._link.disconnect, "")

    async def _drive(self, begin: _Begin, what: str) -> bytes | None:
        self._master.check_port()
        async with self._master.frames.lock:
            try:
                return await self._master.frames.drive(self._link, begin())
            except (LinkTrouble, HdlcError) as trouble:
                self._fail(trouble, what)

    def _fail(self, trouble: LinkTrouble | HdlcError, what: str) -> NoReturn:
        self._master.check_port()
        kind = trouble.kind if isinstance(trouble, LinkTrouble) else "unexpected"
        raise MeterSilent(kind, f"{_name(self.meter)}: {what}: {trouble}") from trouble


def limits_for(frame_size: int) -> LinkLimits:
    """TOOL_LIMITS with another size of information in a frame. Raises HdlcError outside 1..2036."""
    return replace(TOOL_LIMITS, max_information=frame_size)


def _listed(meter: FoundMeter, slot: int) -> StationRecord:
    return StationRecord(meter.address, slot, meter.server_id, meter.sensor_id, meter.status)


def _name(meter: FoundMeter) -> str:
    return f"meter {meter.server_id.hex().upper()} at address {meter.address:02X}"
