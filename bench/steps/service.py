"""Steps of a service technician at a meter that is itself the device under test: identity, update log, update."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from bench.expect import Outcome
from bench.quantity import Duration, text_of
from bench.scenario.smarty_models import FirmwareCheck
from bench.steps.base import Step
from bench.steps.counting import Counted
from bench.steps.lmn import unknown_meter
from bench.verdict import Verdict
from bench.written import Written

if TYPE_CHECKING:
    from bench.rig import Rig
    from bench.scenario.models import Scenario
    from devices.protocols.update_log import LogChecks, UpdateLog


_DEFECTS = {
    "damaged": "one bit of the firmware turned over",
    "truncated": "cut short",
    "header": "an unreadable header",
    "wrong_type": "made for another type of meter",
    "unsigned": "without a signature",
    "other_maker": "signed by somebody else",
}
"""What can be wrong with an image -> how it is said."""

Defect = Literal["damaged", "truncated", "header", "wrong_type", "unsigned", "other_maker"]


class ServiceStep(Step):
    """Ask the meter who it is.

    Attributes:
        meter: name under ``given.meters``.
        number: device number that it must tell; where it is the one under ``given`` and the bench file names another
            meter, that one's.
        firmware: name and version of its application, such as ``ENSO-MME V2.0``.
    """

    key: ClassVar[str] = "service"
    doc: ClassVar[str] = "ask the meter under test who it is and what runs on it"
    base_needs: ClassVar[frozenset[str]] = frozenset({"service_adapter"})

    meter: str
    number: str | None = None
    firmware: str | None = None

    @property
    def judges(self) -> bool:
        return True

    def check(self, scenario: Scenario) -> list[str]:
        return unknown_meter(self.meter, scenario)

    def sentence(self) -> str:
        wanted = [f"it is {self.number}"] if self.number else []
        wanted += [f"it runs {self.firmware}"] if self.firmware else []
        expected = " and ".join(wanted or ["it answers"])
        return f"Ask the meter {self.meter} over its service protocol; expect that {expected}."

    async def run(self, rig: Rig) -> Outcome:
        from devices.protocols.sml.server_id import device_number

        bench = rig.service_bench
        async with bench.client(self.meter, rig.server_id(self.meter)) as client:
            await client.identity()
            firmware = await client.firmware()
            number = device_number(client.meter.server_id)
        rig.timeline.add("service", "identity", {"meter": self.meter, "number": number, "firmware": firmware})
        seen = f"{number}, {firmware}"
        for what, wanted, told in (("number", self._number(rig), number), ("firmware", self.firmware, firmware)):
            if wanted is not None and wanted.replace(" ", "") != told.replace(" ", ""):
                return Outcome(Verdict.FAIL, f"{what} {wanted}", seen, f"its {what} is {told}")
        return Outcome(Verdict.PASS, "an answer", seen)

    def _number(self, rig: Rig) -> str | None:
        from devices.protocols.sml.server_id import device_number

        if self.number is None or self.number != rig.scenario.given.meters[self.meter].id:
            return self.number
        return device_number(rig.server_id(self.meter))


class LastEntry(Written):
    """What the newest entry of an update log must say."""

    event: Literal["succeeded", "failed"]
    version: str | None = None
    crc: FirmwareCheck | None = None


class UpdateLogStep(Step):
    """Read the update log and judge it.

    Attributes:
        meter: name under ``given.meters``.
        key: which key the technician compares: that of the label, another one, or none (``skipped``).
        trusted: whether the three checks together must let it be trusted.
        status, entries: result that the signature checks must have; ``none``: there is no entry to check.
        count: entries that there must be.
        full: whether it must say that it is full.
        last: what its newest entry must say.
        consistent: numbers, second indices, registers and versions must fit together.
    """

    key: ClassVar[str] = "update_log"
    doc: ClassVar[str] = "read the update log of the meter under test and check keys, signatures and contents"
    base_needs: ClassVar[frozenset[str]] = frozenset({"service_adapter"})

    meter: str
    label: Literal["compared", "other", "skipped"] = Field(default="compared", alias="key")
    trusted: bool | None = None
    status: Literal["ok", "nok"] | None = None
    entries: Literal["ok", "nok", "none"] | None = None
    count: Counted | None = None
    full: bool | None = None
    last: LastEntry | None = None
    consistent: bool | None = None

    @property
    def judges(self) -> bool:
        return True

    @model_validator(mode="after")
    def _something(self) -> UpdateLogStep:
        if not self._wanted():
            raise ValueError("say what is expected: trusted, status, entries, count, full, last or consistent")
        return self

    def check(self, scenario: Scenario) -> list[str]:
        return unknown_meter(self.meter, scenario)

    def _wanted(self) -> list[str]:
        wanted = []
        if self.count is not None:
            wanted.append(f"it holds {self.count.of('entry', 'entries')}")
        if self.full is not None:
            wanted.append(f"it is {'' if self.full else 'not '}full")
        if self.last is not None:
            version = f" with version {self.last.version}" if self.last.version else ""
            version += "" if self.last.crc is None else f" with CRC 0x{self.last.crc:04x}"
            wanted.append(f"its newest entry is an update that {self.last.event}{version}")
        if self.status is not None:
            wanted.append(f"the signature of the status is {self.status.upper()}")
        if self.entries is not None:
            wanted.append(
                "there is no entry to check"
                if self.entries == "none"
                else f"the signature of the entries is {self.entries.upper()}"
            )
        if self.trusted is not None:
            wanted.append(f"it is {'' if self.trusted else 'not '}to be trusted")
        if self.consistent is not None:
            wanted.append(f"its contents {'fit' if self.consistent else 'do not fit'} together")
        return wanted

    def sentence(self) -> str:
        key = {"compared": "the label's key compared", "other": "another key typed in", "skipped": "no key compared"}
        return f"Read the update log of {self.meter}, {key[self.label]}; expect that {', '.join(self._wanted())}."

    async def run(self, rig: Rig) -> Outcome:
        from devices.protocols.update_log import check_log

        bench = rig.service_bench
        async with bench.client(self.meter, rig.server_id(self.meter)) as client:
            log = await client.update_log()
            firmware = await client.firmware()
        bench.keep(self.meter, log)
        rig.assume(
            "SMARTY BZ-PLUS v2: signed octets",
            "UL1S and UL1E with server id, big-endian",
            "lmn-wired 5.6",
            "no document says what the maker's meters sign",
        )
        label = None if self.label == "skipped" else rig.label_key(self.meter)
        checks = check_log(log, _another(label) if label is not None and self.label == "other" else label)
        seen = _shown(log, checks)
        wrong = self._wrong(log, checks, firmware)
        expected = ", ".join(self._wanted())
        if wrong:
            return Outcome(Verdict.FAIL, expected, seen, f"{wrong[0]} ({seen})")
        return Outcome(Verdict.PASS, expected, seen)

    def _wrong(self, log: UpdateLog, checks: LogChecks, firmware: str) -> list[str]:
        from devices.protocols.update_log import Event, Trust
        from devices.protocols.update_log_findings import findings

        wrong = []
        if self.count is not None and len(log.entries) not in self.count:
            wrong.append(f"the log holds {_entries(len(log.entries))}")
        if self.full is not None and log.status.full != self.full:
            wrong.append(f"the log is {'' if log.status.full else 'not '}full")
        if self.status is not None and checks.status.value != self.status:
            wrong.append(f"the status signature is {checks.status.value}")
        if self.entries is not None and checks.entries.value != self.entries:
            wrong.append(f"the entries signature is {checks.entries.value}")
        if self.trusted is not None and (checks.trust is Trust.TRUSTED) != self.trusted:
            wrong.append(f"the log is {checks.trust.value}")
        if self.last is not None:
            newest = log.entries[-1] if log.entries else None
            if newest is None or (newest.event is Event.SUCCEEDED) != (self.last.event == "succeeded"):
                wrong.append("the newest entry is " + ("missing" if newest is None else newest.event.name.lower()))
            elif self.last.version is not None and newest.version != self.last.version.replace("n.A.", ""):
                wrong.append(f"the newest entry has version {newest.version or 'n.A.'}")
            elif self.last.crc is not None and newest.crc != self.last.crc:
                wrong.append(f"the newest entry has CRC 0x{newest.crc:04x}")
        if self.consistent is not None:
            found = [one for one in findings(log.status, log.entries, firmware) if not one.notice]
            if bool(found) == self.consistent:
                said = "; ".join(one.text(german=False) for one in found)
                wrong.append(said or "the contents fit together")
        return wrong


def _another(key: bytes) -> bytes:
    """A key that is not `key`: that of the maker's example ([BZ] 5.2.4)."""
    example = bytes.fromhex(
        "82FF258D7D484D9A11FE2D7F4AA7C37E762CF3B99FC381555873165708AD6E7F"
        "E9A7FF9B3F8B27A9501E54E15AAFF8EB9EB92E472C4474A61342862A97A89C31"
    )
    assert example != key
    return example


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


def _shown(log: UpdateLog, checks: LogChecks) -> str:
    return (
        f"{_entries(len(log.entries))}{', full' if log.status.full else ''}; key {checks.key.value}, "
        f"status {checks.status.value}, entries {checks.entries.value}: {checks.trust.value}"
    )


class Image(Written):
    """The firmware that is loaded.

    Attributes:
        version: such as V2.1.
        defect: what is wrong with it.
        crc: its check, as ``0x4751`` of the maker's example; unless told, whatever it comes to.
        size: octets of the firmware in it.
    """

    version: str
    defect: Defect | None = None
    crc: FirmwareCheck | None = None
    size: int = Field(default=4096, ge=1, le=1_000_000)


class Cut(Written):
    """A cut of the meter's supply in the midst of the update.

    Attributes:
        at: during which part of it; ``logging``: when the new firmware is what boots, before its entry is in the log.
        after: so long after that part began.
        length: for so long (written ``for``).
    """

    at: Literal["transfer", "checking", "confirm", "installing", "logging"]
    after: Duration = Field(default="0 s", validate_default=True)
    length: Duration = Field(default="5 s", alias="for", validate_default=True)

    @model_validator(mode="after")
    def _fits(self) -> Cut:
        if self.at == "logging" and self.after:
            raise ValueError("a cut at 'logging' has no 'after': an instant later the entry is there")
        return self

    @property
    def when(self) -> str:
        """In words."""
        if self.at == "logging":
            return "between the switch to the new firmware and its log entry"
        return f"{text_of(self.after)} into {self.at}"


RESULTS = {
    "installed": "it installs it",
    "rejected": "its checks reject it",
    "refused": "it refuses the transfer",
    "aborted": "it keeps the old firmware",
    "failed": "the installation fails",
    "cut": "the supply fails in the midst",
}
"""How an update can end -> how it is said."""


class UpdateMeterStep(Step):
    """Load a firmware into the meter.

    Attributes:
        meter: name under ``given.meters``.
        image: what is loaded.
        answer: what the technician says when asked whether to activate it.
        result: how it must end.
        failed_check: the check of the meter that must find the fault: undamaged, suits, signed, newer.
        cut: a cut of the meter's supply.
    """

    key: ClassVar[str] = "update_meter"
    doc: ClassVar[str] = "load a firmware into the meter under test"
    base_needs: ClassVar[frozenset[str]] = frozenset({"service_adapter", "emulated_meter"})

    meter: str
    image: Image
    answer: Literal["yes", "no"] = "yes"
    result: Literal["installed", "rejected", "refused", "aborted", "failed", "cut"]
    failed_check: Literal["undamaged", "suits", "signed", "newer"] | None = None
    cut: Cut | None = None

    @model_validator(mode="after")
    def _fits(self) -> UpdateMeterStep:
        if (self.cut is not None) != (self.result == "cut"):
            raise ValueError("a 'cut' has the result 'cut', and nothing else has")
        if self.failed_check is not None and self.result != "rejected":
            raise ValueError("a check fails only with the result 'rejected'")
        if (self.answer == "no") != (self.result == "aborted"):
            raise ValueError("the answer 'no' has the result 'aborted', and nothing else has")
        return self

    @property
    def judges(self) -> bool:
        return True

    def check(self, scenario: Scenario) -> list[str]:
        return unknown_meter(self.meter, scenario)

    def sentence(self) -> str:
        defect = "" if self.image.defect is None else f", {_DEFECTS[self.image.defect]}"
        cut = "" if self.cut is None else f", whose supply fails {self.cut.when}"
        answer = ", and say no to its activation" if self.answer == "no" else ""
        check = f" ({self.failed_check})" if self.failed_check else ""
        result = RESULTS[self.result]
        return (
            f"Load firmware {self.image.version}{defect} into {self.meter}{cut}{answer}; expect that {result}{check}."
        )

    async def run(self, rig: Rig) -> Outcome:
        from bench.meter_update import MeterUpdate

        update = MeterUpdate(rig, self.meter, self.image, self.answer == "yes", self.cut)
        result, failed, words = await update.run()
        rig.timeline.add("service", "update", {"meter": self.meter, "result": result, "failed": failed})
        seen = f"{result}{': ' + words if words else ''}"
        if result != self.result:
            return Outcome(Verdict.FAIL, self.result, seen, f"the update ended {seen}")
        if self.failed_check is not None and self.failed_check not in failed:
            checks = ", ".join(failed) or "no check"
            return Outcome(Verdict.FAIL, f"check {self.failed_check}", seen, f"it was {checks} that found a fault")
        return Outcome(Verdict.PASS, self.result, seen)


class MeterFirmwareFault(Step):
    """Make a fault inside an emulated meter that concerns its update or its log.

    Attributes:
        meter: name under ``given.meters``.
        kind: one of `devices.meters.smarty_metrology.UPDATE_FAULTS`, or ``tampered_entry``.
        on: whether it begins or ends.
        entry: which entry is tampered with.
    """

    key: ClassVar[str] = "meter_firmware"
    doc: ClassVar[str] = "make a fault inside the emulated meter under test"
    base_needs: ClassVar[frozenset[str]] = frozenset({"service_adapter", "emulated_meter"})

    meter: str
    kind: Literal[
        "image_damaged",
        "install_fails",
        "wrong_signing_key",
        "other_key",
        "status_signature_wrong",
        "entries_signature_wrong",
        "tampered_entry",
    ]
    on: bool = True
    entry: int = Field(default=1, ge=1)

    def check(self, scenario: Scenario) -> list[str]:
        return unknown_meter(self.meter, scenario)

    def sentence(self) -> str:
        from devices.meters.smarty_metrology import UPDATE_FAULTS

        if self.kind == "tampered_entry":
            return f"Inside the meter {self.meter}: somebody changes entry {self.entry} of the update log."
        return f"Inside the meter {self.meter}: {UPDATE_FAULTS[self.kind]}{'' if self.on else ' no more'}."

    async def run(self, rig: Rig) -> Outcome:
        meter = rig.service_bench.emulated[self.meter]
        if self.kind == "tampered_entry":
            if len(meter.metrology_cpu.log().entries) < self.entry:
                return Outcome(Verdict.ERROR, reason=f"the log has no entry {self.entry} to tamper with")
            meter.metrology_cpu.tamper(self.entry)
        else:
            meter.provoke(self.kind, self.on)
        rig.timeline.add("meter", "fault", {"meter": self.meter, "kind": self.kind, "on": self.on})
        return Outcome(Verdict.NONE)


__all__ = ["RESULTS", "Cut", "Image", "MeterFirmwareFault", "ServiceStep", "UpdateLogStep", "UpdateMeterStep"]
