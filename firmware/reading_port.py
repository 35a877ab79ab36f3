"""What can be read through the maintenance port: logs, values, profiles, state."""

from __future__ import annotations

from typing import Any

from firmware.logs.book import LogBook
from firmware.maintenance import Answer, Command, Parameter, Refusal
from firmware.metering.values import Reading, as_rows, read
from firmware.own_clock import iso
from firmware.port_access import BOOKS, Access, instant, text
from firmware.security.module import SecurityModule
from firmware.selftest import RESULT


class ReadingPort:
    """The commands that read.

    Args:
        access: the way to the gateway.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._unit = access.unit

    def commands(self) -> dict[str, Command]:
        """By name."""
        return {
            "log": Command(
                self.read_log, {"book": text(*BOOKS), "consumer": text(required=False), "since": Parameter((int,))}
            ),
            "values": Command(
                self.read_values,
                {"meter": text(required=False), "since": text(required=False), "signatures": Parameter((bool,))},
            ),
            "profiles": Command(self.read_profiles, {"profile": text(required=False)}),
            "info": Command(self.read_info, {}),
            "selftest": Command(self.read_selftest, {}),
        }

    async def read_log(self, book: str, consumer: str | None = None, since: int = 0) -> Answer:
        """The entries of a book; `consumer` None: the first consumer's."""
        await self._access.settle()
        found = LogBook(self._unit.memory, book, self._access.log_owner(book, consumer), 1)
        return {"entries": [one.as_json() for one in found.read(since)]}

    async def read_values(self, meter: str | None = None, since: str | None = None, signatures: bool = False) -> Answer:
        """The stored readings, one row per register; with their signatures, and X || Y of the key that made them."""
        await self._access.settle()
        since_s = None if since is None else instant(since) // 1_000_000
        readings = read(self._unit.memory, meter, since_s)
        if not signatures:
            return {"rows": [row for one in readings for row in as_rows(one)]}
        key = SecurityModule(self._unit.memory)
        rows = [row for one in readings for row in _signed_rows(one)]
        return {"rows": rows, "key": key.public_point.hex(), "curve": key.curve}

    def read_profiles(self, profile: str | None = None) -> Answer:
        """One profile without its secrets, or the list of all."""
        answer = self._access.ready().profiles.read(profile)
        if not answer.good:
            raise Refusal(f"HTTP {answer.status}: {answer.findings[0]}", {"status": answer.status})
        return {"status": answer.status, **({"profile": answer.body} if profile is not None else answer.body)}

    def read_selftest(self) -> Answer:
        """The result of the latest self-test that was ordered or is due by the product's rules: when, at whose order,
        and what each check found."""
        session = self._access.session()
        result = self._unit.memory.setting(RESULT) if session is None else session.selftest.result
        return {"result": result}

    def read_info(self) -> Answer:
        """Identity and state."""
        unit, session = self._unit, self._access.session()
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
            "storage_used": round(session.room.used, 4),
            "updating": session.installer.running,
        }
        return answer


def _signed_rows(reading: Reading) -> list[dict[str, Any]]:
    signatures = [reading.signature] if reading.gap else [one.signature for one in reading.entries]
    return [
        {**row, "signature": "" if signature is None else signature.hex()}
        for row, signature in zip(as_rows(reading), signatures, strict=True)
    ]
