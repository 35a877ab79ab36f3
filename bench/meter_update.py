"""One firmware update of a meter under test, from transfer to the new version, with a cut of its supply if wanted."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import TYPE_CHECKING

from devices.errors import DeviceError
from devices.protocols.app_image import BENCH_MAKER, HEADER_OCTETS, Version, build_image
from devices.protocols.p256 import SigningKey
from devices.protocols.smarty_update import Progress, Stage
from devices.rs485.smarty_client import MeterRefused, SmartyClient

if TYPE_CHECKING:
    from bench.rig import Rig
    from bench.steps.service import Cut, Image

_PARTS = {"checking": Stage.CHECKING, "confirm": Stage.CONFIRM, "installing": Stage.INSTALLING}


def image_octets(image: Image) -> bytes:
    """The image that a step describes, signed by the bench's own maker, with its defect."""
    payload = random.Random(f"firmware {image.version}").randbytes(image.size)
    version = Version.parse(image.version)
    if image.defect == "wrong_type":
        return build_image(payload, version, "OTHER")
    maker = SigningKey.named("another maker") if image.defect == "other_maker" else BENCH_MAKER
    whole = bytearray(build_image(payload, version, maker=maker))
    if image.defect == "damaged":
        whole[-1] ^= 0x01
    elif image.defect == "truncated":
        del whole[-max(1, len(payload) // 2) :]
    elif image.defect == "header":
        whole[0] ^= 0xFF
    elif image.defect == "unsigned":
        whole[HEADER_OCTETS - 64 : HEADER_OCTETS] = bytes(64)
    return bytes(whole)


class MeterUpdate:
    """One attempt.

    Args:
        rig: of the case.
        meter: name under ``given.meters``.
        image: what is loaded.
        confirmed: the technician's answer.
        cut: a cut of the supply; None: none.
    """

    def __init__(self, rig: Rig, meter: str, image: Image, confirmed: bool, cut: Cut | None) -> None:
        self._rig = rig
        self._meter = meter
        self._octets = image_octets(image)
        self._confirmed = confirmed
        self._cut = cut
        self._was_cut = False

    async def run(self) -> tuple[str, tuple[str, ...], str]:
        """How it ended (`bench.steps.service.RESULTS`), the checks that found a fault, and the meter's words."""
        watching = asyncio.create_task(self._cut_there(self._cut)) if self._cut is not None else None
        try:
            ended = await self._attempt()
        except MeterRefused as refused:
            ended = "refused", (), str(refused)
        except DeviceError as silent:
            if not self._was_cut:
                raise
            ended = "cut", (), str(silent)
        finally:
            if watching is not None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(watching, 600)
        if self._was_cut:
            return "cut", (), "the supply failed"
        return ended

    async def _attempt(self) -> tuple[str, tuple[str, ...], str]:
        bench = self._rig.service_bench
        async with bench.client(self._meter, self._rig.server_id(self._meter)) as client:
            await client.transfer(self._octets, self._told)
            checked = await client.check()
            self._note("checked", checked)
            if checked.stage is not Stage.CONFIRM:
                return "rejected", checked.checks.failed, checked.stage.name.lower()
            if not self._confirmed:
                await client.abort()
                return "aborted", (), "the meter forgot the image"
            return await self._activate(client)

    async def _activate(self, client: SmartyClient) -> tuple[str, tuple[str, ...], str]:
        done = await client.activate()
        self._note("activated", done)
        firmware = await client.firmware()
        return ("installed" if done.stage is Stage.DONE else "failed"), (), f"it runs {firmware}"

    def _note(self, kind: str, progress: Progress) -> None:
        data = {"meter": self._meter, "stage": progress.stage.name.lower(), "failed": progress.checks.failed}
        self._rig.timeline.add("service", kind, data)

    def _told(self, done: int, size: int) -> None:
        if done in (0, size):
            self._rig.timeline.add("service", "transfer", {"meter": self._meter, "octets": done, "of": size})

    async def _cut_there(self, cut: Cut) -> None:
        """Switch the supply off so long after the wanted part has begun, and on again later."""
        clock = self._rig.clock
        emulated = self._rig.service_bench.emulated[self._meter]
        deadline = clock.deadline(600.0)
        while not self._begun(cut.at, emulated.metrology_cpu.progress):
            if deadline.passed:
                return
            await clock.sleep(0.01)
        await clock.sleep(cut.after.total_seconds())
        station = self._rig.station(self._meter)
        self._was_cut = True
        station.power(False)
        await clock.sleep(cut.length.total_seconds())
        station.power(True)

    @staticmethod
    def _begun(part: str, progress: Progress) -> bool:
        if part == "transfer":
            return progress.stage is Stage.RECEIVING and progress.received > 0
        return progress.stage is _PARTS[part]
