"""One class of tests for every stick, back to back with its emulated other end: what holds for one holds for all.

Over pseudo-terminals in real time and over memory in virtual time (lmn-wireless 5).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from stick_bench import CONFIRM, GAS, StickBench

from devices.clock import Clock
from devices.errors import BenchError
from devices.ports.radio import RadioMode
from devices.wmbus.emulated.base import Fault
from devices.wmbus.stick import Receive, Reopening, StickSilent

STICKS: dict[str, dict[str, Any]] = {
    "im871a": {"kind": "im871a"},
    "iu891a": {"kind": "iu891a"},
    "amb8465 in frames": {"kind": "amb8465"},
    "amb8465 transparent": {"kind": "amb8465", "transparent": True},
    "rc1180": {"kind": "rc1180"},
    "cul": {"kind": "cul"},
    "rtl_wmbus": {"kind": "rtl_wmbus"},
}
ASKED = [name for name in STICKS if name != "rtl_wmbus"]
BOTH_MODES = [name for name in STICKS if name != "cul"]
SENDERS = ["im871a", "amb8465 in frames", "amb8465 transparent"]


@asynccontextmanager
async def bench(clock: Clock, name: str, *, opened: bool = True, **more: Any) -> AsyncIterator[StickBench]:
    cable = "memory" if clock.virtual else "pty"
    made = StickBench(clock, cable, **{**STICKS[name], **more})
    try:
        if opened:
            await made.open()
        yield made
    finally:
        made.close()


@pytest.mark.asyncio(loop_factories=["virtual", "real"])
class TestStick:
    @pytest.mark.parametrize("name", STICKS)
    async def test_a_telegram_comes_out_as_it_was_on_the_air(self, clock: Clock, name: str) -> None:
        async with bench(clock, name) as one:
            before = clock.seconds()
            frame = await one.hear()
            assert frame.telegram == GAS
            assert before - 0.1 <= frame.at_s <= clock.seconds()
            if name != "rtl_wmbus":
                assert frame.rssi_dbm == pytest.approx(-64, abs=0.5)
            assert one.trouble == []

    @pytest.mark.parametrize("name", STICKS)
    async def test_many_telegrams_come_in_order_and_none_is_lost(self, clock: Clock, name: str) -> None:
        telegrams = [bytes((14 + n, 0x44)) + GAS[2:10] + bytes((0x7A, *range(n), 1, 2, 3, 4)) for n in range(40)]
        async with bench(clock, name) as one:
            for telegram in telegrams:
                one.antenna.hear(telegram)
            await one.until(lambda: len(one.frames) == len(telegrams))
            assert [frame.telegram for frame in one.frames] == telegrams
            assert one.stick.noise == 0

    @pytest.mark.parametrize("name", BOTH_MODES)
    async def test_it_is_set_to_hear_t_and_c(self, clock: Clock, name: str) -> None:
        async with bench(clock, name) as one:
            for mode in (RadioMode.T1, RadioMode.C1_A, RadioMode.C1_B):
                frame = await one.hear(mode=mode)
                assert frame.telegram == GAS
            one.antenna.hear(GAS, RadioMode.S1)
            await clock.sleep(0.3)
            assert len(one.frames) == 3

    @pytest.mark.parametrize("name", ASKED)
    async def test_it_says_who_it_is(self, clock: Clock, name: str) -> None:
        said = {
            "im871a": "iM871A, firmware 15, id 12345678",
            "iu891a": "iU891A-XL, device information a000000078563412",
            "amb8465 in frames": "AMB8465-M, firmware 2.0.6, number 12345678",
            "amb8465 transparent": "AMB8465-M, firmware 2.0.6, number 12345678",
            "rc1180": "RC1180-MBUS, address AE0C785634120107",
            "cul": "CUL, V 1.67 nanoCUL868",
        }
        async with bench(clock, name) as one:
            assert await one.stick.identify(clock.deadline(5)) == said[name]
            assert (await one.hear()).telegram == GAS, "and goes on listening"

    @pytest.mark.parametrize("name", ASKED)
    async def test_after_a_reset_it_listens_again(self, clock: Clock, name: str) -> None:
        async with bench(clock, name) as one:
            await one.stick.reset(clock.deadline(10))
            assert (await one.hear()).telegram == GAS

    @pytest.mark.parametrize("name", STICKS)
    async def test_pulled_out_and_put_back_it_goes_on(self, clock: Clock, name: str) -> None:
        async with bench(clock, name) as one:
            await one.hear()
            one.pull()
            await one.until(lambda: bool(one.trouble))
            (trouble,) = one.trouble
            assert one.stick.title in str(trouble)
            assert "is gone" in str(trouble)
            with pytest.raises(BenchError, match="not there"):
                await one.stick.send(GAS, RadioMode.T1, clock.deadline(1))
            await clock.sleep(0.2)
            one.put_back()
            await one.until(lambda: one.recovered == 1)
            assert (await one.hear()).telegram == GAS
            assert len(one.trouble) == 1

    @pytest.mark.parametrize("name", STICKS)
    async def test_a_stick_that_stays_away_is_given_up(self, clock: Clock, name: str) -> None:
        async with bench(clock, name, reopening=Reopening(3, 0.05, 1.0)) as one:
            opened = one.opened
            one.pull()
            await one.until(lambda: one.stick.given_up)
            assert one.opened == opened
            assert "did not come back in 3 attempts" in str(one.trouble[-1])
            assert "nothing is plugged in" in str(one.trouble[-1])

    @pytest.mark.parametrize("name", ASKED)
    async def test_a_silent_stick_is_told_with_what_would_be_right(self, clock: Clock, name: str) -> None:
        async with bench(clock, name, opened=False) as one:
            one.emulated.faults.add(Fault.SILENT)
            port = "stick|host|pty"
            with pytest.raises(StickSilent, match=rf"{one.stick.title} at ({port}): no answer to .* would be an? "):
                await one.stick.open(clock.deadline(6))
            one.emulated.faults.clear()

    @pytest.mark.parametrize("name", STICKS)
    async def test_garbage_between_telegrams_costs_none(self, clock: Clock, name: str) -> None:
        """Octets that cannot begin a message; others may cost the next one where there is no check sequence."""
        async with bench(clock, name) as one:
            for garbage in (b"\x01\x02\x03", bytes(40), b"\x07\n\x08\r\n"):
                one.emulated.garbage(garbage)
                await clock.sleep(0.25)
                assert (await one.hear()).telegram == GAS
            assert name == "cul" or one.stick.noise >= 40

    @pytest.mark.parametrize("name", ["im871a", "iu891a", "amb8465 in frames", "amb8465 transparent"])
    async def test_answers_are_found_in_garbage(self, clock: Clock, name: str) -> None:
        """Not so with the others: a line or prompt with garbage before it is another one."""
        async with bench(clock, name, opened=False) as one:
            one.emulated.faults.add(Fault.GARBAGE)
            await one.open()
            await one.hear()
            assert one.stick.noise > 0

    @pytest.mark.parametrize("name", ["im871a", "iu891a", "amb8465 in frames", "cul", "rtl_wmbus"])
    @pytest.mark.parametrize("fault", [Fault.CHECKSUM, Fault.HALF])
    async def test_damaged_telegrams_are_noise_and_the_next_good_one_counts(
        self, clock: Clock, name: str, fault: Fault
    ) -> None:
        async with bench(clock, name) as one:
            one.emulated.faults.add(fault)
            for _ in range(3):
                one.antenna.hear(GAS)
                await clock.sleep(0.3)
            assert one.frames == []
            one.emulated.faults.clear()
            if name in ("cul", "rtl_wmbus"):
                one.emulated.garbage(b"\r\n")  # lines have no other way to end
            assert (await one.hear()).telegram == GAS
            assert one.stick.noise > 60

    @pytest.mark.parametrize("name", ["amb8465 transparent", "rc1180"])
    async def test_half_a_bare_telegram_does_not_swallow_the_next(self, clock: Clock, name: str) -> None:
        async with bench(clock, name) as one:
            one.emulated.faults.add(Fault.HALF)
            one.antenna.hear(GAS)
            await clock.sleep(0.4)
            one.emulated.faults.clear()
            assert (await one.hear()).telegram == GAS
            assert len(one.frames) == 1

    @pytest.mark.parametrize("name", ["im871a", "iu891a", "amb8465 in frames", "rc1180", "cul"])
    async def test_firmware_that_cannot_do_it_is_refused_in_words(self, clock: Clock, name: str) -> None:
        async with bench(clock, name, opened=False) as one:
            one.emulated.faults.add(Fault.FIRMWARE)
            if name == "cul":
                refusal = "brt .* 'TMODE' would be right"
            else:
                refusal = {"im871a": "14 or newer", "rc1180": "T only"}.get(name, "would be right")
            with pytest.raises(BenchError, match=refusal):
                await one.stick.open(clock.deadline(8))

    @pytest.mark.parametrize("name", ["im871a", "amb8465 in frames", "rc1180"])
    async def test_the_same_firmware_hears_t_alone(self, clock: Clock, name: str) -> None:
        async with bench(clock, name, opened=False, receive=Receive.T) as one:
            one.emulated.faults.add(Fault.FIRMWARE)
            await one.open()
            await one.hear()
            one.antenna.hear(GAS, RadioMode.C1_A)
            await clock.sleep(0.3)
            assert len(one.frames) == 1

    @pytest.mark.parametrize("name", SENDERS)
    async def test_it_sends_as_a_meter_and_listens_again(self, clock: Clock, name: str) -> None:
        async with bench(clock, name) as one:
            for mode in (RadioMode.T1, RadioMode.C1_A, RadioMode.S1):
                await one.stick.send(GAS, mode, clock.deadline(5))
                assert one.antenna.sent[-1] == (GAS, mode)
                assert (await one.hear()).telegram == GAS
            await one.stick.send(CONFIRM, RadioMode.OTHER_T, clock.deadline(5))
            assert one.antenna.sent[-1] == (CONFIRM, RadioMode.OTHER_T)

    async def test_an_rc1180_sends_under_its_own_address_only(self, clock: Clock) -> None:
        async with bench(clock, "rc1180") as one:
            with pytest.raises(BenchError, match="own address AE0C785634120107 only, not as 9315785634123303"):
                await one.stick.send(GAS, RadioMode.T1, clock.deadline(5))
            await one.stick.set_address(GAS[2:10], clock.deadline(5))  # type: ignore[attr-defined]
            for mode in (RadioMode.T1, RadioMode.C1_A):
                await one.stick.send(GAS, mode, clock.deadline(8))
                assert one.antenna.sent[-1] == (GAS, mode)
            assert (await one.hear()).telegram == GAS

    @pytest.mark.parametrize("name", ["iu891a", "cul", "rtl_wmbus"])
    async def test_a_stick_that_only_receives_says_which_ones_send(self, clock: Clock, name: str) -> None:
        async with bench(clock, name) as one:
            with pytest.raises(BenchError, match="only receives; to send take an iM871A"):
                await one.stick.send(GAS, RadioMode.T1)

    @pytest.mark.parametrize("name", STICKS)
    async def test_closed_it_is_quiet_and_may_be_closed_again(self, clock: Clock, name: str) -> None:
        async with bench(clock, name) as one:
            one.stick.close()
            one.stick.close()
            one.antenna.hear(GAS)
            await clock.sleep(0.3)
            assert (one.frames, one.trouble) == ([], [])

    @pytest.mark.parametrize("name", SENDERS)
    async def test_what_is_no_telegram_is_not_sent(self, clock: Clock, name: str) -> None:
        async with bench(clock, name) as one:
            for octets in (b"", GAS[:-1], GAS + b"\x00"):
                with pytest.raises(ValueError, match="no telegram"):
                    await one.stick.send(octets, RadioMode.T1)
            assert one.antenna.sent == []
