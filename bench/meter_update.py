"""One firmware update of a meter under test, from transfer to the new version, with a cut of its supply if wanted."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from devices.errors import BenchError, DeviceError
from devices.protocols.app_image import BENCH_MAKER, HEADER_OCTETS, Version, build_image, payload_with_crc
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
    if image.crc is not None:
        payload = payload_with_crc(payload[:-2], image.crc)
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
        self._ended = False

    async def run(self) -> tuple[str, tuple[str, ...], str]:
        """How it ended (`bench.steps.service.RESULTS`), the checks that found a fault, and the meter's words.

        Raises BenchError when a cut was ordered and its part of the update never began: nothing was shown of the meter.
        """
        watching = asyncio.create_task(self._cut_by(self._cut)) if self._cut is not None else None
        try:
            ended = await self._attempt()
        except MeterRefused as refused:
            ended = "refused", (), str(refused)
        except DeviceError as silent:
            if not self._was_cut:
                raise
            ended = "cut", (), str(silent)
        except asyncio.CancelledError:
            if watching is not None:
                watching.cancel()
            raise
        finally:
            self._ended = True
            if watching is not None and not watching.cancelling():
                await watching
        if self._was_cut:
            return "cut", (), "the supply failed"
        if self._cut is not None:
            raise BenchError(
                f"the bench did not cut the supply of {self._meter}: it was to fail in the part '{self._cut.at}' of "
                f"the update, which was never seen to begin; without a cut the update ended {ended[0]} ({ended[2]})"
            )
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

    async def _cut_by(self, cut: Cut) -> None:
        await (self._cut_before_entry(cut) if cut.at == "logging" else self._cut_there(cut))

    async def _cut_before_entry(self, cut: Cut) -> None:
        """Switch the supply off when the new firmware is what boots and its entry is not in the log yet, and on again
        later; nothing when the update ends before."""
        clock, station = self._rig.clock, self._rig.station(self._meter)
        store = self._rig.service_bench.emulated[self._meter].metrology_cpu.store

        def about_to_write(_what: str) -> None:
            journal = store.journal()
            if not self._was_cut and journal.pending == journal.running:
                self._was_cut = True
                station.power(False)

        store.memory.on_write = about_to_write
        try:
            while not (self._was_cut or self._ended):
                await clock.sleep(0.01)
            if self._was_cut:
                await clock.sleep(cut.length.total_seconds())
        finally:
            store.memory.on_write = None
            if self._was_cut:
                station.power(True)

    async def _cut_there(self, cut: Cut) -> None:
        """Switch the supply off so long after the wanted part has begun, and on again later; nothing when the update
        ends before."""
        clock = self._rig.clock
        emulated = self._rig.service_bench.emulated[self._meter]
        while not self._begun(cut.at, emulated.metrology_cpu.progress):
            if self._ended:
                return
            await clock.sleep(0.01)
        await clock.sleep(cut.after.total_seconds())
        station = self._rig.station(self._meter)
        self._was_cut = True
        station.power(False)
        try:
            await clock.sleep(cut.length.total_seconds())
        finally:
            station.power(True)

    @staticmethod
    def _begun(part: str, progress: Progress) -> bool:
        if part == "transfer":
            return progress.stage is Stage.RECEIVING and progress.received > 0
        return progress.stage is _PARTS[part]
