"""A stand-alone gateway as a process of its own, and TLS connections to it."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE_S = 60


class Running:
    """The process, and what it said of itself when it was ready.

    Attributes:
        told: the line of JSON.
        process: the process.
    """

    def __init__(self, process: subprocess.Popen[str], told: dict[str, Any]) -> None:
        self.process = process
        self.told = told

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the home interface."""
        return self.told["address"]["host"], self.told["address"]["port"]

    @property
    def base(self) -> str:
        """``https://host:port``."""
        return f"https://{self.address[0]}:{self.address[1]}"

    def password(self, user: str = "consumer-1") -> str:
        """Of a consumer."""
        return str(next(one["password"] for one in self.told["users"] if one["id"] == user))

    def connect(self, patience_s: float = 10) -> ssl.SSLSocket:
        """A TLS connection that checks no name."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(socket.create_connection(self.address, patience_s))

    def answer(self, octets: bytes, *, most: int = 1 << 20) -> bytes:
        """All that comes back for `octets`, until the gateway closes or says nothing for a while."""
        found = b""
        try:
            with self.connect() as connection:
                connection.sendall(octets)
                connection.settimeout(15)
                while len(found) < most and (piece := connection.recv(65_536)):
                    found += piece
        except (ConnectionError, ssl.SSLError, TimeoutError):
            pass
        return found


@contextmanager
def running(product: str, folder: Path, *options: str, code: int = 143) -> Iterator[Running]:
    """Start one at a free port, and end it; its exit code must then be `code`."""
    command = [sys.executable, "-m", "bench.cli", "gateway", "--type", product, "--han", "127.0.0.1:0", "--json"]
    errors = folder / "errors.txt"
    with errors.open("w") as sink:
        process = subprocess.Popen(
            [*command, "--data", str(folder / "data"), *options], stdout=subprocess.PIPE, stderr=sink, text=True
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"the gateway did not start: {errors.read_text()}"
        yield Running(process, json.loads(line))
        assert process.poll() is None, f"the gateway ended by itself: {errors.read_text()}"
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        begin = time.monotonic()
        while process.poll() is None and time.monotonic() - begin < PATIENCE_S:
            time.sleep(0.05)
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    assert process.returncode == code, errors.read_text()
    assert "Traceback" not in errors.read_text()
