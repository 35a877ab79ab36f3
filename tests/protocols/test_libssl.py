"""What is reached of OpenSSL through ctypes does what it says, and is put back."""

from __future__ import annotations

import random
import ssl
import threading

import pytest

from devices.protocols import libssl

pytestmark = pytest.mark.skipif(not libssl.available(), reason="this Python's OpenSSL cannot be reached")


def test_the_same_seed_gives_the_same_octets_of_openssl() -> None:
    drawn = []
    for seed in (1, 1, 2):
        with libssl.seeded_randomness(random.Random(seed)) as works:
            assert works
            drawn.append(ssl.RAND_bytes(32))
    assert drawn[0] == drawn[1] != drawn[2]


def test_behind_the_block_the_systems_randomness_is_back() -> None:
    with libssl.seeded_randomness(random.Random(1)):
        first = ssl.RAND_bytes(32)
    with libssl.seeded_randomness(random.Random(1)):
        pass
    assert ssl.RAND_bytes(32) != first


def test_blocks_nest_and_the_outer_one_goes_on_where_it_was() -> None:
    with libssl.seeded_randomness(random.Random(1)):
        plain = [ssl.RAND_bytes(4), ssl.RAND_bytes(4)]
    with libssl.seeded_randomness(random.Random(1)):
        nested = [ssl.RAND_bytes(4)]
        with libssl.seeded_randomness(random.Random(2)):
            ssl.RAND_bytes(4)
        nested.append(ssl.RAND_bytes(4))
    assert nested == plain


def test_other_threads_keep_the_systems_randomness() -> None:
    seen: list[bytes] = []
    for _ in range(2):
        with libssl.seeded_randomness(random.Random(1)):
            thread = threading.Thread(target=lambda: seen.append(ssl.RAND_bytes(32)))
            thread.start()
            thread.join()
    assert seen[0] != seen[1]


def test_an_unknown_curve_is_refused() -> None:
    with pytest.raises(libssl.LibsslError, match="refuses the list P-256:brainpoolP999"):
        libssl.set_groups(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ["P-256", "brainpoolP999"])


def test_octets_that_are_no_certificate_are_no_authority() -> None:
    with pytest.raises(libssl.LibsslError, match="does not take these octets"):
        libssl.add_client_authority(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), b"\x30\x03abc")
