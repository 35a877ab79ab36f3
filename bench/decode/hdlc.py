"""`smgw-bench decode hdlc`: the frames on a wired meter bus, and what each of them carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from bench.decode.contents import Contents
from bench.decode.exact_json import exact_json
from bench.decode.explanation import Damage, Explanation
from bench.decode.source import Source
from devices.protocols.hdlc import (
    ALL_STATIONS,
    GATEWAY,
    SELECTOR_WORDS,
    Frame,
    FrameKind,
    FrameReader,
    HdlcError,
    Selector,
)

SHOWN_OCTETS: Final = 16
"""Octets of the information that a line shows before it is cut short."""

_ADDRESSING = "addressing"
"""Selector 1 in UI frames."""


@dataclass(frozen=True, slots=True)
class Found:
    """A frame.

    Attributes:
        offset: octet of its opening flag.
        frame: what it says.
        contents: what its information says, in words.
        remark: what a capture says about it.
    """

    offset: int
    frame: Frame
    contents: str
    remark: str


def explain_hdlc(source: Source, *, as_json: bool) -> Explanation:
    """The frames in a stream."""
    frames, damages = read_stream(source)
    text = exact_json([_row(found) for found in frames], open_levels=1) if as_json else "\n".join(map(_line, frames))
    return Explanation(text, damages, len(frames), "good HDLC frame")


def read_stream(source: Source) -> tuple[list[Found], list[Damage]]:
    """The good frames, and what was damaged, in the order of the stream."""
    reader = FrameReader()
    contents = Contents()
    frames: list[Found] = []
    damages: list[Damage] = []
    position = 0
    for one in (*reader.feed(source.octets), *reader.idle()):
        if isinstance(one, HdlcError):
            damages.append(Damage(one.offset, one.reason))
            continue
        octets = one.to_bytes()
        position = source.octets.index(octets, position)
        frames.append(Found(position, one, contents.of(one), source.remark_at(position)))
        position += len(octets) - 1  # the closing flag may open the next frame
    return frames, sorted(damages, key=lambda damage: damage.offset)


def selector_name(frame: Frame) -> str:
    """What the protocol selector of a frame stands for."""
    if frame.selector == Selector.ADDRESSING and frame.control.kind is FrameKind.UI:
        return _ADDRESSING
    return SELECTOR_WORDS.get(frame.selector, f"selector {frame.selector:#04x}")


def _station(address: int) -> str:
    return {GATEWAY: "gateway", ALL_STATIONS: "all"}.get(address, f"{address:02X}")


def _line(found: Found) -> str:
    frame = found.frame
    length = len(frame.to_bytes())
    checks = "HCS ok, FCS ok" if frame.information else "FCS ok"
    more = " (more follows)" if frame.segmented else ""
    poll = "" if frame.control.poll else " no poll"
    line = (
        f"{found.offset:8}  {length:4} octets  {_station(frame.source):>7} > {_station(frame.destination):7} "
        f"{selector_name(frame):18} {frame.control}{poll}{more}  {checks}"
    )
    if frame.information:
        shown = frame.information[:SHOWN_OCTETS].hex(" ")
        line += f"  {len(frame.information)}: {shown}{' ..' if len(frame.information) > SHOWN_OCTETS else ''}"
    remarks = [part for part in (found.contents, found.remark) if part]
    return line + "".join(f"\n{'':10}{part}" for part in remarks)


def _row(found: Found) -> dict[str, Any]:
    frame = found.frame
    row: dict[str, Any] = {
        "offset": found.offset,
        "length": len(frame.to_bytes()),
        "source": frame.source,
        "destination": frame.destination,
        "selector": frame.selector,
        "selector_name": selector_name(frame),
        "control": frame.control.octet,
        "kind": frame.control.kind.value,
        "poll": frame.control.poll,
    }
    if frame.control.kind is FrameKind.I:
        row["ns"] = frame.control.ns
    if frame.control.kind in (FrameKind.I, FrameKind.RR, FrameKind.RNR):
        row["nr"] = frame.control.nr
    row |= {"segmented": frame.segmented, "hcs": "ok" if frame.information else None, "fcs": "ok"}
    row["information"] = frame.information.hex()
    row["contents"] = found.contents
    if found.remark:
        row["remark"] = found.remark
    return row
