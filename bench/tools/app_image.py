"""`smgw-bench app-image build`: images of application firmware for emulated meters, signed with a public test key."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final

from bench.tools.screen import Screen
from devices.errors import BenchError, Place, UsageError
from devices.protocols.app_image import BENCH_MAKER, AppImage, ImageError, Version, build_image
from devices.protocols.p256 import SigningKey
from devices.protocols.smarty_service import METER_TYPE

LARGEST: Final = 1 << 20
TEST_KEY: Final = "TEST KEY of smgw-bench, known to everybody"
FOREIGN: Final = SigningKey.named("smgw-bench: somebody whom no meter knows")


def build(
    version: str,
    out: Path,
    screen: Screen,
    *,
    payload: Path | None = None,
    size: int = 32_768,
    meter_type: str | None = None,
    foreign_key: bool = False,
) -> int:
    """Write an image to `out`; returns the exit code 0. Raises UsageError, BenchError."""
    if not 1 <= size <= LARGEST:
        raise UsageError(f"--size {size} is not within 1..{LARGEST}")
    if payload is None:
        # The same version always gives the same octets, so that its CRC is always the same.
        octets = random.Random(f"test firmware {version}").randbytes(size)
    else:
        try:
            octets = payload.read_bytes()
        except OSError as error:
            raise UsageError(f"cannot be read: {error.strerror}", place=Place(payload)) from None
        if not octets:
            raise UsageError("there is nothing in it: a firmware has at least one octet", place=Place(payload))
    try:
        image = build_image(
            octets, Version.parse(version), meter_type or METER_TYPE, FOREIGN if foreign_key else BENCH_MAKER
        )
    except ImageError as problem:
        raise UsageError(str(problem)) from None
    try:
        out.write_bytes(image)
    except OSError as error:
        raise BenchError(f"{out} cannot be written: {error.strerror}") from error
    made = AppImage.from_bytes(image)
    signer = "a key that no meter knows" if foreign_key else TEST_KEY
    screen.line(
        f"{out}: {made.meter_type} {made.version}, {len(image)} octets, CRC 0x{made.crc:04x}, signed by {signer}"
    )
    screen.line("good for emulated meters only: the maker's own format is not known")
    return 0
