"""The SMARTY BZ-PLUS v2: identity, log and firmware update by its service protocol ([BZ] 5, 6; lmn-wired 5)."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from smarty_tool import IMAGE, PAYLOAD, Refusing, Silent, Tool, events, reason

from devices.clock import Clock
from devices.meters.load_profile import constant
from devices.meters.smarty_bz import SmartyBz
from devices.meters.smarty_metrology import UPDATE_FAULTS
from devices.protocols.app_image import Version, build_image, payload_with_crc
from devices.protocols.p256 import SigningKey
from devices.protocols.smarty_service import Answer, Command, CrcOrder, MeterIdentity, Refusal, Request
from devices.protocols.smarty_update import Stage, begin_data, block_data
from devices.protocols.sml.server_id import server_id
from devices.protocols.update_log import Check, Event, LogChecks, Trust, UpdateLogEntry, check_log
from devices.protocols.update_log_findings import findings

FIRST = UpdateLogEntry(1, 282, Event.SUCCEEDED, 0, 0, "V2.0", 0x564C)


def meter(clock: Clock, **options: Any) -> tuple[SmartyBz, Tool]:
    one = SmartyBz(clock, profile=constant(3_600_000), **options)
    return one, Tool(one)


def image(version: str, payload: bytes = PAYLOAD, **options: Any) -> bytes:
    return build_image(payload, Version.parse(version), **options)


# --- what it says about itself


def test_identity_and_version_are_those_of_the_manual(clock: Clock) -> None:
    one, tool = meter(clock)
    assert one.server_id == server_id("1SAG0021061001")
    assert MeterIdentity.from_bytes(tool.ask(Command.IDENTITY)).number == "1SAG0021061001"
    assert tool.ask(Command.FIRMWARE_VERSION) == b"ENSO-MME V2.0"
    assert one.metrology_version == "01.25"
    assert one.software == ("01.25", "2.0")


def test_the_key_of_the_log_follows_from_the_seed_and_is_on_the_label(clock: Clock) -> None:
    keys = [meter(clock, rng=random.Random(seed))[1].ask(Command.PUBLIC_KEY) for seed in (1, 1, 2)]
    assert keys[0] == keys[1] != keys[2]
    one, tool = meter(clock)
    assert tool.ask(Command.PUBLIC_KEY) == one.label_key == one.public_key
    assert one.label_key != meter(clock, identity="1SAG0021061002")[0].label_key


def test_the_log_of_a_new_meter_is_empty_signed_and_trusted(clock: Clock) -> None:
    one, tool = meter(clock)
    log = tool.log()
    assert (log.status.count, log.status.full, log.entries) == (0, False, ())
    assert check_log(log, one.label_key) == LogChecks(Check.OK, Check.OK, Check.NONE)


def test_a_meter_may_come_with_a_history_and_with_a_full_log(clock: Clock) -> None:
    one, tool = meter(clock, history=[FIRST], log_capacity=1)
    assert tool.true_log() == (FIRST,)
    assert tool.log().status.full
    with pytest.raises(ValueError, match="log for 1 entries"):
        SmartyBz(clock, history=[FIRST, FIRST], log_capacity=1)
    assert one.firmware == "ENSO-MME V2.0"


@pytest.mark.parametrize(
    ("message", "refusal"),
    [
        (b"", Refusal.DAMAGED),
        (bytes.fromhex("00031ED3AC"), Refusal.DAMAGED),
        (Request(0x55).to_bytes(), Refusal.UNKNOWN_COMMAND),
        (Request(Command.ERROR).to_bytes(), Refusal.UNKNOWN_COMMAND),
        (Request(Command.IDENTITY, b"x").to_bytes(), Refusal.BAD_DATA),
        (Request(Command.LOG_ENTRIES).to_bytes(), Refusal.BAD_DATA),
        (Request(Command.LOG_ENTRIES, b"\0\0").to_bytes(), Refusal.BAD_DATA),
        (Request(Command.UPDATE_BEGIN, b"\0\0\0").to_bytes(), Refusal.BAD_DATA),
        (Request(Command.UPDATE_BEGIN, begin_data(0)).to_bytes(), Refusal.BAD_DATA),
        (Request(Command.UPDATE_BEGIN, begin_data(2**32 - 1)).to_bytes(), Refusal.TOO_LARGE),
        (Request(Command.UPDATE_BLOCK, bytes(4)).to_bytes(), Refusal.BAD_DATA),
        (Request(Command.UPDATE_BLOCK, bytes(5)).to_bytes(), Refusal.WRONG_STATE),
        (Request(Command.UPDATE_CHECK).to_bytes(), Refusal.WRONG_STATE),
        (Request(Command.UPDATE_ACTIVATE).to_bytes(), Refusal.WRONG_STATE),
    ],
)
def test_what_cannot_be_served_is_refused_with_a_reason(clock: Clock, message: bytes, refusal: Refusal) -> None:
    one, _ = meter(clock)
    refused = Answer.from_bytes(one.application_cpu.message(message)).refused
    assert refused is not None
    assert refused.reason is refusal


def test_the_inner_check_can_be_low_octet_first(clock: Clock) -> None:
    one, _ = meter(clock, crc_order=CrcOrder.LOW_FIRST)
    answer = one.application_cpu.message(Request(Command.IDENTITY).to_bytes(CrcOrder.LOW_FIRST))
    assert Answer.from_bytes(answer, CrcOrder.LOW_FIRST).command == Command.IDENTITY


# --- an update


async def test_an_update_installs_and_logs_what_runs_then(clock: Clock) -> None:
    one, tool = meter(clock)
    await clock.sleep(3600)
    seen: list[tuple[float, bool]] = []
    one.on_bus = lambda on: seen.append((clock.seconds() - 3600, on))
    progress = await tool.update(clock, image("V99.99", payload_with_crc(PAYLOAD, 0x4751)))
    assert (progress.stage, progress.version) == (Stage.DONE, (99, 99))
    assert tool.firmware() == "ENSO-MME V99.99"
    assert one.software == ("01.25", "99.99")
    [entry] = tool.true_log()
    assert entry == UpdateLogEntry(1, 3623, Event.SUCCEEDED, 3623, 0, "V99.99", 0x4751), "3 600 W: one Wh a second"
    assert seen == [(3.5, False), (25.5, True)]


async def test_while_it_installs_the_application_is_silent_and_the_metrology_counts_on(clock: Clock) -> None:
    one, tool = meter(clock)
    tool.send()
    tool.step(Command.UPDATE_CHECK)
    await clock.sleep(3)
    before = one.second_index(), one.totals()[0]
    assert tool.step(Command.UPDATE_ACTIVATE).stage is Stage.INSTALLING
    await clock.sleep(10)
    with pytest.raises(Silent):
        tool.firmware()
    assert one.answer(b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01") == b""
    assert (one.second_index(), one.totals()[0]) == (before[0] + 10, before[1] + 10)
    await clock.sleep(15)
    assert tool.firmware() == "ENSO-MME V2.1"


async def test_no_keeps_the_old_firmware_and_leaves_no_entry(clock: Clock) -> None:
    _, tool = meter(clock)
    tool.send()
    tool.step(Command.UPDATE_CHECK)
    await clock.sleep(3)
    assert tool.state().stage is Stage.CONFIRM
    assert tool.step(Command.UPDATE_ABORT).stage is Stage.IDLE
    await clock.sleep(60)
    assert (tool.firmware(), tool.true_log()) == ("ENSO-MME V2.0", ())
    with pytest.raises(Refusing):
        tool.step(Command.UPDATE_ACTIVATE)


@pytest.mark.parametrize(
    ("wrong", "failed"),
    [
        (IMAGE[:-1], ("undamaged",)),
        (IMAGE[:-1] + b"x", ("undamaged",)),
        (b"MZ" + bytes(500), ("undamaged",)),
        (image("V2.1", meter_type="IX130"), ("suits",)),
        (image("V2.1", maker=SigningKey.named("stranger")), ("signed",)),
        (image("V2.0"), ("newer",)),
        (image("V1.9", meter_type="IX130"), ("suits", "newer")),
    ],
)
async def test_every_failed_check_is_logged_and_the_old_firmware_runs(
    clock: Clock, wrong: bytes, failed: tuple[str, ...]
) -> None:
    _, tool = meter(clock)
    progress = await tool.update(clock, wrong)
    assert (progress.stage, progress.checks.failed) == (Stage.REJECTED, failed)
    [entry] = tool.true_log()
    assert (entry.event, entry.version, entry.crc, entry.second_index) == (Event.FAILED, "", 0, 2)
    assert tool.firmware() == "ENSO-MME V2.0"
    assert (await tool.update(clock)).stage is Stage.DONE, "and the next attempt succeeds"
    assert events(tool.true_log()) == [0, 1]


async def test_an_image_cut_short_is_not_complete(clock: Clock) -> None:
    _, tool = meter(clock)
    tool.step(Command.UPDATE_BEGIN, begin_data(len(IMAGE)))
    tool.step(Command.UPDATE_BLOCK, block_data(0, IMAGE[:200]))
    tool.step(Command.UPDATE_CHECK)
    await clock.sleep(3)
    assert tool.state().checks.failed == ("undamaged",)
    assert events(tool.true_log()) == [0]


async def test_blocks_follow_each_other_and_the_meter_says_which_is_next(clock: Clock) -> None:
    _, tool = meter(clock)
    tool.step(Command.UPDATE_BEGIN, begin_data(300))
    assert tool.step(Command.UPDATE_BLOCK, block_data(0, bytes(100))).received == 100
    for offset in (0, 99, 101):
        with pytest.raises(Refusing) as refused:
            tool.step(Command.UPDATE_BLOCK, block_data(offset, b"x"))
        assert refused.value.args == (Refusal.WRONG_OFFSET, 100)
    with pytest.raises(Refusing) as refused:
        tool.step(Command.UPDATE_BLOCK, block_data(100, bytes(201)))
    assert reason(refused) is Refusal.BAD_DATA
    tool.service.opened()
    assert tool.state().received == 100, "a new link goes on where the old one ended"
    assert tool.step(Command.UPDATE_BEGIN, begin_data(10)).received == 0
    assert tool.true_log() == ()


async def test_while_it_checks_nothing_else_can_be_done(clock: Clock) -> None:
    _, tool = meter(clock)
    tool.send()
    tool.step(Command.UPDATE_CHECK)
    for command, data in (
        (Command.UPDATE_BEGIN, begin_data(5)),
        (Command.UPDATE_BLOCK, block_data(0, b"x")),
        (Command.UPDATE_CHECK, b""),
        (Command.UPDATE_ACTIVATE, b""),
        (Command.UPDATE_ABORT, b""),
    ):
        with pytest.raises(Refusing) as refused:
            tool.step(command, data)
        assert reason(refused) is Refusal.BUSY


async def test_versions_compare_by_number_and_downgrades_only_with_the_switch(clock: Clock) -> None:
    _, tool = meter(clock, version="2.9")
    assert (await tool.update(clock, image("V2.10"))).stage is Stage.DONE
    assert (await tool.update(clock, image("V2.9"))).checks.failed == ("newer",)
    one, tool = meter(clock, allow_downgrade=True)
    makers = image("V99.99", payload_with_crc(PAYLOAD, 0x4751)), image("V2.0", payload_with_crc(PAYLOAD, 0x564C))
    for _ in range(2):
        for each in makers:
            assert (await tool.update(clock, each)).stage is Stage.DONE
    log = tool.log()
    assert [(entry.version, entry.crc) for entry in log.entries] == [("V99.99", 0x4751), ("V2.0", 0x564C)] * 2
    assert check_log(log, one.label_key).trust is Trust.TRUSTED
    assert {finding.kind for finding in findings(log.status, log.entries, tool.firmware())} == {"downgrade"}


async def test_the_same_version_again_is_logged_as_what_it_is_when_allowed(clock: Clock) -> None:
    _, tool = meter(clock, allow_downgrade=True)
    for _ in range(2):
        assert (await tool.update(clock)).stage is Stage.DONE
    assert events(tool.true_log()) == [1, 1]


async def test_a_full_log_refuses_before_the_transfer(clock: Clock) -> None:
    one, tool = meter(clock, log_capacity=2)
    await tool.update(clock, IMAGE[:-1])
    assert not tool.log().status.full
    await tool.update(clock)
    assert tool.log().status.full
    with pytest.raises(Refusing) as refused:
        tool.step(Command.UPDATE_BEGIN, begin_data(10))
    assert refused.value.args == (Refusal.LOG_FULL, 2)
    assert events(tool.true_log()) == [0, 1]
    assert one.firmware == "ENSO-MME V2.1"


async def test_a_long_log_is_read_in_pages(clock: Clock) -> None:
    history = [UpdateLogEntry(number, number, Event.FAILED, 0, 0) for number in range(1, 51)]
    _, tool = meter(clock, history=history, log_capacity=60)
    assert tool.true_log() == tuple(history)


# --- faults


async def test_a_fault_of_the_storage_is_found_by_the_checks(clock: Clock) -> None:
    one, tool = meter(clock)
    one.provoke("image_damaged")
    assert (await tool.update(clock)).checks.failed == ("undamaged",)
    assert (await tool.update(clock)).stage is Stage.DONE, "once only"
    assert events(tool.true_log()) == [0, 1]


async def test_a_failed_installation_is_logged_and_the_old_firmware_runs(clock: Clock) -> None:
    one, tool = meter(clock)
    one.provoke("install_fails")
    assert (await tool.update(clock)).stage is Stage.FAILED
    assert tool.firmware() == "ENSO-MME V2.0"
    assert events(tool.true_log()) == [0]


@pytest.mark.parametrize(
    ("fault", "checks"),
    [
        ("wrong_signing_key", LogChecks(Check.OK, Check.NOK, Check.NOK)),
        ("other_key", LogChecks(Check.NOK, Check.OK, Check.OK)),
        ("status_signature_wrong", LogChecks(Check.OK, Check.NOK, Check.OK)),
        ("entries_signature_wrong", LogChecks(Check.OK, Check.OK, Check.NOK)),
    ],
)
async def test_faults_of_keys_and_signatures_are_seen_by_the_reader(
    clock: Clock, fault: str, checks: LogChecks
) -> None:
    one, tool = meter(clock, history=[FIRST])
    one.provoke(fault)
    assert check_log(tool.log(), one.label_key) == checks
    one.provoke(fault, False)
    assert tool.true_log() == (FIRST,)


def test_an_unknown_fault_is_refused(clock: Clock) -> None:
    one, _ = meter(clock)
    with pytest.raises(ValueError, match=next(iter(UPDATE_FAULTS))):
        one.provoke("nothing")


@pytest.mark.parametrize("bit", [0, 7, 31])
async def test_a_bit_flipped_in_a_stored_entry_breaks_the_signature_and_is_never_signed_anew(
    clock: Clock, bit: int
) -> None:
    one, tool = meter(clock, history=[FIRST])
    tool.send()
    tool.step(Command.UPDATE_CHECK)
    await clock.sleep(3)
    one.metrology_cpu.tamper(1, bit)
    assert check_log(tool.log(), one.label_key) == LogChecks(Check.OK, Check.OK, Check.NOK)
    with pytest.raises(Refusing) as refused:
        tool.step(Command.UPDATE_ACTIVATE)
    assert reason(refused) is Refusal.LOG_BROKEN
    tool.step(Command.UPDATE_ABORT)
    with pytest.raises(Refusing) as refused:
        tool.step(Command.UPDATE_BEGIN, begin_data(10))
    assert reason(refused) is Refusal.LOG_BROKEN
    one.metrology_cpu.tamper(1, bit)
    assert tool.true_log() == (FIRST,)


async def test_a_log_damaged_while_an_image_is_checked_stays_unsigned(clock: Clock) -> None:
    one, tool = meter(clock, history=[FIRST])
    seen: list[str] = []
    one.on_event = lambda kind, _: seen.append(kind)
    tool.send(IMAGE[:-1])
    tool.step(Command.UPDATE_CHECK)
    one.metrology_cpu.tamper(1)
    await clock.sleep(3)
    assert check_log(tool.log(), one.label_key).entries is Check.NOK
    assert len(tool.log().entries) == 1
    assert "log_broken" in seen


# --- a second opinion


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl program is not installed")
async def test_openssl_verifies_the_log_of_a_meter_from_octets_made_by_hand(clock: Clock, tmp_path: Path) -> None:
    """Key and signatures wrapped in DER here, the signed octets put together from lmn-wired 5.6."""
    one, tool = meter(clock)
    await clock.sleep(100)
    await tool.update(clock, IMAGE[:-1])
    await tool.update(clock, image("V99.99", payload_with_crc(PAYLOAD, 0x4751)))
    log, server = tool.log(), bytes.fromhex("0A015341470001415D89")
    # SubjectPublicKeyInfo of a point on prime256v1, RFC 5480.
    spki = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200 04") + one.label_key
    (tmp_path / "key.der").write_bytes(spki)
    # The first checks end at 102 s; the second attempt begins at 103, the yes comes at 106, 20.5 s later it runs.
    seconds = [entry.second_index for entry in log.entries]
    entries = struct.pack(">HIBQQ8sH", 1, seconds[0], 0, seconds[0], 0, b"", 0)
    entries += struct.pack(">HIBQQ8sH", 2, seconds[1], 1, seconds[1], 0, b"V99.99", 0x4751)
    assert seconds == [102, 126]
    for octets, signature, good in (
        (b"UL1S" + server + b"\0\2\0", log.status_signature, True),
        (b"UL1E" + server + b"\0\2" + entries, log.entries_signature, True),
        (b"UL1E" + server + b"\0\2" + entries[:-1] + b"\x50", log.entries_signature, False),
    ):
        halves = (int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
        (tmp_path / "signature").write_bytes(encode_dss_signature(*halves))
        command = ["openssl", "dgst", "-sha256", "-keyform", "DER", "-verify", "key.der", "-signature", "signature"]
        done = subprocess.run(command, input=octets, cwd=tmp_path, capture_output=True, check=False)  # noqa: ASYNC221
        assert (done.returncode == 0) is good, done.stderr
