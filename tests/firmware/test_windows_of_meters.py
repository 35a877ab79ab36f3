"""A gateway whose links have windows of several frames pairs and reads its meters (lmn-wired 1.7)."""

from __future__ import annotations

import pytest
from gateway_rack import PRODUCT, Rack
from secure_rack import NUMBER, SecureRack

from devices.clock import Clock
from devices.errors import UsageError
from devices.protocols.hdlc import Frame, FrameKind
from devices.protocols.hdlc_link import LinkLimits
from firmware.config import GatewayConfig

SMALL = LinkLimits(max_information=64, window=4, negotiate=True)


def longest_run(evidence: list[tuple[str, bytes]], who: str) -> int:
    """Most I frames of one end without a word of the other."""
    longest = run = 0
    for name, octets in evidence:
        if name != who:
            run = 0
        elif Frame.from_bytes(octets).control.kind is FrameKind.I:
            run += 1
            longest = max(longest, run)
    return longest


@pytest.mark.parametrize(("own", "agreed"), [(4, 4), (7, 4), (2, 2), (1, 1)])
async def test_a_meter_is_paired_and_read_with_the_window_that_was_agreed(clock: Clock, own: int, agreed: int) -> None:
    rack = SecureRack(
        clock, limits=SMALL, link_window=own, link_negotiate=True, link_max_information=64, registration_period_s=60
    )
    evidence: list[tuple[str, bytes]] = []
    rack.bus.on_evidence = lambda _, who, octets, spoilt: evidence.append((who, octets))
    rack.gateway.power_on()
    await rack.secured()
    await clock.sleep(200)
    rows = await rack.console.rows(NUMBER)
    assert sum(not row["gap"] and row["obis"] == "1-0:1.8.0*255" for row in rows) >= 2
    assert longest_run(evidence, "gateway") == longest_run(evidence, rack.meter.station.name) == agreed
    await rack.close()


async def test_bad_frames_within_windows_cost_no_reading(clock: Clock) -> None:
    rack = SecureRack(
        clock, limits=SMALL, link_window=4, link_negotiate=True, link_max_information=64, registration_period_s=60
    )
    rack.gateway.power_on()
    await rack.secured()
    await clock.sleep(65)
    for kind in ("flipped_fcs", "cut_frame", "silence", "noise"):
        rack.meter.station.fault(kind, 2, on="I")
        await clock.sleep(60)
    assert not rack.meter.station.faults
    rows = await rack.console.rows(NUMBER)
    late = [row for row in rows if row["obis"] == "1-0:1.8.0*255"]
    assert not any(row["gap"] for row in late[1:])
    await rack.close()


@pytest.mark.parametrize("options", [{"link_window": 8}, {"link_max_information": 0}])
async def test_a_window_that_no_link_can_have_is_a_mistake_in_the_options(
    clock: Clock, options: dict[str, int]
) -> None:
    rack = Rack(clock, PRODUCT, GatewayConfig(options=options))
    with pytest.raises(UsageError, match="options of the link"):
        rack.gateway.power_on()
        await clock.sleep(30)
    rack.memory.close()
