"""Consumers who log in too soon after their last login get 500 and no session, where an option says so (han 2.1, 7)."""

from __future__ import annotations

from pathlib import Path

from han_casa_rack import MAIN, casa, person
from han_conexa_rig import OTHER, OTHER_PASSWORD, USER, Bench, Digest, bench
from han_ppc_clients import TECH_PATH, Browser
from han_ppc_rack import person as ppc_person
from han_ppc_rack import ppc
from han_ppc_visits import alice, bob

from devices.clock import Clock
from firmware.storage.memory import NonVolatileMemory

LEAST_S = 900.0
NEWEST = f"/json/metering/origin/{MAIN.lower()}/extended"


async def test_ppc_answers_a_login_that_comes_too_soon_with_500(tmp_path: Path) -> None:
    async with ppc(han_least_interval_s=LEAST_S) as gateway:

        def in_time(host: str, port: int) -> Browser:
            one, other = alice(host, port), bob(host, port)
            assert (one.login().status, other.login().status) == (200, 200), "each has his own last login"
            assert one.post("meterform").status == 200, "what goes on in a session is no login"
            technician = Browser(host, port, certificate=ppc_person("tess").pem(tmp_path))
            assert [technician.request("GET", target=TECH_PATH).status for _ in range(2)] == [200, 200]
            return one

        def too_soon(host: str, port: int, first: Browser) -> None:
            second = alice(host, port)
            answer = second.login()
            assert (answer.status, second.cookies) == (500, {})
            assert answer.header("Server") == "SmartMeterGateway"
            assert "Fehler" in answer.text
            assert first.post("meterform").status == 200, "the session that was open stays"

        first = await gateway.outside(in_time)
        await gateway.clock.sleep(LEAST_S / 2)
        await gateway.outside(too_soon, first)
        await gateway.clock.sleep(LEAST_S / 2)
        assert await gateway.outside(lambda host, port: alice(host, port).login().status) == 200
        await gateway.clock.sleep(1)
        assert await gateway.logins() == ["success"] * 2


async def test_casa_counts_digests_certificates_and_its_portal(clock: Clock, tmp_path: Path) -> None:
    async with casa(clock, han_least_interval_s=LEAST_S) as gateway:
        with_certificate = person("alice").pem(tmp_path)
        async with gateway.client("alice") as client:
            for _ in range(3):
                async with client.get(NEWEST) as answer:
                    assert answer.status == 200, "one nonce is one login"
        async with gateway.client("alice") as client, client.get(NEWEST) as answer:
            assert answer.status == 500
        async with gateway.client(certificate=with_certificate) as client:
            for _ in range(2):
                async with client.get(NEWEST) as answer:
                    assert answer.status == 500, "also the second on one connection"
            await gateway.rack.clock.sleep(LEAST_S)
            async with client.get(NEWEST) as answer:
                assert answer.status == 200
        async with gateway.client() as client:
            form = {"user": "alice", "password": "sun and moon."}
            async with client.post("/login", data=form, allow_redirects=False) as answer:
                assert (answer.status, answer.cookies) == (500, {})
            await gateway.rack.clock.sleep(LEAST_S)
            async with client.post("/login", data=form, allow_redirects=False) as answer:
                assert answer.status == 303


async def test_conexa_counts_programs_and_browsers(stored_conexa: NonVolatileMemory) -> None:
    async with bench(stored_conexa, han_least_interval_s=LEAST_S) as conexa:
        program = Digest()
        assert [await status(conexa, program) for _ in range(3)] == [200] * 3
        assert await status(conexa, Digest(OTHER, OTHER_PASSWORD)) == 200
        late = Digest()
        assert [await status(conexa, late) for _ in range(2)] == [500, 500], "a nonce is no way round it"
        assert (await conexa.signed("GET", "/", Digest())).status == 500
        conexa.clock.forward(LEAST_S)
        browser = await conexa.signed("GET", "/", Digest())
        assert (browser.status, USER in browser.headers["location"]) == (303, True)
        assert await status(conexa, Digest()) == 500
        assert conexa.log().count("consumer_logged_in") == 2


async def status(conexa: Bench, digest: Digest) -> int:
    return (await conexa.call("smgw-info", digest)).status


async def test_without_the_option_nobody_comes_too_soon() -> None:
    async with ppc() as gateway:
        assert (
            await gateway.outside(lambda host, port: [alice(host, port).login().status for _ in range(3)]) == [200] * 3
        )
