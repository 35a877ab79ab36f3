"""The CONEXA client against the answers of the fact sheet, chapters 3.1 and 3.2."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from han_stand_in import Digest, Headers, make_certificate, serving

from devices.clock import Clock
from devices.han.conexa import ConexaClient
from devices.han.errors import LoginRefused, NotUnderstood, Refused
from devices.han.link import HanLink
from devices.han.login import Login, Settings

PATH = "/smgw/m2m/hks2-7f.sm/json"
POINT = "01005e318027.taf7-1.sm"
METER = "1the0012345678"


class StandIn:
    """Answers as the sheet has them."""

    def __init__(self, announced: str = "MD5", accepted: str = "md5", *, empty: bool = False) -> None:
        self.digest = Digest("hks2", "Kennwort.", announced=announced, accepted=accepted)
        self.empty = empty
        self.calls: list[dict[str, Any]] = []
        self.selftest = 200

    def __call__(self, method: str, target: str, headers: Headers, body: bytes) -> tuple[int, Headers, bytes]:
        if headers.get("content-type") != "application/json":
            return 400, {}, b""
        if not self.digest.right(method, target, headers):
            if self.empty and "authorization" in headers:
                return 200, {}, b""
            return 401, self.digest.challenge(), b""
        if target == "/smgw/m2m":
            return 307, {"Location": PATH}, b""
        if target != PATH:
            return 404, {}, b""
        asked = json.loads(body)
        self.calls.append(asked)
        if asked["method"] == "self-test":
            return self.selftest, {}, b""
        found = getattr(self, asked["method"].replace("-", "_"))(asked)
        told = {"version": "1.3.0", "method": asked["method"], "elapsed-time": "52 miliseconds", **found}
        return 200, {"Content-Type": "application/json"}, json.dumps(told).encode()

    def smgw_info(self, _: Any) -> dict[str, Any]:
        info = {
            "certificates": {"han": {"tls": ""}, "wan": []},
            "firmware-info": {"component": "fw", "hash": "aa" * 32, "version": "3.87"},
            "smgw-id": "ethe0300004261",
            "smgw-state": "a0000000",
            "smgw-time": "2026-06-10T12:00:00",
        }
        return {"smgw-info": info}

    def user_info(self, _: Any) -> dict[str, Any]:
        point = {
            "billing-Periods": [{"start-time": "2026-05-01T00:00:00+02:00", "end-time": ""}],
            "capture-time": "900",
            "delivery-id": "supplier",
            "start-time": "2026-04-01T00:00:00+02:00",
            "end-time": "",
            "meter": [{"meter-id": f"{METER}.sm"}],
            "metering-point-id": "DE01",
            "on-demand-profile-configured": "false",
            "taf-number": "7",
            "taf-state": "running",
            "usage-point-id": POINT,
            "usage-point-name": "STROM BEZUG",
        }
        return {"user-info": {"usage-points": [point]}}

    def usage_point_info(self, _: Any) -> dict[str, Any]:
        channels = [{"obis": "0100010800ff", "scaler": "-1", "unit": "30"}]
        databases = [{"database": "origin", "channels": channels}]
        return {
            "usage-point-info": {
                "databases": databases,
                "emts": ["emt"],
                "taf-profile": "30 00",
                "usage-point-id": POINT,
            }
        }

    def readings(self, asked: Any) -> dict[str, Any]:
        begin = datetime.fromisoformat(asked.get("fromtime", "2026-06-10T11:44:59Z"))
        end = datetime.fromisoformat(asked.get("totime", "2026-06-10T11:45:02Z"))
        assert end - begin <= timedelta(days=31)
        found = []
        at = datetime(2026, 4, 1, tzinfo=UTC)
        while at <= end:
            if at + timedelta(seconds=1) > begin and at + timedelta(seconds=1) <= end:
                found.append(self.reading(at))
            at += timedelta(minutes=15)
        return {"readings": {"channels": [{"obis": "0100010800ff", "readings": found}], "records": str(len(found))}}

    @staticmethod
    def reading(at: datetime) -> dict[str, Any]:
        return {
            "capture-time": (at + timedelta(seconds=1)).isoformat(),
            "cosem-status": "a0000000208c3800",
            "meter-status": "208c3800",
            "smgw-status": "a0000000",
            "owner-number": "",
            "signature": "cd" * 64,
            "target-time": at.isoformat(),
            "value": str(int(at.timestamp()) // 900),
        }

    def log(self, asked: Any) -> dict[str, Any]:
        first = int(asked.get("fromindex", "1"))
        entries = [
            {
                "event-id": "19013", "event-sub-id": "0", "index": str(number), "level": "1", "message": f"m{number}",
                "outcome": "0", "time": "2026-06-01T00:00:00Z", "vendor-id": "THE", "version": "1",
            }
            for number in range(first, min(first + 1500, 1701))
        ]  # fmt: skip
        return {"log": {"entries": entries, "records": str(len(entries))}}


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    return make_certificate(tmp_path, "gateway")


def client_at(clock: Clock, port: int, password: str = "Kennwort.") -> ConexaClient:
    return ConexaClient(HanLink(clock, Settings("127.0.0.1", port), Login("hks2", password)))


async def test_the_redirection_tells_the_user_id(clock: Clock, pem: Path) -> None:
    server = StandIn()
    async with serving(server, pem) as port:
        client = client_at(clock, port)
        device = await client.device()
        contracts = await client.contracts()
        await client.close()
    assert client.user_id == "hks2-7f"
    assert (device.id, device.firmware, device.state) == ("ethe0300004261", "3.87", "a0000000")
    assert [(one.id, one.taf, one.meters, one.state) for one in contracts] == [(POINT, 7, (METER,), "running")]
    assert contracts[0].periods == ()  # TAF-7 has none (han 5.1)


@pytest.mark.parametrize(("accepted", "empty"), [("md5", False), ("md5", True), ("sha256", False), ("sha256", True)])
async def test_md5_answers_an_announced_sha_256_first(clock: Clock, pem: Path, accepted: str, empty: bool) -> None:
    """Firmware around v3.87 announces SHA-256 and means MD5; a wrong answer gives an empty body (han 3.1)."""
    server = StandIn("SHA-256", accepted, empty=empty)
    async with serving(server, pem) as port:
        client = client_at(clock, port)
        assert (await client.device()).id == "ethe0300004261"
        await client.close()


@pytest.mark.parametrize("accepted", ["md5", "sha256"])
async def test_an_order_is_sent_once_with_the_algorithm_that_was_taken_before(
    clock: Clock, pem: Path, accepted: str
) -> None:
    """The self-test is answered with an empty 200 (han 3.2), as is an algorithm that is not meant (han 3.1)."""
    server = StandIn("SHA-256", accepted, empty=True)
    async with serving(server, pem) as port:
        client = client_at(clock, port)
        await client.device()
        server.digest.nonce += 1  # the one that the client has is old by now
        failed = server.digest.failed
        server.empty = False
        assert (await client.selftest()).accepted
        await client.close()
    assert [call["method"] for call in server.calls].count("self-test") == 1
    assert server.digest.failed == failed + 1, "only the request with the old nonce"


async def test_months_are_asked_in_windows_of_31_days(clock: Clock, pem: Path) -> None:
    server = StandIn()
    begin, end = datetime(2026, 4, 2, tzinfo=UTC), datetime(2026, 6, 9, tzinfo=UTC)
    async with serving(server, pem) as port:
        client = client_at(clock, port)
        found = await client.originals(METER.upper(), begin, end)
        await client.close()
    assert len(found) == (end - begin) // timedelta(minutes=15) + 1
    assert (found[0].instant, found[-1].instant) == (begin, end)
    assert [call["method"] for call in server.calls].count("readings") == 3
    assert (found[0].status, found[0].values[0].signature) == ("a0000000208c3800", b"\xcd" * 64)
    assert found[0].values[0].exact * 10 == int(begin.timestamp()) // 900


async def test_the_log_is_fetched_in_pieces_of_1500(clock: Clock, pem: Path) -> None:
    server = StandIn()
    async with serving(server, pem) as port:
        client = client_at(clock, port)
        found = await client.log()
        await client.close()
    assert [one.number for one in found] == list(range(1, 1701))
    assert (found[0].event, found[0].level, found[0].success) == (19013, "INFO", True)
    asked = [set(call) - {"method"} for call in server.calls if call["method"] == "log"]
    assert asked == [set(), {"fromindex", "count"}]


async def test_a_self_test_within_ten_minutes_is_refused(clock: Clock, pem: Path) -> None:
    server = StandIn()
    async with serving(server, pem) as port:
        client = client_at(clock, port)
        first = await client.selftest()
        server.selftest = 403
        second = await client.selftest()
        await client.close()
    assert (first.accepted, second.accepted, second.status) == (True, False, 403)


async def test_errors_are_told(clock: Clock, pem: Path) -> None:
    server = StandIn()
    async with serving(server, pem) as port:
        wrong = client_at(clock, port, "Kennwort")
        with pytest.raises(LoginRefused):
            await wrong.login()
        await wrong.close()
        client = client_at(clock, port)
        server.user_info = lambda _: {"user-info": {"usage-points": [{"taf-number": "seven"}]}}  # type: ignore[method-assign]
        with pytest.raises(NotUnderstood) as found:
            await client.contracts()
        assert found.value.field == "user-info.usage-points[0].taf-number"
        client._path = "/smgw/m2m/other/json"
        with pytest.raises(Refused, match="404"):
            await client.device()
        await client.close()
