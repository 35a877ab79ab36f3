"""What the master says of a link that failed: by how it failed, not by the words for it (lmn-wired 1.7)."""

from __future__ import annotations

import pytest

from devices.clock import Clock
from devices.ports.hdlc_master import HdlcMaster, LinkTrouble
from devices.ports.memory import memory_pair
from devices.protocols.hdlc import GATEWAY, Control, Frame, FrameKind, Selector, StationRecord
from devices.protocols.hdlc_link import Failed, Failure, LinkLimits, PrimaryLink, Step


@pytest.mark.parametrize(
    ("failure", "kind", "alive"),
    [
        (Failure.NO_LINK, "no_answer", False),
        (Failure.SILENCE, "read_timeout", False),
        (Failure.NO_MESSAGE, "read_timeout", True),
        (Failure.NOT_READY, "not_ready", False),
        (Failure.NO_PROGRESS, "read_timeout", False),
    ],
)
async def test_the_trouble_hangs_on_no_word(clock: Clock, failure: Failure, kind: str, alive: bool) -> None:
    master = HdlcMaster(clock, memory_pair(clock)[0])
    for words in ("", "no answer to SNRM, sent 4 times", "no message in 5 polls", "not ready"):
        with pytest.raises(LinkTrouble) as trouble:
            await master.drive(PrimaryLink(0x66, 3), Step(events=(Failed(failure, words),)))
        assert (trouble.value.kind, trouble.value.alive) == (kind, alive), words
        assert "address 0x66" in str(trouble.value)


def test_every_way_to_fail_has_its_trouble() -> None:
    from devices.ports.hdlc_master import _TROUBLE

    assert set(_TROUBLE) == set(Failure)


async def test_a_bus_without_meter_has_no_answer_and_no_read_timeout(clock: Clock) -> None:
    master, link = HdlcMaster(clock, memory_pair(clock)[0]), PrimaryLink(0x66, 3, LinkLimits(retries=0))
    with pytest.raises(LinkTrouble) as trouble:
        await master.drive(link, link.connect())
    assert trouble.value.kind == "no_answer"


RECORD = bytes((0x20, 0)) + bytes.fromhex("0a01454d4800005b2f56").ljust(14, b"\0") * 2 + b"\0\0"


def answer(selector: int = Selector.PRESENCE, kind: FrameKind = FrameKind.UI, information: bytes = RECORD) -> Frame:
    return Frame(GATEWAY, 0x20, selector, Control(kind), information)


@pytest.mark.parametrize(
    ("frame", "kind", "reason"),
    [
        (answer(Selector.ADDRESSING), "unexpected", "in answer to a broadcast"),
        (answer(kind=FrameKind.I), "unexpected", "in answer to a broadcast"),
        (answer(information=RECORD[:-1]), "undecodable", "31 octets are no whole number of station records"),
        (answer(information=RECORD * 2), "unexpected", "exactly the record of its sender"),
        (answer(information=b"\x21" + RECORD[1:]), "unexpected", "exactly the record of its sender"),
    ],
)
def test_what_is_no_record_in_answer_to_a_broadcast_is_told(clock: Clock, frame: Frame, kind: str, reason: str) -> None:
    """The emulated gateway and the bench's own master read answers alike."""
    master = HdlcMaster(clock, memory_pair(clock)[0])
    told: list[tuple[str, int | None, str]] = []
    master.on_error = lambda *what: told.append(what)
    assert master.record_in(answer(), Selector.PRESENCE) == StationRecord.from_bytes(RECORD)
    assert not told
    assert master.record_in(frame, Selector.PRESENCE) is None
    ((what, address, why),) = told
    assert (what, address) == (kind, 0x20)
    assert reason in why
