"""COSEM objects of a wired meter, by OBIS code (lmn-wired 4.4)."""

from __future__ import annotations

from typing import Final

# --- who it is

MAKER: Final = bytes.fromhex("010060320101")
"""1-0:96.50.1*1, manufacturer."""
SERVER_ID: Final = bytes.fromhex("0100600100ff")
"""1-0:96.1.0*255, server id."""
DEVICE_ID: Final = bytes.fromhex("0100000009ff")
"""1-0:0.0.9*255, device id; the server id under its older name."""
SOFTWARE_0: Final = bytes.fromhex("010000020000")
"""1-0:0.2.0*0, version of software that is relevant under metrology law."""
SOFTWARE_1: Final = bytes.fromhex("010000020001")
"""1-0:0.2.0*1, version of the other software."""
PUBLIC_KEY: Final = bytes.fromhex("8181c78205ff")
"""Public key of the meter."""
IDENTIFICATION: Final = bytes.fromhex("8181c78201ff")
"""Identification block: device number (content assumed)."""
DEVICE_CLASS: Final = bytes.fromhex("8181c78202ff")
"""Identification block: what kind of device it is (content assumed)."""
DEVICE_MAKER: Final = bytes.fromhex("8181c78203ff")
"""Identification block: manufacturer."""
DEVICE_VERSION: Final = bytes.fromhex("8181c78252ff")
"""Identification block: version (content assumed)."""

# --- what it measures

DRAWN: Final = bytes.fromhex("0100010800ff")
"""1-0:1.8.0*255, energy from the grid; the tariffs in .1 and .2."""
DRAWN_1: Final = bytes.fromhex("0100010801ff")
DRAWN_2: Final = bytes.fromhex("0100010802ff")
FED: Final = bytes.fromhex("0100020800ff")
"""1-0:2.8.0*255, energy into the grid; the tariffs in .1 and .2."""
FED_1: Final = bytes.fromhex("0100020801ff")
FED_2: Final = bytes.fromhex("0100020802ff")
POWER: Final = bytes.fromhex("0100100700ff")
"""1-0:16.7.0*255, power of all phases; of one phase in PHASE_POWER."""
PHASE_POWER: Final = tuple(bytes.fromhex(code) for code in ("0100240700ff", "0100380700ff", "01004c0700ff"))
"""1-0:36.7.0, 56.7.0, 76.7.0, power of L1, L2, L3."""
VOLTAGES: Final = tuple(bytes.fromhex(code) for code in ("0100200700ff", "0100340700ff", "0100480700ff"))
"""1-0:32.7.0, 52.7.0, 72.7.0, voltage of L1, L2, L3."""
CURRENTS: Final = tuple(bytes.fromhex(code) for code in ("01001f0700ff", "0100330700ff", "0100470700ff"))
"""1-0:31.7.0, 51.7.0, 71.7.0, current in L1, L2, L3."""
FREQUENCY: Final = bytes.fromhex("01000e0700ff")
"""1-0:14.7.0*255."""
VOLTAGE_ANGLES: Final = tuple(bytes.fromhex(code) for code in ("0100510701ff", "0100510702ff"))
"""1-0:81.7.1, 81.7.2, angle from the voltage of L1 to that of L2, L3 (wan-core 7.2)."""
CURRENT_ANGLES: Final = tuple(bytes.fromhex(code) for code in ("0100510704ff", "010051070fff", "010051071aff"))
"""1-0:81.7.4, 81.7.15, 81.7.26, angle from the voltage of L1, L2, L3 to the current in the same phase."""

# --- how it is, and how it is set up

STATUS: Final = bytes.fromhex("0100600500ff")
"""1-0:96.5.0*255, status word."""
SECOND_INDEX: Final = bytes.fromhex("01005e310001")
"""1-0:94.49.0*1, time information: the second index."""
INFO_DATASET: Final = bytes.fromhex("01005e310102")
"""1-0:94.49.1*2, the full data set on the optical INFO port: on or off."""
MAGNET_EVENTS: Final = bytes.fromhex("01005e310103")
"""1-0:94.49.1*3, how often a magnet was seen."""
MAGNET_DETECTION: Final = bytes.fromhex("01005e310104")
"""1-0:94.49.1*4, detection of magnets: on, off, reset."""
COVER_DETECTION: Final = bytes.fromhex("01005e310109")
"""1-0:94.49.1*9, detection of an opened cover: on, off, reset."""
COVER_EVENTS: Final = bytes.fromhex("01005e31010a")
"""1-0:94.49.1*10, how often the cover was opened."""
TWO_TARIFFS: Final = bytes.fromhex("01005e31010d")
"""1-0:94.49.1*13, two tariff function: on or off."""
PIN_FALLBACK: Final = bytes.fromhex("01005e31010e")
"""1-0:94.49.1*14, the display falls back behind its PIN: on or off."""

# --- lists and logs

WHOLE_LIST: Final = bytes.fromhex("0100620affff")
"""Name under which meters send their list; a request may leave it out."""
EVENT_LOG: Final = bytes.fromhex("8181c789e1ff")
"""Event log, read by GetProfileList."""
EVENT_NUMBER: Final = bytes.fromhex("8181c789e2ff")
"""Number of an event in the log."""
LOG_SECOND_INDEX: Final = bytes.fromhex("010000090b00")
"""1-0:0.9.11*0, second index of an event in the log."""

# --- keys

OPERATIONAL_KEY: Final = bytes.fromhex("0100600d0aff")
"""Where the gateway writes the 16 random octets of a new operational key (code assumed, lmn-wired 3.2 names none)."""
CRYPTO_RESET: Final = bytes.fromhex("0100600d0bff")
"""Writing True puts the meter back to its initial key (code assumed)."""

DATA_CLASS: Final = 1
"""COSEM class of a plain value."""
REGISTER_CLASS: Final = 3
"""COSEM class of a value with scaler and unit."""
