"""Power cuts of either end while keys and certificates change: whatever was stored, both find together again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import pytest
from secure_rack import CLEAR, NUMBER, SecureRack

from devices.clock import Clock
from firmware.storage.memory import NonVolatileMemory, Statement

Act = Callable[[SecureRack], Coroutine[Any, Any, None]]


async def deliver(rack: SecureRack) -> None:
    """The first pairing, with the operational key."""
    rack.gateway.power_on()


async def reset(rack: SecureRack) -> None:
    """A crypto reset of a paired meter, with the pairing behind it."""
    rack.gateway.power_on()
    await rack.secured()
    await rack.clock.sleep(150)  # so late that it takes a new key first
    await rack.console.do("crypto_reset", meter=NUMBER)


async def renew(rack: SecureRack) -> None:
    """New certificates for a paired meter."""
    rack.gateway.power_on()
    await rack.secured()
    await rack.clock.sleep(5)
    await rack.console.ask(do="renew_certificate")


class Commits(NonVolatileMemory):
    """A memory that tells when the firmware stored keys or certificates."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.times: list[float] = []
        self._clock = clock

    def commit(self, statements: Iterable[Statement]) -> None:
        """Note the time of commits that concern keys."""
        listed = list(statements)
        if any(parameters and str(parameters[0]).startswith("lmn_") for _, parameters in listed):
            self.times.append(self._clock.seconds())
        super().commit(listed)


async def _commits(clock: Clock, act: Act) -> list[float]:
    """Seconds from the start of the gateway to each commit of keys, when nothing goes wrong."""
    memory = Commits(clock)
    start = clock.seconds()
    rack = SecureRack(clock, memory=memory)
    await act(rack)
    await clock.sleep(60)
    await rack.secured(1)
    await rack.close()
    return [time - start for time in memory.times]


async def _recovers(rack: SecureRack) -> list[str]:
    """The meter is read through TLS, both agree on the key, and nothing was asked in the clear; returns the events."""
    clock = rack.clock
    await clock.sleep(20)
    rack.gateway.power_on()
    await rack.ready()
    await rack.wait_for(lambda: rack.meter.security.secured, 200)
    await clock.sleep(60)
    stored = rack.memory.setting(f"lmn_meter {rack.meter.security.server_id.hex()}")
    security = rack.meter.security
    assert security.secured
    assert stored["operational"] == security.key.hex()
    assert stored["begun"] is stored["offered"] is None
    assert not stored["reset_ordered"]
    assert stored["counter"] <= security.sym.counter
    assert rack.meter.count("request", selector=CLEAR) == 0
    await clock.sleep(950)
    assert not (await rack.console.rows())[-1]["gap"]
    events = await rack.console.events()
    await rack.close()
    return events


@pytest.mark.parametrize("act", [deliver, reset, renew], ids=["delivery", "crypto reset", "renewal"])
async def test_a_cut_of_the_gateway_around_any_commit_of_keys_is_healed(clock: Clock, act: Act) -> None:
    """wan-core 1.4, 6.4.2.6: before a commit ends, just behind it, and when the meter has acted on what was stored."""
    commits = await _commits(clock, act)
    assert len(commits) >= 4
    for number, commit in enumerate(commits):
        for shift in ((-0.009, 0.0001, 0.07), (-0.001, 0.0001, 0.02))[number % 2]:
            rack = SecureRack(clock)
            start = clock.seconds()
            acting = asyncio.ensure_future(act(rack))
            await clock.sleep_until(start + commit + shift)
            rack.gateway.power_off()
            acting.cancel()
            await asyncio.gather(acting, return_exceptions=True)
            told = await _recovers(rack)
            assert act is not renew or "lmn_tls_failed" not in told  # a renewal under way is not taken for a failure


@pytest.mark.parametrize("after_s", [0.34 + n * 0.025 for n in range(22)])
async def test_a_cut_of_the_meter_at_any_step_of_the_pairing_is_healed(clock: Clock, after_s: float) -> None:
    rack = SecureRack(clock)
    rack.gateway.power_on()
    await clock.sleep(13 + after_s)
    rack.meter.station.restart()
    await rack.wait_for(lambda: rack.meter.security.secured, 300)
    await clock.sleep(130)
    assert rack.meter.security.secured
    stored = rack.memory.setting(f"lmn_meter {rack.meter.security.server_id.hex()}")
    assert stored["operational"] == rack.meter.security.key.hex()
    await rack.close()


async def test_a_key_that_the_meter_took_unseen_still_opens_the_next_pairing(clock: Clock) -> None:
    """The gateway is cut when the meter has the operational key and the acknowledgement is on its way."""
    rack = SecureRack(clock)
    rack.gateway.power_on()
    while not rack.meter.count("key"):
        await clock.sleep(0.001)
    rack.gateway.power_off()
    rack.meter.security.fault("no_tls", 1)
    told = await _recovers(rack)
    assert "lmn_tls_failed" in told
    assert rack.meter.count("paired") == 2


async def test_a_reset_that_was_ordered_outlives_a_renewal_before_it(clock: Clock) -> None:
    rack = SecureRack(clock)
    rack.gateway.power_on()
    await rack.secured()
    await clock.sleep(5)
    rack.meter.station.plug(False)
    await clock.sleep(40)
    await rack.console.do("crypto_reset", meter=NUMBER)
    await rack.console.ask(do="renew_certificate")
    rack.meter.station.plug(True)
    await rack.wait_for(lambda: rack.meter.count("crypto_reset") == 1, 90)
    await rack.wait_for(lambda: rack.meter.security.secured and rack.meter.count("paired") == 3, 30)
    await rack.close()
