"""Clients that mean harm: refused in good order, nothing leaked, others served meanwhile."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hostile import PATHS, requests
from running import Running, running

LEAKS = (b"Traceback", b"/firmware/", b".py", b"sqlite", b"aiohttp", b"Python/")
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")


@pytest.fixture(scope="module", params=sorted(PATHS))
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp(f"hostile-{request.param}")
    config = folder / "gateway.yaml"
    config.write_text("gateway: {options: {han_head_s: 1, han_request_s: 5, han_keep_alive_s: 2}}\n")
    with running(request.param, folder, "--config", str(config)) as one:
        yield one


def served(gateway: Running) -> bool:
    """Whether an honest client gets the values, with curl's digest."""
    path = {"ppc": "cgi-bin/hanservice.cgi", "conexa": "smgw/m2m", "casa": "json/metering/origin/"}[
        gateway.told["type"]
    ]
    line = [
        "curl",
        "-sk",
        "--digest",
        "-u",
        f"consumer-1:{gateway.password()}",
        "-w",
        "%{http_code}",
        "-o",
        "/dev/null",
    ]
    line += ["-H", "Content-Type: application/json", f"{gateway.base}/{path}", "--max-time", "20"]
    return subprocess.run(line, capture_output=True, text=True, check=False).stdout in ("200", "307")


def test_odd_requests_are_refused_and_leak_nothing(gateway: Running) -> None:
    assert served(gateway)
    sent = list(requests(gateway.told["type"]))
    for octets in sent:
        found = gateway.answer(octets)
        statuses = [int(one) for one in STATUS.findall(found)]
        assert all(one < 500 for one in statuses), (octets[:300], found[:500])
        assert not any(one in found for one in LEAKS), (octets[:300], found[:500])
        assert b"1LGZ" not in found, (octets[:300], found[:500])
    assert len(sent) > 100
    assert served(gateway)


def test_silent_and_slow_connections_keep_nobody_out(gateway: Running) -> None:
    half = [socket.create_connection(gateway.address, 10) for _ in range(600)]
    slow = [gateway.connect() for _ in range(140)]
    for one in slow:
        one.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n")
    assert served(gateway)
    for connection in (*half, *slow):
        connection.close()
    assert served(gateway)


@pytest.mark.parametrize(
    ("options", "alert"),
    [
        (["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], 70),
        (["-tls1_3"], 70),
        (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"], 40),
        (["-tls1_2", "-cipher", "NULL@SECLEVEL=0"], 40),
    ],
)
def test_old_and_weak_tls_is_refused_with_an_alert(gateway: Running, options: list[str], alert: int) -> None:
    line = ["openssl", "s_client", "-connect", f"{gateway.address[0]}:{gateway.address[1]}", *options]
    found = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=30)
    assert found.returncode != 0
    assert f"SSL alert number {alert}" in found.stderr, found.stderr


def test_a_stranger_s_certificate_opens_nothing(gateway: Running, tmp_path: Path) -> None:
    pem = tmp_path / "stranger.pem"
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "9",
    ]
    subprocess.run(
        [*made, "-subj", "/CN=technician-1", "-keyout", pem, "-out", tmp_path / "c.pem"],
        check=True,
        capture_output=True,
    )
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(tmp_path / "c.pem", pem)
    path = urlsplit(gateway.told["urls"]["technician"]).path
    found = b""
    try:
        with context.wrap_socket(socket.create_connection(gateway.address, 10)) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            found = connection.recv(65_536)
    except (ssl.SSLError, ConnectionError):
        pass
    assert not found.startswith(b"HTTP/1.1 200")
    assert served(gateway)
