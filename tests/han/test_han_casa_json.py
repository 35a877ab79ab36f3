"""CASA's JSON paths in the order in which programs of users ask for them (han 4.2), over TLS."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import md5
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from han_casa_rack import DEVICE, END, GAP, HUID, MAIN, PASSWORDS, Casa, casa, counted, json_of, tariff
from yarl import URL

from devices.clock import Clock
from devices.han.link import HanLink
from devices.han.login import Exchange, Login, Settings
from devices.han.sequences import casa as sequences
from devices.han.sequences.visit import NIST, Findings, Told, Visit
from firmware.han.casa.contracts import active_tariff

METERS = ["1emh0012345678", "1emh0012345679"]
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")


@pytest.fixture
async def gateway(clock: Clock) -> AsyncIterator[Casa]:
    async with casa(clock) as found:
        yield found


async def get(gateway: Casa, path: str, user: str = "alice") -> Any:
    async with gateway.client(user) as client, client.get(path) as answer:
        return await json_of(answer)


async def replayed(gateway: Casa, program: Callable[..., Awaitable[Findings]], **more: Any) -> Findings:
    """What a program finds for alice."""
    address, clock = gateway.rack.gateway.han_address, gateway.rack.clock
    assert address is not None
    async with HanLink(clock, Settings(*address, curves=NIST), Login("alice", PASSWORDS["alice"])) as link:
        return await program(Visit(link, clock.now(), rng=random.Random(1)), **more)


def newest(meter: str) -> tuple[Told, Told]:
    """The newest values of a meter."""
    at, counts = END + timedelta(seconds=1), Decimal(counted(END, meter.upper()))
    return (
        Told(meter, "1-0:1.8.0*255", counts / 10_000, "kWh", at),
        Told(meter, "1-0:2.8.0*255", Decimal("0.4711"), "kWh", at),
    )


async def test_home_assistant_reads_every_register_of_every_meter(gateway: Casa) -> None:
    """HA: origin list, then /extended for each meter, with a content type on GET (han 4.2)."""
    found = await replayed(gateway, sequences.home_assistant)
    assert found.more["meters"] == METERS
    assert found.told == newest(METERS[0]) + newest(METERS[1])


async def test_the_extended_form_is_as_users_have_published_it(gateway: Casa) -> None:
    told = await get(gateway, f"/json/metering/origin/{METERS[0]}/extended")
    assert set(told) == {"capture_time", "status", "timestamp", "values"}
    assert (told["capture_time"], told["timestamp"]) == ("2026-01-05T01:00:01+01:00", "2026-01-05T01:00:00+01:00")
    assert told["status"] == "a000000020000000"
    for one in told["values"]:
        assert set(one) == {"logical_name", "scaler", "signature", "unit", "value"}
        assert isinstance(one["scaler"], int)
        assert isinstance(one["unit"], int)
        assert isinstance(one["value"], str)
        assert len(bytes.fromhex(one["signature"])) == 64


async def test_evcc_finds_the_meter_through_the_contract_of_taf_1(gateway: Casa) -> None:
    """EG: derived, each contract until one of TAF-1, its first sensor domain, then /extended (han 4.2)."""
    found = await replayed(gateway, sequences.evcc)
    assert found.more["meter"] == METERS[0]
    assert found.told == newest(METERS[0])


async def test_trudi_fetches_a_whole_contract(gateway: Casa) -> None:
    """TRuDI: system information, certificate, contracts, profile, months, billing periods or daily values, log."""
    found = (await replayed(gateway, sequences.transparency, months=3)).more
    system, certificate, contracts = found["system"], found["certificate"], found["contracts"]
    periods, billed, daily = found["periods"]["taf1-alice"], found["billed"]["taf1-alice"], found["daily"]["taf6-alice"]
    message = found["profiles"]["taf1-alice"]
    months = [found["months"][METERS[0], back] for back in range(3)]
    log = found["log"]

    assert system["huid"] == HUID
    assert system["vendor"].startswith("EMH")
    assert (system["user_domain"], system["firmwareversion"]) == ("alice", "31000000__X026f")
    assert {"name", "version", "hash"} == set(system["firmwarecomponents"][0])
    assert STAMP.fullmatch(system["systemtime"])
    assert f"{DEVICE}.SMGW" in certificate.subject.rfc4514_string()

    assert {one["taf_type"] for one in contracts.values()} == {"TAF-1", "TAF-2", "TAF-6", "TAF-7"}
    assert contracts["taf1-alice"] == {
        "active_tariff": 0,
        "capture_period": 900,
        "emt_channel_name": "unknown",
        "metering_point_id": "DE0001112223334445556667778889991",
        "sensor_domains": [METERS[0]],
        "taf_identifier": "taf1-alice",
        "taf_name": "Strom 1",
        "taf_type": "TAF-1",
        "validity_end": None,
        "validity_start": "2025-12-01T00:00:00+01:00",
    }
    assert contracts["taf2-alice"]["active_tariff"] == 2  # it is night
    assert periods == [
        {"start": "2025-12-01T00:00:00+01:00", "end": "2026-01-01T00:00:00+01:00"},
        {"start": "2026-01-01T00:00:00+01:00", "end": "2026-02-01T00:00:00+01:00"},
    ]
    message.verify(certificate.public_bytes(Encoding.DER))
    assert b"<taf01:object" in message.content

    assert [len(one) for one in months] == [4 * 96 + 5, 31 * 96 - 1, 47 * 4]
    starts = [one[0]["timestamp_nom"] for one in months]
    assert starts == ["2026-01-01T00:00:00+01:00", "2025-12-01T00:00:00+01:00", "2025-11-29T01:00:00+01:00"]
    line = months[1][1]
    assert set(line) == {
        "timestamp_act",
        "timestamp_nom",
        "status",
        *(f"01000{n}0800ff.{METERS[0]}.sm" for n in (1, 2)),
    }
    at = datetime.fromisoformat(line["timestamp_nom"]).astimezone(UTC)
    assert line[f"0100010800ff.{METERS[0]}.sm"]["value"] == str(counted(at, MAIN))

    ends = {one["timestamp_nom"]: one["0100010800ff.taf1-alice.sm"]["value"] for one in billed}
    assert ends == {
        "2025-12-01T00:00:00+01:00": str(counted(datetime(2025, 11, 30, 23, tzinfo=UTC), MAIN)),
        "2026-01-01T00:00:00+01:00": str(counted(datetime(2025, 12, 31, 23, tzinfo=UTC), MAIN)),
    }
    assert [one["timestamp_nom"][:10] for one in daily][:2] == ["2025-12-21", "2025-12-22"]
    assert all(set(one) == {"recordnumber", "level", "text", "outcome", "timestamp", "repetition"} for one in log)
    assert {one["outcome"] for one in log} == {"SUCCESS"}, [one for one in log if one["outcome"] != "SUCCESS"]
    assert any("alice" in one["text"] for one in log)


async def test_trudi_asks_in_the_order_of_the_sheet(gateway: Casa) -> None:
    """Han 4.2: derived/{id} (+ billingperiods), signedprofile, months, billing period or daily, conlogbook; months of a
    meter once."""
    exchanges: list[Exchange] = []
    address, clock = gateway.rack.gateway.han_address, gateway.rack.clock
    assert address is not None
    login = Login("alice", PASSWORDS["alice"])
    async with HanLink(clock, Settings(*address, curves=NIST), login, on_exchange=exchanges.append) as link:
        found = await sequences.transparency(Visit(link, clock.now(), rng=random.Random(1)), months=2)
    derived, origin = "/json/metering/derived", "/json/metering/origin"
    wanted = ["/json/systeminformations", "/download/certificate.pem", derived]
    contracts = found.more["contracts"]
    assert {one["taf_type"] for one in contracts.values()} == {"TAF-1", "TAF-2", "TAF-6", "TAF-7"}
    for name, one in contracts.items():
        wanted += [f"{derived}/{name}"]
        wanted += [f"{derived}/{name}/billingperiods"] * (one["taf_type"] in ("TAF-1", "TAF-2"))
    for name, one in contracts.items():
        wanted += [f"{derived}/{name}/signedprofile"]
        months = [f"{origin}/{meter}/{back}/extended" for meter in one["sensor_domains"] for back in range(2)]
        wanted += [path for path in months if path not in wanted]
        wanted += [f"{derived}/{name}/daily"] * (one["taf_type"] == "TAF-6")
        wanted += [f"{derived}/{name}/billingperiods/0/extended"] * (one["taf_type"] in ("TAF-1", "TAF-2"))
    wanted += ["/json/conlogbook/0"]
    assert [one.target for one in exchanges if one.status != 401] == wanted


async def test_the_gap_is_no_value(gateway: Casa) -> None:
    december = await get(gateway, f"/json/metering/origin/{METERS[0]}/2025-12")
    assert int(GAP.timestamp()) not in {one["timestamp_nom"] for one in december}
    assert len(december) == 31 * 96 - 1


async def test_the_old_form_has_unix_seconds_and_plain_values(gateway: Casa) -> None:
    by_index = await get(gateway, f"/json/metering/origin/{METERS[1]}/1")
    by_name = await get(gateway, f"/json/metering/origin/{METERS[1]}/2025-12/")
    assert by_index == by_name
    first = by_index[0]
    at = datetime(2025, 11, 30, 23, tzinfo=UTC)
    assert first == {
        "timestamp_act": int(at.timestamp()) + 1,
        "timestamp_nom": int(at.timestamp()),
        "status": "a000000020000000",
        "0100010800ff": str(counted(at, METERS[1].upper())),
        "0100020800ff": "4711",
    }
    newest = await get(gateway, f"/json/metering/origin/{METERS[1]}")
    assert newest["timestamp_nom"] == int(END.timestamp())


async def test_signatures_fit_the_downloaded_certificate(gateway: Casa) -> None:
    """With nothing but what the interface gives: certificate, name, status, time, value (han 6)."""
    told = await get(gateway, f"/json/metering/origin/{METERS[0]}/extended")
    async with gateway.client() as client, client.get("/download/certificate.pem") as answer:
        key = x509.load_pem_x509_certificate(await answer.read()).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    captured = datetime.fromisoformat(told["capture_time"]).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for one in told["values"]:
        lines = (
            "smgw-value-1",
            one["logical_name"],
            told["status"].upper(),
            captured,
            one["value"],
            one["scaler"],
            one["unit"],
        )
        raw = bytes.fromhex(one["signature"])
        signature = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        key.verify(signature, "".join(f"{line}\n" for line in lines).encode(), ec.ECDSA(SHA256()))


PATHS = (
    "/json/systeminformations",
    "/json/metering/origin",
    "/json/metering/origin/1emh0012345678",
    "/json/metering/origin/1emh0012345678/extended",
    "/json/metering/origin/1emh0012345678/0",
    "/json/metering/origin/1emh0012345678/0/extended",
    "/json/metering/derived",
    "/json/metering/derived/taf2-alice",
    "/json/metering/derived/taf2-alice/billingperiods",
    "/json/metering/derived/taf2-alice/billingperiods/3",
    "/json/metering/derived/taf2-alice/billingperiods/3/extended",
    "/json/metering/derived/taf6-alice/daily",
    "/json/metering/derived/taf1-alice/current/extended",
    "/json/metering/derived/taf7-alice/signedprofile",
    "/json/metering/derived/taf7-alice/billingperiods",
    "/json/conlogbook/0",
)


async def test_a_slash_at_the_end_makes_no_difference(gateway: Casa) -> None:
    async with gateway.client("alice") as client:
        for path in PATHS:
            async with client.get(path) as answer:
                first = await json_of(answer)
            async with client.get(f"{path}/") as answer:
                second = await json_of(answer)
            if "systemtime" in first:
                first["systemtime"] = second["systemtime"]
            assert first == second, path


async def test_days_of_two_stages_have_both_registers(gateway: Casa) -> None:
    """TAF-2 with periods of a day: at 06:00 and 24:00 the stages switch (wan-core 7.6)."""
    lines = await get(gateway, "/json/metering/derived/taf2-alice/billingperiods/3/extended")
    names = {name.split(".")[0] for one in lines for name in one if name.endswith(".sm")}
    assert {"0100010801ff", "0100010802ff"} <= names
    old = await get(gateway, "/json/metering/derived/taf2-alice/billingperiods/3")
    assert {name for one in old for name in one} >= {"0100010801ff", "0100010802ff", "timestamp_nom"}
    assert all(isinstance(one["timestamp_nom"], int) for one in old)


async def test_the_current_registers_of_a_contract_are_those_it_evaluates(gateway: Casa) -> None:
    told = await get(gateway, "/json/metering/derived/taf1-alice/current/extended")
    assert [one["logical_name"] for one in told["values"]] == [f"0100010800ff.{METERS[0]}.sm"]
    both = await get(gateway, "/json/metering/derived/taf7-alice/current/extended")
    assert len(both["values"]) == 2


async def test_a_contract_has_neither_values_nor_a_stage_before_its_begin(clock: Clock) -> None:
    """Its meter is alice's and has values; the same contract has them once it has begun."""
    begin = END + timedelta(hours=1)
    path = "/json/metering/derived/later"
    async with casa(clock, added=(tariff(7, id="later", begin=f"{begin:%Y-%m-%dT%H:%M:%SZ}"),)) as gateway:
        assert datetime.fromisoformat((await get(gateway, path))["validity_start"]) == begin
        nothing: dict[str, Any] = {"capture_time": None, "status": None, "timestamp": None, "values": []}
        assert await get(gateway, f"{path}/current/extended") == nothing
        assert len((await get(gateway, f"/json/metering/origin/{METERS[0]}/extended"))["values"]) == 2
        gateway.store(MAIN, begin)
        await gateway.rack.clock.sleep(3700)
        values = (await get(gateway, f"{path}/current/extended"))["values"]
        assert [one["value"] for one in values] == [str(counted(begin, MAIN))]


def test_a_single_stage_holds_from_the_begin_of_its_contract() -> None:
    evaluation = SimpleNamespace(begin_s=1000, calendar=None, stages=(1,))
    one = cast(Any, SimpleNamespace(profile=SimpleNamespace(evaluation=evaluation), state="running"))
    assert [active_tariff(one, now_s) for now_s in (0, 999, 1000, 2000)] == [0, 0, 1, 1]


NOT_THERE = (
    "/json",
    "/json/",
    "/json//",
    "/json/metering",
    "/json/metering/origin/1emh0099999999",
    "/json/metering/origin/1emh0099999999/extended",
    "/json/metering/origin/1emh0099999999/0/extended",
    "/json/metering/derived/taf7-bob",
    "/json/metering/derived/taf7-bob/current/extended",
    "/json/metering/derived/taf1-alice/billingperiods/2",
    "/json/metering/derived/taf1-alice/billingperiods/-1",
    "/json/metering/derived/taf1-alice/billingperiods/00000000000",
    "/json/metering/derived/taf7-alice/billingperiods/0",
    "/json/metering/origin/1emh0012345678/99999",
    "/json/metering/origin/1emh0012345678/2025-13",
    "/json/metering/origin/1emh0012345678//extended",
    "/json/conlogbook",
    "/json/conlogbook/x",
    "/json/conlogbook/%FF",
    "/json/metering/origin/%2e%2e/%2e%2e",
    "/json/metering/derived/..%2ftaf7-bob",
)


async def test_what_is_not_there_or_somebody_elses_is_not_found(gateway: Casa) -> None:
    async with gateway.client("alice") as client:
        for path in NOT_THERE:
            async with client.get(URL(gateway.base + path, encoded=True)) as answer:
                assert answer.status == 404, path
                assert answer.content_type == "application/json"
                assert "99999999" not in await answer.text()


async def test_a_neighbour_sees_his_own_meter_only(gateway: Casa) -> None:
    assert await get(gateway, "/json/metering/origin/", "bob") == ["1emh0099999999"]
    assert await get(gateway, "/json/metering/derived", "bob") == ["taf7-bob"]
    assert not any("alice" in one["text"] for one in await get(gateway, "/json/conlogbook/0", "bob"))


async def test_without_login_there_is_a_challenge_as_published(gateway: Casa) -> None:
    async with gateway.client() as client, client.get("/json/metering/origin/") as answer:
        assert answer.status == 401
        found = re.fullmatch(
            r'Digest realm="(\w+)",qop="auth",algorithm="MD5",nonce="[0-9a-f]{32}",opaque="[0-9a-f]{32}"',
            answer.headers["WWW-Authenticate"],
        )
    assert found is not None
    assert found[1] == HUID


async def test_there_is_only_get(gateway: Casa) -> None:
    async with gateway.client() as client:
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"):
            async with client.request(method, "/json/metering/origin/") as answer:
                assert (answer.status, answer.headers["Allow"]) == (405, "GET"), method


async def test_a_profile_is_signed_ten_minutes_after_its_begin(clock: Clock) -> None:
    begin = int((END - datetime(2025, 11, 30, 23, tzinfo=UTC)).total_seconds())
    path = "/json/metering/derived/taf1-alice/signedprofile"
    ready_s = float(begin + 3600)
    async with casa(clock, han_casa_profile_ready_s=ready_s) as gateway, gateway.client("alice") as client:
        async with client.get(path) as answer:
            assert (answer.status, await answer.read()) == (204, b"")
            assert not {"Content-Type", "Content-Length", "Transfer-Encoding"} & set(answer.headers), answer.headers
        await clock.sleep(3600)
        async with client.get(path) as answer:
            assert "signedprofile" in await json_of(answer)


async def test_a_digest_login_is_logged_once_and_not_with_each_request(gateway: Casa) -> None:
    before = (await gateway.events()).count((5001, 0))
    async with gateway.client("alice") as client:
        for _ in range(5):
            async with client.get("/json/metering/origin") as answer:
                await json_of(answer)
    assert (await gateway.events()).count((5001, 0)) == before + 1
    await get(gateway, "/json/metering/origin")
    assert (await gateway.events()).count((5001, 0)) == before + 2
    assert (5001, 0) not in await gateway.events(owner="bob")


async def test_too_many_failures_lock_everybody_out_for_five_minutes(clock: Clock, gateway: Casa) -> None:
    """[CASA] 7.2: the failures count for the whole access of consumers."""
    for _ in range(5):
        async with gateway.client("bob", password="wrong") as client, client.get("/json/metering/origin") as answer:
            assert answer.status in (401, 403)
    async with gateway.client("alice") as client:
        async with client.get("/json/metering/origin") as answer:
            assert answer.status == 403
            assert 290 <= int(answer.headers["Retry-After"]) <= 301
        await clock.sleep(295)
        async with client.get("/json/metering/origin") as answer:
            assert answer.status == 403
        await clock.sleep(6)
        async with client.get("/json/metering/origin") as answer:
            assert await json_of(answer) == METERS
    events = await gateway.events(owner="bob")
    assert events.count((5001, 1)) == 5
    assert (4294948293, 1) in events


HOSTS = (
    ("smgw.local", 401),
    ("SMGW.local:443", 401),
    (f"{HUID}.local", 401),
    ("127.0.0.1", 401),
    ("127.0.0.1:8443", 401),
    ("localhost", 400),
    ("evil.example", 400),
    ("", 400),
    ("emh0009264155.local", 400),
    ("[::1]", 400),
    ("127.0.0.1@evil.example", 400),
)


async def test_only_who_calls_it_by_address_or_name_is_answered(gateway: Casa) -> None:
    """I56: the Host header must be one of them (han 4.1)."""
    async with gateway.client() as client:
        for host, status in HOSTS:
            async with client.get("/json/metering/origin", headers={"Host": host}) as answer:
                assert answer.status == status, host


@pytest.mark.parametrize(("body", "expect", "status"), [(b"a" * 70_000, "", 413), (b"a=1", "a-miracle", 417)])
async def test_what_is_refused_before_the_host_is_looked_at_tells_nothing_of_the_gateway(
    gateway: Casa, body: bytes, expect: str, status: int
) -> None:
    for host, size in (("evil.example", 40), (None, 100_000)):
        headers = ({} if host is None else {"Host": host}) | ({"Expect": expect} if expect else {})
        async with gateway.client() as client, client.post("/login", data=body, headers=headers) as answer:
            told = await answer.read()
            assert (answer.status, len(told) <= size) == (status, True), told[:200]
            assert (DEVICE.lower().encode() in told.lower()) == (host is None)


async def test_the_check_of_the_host_can_be_switched_off(clock: Clock) -> None:
    headers = {"Host": "box.example"}
    async with (
        casa(clock, han_casa_host_check=False) as gateway,
        gateway.client() as client,
        client.get("/json/metering/origin", headers=headers) as answer,
    ):
        assert answer.status == 401


async def test_connections_are_kept_for_the_next_request(gateway: Casa) -> None:
    async with gateway.client("alice") as client:
        for _ in range(3):
            async with client.get("/json/metering/origin") as answer:
                await json_of(answer)
                assert answer.version == (1, 1)
                assert answer.headers.get("Connection", "").lower() != "close"
        assert client.connector is not None
        assert len(client.connector._conns) == 1


async def test_a_nonce_serves_a_program_that_counts_from_one_again_but_no_request_twice(gateway: Casa) -> None:
    """GS takes over the nonce of another client's login, and of an earlier run of itself, and counts from 1."""

    def answer_of(nonce: str, cnonce: str) -> str:
        path = "/json/metering/origin/"
        first, second = (
            md5(one.encode()).hexdigest() for one in (f"alice:{realm}:{PASSWORDS['alice']}", f"GET:{path}")
        )
        response = md5(f"{first}:{nonce}:00000001:{cnonce}:auth:{second}".encode()).hexdigest()
        return (
            f'Digest username="alice", realm="{realm}", nonce="{nonce}", uri="{path}", cnonce="{cnonce}", '
            f'nc=00000001, algorithm=MD5, response="{response}", qop="auth"'
        )

    async with gateway.client() as client:
        async with client.get("/json/metering/origin/") as answer:
            told = dict(re.findall(r'(\w+)="([^"]+)"', answer.headers["WWW-Authenticate"]))
        realm = told["realm"]
        for cnonce, status in (("first", 200), ("second", 200), ("first", 401)):
            headers = {"Authorization": answer_of(told["nonce"], cnonce)}
            async with client.get("/json/metering/origin/", headers=headers) as answer:
                assert answer.status == status, cnonce
