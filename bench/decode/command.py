"""`smgw-bench decode`: reads, explains, writes; damage goes to standard error, so that JSON stays JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final, Protocol

from bench.decode.explanation import Explanation
from bench.decode.source import MalformedInput, Source, read_source

NOTHING_READABLE: Final = 1
"""Exit code when nothing in the input was whole."""


class _Explain(Protocol):
    def __call__(self, source: Source, *, as_json: bool) -> Explanation: ...


def _sml() -> _Explain:
    from bench.decode.sml import explain_sml

    return explain_sml


def _hdlc() -> _Explain:
    from bench.decode.hdlc import explain_hdlc

    return explain_hdlc


_KINDS: Final[dict[str, tuple[Callable[[], _Explain], bool]]] = {"sml": (_sml, False), "hdlc": (_hdlc, True)}
"""Kind of octets to what explains them, and whether captures hold such octets."""


def decode(kind: str, name: str, *, as_json: bool) -> int:
    """Explain the file `name` (`-`: standard input) on standard output; returns the exit code.

    Raises UsageError when there is nothing to read.
    """
    load, captures = _KINDS[kind]
    try:
        source = read_source(name, captures=captures)
    except MalformedInput as error:
        _complain(f"{name}: {error}")
        return NOTHING_READABLE
    explanation = load()(source, as_json=as_json)
    if explanation.text:
        sys.stdout.write(explanation.text + "\n")
        sys.stdout.flush()
    damages = [*explanation.damages, *([source.damage] if source.damage else [])]
    if damages and source.counting:
        _complain(f"{name}: {source.counting}")
    for damage in damages:
        _complain(f"{name}: octet {damage.offset}: {damage.reason}")
    if explanation.whole:
        return 0
    first = damages[0].offset if damages else 0
    _complain(f"{name}: no {explanation.what} in {len(source.octets)} octets, first damage at octet {first}")
    return NOTHING_READABLE


def _complain(text: str) -> None:
    sys.stderr.write(f"smgw-bench: {text}\n")
