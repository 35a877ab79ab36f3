"""What is assumed of the emulated gateway, by part, for a report: option, value, where the gap is, and why.

The reasons stand once, as the text below each field of :class:`firmware.config.Options`; here they are read from there.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Final

from firmware import config
from firmware.config import Options

PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "wired": ("invite_", "presence_", "slot_", "link_", "read_patience_s", "poll_pause_s", "bus_error_log_interval_s"),
    "security": ("lmn_", "clear_values_"),
    "radio": ("radio_",),
    "profiles": ("profile_",),
    "signatures": ("signature_",),
    "certificates": ("certificate_",),
    "retention": ("retention_", "measured_values_at_cut"),
    "readings": ("registration_period_s", "receive_window_share", "gap_fill_limit"),
    "time": ("clock_drift_ppm", "rtc_", "ntp_", "sync_", "time_invalid_policy"),
    "logs": ("calibration_log_", "consumer_log_", "system_log_", "log_", "storage_"),
    "network": ("separation_", "wan_router"),
    "home": ("han_",),
    "faults": ("integrity_", "update_install_s", "component_"),
    "start": ("restart_pause_s", "boot_scale"),
    "leds": ("lmc_shows_",),
}
"""Part of the gateway -> names of its options, or how they begin."""

NOT_PRINTED: Final = "no manual"
"""Where the gap is when the reason names no sheet."""

_SHEET: Final = re.compile(r"(?:lmn-wired|lmn-wireless|wan-core|(?<![a-z])han) \d+(?:\.\d+)*|TR-03116-3")


@dataclass(frozen=True, slots=True)
class AssumedOption:
    """One option that a case relies on.

    Attributes:
        part: key of PARTS.
        value: as it is in force.
        default: as it comes; differs from `value` when somebody has overridden it.
        source: sheet and chapter in which nothing, or nothing certain, stands.
        why: what it is, and where it is from.
    """

    part: str
    value: object
    default: object
    source: str
    why: str


def part_of(option: str) -> str:
    """The part to which `option` belongs. Raises KeyError for none."""
    for part, beginnings in PARTS.items():
        if option.startswith(beginnings):
            return part
    raise KeyError(option)


def assumed_options(options: Options, parts: Iterable[str]) -> dict[str, AssumedOption]:
    """By name, the options of `parts`, and of all others those that are not as they come."""
    wanted = frozenset(parts)
    found = {}
    for one in fields(Options):
        part, value = part_of(one.name), getattr(options, one.name)
        if part in wanted or value != one.default:
            why = reasons()[one.name]
            sheets = dict.fromkeys(_SHEET.findall(why))
            found[one.name] = AssumedOption(part, value, one.default, ", ".join(sheets) or NOT_PRINTED, why)
    return found


@lru_cache(maxsize=1)
def reasons() -> Mapping[str, str]:
    """The text below each option, in one line."""
    tree = ast.parse(inspect.getsource(config))
    (body,) = (node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == Options.__name__)
    told = {}
    for field, text in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            told[field.target.id] = " ".join(str(ast.literal_eval(text.value)).split())
    return told
