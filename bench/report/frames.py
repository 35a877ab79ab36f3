"""The wired bus of a stored case: every transmission with its time, decoded in one line when asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.report.stored_json import as_text
from bench.report.stored_timeline import StoredTimeline
from devices.ports.pcapng import Packet, PcapngError, read_pcapng
from devices.protocols.hdlc import Frame, FrameReader, HdlcError
from devices.protocols.sml.messages import GetListResponse, read_messages
from devices.protocols.sml.transport import FileReader, SmlFile

MAX_CAPTURE = 256 * 2**20
"""Octets of a capture that is still read for an excerpt."""
_FRAMES_NAMED = 4
_ESCAPE = bytes.fromhex("1b1b1b1b")


@dataclass(frozen=True, slots=True)
class Transmission:
    """Octets that one station sent in one go.

    Attributes:
        t: bench seconds.
        sender: ``gateway`` or the name of the meter; empty when not recorded.
        to_gateway: direction.
        data: the octets, whole.
        text: what they say, in one line.
    """

    t: float
    sender: str
    to_gateway: bool
    data: bytes
    text: str


@dataclass(frozen=True)
class BusRecord:
    """What was recorded of a bus.

    Attributes:
        stamps: bench seconds of all transmissions, in order.
        damage: what could not be read, in words.
        transmission: the transmission with a given place in `stamps`, decoded.
    """

    stamps: list[float]
    damage: tuple[str, ...]
    transmission: Callable[[int], Transmission]


def wired_bus(folder: Path, timeline: StoredTimeline, started: datetime | None) -> BusRecord:
    """The wired bus of the case in `folder`: from ``lmn.pcapng``, or from frames that the timeline holds.

    Args:
        started: UTC of bench second 0, to which the capture's stamps are referred; None: its first packet.
    """
    if timeline.stamps.get("lmn"):
        return BusRecord(timeline.stamps["lmn"], (), lambda index: _from_timeline(timeline, index))
    path = folder / "lmn.pcapng"
    if not path.is_file():
        return BusRecord([], (), lambda _: Transmission(0.0, "", True, b"", ""))
    try:
        if path.stat().st_size > MAX_CAPTURE:
            return _unread(f"{path.name} is larger than {MAX_CAPTURE // 2**20} MiB and was not read")
        capture = read_pcapng(path)
    except PcapngError as error:
        return _unread(f"{path.name}: {error}")
    except OSError as error:
        return _unread(f"{path.name} cannot be read: {error.strerror}")
    packets = [packet for packet in capture.packets if packet.t_ns is not None]
    zero = _ns(started) if started is not None else min((packet.t_ns or 0 for packet in packets), default=0)
    packets.sort(key=lambda packet: packet.t_ns or 0)
    stamps = [((packet.t_ns or 0) - zero) / 1e9 for packet in packets]
    damage = (f"{path.name} ends inside a packet",) if capture.torn else ()
    return BusRecord(stamps, damage, lambda index: _from_packet(packets[index], stamps[index]))


def _unread(reason: str) -> BusRecord:
    return BusRecord([], (reason,), lambda _: Transmission(0.0, "", True, b"", ""))


def _ns(when: datetime) -> int:
    span = (when if when.tzinfo else when.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return ((span.days * 86400 + span.seconds) * 1_000_000 + span.microseconds) * 1000


def _from_timeline(timeline: StoredTimeline, index: int) -> Transmission:
    event = timeline.event("lmn", index)
    try:
        data = bytes.fromhex(as_text(event.data.get("hex")))
    except ValueError:
        data = b""
    to_gateway = event.data.get("direction") != "from_gateway"
    sender = as_text(event.data.get("from")) or ("" if to_gateway else "gateway")
    text = as_text(event.data.get("text")) or (decoded(data) if data else event.kind)
    return Transmission(event.t, sender, to_gateway, data, text)


def _from_packet(packet: Packet, t: float) -> Transmission:
    to_gateway = packet.direction != "in"
    remark = " ".join(packet.comments)
    sender = remark.partition(",")[0] if remark else "" if to_gateway else "gateway"
    text = decoded(packet.data)
    if remark.partition(",")[2]:
        text = f"{remark.partition(',')[2].strip()}: {text}"
    return Transmission(t, sender, to_gateway, packet.data, text)


def decoded(data: bytes) -> str:
    """What the octets of one transmission say: its frames, and the SML messages in them."""
    reader = FrameReader()
    found = reader.feed(data) + reader.idle()
    texts = [f"no frame: {item}" if isinstance(item, HdlcError) else _frame(item) for item in found[:_FRAMES_NAMED]]
    if len(found) > _FRAMES_NAMED:
        texts.append(f"and {len(found) - _FRAMES_NAMED} more frames")
    return "; ".join(texts) or f"{len(data)} octets outside of frames"


def _frame(frame: Frame) -> str:
    messages = _messages(frame.information)
    return f"{frame}, SML {messages}" if messages else str(frame)


def _messages(information: bytes) -> str:
    """Names of the SML messages that begin in `information`; empty when it holds none."""
    if information.startswith(_ESCAPE):
        files = [item for item in FileReader().feed(information) if isinstance(item, SmlFile)]
        messages = [message for file in files for message in file.messages]
    elif information.startswith(b"\x76"):
        messages = list(read_messages(information)[0])
    else:
        return ""
    return ", ".join(_named(message.body) for message in messages[:_FRAMES_NAMED])


def _named(body: object) -> str:
    count = f" with {len(body.val_list)} entries" if isinstance(body, GetListResponse) else ""
    return type(body).__name__ + count
