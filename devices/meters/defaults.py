"""What the documents leave open about meters on the wired bus: named defaults that a bench file may override.

Each of them is a field of one of the values that stations, links, security and the SMARTY BZ-PLUS v2 are made with;
here they stand together, so that a bench file can name them and a report can list them (lmn-wired 9).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any, Final

from devices.errors import UsageError
from devices.meters.catalogue import SmartyOptions
from devices.meters.default_shapes import Flag, Number, OneOf, Shape, SomeOf, Whole
from devices.meters.discovery import DiscoveryTiming
from devices.meters.security import SecuritySettings
from devices.meters.smarty_assumed import LARGEST_IMAGE
from devices.meters.smarty_bz import LOG_CAPACITY, UpdateTiming
from devices.meters.station_settings import Busy, Manners, StationTiming
from devices.protocols.hdlc import MAX_INFORMATION, FrameKind
from devices.protocols.hdlc_link import LinkLimits
from devices.protocols.lmn_tls import CURVES, SUITES, TlsSettings
from devices.protocols.smarty_service import CrcOrder
from devices.protocols.sym import BadRequest
from devices.protocols.update_log import MAX_ENTRIES

_DISCOVERY = ("guard_s", "invite_choices", "invite_unit_s", "slot_s")
_STATION = ("turnaround_s", "processing_s", "between_octets_s", "boot_s")
_LINK = ("max_information", "max_message", "inactivity_s", "window", "negotiate")
_MANNERS = ("to_disconnect", "to_unknown")
_UPDATE = ("checking_s", "activation_s", "installing_s", "booting_s")

WIRED: Final = ("wired meters", (*_DISCOVERY, *_STATION, *_LINK, "busy", *_MANNERS))
SECURITY: Final = (
    "SYM and TLS of wired meters",
    ("curves", "session_age_s", "session_octets", "check_gateway", "reset_window_s", "on_bad_request", "sym_counter"),
)
SMARTY: Final = (
    "SMARTY BZ-PLUS v2",
    (*_UPDATE, "log_capacity", "largest_image", "allow_downgrade", "crc_order"),
)
"""Heading in the report, and the defaults below it."""

WHY: Final[Mapping[str, tuple[str, str]]] = {
    "guard_s": ("lmn-wired 1.5", "earliest answer to a broadcast, from one public meter firmware"),
    "invite_choices": ("lmn-wired 1.5", "random waits on an invitation, from one public meter firmware"),
    "invite_unit_s": ("lmn-wired 1.5", "step of the random wait, from one public meter firmware"),
    "slot_s": ("lmn-wired 1.5", "pitch of the slots, two public programs agree"),
    "turnaround_s": ("lmn-wired 1.7", "no document gives the time between a frame and its answer"),
    "processing_s": ("lmn-wired 4.4", "only the upper limit of 2 s is printed"),
    "between_octets_s": ("lmn-wired 1.7", "no document gives the pause allowed within a frame"),
    "boot_s": ("lmn-wired 9", "no document says how soon a meter listens"),
    "max_information": ("lmn-wired 1.2", "octets in one I frame: 1024 is the buffer of one public meter firmware"),
    "max_message": ("lmn-wired 1.2", "no document limits a segmented message"),
    "inactivity_s": ("lmn-wired 1.7", "no document says when a meter forgets a link"),
    "window": ("lmn-wired 1.7", "frames before an answer: the traces show 1"),
    "negotiate": ("lmn-wired 2", "whether SNRM and UA carry parameters: the trace shows none"),
    "busy": ("lmn-wired 1.7", "how a meter answers while it works: one maker's differs from a public firmware"),
    "to_disconnect": ("lmn-wired 1.7", "answer to DISC: the standard's UA differs from a public firmware's DM"),
    "to_unknown": ("lmn-wired 1.7", "answer to an unknown control octet: FRMR of the standard, DM of a firmware"),
    "curves": ("lmn-wired 3.1", "curves that a meter takes: all of the gateway's offer"),
    "session_age_s": ("lmn-wired 3.1", "longest life of a session, from one public program"),
    "session_octets": ("lmn-wired 3.1", "octets after which a session ends, from one public program"),
    "check_gateway": ("lmn-wired 3.1", "whether a meter insists on the gateway's certificate; one firmware does not"),
    "reset_window_s": ("lmn-wired 3.2", "how long a crypto reset is possible, from one public meter firmware"),
    "on_bad_request": ("lmn-wired 3.2", "no document says what a meter does with a wrong SYM request"),
    "sym_counter": ("lmn-wired 3.2", "no document says where the counter of a new meter stands"),
    "checking_s": ("lmn-wired 5.5", "no document says how long the checks take"),
    "activation_s": ("lmn-wired 5.5", "no document says how soon an installation begins"),
    "installing_s": ("lmn-wired 5.5", "no document says how long an installation takes"),
    "booting_s": ("lmn-wired 5.5", "no document says how soon the new firmware answers"),
    "log_capacity": ("lmn-wired 5.6", "no document says how many entries fit into the update log"),
    "largest_image": ("lmn-wired 5.6", "no document gives it"),
    "allow_downgrade": ("lmn-wired 5.5", "[BZ] 6.1 forbids it, its example shows two"),
    "crc_order": ("lmn-wired 2", "which octet of the inner check comes first: likely, not proven"),
}
"""Name of a default -> where the gap is, and why it was assumed."""

_TIME: Final = Number(0, 86_400)
_SHAPES: Final[Mapping[str, Shape]] = {
    "invite_choices": Whole(1, 1000),
    "between_octets_s": Number(0.0001, 86_400),
    "max_information": Whole(1, MAX_INFORMATION),
    "max_message": Whole(1, 16_777_216),
    "inactivity_s": Number(0.1, 31_536_000),
    "window": Whole(1, 7),
    "negotiate": Flag(),
    "busy": OneOf(tuple(one.value for one in Busy)),
    "to_disconnect": OneOf(("ua", "dm")),
    "to_unknown": OneOf(("frmr", "dm")),
    "curves": SomeOf(tuple(CURVES.values())),
    "session_age_s": Number(1, 31_536_000),
    "session_octets": Whole(10_000, 2**40),
    "check_gateway": Flag(),
    "reset_window_s": Number(0, 31_536_000),
    "on_bad_request": OneOf(tuple(one.value for one in BadRequest)),
    "sym_counter": Whole(0, 2**32 - 1),
    "log_capacity": Whole(1, MAX_ENTRIES),
    "largest_image": Whole(1, 2**32 - 1),
    "allow_downgrade": Flag(),
    "crc_order": OneOf(tuple(one.name.lower() for one in CrcOrder)),
}
"""What may be said of a default; of all others a time."""


@dataclass(frozen=True)
class LmnDefaults:
    """Times in seconds, sizes in octets; meanings in the values that they go into.

    Attributes:
        guard_s, invite_choices, invite_unit_s, slot_s: see DiscoveryTiming.
        turnaround_s, processing_s, between_octets_s, boot_s: see StationTiming.
        max_information, max_message, inactivity_s, window, negotiate: see LinkLimits.
        busy: value of a Busy.
        to_disconnect, to_unknown: see Manners.
        curves: OpenSSL's names of the curves that a meter takes.
        session_age_s, session_octets: see TlsSettings.
        check_gateway, reset_window_s, on_bad_request, sym_counter: see SecuritySettings.
        checking_s, activation_s, installing_s, booting_s: see UpdateTiming.
        log_capacity, largest_image, allow_downgrade, crc_order: see SmartyOptions.
    """

    guard_s: float = DiscoveryTiming.guard_s
    invite_choices: int = DiscoveryTiming.invite_choices
    invite_unit_s: float = DiscoveryTiming.invite_unit_s
    slot_s: float = DiscoveryTiming.slot_s
    turnaround_s: float = StationTiming.turnaround_s
    processing_s: float = StationTiming.processing_s
    between_octets_s: float = StationTiming.between_octets_s
    boot_s: float = StationTiming.boot_s
    max_information: int = LinkLimits().max_information
    max_message: int = LinkLimits().max_message
    inactivity_s: float = LinkLimits().inactivity_s
    window: int = LinkLimits().window
    negotiate: bool = LinkLimits().negotiate
    busy: str = Busy.READY.value
    to_disconnect: str = Manners.to_disconnect.name.lower()
    to_unknown: str = Manners.to_unknown.name.lower()
    curves: tuple[str, ...] = tuple(CURVES[one] for one in TlsSettings().curves)
    session_age_s: float = TlsSettings().session_age_s
    session_octets: int = TlsSettings().session_octets
    check_gateway: bool = SecuritySettings.check_gateway
    reset_window_s: float = SecuritySettings.reset_window.total_seconds()
    on_bad_request: str = SecuritySettings.on_bad_request.value
    sym_counter: int = SecuritySettings.counter
    checking_s: float = UpdateTiming().checking_s
    activation_s: float = UpdateTiming().activation_s
    installing_s: float = UpdateTiming().installing_s
    booting_s: float = UpdateTiming().booting_s
    log_capacity: int = LOG_CAPACITY
    largest_image: int = LARGEST_IMAGE
    allow_downgrade: bool = False
    crc_order: str = CrcOrder.HIGH_FIRST.name.lower()

    def overridden(self, given: Mapping[str, Any]) -> LmnDefaults:
        """These defaults with others by name; UsageError for an unknown name or a value that it cannot have."""
        known = {one.name: getattr(self, one.name) for one in fields(self)}
        clean: dict[str, Any] = {}
        for name, value in given.items():
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
                raise UsageError(f"there is no default {name!r} for wired meters", hint=hint)
            shape = _SHAPES.get(name, _TIME)
            try:
                clean[name] = shape.read(value)
            except ValueError:
                raise UsageError(
                    f"default {name!r} cannot be {value!r}", hint=f"{shape.right()}, such as {_plain(known[name])}"
                ) from None
        return replace(self, **clean)

    def timing(self) -> StationTiming:
        """How fast a meter is."""
        discovery = DiscoveryTiming(**{name: getattr(self, name) for name in _DISCOVERY})
        return StationTiming(discovery, **{name: getattr(self, name) for name in _STATION})

    def limits(self) -> LinkLimits:
        """Bounds of a meter's links."""
        return LinkLimits(**{name: getattr(self, name) for name in _LINK})

    def busy_with(self) -> Busy:
        """How a meter answers while it works."""
        return Busy(self.busy)

    def manners(self) -> Manners:
        """What a meter answers where the standard and one public meter firmware differ."""
        return Manners(**{name: FrameKind[getattr(self, name).upper()] for name in _MANNERS})

    def security(self, suite: int) -> SecuritySettings:
        """Keys, certificates and sessions of a meter that takes all suites of the LMN and prefers `suite`."""
        numbers = {curve: number for number, curve in CURVES.items()}
        return SecuritySettings(
            tls=TlsSettings(
                suites=(suite, *(one for one in SUITES if one != suite)),
                curves=tuple(numbers[one] for one in self.curves),
                session_age_s=self.session_age_s,
                session_octets=self.session_octets,
            ),
            check_gateway=self.check_gateway,
            reset_window=timedelta(seconds=self.reset_window_s),
            on_bad_request=BadRequest(self.on_bad_request),
            counter=self.sym_counter,
        )

    def smarty(self) -> SmartyOptions:
        """What is assumed of a SMARTY BZ-PLUS v2."""
        return SmartyOptions(
            log_capacity=self.log_capacity,
            allow_downgrade=self.allow_downgrade,
            largest_image=self.largest_image,
            crc_order=self.inner_check(),
            timing=UpdateTiming(**{name: getattr(self, name) for name in _UPDATE}),
        )

    def inner_check(self) -> CrcOrder:
        """Order of the octets of the SMARTY's inner check."""
        return CrcOrder[self.crc_order.upper()]

    def changed(self, name: str) -> bool:
        """Whether the default `name` is not as it comes."""
        return bool(getattr(self, name) != getattr(LmnDefaults, name))

    def assumed(self, part: tuple[str, tuple[str, ...]] = WIRED) -> dict[str, tuple[str, str, str]]:
        """Name -> value, source and reason, for a report; `part` is WIRED, SECURITY or SMARTY."""
        heading, names = part
        return {f"{heading}: {name}": (_plain(getattr(self, name)), *self.reason(name, *WHY[name])) for name in names}

    def reason(self, name: str, source: str, why: str) -> tuple[str, str]:
        """Source and reason of a default, which say so when the bench file has overridden it."""
        if not self.changed(name):
            return source, why
        return f"bench file, for {source}", f"overridden (default: {_plain(getattr(LmnDefaults, name))}); {why}"


def _plain(value: object) -> str:
    """A value as the bench file writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"[{', '.join(value)}]" if isinstance(value, tuple) else str(value)
