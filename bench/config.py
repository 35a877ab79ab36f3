"""The bench file: what stands on this bench, how it is wired, and whose time runs."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import (
    Field,
    ValidationError,
    model_validator,
)

from bench.bench_parts import Leds, ReferenceMeter, Relay, ServiceAdapter, TimeServerAt, WiredLmn, WirelessLmn
from bench.han_models import HanOnBench, joined
from bench.products import ALL
from bench.scenario.mistakes import translate
from bench.scenario.source import Source, read
from bench.written import Written
from devices.errors import Place, UsageError, UsageErrors

BUILT_IN = Path(__file__).parent / "benches"
"""Folder of the benches that are named without a path."""


class GatewayOnBench(Written):
    """The device under test.

    Attributes:
        emulated: True plugs an emulated gateway of the wanted type onto the cables.
        type: product of a real gateway.
        serial: its number, for the report.
        options: other values for facts that the documents leave open (emulated only).
        han: how the home interface of a real gateway is reached, or ``emulated``: that of an emulated one, on the
            loopback.

    A bench that tests meters only has none: then nothing of this is said.
    """

    emulated: bool = False
    type: Literal["ppc", "conexa", "casa"] | None = None
    serial: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    han: Literal["emulated"] | HanOnBench | None = None

    @property
    def absent(self) -> bool:
        """Whether no gateway is on the bench."""
        return not self.emulated and self.type is None

    @model_validator(mode="after")
    def _fits(self) -> GatewayOnBench:
        if not self.emulated and self.type is None:
            raise ValueError(f"say 'emulated: true', or the 'type' of the real gateway ({', '.join(ALL)})")
        if self.han is not None and (self.han == "emulated") != self.emulated:
            raise ValueError(
                "the home interface of an emulated gateway is written 'han: emulated'"
                if self.emulated
                else "'han: emulated' belongs to an emulated gateway: name address and user of the real one"
            )
        return self


_OF_A_GATEWAY: Final = (
    "mains",
    "leds",
    "wired_lmn",
    "wireless_lmn",
    "time_server",
    "patch_field",
    "reference_meter",
    "maintenance",
)
"""Parts of a bench file that make no sense without a gateway."""


class BenchFile(Written):
    """A bench.

    Attributes:
        name: for the report.
        title: what it is, in one line.
        time: whose time runs; virtual only when nothing on the bench is real.
        gateway: the device under test; may be left away where a meter at the service adapter is all that is tested.
        mains: relay in its mains.
        leds: how its LEDs are seen.
        wired_lmn: adapter on its metrological bus.
        wireless_lmn: stick, or emulated air, from which its antenna hears radio meters.
        time_server: NTP server of the bench.
        patch_field: ``emulated`` when the Ethernet sockets end in an emulated patch field.
        reference_meter: reference instrument.
        maintenance: ``memory`` or ``pty``: cable to the maintenance port of an emulated gateway.
        service_adapter: adapter on the bus of a meter that is itself the device under test.
    """

    name: str = Field(min_length=1, max_length=60)
    title: str = ""
    time: Literal["virtual", "real"] = "real"
    gateway: GatewayOnBench = Field(default_factory=GatewayOnBench.model_construct)
    mains: Relay | None = None
    leds: Leds | None = None
    wired_lmn: WiredLmn | None = None
    wireless_lmn: WirelessLmn | None = None
    time_server: TimeServerAt | None = None
    patch_field: Literal["emulated"] | None = None
    reference_meter: ReferenceMeter | None = None
    maintenance: Literal["memory", "pty"] | None = None
    service_adapter: ServiceAdapter | None = None

    @model_validator(mode="after")
    def _has_a_device(self) -> BenchFile:
        if not self.gateway.absent:
            return self
        if self.service_adapter is None:
            raise ValueError(
                "nothing is tested on this bench: write 'gateway: {emulated: true}' or the 'type' of a real one, or "
                "'service_adapter' for a meter alone"
            )
        for name in _OF_A_GATEWAY:
            if getattr(self, name) is not None:
                raise ValueError(f"{name!r} belongs to a gateway, and 'gateway' is missing")
        return self

    @model_validator(mode="after")
    def _fits(self) -> BenchFile:
        real = self.real_parts()
        if self.time == "virtual" and real:
            raise ValueError(f"time cannot be virtual: {', '.join(real)} is real")
        if self.maintenance and not self.gateway.emulated:
            raise ValueError("only an emulated gateway has a maintenance port")
        if self.wireless_lmn and self.wireless_lmn.port in ("air", "memory", "pty") and not self.gateway.emulated:
            raise ValueError("a real gateway hears radio meters from a stick: name its device under 'wireless_lmn'")
        if self.wired_lmn and self.wired_lmn.port not in ("memory", "pty") and self.gateway.emulated:
            raise ValueError(
                f"an emulated gateway is not at {self.wired_lmn.port}, it would hear no meter there: write "
                "'wired_lmn: {port: memory}' or 'pty'"
            )
        if self.leds and self.leds.emulated and not self.gateway.emulated:
            raise ValueError("the LEDs of a real gateway are seen through 'gpio' or in a recording")
        return self

    def real_parts(self) -> list[str]:
        """What on this bench is real hardware."""
        real = [] if self.gateway.emulated or self.gateway.absent else ["the gateway"]
        for name, device in (("the relay", self.mains), ("the reference meter", self.reference_meter)):
            if device is not None and not device.emulated:
                real.append(name)
        if self.leds is not None and self.leds.gpio is not None:
            real.append("the LED sensing")
        if self.wired_lmn is not None and self.wired_lmn.port not in ("memory", "pty"):
            real.append("the RS-485 adapter")
        if self.wireless_lmn is not None and self.wireless_lmn.port not in ("air", "memory", "pty"):
            real.append("the radio stick")
        if self.service_adapter is not None and not self.service_adapter_emulated:
            real.append("the service adapter")
        return real

    @property
    def only_han(self) -> str:
        """``host:port`` of the home interface where nothing else of the bench reaches the gateway; else empty."""
        han = self.gateway.han
        if not isinstance(han, HanOnBench) or any(getattr(self, name) is not None for name in _OF_A_GATEWAY):
            return ""
        return joined(*han.where)

    @property
    def service_adapter_emulated(self) -> bool:
        """Whether emulated meters sit at the service adapter's cable."""
        return self.service_adapter is None or self.service_adapter.port in ("memory", "pty")

    def assumed_of_meters(self) -> dict[str, Any]:
        """Other values for what the documents leave open about wired meters, wherever this file gives them."""
        given: dict[str, Any] = {}
        for adapter in (self.wired_lmn, self.service_adapter):
            given |= {} if adapter is None else adapter.assumed
        return given

    def capabilities(self) -> frozenset[str]:
        """What scenarios can ask of this bench (`bench.scenario.models.CAPABILITIES`)."""
        have = {
            "power": self.mains,
            "leds": self.leds,
            "wired_lmn": self.wired_lmn,
            "wireless_lmn": self.wireless_lmn,
            "time_server": self.time_server,
            "patch_field": self.patch_field,
            "reference_meter": self.reference_meter,
            "emulated": self.maintenance,
            "records": self.maintenance or self.gateway.han,
            "internal_logs": self.maintenance,
            "han": self.gateway.han,
            "han_users": self.maintenance if self.gateway.han else None,
            "han_selftest": self._han_allows("self_test"),
            "han_wrong_logins": self._han_allows("wrong_logins"),
            "back_office": self.maintenance,
            "service_adapter": self.service_adapter,
            "emulated_meter": self.service_adapter if self.service_adapter_emulated else None,
        }
        return frozenset(name for name, part in have.items() if part is not None)

    def _han_allows(self, what: str) -> str | None:
        """Whether scenarios may do at the home interface what is more than reading."""
        han = self.gateway.han
        allowed = han == "emulated" or getattr(han, what, "forbidden") == "allowed"
        return "allowed" if allowed else None


def load_bench(name: str) -> tuple[BenchFile, Source]:
    """The bench called `name`, or the one in the file `name`."""
    path = Path(name)
    if not path.suffix and not path.exists():
        path = BUILT_IN / f"{name}.yaml"
        if not path.exists():
            known = sorted(p.stem for p in BUILT_IN.glob("*.yaml"))
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"built in are {', '.join(known)}; or name a file"
            raise UsageError(f"there is no bench {name!r}", hint=hint)
    elif not path.exists():
        raise UsageError("no such bench file", place=Place(path))
    source = read(path)
    if not isinstance(source.data, dict):
        raise UsageError("the bench file holds no mapping", place=Place(path, 1), hint="it begins with 'name: ...'")
    try:
        bench = BenchFile.model_validate(source.data)
    except ValidationError as error:
        raise UsageErrors(list(translate(error, source, BenchFile))) from None
    if bench.leds is not None and bench.leds.recorded is not None and not Path(bench.leds.recorded).is_file():
        raise UsageError(f"there is no file {bench.leds.recorded!r}", place=source.place(("leds", "recorded")))
    check_options(bench.gateway.options, source, ("gateway", "options"))
    return bench, source


def check_options(options: dict[str, Any], source: Source, path: tuple[str, ...]) -> None:
    """UsageError with the place of the first option that an emulated gateway does not take."""
    if not options:
        return
    from bench.emulation import wrong_option

    for name, value in options.items():
        found = wrong_option(name, value)
        if found is not None:
            raise UsageError(found.message, place=source.place((*path, name)), hint=found.hint)
