"""The router of the WAN answers questions for its address and nothing else (RFC 826)."""

from __future__ import annotations

import pytest

from devices.network.router import MAC, Router

ASKER = bytes.fromhex("02aabbccddee")
QUESTION = (
    b"\xff" * 6 + ASKER + bytes.fromhex("08060001080006040001") + ASKER + bytes(10) + bytes([192, 0, 2, 1])
).ljust(60, b"\0")


def answers(frame: bytes) -> list[bytes]:
    sent: list[bytes] = []
    Router(sent.append).receive(frame)
    return sent


def test_it_answers_who_asks_for_its_address() -> None:
    (reply,) = answers(QUESTION)
    assert reply[:12] == ASKER + MAC
    assert reply[12:22] == bytes.fromhex("08060001080006040002")
    assert reply[22:32] == MAC + bytes([192, 0, 2, 1])
    assert reply[32:38] == ASKER
    assert len(reply) == 60


@pytest.mark.parametrize(
    "frame",
    [b"", QUESTION[:41], QUESTION[:38] + bytes([192, 0, 2, 2]), QUESTION[:21] + b"\2" + QUESTION[22:], bytes(2000)],
)
def test_it_is_silent_about_everything_else(frame: bytes) -> None:
    assert answers(frame) == []
