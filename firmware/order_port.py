"""Orders of the administrator and of others through the maintenance port, until WAN and home interface take them."""

from __future__ import annotations

from typing import Any

from devices.errors import UsageError
from firmware.config import MeterProfile, Security
from firmware.maintenance import Answer, Command, Parameter, Refusal
from firmware.port_access import Access, octets_of, text
from firmware.profiles import active
from firmware.profiles.findings import Answer as ProfileAnswer
from firmware.profiles.trust import fingerprint, root_statement
from firmware.session import Session
from firmware.unit import Start


class OrderPort:
    """The commands that order something which a real gateway is ordered to do as well.

    Args:
        access: the way to the gateway.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._unit = access.unit

    def commands(self) -> dict[str, Command]:
        """By name."""
        flag, given = Parameter((bool,)), Parameter((dict, list), True)
        return {
            "renew_certificate": Command(self.renew_certificate, {"which": text("lmn", "han", required=False)}),
            "install_update": Command(self.install_update, {"ok": flag, "version": text(required=False)}),
            "selftest": Command(self.selftest, {"initiator": text(required=False)}),
            "add_meter_profile": Command(
                self.add_meter_profile,
                {
                    "meter": text(),
                    "obis": Parameter((list,)),
                    "consumer": text(required=False),
                    "name": text(required=False),
                    "key": text(required=False),
                    "security": text("tls", "clear", required=False),
                    "radio": flag,
                    "period_s": Parameter((int,)),
                },
            ),
            "install_profile": Command(self.install_profile, {"profile": given, "signer": text(required=False)}),
            "change_profile": Command(self.change_profile, {"profile": given, "signer": text(required=False)}),
            "delete_profile": Command(self.delete_profile, {"profile": text(), "signer": text(required=False)}),
            "install_root": Command(self.install_root, {"certificate": text()}),
            "crypto_reset": Command(self.crypto_reset, {"meter": text()}),
            "clear_cause": Command(self.clear_cause, {"cause": text()}),
            "restart": Command(self.restart, {}),
        }

    async def install_update(self, ok: bool = True, version: str = "2.0.0") -> Answer:
        """Start the install phase; returns when it has begun."""
        session = self._access.ready()
        reason = session.installer.refuse()
        if reason is not None:
            raise Refusal(reason)
        session.spawn(session.installer.install(version, good=ok))
        return {"version": version}

    async def selftest(self, initiator: str = "technician") -> Answer:
        """Somebody orders the self-test."""
        order = await self._access.ready().selftest.order(initiator)
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
        profile = MeterProfile(meter, registers, consumer, name, octets_of("key", key), security, radio, period_s)
        active(profile)
        session = self._access.ready()
        session.profiles.add(profile)
        await session.writer.flush()
        return {}

    async def install_profile(self, profile: Any, signer: str | None = None) -> Answer:
        """The administrator installs a profile, or a list of them in one piece, given as plain data.

        `signer`: SHA-256 of the certificate of the one who signed the order; None: it comes from the administrator.
        """
        session = self._access.ready()
        return await self._answered(session, session.profiles.install(profile, signer))

    async def change_profile(self, profile: Any, signer: str | None = None) -> Answer:
        """The administrator replaces a profile, or several in one piece, by others with the same ids."""
        session = self._access.ready()
        return await self._answered(session, session.profiles.change(profile, signer))

    async def delete_profile(self, profile: str, signer: str | None = None) -> Answer:
        """The administrator deletes a profile."""
        session = self._access.ready()
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
        session, der = self._access.ready(), octets_of("certificate", certificate) or b""
        session.writer.put([root_statement(self._unit.memory, der)])
        await session.writer.flush()
        return {"fingerprint": fingerprint(der)}

    async def crypto_reset(self, meter: str) -> Answer:
        """The administrator orders a meter back to its initial key, and to be paired again; the order is stored."""
        await self._access.ready().lmn.order_crypto_reset(meter)
        return {}

    async def renew_certificate(self, which: str = "lmn") -> Answer:
        """The administrator orders new certificates for meters and gateway, or has dealt with the planted defect.

        `which`: ``lmn``; ``han``: key and certificate of the home interface.
        """
        if which == "han":
            return {"fingerprint": self._access.ready().han.new_certificate()}
        self._unit.memory.plant_fault(f"{which}_certificate_expired", None)
        session = self._access.session()
        if session is not None and session.phase == "ready":
            await session.lmn.renew_certificates()
        return self.clear_cause(f"{which}_certificate_expired") if self._access.session() is not None else {}

    def clear_cause(self, cause: str) -> Answer:
        """The administrator has dealt with a cause: reviewed a lock, put in a certificate."""
        product = self._unit.product
        if product.rule(cause) is None:
            causes = ", ".join(sorted({one.cause for one in product.data.causes}))
            raise UsageError(f"{product.name} has no cause {cause!r}", hint=f"one of {causes}")
        session = self._access.running()
        if cause not in session.control.states.present:
            present = ", ".join(session.control.states.present) or "none"
            raise Refusal(f"the cause {cause!r} is not present (present: {present})")
        if not session.control.cleared(cause, by_administrator=True):
            raise Refusal(f"{product.name} has no way out of {cause!r} in the field")
        return {"state": session.control.states.state}

    def restart(self) -> Answer:
        """The administrator has the gateway start again."""
        self._access.running().restart(Start.COMMAND)
        return {}
