"""What can be done and read through the maintenance port."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

from devices.errors import UsageError
from firmware.config import MeterProfile, Security
from firmware.damage import corrupt_key, damage_certificate, exchange_key, forge_value, swap_certificate
from firmware.fault_codes import RADIO_MODULE_CODES
from firmware.logs.book import LogBook
from firmware.logs.journal import FAILURES
from firmware.logs.torn import leave_piece
from firmware.maintenance import Answer, Command, Parameter, Refusal
from firmware.metering.values import as_rows, read
from firmware.metering_port import MeteringPort
from firmware.own_clock import DEFECTS, iso, to_us
from firmware.profiles import active
from firmware.profiles.findings import Answer as ProfileAnswer
from firmware.profiles.trust import fingerprint, root_statement
from firmware.selftest import RESULT
from firmware.session import Session
from firmware.storage.memory import digest
from firmware.storage.writer import PowerLost
from firmware.unit import Start, Unit

_NUMBER = (int, float)
_BOOKS = ("system", "calibration", "consumer")
_FLIPPED = (
    "firmware", "kernel", "update_partition", "database", "log", "signature", "derived", "setting", "profile",
)  # fmt: skip
_RESETS = ("unknown", "unexpected_command", "external_watchdog", "internal_watchdog", "hardware_reset")


def _text(*choices: str, required: bool = True) -> Parameter:
    return Parameter((str,), required, choices)


_SWITCH = Parameter((bool, str), False, (True, False, "on", "off"))


class FaultPort:
    """The commands of one gateway.

    Args:
        unit: the hardware.
        session: gives the running firmware, None while there is none.
        restart: resets the device.
    """

    def __init__(self, unit: Unit, session: Callable[[], Session | None], restart: Callable[[Start], None]) -> None:
        self._unit = unit
        self._session = session
        self._restart = restart

    def commands(self) -> dict[str, dict[str, Command]]:
        """Verb, name, command."""
        share, flag = Parameter(_NUMBER, True), Parameter((bool,))
        given = Parameter((dict, list), True)
        do = {
            "fill_log": Command(self.fill_log, {"book": _text(*_BOOKS), "to": Parameter(_NUMBER)}),
            "tear_log": Command(self.tear_log, {"book": _text(*_BOOKS), "consumer": _text(required=False)}),
            "log_service_fails": Command(
                self.log_service_fails, {"book": _text(*_BOOKS), "how": _text(*FAILURES), "restartable": flag}
            ),
            "reset": Command(self.reset, {"by": _text(*_RESETS)}),
            "fill_storage": Command(self.fill_storage, {"to": share}),
            "flip_bit": Command(self.flip_bit, {"of": _text(*_FLIPPED)}),
            "forge_value": Command(self.forge_value, {}),
            "damage_key": Command(self.damage_key, {"how": _text("exchanged", "corrupt")}),
            "damage_certificate": Command(self.damage_certificate, {"how": _text("swapped", "corrupt")}),
            "rtc_fails": Command(self.rtc_fails, {"how": _text(*DEFECTS)}),
            "component_fails": Command(
                self.component_fails,
                {"component": _text(required=False), "restartable": flag, "variant": _text(required=False)},
            ),
            "violation": Command(
                self.violation,
                {
                    "variant": _text(required=False),
                    "phase": _text("together", "alternating", required=False),
                    "persistent": flag,
                },
            ),
            "hardware_change": Command(self.hardware_change, {}),
            "expire_certificate": Command(self.expire_certificate, {"which": _text("lmn", required=False)}),
            "renew_certificate": Command(self.renew_certificate, {"which": _text("lmn", required=False)}),
            "software_version_differs": Command(self.software_version_differs, {}),
            "boot_check_fails": Command(self.boot_check_fails, {"times": Parameter((int,))}),
            "base_software_missing": Command(self.base_software_missing, {}),
            "corrupt_kernel": Command(self.corrupt_kernel, {}),
            "install_update": Command(self.install_update, {"ok": flag, "version": _text(required=False)}),
            "selftest": Command(self.selftest, {"initiator": _text(required=False)}),
            "add_meter_profile": Command(
                self.add_meter_profile,
                {
                    "meter": _text(),
                    "obis": Parameter((list,)),
                    "consumer": _text(required=False),
                    "name": _text(required=False),
                    "key": _text(required=False),
                    "security": _text("tls", "clear", required=False),
                    "radio": flag,
                    "period_s": Parameter((int,)),
                },
            ),
            "install_profile": Command(self.install_profile, {"profile": given, "signer": _text(required=False)}),
            "change_profile": Command(self.change_profile, {"profile": given, "signer": _text(required=False)}),
            "delete_profile": Command(self.delete_profile, {"profile": _text(), "signer": _text(required=False)}),
            "install_root": Command(self.install_root, {"certificate": _text()}),
            "crypto_reset": Command(self.crypto_reset, {"meter": _text()}),
            "radio_module_fails": Command(self.radio_module_fails, {"defect": _text(*RADIO_MODULE_CODES)}),
            "overload_bus": Command(self.overload_bus, {"on": _SWITCH}),
            "set_rtc": Command(
                self.set_rtc, {"offset_s": Parameter(_NUMBER), "time": _text(required=False), "dead": flag}
            ),
            "clear_cause": Command(self.clear_cause, {"cause": _text()}),
            "mend": Command(self.mend, {"fault": _text(required=False)}),
            "restart": Command(self.restart, {}),
        }
        reads = {
            "log": Command(
                self.read_log, {"book": _text(*_BOOKS), "consumer": _text(required=False), "since": Parameter((int,))}
            ),
            "values": Command(self.read_values, {"meter": _text(required=False), "since": _text(required=False)}),
            "profiles": Command(self.read_profiles, {"profile": _text(required=False)}),
            "info": Command(self.read_info, {}),
            "selftest": Command(self.read_selftest, {}),
        }
        metering = MeteringPort(self._unit, self._ready, self._settle).commands()
        return {"do": do | metering["do"], "read": reads | metering["read"]}

    def _running(self) -> Session:
        session = self._session()
        if session is None:
            raise Refusal("the gateway is without power")
        return session

    def _ready(self) -> Session:
        session = self._running()
        if session.phase != "ready":
            raise Refusal(f"the gateway is not ready yet (phase {session.phase})")
        return session

    def _plant(self, name: str, value: Any) -> None:
        self._unit.memory.plant_fault(name, value)
        session = self._session()
        if session is not None and value is not None:
            session.meet(name, value)

    # --- stores

    async def fill_log(self, book: str, to: float = 1.0) -> Answer:
        """Fill a log up to the share `to` of its capacity, or empty it down to that."""
        _share("to", to)
        session = self._ready()
        held = session.control.journal.fill(book, to)
        await session.writer.flush()
        return {"entries": held}

    async def tear_log(self, book: str, consumer: str | None = None) -> Answer:
        """Leave the begin of an entry behind, as a power cut in the middle of its writing does."""
        session = self._session()
        if session is not None:
            await session.writer.flush()
        owner = self._owner(book, consumer)
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
        session = self._running()
        if by == "internal_watchdog":
            session.control.event("watchdog_restart", device=self._unit.config.device_id, watchdog=by, component="")
            await session.writer.flush()
        self._restart(Start(by))
        return {}

    async def fill_storage(self, to: float) -> Answer:
        """Take the share `to` of the room for readings."""
        _share("to", to)
        session = self._ready()
        used = session.room.fill(to)
        await session.writer.flush()
        return {"used": used}

    async def flip_bit(self, of: str) -> Answer:
        """Flip one stored bit; the firmware has to find it by itself."""
        session = self._session()
        if session is not None:
            await session.writer.flush()
        return {"where": self._unit.memory.flip_bit(of, self._unit.rng)}

    async def forge_value(self) -> Answer:
        """Somebody changes one of the latest values and its digest; only the signature is not his."""
        session = self._session()
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

    # --- defects of the unit

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
        session = self._session()
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

    async def renew_certificate(self, which: str = "lmn") -> Answer:
        """The administrator orders new certificates for meters and gateway, or has dealt with the planted defect."""
        self._unit.memory.plant_fault(f"{which}_certificate_expired", None)
        session = self._session()
        if session is not None and session.phase == "ready":
            await session.lmn.renew_certificates()
        return self.clear_cause(f"{which}_certificate_expired") if self._session() is not None else {}

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
        session = self._session()
        if session is not None and session.phase == "ready":
            session.refresh_bus()
        return {}

    def mend(self, fault: str | None = None) -> Answer:
        """Take a planted defect away again, or all of them."""
        planted = self._unit.memory.faults()
        if fault is not None and fault not in planted:
            raise UsageError(f"no defect {fault!r} is planted", hint=f"planted: {', '.join(planted) or 'none'}")
        for name in planted if fault is None else [fault]:
            self._unit.memory.plant_fault(name, None)
        return {"mended": list(planted) if fault is None else [fault]}

    # --- what others do with it

    async def install_update(self, ok: bool = True, version: str = "2.0.0") -> Answer:
        """Start the install phase; returns when it has begun."""
        session = self._ready()
        reason = session.installer.refuse()
        if reason is not None:
            raise Refusal(reason)
        session.spawn(session.installer.install(version, good=ok))
        return {"version": version}

    async def selftest(self, initiator: str = "technician") -> Answer:
        """Somebody orders the self-test."""
        order = await self._ready().selftest.order(initiator)
        answer: Answer = {"accepted": order.accepted}
        if not order.accepted:
            answer["reason"] = order.reason
        return answer

    async def add_meter_profile(
        self,
        meter: str,
        obis: list[Any] | None = None,
        consumer: str = "consumer-1",
        name: str = "",
        key: str | None = None,
        security: Security | None = None,
        radio: bool = False,
        period_s: int | None = None,
    ) -> Answer:
        """The administrator installs a meter profile; `key` in hex: the initial one, by radio that of the telegrams."""
        registers = tuple(str(one) for one in obis or ())
        profile = MeterProfile(meter, registers, consumer, name, _octets("key", key), security, radio, period_s)
        active(profile)
        session = self._ready()
        session.profiles.add(profile)
        await session.writer.flush()
        return {}

    async def install_profile(self, profile: Any, signer: str | None = None) -> Answer:
        """The administrator installs a profile, or a list of them in one piece, given as plain data.

        `signer`: SHA-256 of the certificate of the one who signed the order; None: it comes from the administrator.
        """
        session = self._ready()
        return await self._answered(session, session.profiles.install(profile, signer))

    async def change_profile(self, profile: Any, signer: str | None = None) -> Answer:
        """The administrator replaces a profile, or several in one piece, by others with the same ids."""
        session = self._ready()
        return await self._answered(session, session.profiles.change(profile, signer))

    async def delete_profile(self, profile: str, signer: str | None = None) -> Answer:
        """The administrator deletes a profile."""
        session = self._ready()
        return await self._answered(session, session.profiles.delete(profile, signer))

    async def _answered(self, session: Session, answer: ProfileAnswer) -> Answer:
        """What is done is stored before it is answered, and so are the log entries that tell of a refusal."""
        await session.writer.flush()
        told: Answer = {"status": answer.status, "findings": [one.plain() for one in answer.findings]}
        if not answer.good:
            raise Refusal(f"HTTP {answer.status}: {'; '.join(map(str, answer.findings))}", told)
        return told

    async def install_root(self, certificate: str) -> Answer:
        """The administrator has added a root, DER in hex, to those that certificates in profiles may lead to."""
        session, der = self._ready(), _octets("certificate", certificate) or b""
        session.writer.put([root_statement(self._unit.memory, der)])
        await session.writer.flush()
        return {"fingerprint": fingerprint(der)}

    async def crypto_reset(self, meter: str) -> Answer:
        """The administrator orders a meter back to its initial key, and to be paired again; the order is stored."""
        await self._ready().lmn.order_crypto_reset(meter)
        return {}

    def radio_module_fails(self, defect: str) -> Answer:
        """The radio module inside fails until it is mended."""
        self._plant("radio_module", defect)
        return {"code": RADIO_MODULE_CODES[defect]}

    def set_rtc(self, offset_s: float | None = None, time: str | None = None, dead: bool = False) -> Answer:
        """Put the gateway's clock wrong without telling it: by an offset, to an instant, or empty its buffer."""
        if (offset_s is not None) + (time is not None) + dead != 1:
            raise UsageError("say exactly one of offset_s, time, dead")
        session, rtc = self._session(), self._unit.rtc
        if dead:
            rtc.kill()
            return {}
        shown = rtc.read()
        now_us = session.own.now_us() if session is not None else shown if shown is not None else 0
        try:
            target = _instant(time) if time is not None else now_us + round((offset_s or 0.0) * 1e6)
            told = iso(target)
        except (OverflowError, ValueError):
            raise UsageError(f"no clock can be put {offset_s} s off", hint="years from 1 to 9999 exist") from None
        rtc.set(target)
        if session is not None:
            session.own.step_to(target)
        return {"time": told}

    def clear_cause(self, cause: str) -> Answer:
        """The administrator has dealt with a cause: reviewed a lock, put in a certificate."""
        product = self._unit.product
        if product.rule(cause) is None:
            causes = ", ".join(sorted({one.cause for one in product.data.causes}))
            raise UsageError(f"{product.name} has no cause {cause!r}", hint=f"one of {causes}")
        session = self._running()
        if cause not in session.control.states.present:
            present = ", ".join(session.control.states.present) or "none"
            raise Refusal(f"the cause {cause!r} is not present (present: {present})")
        if not session.control.cleared(cause, by_administrator=True):
            raise Refusal(f"{product.name} has no way out of {cause!r} in the field")
        return {"state": session.control.states.state}

    def restart(self) -> Answer:
        """The administrator has the gateway start again."""
        self._running().restart(Start.COMMAND)
        return {}

    # --- reading

    def _owner(self, book: str, consumer: str | None) -> str:
        """Whose book is meant; None: the first consumer's."""
        if book != "consumer":
            return ""
        owner = consumer or self._unit.config.consumers[0]
        logged = self._unit.memory.query("SELECT 1 FROM log_head WHERE book = ? AND owner = ?", (book, owner))
        if owner not in self._unit.config.consumers and not logged:
            raise UsageError(f"there is no consumer {owner!r}")
        return owner

    async def _settle(self) -> None:
        """Let a commit that is under way end; when mains fails under it, what lies in the memory is what is read."""
        session = self._session()
        if session is not None:
            with contextlib.suppress(PowerLost):
                await session.writer.flush()

    async def read_log(self, book: str, consumer: str | None = None, since: int = 0) -> Answer:
        """The entries of a book; `consumer` None: the first consumer's."""
        await self._settle()
        found = LogBook(self._unit.memory, book, self._owner(book, consumer), 1)
        return {"entries": [one.as_json() for one in found.read(since)]}

    async def read_values(self, meter: str | None = None, since: str | None = None) -> Answer:
        """The stored readings, one row per register."""
        await self._settle()
        since_s = None if since is None else _instant(since) // 1_000_000
        rows = [row for reading in read(self._unit.memory, meter, since_s) for row in as_rows(reading)]
        return {"rows": rows}

    def read_profiles(self, profile: str | None = None) -> Answer:
        """One profile without its secrets, or the list of all."""
        answer = self._ready().profiles.read(profile)
        if not answer.good:
            raise Refusal(f"HTTP {answer.status}: {answer.findings[0]}", {"status": answer.status})
        return {"status": answer.status, **({"profile": answer.body} if profile is not None else answer.body)}

    def read_selftest(self) -> Answer:
        """The result of the latest self-test that was ordered or is due by the product's rules: when, at whose order,
        and what each check found."""
        session = self._session()
        result = self._unit.memory.setting(RESULT) if session is None else session.selftest.result
        return {"result": result}

    def read_info(self) -> Answer:
        """Identity and state."""
        unit, session = self._unit, self._session()
        image = unit.memory.image("firmware")
        answer: Answer = {
            "type": unit.product.name,
            "device_id": unit.config.device_id,
            "software": image[0] if image else "",
            "state": "off",
            "phase": "off",
            "faults": sorted(unit.memory.faults()),
        }
        if session is None:
            return answer
        control = session.control
        ready = session.phase == "ready" or control.states.state != "run"
        answer |= {
            "state": "updating" if session.installer.running else control.states.state if ready else "boot",
            "phase": session.phase,
            "causes": sorted(control.states.present),
            "time": iso(session.own.now_us()),
            "time_state": session.time.state.value,
            "addressed": [one.device_id.hex() for one in session.lmn.present],
            "meters": session.lmn.shown(),
            "radio_meters": session.radio.shown(),
            "profiles": sorted({**session.registration.profiles, **session.radio_registration.profiles}),
            "storage_used": session.room.used,
            "updating": session.installer.running,
        }
        return answer


def _share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise UsageError(f"{name!r} is a share of the capacity from 0 to 1, not {value}")


def _octets(name: str, text: str | None) -> bytes | None:
    try:
        return None if text is None else bytes.fromhex(text)
    except ValueError:
        raise UsageError(f"{name!r} is {text!r}", hint="octets as hexadecimal digits") from None


def _instant(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no instant", hint="2026-01-05T00:07:30Z") from None
    if moment.tzinfo is None:
        raise UsageError(f"{text!r} lacks its time zone", hint="2026-01-05T00:07:30Z")
    return to_us(moment)
