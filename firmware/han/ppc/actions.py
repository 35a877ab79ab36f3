"""The actions of the consumer's portal by name (han 2.2)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from firmware.han.ppc import device, meters, tariffs
from firmware.han.ppc.call import WELCOME, Entry

ACTIONS: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        WELCOME: Entry(device.welcome),
        "meterform": Entry(meters.choose, "values"),
        "showMeterProfile": Entry(meters.profile, "values"),
        "exportMeterProfile": Entry(meters.export_profile, "values"),
        "showMeterValuesForm": Entry(meters.values_form, "values"),
        "showMeterValues": Entry(meters.values, "values"),
        "exportMeterValues": Entry(meters.export_values, "values"),
        "tariffform": Entry(tariffs.choose, "tariffs"),
        "showTariffProfile": Entry(tariffs.profile, "tariffs"),
        "exportTariffProfile": Entry(tariffs.export_profile, "tariffs"),
        "showTarificationForm": Entry(tariffs.periods_form, "tariffs"),
        "showTarification": Entry(tariffs.periods, "tariffs"),
        "showTarificationRegister": Entry(tariffs.register, "tariffs"),
        "commprofile": Entry(device.communication),
        "exportCommProfile": Entry(device.export_communication),
        "log": Entry(device.log, "consumer_log"),
        "exportLogData": Entry(device.export_log, "consumer_log"),
        "swversions": Entry(device.software),
        "selftestform": Entry(device.selftest_form, "selftest"),
        "selftest": Entry(device.selftest, "selftest"),
    }
)
"""Without logging out, which is the service's own. ``showTarificationForm`` and ``selftestform`` are no actions of
the sheet: the first hands out a fresh ``tid``, as ``showMeterValuesForm`` hands out a ``mid``; the second asks a person
before the restart."""
