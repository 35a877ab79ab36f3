"""Rules of the use cases 9, 10 and 14: V9, V10, and which triggers each of them has (wan-core 6.2, 7.6)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from firmware.metering.tariffs.errors import TariffError
from firmware.metering.tariffs.findings import Finding
from firmware.metering.tariffs.profile import EvaluationProfile
from firmware.metering.tariffs.readings import groups

LEAST_SAMPLING_S: Final = 60
"""Smallest sampling period of TAF-14 ([CASA] 2.4.2)."""
_POWER: Final = frozenset((1, 2, 16, 21, 22, 36, 41, 42, 56, 61, 62, 76))
"""Value group C of active power, in total and per phase, each direction and the difference."""
_ENERGY: Final = frozenset((1, 2, 5, 6, 7, 8, 21, 22, 41, 42, 61, 62))
"""Value group C of the energies of TAF-14: A+, A-, R1 to R4, A+ and A- per phase."""
_GRID: Final = _POWER | {14, 31, 51, 71, 32, 52, 72, 81}
"""TAF-10: power, frequency, currents, voltages, angles."""


def measured_findings(profile: EvaluationProfile) -> Iterator[Finding]:
    """What is wrong with a profile of TAF-9, 10 or 14."""
    taf = f"TAF-{profile.use_case}"
    if profile.billing_relevant or profile.billing is not None or profile.stages:
        yield Finding("V10", 400, f"values of {taf} are never billed")
    if profile.pseudonymised and not profile.pseudonym:
        yield Finding("V10", 400, f"{taf} needs a pseudonym unless the contract does without")
    if profile.use_case == 14 and profile.period_s < LEAST_SAMPLING_S:
        yield Finding("V9", 400, f"TAF-14 samples every {profile.period_s} s, at least {LEAST_SAMPLING_S} s are right")
    yield from _triggers(profile, taf)
    for source in profile.sources:
        try:
            _, _, c, d, _, _ = groups(source.obis)
        except TariffError:
            continue
        right = d == 7 and c in (_GRID if profile.use_case == 10 else _POWER)
        if not right and not (profile.use_case == 14 and d == 8 and c in _ENERGY):
            yield Finding("use case", 400, f"{source.obis} is no quantity of {taf}")


def _triggers(profile: EvaluationProfile, taf: str) -> Iterator[Finding]:
    sending, rule = profile.sending, "use case"
    if not (sending.on_demand or sending.every_s or sending.thresholds or sending.each):
        yield Finding(rule, 400, f"nothing triggers the sending of {taf}")
    if sending.on_demand and profile.use_case == 14:
        yield Finding(rule, 400, "TAF-14 sends periodically, ad hoc or at a limit, not on demand")
    if sending.each and profile.use_case != 14:
        yield Finding(rule, 400, f"{taf} sends on demand, periodically or at a limit, not every sample")
    if sending.aggregates and (profile.use_case == 14 or sending.every_s is None):
        yield Finding(rule, 400, "minimum, maximum and mean belong to the periodic sending of TAF-9 and 10")
    if sending.every_s is not None and (sending.every_s <= 0 or sending.every_s % profile.period_s):
        reason = f"sending every {sending.every_s} s is no multiple of the sampling period of {profile.period_s} s"
        yield Finding(rule, 400, reason)
    if sending.capacity < 1:
        yield Finding(rule, 400, "there is no room for values to be sent")
    for one in sending.thresholds:
        if one.source not in profile.sources:
            yield Finding(rule, 400, f"the limit is for {one.source}, which the profile does not read")
        if one.hysteresis.value < 0:
            yield Finding(rule, 400, f"the hysteresis for {one.source} is negative")
