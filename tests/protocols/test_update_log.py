"""Values, signed octets, trust and contradictions of the update log ([BZ] 5.1, 5.2.5; lmn-wired 5)."""

from __future__ import annotations

import random
import struct
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smarty_words import ENTRIES_SIGNATURE, KEY, STATUS_SIGNATURE

from devices.protocols.p256 import SigningKey
from devices.protocols.update_log import (
    ENTRIES_CHECKS,
    KEY_CHECKS,
    PAGE_ENTRIES,
    STATUS_CHECKS,
    TRUST,
    Check,
    Event,
    LogChecks,
    Trust,
    UpdateLog,
    UpdateLogEntry,
    UpdateLogError,
    UpdateLogStatus,
    check_log,
    from_page,
    signed_entries,
    signed_status,
    to_page,
)
from devices.protocols.update_log_findings import KINDS, NOTICES, findings

SERVER = bytes.fromhex("0A015341470001415D89")
OTHER_SERVER = bytes.fromhex("0A015341470001415D8A")
SIGNER = SigningKey.generate(random.Random(7))


def entry(number: int, second_index: int = 0, version: str = "V2.0", **values: int) -> UpdateLogEntry:
    crc = values.pop("crc", {"V2.0": 0x564C, "V99.99": 0x4751}.get(version, 0))
    event = Event.SUCCEEDED if version else Event.FAILED
    drawn, fed = values.pop("drawn", 0), values.pop("fed", 0)
    return UpdateLogEntry(number, second_index, event, drawn, fed, version, crc)


EXAMPLE = (entry(1, 282, "V99.99"), entry(2, 461), entry(3, 1631, "V99.99"), entry(4, 2864))
"""The entries of [BZ] 5.1."""
LOG = UpdateLog.signed(SERVER, SIGNER, False, EXAMPLE)

entries = st.builds(
    UpdateLogEntry,
    st.integers(0, 0xFFFF),
    st.integers(0, 2**32 - 1),
    st.sampled_from(Event),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=8),
    st.integers(0, 0xFFFF),
)


def test_the_signed_octets_are_those_of_the_proposal() -> None:
    assert signed_status(SERVER, UpdateLogStatus(4, True)) == b"UL1S" + SERVER + b"\x00\x04\x01"
    one = struct.pack(">HIBQQ8sH", 2, 461, 1, 7, 8, b"V2.0", 0x564C)
    assert signed_entries(SERVER, [entry(2, 461, drawn=7, fed=8)]) == b"UL1E" + SERVER + b"\x00\x01" + one
    assert len(one) == 33


def test_a_failed_attempt_has_an_empty_version_and_check_0() -> None:
    assert entry(1, 5, "").to_bytes()[-10:] == bytes(10)


def test_seven_entries_fit_into_a_message_and_come_back() -> None:
    page = to_page(8, [entry(number) for number in range(8, 15)])
    assert len(page) <= 252
    assert from_page(page) == (8, tuple(entry(number) for number in range(8, 15)))
    with pytest.raises(UpdateLogError):
        to_page(1, EXAMPLE * 2)


@given(st.integers(1, 0xFFFF), st.lists(entries, max_size=PAGE_ENTRIES))
def test_every_page_comes_back(first: int, page: list[UpdateLogEntry]) -> None:
    assert from_page(to_page(first, page)) == (first, tuple(page))


@given(st.binary(max_size=270))
def test_any_octets_are_a_page_a_status_an_entry_or_refused(data: bytes) -> None:
    for read in (from_page, UpdateLogStatus.from_bytes, UpdateLogEntry.from_bytes):
        try:
            read(data)
        except UpdateLogError as error:
            assert 0 <= error.offset <= len(data)


@pytest.mark.parametrize(("place", "octet"), [(3 + 6, 2), (3 + 33 + 23, 0x07), (3 + 23 + 1, 0x00)])
def test_an_entry_that_makes_no_sense_is_told_with_its_place(place: int, octet: int) -> None:
    page = bytearray(to_page(1, EXAMPLE))
    page[place] = octet
    with pytest.raises(UpdateLogError) as error:
        from_page(bytes(page))
    assert 3 <= error.value.offset <= place


# --- trust


def test_only_three_good_checks_are_trusted_the_last_falls_away_for_an_empty_log() -> None:
    assert set(TRUST) == set(product(KEY_CHECKS, STATUS_CHECKS, ENTRIES_CHECKS))
    assert {case for case, trust in TRUST.items() if trust is Trust.TRUSTED} == {
        (Check.OK, Check.OK, Check.OK),
        (Check.OK, Check.OK, Check.NONE),
    }


def test_a_true_log_with_the_key_of_its_label_is_trusted() -> None:
    checks = check_log(LOG, SIGNER.public)
    assert checks == LogChecks(Check.OK, Check.OK, Check.OK)
    assert checks.trust is Trust.TRUSTED


@pytest.mark.parametrize(
    "server_id",
    [b"", SERVER[:9], SERVER + b"\1", bytes(14), bytes(2) + SERVER + bytes(2), b"\x0b" + SERVER[1:] + bytes(4)],
)
def test_of_a_server_id_of_another_length_nothing_can_be_shown(server_id: bytes) -> None:
    """How a station record fills up its ids is open (lmn-wired 2, row 2): that is no fault of the log."""
    log = replace(LOG, server_id=server_id)
    checks = check_log(log, SIGNER.public)
    assert checks == LogChecks(Check.OK, Check.IMPOSSIBLE, Check.IMPOSSIBLE)
    assert checks.trust is Trust.NOT_TRUSTED
    assert check_log(replace(log, status_signature=bytes(64)), None).status is Check.NOK, "no signature of anything"


def test_a_server_id_filled_up_with_zeros_on_either_side_is_the_same() -> None:
    for filled in (SERVER + bytes(4), bytes(4) + SERVER):
        assert check_log(replace(LOG, server_id=filled), SIGNER.public).trust is Trust.TRUSTED
    other = OTHER_SERVER + bytes(4)
    assert check_log(replace(LOG, server_id=other), SIGNER.public).status is Check.NOK


def test_a_version_padded_with_spaces_is_read_and_a_signature_over_it_counts() -> None:
    """lmn-wired 5.6 proposes padded text and does not say padded with what."""
    octets = b"".join(
        struct.pack(">HIBQQ8sH", *_values(one), one.version.ljust(8).encode(), one.crc) for one in EXAMPLE
    )
    page = b"\0\1" + bytes((len(EXAMPLE),)) + octets
    assert from_page(page) == (1, EXAMPLE)
    over_entries = SIGNER.sign(b"UL1E" + SERVER + b"\0\4" + octets)
    log = replace(LOG, entries_signature=over_entries)
    assert check_log(log, SIGNER.public).trust is Trust.TRUSTED
    changed = replace(log, entries=(*EXAMPLE[:3], entry(4, 2865)))
    assert check_log(changed, SIGNER.public).entries is Check.NOK


def test_a_version_padded_with_both_is_refused() -> None:
    octets = bytearray(entry(1).to_bytes())
    octets[30] = 0x20
    with pytest.raises(UpdateLogError, match="printable"):
        UpdateLogEntry.from_bytes(bytes(octets))


def _values(one: UpdateLogEntry) -> tuple[int, int, int, int, int]:
    return one.number, one.second_index, one.event, one.register_1_8_0, one.register_2_8_0


def test_an_empty_log_needs_no_entries_signature() -> None:
    checks = check_log(UpdateLog.signed(SERVER, SIGNER, False, ()), SIGNER.public)
    assert checks == LogChecks(Check.OK, Check.OK, Check.NONE)
    assert checks.trust is Trust.TRUSTED


def test_entries_held_back_are_no_empty_log() -> None:
    held_back = replace(LOG, entries=(), entries_signature=b"")
    assert check_log(held_back, SIGNER.public).entries is Check.NOK


def test_a_skipped_key_check_reads_but_does_not_trust() -> None:
    checks = check_log(LOG, None)
    assert checks == LogChecks(Check.SKIPPED, Check.OK, Check.OK)
    assert checks.trust is Trust.NOT_TRUSTED


def test_another_key_on_the_label_is_not_trusted() -> None:
    assert check_log(LOG, KEY) == LogChecks(Check.NOK, Check.OK, Check.OK)


def test_a_key_off_the_curve_is_not_ok_even_if_the_label_says_the_same() -> None:
    bad = bytes(63) + b"\1"
    assert check_log(replace(LOG, public_key=bad), bad) == LogChecks(Check.NOK, Check.NOK, Check.NOK)


def test_a_log_cannot_be_moved_to_another_meter() -> None:
    assert check_log(replace(LOG, server_id=OTHER_SERVER), SIGNER.public) == LogChecks(Check.OK, Check.NOK, Check.NOK)


def test_the_signatures_of_the_manual_are_not_over_these_octets() -> None:
    """The maker's signed octets are unknown: with them this would have to read OK."""
    makers = UpdateLog(SERVER, KEY, UpdateLogStatus(4, False), STATUS_SIGNATURE, EXAMPLE, ENTRIES_SIGNATURE)
    assert check_log(makers, KEY) == LogChecks(Check.OK, Check.NOK, Check.NOK)


@pytest.mark.parametrize(
    "change",
    [
        {"second_index": 283},
        {"event": Event.FAILED},
        {"register_1_8_0": 1},
        {"register_2_8_0": 1},
        {"version": "V99.98"},
        {"crc": 0x4750},
        {"number": 2},
    ],
)
def test_every_changed_field_of_an_entry_is_seen(change: dict[str, int]) -> None:
    changed = replace(LOG, entries=(replace(EXAMPLE[0], **change), *EXAMPLE[1:]))  # type: ignore[arg-type]
    assert check_log(changed, SIGNER.public) == LogChecks(Check.OK, Check.OK, Check.NOK)


@pytest.mark.parametrize("status", [UpdateLogStatus(3, False), UpdateLogStatus(4, True)])
def test_a_changed_status_is_seen(status: UpdateLogStatus) -> None:
    assert check_log(replace(LOG, status=status), SIGNER.public).status is Check.NOK


# --- contradictions


def kinds(log: tuple[UpdateLogEntry, ...], count: int | None = None, **options: str) -> list[str]:
    status = UpdateLogStatus(len(log) if count is None else count, False)
    return [finding.kind for finding in findings(status, log, **options)]


def test_the_example_of_the_manual_is_consistent_but_for_two_downgrades() -> None:
    found = findings(UpdateLogStatus(4, False), EXAMPLE, "ENSO-MME V2.0")
    assert [(one.kind, one.values[0], one.notice) for one in found] == [("downgrade", 2, True), ("downgrade", 4, True)]
    assert found[0].text() == "Eintrag 2: auf V99.99 folgt die niedrigere Version V2.0"
    assert found[0].text(german=False) == "entry 2: the lower version V2.0 follows V99.99"
    assert set(KINDS) > NOTICES


@pytest.mark.parametrize(
    ("log", "kind"),
    [
        ((entry(1, 10), entry(3, 20)), "number"),
        ((entry(1, 10), entry(2, 9)), "second_index"),
        ((entry(1, drawn=5), entry(2, drawn=4)), "register_1_8_0"),
        ((entry(1, fed=5), entry(2, fed=4)), "register_2_8_0"),
        ((entry(1, 0, "", crc=5),), "failure_with_version"),
        ((replace(entry(1, 0, ""), event=Event.SUCCEEDED),), "success_without_version"),
        ((entry(1), entry(2, crc=1)), "version_crc"),
        ((entry(1), entry(2, 0, "V2.1", crc=0x564C)), "crc_version"),
        ((entry(1, 0, "V2.10", crc=1), entry(2, 0, "V2.9", crc=2)), "downgrade"),
    ],
)
def test_each_contradiction_is_found_and_told_in_words(log: tuple[UpdateLogEntry, ...], kind: str) -> None:
    assert kinds(log) == [kind]
    for finding in findings(UpdateLogStatus(len(log), False), log):
        assert "{" not in finding.text() + finding.text(german=False)


def test_equal_readings_and_failures_between_are_no_contradiction() -> None:
    assert kinds((entry(1, 5, drawn=3), entry(2, 5, "", drawn=3), entry(3, 5, drawn=3))) == []


def test_the_count_must_be_that_of_the_entries() -> None:
    assert kinds(EXAMPLE[:1], 4) == ["count"]
    assert [one.kind for one in findings(UpdateLogStatus(0, True), ())] == ["full_but_empty"]


def test_the_last_success_is_what_runs() -> None:
    log = (entry(1, 5, "V2.9", crc=9), entry(2, 6, "V2.10", crc=10), entry(3, 7, ""))
    assert kinds(log, firmware="ENSO-MME V2.10") == []
    assert kinds(log, firmware="ENSO-MME V2.9") == ["running"]
    assert kinds((), firmware="ENSO-MME V2.0") == []
