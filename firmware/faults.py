"""The maintenance port: all its commands, and among them the faults that are made with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from devices.errors import UsageError
from firmware.damage import corrupt_key, damage_certificate, exchange_key, forge_value, swap_certificate
from firmware.fault_codes import RADIO_MODULE_CODES
from firmware.han.disturbance import FAULT, FROZEN, KINDS, MOST_SLOW_S, SLOW, SLOW_S
from firmware.logs.book import LogBook
from firmware.logs.journal import FAILURES
from firmware.logs.torn import leave_piece
from firmware.maintenance import Answer, Command, Parameter, Refusal, described
from firmware.metering_port import MeteringPort
from firmware.order_port import OrderPort
from firmware.own_clock import DEFECTS, iso
from firmware.port_access import BOOKS, Access, instant, text
from firmware.reading_port import ReadingPort
from firmware.session import Session
from firmware.storage.memory import digest
from firmware.unit import Start, Unit

_NUMBER = (int, float)
_FLIPPED = (
    "firmware", "kernel", "update_partition", "database", "log", "signature", "derived", "setting", "profile",
)  # fmt: skip
_RESETS = ("unknown", "unexpected_command", "external_watchdog", "internal_watchdog", "hardware_reset")
_SWITCH = Parameter((bool, str), False, (True, False, "on", "off"))


class FaultPort:
    """All commands of one gateway; those that make faults are carried out here.

    Args:
        unit: the hardware.
        session: gives the running firmware, None while there is none.
        restart: resets the device.
    """

    def __init__(self, unit: Unit, session: Callable[[], Session | None], restart: Callable[[Start], None]) -> None:
        self._unit = unit
        self._access = Access(unit, session)
        self._restart = restart

    def commands(self) -> dict[str, dict[str, Command]]:
        """Verb, name, command."""
        access = self._access
        metering = MeteringPort(self._unit, access.ready, access.settle).commands()
        do = self._faults() | OrderPort(access).commands() | metering["do"]
        found = {"do": do, "read": ReadingPort(access).commands() | metering["read"]}
        found["read"]["commands"] = Command(lambda: described(found), {})
        return found

    def _faults(self) -> dict[str, Command]:
        share, flag = Parameter(_NUMBER, True), Parameter((bool,))
        return {
            "fill_log": Command(self.fill_log, {"book": text(*BOOKS), "to": Parameter(_NUMBER)}),
            "tear_log": Command(self.tear_log, {"book": text(*BOOKS), "consumer": text(required=False)}),
            "log_service_fails": Command(
                self.log_service_fails, {"book": text(*BOOKS), "how": text(*FAILURES), "restartable": flag}
            ),
            "reset": Command(self.reset, {"by": text(*_RESETS)}),
            "fill_storage": Command(self.fill_storage, {"to": share}),
            "flip_bit": Command(self.flip_bit, {"of": text(*_FLIPPED)}),
            "forge_value": Command(self.forge_value, {}),
            "damage_key": Command(self.damage_key, {"how": text("exchanged", "corrupt")}),
            "damage_certificate": Command(self.damage_certificate, {"how": text("swapped", "corrupt")}),
            "rtc_fails": Command(self.rtc_fails, {"how": text(*DEFECTS)}),
            "component_fails": Command(
                self.component_fails,
                {"component": text(required=False), "restartable": flag, "variant": text(required=False)},
            ),
            "violation": Command(
                self.violation,
                {
                    "variant": text(required=False),
                    "phase": text("together", "alternating", required=False),
                    "persistent": flag,
                },
            ),
            "hardware_change": Command(self.hardware_change, {}),
            "expire_certificate": Command(self.expire_certificate, {"which": text("lmn", required=False)}),
            "software_version_differs": Command(self.software_version_differs, {}),
            "boot_check_fails": Command(self.boot_check_fails, {"times": Parameter((int,))}),
            "base_software_missing": Command(self.base_software_missing, {}),
            "corrupt_kernel": Command(self.corrupt_kernel, {}),
            "radio_module_fails": Command(self.radio_module_fails, {"defect": text(*RADIO_MODULE_CODES)}),
            "overload_bus": Command(self.overload_bus, {"on": _SWITCH}),
            "set_rtc": Command(
                self.set_rtc, {"offset_s": Parameter(_NUMBER), "time": text(required=False), "dead": flag}
            ),
            "disturb_han": Command(self.disturb_han, {"how": text(*KINDS), "seconds": Parameter(_NUMBER)}),
            "mend": Command(self.mend, {"fault": text(required=False)}),
        }

    def _plant(self, name: str, value: Any) -> None:
        self._unit.memory.plant_fault(name, value)
        session = self._access.session()
        if session is not None and value is not None:
            session.meet(name, value)

    async def fill_log(self, book: str, to: float = 1.0) -> Answer:
        """Fill a log up to the share `to` of its capacity, or empty it down to that."""
        _share("to", to)
        session = self._access.ready()
        held = session.control.journal.fill(book, to)
        await session.writer.flush()
        return {"entries": held}

    async def tear_log(self, book: str, consumer: str | None = None) -> Answer:
        """Leave the begin of an entry behind, as a power cut in the middle of its writing does."""
        session = self._access.session()
        if session is not None:
            await session.writer.flush()
        owner = self._access.log_owner(book, consumer)
        number = LogBook(self._unit.memory, book, owner, 1).next_number
        self._unit.memory.commit([leave_piece(book, owner, number)])
        return {"number": number}

    def log_service_fails(self, book: str, how: str, restartable: bool = True) -> Answer:
        """The service of a log cannot write, or dies; for good unless `restartable`."""
        if "log_service" in self._unit.memory.faults():
            raise Refusal("the service of a log has failed already")
        self._plant("log_service", {"book": book, "how": how, "restartable": restartable})
        return {}

    async def reset(self, by: str) -> Answer:
        """Something other than the firmware resets the device, without any order in which it could shut down."""
        session = self._access.running()
        if by == "internal_watchdog":
            session.control.event("watchdog_restart", device=self._unit.config.device_id, watchdog=by, component="")
            await session.writer.flush()
        self._restart(Start(by))
        return {}

    async def fill_storage(self, to: float) -> Answer:
        """Take the share `to` of the room for readings."""
        _share("to", to)
        session = self._access.ready()
        used = session.room.fill(to)
        await session.writer.flush()
        return {"used": used}

    async def flip_bit(self, of: str) -> Answer:
        """Flip one stored bit; the firmware has to find it by itself."""
        session = self._access.session()
        if session is not None:
            await session.writer.flush()
        return {"where": self._unit.memory.flip_bit(of, self._unit.rng)}

    async def forge_value(self) -> Answer:
        """Somebody changes one of the latest values and its digest; only the signature is not his."""
        session = self._access.session()
        if session is not None:
            await session.writer.flush()
        return {"where": forge_value(self._unit.memory, self._unit.rng)}

    def damage_key(self, how: str) -> Answer:
        """The key in the security module is another one, or one of its bits has flipped; a running firmware meets it
        at the self-test, and signs with it from its next start on."""
        damage = exchange_key if how == "exchanged" else corrupt_key
        damage(self._unit.memory, self._unit.rng)
        return {}

    def damage_certificate(self, how: str) -> Answer:
        """The certificate of the signature key is that of another gateway, or one of its bits has flipped."""
        unit = self._unit
        if how == "swapped":
            swap_certificate(unit.memory, unit.rng, unit.config.device_id, unit.options, unit.clock.now())
        else:
            damage_certificate(unit.memory, unit.rng)
        return {}

    def rtc_fails(self, how: str) -> Answer:
        """The chip of the real time clock answers no more, stands still, or loses the time with mains; until mended."""
        if how == "stopped":
            self._unit.rtc.stop()
        self._unit.memory.plant_fault("rtc", how)
        return {}

    def corrupt_kernel(self) -> Answer:
        """Overwrite the kernel's first octets."""
        stored = self._unit.memory.image("kernel")
        if stored is None:
            raise UsageError("the memory holds no kernel")
        octets = bytes(64) + stored[1][64:]
        self._unit.memory.commit([("UPDATE image SET octets = ? WHERE slot = 'kernel'", (octets,))])
        return {}

    def software_version_differs(self) -> Answer:
        """Put another version into the active partition, with a good hash."""
        stored = self._unit.memory.image("firmware")
        if stored is None:
            raise UsageError("the memory holds no firmware")
        change = "UPDATE image SET version = ?, digest = ? WHERE slot = 'firmware'"
        self._unit.memory.commit([(change, (f"{stored[0]}-other", digest(stored[1])))])
        return {"version": f"{stored[0]}-other"}

    def component_fails(
        self, component: str = "metering", restartable: bool = True, variant: str | None = None
    ) -> Answer:
        """An essential component of the software fails, for good unless `restartable`."""
        self._check_variant(variant)
        self._plant("component", {"component": component, "restartable": restartable, "variant": variant})
        return {}

    def violation(self, variant: str | None = None, phase: str = "together", persistent: bool = False) -> Answer:
        """Something that looks like an attack; gone after a power cycle unless `persistent`."""
        if self._unit.product.rule("security_violation") is None:
            raise UsageError(f"{self._unit.product.name} has no operating state for a suspected violation")
        self._check_variant(variant)
        fault = {"variant": variant, "phase": phase}
        if persistent:
            self._unit.memory.plant_fault("violation", fault)
        session = self._access.session()
        if session is not None:
            session.meet("violation", fault)
        elif not persistent:
            raise Refusal("without power only a persistent violation can be made")
        return {}

    def _check_variant(self, variant: str | None) -> None:
        known = self._unit.product.violation_variants
        if variant is not None and variant not in known:
            raise UsageError(
                f"{self._unit.product.name} has no violation pattern {variant!r}",
                hint=f"one of {', '.join(known)}" if known else "leave the variant out",
            )

    def hardware_change(self) -> Answer:
        """The board is another one from now on; the next self-test finds it."""
        self._unit.memory.plant_fault("hardware", "changed")
        return {}

    def expire_certificate(self, which: str = "lmn") -> Answer:
        """The certificate for meters runs out."""
        self._plant(f"{which}_certificate_expired", True)
        return {}

    def boot_check_fails(self, times: int = 1) -> Answer:
        """The security checks of the next `times` boots fail."""
        if times < 0:
            raise UsageError(f"boots are counted from 0, not {times}")
        self._unit.memory.plant_fault("boot_check_fails", times or None)
        return {}

    def base_software_missing(self) -> Answer:
        """From the next start nothing boots."""
        self._unit.memory.plant_fault("base_software_missing", True)
        return {}

    def overload_bus(self, on: bool | str = True) -> Answer:
        """The supply of the meter bus is overloaded, or no longer."""
        overloaded = on in (True, "on")
        self._unit.memory.plant_fault("bus_overload", True if overloaded else None)
        session = self._access.session()
        if session is not None and session.phase == "ready":
            session.refresh_bus()
            if overloaded:
                session.meet("bus_overload", True)
        return {}

    async def disturb_han(self, how: str, seconds: float | None = None) -> Answer:
        """Something goes wrong at the home interface until it is mended, also after a restart; another one takes its
        place. `seconds`: by which answers come later when it is slow."""
        longest_s = self._unit.options.han_request_s
        if seconds is not None and how != SLOW:
            raise UsageError(f"only 'slow' has seconds, not {how!r}")
        seconds = SLOW_S if seconds is None else seconds
        if how == SLOW and not (0 < seconds <= MOST_SLOW_S and seconds < longest_s):
            raise UsageError(
                f"answers cannot come {seconds:g} s later",
                hint=f"above 0, at most {MOST_SLOW_S:g} s, less than the option han_request_s, {longest_s:g} s",
            )
        fault: dict[str, Any] = {"how": how} | ({"seconds": float(seconds)} if how == SLOW else {})
        if how == FROZEN:
            session = self._access.ready()
            await session.writer.flush()
            fault = dict(session.han.frozen())
        self._unit.memory.plant_fault(FAULT, fault)
        running = self._access.session()
        if running is not None:
            running.han.disturb(fault)
        return {}

    def mend(self, fault: str | None = None) -> Answer:
        """Take a planted defect away again, or all of them."""
        planted = self._unit.memory.faults()
        if fault is not None and fault not in planted:
            raise UsageError(f"no defect {fault!r} is planted", hint=f"planted: {', '.join(planted) or 'none'}")
        for name in planted if fault is None else [fault]:
            self._unit.memory.plant_fault(name, None)
        session = self._access.session()
        if FAULT in planted and fault in (None, FAULT) and session is not None:
            session.han.disturb(None)
        return {"mended": list(planted) if fault is None else [fault]}

    def radio_module_fails(self, defect: str) -> Answer:
        """The radio module inside fails until it is mended."""
        self._plant("radio_module", defect)
        return {"code": RADIO_MODULE_CODES[defect]}

    def set_rtc(self, offset_s: float | None = None, time: str | None = None, dead: bool = False) -> Answer:
        """Put the gateway's clock wrong without telling it: by an offset, to an instant, or empty its buffer."""
        if (offset_s is not None) + (time is not None) + dead != 1:
            raise UsageError("say exactly one of offset_s, time, dead")
        session, rtc = self._access.session(), self._unit.rtc
        if dead:
            rtc.kill()
            return {}
        shown = rtc.read()
        now_us = session.own.now_us() if session is not None else shown if shown is not None else 0
        try:
            target = instant(time) if time is not None else now_us + round((offset_s or 0.0) * 1e6)
            told = iso(target)
        except (OverflowError, ValueError):
            raise UsageError(f"no clock can be put {offset_s} s off", hint="years from 1 to 9999 exist") from None
        rtc.set(target)
        if session is not None:
            session.own.step_to(target)
        return {"time": told}


def _share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise UsageError(f"{name!r} is a share of the capacity from 0 to 1, not {value}")
