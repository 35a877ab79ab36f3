"""The CASA client against the answers of the fact sheet, chapter 4.2."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from han_casa_answers import METER, NOW, StandIn
from han_stand_in import fingerprint, make_certificate, serving

from devices.clock import Clock
from devices.han.casa import CasaClient
from devices.han.errors import (
    CertificateChanged,
    HanUnreachable,
    LoginLocked,
    LoginRefused,
    NotUnderstood,
)
from devices.han.link import HanLink
from devices.han.login import ClientCertificate, Login, Settings


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    return make_certificate(tmp_path, "gateway")


def client_at(clock: Clock, port: int, password: str = "geheim.", known: str | None = None) -> CasaClient:
    return CasaClient(HanLink(clock, Settings("127.0.0.1", port, known), Login("hks2", password)))


async def test_it_reads_what_the_sheet_prints(clock: Clock, pem: Path) -> None:
    server = StandIn()
    async with serving(server, pem) as port:
        client = client_at(clock, port)
        device = await client.device()
        reading = await client.current(METER)
        contracts = await client.contracts()
        log = await client.log()
        meters = await client.meters()
        await client.close()
    assert (device.id, device.firmware, device.consumer) == ("emh0009264154", "2900000000X026a", "hks2")
    assert [(one.name, one.checksum) for one in device.components] == [("kernel", "00ff")]
    assert device.time == datetime(2026, 4, 3, 16, 14, 43, tzinfo=UTC)
    assert meters == (METER,)
    assert (reading.at.second, reading.instant.second, reading.status) == (1, 0, "a000000010229100")
    value = reading.value("1-0:1.8.0*255")
    assert value is not None
    assert (value.exact, value.symbol, value.signature) == (Decimal("23163627.0"), "Wh", b"\xab" * 64)
    assert [(one.id, one.taf, one.meters, one.state) for one in contracts] == [("taf1-1", 1, (METER,), "running")]
    assert [one.begin.month for one in contracts[0].periods] == [2]
    assert [(one.number, one.text, one.success) for one in log] == [(484, "Selbsttest erfolgreich", True)]
    assert server.digest.counts == [f"{number:08x}" for number in range(1, len(server.digest.counts) + 1)]
    assert server.digest.failed == 0


async def test_no_time_passes_while_it_asks(clock: Clock, pem: Path) -> None:
    """Handshakes and answers on the loopback are seen before any timer is due."""
    server = StandIn()
    async with serving(server, pem) as port:
        for _ in range(5):
            client = client_at(clock, port)
            await client.device()
            await client.close()
    assert clock.seconds() == 0.0


async def test_a_long_answer_takes_no_time_either(clock: Clock, pem: Path) -> None:
    server = StandIn()
    server.answers["/json/metering/origin/"] = [f"{number:014}" for number in range(400_000)]
    async with serving(server, pem) as port:
        client = client_at(clock, port)
        assert len(await client.meters()) == 400_000
        await client.close()
    assert clock.seconds() == 0.0


async def test_lists_of_months_with_one_key_for_each_register(clock: Clock, pem: Path) -> None:
    """The old form of the list, times in Unix seconds; the span is cut, months are counted back from now."""
    server = StandIn()
    march, april = 1_774_994_400, 1_774_995_300  # midnight and 00:15 in Berlin
    server.answers[f"/json/metering/origin/{METER}/0/extended"] = [
        {"timestamp_act": april + 1, "timestamp_nom": april, "status": "a000000020000000", "0100010800ff": "12"}
    ]
    server.answers[f"/json/metering/origin/{METER}/1/extended"] = [
        {"timestamp_act": march, "timestamp_nom": march, "status": "a000000020000000", "0100010800ff": {"value": "11"}},
        {"timestamp_act": march - 900, "timestamp_nom": march - 900, "status": "a000000020000000", "0100010800ff": "9"},
    ]
    begin, end = (datetime.fromtimestamp(at, UTC) for at in (march, april))
    async with serving(server, pem) as port:
        client = client_at(clock, port)
        found = await client.originals(METER, begin, end)
        await client.close()
    assert [(one.instant, one.values[0].number) for one in found] == [(begin, 11), (end, 12)]


async def test_a_wrong_password_is_refused_after_one_try(clock: Clock, pem: Path) -> None:
    server = StandIn()
    async with serving(server, pem) as port:
        client = client_at(clock, port, password="geheim")
        with pytest.raises(LoginRefused, match="hks2"):
            await client.login()
        await client.close()
    assert server.digest.failed == 1


async def test_the_lock_is_told_with_its_rest(clock: Clock, pem: Path) -> None:
    server = StandIn()
    server.plain = (403, {"Retry-After": "271"}, b"<p>gesperrt</p>")
    async with serving(server, pem) as port:
        client = client_at(clock, port)
        with pytest.raises(LoginLocked) as locked:
            await client.login()
        await client.close()
    assert locked.value.remaining_s == 271


async def test_another_certificate_is_refused_before_anything_is_sent(clock: Clock, pem: Path, tmp_path: Path) -> None:
    server = StandIn()
    other = make_certificate(tmp_path, "other")
    async with serving(server, other) as port:
        client = client_at(clock, port, known=fingerprint(pem))
        with pytest.raises(CertificateChanged, match=fingerprint(other)):
            await client.login()
        await client.close()
    assert server.asked == []


async def test_a_certificate_is_trusted_on_first_use_only(clock: Clock, pem: Path, tmp_path: Path) -> None:
    server = StandIn()
    async with serving(server, pem) as port:
        client = client_at(clock, port)
        await client.login()
        assert client.link.fingerprint == fingerprint(pem)
    other = make_certificate(tmp_path, "other")
    async with serving(server, other) as second:
        client.link.settings = Settings("127.0.0.1", second)
        with pytest.raises(CertificateChanged):
            await client.device()
        await client.close()


async def test_a_client_certificate_is_shown(clock: Clock, pem: Path, tmp_path: Path) -> None:
    own = make_certificate(tmp_path, "consumer")
    server = StandIn()
    server.digest.right = lambda *_: True  # type: ignore[method-assign]
    async with serving(server, pem, clients=own) as port:
        link = HanLink(clock, Settings("127.0.0.1", port), Login("hks2", certificate=ClientCertificate(own)))
        client = CasaClient(link)
        assert (await client.device()).id == "emh0009264154"
        await client.close()


async def test_nobody_there(clock: Clock) -> None:
    client = client_at(clock, 9)
    with pytest.raises(HanUnreachable, match=r"127\.0\.0\.1:9 "):
        await client.login()
    await client.close()


@pytest.mark.parametrize(
    ("field", "answer"),
    [
        ("systeminformations.huid", {"systemtime": NOW, "firmwareversion": "1"}),
        ("systeminformations.systemtime", {"huid": "e", "systemtime": "soon", "firmwareversion": "1"}),
        ("systeminformations", ["nothing"]),
    ],
)
async def test_what_is_wrong_in_an_answer_is_named(clock: Clock, pem: Path, field: str, answer: Any) -> None:
    server = StandIn()
    server.answers["/json/systeminformations"] = answer
    async with serving(server, pem) as port:
        client = client_at(clock, port)
        with pytest.raises(NotUnderstood) as found:
            await client.device()
        await client.close()
    assert found.value.field == field


async def test_a_meter_without_a_value_yet_is_told_as_such(clock: Clock, pem: Path) -> None:
    server = StandIn()
    server.answers["/json/metering/origin/1EMH0000000001/extended"] = {
        "capture_time": None, "status": None, "timestamp": None, "values": [],
    }  # fmt: skip
    async with serving(server, pem) as port:
        client = client_at(clock, port)
        with pytest.raises(NotUnderstood, match="there is no value of meter 1EMH0000000001"):
            await client.current("1EMH0000000001")
        await client.close()
