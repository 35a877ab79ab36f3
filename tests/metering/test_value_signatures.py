"""Signatures of values: what is signed stands in one place, and OpenSSL alone can check it (wan-core 7.2)."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from core_parts import ENERGY, METER, counter, profile, run_core, same
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from devices.clock import Clock
from devices.errors import UsageError
from firmware.metering import derived, values
from firmware.metering.signed_octets import logical_name, signed_octets
from firmware.security.module import CURVES, SecurityModule, make_keys
from firmware.storage.memory import NonVolatileMemory

ClockAt = Callable[[datetime], Clock]


def _openssl_says(memory: NonVolatileMemory, folder: Path, octets: bytes, signature: bytes) -> bool:
    """Verify with the openssl command: raw r || s becomes DER, the key becomes PEM."""
    half = len(signature) // 2
    der = encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
    key = SecurityModule(memory).public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for name, content in (("key.pem", key), ("octets", octets), ("signature.der", der)):
        (folder / name).write_bytes(content)
    command = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "signature.der", "octets"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=30).returncode == 0


needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command")


@needs_openssl
async def test_openssl_verifies_originals_from_the_documented_text(clock_at: ClockAt, tmp_path: Path) -> None:
    memory = NonVolatileMemory()
    await run_core(clock_at, memory, 0.1, signature_curve="brainpoolP256r1")
    found = values.read(memory, METER)
    assert len(found) == 10
    for one in found:
        (entry,) = one.entries
        captured = datetime.fromtimestamp((one.capture_us or 0) // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        name = f"0100010800ff.{METER.lower()}.sm"
        text = f"smgw-value-1\n{name}\n{one.status}\n{captured}\n{entry.value}\n-1\n30\n".encode()
        assert entry.signature is not None
        assert _openssl_says(memory, tmp_path, text, entry.signature)
        assert not _openssl_says(memory, tmp_path, text.replace(b"\n30\n", b"\n31\n"), entry.signature)


@needs_openssl
async def test_openssl_verifies_derived_entries(clock_at: ClockAt, tmp_path: Path) -> None:
    memory = NonVolatileMemory()
    await run_core(clock_at, memory, 1.1, profile(2, 1))
    found = derived.read(memory)
    assert {str(one.derived.kind) for one in found} == {"first", "switch", "last"}
    for one in found[:3] + found[-3:]:
        assert one.derived.amount is not None
        obis = [
            int(part) for part in one.derived.register.replace("-", ".").replace(":", ".").replace("*", ".").split(".")
        ]
        name = f"{bytes(obis).hex()}.{one.profile}.sm"
        captured = datetime.fromtimestamp((one.capture_us or 0) // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        text = f"smgw-value-1\n{name}\n{one.derived.status}\n{captured}\n{one.derived.amount.value}\n-1\n30\n"
        assert _openssl_says(memory, tmp_path, text.encode(), one.signature)


async def test_a_gap_is_signed_for_all_registers_of_its_meter(clock_at: ClockAt) -> None:
    memory = NonVolatileMemory()
    await run_core(clock_at, memory, 0.1)
    later = datetime(2026, 1, 1, 12, tzinfo=UTC)
    await run_core(clock_at, memory, 0.1, since=later)
    gaps = [one for one in values.read(memory, METER) if one.gap]
    assert len(gaps) > 30
    module = SecurityModule(memory)
    for one in gaps:
        assert one.signature is not None
        text = f"smgw-value-1\n000000000000.{METER.lower()}.sm\n{one.status}\n\n\n\n\n".encode()
        assert module.verify(text, one.signature)


@pytest.mark.parametrize("ahead_threads", [0, 1, 2])
async def test_signing_ahead_stores_the_same_octets(clock_at: ClockAt, ahead_threads: int) -> None:
    at_once, ahead = NonVolatileMemory(), NonVolatileMemory()
    meters = {METER: counter(3600), "1SMB0000000002": counter(700)}
    for memory, threads in ((at_once, None), (ahead, ahead_threads)):
        await run_core(clock_at, memory, 2.1, profile(2, 2), profile(7, 2), sign_ahead=threads, meters=meters)
    assert same(at_once, ahead, "reading", "entry", "derived", "evaluation")
    assert len(values.read(ahead)) == 2 * (2 * 96 + 10)


@pytest.mark.parametrize("curve", CURVES)
def test_every_curve_signs_and_verifies(curve: str) -> None:
    memory = NonVolatileMemory()
    make_keys(memory, random.Random(3), curve)
    module = SecurityModule(memory)
    signature = module.sign(b"octets")
    assert module.curve == curve
    assert len(signature) == len(module.public_point)
    assert module.verify(b"octets", signature)
    assert not module.verify(b"octet", signature)
    assert not module.verify(b"octets", signature[:-1])
    assert not module.verify(b"octets", bytes([signature[0] ^ 1]) + signature[1:])


def test_a_module_keeps_its_key_and_refuses_an_unknown_curve() -> None:
    memory = NonVolatileMemory()
    with pytest.raises(UsageError, match="holds no key"):
        SecurityModule(memory)
    with pytest.raises(UsageError, match="unknown curve 'P-1'"):
        make_keys(memory, random.Random(1), "P-1")
    make_keys(memory, random.Random(1), "secp256r1")
    point = SecurityModule(memory).public_point
    make_keys(memory, random.Random(2), "secp256r1")
    assert SecurityModule(memory).public_point == point


def test_the_signed_text_tells_every_kind_of_value_apart() -> None:
    name = logical_name(ENERGY, METER)
    told = [signed_octets(name, "A" * 16, 0, value, None, None) for value in (None, 0, 1, True, False, b"", b"\x01")]
    assert len(set(told)) == len(told)
    with pytest.raises(ValueError, match="no OBIS code"):
        logical_name("1.8.0", METER)
