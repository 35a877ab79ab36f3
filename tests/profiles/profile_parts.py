"""Good profiles of each kind as plain data, and a store to put them into."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from openssl_pki import Pki

from devices.clock import Clock
from firmware.config import MeterProfile
from firmware.profiles import Limits, ProfileStore, Progress, Trust
from firmware.profiles.findings import Answer
from firmware.storage.memory import NonVolatileMemory
from firmware.storage.writer import StorageWriter

NOW = datetime(2026, 1, 5, tzinfo=UTC)
METER, OTHER_METER, GAS = "1SAG0021061001", "1EMH0000000002", "7ELS0031234567"
OBIS = "1-0:1.8.0*255"
CURVES = frozenset(("brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1", "secp256r1", "secp384r1"))
DAY_AND_NIGHT: dict[str, Any] = {
    "days": [{"name": "day", "switches": [{"at": "00:00", "stage": 2}, {"at": "06:00", "stage": 1}]}],
    "weeks": [{"name": "week", "days": ["day"] * 7}],
    "seasons": [{"name": "year", "month": 1, "day": 1, "week": "week"}],
    "default": 2,
}


def meter(number: str = METER, **fields: Any) -> dict[str, Any]:
    """A wired meter that is read in the clear."""
    plain = {"kind": "meter", "id": f"meter-{number}", "meter": number, "link": "wired_clear", "registers": [OBIS]}
    return plain | fields


def gas(**fields: Any) -> dict[str, Any]:
    """A radio meter."""
    return meter(GAS, link="radio", medium="gas", key="00" * 16, registers=[], period_s=3600) | fields


def tariff(use_case: int = 1, **fields: Any) -> dict[str, Any]:
    """An evaluation profile of one register that begins in February."""
    by_case: dict[int, dict[str, Any]] = {
        1: {"billing": {"count": 1}, "billing_relevant": True},
        2: {"billing": {"count": 1}, "stages": [1, 2], "calendar": DAY_AND_NIGHT, "billing_relevant": True},
        7: {"billing_relevant": True},
        9: {"pseudonym": "p-1", "period_s": 60, "sending": {"on_demand": True}},
        10: {"pseudonym": "p-1", "period_s": 60, "sending": {"on_demand": True}},
        14: {"pseudonym": "p-1", "period_s": 60, "sending": {"each": True}},
    }
    register = "1-0:16.7.0*255" if use_case in (9, 10, 14) else OBIS
    return copy.deepcopy(
        {
            "kind": "evaluation", "id": f"taf{use_case}", "use_case": use_case, "consumer": "consumer-1",
            "terms": [{"meter": METER, "obis": register}], "begin": "2026-01-31T23:00:00Z", "recipients": [],
        }
        | by_case.get(use_case, {})
        | fields
    )  # fmt: skip


def peer(pki: Pki, role: str = "EMT", name: str = "", **fields: Any) -> dict[str, Any]:
    """A communication profile with certificates of the test hierarchy."""
    who = name or role.lower()
    scenario = {"GWA": "management", "EMT": "info_report", "NTP": "time_sync"}[role]
    plain: dict[str, Any] = {
        "kind": "wan_communication",
        "id": who,
        "role": role,
        "endpoints": [{"scenario": scenario, "host": f"{who}.example", "port": 443}],
        "tls": pki.hex(f"{role.lower()}-tls"),
        "issuers": [pki.hex("sub")],
        "retry_s": [30, 60, 300],
    }
    if role != "NTP":
        plain |= {use: pki.hex(f"{role.lower()}-{use}") for use in ("encryption", "signature")}
    return plain | fields


def person(user: str = "consumer-2", **fields: Any) -> dict[str, Any]:
    """A consumer who comes with user name and password."""
    plain = {
        "kind": "han_communication", "id": f"han-{user}", "role": "consumer", "user": user,
        "authentication": "password", "password_digest": "ab" * 16, "rights": ["values", "consumer_log"],
    }  # fmt: skip
    return plain | fields


def proxy(pki: Pki, **fields: Any) -> dict[str, Any]:
    """A device that calls a market participant, HKS 3."""
    plain = {
        "kind": "proxy", "id": "box", "hks": 3, "cls_certificate": pki.hex("cls"), "local_server_name": "emt-1.cls",
        "peer": "emt", "peer_addresses": [{"host": "192.0.2.7", "port": 8443}],
        "windows": [{"days": ["monday", "sunday"], "begin": "06:00", "end": "22:00"}], "max_duration_s": 3600,
    }  # fmt: skip
    return plain | fields


class Shelf:
    """A store with what it needs; the same memory again makes it start again.

    Attributes:
        events: what was logged, name and parameters.
        told: what listeners heard: kind, what happened, id.
        progress: of evaluation profiles, as the tariff engine would tell it.
    """

    def __init__(
        self,
        clock: Clock,
        pki: Pki,
        memory: NonVolatileMemory | None = None,
        *,
        limits: Limits | None = None,
        configured: tuple[MeterProfile, ...] = (),
        consumers: tuple[str, ...] = ("consumer-1",),
    ) -> None:
        self.clock = clock
        self.pki = pki
        self.memory = memory or NonVolatileMemory()
        self.writer = StorageWriter(clock, self.memory, 0.01)
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.told: list[tuple[str, str, str]] = []
        self.progress: dict[str, Progress] = {}
        self.now = NOW
        self.roots = ["root"]
        self.curves = CURVES
        self.knows_time = True
        self.store = ProfileStore(
            self.memory, self.writer, self, limits or Limits(), consumers, configured, self._trust,
            lambda: int(self.now.timestamp()),
        )  # fmt: skip
        store = self.store
        store.on_meter_profile = lambda change, one, old: self.told.append(("meter", change, one.id))
        store.on_evaluation_profile = lambda change, one, old: self.told.append(("evaluation", change, one.name))
        store.on_communication_profile = lambda change, one, old: self.told.append(("communication", change, one.id))
        store.on_proxy_profile = lambda change, one, old: self.told.append(("proxy", change, one.id))
        store.progress = lambda name: self.progress.get(name, Progress())

    def _trust(self) -> Trust:
        roots = tuple(x509.load_der_x509_certificate(self.pki.der(name)) for name in self.roots)
        return Trust(roots, (), self.curves, self.now if self.knows_time else None)

    def event(self, event: str, /, **parameters: Any) -> None:
        """Note an event."""
        self.events.append((event, parameters))

    @property
    def names(self) -> list[str]:
        """Names of the events."""
        return [name for name, _ in self.events]

    def filled(self) -> Shelf:
        """With a profile of each kind."""
        pki = self.pki
        answer = self.store.install(
            [
                proxy(pki), tariff(recipients=["emt"]), meter(), peer(pki, "EMT"), peer(pki, "GWA"), peer(pki, "NTP"),
                person(),
            ]
        )  # fmt: skip
        assert answer.good, answer
        self.events.clear()
        self.told.clear()
        return self

    def again(self) -> Shelf:
        """After a loss of power."""
        self.writer.cut()
        return Shelf(self.clock, self.pki, self.memory)


def rules(answer: Answer) -> list[tuple[str, int]]:
    """Rules that an answer names, with the status of each."""
    return [(one.rule, one.answer) for one in answer.findings]
