"""CASA's names by mDNS, asked for with the package zeroconf, on loopback (han 4.1)."""

from __future__ import annotations

import asyncio
import ipaddress

import pytest
from han_casa_rack import HUID, casa

from devices.clock import Clock

zeroconf = pytest.importorskip("zeroconf", reason="the optional package zeroconf is not installed")


@pytest.mark.asyncio(loop_factories=["real"])
async def test_the_gateway_is_found_by_both_names(clock: Clock) -> None:
    from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

    async with casa(clock, han_casa_mdns=True) as gateway:
        asking = AsyncZeroconf(interfaces=["127.0.0.1"])
        try:
            for name, host in (("smgw", "smgw.local."), (f"smgw-{HUID}", f"{HUID}.local.")):
                info = AsyncServiceInfo("_http._tcp.local.", f"{name}._http._tcp.local.")
                for _ in range(20):
                    if await info.async_request(asking.zeroconf, 500):
                        break
                    await asyncio.sleep(0.1)
                assert info.server == host
                assert [ipaddress.ip_address(one) for one in info.addresses] == [ipaddress.ip_address("127.0.0.1")]
                assert gateway.base.endswith(f":{info.port}")
        finally:
            await asking.async_close()
    await asyncio.sleep(2)  # the good-byes go out after the cut
