"""Traces must be readable by other people's programs, and after a kill."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from devices.clock import VIRTUAL_EPOCH, Clock
from devices.errors import BenchError
from devices.ports.memory import memory_pair
from devices.ports.pcapng import (
    LINKTYPE_ETHERNET,
    LINKTYPE_USER0,
    PcapngError,
    PcapngWriter,
    parse_pcapng,
    read_pcapng,
)
from devices.ports.tap import tap

T0 = datetime(2026, 1, 5, 12, 30, 15, 123456, tzinfo=UTC)


async def test_a_tap_records_both_directions_with_time_and_disturbs_nothing(clock: Clock) -> None:
    near, far = memory_pair(clock, ("bench", "gateway"))
    recorded: list[tuple[float, str, bytes]] = []
    tapped = tap(clock, near, lambda t, direction, data: recorded.append((t, direction, data)))
    heard_far, heard_near = bytearray(), bytearray()
    far.set_receiver(heard_far.extend)
    tapped.set_receiver(heard_near.extend)
    await clock.sleep(2)
    tapped.write(b"ping")
    await clock.sleep(1)
    far.write(b"pong")
    await clock.sleep(1)
    tapped.set_receiver(None)
    far.write(b"unheard")
    await clock.sleep(1)
    assert recorded == [(2, "out", b"ping"), (3, "in", b"pong"), (4, "in", b"unheard")]
    assert (heard_far, heard_near) == (b"ping", b"pong")
    assert tapped.name == "bench"
    lost: list[str] = []
    tapped.on_lost = lambda error: lost.append(str(error))
    far.close()
    await clock.sleep(1)
    assert lost == ["bench: the other end (gateway) was closed"]


def written(path: Path) -> Path:
    with PcapngWriter(path, interfaces=("LMN",), comment="one meter, one list") as writer:
        writer.write(T0, b"\x7e\xa0\x07\x7e", "out")
        writer.write(T0 + timedelta(microseconds=1), b"\x7e" * 5, "in", comment="SNRM answered")
        writer.add_interface("HAN", LINKTYPE_ETHERNET)
        writer.write(T0 + timedelta(seconds=1), bytes(range(60)), "in", "HAN")
        writer.write(T0 + timedelta(seconds=2), b"", None, "LMN")
    return path


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    capture = read_pcapng(written(tmp_path / "a.pcapng"))
    assert (capture.application, capture.comments, capture.torn) == ("smgw-bench", ("one meter, one list",), False)
    assert [(one.name, one.link_type) for one in capture.interfaces] == [
        ("LMN", LINKTYPE_USER0),
        ("HAN", LINKTYPE_ETHERNET),
    ]
    assert [(packet.data, packet.direction, packet.t) for packet in capture.packets] == [
        (b"\x7e\xa0\x07\x7e", "out", T0),
        (b"\x7e" * 5, "in", T0 + timedelta(microseconds=1)),
        (bytes(range(60)), "in", T0 + timedelta(seconds=1)),
        (b"", None, T0 + timedelta(seconds=2)),
    ]
    assert capture.packets[1].comments == ("SNRM answered",)
    assert capture.packets[0].t_ns == 1_767_616_215_123_456_000


def test_the_octets_of_a_file_are_those_of_the_specification(tmp_path: Path) -> None:
    """Enhanced packet block with flags, written by hand after the draft (block 4.3, option epb_flags)."""
    with PcapngWriter(tmp_path / "b.pcapng", interfaces=("LMN",)) as writer:
        before = writer.path.stat().st_size
        writer.write(datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC), b"\x01\x02\x03\x04\x05", "in")
    ticks = 5_000_000_000
    expected = struct.pack(
        "<IIIIIII8sHHIHHI", 6, 52, 0, ticks >> 32, ticks & 0xFFFFFFFF, 5, 5, b"\1\2\3\4\5\0\0\0", 2, 4, 1, 0, 0, 52
    )
    assert writer.path.read_bytes()[before:] == expected


def test_a_torn_last_block_is_left_out_wherever_it_was_torn(tmp_path: Path) -> None:
    whole = written(tmp_path / "a.pcapng").read_bytes()
    complete = len(read_pcapng(tmp_path / "a.pcapng").packets)
    seen = set()
    for length in range(4, len(whole)):
        capture = parse_pcapng(whole[:length])
        assert len(capture.packets) < complete
        seen.add((len(capture.packets), capture.torn))
    assert seen >= {(packets, True) for packets in range(complete)}


def test_damage_in_the_middle_is_reported_with_its_offset(tmp_path: Path) -> None:
    whole = bytearray(written(tmp_path / "a.pcapng").read_bytes())
    (first,) = struct.unpack_from("<I", whole, 4)
    whole[first + 4] ^= 0x04
    with pytest.raises(PcapngError, match=rf"at octet {first}\)"):
        parse_pcapng(bytes(whole))
    with pytest.raises(PcapngError, match="no pcapng"):
        parse_pcapng(b"GIF89a and so on")


def test_captures_of_the_other_byte_order_and_of_other_resolutions_are_read() -> None:
    section = struct.pack(">IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    options = struct.pack(">HHB3xHHqHH", 9, 1, 0x80 | 10, 14, 8, 100, 0, 0)
    interface = struct.pack(">IIHHI", 1, 20 + len(options), 147, 0, 0) + options
    interface += struct.pack(">I", 20 + len(options))
    packet = struct.pack(">IIIIIII4sI", 6, 36, 0, 0, 1536, 3, 9, b"abc\0", 36)
    unknown = struct.pack(">III", 0xBAD, 12, 12)
    capture = parse_pcapng(section + interface + unknown + packet)
    assert capture.packets[0].t_ns == 101_500_000_000
    assert (capture.packets[0].data, capture.packets[0].original_length) == (b"abc", 9)


def test_whatever_the_octets_the_reader_raises_its_own_error_only(tmp_path: Path) -> None:
    whole = written(tmp_path / "a.pcapng").read_bytes()
    for position in range(len(whole)):
        for flip in (0x01, 0x80, 0xFF):
            damaged = bytearray(whole)
            damaged[position] ^= flip
            try:
                parse_pcapng(bytes(damaged))
            except PcapngError as error:
                assert 0 <= error.offset < len(whole)


def test_a_killed_writer_leaves_a_file_that_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "killed.pcapng"
    program = (
        "import itertools, sys\n"
        "from datetime import datetime, timedelta, UTC\n"
        "from devices.ports.pcapng import PcapngWriter\n"
        "writer = PcapngWriter(sys.argv[1], interfaces=('LMN',))\n"
        "for n in itertools.count():\n"
        "    writer.write(datetime(2026, 1, 5, tzinfo=UTC) + timedelta(microseconds=n), b'x' * 300, 'in')\n"
        "    if n == 100: print('going', flush=True)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == b"going\n"
        os.kill(child.pid, signal.SIGKILL)
        child.wait(10)
    capture = read_pcapng(path)
    assert len(capture.packets) > 100
    assert capture.packets[-1].t is not None
    assert capture.packets[-1].t - VIRTUAL_EPOCH == timedelta(microseconds=len(capture.packets) - 1)


def test_a_full_disk_is_trouble_of_the_bench(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="cannot be written: No space left"):
        PcapngWriter("/dev/full", interfaces=("LMN",))
    with pytest.raises(BenchError, match="cannot be written: No such file"):
        PcapngWriter(tmp_path / "missing" / "lmn.pcapng")


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed: traces not tried with it")
def test_tshark_reads_times_directions_comments_and_interfaces(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pcapng")
    fields = (
        "frame.time_epoch",
        "frame.len",
        "frame.packet_flags_direction",
        "frame.interface_name",
        "frame.comment",
    )
    command = ["tshark", "-r", str(path), "-T", "fields", "-E", "separator=|"]
    command += [part for field in fields for part in ("-e", field)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.splitlines() == [
        "1767616215.123456000|4|0x00000002|LMN|",
        "1767616215.123457000|5|0x00000001|LMN|SNRM answered",
        "1767616216.123456000|60|0x00000001|HAN|",
        "1767616217.123456000|0||LMN|",
    ]
    info = subprocess.run(["capinfos", str(path)], capture_output=True, text=True, timeout=60, check=False).stdout
    assert "smgw-bench" in info
    assert "nanoseconds" in info
