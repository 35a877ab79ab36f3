"""Whose turn it is among many meters: what is remembered never makes a meter wait longer than it should."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest
from secure_rack import SecureRack

from devices.clock import Clock
from devices.protocols.lmn_certificate import read_certificate
from firmware.config import Options
from firmware.lmn.certificates import CertificateRules
from firmware.lmn.turns import Turns

NUMBERS = tuple(f"1EMH00000010{n:02d}" for n in range(6))


class Watched:
    """Compares each choice with one for which all meters were asked anew."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
        self.choices = 0
        self.asked = 0
        plain, look = Turns.next, Turns._look

        def choose(turns: Turns) -> tuple[object, float]:
            chosen = plain(turns)
            self.choices += 1
            meters = list(turns._meters.values())
            assert list(turns._dues) == meters
            for meter in meters:
                if not meter.busy.locked():
                    assert turns._dues[meter] <= turns._due(meter) + 1e-9, f"{meter.name} waits too long"
            return chosen

        def counted(turns: Turns, meter: object) -> float:
            self.asked += 1
            return look(turns, meter)  # type: ignore[arg-type]

        monkeypatch.setattr(Turns, "next", choose)
        monkeypatch.setattr(Turns, "_look", counted)


async def test_no_meter_waits_longer_than_if_all_were_asked_each_time(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pairing, faults, restarts, orders, certificates that end: with all of it going on."""
    watched = Watched(monkeypatch, clock)
    rack = SecureRack(
        clock,
        *NUMBERS,
        registration_period_s=60,
        lmn_certificate_days=0.05,
        lmn_certificate_backdate_s=60,
        lmn_pairing_retry_s=20,
    )
    rack.gateway.power_on()
    await rack.secured()
    rng = random.Random(7)
    kinds = ("silence", "flipped_fcs", "rnr_forever", "frmr", "dm", "wrong_nr", "restart_in_session")
    for number in range(60):
        meter = rng.choice(rack.meters)
        match number % 6:
            case 0:
                meter.station.fault(rng.choice(kinds), rng.randint(1, 30), on="link")
            case 1:
                meter.station.restart()
            case 2:
                meter.security.fault("no_tls", times=1)
            case 3:
                await rack.console.ask(do="renew_certificate")
            case 4:
                await rack.console.ask(do="crypto_reset", meter=meter.number)
            case _:
                meter.station.clear_faults()
        await clock.sleep(rng.uniform(1, 120))
    assert watched.choices > 300
    await rack.close()


async def test_one_meter_is_asked_where_one_has_changed(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch, clock)
    rack = SecureRack(clock, *NUMBERS)
    rack.gateway.power_on()
    await rack.secured()
    await clock.sleep(60)
    watched.choices = watched.asked = 0
    await clock.sleep(1800)
    assert watched.choices > 100
    assert watched.asked <= 2 * watched.choices, "with six meters there were six questions each time"
    await rack.close()


async def test_a_certificate_stands_otherwise_from_exactly_the_instant_that_is_told(clock: Clock) -> None:
    now = clock.now()
    for warning_s in (None, 3600.0):
        for renewal in (0.0, 0.01):
            rules = CertificateRules.of(
                Options(lmn_certificate_days=1.0, lmn_renewal_days=renewal, lmn_certificate_curve="P-256"), warning_s
            )
            certificate = read_certificate(rules.make("EXYZ0123456789", now, random.Random(1)).certificate)
            moment: datetime | None = now
            ages = []
            while moment is not None:
                ages.append(rules.age(certificate, moment))
                after = rules.next_age(certificate, moment)
                if after is not None:
                    assert rules.age(certificate, after - timedelta.resolution) is ages[-1]
                moment = after
            assert ages[-1].value == "expired"
            assert len(set(ages)) == 2 + (warning_s is not None) + bool(renewal)
