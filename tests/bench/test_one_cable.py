"""A bench file with nothing but a home interface, against a stand-in that answers as a CASA does."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "han_clients"))

from han_casa_answers import METER, NOW, StandIn
from han_stand_in import make_certificate, serving

from bench.applicability import not_applicable
from bench.cli import main
from bench.config import load_bench
from bench.scenario.loader import load
from bench.tools import export_han
from bench.tools.export_han import Asked, export
from bench.tools.han_signatures import checked
from devices.clock import Clock
from devices.errors import UsageError
from devices.han.casa import CasaClient

HOME = Path(__file__).parents[2] / "scenarios" / "home"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[StandIn, int]]:
    """A stand-in in a thread of its own, as the bench runs loops of its own."""
    stand_in = StandIn()
    begin, quarter = 1_775_232_000, 900  # 3 April 2026, 18:00 in Berlin
    rows = [
        {
            "timestamp_act": begin - number * quarter + 1,
            "timestamp_nom": begin - number * quarter,
            "status": "a000000020000000",
            "values": [
                {"logical_name": f"0100010800ff.{METER}.sm", "scaler": -1, "unit": 30, "value": str(231636270 - number)}
            ],
        }
        for number in range(3)
    ]
    stand_in.answers[f"/json/metering/origin/{METER}/0/extended"] = rows
    contract = "/json/metering/derived/taf1-1"
    stand_in.answers[contract] = {**stand_in.answers[contract], "taf_type": "TAF-7"}
    certificate = make_certificate(tmp_path, "gateway")
    begin_of_it = "-----BEGIN CERTIFICATE-----"
    files = {"/download/certificate.pem": (begin_of_it + certificate.read_text().split(begin_of_it)[1]).encode()}
    ready, end = threading.Event(), asyncio.Event()
    found: list[Any] = []

    def handler(method: str, target: str, headers: Any, sent: bytes) -> Any:
        if target in files:
            return 200, {}, files[target]
        return stand_in(method, target, headers, sent)

    async def serve() -> None:
        async with serving(handler, certificate) as port:
            found.extend((port, asyncio.get_running_loop()))
            ready.set()
            await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(10)
    yield stand_in, found[0]
    found[1].call_soon_threadsafe(end.set)
    thread.join(10)


def bench_file(folder: Path, port: int, **more: Any) -> Path:
    password = folder / "password"
    password.write_text("geheim.\n")
    han = {"address": f"127.0.0.1:{port}", "user": "hks2", "password_file": str(password), **more}
    file = folder / "cellar.yaml"
    file.write_text(json.dumps({"name": "cellar", "gateway": {"type": "casa", "han": han}}))
    return file


def test_it_is_a_valid_bench_that_only_reads(tmp_path: Path) -> None:
    bench, _ = load_bench(str(bench_file(tmp_path, 443)))
    assert bench.capabilities() == {"han", "records"}
    allowed, _ = load_bench(str(bench_file(tmp_path, 443, self_test="allowed", wrong_logins="allowed")))
    assert allowed.capabilities() - bench.capabilities() == {"han_selftest", "han_wrong_logins"}


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"password_file": None}, "how the user logs in"),
        ({"fingerprint": "abc"}, "64 hex digits"),
        ({"password": "geheim"}, "password"),
    ],
)
def test_what_is_wrong_in_it_is_told(tmp_path: Path, more: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        load_bench(str(bench_file(tmp_path, 443, **more)))


def test_a_certificate_needs_no_name_of_its_user(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pem = make_certificate(tmp_path, "berta")
    way = ["export", "trudi", "--han", "127.0.0.1:9", "--type", "casa", "--out", str(tmp_path / "x.xml")]
    assert main([*way, "--certificate", str(pem)]) == 3
    assert "127.0.0.1:9" in capsys.readouterr().err, "it got as far as the gateway"
    assert main(way) == 2
    assert "--certificate" in capsys.readouterr().err
    assert main([*way, "--password-file", str(pem)]) == 2
    assert "--user" in capsys.readouterr().err


def test_scenarios_that_do_more_than_read_are_not_applicable(tmp_path: Path) -> None:
    bench, _ = load_bench(str(bench_file(tmp_path, 443)))
    cases = [case for case in load([HOME]) if case.gateway == "casa"]
    reasons = {case.scenario.id: not_applicable(case, bench) for case in cases}
    read = {name for name, reason in reasons.items() if reason is None}
    assert read >= {"HAN-1", "HAN-6", "HAN-10", "HAN-11"}
    assert all(case.scenario.all_needs() == {"han"} for case in cases if case.scenario.id in read)
    assert "han_wrong_logins" in (reasons["HAN-2"] or "")
    assert "han_selftest" in (reasons["HAN-14"] or "")


def test_reading_scenarios_run_and_the_report_names_the_device(
    tmp_path: Path, server: tuple[StandIn, int], capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in, port = server
    out = tmp_path / "run"
    scenarios = [str(HOME / name) for name in ("before_decommissioning.yaml", "trudi_export.yaml")]
    assert main(["run", *scenarios, "--bench", str(bench_file(tmp_path, port)), "--out", str(out)]) == 0, (
        capsys.readouterr().out
    )
    verdict = json.loads(next((out / "cases").glob("HAN-10*/verdict.json")).read_text())
    told = verdict["gateway"]["told"]
    assert (told["id"], told["firmware"], len(told["certificate"])) == ("emh0009264154", "2900000000X026a", 64)
    assert told["values and logs from"] == "home interface"
    archive = json.loads(next((out / "cases").glob("HAN-10*/archive.json")).read_text())
    assert len(archive["originals"][METER]) == 3
    assert archive["log"][0]["text"] == "Selbsttest erfolgreich"
    assert "emh0009264154" in (out / "report.html").read_text()
    everything = "".join(path.read_text(errors="replace") for path in out.rglob("*") if path.is_file())
    assert "geheim." not in everything
    assert all(not path.startswith(("/logout", "/selftest")) for path in stand_in.asked)


def test_how_long_the_run_takes_is_told_first_and_each_pause_while_it_lasts(
    tmp_path: Path, server: tuple[StandIn, int], capsys: pytest.CaptureFixture[str]
) -> None:
    out, file = tmp_path / "run", bench_file(tmp_path, server[1], every="1 s")
    scenarios = [str(HOME / name) for name in ("before_decommissioning.yaml", "trudi_export.yaml")]
    assert main(["run", *scenarios, "--bench", str(file), "--out", str(out), "--plain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2 cases, up to 2 logins, 1 s apart: about 1 min"
    assert lines[1].startswith("[1/2] ") and lines[3].startswith("[2/2] ")
    assert lines[2].startswith("waiting until ") and lines[2].endswith(": logins are 1 s apart (han.every)")
    assert list(json.loads((out / "logins.json").read_text())) == [f"127.0.0.1:{server[1]}"]


def test_at_a_wrong_fingerprint_nothing_is_sent_and_nothing_judged(
    tmp_path: Path, server: tuple[StandIn, int], capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in, port = server
    file = bench_file(tmp_path, port, fingerprint="00" * 32)
    out = tmp_path / "run"
    assert main(["run", str(HOME / "before_decommissioning.yaml"), "--bench", str(file), "--out", str(out)]) == 3
    told = capsys.readouterr().err
    assert f"{file}:1:" in told and "'fingerprint'" in told and "named is " + "00" * 32 in told
    assert stand_in.asked == [] and not out.exists()


async def test_the_export_command_writes_what_was_read(tmp_path: Path, server: tuple[StandIn, int]) -> None:
    _, port = server
    bench, _ = load_bench(str(bench_file(tmp_path, port)))
    han = bench.gateway.han
    assert not isinstance(han, str)
    assert han is not None
    clock = Clock(asyncio.get_running_loop())
    thread: asyncio.Future[Any] = asyncio.get_running_loop().run_in_executor(
        None, lambda: asyncio.run(_exported(Asked("casa", han)))
    )
    made = await thread
    octets, told = made.octets, made.told
    assert clock.seconds() == 0.0
    assert (told["values"], told["lists"], told["gateway"]) == (3, 1, "emh0009264154")
    assert b"0100010800ff.1emh0012345678.sm" in octets
    assert NOW[:10].encode() in octets


def test_signatures_are_verified_when_the_file_is_safe_and_the_gateway_is_left(
    tmp_path: Path, server: tuple[StandIn, int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in, port = server
    bench_file(tmp_path, port)
    out, seen, closed = tmp_path / "x.xml", [], []
    close = CasaClient.close

    async def closing(client: CasaClient) -> None:
        await close(client)
        closed.append(len(stand_in.asked))

    def verify(content: Any) -> Any:
        seen.append((out.stat().st_size > 0, list(closed)))
        return checked(content)

    monkeypatch.setattr(CasaClient, "close", closing)
    monkeypatch.setattr(export_han, "checked", verify)
    words = ["export", "trudi", "--han", f"127.0.0.1:{port}", "--type", "casa", "--user", "hks2", "--json"]
    words += ["--password-file", str(tmp_path / "password")]
    assert main([*words, "--out", str(out)]) == 0
    assert seen == [(True, [len(stand_in.asked)])]
    assert json.loads(capsys.readouterr().out)["signatures"][0]["not_verified"] == 0


async def _exported(asked: Asked) -> Any:
    return await export(Clock(asyncio.get_running_loop()), asked)


def test_the_stand_in_speaks_tls_1_2_only(tmp_path: Path, server: tuple[StandIn, int]) -> None:
    """So what the client reads has gone through the TLS that gateways have."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    import socket

    with socket.create_connection(("127.0.0.1", server[1])) as plain, context.wrap_socket(plain) as secured:
        assert secured.version() == "TLSv1.2"
