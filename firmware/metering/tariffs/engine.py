"""A use case from a profile, new or as it was when its state was taken."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from firmware.metering.tariffs.measured import Measured
from firmware.metering.tariffs.profile import EvaluationProfile
from firmware.metering.tariffs.refused import UseCaseRefused, refusal
from firmware.metering.tariffs.taf1 import Taf1
from firmware.metering.tariffs.taf2 import Taf2
from firmware.metering.tariffs.taf6 import Taf6
from firmware.metering.tariffs.taf7 import Taf7
from firmware.metering.tariffs.use_case import UseCase

USE_CASES: Final[Mapping[int, type[UseCase]]] = MappingProxyType(
    {1: Taf1, 2: Taf2, 6: Taf6, 7: Taf7, 9: Measured, 10: Measured, 14: Measured}
)


def use_case(profile: EvaluationProfile, state: dict[str, Any] | None = None) -> UseCase:
    """The use case of a profile, from its begin on or from what `UseCase.state` gave.

    Raises:
        UseCaseRefused: the gateway has no such use case.
        ProfileError: the profile lacks what the use case needs, or the state is not its own.
    """
    refused = refusal(profile.use_case)
    if refused is not None:
        raise UseCaseRefused(refused)
    made = USE_CASES[profile.use_case](profile)
    if state is not None:
        made.restore(state)
    return made
