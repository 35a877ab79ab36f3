"""What an update tool says to a SMARTY BZ-PLUS, message by message, without a bus."""

from __future__ import annotations

from devices.clock import Clock
from devices.meters.smarty_bz import SmartyBz
from devices.protocols.app_image import Version, build_image
from devices.protocols.smarty_service import SELECTOR, Answer, Command, Refusal, Request
from devices.protocols.smarty_update import BLOCK_OCTETS, Progress, begin_data, block_data
from devices.protocols.update_log import Event, UpdateLog, UpdateLogEntry, UpdateLogStatus, check_log, from_page
from devices.protocols.update_log_findings import findings

PAYLOAD = bytes(range(256)) * 3
IMAGE = build_image(PAYLOAD, Version(2, 1))


class Silent(Exception):
    """The meter says nothing."""


class Refusing(Exception):
    """The meter refuses; the reason is the argument."""


class Tool:
    def __init__(self, meter: SmartyBz) -> None:
        self.meter = meter
        self.service = meter.services()[SELECTOR]

    def ask(self, command: Command, data: bytes = b"") -> bytes:
        octets = self.service.message(Request(command, data).to_bytes())
        if not octets:
            raise Silent
        answer = Answer.from_bytes(octets)
        if answer.refused is not None:
            raise Refusing(answer.refused.reason, answer.refused.detail)
        assert answer.command == command
        return answer.data

    def step(self, command: Command, data: bytes = b"") -> Progress:
        return Progress.from_bytes(self.ask(command, data))

    def state(self) -> Progress:
        return self.step(Command.UPDATE_STATE)

    def firmware(self) -> str:
        return self.ask(Command.FIRMWARE_VERSION).decode()

    def send(self, image: bytes = IMAGE) -> None:
        self.step(Command.UPDATE_BEGIN, begin_data(len(image)))
        for start in range(0, len(image), BLOCK_OCTETS):
            self.step(Command.UPDATE_BLOCK, block_data(start, image[start : start + BLOCK_OCTETS]))

    async def update(self, clock: Clock, image: bytes = IMAGE) -> Progress:
        """Transfer, checks, yes, installation; what the meter says at the end."""
        self.send(image)
        self.step(Command.UPDATE_CHECK)
        await clock.sleep(3)
        if self.state().checks.good:
            self.step(Command.UPDATE_ACTIVATE)
            await clock.sleep(30)
        return self.state()

    def log(self) -> UpdateLog:
        entries: list[UpdateLogEntry] = []
        while page := from_page(self.ask(Command.LOG_ENTRIES, (len(entries) + 1).to_bytes(2, "big")))[1]:
            entries += page
        return UpdateLog(
            self.meter.server_id,
            self.ask(Command.PUBLIC_KEY),
            UpdateLogStatus.from_bytes(self.ask(Command.LOG_STATUS)),
            self.ask(Command.LOG_STATUS_SIGNATURE),
            tuple(entries),
            self.ask(Command.LOG_ENTRIES_SIGNATURE),
        )

    def true_log(self) -> tuple[UpdateLogEntry, ...]:
        """The entries of a log that is trusted and without contradiction."""
        log = self.log()
        assert check_log(log, self.meter.label_key).trust.value == "trusted"
        assert findings(log.status, log.entries, self.firmware()) == ()
        return log.entries


def reason(refusing: object) -> Refusal:
    value = getattr(refusing, "value").args[0]  # noqa: B009
    assert isinstance(value, Refusal)
    return value


def events(entries: tuple[UpdateLogEntry, ...]) -> list[int]:
    return [int(entry.event) for entry in entries if isinstance(entry.event, Event)]
