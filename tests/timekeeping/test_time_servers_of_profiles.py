"""A time server's communication profile says whom the gateway asks, as soon as it is installed (FNN 5.13, 6.4.3)."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from gateway_rack import Rack

from devices.backoffice.time_server import TimeRequest, TimeServer
from devices.clock import Clock
from devices.gateway_types import load
from devices.protocols.sm_pki import Usage, make_root
from firmware.config import GatewayConfig
from firmware.timekeeping import TimeState

SECOND, THIRD = timedelta(seconds=2), timedelta(seconds=4)
"""By so much the time of the second and the third server is ahead, so that it shows whose time was taken."""


class Site:
    """A gateway of which three time servers stand around; the first one is in its configuration."""

    def __init__(self, clock: Clock, servers: list[TimeServer], *, configured: bool = True) -> None:
        data = load("ppc")
        address = servers[0].address if configured else None
        config = GatewayConfig(device_id=data.device_id, time_server=address)
        self.clock, self.servers = clock, servers
        self.rack = Rack(clock, data, config)
        self.asked: list[tuple[int, float]] = []
        for number, server in enumerate(servers):
            server.on_request = lambda request, number=number: self._seen(number, request)
        self._pki = make_root(random.Random(1), clock.start - timedelta(days=2))
        self._authority = self._pki.sub_authority("Bench-Test-GWA-Sub.CA", clock.start - timedelta(days=1))

    def _seen(self, number: int, request: TimeRequest) -> None:
        self.asked.append((number, request.t))

    async def on(self) -> None:
        self.rack.gateway.power_on()
        await self.rack.ready()
        await self.clock.sleep(1)

    async def trust(self) -> None:
        answer = await self.rack.console.ask(do="install_root", certificate=self._pki.der.hex())
        assert answer["ok"], answer

    def profile(self, name: str, *numbers: int) -> dict[str, Any]:
        key = ec.derive_private_key(4711, ec.BrainpoolP256R1()).public_key()
        begin = self.clock.start - timedelta(hours=1)
        tls = self._authority.issue("Bench-Test.GWA", "Bench", key, Usage.TLS, begin)
        endpoints = [
            {"scenario": "time_sync", "host": host, "port": port}
            for host, port in (self.servers[number].address for number in numbers)
        ]
        about = {"kind": "wan_communication", "id": name, "role": "NTP"}
        return {**about, "endpoints": endpoints, "tls": tls.hex(), "issuers": [self._authority.der.hex()]}

    async def order(self, verb: str, profile: object) -> None:
        answer = await self.rack.console.ask(do=f"{verb}_profile", profile=profile)
        assert answer["ok"], answer

    async def asked_in(self, hours: float) -> set[int]:
        """Who is asked in so many hours from now on."""
        before = len(self.asked)
        await self.clock.sleep(hours * 3600)
        return {number for number, _ in self.asked[before:]}

    @property
    def off(self) -> timedelta:
        """How far the gateway's clock is ahead, in whole seconds."""
        session = self.rack.gateway._session
        assert session is not None
        return timedelta(seconds=round((session.own.now() - self.clock.now()).total_seconds()))

    @property
    def state(self) -> TimeState:
        session = self.rack.gateway._session
        assert session is not None
        return session.time.state

    async def told(self, event: str) -> list[str]:
        entries = (await self.rack.console.ask(read="log", book="system"))["entries"]
        return [one["parameters"]["profile"] for one in entries if one["event"] == event]


@pytest.fixture
async def servers(clock: Clock) -> AsyncIterator[list[TimeServer]]:
    async with AsyncExitStack() as stack:
        made = [await stack.enter_async_context(TimeServer(clock)) for _ in range(3)]
        made[1].offset, made[2].offset = SECOND, THIRD
        yield made


async def test_the_gateway_moves_from_one_time_server_to_another(clock: Clock, servers: list[TimeServer]) -> None:
    """It asks the new one as soon as a minute has gone by since it asked the old one, and the old one no more."""
    site = Site(clock, servers)
    await site.on()
    await site.trust()
    assert {number for number, _ in site.asked} == {0}
    await site.order("install", site.profile("time", 1))
    assert await site.asked_in(61 / 3600) == {1}
    assert site.off == SECOND
    assert await site.asked_in(3) == {1}
    await site.order("change", site.profile("time", 2))
    assert await site.asked_in(3) == {2}
    assert site.off == THIRD
    assert site.state is TimeState.SYNCED
    assert set(await site.told("time_synchronised")) == {"NTP", "time"}
    assert min(b - a for (_, a), (_, b) in pairwise(site.asked)) >= 60.0
    await site.rack.close()


async def test_after_a_power_cut_it_is_still_the_one_of_the_profile(clock: Clock, servers: list[TimeServer]) -> None:
    site = Site(clock, servers)
    await site.on()
    await site.trust()
    await site.order("install", site.profile("time", 1))
    site.rack.gateway.power_off()
    await clock.sleep(60)
    site.asked.clear()
    await site.on()
    assert await site.asked_in(2) == {1}
    assert {number for number, _ in site.asked} == {1}
    await site.rack.close()


async def test_without_the_profile_it_is_the_one_of_the_configuration_again(
    clock: Clock, servers: list[TimeServer]
) -> None:
    site = Site(clock, servers)
    await site.on()
    await site.trust()
    await site.order("install", site.profile("time", 1))
    assert await site.asked_in(1) == {1}
    await site.order("delete", "time")
    assert await site.asked_in(1) == {0}
    assert site.off == timedelta(0)
    await site.rack.close()


async def test_a_gateway_without_any_gets_its_first_and_loses_it(clock: Clock, servers: list[TimeServer]) -> None:
    site = Site(clock, servers, configured=False)
    await site.on()
    await site.trust()
    assert await site.asked_in(2) == set()
    await site.order("install", site.profile("time", 2))
    await clock.sleep(1)
    assert [number for number, _ in site.asked] == [2]
    assert site.off == THIRD
    await site.order("delete", "time")
    assert await site.asked_in(5) == set()
    assert site.state is TimeState.HOLDOVER
    await site.rack.close()


async def test_of_several_the_next_is_asked_when_one_is_silent(clock: Clock, servers: list[TimeServer]) -> None:
    """Endpoints in their order, then those of the next profile; never more than one request a minute."""
    site = Site(clock, servers, configured=False)
    await site.on()
    await site.trust()
    servers[0].answering = servers[1].answering = False
    await site.order("install", site.profile("first", 0, 1))
    await site.order("install", site.profile("second", 2))
    await clock.sleep(300)
    assert [number for number, _ in site.asked] == [0, 1, 2]
    assert min(b - a for (_, a), (_, b) in pairwise(site.asked)) >= 60.0
    assert set(await site.told("time_server_silent")) == {"first"}
    assert await site.asked_in(3) == {2}
    servers[2].answering = False
    servers[1].answering = True
    await clock.sleep(3600)
    assert [number for number, _ in site.asked[-3:]] == [2, 0, 1]
    assert site.off == SECOND
    await site.rack.close()
