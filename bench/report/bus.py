"""The excerpt of a bus trace as HTML: direction, time, octets, decoded in one line."""

from __future__ import annotations

from bench.report.figures import instant
from bench.report.model import BusTrace, Frame, Gap
from bench.report.page import escape, folded, row, table

_NEAR = {"step": "near", "first": "", "last": ""}


def bus_table(trace: BusTrace | None, *, is_open: bool, of_meter: bool = False) -> str:
    """The table of `trace`; nothing when no frame was recorded.

    Args:
        of_meter: a meter was tested, and the bench was in the gateway's place.
    """
    if trace is None:
        return ""
    rows = [_gap(item) if isinstance(item, Gap) else _frame(item, of_meter=of_meter) for item in trace.rows]
    heads = ("Time", "Sender", "Octets", "Decoded", "Data")
    shown = sum(isinstance(item, Frame) for item in trace.rows)
    count = str(trace.total) if shown == trace.total else f"{shown} of {trace.total}"
    body = table("bus", f"Bus trace, {escape(trace.name)}", heads, rows)
    return folded(f"Bus trace, {escape(trace.name)} ({count} frames)", body, is_open=is_open)


def _gap(gap: Gap) -> str:
    word = "frame" if gap.count == 1 else "frames"
    return f'<tr class="gap"><td colspan="5">{gap.count} {word} left out; all are in lmn.pcapng</td></tr>'


def _frame(frame: Frame, *, of_meter: bool) -> str:
    more = " …" if len(frame.data) < 2 * frame.octets else ""
    data = " ".join(frame.data[place : place + 2] for place in range(0, len(frame.data), 2))
    near, far = ("bench", "meter") if of_meter else ("gateway", "bench")
    direction = (frame.sender or far) if frame.to_gateway else near
    cells = (
        instant(frame.t),
        f'<span class="{"in" if frame.to_gateway else "out"}">{escape(direction)}</span>',
        str(frame.octets),
        escape(frame.text),
        f"<code>{escape(data)}{more}</code>",
    )
    return row(cells, _NEAR[frame.near])
