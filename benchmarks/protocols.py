"""SML files and HDLC frames per second, beside smllib on the same dumps and dlms-cosem on the same information.

Both readers of SML get one whole file per call and make typed entries of it, with the check sequences of the file and
of each message. Ours and the runs of others take turns, so that a busy machine slows all; the fastest run of each
counts.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from devices.clock import wall_seconds
from devices.protocols.hdlc import GATEWAY, Control, Frame, FrameKind, FrameReader, Selector
from devices.protocols.sml.transport import FileReader, SmlFile, split_raw

ROOT = Path(__file__).parents[1]
FOLDERS = (ROOT.parent / "shared" / "data" / "sml", ROOT / "tests" / "vectors" / "sml")
ROUNDS = 12
MIN_SECONDS = 0.05
INFORMATION_OCTETS = 300
FRAMES = 200
BUS_OCTETS = 200_000
BUS_RATE = 921_600 // 10
"""Octets per second on a saturated bus of 921 600 Bd, 8N1 (lmn-wired 1.1)."""


def main() -> None:
    """Print the figures."""
    _sml()
    _hdlc()
    print("Saturated buses of 921 600 Bd that one core reads, in pieces of 64 to 512 octets")
    _buses()


def _fastest(*runs: Callable[[], object]) -> list[float]:
    """Seconds that each run takes, at best, the runs taking turns."""
    best = [float("inf")] * len(runs)
    for _ in range(ROUNDS):
        for place, run in enumerate(runs):
            begin, count = wall_seconds(), 0
            while (taken := wall_seconds() - begin) < MIN_SECONDS or not count:
                run()
                count += 1
            best[place] = min(best[place], taken / max(count, 1))
    return best


def _sml() -> None:
    folder = next((folder for folder in FOLDERS if folder.is_dir()), None)
    if folder is None:
        print("SML: no dumps found, nothing measured")
        return
    dumps = sorted(folder.glob("*.bin"))
    raws = [raw for dump in dumps for raw in split_raw(dump.read_bytes())]
    octets = sum(map(len, raws))

    def ours() -> int:
        reader = FileReader()
        return sum(isinstance(one, SmlFile) and not one.errors for raw in raws for one in reader.feed(raw))

    print(f"SML: {len(raws)} files of {octets / len(raws):.0f} octets from {len(dumps)} dumps")
    try:
        from smllib import SmlStreamReader
        from smllib.errors import SmlLibException
    except ImportError:
        [own] = _fastest(ours)
        print(f"  this project   {len(raws) / own:9.0f} files/s   read without error: {ours()}")
        print("  smllib         not installed, not measured")
        return
    logging.getLogger("smllib").setLevel(logging.CRITICAL)

    def smllib() -> int:
        reader, good = SmlStreamReader(), 0
        for raw in raws:
            reader.add(raw)
            try:
                frame = reader.get_frame()
                if frame is not None:
                    frame.parse_frame()
                    good += 1
            except (SmlLibException, ValueError):
                reader.clear()
        return good

    own, peer = _fastest(ours, smllib)
    size = octets / 1e6
    print(f"  this project   {len(raws) / own:9.0f} files/s {size / own:7.2f} MB/s   read without error: {ours()}")
    name = f"smllib {version('smllib')}"
    print(f"  {name:14} {len(raws) / peer:9.0f} files/s {size / peer:7.2f} MB/s   read without error: {smllib()}")
    print(f"  ratio          {peer / own:9.1f}")


def _hdlc() -> None:
    information = bytes(number % 251 for number in range(INFORMATION_OCTETS))
    frame = Frame(0x44, GATEWAY, Selector.COSEM_CLEAR, Control(FrameKind.I), information)
    octets = frame.to_bytes()
    stream = octets * FRAMES

    def stream_reader() -> None:
        if len(FrameReader().feed(stream)) != FRAMES:
            raise AssertionError("the reader lost frames")

    def parse() -> None:
        for _ in range(FRAMES):
            Frame.from_bytes(octets)

    def build() -> None:
        for _ in range(FRAMES):
            frame.to_bytes()

    runs: list[Callable[[], object]] = [stream_reader, parse, build]
    theirs = _dlms_cosem(information)
    print(f"HDLC: I frames with {INFORMATION_OCTETS} octets of information")
    found, parsed, built, *peer = _fastest(*runs, *theirs)
    for name, seconds in (("found in a stream", found), ("parsed", parsed), ("built", built)):
        print(f"  {name:18}{FRAMES / seconds:9.0f} frames/s {len(stream) / seconds / 1e6:7.1f} MB/s")
    if not peer:
        print("  dlms-cosem        not installed, not measured")
        return
    for name, ours, seconds in (("parsed", parsed, peer[0]), ("built", built, peer[1])):
        what = f"by dlms-cosem {version('dlms-cosem')}"
        print(f"  {name:7}{what:20}{1 / seconds:9.0f} frames/s   ratio {seconds * FRAMES / ours:.0f}")


def _dlms_cosem(information: bytes) -> list[Callable[[], object]]:
    """Parsing and building of a frame of DLMS with the same information by dlms-cosem; nothing where it is missing."""
    try:
        from dlms_cosem.hdlc.address import HdlcAddress
        from dlms_cosem.hdlc.frames import InformationFrame
    except ImportError:
        return []
    to_client, from_server = HdlcAddress(16, None, "client"), HdlcAddress(1, 17, "server")
    frame = InformationFrame(to_client, from_server, information, receive_sequence_number=1)
    octets = frame.to_bytes()
    if InformationFrame.from_bytes(octets).payload != information:
        raise AssertionError("dlms-cosem does not read its own frame")
    return [lambda: InformationFrame.from_bytes(octets), frame.to_bytes]


def _buses() -> None:
    """How many saturated buses one core reads, octets coming in pieces as a serial port gives them."""
    rng = random.Random(1)
    short = Frame(0x44, GATEWAY, Selector.COSEM_CLEAR, Control(FrameKind.RR)).to_bytes()
    for name, size in (("300 octets", INFORMATION_OCTETS), ("30 octets", 30), ("none, 11 octets long", 0)):
        information = rng.randbytes(size)
        full = Frame(GATEWAY, 0x44, Selector.COSEM_CLEAR, Control(FrameKind.I), information).to_bytes()
        stream = (full if size else short) * (BUS_OCTETS // len(full if size else short))
        pieces = []
        place = 0
        while place < len(stream):
            pieces.append(stream[place : (place := place + rng.randint(64, 512))])

        def read(pieces: list[bytes] = pieces) -> int:
            reader = FrameReader()
            return sum(isinstance(one, Frame) for piece in pieces for one in reader.feed(piece))

        [seconds] = _fastest(read)
        rate = len(stream) / seconds
        print(f"  information {name:21} {rate / 1e6:6.1f} MB/s = {rate / BUS_RATE:5.0f} buses")


if __name__ == "__main__":
    main()
