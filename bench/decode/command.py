"""`smgw-bench decode`: reads, explains, writes; damage goes to standard error, so that JSON stays JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final, Protocol

from bench.decode.explanation import Explanation
from bench.decode.source import MalformedInput, Source, read_source

NOTHING_READABLE: Final = 1
"""Exit code when nothing in the input was whole, unless it is a recording of several parts that are all damaged."""


_TEXT_HINT: Final = (
    "it looks like text: octets are read, or their hexadecimal digits in ASCII or UTF-8 with blanks, commas, colons or "
    "0x between them, without offsets and remarks, as 'xxd -p' writes them"
)
_PRINTABLE: Final = bytes((*b"\t\r\n", *range(0x20, 0x7F)))


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
    hint = f" ({_TEXT_HINT})" if _is_text(source.octets) else ""
    _complain(f"{name}: no {explanation.what} in {len(source.octets)} octets, first damage at octet {first}{hint}")
    return 0 if explanation.begun > 1 else NOTHING_READABLE


def _is_text(octets: bytes) -> bool:
    """Whether people could read it: ASCII, or UTF-16 with its mark."""
    return octets.startswith((b"\xff\xfe", b"\xfe\xff")) or not octets.translate(None, _PRINTABLE)


def _complain(text: str) -> None:
    sys.stderr.write(f"smgw-bench: {text}\n")
