"""What a step is: a model of what people write, a sentence that says it, and the deed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import takewhile
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pydantic import Field, model_validator

from bench.expect import Condition, Outcome, expect
from bench.quantity import Duration, text_of
from bench.written import Written
from devices.errors import UsageError

if TYPE_CHECKING:
    from bench.rig import Rig
    from bench.scenario.models import Scenario

REGISTRY: dict[str, type[Step]] = {}
"""Key in YAML -> model of the step."""


class Step(Written):
    """One step. A subclass names its key in YAML and says what it needs of the bench.

    Attributes:
        key: the word in YAML.
        shorthand: field that a bare value stands for, as in ``power: on``; None: the step wants a mapping.
        doc: what the step does, in one line, for `smgw-bench explain` and the schema.
    """

    key: ClassVar[str]
    shorthand: ClassVar[str | None] = None
    doc: ClassVar[str] = ""
    base_needs: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "key" in cls.__dict__:
            REGISTRY[cls.key] = cls

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return value
        if cls.shorthand is not None:
            return {cls.shorthand: value}
        raise ValueError(f"{cls.key} wants a mapping, such as {{{', '.join(cls.model_fields)}}}")

    @property
    def judges(self) -> bool:
        """Whether this step ends in a verdict."""
        return False

    def needs(self) -> frozenset[str]:
        """Capabilities of the bench without which this step cannot be done."""
        return self.base_needs

    def check(self, scenario: Scenario) -> list[str]:
        """What is wrong with this step in `scenario` (unknown meter ...), in words."""
        return []

    def earliest_end(self, begin: datetime) -> datetime:
        """When the step can be over at the earliest, given when it can begin at the earliest."""
        return begin

    def sentence(self) -> str:
        """The step as an imperative sentence."""
        raise TypeError(f"{type(self).__name__} has no sentence")

    async def run(self, rig: Rig) -> Outcome:
        """Do it and say how it went."""
        raise TypeError(f"{type(self).__name__} cannot be run")


class ExpectingStep(Step):
    """A step that judges: it holds a condition and the time that it is given.

    Attributes:
        within: the condition must become true before this has passed.
        hold: it must stay true for this long (written ``for``).
    """

    within: Duration | None = None
    hold: Duration | None = Field(default=None, alias="for")

    @property
    def judges(self) -> bool:
        return True

    @property
    def watchable(self) -> bool:
        """Whether the expectation can be watched all the time."""
        return True

    def earliest_end(self, begin: datetime) -> datetime:
        return begin if self.hold is None else begin + self.hold

    def condition(self) -> Condition:
        """What is expected."""
        raise TypeError(f"{type(self).__name__} has no condition")

    def sentence(self) -> str:
        text = f"Expect that {self.condition().sentence()}"
        if self.within is not None:
            text += f", within {text_of(self.within)}"
        if self.hold is not None:
            text += f", for at least {text_of(self.hold)}"
        return text + "."

    async def run(self, rig: Rig) -> Outcome:
        within = None if self.within is None else self.within.total_seconds()
        hold = None if self.hold is None else self.hold.total_seconds()
        return await expect(rig, self.condition(), within=within, hold=hold)


def passed_by(scenario: Scenario, step: Step, instant: datetime) -> list[str]:
    """A complaint when an instant has certainly passed where `step` begins, as far as the scenario fixes its times."""
    now = scenario.given.time or _LONG_AGO
    try:
        for before in takewhile(lambda one: one is not step, scenario.all_steps()):
            now = before.earliest_end(now)
    except OverflowError:  # beyond the year 9999
        return []
    if instant >= now:
        return []
    return [f"{_utc(instant)} has passed by then: this step begins at {_utc(now)} or later"]


def _utc(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


_LONG_AGO: Final = datetime(1, 1, 1, tzinfo=UTC)
"""Stands for a begin that is not fixed; no step waits until an instant that is near it."""


def mistakes_of(make: Callable[[], object]) -> list[str]:
    """What is wrong with the parameters of something that `make` makes, in words; empty: nothing."""
    try:
        make()
    except UsageError as error:
        return [f"{error.message} ({error.hint})" if error.hint else error.message]
    except (TypeError, ValueError) as error:
        return [str(error)]
    return []


def fault_sentence(who: str, what: str, parameters: Mapping[str, object], times: int | None) -> str:
    """A fault of a meter in a sentence.

    Args:
        who: the meter, as a sentence begins with it.
        what: what it does wrong.
        parameters: how exactly.
        times: how often, None: from now on.
    """
    details = ", ".join(f"{name} {value}" for name, value in parameters.items())
    often = "" if times is None else f", {times} time{'' if times == 1 else 's'}"
    return f"{who}: {what}{f' ({details})' if details else ''}{often}."
