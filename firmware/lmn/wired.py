"""Master of the wired bus: invitations, presence checks, the address list, and one exchange at a time.

Every 30 s an invitation with the list of known meters goes out, 15 s later a presence check (lmn-wired 1.5). A meter
chooses its address itself and answers in a slot; it is on the list from then on and leaves it when it is silent in a
presence check. The list survives restarts; a meter counts as addressed once it has answered since the start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from devices.clock import Clock
from devices.ports.base import BytePort
from devices.ports.hdlc_master import HdlcMaster
from devices.protocols.hdlc import (
    ALL_STATIONS,
    FIRST_METER,
    GATEWAY,
    LAST_METER,
    Control,
    Frame,
    FrameKind,
    Selector,
    StationRecord,
    decode_records,
)
from firmware.config import Options

_UI = Control(FrameKind.UI, True)


@dataclass
class Station:
    """A meter on the address list.

    Attributes:
        address: its HDLC address.
        device_id: its server id, 10 to 14 octets.
        sensor_id: second id, up to 14 octets.
        status: last two octets of its record; lists repeat them, because a meter finds itself by octets 2 to 31
            (lmn-wired 1.5).
        present: whether it has answered since the gateway started.
        misses: presence checks in a row without an answer.
    """

    address: int
    device_id: bytes
    sensor_id: bytes
    status: int = 0
    present: bool = False
    misses: int = 0

    @classmethod
    def of(cls, record: StationRecord, *, present: bool = False) -> Station:
        """A meter as it says itself, or as the list of the last run has it."""
        return cls(record.address, record.device_id, record.sensor_id, record.status, present)

    def listed(self, slot: int = 0) -> StationRecord:
        """Its line in a list."""
        return StationRecord(self.address, slot, self.device_id, self.sensor_id, self.status)


class WiredBus:
    """The gateway's side of the RS-485 bus.

    Args:
        clock: true time; the cadence is not legally relevant and follows the oscillator anyway.
        port: the cable.
        options: intervals, slots, timeouts.
        known: the address list of the last run, as records in hex.
    """

    def __init__(self, clock: Clock, port: BytePort, options: Options, known: Iterable[str] = ()) -> None:
        self.stations: dict[int, Station] = {}
        for text in known:
            for record in decode_records(bytes.fromhex(text)):
                self.stations[record.address] = Station.of(record)
        self.master = HdlcMaster(clock, port)
        self.lock = self.master.lock
        """Held by whoever uses the bus."""
        self.on_present: Callable[[Station, bool], None] = lambda station, new: None
        """A meter answered for the first time since the start; `new`: it was not on the list before."""
        self.on_lost: Callable[[Station], None] = lambda station: None
        """A meter lost its address, by silence or by answering from another one; it is off the list or moved."""
        self.on_changed: Callable[[list[str]], None] = lambda records: None
        """The address list changed and should be kept."""
        self.on_error: Callable[[str, int | None, str], None] = lambda kind, address, reason: None
        """Something on the bus is wrong: ``undecodable``, ``unexpected``, the station's address if known, why."""
        self.master.on_error = self._wrong
        self._clock = clock
        self._options = options
        self._frames: dict[str, Frame] = {}
        self._slots_from = 0.0

    @property
    def present(self) -> list[Station]:
        """Meters that have an address and answer."""
        return [one for one in self.stations.values() if one.present]

    def close(self) -> None:
        """Hear nothing more."""
        self.master.close()

    async def run(self) -> None:
        """Invite and check for ever, at absolute instants."""
        start = self._clock.seconds()
        interval, offset = self._options.invite_interval_s, self._options.presence_offset_s
        turn = 0
        while True:
            async with self.lock:
                await self.invite()
            await self._clock.sleep_until(start + turn * interval + offset)
            async with self.lock:
                await self.check()
            turn += 1
            await self._clock.sleep_until(start + turn * interval)

    async def invite(self) -> None:
        """Ask who is there that is not on the list; hold `lock`."""
        answers: list[StationRecord] = []

        def take(frame: Frame) -> None:
            record = self.master.record_in(frame, Selector.ADDRESSING)
            if record is not None:
                answers.append(record)

        told = frozenset(self.stations)
        await self._broadcast("invite", Selector.ADDRESSING, take)
        changed = False
        for record in answers:
            self._judge(record, told)
            changed = self._accept(record) or changed
        if changed:
            self._list_changed()

    async def check(self) -> None:
        """Ask the meters on the list to show themselves, each in its slot; hold `lock`."""
        if not self.stations:
            return
        seen: set[int] = set()
        slots = {address: slot for slot, address in enumerate(self.stations)}

        def take(frame: Frame) -> None:
            record, station = self.master.record_in(frame, Selector.PRESENCE), self.stations.get(frame.source)
            if record is None:
                return
            if station is None or station.device_id != record.device_id:
                self.on_error("unexpected", frame.source, f"{record.device_id.hex()} does not have this address")
            elif not self._in_slot(slots[frame.source]):
                self.on_error("unexpected", frame.source, "an answer to a presence check out of its slot")
            elif frame.source in seen:
                self.on_error("unexpected", frame.source, "two answers to one presence check")
            else:
                seen.add(frame.source)

        await self._broadcast("check", Selector.PRESENCE, take)
        lost = []
        for address, station in self.stations.items():
            if address in seen:
                station.misses = 0
                if not station.present:
                    station.present = True
                    self.on_present(station, False)
            else:
                station.misses += 1
                if station.misses >= self._options.presence_misses:
                    lost.append(address)
        for address in lost:
            self.drop(address)

    def drop(self, address: int) -> None:
        """Take a meter off the list."""
        station = self.stations.pop(address, None)
        if station is not None:
            station.present = False
            self._list_changed()
            self.on_lost(station)

    async def _broadcast(self, what: str, selector: Selector, take: Callable[[Frame], None]) -> None:
        frame = self._frames.get(what)
        if frame is None:
            records = b"".join(
                one.listed(slot if what == "check" else 0).to_bytes()
                for slot, one in enumerate(self.stations.values(), 1)
            )
            frame = self._frames[what] = Frame(ALL_STATIONS, GATEWAY, selector, _UI, records)
        window_s = self._options.slot_count * self._options.slot_pitch_s
        self._slots_from = self._clock.seconds() + self.master.seconds(frame)
        # Meters that answer an invitation in the same slot spoil each other's frames: no error.
        await self.master.broadcast(frame, window_s, take, forgiving=what == "invite")

    def _in_slot(self, slot: int) -> bool:
        """Whether a frame that ends now began in `slot`, counted from 0, give or take the tolerance."""
        pitch_s, tolerance_s = self._options.slot_pitch_s, self._options.slot_tolerance_s
        since_s = self._clock.seconds() - self._slots_from
        return slot * pitch_s - tolerance_s <= since_s <= (slot + 1) * pitch_s + tolerance_s

    def _judge(self, record: StationRecord, told: frozenset[int]) -> None:
        """Tell of an address that no meter may choose: out of bounds, or that of another one on the list it heard.

        Two meters that choose the same free address at the same time do nothing wrong.
        """
        holder = self.stations.get(record.address)
        if not FIRST_METER <= record.address <= LAST_METER:
            reason = f"{record.device_id.hex()} chose the address {record.address:#04x}, which no meter may have"
        elif record.address in told and holder is not None and holder.device_id != record.device_id:
            reason = f"{record.device_id.hex()} chose the address {record.address:#04x} of {holder.device_id.hex()}"
        else:
            return
        self.on_error("unexpected", record.address, reason)

    def _wrong(self, kind: str, address: int | None, reason: str) -> None:
        self.on_error(kind, address, reason)

    def _accept(self, record: StationRecord) -> bool:
        """Put a meter on the list when its address is allowed and free, else it will choose again.

        A meter that is listed with another address has lost that one by its answer (lmn-wired 1.5), whether the
        new one can be had or not.

        Returns:
            Whether the list changed.
        """
        device_id = record.device_id
        left = [one for one in self.stations.values() if one.device_id == device_id and one.address != record.address]
        holder = self.stations.get(record.address)
        if holder is None:
            free = len(self.stations) - len(left) < self._options.slot_count
        else:
            free = holder.device_id == device_id
        accepted = free and FIRST_METER <= record.address <= LAST_METER
        for station in left:
            del self.stations[station.address]
            station.present = False
        if accepted:
            self.stations[record.address] = Station.of(record, present=True)
        for station in left:
            self.on_lost(station)
        if accepted:
            self.on_present(self.stations[record.address], True)
        return accepted or bool(left)

    def _list_changed(self) -> None:
        self._frames.clear()
        self.on_changed([one.listed().to_bytes().hex() for one in self.stations.values()])
