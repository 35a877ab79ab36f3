"""A stand-alone gateway plugged together: its memory, cables, time server and maintenance port."""

from __future__ import annotations

import contextlib
import json
import random
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from bench.emulation import EmulatedGatewayPlug, OwnUnit, Sockets
from bench.standalone.data_dir import DataFolder
from bench.standalone.meters import DirectMeters
from bench.standalone.plan import Plan, Profile
from devices.backoffice.time_server import TimeServer
from devices.clock import Clock
from devices.errors import BenchError, UsageError, UsageErrors
from devices.maintenance import MaintenancePort, Refused
from devices.ports.base import BytePort
from devices.ports.memory import memory_pair
from devices.ports.radio import Antenna

READY_WITHIN_S: Final = 180.0
"""Longest start of a product, restarts included."""
ANSWER_WITHIN_S: Final = 60.0
"""How long an answer of the maintenance port may take: in real time the computer may have much else to do."""
_LOOK_S: Final = 0.02


@dataclass
class Unit:
    """A gateway that has mains.

    Attributes:
        clock: its laboratory's clock, whose zero is the gateway's origin.
        plug: the gateway.
        port: its maintenance port.
        time_server: inside the program; None: there is none.
    """

    clock: Clock
    plug: EmulatedGatewayPlug
    port: MaintenancePort
    time_server: TimeServer | None

    async def ready(self) -> dict[str, Any]:
        """Wait until the firmware runs, or until it is clear that it does not; returns what it says of itself.

        Raises:
            BenchError: it takes longer than any product.
        """
        deadline = self.clock.deadline(READY_WITHIN_S)
        while not deadline.passed:
            info = await self.port.read("info")
            if info["phase"] == "ready" or info["state"] not in ("boot", "run", "off"):
                return info
            await self.clock.sleep(_LOOK_S)
        raise BenchError(f"the gateway was not ready within {READY_WITHIN_S:g} s")


@asynccontextmanager
async def plugged_in(
    clock: Clock,
    plan: Plan,
    memory: Path,
    lmn: BytePort,
    antenna: Antenna | None,
    *,
    options: Mapping[str, Any],
    direct: DirectMeters | None = None,
    durable: bool = True,
    han: tuple[str, int] | None = None,
) -> AsyncIterator[Unit]:
    """A gateway with mains; it is taken off again at the end, and what it did wrong is raised.

    Args:
        clock: see `Unit`.
        plan: what it is.
        memory: file of its memory.
        lmn: its end of the bus.
        antenna: its own.
        options: of the firmware.
        direct: meters that are asked without bus.
        durable: whether commits are awaited on the disk.
        han: host and port of its home interface.

    Raises:
        UsageError: the memory is that of something else.
    """
    async with AsyncExitStack() as stack:
        server = None
        if plan.given.time.server == "own":
            server = TimeServer(clock)
            await stack.enter_async_context(server)
        own, far = memory_pair(clock, ("maintenance", "gateway maintenance"))
        port = MaintenancePort(clock, own, ANSWER_WITHIN_S)
        stack.callback(port.close)
        sockets = Sockets(
            lmn,
            memory_pair(clock)[1],
            memory_pair(clock)[1],
            far,
            antenna,
            None if direct is None else direct.direct,
        )
        plug = EmulatedGatewayPlug(
            clock,
            plan.product,
            sockets,
            time_server=plan.given.time.address if server is None else server.address,
            meters=(),
            lifecycle="operational",
            options=options,
            rng=random.Random(secrets.randbits(256)),
            unit=OwnUnit(
                memory,
                durable,
                plan.device_id,
                plan.given.gateway.software or "",
                plan.consumers,
                han,
            ),
        )
        try:
            plug.mains(True)
            yield Unit(clock, plug, port, server)
        except BaseException:
            with contextlib.suppress(Exception):  # what happened first is told
                await plug.close()
            raise
        try:
            await plug.close()
        except Exception as error:
            raise BenchError(f"the emulation failed: {type(error).__name__}: {error}") from error


async def apply(unit: Unit, folder: DataFolder, profiles: Iterable[Profile]) -> list[str]:
    """Give the gateway the profiles that it does not have so yet; returns what is left over, in words.

    Raises:
        UsageErrors: what the gateway refuses, with the place in the file.
    """
    assert folder.kept is not None
    applied, wanted = dict(folder.kept.applied), list(profiles)
    refused: list[UsageError] = []
    for one in wanted:
        mark = sha256(json.dumps(one.plain, sort_keys=True).encode()).hexdigest()
        if applied.get(one.id) == mark:
            continue
        try:
            await _give(unit.port, one.plain)
        except Refused as error:
            refused.append(_refusal(one, error))
            continue
        applied[one.id] = mark
        folder.note(applied=applied)
    if refused:
        raise UsageErrors(refused)
    left = []
    for name in [name for name in applied if name not in {one.id for one in wanted}]:
        try:
            await unit.port.do("delete_profile", profile=name)
        except Refused as error:
            if error.answer.get("status") != 404:
                left.append(f"the profile {name} is in no file any more, and stays: {error.answer.get('error')}")
                continue
        del applied[name]
        folder.note(applied=applied)
    return left


async def _give(port: MaintenancePort, plain: Mapping[str, Any]) -> None:
    """Install a profile, or change the one of that id."""
    listed = (await port.read("profiles"))["profiles"]
    there = any(one["id"] == plain["id"] and one["state"] != "archive" for one in listed)
    await port.do("change_profile" if there else "install_profile", profile=plain)


def _refusal(one: Profile, error: Refused) -> UsageError:
    reasons = "; ".join(str(each.get("reason", "")) for each in error.answer.get("findings", ()))
    text = reasons or str(error.answer.get("error", error))
    return UsageError(f"the gateway refuses {one.what}: {text}", place=one.place)
