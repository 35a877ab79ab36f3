"""Mutated frames and files of real meters: nothing but the codecs' own errors, in bounded time and memory.

`make fuzz` does the same a million times over.
"""

from __future__ import annotations

import random
import tracemalloc
from pathlib import Path

import pytest
from fuzz_targets import TARGETS, hdlc_seeds, sealed, sml_seeds
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import mutated

from devices.protocols.hdlc import Frame
from devices.protocols.sml.messages import OpenRequest, read_messages
from devices.protocols.sml.transport import decode_file

names = sorted(TARGETS)
ROUNDS = 100
MEMORY_PER_OCTET = 1200
"""Octets of memory that one octet of input may take: an error with its text is the dearest thing that one can cause."""
MEMORY_AT_REST = 200_000


@pytest.mark.parametrize("name", names)
def test_mutated_seeds_break_no_rule(name: str, rng: random.Random) -> None:
    target, seeds = TARGETS[name]
    octets = seeds()
    for _ in range(ROUNDS):
        for seed in octets:
            target(mutated(rng, seed, octets))


@pytest.mark.parametrize("name", names)
def test_unharmed_seeds_break_no_rule(name: str) -> None:
    target, seeds = TARGETS[name]
    for seed in seeds():
        target(seed)
        target(seed * 3)


def test_the_seeds_are_whole() -> None:
    """Else the mutations would all fail at the first check."""
    assert len(hdlc_seeds()) == 16
    assert all(Frame.from_bytes(seed) for seed in hdlc_seeds())
    assert all(not decode_file(seed).errors for seed in sml_seeds())


@given(st.sampled_from(names), st.binary(max_size=400))
@settings(max_examples=200)
def test_any_octets_break_no_rule(name: str, octets: bytes) -> None:
    TARGETS[name][0](octets)


pieces = st.sampled_from(
    [
        "71",
        "72",
        "77",
        "f1ff",
        "ffffff",
        "01",
        "00",
        "620165",
        "1b1b1b1b",
        "01010101",
        "1b1b1b1b1a00",
        "7ea7ff",
        "7ea009",
        "7e",
    ]
)


@given(st.sampled_from(names), st.lists(pieces, max_size=60).map(lambda found: bytes.fromhex("".join(found))))
@settings(max_examples=200)
def test_pieces_that_mean_something_break_no_rule(name: str, octets: bytes) -> None:
    TARGETS[name][0](octets)


HOSTILE = [
    bytes.fromhex(piece) * (4500 // (len(piece) // 2))
    for piece in (
        "7e",
        "7ea7ff",
        "7ea009",
        "1b1b1b1b01010101",
        "1b1b1b1b1b1b1b1b",
        "71",
        "7f",
        "ff0f",
        "01",
        "76",
        "00",
    )
]


@pytest.mark.parametrize("name", names)
def test_memory_is_bounded_by_the_size_of_the_input(name: str) -> None:
    """feasibility 12: a huge count with elements of no length once took a naive reader 515 MB."""
    target, seeds = TARGETS[name]
    for octets in (*HOSTILE, *(seed * 20 for seed in seeds()[:3])):
        tracemalloc.start()
        try:
            target(octets)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak <= MEMORY_AT_REST + MEMORY_PER_OCTET * len(octets), octets[:8].hex()


def test_sealed_messages_reach_the_bodies() -> None:
    """Else the check sequence would stop every mutation before the readers of bodies see it."""
    opening = bytes.fromhex("77 01 03aabb 03ccdd 01 01 01 01")
    [message], errors = read_messages(sealed(b"\x00" + opening))
    assert isinstance(message.body, OpenRequest)
    assert not errors
    assert read_messages(sealed(b"\x00" + opening[:-1]))[1]


def test_the_million_finds_a_broken_codec(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A fuzzer that cannot fail proves nothing."""
    import million

    def broken(_: bytes) -> None:
        raise IndexError

    monkeypatch.setitem(TARGETS, "sml reader", (broken, sml_seeds))
    assert million.main(["60", "--keep", str(tmp_path)]) == 1
    assert "IndexError" in capsys.readouterr().out
    assert list(tmp_path.iterdir())
