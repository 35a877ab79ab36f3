"""Steps that judge the LEDs: one LED's pattern, several together, or a documented meaning."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from bench.expect import Condition
from bench.patterns import WrittenPattern, parse_written
from bench.quantity import Duration
from bench.steps.base import ExpectingStep
from bench.steps.led_lasting import Lasted
from bench.steps.led_looks import AlarmShown, LinesShow, MeaningShown

if TYPE_CHECKING:
    from bench.scenario.models import Scenario
    from devices.gateway_types.model import GatewayType

_PATTERN_SCHEMA = {
    "anyOf": [
        {"enum": ["on", "off", "heartbeat", "blinking"]},
        {"type": "string", "description": "blinking with a period, such as 'blinking 500 ms'"},
        {
            "type": "object",
            "properties": {"on": {"type": "string"}, "off": {"type": "string"}},
            "required": ["on", "off"],
            "additionalProperties": False,
        },
    ]
}
LedPattern = Annotated[WrittenPattern, BeforeValidator(parse_written), WithJsonSchema(_PATTERN_SCHEMA)]


class LedsStep(ExpectingStep):
    """Expect patterns of single LEDs, a documented meaning, or an alarm.

    Attributes:
        shows: vendor-neutral meaning, such as starting, ready, restricted, stopped; ``alarm`` is any alarm.
        pwr: pattern of the LED PWR; the other three likewise.
        phase: how the named LEDs stand to each other: together, alternating or either.
        lasted: it is over, and its duration lay between these two; counted since the mains came back.
    """

    key: ClassVar[str] = "leds"
    shorthand: ClassVar[str | None] = "shows"
    doc: ClassVar[str] = "expect what the LEDs show"
    base_needs: ClassVar[frozenset[str]] = frozenset({"leds"})

    shows: str | None = None
    pwr: LedPattern | None = Field(default=None, alias="PWR")
    tls: LedPattern | None = Field(default=None, alias="TLS")
    lmc: LedPattern | None = Field(default=None, alias="LMC")
    wmt: LedPattern | None = Field(default=None, alias="wMT")
    han_link: LedPattern | None = Field(default=None, alias="HAN.link")
    cls_link: LedPattern | None = Field(default=None, alias="CLS.link")
    wan_link: LedPattern | None = Field(default=None, alias="WAN.link")
    han_traffic: LedPattern | None = Field(default=None, alias="HAN.traffic")
    cls_traffic: LedPattern | None = Field(default=None, alias="CLS.traffic")
    wan_traffic: LedPattern | None = Field(default=None, alias="WAN.traffic")
    phase: str | None = None
    lasted: tuple[Duration, Duration] | None = None

    @property
    def watchable(self) -> bool:
        return self.lasted is None

    @model_validator(mode="after")
    def _one_thing(self) -> LedsStep:
        if (self.shows is None) == (not self._patterns):
            raise ValueError("say either 'shows: MEANING' or patterns of single LEDs, such as {PWR: on}")
        if self.phase is not None and (
            len(self._patterns) < 2 or self.phase not in ("together", "alternating", "either")
        ):
            raise ValueError("'phase' is together, alternating or either, of two or more LEDs")
        bounds = self.lasted
        if bounds is not None and (bounds[0] > bounds[1] or self.hold is not None or self.shows == "alarm"):
            raise ValueError("'lasted' is the shortest and the longest right time of one pattern, without 'for'")
        return self

    @property
    def _patterns(self) -> tuple[tuple[str, WrittenPattern], ...]:
        fields = type(self).model_fields
        named = ((field.alias, getattr(self, name)) for name, field in fields.items() if field.alias and name != "hold")
        return tuple((str(alias), pattern) for alias, pattern in named if pattern is not None)

    def check(self, scenario: Scenario) -> list[str]:
        from bench.products import gateway_type

        products = [gateway_type(name) for name in scenario.gateways]
        if self.shows is None:
            return [
                f"{product.name} has no LED {line!r}: it has {', '.join(product.lines)}"
                for product in products
                for line, _ in self._patterns
                if line not in product.lines
            ]
        if self.shows == "alarm":
            return []
        return [text for product in products for text in self._unknown_meaning(product)][:1]

    def _unknown_meaning(self, product: GatewayType) -> list[str]:
        from devices.errors import UsageError

        try:
            product.signals_for(self.shows or "")
        except UsageError as error:
            if difflib.get_close_matches(self.shows or "", ["alarm"]):
                return [f"unknown meaning {self.shows!r} (did you mean 'alarm'?)"]
            return [str(error)]
        return []

    def condition(self) -> Condition:
        if self.shows == "alarm":
            return AlarmShown()
        shown = LinesShow(self._patterns, self.phase) if self.shows is None else MeaningShown(self.shows)
        if self.lasted is not None:
            return Lasted(shown, *(bound.total_seconds() for bound in self.lasted))
        return shown
