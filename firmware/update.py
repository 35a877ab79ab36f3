"""Installing an update, first part: the write phase with its LEDs, the switch of images, what a power cut leaves.

The active image is switched in one commit, so that a cut of the mains leaves the old version or the new one, never
half of one (wan-core 10, F6 to F9).
"""

from __future__ import annotations

from collections.abc import Callable

from devices.errors import UsageError
from firmware.control import Control
from firmware.display import Display
from firmware.fault_codes import PACKAGE_CODE
from firmware.storage.memory import firmware_image, setting_statement
from firmware.storage.writer import StorageWriter
from firmware.unit import Start, Unit, image_statement

UNDER_WAY = "update_under_way"
INSTALLED = "update_installed"


class Installer:
    """Installs updates.

    Args:
        unit: where the images lie.
        control: who is told.
        writer: how images are written.
        display: shows that it is going on.
        restart: resets the device into the new version.
    """

    def __init__(
        self,
        unit: Unit,
        control: Control,
        writer: StorageWriter,
        display: Display,
        restart: Callable[[Start], None],
    ) -> None:
        self._unit = unit
        self._control = control
        self._writer = writer
        self._display = display
        self._restart = restart
        self.running = False

    def refuse(self) -> str | None:
        """Why no update can be installed now, None when one can."""
        if self.running:
            return "an update is being installed"
        if not self._control.states.effects.update:
            return f"in the state {self._control.states.state} no update is installed"
        return None

    async def install(self, version: str, *, good: bool) -> None:
        """Write and activate `version`; a package that is not `good` fails at its check and the old version stays."""
        reason = self.refuse()
        if reason is not None:
            raise UsageError(reason)
        self.running = True
        self._display.updating(True)
        try:
            with self._writer.together():
                self._control.event("update_started", package=version, version=version)
                self._writer.put([setting_statement(UNDER_WAY, version)])
            await self._writer.flush()
            await self._unit.clock.sleep(self._unit.options.update_install_s)
            if not good:
                with self._writer.together():
                    self._writer.put([("DELETE FROM setting WHERE name = ?", (UNDER_WAY,))])
                    self._failed(version, "package check failed", code=PACKAGE_CODE)
                await self._writer.flush()
                return
            await self._switch(version)
        finally:
            self.running = False
            self._display.updating(False)
        self._restart(Start.UPDATE)

    async def _switch(self, version: str) -> None:
        old = self._unit.memory.image("firmware")
        statements = [
            image_statement("firmware", version, firmware_image("firmware", version)),
            image_statement("kernel", version, firmware_image("kernel", version)),
            setting_statement("expected_version", version),
            setting_statement(INSTALLED, {"from": old[0] if old else "", "to": version}),
            ("DELETE FROM setting WHERE name = ?", (UNDER_WAY,)),
        ]
        if old is not None:
            statements.append(image_statement("update_partition", old[0], firmware_image("firmware", old[0])))
        await self._writer.commit(statements)

    def after_start(self) -> None:
        """Tell after a start what became of an update; that it was told is stored with what was told."""
        with self._writer.together():
            installed = self._unit.memory.setting(INSTALLED)
            if installed is not None:
                old, new = installed["from"], installed["to"]
                told = {"package": new, "version": new, "version_from": old, "version_to": new, "signature": ""}
                self._control.event("update_done", **told)
                self._writer.put([("DELETE FROM setting WHERE name = ?", (INSTALLED,))])
            version = self._unit.memory.setting(UNDER_WAY)
            if version is not None:
                active = self._unit.memory.image("firmware")
                self._failed(version, "it was cut off while it was written")
                old = active[0] if active else ""
                self._control.event("update_rolled_back", version=version, version_from=version, version_to=old)
                self._writer.put([("DELETE FROM setting WHERE name = ?", (UNDER_WAY,))])

    def _failed(self, version: str, reason: str, **more: int) -> None:
        told = {"package": version, "version": version, "reason": reason}
        self._control.event("update_failed", outcome="failure", **told, **more)
