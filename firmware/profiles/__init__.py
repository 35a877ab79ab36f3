"""Profiles: meters, evaluation, communication in WAN and HAN, proxies; their rules V1 to V14, states and storage.

``kinds`` has the fields, ``forms`` the plain data, ``rules`` and ``trust`` what is wrong with them, ``store`` carries
orders out, ``meters`` puts meter profiles in force.
"""

from firmware.profiles.changes import Change
from firmware.profiles.meters import MeterReading, active
from firmware.profiles.rules import Limits, Progress
from firmware.profiles.store import ProfileStore
from firmware.profiles.trust import Trust, installed

__all__ = ["Change", "Limits", "MeterReading", "ProfileStore", "Progress", "Trust", "active", "installed"]
