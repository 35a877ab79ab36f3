"""OpenSSL's own programs, a captured gateway and tshark as second opinions on the TLS of the LMN (lmn-wired 3.1)."""

from __future__ import annotations

import random
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key

from devices.protocols import libssl
from devices.protocols.hdlc import Frame
from devices.protocols.lmn_certificate import Identity, make_identity
from devices.protocols.lmn_tls import CURVES, SUITES, TlsEnd, TlsSettings
from devices.protocols.tls_records import messages, records

VECTORS = Path(__file__).parents[1] / "vectors"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
PATIENCE_S = 20.0
GROUPS = ":".join(CURVES.values())

pytestmark = pytest.mark.skipif(not libssl.available(), reason="this Python's OpenSSL cannot be reached")
OPENSSL = shutil.which("openssl")
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="the program openssl is not installed")
every_suite = pytest.mark.parametrize("suite", SUITES, ids=lambda code: f"{code:04X}")
every_curve = pytest.mark.parametrize("curve", CURVES.values())


@dataclass(frozen=True)
class Pair:
    """Both identities on one curve, and the files that OpenSSL wants."""

    gateway: Identity
    meter: Identity
    folder: Path

    def file(self, name: str) -> str:
        return str(self.folder / f"{name}.pem")


def pair(curve: str, folder: Path) -> Pair:
    rng = random.Random(11)
    begin = datetime(2026, 1, 5, tzinfo=UTC)
    gateway = make_identity("EEMH0012345678.sm", curve, begin, 2555, rng)
    meter = make_identity("1SAG0021061001.sm", curve, begin, 2555, rng)
    for name, identity in (("gateway", gateway), ("meter", meter)):
        key = load_der_private_key(identity.key, None)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        (folder / f"{name}.pem").write_text(ssl.DER_cert_to_PEM_cert(identity.certificate) + pem.decode())
    return Pair(gateway, meter, folder)


@contextmanager
def openssl(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """The program, with time bounded; it is gone behind the block."""
    assert OPENSSL is not None
    process = subprocess.Popen(
        [OPENSSL, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def pump(end: TlsEnd, wire: socket.socket, out: bytes, until: bytes) -> bytes:
    """Carry octets between `end` and the socket until `until` has come as plain text."""
    plain = b""
    while until not in plain:
        if out:
            wire.sendall(out)
        data = wire.recv(4096)
        assert data, "the other end hung up"
        out = end.feed(data)
        plain += end.received()
    return plain


@needs_openssl
@every_curve
@every_suite
def test_s_client_talks_to_the_meters_end(suite: int, curve: str, tmp_path: Path) -> None:
    both = pair(curve, tmp_path)
    end = TlsEnd.meter(both.meter, both.gateway.certificate, NOW, TlsSettings(suites=(suite,)))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_S)
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with openssl(
            *("s_client", "-connect", address, "-tls1_2", "-ign_eof", "-noservername"),
            *("-cipher", ":".join(SUITES.values()), "-groups", GROUPS),
            *("-cert", both.file("gateway"), "-key", both.file("gateway"), "-CAfile", both.file("meter")),
            *("-verify", "1", "-verify_return_error", "-no_check_time"),
        ) as process:
            wire, _ = server.accept()
            with wire:
                wire.settimeout(PATIENCE_S)
                assert process.stdin is not None
                process.stdin.write(b"read me\n")
                process.stdin.flush()
                pump(end, wire, b"", b"read me\n")
                wire.sendall(end.send(b"4711 Wh\n") + end.close())
            said = process.communicate(timeout=PATIENCE_S)[0].decode()
    assert end.suite == suite
    assert "4711 Wh" in said
    assert f"Cipher is {SUITES[suite]}" in said
    assert "Protocol  : TLSv1.2" in said
    assert "Verify return code: 0 (ok)" in said
    assert "Client Certificate Types: ECDSA sign\n" in said
    assert re.search(r"Requested Signature Algorithms: ECDSA\+SHA256\n", said)
    assert re.search(r"Acceptable client certificate CA names\n *CN ?= ?EEMH0012345678\.sm\n", said)
    assert "Extended master secret: no" in said
    assert "Secure Renegotiation IS supported" in said
    assert "TLS session ticket" not in said


@every_curve
def test_the_key_exchange_runs_on_the_curve_of_the_meters_certificate(curve: str, tmp_path: Path) -> None:
    both = pair(curve, tmp_path)
    gateway = TlsEnd.gateway(both.gateway, both.meter.certificate, NOW)
    meter = TlsEnd.meter(both.meter, both.gateway.certificate, NOW)
    flight = meter.feed(gateway.start())
    content = b"".join(record.content for record in records(flight))
    exchange = dict(messages(content))[12]
    # named_curve 03, then its code (RFC 8422, 5.4)
    assert exchange[:3] == b"\x03" + next(code for code, name in CURVES.items() if name == curve).to_bytes(2, "big")


@needs_openssl
@every_curve
@every_suite
def test_the_gateways_end_talks_to_s_server(suite: int, curve: str, tmp_path: Path) -> None:
    both = pair(curve, tmp_path)
    end = TlsEnd.gateway(both.gateway, both.meter.certificate, NOW)
    with openssl(
        *("s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-tls1_2", "-rev", "-no_ticket"),
        *("-cipher", SUITES[suite], "-groups", GROUPS),
        *("-cert", both.file("meter"), "-key", both.file("meter"), "-CAfile", both.file("gateway")),
        *("-Verify", "1", "-verify_return_error", "-no_check_time"),
    ) as process:
        assert process.stdout is not None
        port = 0
        for line in process.stdout:
            found = re.match(rb"ACCEPT 127\.0\.0\.1:(\d+)", line)
            if found:
                port = int(found[1])
                break
        assert port, "s_server told no port"
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as wire:
            out = end.start()
            while not end.established:
                wire.sendall(out)
                out = end.feed(wire.recv(4096))
            assert end.suite == suite
            assert b"em daer" in pump(end, wire, out + end.send(b"read me\n"), b"em daer\n")
            wire.sendall(end.close())
        said = process.communicate(timeout=PATIENCE_S)[0].decode()
    assert "CONNECTION ESTABLISHED" in said
    assert f"Ciphersuite: {SUITES[suite]}" in said
    assert "Verification: OK" in said


# --- what a captured gateway said


@dataclass(frozen=True)
class Hello:
    """A ClientHello in its fields."""

    record_version: int
    version: int
    session_id: bytes
    suites: tuple[int, ...]
    compression: bytes
    extensions: dict[int, bytes]


def hello_of(octets: bytes) -> Hello:
    (record,) = records(octets)
    ((kind, body),) = messages(record.content)
    assert kind == 1
    at = 34
    session_id, at = body[at + 1 : at + 1 + body[at]], at + 1 + body[at]
    size = int.from_bytes(body[at : at + 2], "big")
    codes, at = body[at + 2 : at + 2 + size], at + 2 + size
    compression, at = body[at + 1 : at + 1 + body[at]], at + 1 + body[at]
    assert int.from_bytes(body[at : at + 2], "big") == len(body) - at - 2
    at += 2
    extensions = {}
    while at < len(body):
        length = int.from_bytes(body[at + 2 : at + 4], "big")
        extensions[int.from_bytes(body[at : at + 2], "big")] = body[at + 4 : at + 4 + length]
        at += 4 + length
    suites = tuple(int.from_bytes(codes[one : one + 2], "big") for one in range(0, size, 2))
    return Hello(record.version, int.from_bytes(body[:2], "big"), session_id, suites, compression, extensions)


def captured() -> bytes:
    return Frame.from_bytes(bytes.fromhex((VECTORS / "hdlc" / "capture_a.hex").read_text())).information


def test_the_gateways_hello_is_the_captured_one_but_for_the_heartbeat(tmp_path: Path) -> None:
    both = pair("brainpoolP256r1", tmp_path)
    ours = hello_of(TlsEnd.gateway(both.gateway, both.meter.certificate, NOW).start())
    theirs = hello_of(captured())
    heartbeat = 0x000F
    assert theirs.extensions.pop(heartbeat) == b"\x01"
    assert ours == theirs
    assert list(ours.extensions) == list(theirs.extensions)


@pytest.mark.parametrize("whose", ["captured", "ours"])
def test_tshark_reads_the_offer_of_the_hello(whose: str, tmp_path: Path) -> None:
    tshark, text2pcap = shutil.which("tshark"), shutil.which("text2pcap")
    if tshark is None or text2pcap is None:
        pytest.skip("tshark and text2pcap are not installed")
    both = pair("brainpoolP256r1", tmp_path)
    hello = captured() if whose == "captured" else TlsEnd.gateway(both.gateway, both.meter.certificate, NOW).start()
    dump, capture = tmp_path / "hello.txt", tmp_path / "hello.pcap"
    dump.write_text("000000 " + hello.hex(" ") + "\n")
    subprocess.run([text2pcap, "-q", "-T", "5000,443", dump, capture], check=True, timeout=60, capture_output=True)
    fields = {
        "tls.record.version": "0x0301",
        "tls.handshake.version": "0x0303",
        "tls.handshake.ciphersuite": "0xc023,0xc024,0xc02b,0xc02c,0x00ff",
        "tls.handshake.extensions_supported_group": "0x0017,0x0018,0x001a,0x001b,0x001c",
        "tls.handshake.sig_hash_alg": "0x0403,0x0503,0x0603",
        "tls.handshake.extensions_ec_point_format": "0,1,2",
    }
    asked = [part for field in fields for part in ("-e", field)]
    told = subprocess.run(
        [tshark, "-n", "-r", capture, "-T", "fields", "-E", "separator=;", *asked],
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert told.stdout.strip().split(";") == list(fields.values())
