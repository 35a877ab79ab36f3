"""What a captured radio telegram says: its frame format found out, its layers opened, its records read.

The frame format comes from who caught the telegram. Without a word from them the octets decide as far as they can: a
long frame of the wired bus begins unmistakably; more octets than L says are check sequences of format A; with as many
as L says the telegram is taken as stripped, and as format B only when nothing else makes sense of it. Two last octets
that look like a check sequence prove nothing (lmn-wireless 7, trap 1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from devices.protocols.mbus.afl import Afl, Reassembly
from devices.protocols.mbus.compact_frame import FormatCache, unfold
from devices.protocols.mbus.control import CI_NAMES, MAKERS_CI
from devices.protocols.mbus.errors import FrameError, LayerError, RecordError
from devices.protocols.mbus.link import FrameFormat
from devices.protocols.mbus.records import Contents, decode_records
from devices.protocols.mbus.telegram import Telegram, decode_body, open_, parse, whole
from devices.protocols.mbus.wired import WiredFrame, decode_wired, is_wired

WIRED: Final = "wired"
FORMS: Final[dict[str, FrameFormat | str]] = {
    "stripped": FrameFormat.STRIPPED,
    "crc-stripped": FrameFormat.STRIPPED,
    "a": FrameFormat.A,
    "b": FrameFormat.B,
    WIRED: WIRED,
    "wired-long": WIRED,
}
"""Names of frame formats."""

_FULL: Final = frozenset((0x72, 0x7A, 0x78, 0x5A, 0x5B, 0x51))
_COMPACT: Final = frozenset((0x73, 0x7B, 0x79))
_FORMAT: Final = frozenset((0x6B, 0x6A, 0x69))
"""CI fields of frames that hold records, records without DIB and VIB, DIB and VIB alone (lmn-wireless 2.5)."""

ALREADY_CLEAR: Final = "already in clear"
_CHECK: Final = b"\x2f\x2f"


@dataclass(frozen=True, slots=True)
class Reading:
    """A telegram that was read.

    Attributes:
        form: its frame format.
        telegram: its layers.
        contents: its records, None when there are none to read.
        state: of its protection: see Telegram.state, or ALREADY_CLEAR.
        trouble: what could not be read, in words; empty when all could.
        notes: what was found out about it.
        wired: the long frame it came in.
    """

    form: FrameFormat | str
    telegram: Telegram
    contents: Contents | None
    state: str
    trouble: str = ""
    notes: tuple[str, ...] = ()
    wired: WiredFrame | None = None


class TelegramReader:
    """Reads telegrams one after the other: full frames tell the formats of compact frames that come later, and the
    last piece of a message in pieces is read as the whole message."""

    def __init__(self) -> None:
        self._formats = FormatCache()
        self._pieces = Reassembly()

    def read(self, octets: bytes, key: bytes | None = None, form: FrameFormat | str | None = None) -> Reading:
        """What `octets` say; raises FrameError or LayerError when they are no telegram.

        Args:
            octets: one telegram, from L on; a long frame from 68 on.
            key: 16 octets of the meter's key, None when it is not known.
            form: its frame format, WIRED for a long frame; None: found out.
        """
        if form is None:
            form = _evident_form(octets)
            if form is None:
                return self._stripped_or_b(octets, key)
        return self._read(octets, key, form)

    def _stripped_or_b(self, octets: bytes, key: bytes | None) -> Reading:
        found, error = None, None
        try:
            found = self._read(octets, key, FrameFormat.STRIPPED)
            if not found.trouble:
                return found
        except (FrameError, LayerError) as raised:
            error = raised
        try:
            other = self._read(octets, key, FrameFormat.B)
        except (FrameError, LayerError):
            other = None
        if other is not None and not other.trouble:
            return replace(other, notes=(*other.notes, "frame format B: as a stripped telegram it makes no sense"))
        if found is None:
            raise error or FrameError("no telegram", 0)
        return found

    def _read(self, octets: bytes, key: bytes | None, form: FrameFormat | str) -> Reading:
        if isinstance(form, FrameFormat):
            wired = None
            opened = partial(open_, parse(octets, form))
        else:
            wired = decode_wired(octets)
            opened = partial(decode_body, wired)
        telegram = opened(key)
        notes: tuple[str, ...] = ()
        if telegram.afl is not None and telegram.afl.is_fragment:
            telegram, notes = self._with_pieces_before(telegram, telegram.afl, key)
        state: str = telegram.state
        if telegram.state == "encrypted" and key is None:
            clear = opened(None, predecrypted=True)
            if _is_clear(clear):
                telegram, state = clear, ALREADY_CLEAR
                notes = (f"the header announces {telegram.security}, but the payload is already in clear",)
        contents, trouble = self._contents(telegram)
        troubles = (telegram.trouble, trouble, wired.trouble if wired else "")
        return Reading(form, telegram, contents, state, "; ".join(filter(None, troubles)), notes, wired)

    def _with_pieces_before(self, telegram: Telegram, afl: Afl, key: bytes | None) -> tuple[Telegram, tuple[str, ...]]:
        """The whole message when `telegram` brings its last piece; else the piece, which says what it is."""
        parsed = telegram.parsed
        try:
            found = self._pieces.feed(parsed.link.address, afl, parsed.message)
            if found is not None:
                message = whole(parsed, *found)
                return open_(message, key), (f"put together from {afl.fragment} pieces",)
        except LayerError as error:
            return replace(telegram, trouble=error.reason), ()
        return replace(telegram, trouble=f"piece {afl.fragment} of a message, more must follow"), ()

    def _contents(self, telegram: Telegram) -> tuple[Contents | None, str]:
        """Records, and what is wrong with them."""
        ci, apl = telegram.ci, telegram.apl
        if telegram.state in ("encrypted", "failed"):
            return None, ""
        if ci is None:
            return None, ""
        if ci in _FULL:
            contents = decode_records(apl)
            self._formats.learn_records(contents)
            return contents, contents.trouble
        try:
            if ci in _COMPACT:
                found = unfold(apl, self._formats)
                contents = decode_records(found.apl)
                wrong = "" if found.whole else "the full CRC of the compact frame is wrong"
                return contents, contents.trouble or wrong
            if ci in _FORMAT:
                self._formats.learn_format(apl.removeprefix(_CHECK))
                return None, ""
        except RecordError as error:
            return Contents(rest=apl), str(error)
        if ci in MAKERS_CI:
            return Contents(manufacturer_data=apl), ""
        if not apl and ci in CI_NAMES:
            return None, ""
        what = CI_NAMES.get(ci, "not known here")
        return Contents(rest=apl), f"CI {ci:02X}: {what}; it holds no records that are read here"


def _evident_form(octets: bytes) -> FrameFormat | str | None:
    """The frame format when the octets leave no doubt, else None."""
    if is_wired(octets):
        return WIRED
    if not octets or len(octets) == octets[0] + 1:
        return None
    blocks = 1 + -(-(octets[0] - 9) // 16)
    return FrameFormat.A if len(octets) == octets[0] + 1 + 2 * blocks else FrameFormat.STRIPPED


def _is_clear(telegram: Telegram) -> bool:
    """Whether a telegram that was taken as already decrypted is so: its 2F2F or its payload CRC is there."""
    if telegram.trouble or telegram.state == "failed":
        return False
    return telegram.security == "ell-ctr" or telegram.apl.startswith(_CHECK)
