"""SML files and HDLC frames per second, beside smllib on the same dumps (and dlms-cosem on frames, where installed).

Both readers get one whole file per call and make typed entries of it, with the check sequences of the file and of each
message. Ours and the peer's runs take turns, so that a busy machine slows both; the fastest run of each counts.
"""

from __future__ import annotations

import logging
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
FRAME_OCTETS = 300
FRAMES = 200


def main() -> None:
    """Print the figures."""
    _sml()
    _hdlc()


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
    information = bytes(number % 251 for number in range(FRAME_OCTETS - 13))
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

    print(f"HDLC: I frames of {len(octets)} octets")
    rates = [FRAMES / seconds for seconds in _fastest(stream_reader, parse, build)]
    for name, rate in zip(("found in a stream", "parsed", "built"), rates, strict=True):
        print(f"  {name:18}{rate:9.0f} frames/s {rate * len(octets) / 1e6:7.1f} MB/s")
    try:
        from dlms_cosem.hdlc import address, frames
    except ImportError:
        print("  dlms-cosem        not installed, not measured")
        return
    client, server = address.HdlcAddress(16, None, "client"), address.HdlcAddress(1, 17, "server")
    theirs = frames.InformationFrame(client, server, information, 0, 1, segmented=False, final=True).to_bytes()
    [seconds] = _fastest(lambda: frames.InformationFrame.from_bytes(theirs))
    print(f"  dlms-cosem parsed {1 / seconds:9.0f} frames/s   ratio {rates[1] * seconds:.0f}")


if __name__ == "__main__":
    main()
