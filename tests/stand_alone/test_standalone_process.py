"""The gateway as a program of its own: started, asked, killed, started again, ended."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from bench.cli import main
from bench.emulation import log_verdict

PATIENCE_S = 60
COMMAND = (sys.executable, "-m", "bench.cli")


class Running:
    """A gateway in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "gateway", "--han", "127.0.0.1:0", "--json", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.end(signal.SIGKILL)
            pytest.fail(self.errors)
        self.told: dict[str, Any] = json.loads(line)

    @property
    def errors(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def control(self, *words: str) -> tuple[int, Any]:
        """Exit code and answer of `smgw-bench gateway-control`."""
        done = subprocess.run(
            [*COMMAND, "gateway-control", self.told["data"], *words],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return done.returncode, json.loads(done.stdout) if done.returncode == 0 else done.stderr

    def ask(self, **request: Any) -> dict[str, Any]:
        """An answer of the control socket."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(PATIENCE_S)
            line.connect(self.told["control"])
            line.sendall(json.dumps(request).encode() + b"\n")
            with line.makefile("rb") as answers:
                told: dict[str, Any] = json.loads(answers.readline())
        return told

    def end(self, number: signal.Signals) -> int:
        """Send a signal; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@contextmanager
def running(*arguments: str) -> Iterator[Running]:
    gateway = Running(*arguments)
    try:
        yield gateway
    finally:
        if gateway.process.poll() is None:
            gateway.end(signal.SIGKILL)
        for stream in (gateway.process.stdout, gateway.process.stderr):
            if stream is not None:
                stream.close()


def answer_at(address: dict[str, Any]) -> tuple[bytes, bytes]:
    """The certificate, DER, and the first octets of an answer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((address["host"], address["port"]), PATIENCE_S) as plain,
        context.wrap_socket(plain) as line,
    ):
        line.sendall(f"GET / HTTP/1.1\r\nHost: {address['host']}:{address['port']}\r\n\r\n".encode())
        return line.getpeercert(True) or b"", line.recv(12)


def refused(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [*COMMAND, "gateway", *arguments], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    return done.returncode, done.stderr


@pytest.mark.timeout(240)
def test_a_killed_gateway_comes_back_with_all_that_it_has_acknowledged(tmp_path: Path) -> None:
    data, profiles, fingerprint = tmp_path / "data", list[str](), ""
    for life in range(3):
        history = {0: ("--history", "2h"), 2: ("--history", "40d")}.get(life, ())
        with running("--type", "casa", "--data", str(data), *history) as gateway:
            certificate, begin = answer_at(gateway.told["address"])
            assert begin == b"HTTP/1.1 200"
            assert (
                sha256(certificate).hexdigest()
                == gateway.told["fingerprint"]
                == (fingerprint or gateway.told["fingerprint"])
            )
            fingerprint = gateway.told["fingerprint"]
            listed = [one["id"] for one in gateway.ask(read="profiles")["profiles"]]
            assert [one for one in listed if one.startswith("extra")] == profiles
            assert len({one["grid_time"] for one in gateway.ask(read="values")["rows"]}) >= 8
            used = gateway.ask(read="info")["storage_used"]
            assert used == round(used, 4), "a share to a hundredth of a percent"
            if life == 0:
                assert stat.S_IMODE((data / "control.sock").stat().st_mode) == 0o600
                assert stat.S_IMODE((data / "memory.sqlite").stat().st_mode) == 0o600
                code, errors = refused("--type", "casa", "--han", "127.0.0.1:0", "--data", str(data))
                assert (code, "is in use (process" in errors) == (3, True)
            if life == 2:
                assert gateway.end(signal.SIGTERM) == 128 + signal.SIGTERM
                assert not (data / "control.sock").exists()
                assert "--history 40d: " in (told := gateway.errors)
                assert "is that of a gateway since 20" in told
                assert "nothing is added" in told
            else:
                made = {"kind": "meter", "id": f"extra-{life}", "meter": f"1EMH001234567{life}", "link": "wired_clear"}
                answer = gateway.ask(do="install_profile", profile=made)
                assert answer["ok"], answer
                profiles.append(f"extra-{life}")
                assert gateway.end(signal.SIGKILL) == -signal.SIGKILL
        assert log_verdict(data).sound


@pytest.mark.timeout(120)
def test_a_history_that_is_broken_off_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    data = tmp_path / "made" / "data"
    line = [*COMMAND, "gateway", "--type", "casa", "--han", "127.0.0.1:0", "--data", str(data), "--history", "400d"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("history:")
        process.send_signal(signal.SIGTERM)
        told, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, told) == (128 + signal.SIGTERM, "")
    assert errors.splitlines()[-1] == "smgw-bench: the history was broken off, nothing of it is kept"
    assert not data.parent.exists()


@pytest.mark.timeout(120)
def test_states_can_be_provoked_while_it_runs(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running("--type", "ppc", "--data", str(data), "--fault", "overload_bus:on=true") as gateway:
        assert gateway.ask(read="info")["faults"] == ["bus_overload"]
        assert gateway.ask(read="leds")["leds"]["PWR"]["lit"]
        assert gateway.control("power", "on=off") == (0, {})
        assert gateway.ask(read="info")["state"] == "off"
        assert not any(one["lit"] for one in gateway.ask(read="leds")["leds"].values())
        with pytest.raises(OSError):
            answer_at(gateway.told["address"])
        code, told = gateway.control("restart")
        assert (code, "without power" in told) == (1, True)
        assert gateway.ask(do="power", on="on")["ok"]
        assert "known: " in gateway.ask(do="fly")["error"]
        assert gateway.ask(do="power")["error"].startswith("'power' takes on=on or on=off")
        assert not gateway.ask(do="meter", name="cellar", plugged=False)["ok"]
        code, told = gateway.control("commands")
        assert {"power", "fill_log", "selftest"} <= set(told["do"])
        assert gateway.control("stop", "now=true") == (1, "smgw-bench: 'stop' takes no field, this is 'now'\n")
        assert not (data / "crashes.log").exists()
        assert gateway.control("stop")[0] == 0
        assert gateway.process.wait(PATIENCE_S) == 0
    assert gateway.control("info")[0] == 3


def test_wrong_use_is_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = ("--han", "127.0.0.1:0")
    for arguments, told in (
        (("--type", "emh", *here), "invalid choice: 'emh'"),
        (("--type", "ppc", "--han", "8443"), "is no address such as 127.0.0.1:8443"),
        (("--type", "ppc", *here, "--fault", "fill_log:book"), "'book' is no FIELD=VALUE"),
        (("--type", "ppc", *here, "--history", "forty"), "--history: 'forty' is no span of time"),
        (("--type", "ppc", *here, "--meters", str(tmp_path / "none.yaml")), "cannot be read"),
        (("--type", "ppc", *here, "--config", str(tmp_path / "none.yaml")), "cannot be read"),
    ):
        try:
            code: Any = main(["gateway", *arguments])
        except SystemExit as end:
            code = end.code
        errors = capsys.readouterr().err
        assert code == 2
        assert told in errors
        assert len(errors.strip().splitlines()) == 1
