"""The radio meters of a case in the air between them and the gateway's antenna, and the evidence of what was sent."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TextIO

from bench.bench_parts import WirelessLmn
from bench.given_radio import load_of, plan_of
from bench.rig import RadioMeterOnBench, Rig
from bench.scenario.loader import Case
from bench.scenario.radio_models import GivenRadioMeter
from bench.wires import cable
from devices.clock import Clock
from devices.errors import BenchError, UsageError
from devices.meters.radio.identity import address_of
from devices.meters.radio.meter import RadioMeter
from devices.meters.radio.plan import Protection, plan_for
from devices.ports.radio import Antenna, RadioMode
from devices.wmbus.air import FROM_METERS, TO_METERS, Air, AirSettings, Fate, Transmission
from devices.wmbus.duty_cycle import DutyExceeded
from devices.wmbus.emulated.catalogue import EMULATED
from devices.wmbus.kinds import STICKS, make_stick, port_at
from devices.wmbus.rc1180 import Rc1180Stick
from devices.wmbus.shared_antenna import SharedAntenna
from devices.wmbus.stick import Reopening
from devices.wmbus.stick_antenna import StickAntenna

OPEN_S: Final = 10.0
"""How long opening and setting up a stick may take."""
GATEWAY: Final = "gateway"
"""Name of the gateway's antenna in the air."""
NEIGHBOUR: Final = "7NBR01{number:08d}"
"""Number of a meter that nobody at this gateway knows."""
NEAREST_M, FARTHEST_M = 3.0, 60.0
"""Where neighbours' meters hang, metres from the gateway (assumed)."""


class MeterAir:
    """Puts the given radio meters of one case on the air.

    Args:
        rig: that they become part of.
        case: whose `given` they are.
        folder: for what was on the air.
        rng: randomness of the case.
        stack: what has to be closed at the end.
    """

    def __init__(self, rig: Rig, case: Case, folder: Path, rng: random.Random, stack: AsyncExitStack) -> None:
        self._rig, self._case, self._stack = rig, case, stack
        self._clock = rig.clock
        self._rng = random.Random(f"{rng.random()} air")
        wireless = rig.bench.wireless_lmn
        assert wireless is not None
        self._wireless: WirelessLmn = wireless
        self._shared: SharedAntenna | None = None
        given = case.scenario.given.air
        settings = AirSettings().overridden({**wireless.assumed, "loss": given.loss, "duplicates": given.duplicates})
        self._air = Air(self._clock, self._random(), settings)
        rig.fitted_air = self._air
        trace = AirTrace(self._clock, folder / "air.jsonl")
        stack.callback(trace.close)
        self._air.on_air = lambda sent: self._was_sent(trace, sent)
        self._air.on_duty_exceeded = self._duty_exceeded
        self._names = {
            address_of(meter.id).link_octets(): name for name, meter in case.scenario.given.radio_meters.items()
        }
        self._note_settings(settings)

    async def play(self) -> Antenna:
        """Put all of them up; returns the gateway's antenna, an unused one for a real gateway.

        Raises BenchError for a stick that is not there.
        """
        gateway = self._air.antenna(GATEWAY, distance_m=0)
        if self._wireless.stick is not None:
            self._shared = SharedAntenna(await self._through_stick(self._wireless.stick))
        for name, given in self._case.scenario.given.radio_meters.items():
            self._put(name, given)
        for number in range(self._case.scenario.given.air.other_meters):
            self._neighbour(number)
        return gateway

    def _random(self) -> random.Random:
        return random.Random(self._rng.getrandbits(32))

    def _note_settings(self, settings: AirSettings) -> None:
        self._rig.assume(
            "air",
            f"path loss exponent {settings.path_loss_exponent:g}, capture {settings.capture_db:g} dB",
            "bench",
            "no document says how radio waves spread where the gateway hangs",
        )

    def _put(self, name: str, given: GivenRadioMeter) -> None:
        try:
            plan = plan_of(given)
            load = load_of(given, self._clock, self._case.source.file.parent)
        except UsageError as error:
            place = self._case.source.place(("given", "radio_meters", name))
            raise UsageError(f"radio meter {name!r}: {error.message}", place=place, hint=error.hint) from None
        antenna = self._antenna(name, given)
        meter = RadioMeter(plan, self._clock, self._random(), antenna, load)
        meter.on_event = self._teller(name)
        self._stack.callback(meter.close)
        key = None if plan.protection is Protection.NONE else plan.key_octets
        self._rig.radio_meters[name] = RadioMeterOnBench(meter, given, given.id, key)
        if given.sending:
            meter.start()

    def _antenna(self, name: str, given: GivenRadioMeter) -> Antenna:
        if self._shared is not None:
            return self._shared.part()
        hears = TO_METERS if given.bidirectional else frozenset[RadioMode]()
        return self._air.antenna(name, distance_m=float(given.distance), hears=hears)

    async def _through_stick(self, kind: str) -> Antenna:
        """An antenna that sends with a stick: a real one, or an emulated one in the air, through the same driver."""
        line = STICKS[kind].line
        wireless = self._wireless
        if wireless.port in ("memory", "pty"):
            own, far = cable(self._clock, "pty" if wireless.port == "pty" else "memory", f"stick {kind}", line)
            in_air = self._air.antenna(f"stick {kind}", distance_m=NEAREST_M, hears=FROM_METERS | TO_METERS)
            self._rig.fitted_stick = EMULATED[kind](self._clock, far, in_air, self._random())
            self._stack.callback(self._rig.fitted_stick.close)
            stick = make_stick(self._clock, kind, lambda: own, reopening=Reopening(tries=0))
        else:
            open_at = port_at(wireless.port)
            stick = make_stick(self._clock, kind, lambda: open_at(wireless.baudrate or line.baudrate))
        self._stack.callback(stick.close)
        await stick.open(self._clock.deadline(OPEN_S))
        stick.on_trouble = self._rig.timeline.fail
        if isinstance(stick, Rc1180Stick):
            await self._lend_address(stick)
        self._rig.timeline.add("radio", "stick", {"identity": await stick.identify(self._clock.deadline(OPEN_S))})
        antenna = StickAntenna(stick)
        antenna.on_trouble = self._rig.timeline.fail
        self._stack.callback(antenna.detach)
        return antenna

    async def _lend_address(self, stick: Rc1180Stick) -> None:
        """An RC1180 sends under its own address only: it gets that of the one meter."""
        given = list(self._case.scenario.given.radio_meters.values())
        if len(given) != 1:
            raise BenchError(f"an RC1180 sends as one meter only, the scenario has {len(given)}: take another stick")
        await stick.set_address(address_of(given[0].id).link_octets(), self._clock.deadline(OPEN_S))

    def _teller(self, name: str) -> Callable[[str, Mapping[str, Any]], None]:
        def seen(kind: str, data: Mapping[str, Any]) -> None:
            self._rig.timeline.add("radio", kind, {"meter": name, **data})

        return seen

    def _duty_exceeded(self, excess: DutyExceeded) -> None:
        self._rig.timeline.add("radio", "duty_exceeded", asdict(excess))

    def _was_sent(self, trace: AirTrace, sent: Transmission) -> None:
        """Note when the gateway did not get it; whose it was, when a meter of the case said it."""
        trace(sent)
        name = self._names.get(sent.telegram[2:10])
        fate = next((one.fate for one in sent.arrivals if one.receiver == GATEWAY), None)
        if fate in (Fate.LOST, Fate.COLLIDED):
            self._rig.timeline.add("radio", fate.value, {} if name is None else {"meter": name})

    def _neighbour(self, number: int) -> None:
        """A meter of somebody else: it only takes time on the air."""
        plan = plan_for("gas", NEIGHBOUR.format(number=number), compact=False, interval_s=90.0)
        distance = self._rng.uniform(NEAREST_M, FARTHEST_M)
        antenna = self._air.antenna(f"neighbour {number}", distance_m=distance, hears=())
        meter = RadioMeter(plan, self._clock, self._random(), antenna)
        self._stack.callback(meter.close)
        meter.start()


class AirTrace:
    """Keeps everything that was on the air: a line of JSON for each telegram."""

    def __init__(self, clock: Clock, path: Path) -> None:
        self._clock = clock
        try:
            self._file: TextIO | None = path.open("w", encoding="utf-8")
        except OSError as error:
            raise BenchError(f"{path} cannot be written: {error.strerror}") from error

    def __call__(self, sent: Transmission) -> None:
        """One transmission has ended."""
        if self._file is None:
            return
        line = {
            "t": round(sent.at_s, 6),
            "airtime_s": round(sent.airtime_s, 6),
            "from": sent.sender,
            "mode": sent.mode.value,
            "hex": sent.telegram.hex(),
            "at": {one.receiver: [one.fate.value, one.rssi_dbm] for one in sent.arrivals},
        }
        self._file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")

    def close(self) -> None:
        """End the file; may be called twice."""
        if self._file is not None:
            file, self._file = self._file, None
            file.close()
