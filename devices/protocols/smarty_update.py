"""Contents of the firmware update in the service protocol: blocks out, progress back (all assumed, lmn-wired 5.5)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from devices.protocols.smarty_service import MAX_DATA, SmartyError

BLOCK_OCTETS: Final = MAX_DATA - 4
"""Octets of the image in the largest block."""

_PROGRESS: Final = struct.Struct(">BII4BBB")


class Stage(IntEnum):
    """Where an update stands."""

    IDLE = 0
    RECEIVING = 1
    CHECKING = 2
    CONFIRM = 3
    """All checks are good; it waits for yes or no."""
    REJECTED = 4
    """A check failed; the attempt is in the log."""
    INSTALLING = 5
    DONE = 6
    FAILED = 7
    """The installation failed; the old firmware runs, the attempt is in the log."""


class Verdict(IntEnum):
    """Of one check."""

    NOT_CHECKED = 0
    OK = 1
    NOK = 2


@dataclass(frozen=True, slots=True)
class ImageChecks:
    """What the meter found about an image.

    Attributes:
        undamaged: it is complete and undamaged.
        suits: it is made for this type of meter.
        signed: it carries the maker's signature.
        newer: its version is higher than the running one.
    """

    undamaged: Verdict = Verdict.NOT_CHECKED
    suits: Verdict = Verdict.NOT_CHECKED
    signed: Verdict = Verdict.NOT_CHECKED
    newer: Verdict = Verdict.NOT_CHECKED

    @property
    def good(self) -> bool:
        """Whether it may be installed."""
        return all(verdict is Verdict.OK for verdict in (self.undamaged, self.suits, self.signed, self.newer))

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the checks that found a fault."""
        return tuple(name for name in CHECKS if getattr(self, name) is Verdict.NOK)


CHECKS: Final[Mapping[str, str]] = {
    "undamaged": "complete and undamaged",
    "suits": "suits the type of the meter",
    "signed": "signed by the maker",
    "newer": "newer than the running firmware",
}
"""Field of ImageChecks -> what it says; the fourth is the rule that only a higher version may be loaded."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Answer to every command of the update.

    Attributes:
        stage: where it stands.
        received: octets of the image so far.
        size: octets of the whole image.
        checks: what is known of the image.
        version: major and minor of the image, (0, 0) while unknown.
    """

    stage: Stage = Stage.IDLE
    received: int = 0
    size: int = 0
    checks: ImageChecks = ImageChecks()
    version: tuple[int, int] = (0, 0)

    def to_bytes(self) -> bytes:
        """Data of the answer, 15 octets."""
        found = self.checks
        return _PROGRESS.pack(
            self.stage,
            self.received,
            self.size,
            found.undamaged,
            found.suits,
            found.signed,
            found.newer,
            *self.version,
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Progress:
        """Read the data of an answer. Raises SmartyError for anything else."""
        if len(data) != _PROGRESS.size:
            raise SmartyError(f"a progress of {len(data)} octets instead of {_PROGRESS.size}", len(data))
        stage, received, size, *verdicts, major, minor = _PROGRESS.unpack(data)
        if stage not in frozenset(Stage):
            raise SmartyError(f"stage {stage} of an update is unknown")
        for offset, verdict in enumerate(verdicts, 9):
            if verdict not in frozenset(Verdict):
                raise SmartyError(f"verdict {verdict} is unknown", offset)
        return cls(Stage(stage), received, size, ImageChecks(*map(Verdict, verdicts)), (major, minor))


def begin_data(size: int) -> bytes:
    """Data of UPDATE_BEGIN for an image of `size` octets."""
    return size.to_bytes(4, "big")


def read_begin(data: bytes) -> int:
    """Size of the image that a UPDATE_BEGIN announces."""
    if len(data) != 4:
        raise SmartyError(f"a size in {len(data)} octets instead of 4", len(data))
    return int.from_bytes(data, "big")


def block_data(offset: int, block: bytes) -> bytes:
    """Data of UPDATE_BLOCK: `block` stands at `offset` of the image."""
    if not 1 <= len(block) <= BLOCK_OCTETS:
        raise SmartyError(f"a block of {len(block)} octets, 1 to {BLOCK_OCTETS} are possible", 4)
    return offset.to_bytes(4, "big") + block


def read_block(data: bytes) -> tuple[int, bytes]:
    """Offset and octets of a UPDATE_BLOCK."""
    if len(data) < 5:
        raise SmartyError("a block without octets", len(data))
    return int.from_bytes(data[:4], "big"), data[4:]
