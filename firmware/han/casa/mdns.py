"""``smgw.local`` and ``<huid>.local`` by mDNS, where the package zeroconf is installed (han 4.1).

Programs find the gateway by a service of the type ``_http._tcp`` whose name begins with ``smgw``, as discovery for
Home Assistant expects it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator
from importlib import import_module
from typing import Any, Final

from aiohttp import web

from firmware.han.casa.hosts import COMMON_NAME
from firmware.han.desk import HanDesk

SERVICE: Final = "_http._tcp.local."
_PATIENCE_S: Final = 30.0
"""How long the port is waited for."""
_STEP_S: Final = 0.1


def installed() -> bool:
    """Whether the package is there."""
    try:
        import_module("zeroconf")
    except ImportError:
        return False
    return True


def announced(desk: HanDesk) -> list[tuple[str, str]]:
    """Name of each service and the host that it names."""
    huid = desk.device_id.lower()
    return [(f"smgw.{SERVICE}", f"{COMMON_NAME}."), (f"smgw-{huid}.{SERVICE}", f"{huid}.local.")]


async def announcement(desk: HanDesk, application: web.Application) -> AsyncIterator[None]:
    """Announce as long as the application runs; nothing where that is not wanted or not possible."""
    announcer = Announcer(desk) if desk.options.han_casa_mdns and installed() else None
    if announcer is not None:
        desk.spawn(announcer.run())
    yield
    if announcer is not None:
        await announcer.close()


class Announcer:
    """Answers who asks for the names.

    Args:
        desk: the gateway.
    """

    def __init__(self, desk: HanDesk) -> None:
        self._desk = desk
        self._zeroconf: Any = None
        self._closed = False

    async def run(self) -> None:
        """Wait until the port is known, then announce it."""
        unit, waited_s = self._desk.unit, 0.0
        while "HAN" not in unit.ports and waited_s < _PATIENCE_S:
            await unit.clock.sleep(_STEP_S)
            waited_s += _STEP_S
        if self._closed or "HAN" not in unit.ports or unit.config.han is None:
            return
        try:
            address = ipaddress.ip_address(unit.config.han[0])
        except ValueError:
            return
        wild = address.is_unspecified
        library, names = import_module("zeroconf"), import_module("zeroconf.asyncio")
        where = library.InterfaceChoice.All if wild else [str(address)]
        self._zeroconf = names.AsyncZeroconf(interfaces=where)
        own = library.get_all_addresses() if wild else [str(address)]
        packed = [ipaddress.ip_address(one).packed for one in own]
        for name, host in announced(self._desk):
            told = library.ServiceInfo(SERVICE, name, addresses=packed, port=unit.ports["HAN"], server=host)
            await (await self._zeroconf.async_register_service(told))

    async def close(self) -> None:
        """Say good-bye."""
        self._closed = True
        if self._zeroconf is not None:
            await self._zeroconf.async_close()
