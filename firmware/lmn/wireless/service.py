"""The service for radio meters: takes what the antenna gives, believes what is authentic, hands it to registration.

Order at the receiver (TR-03116-3 7.3, lmn-wireless 3): whose telegram, is its protection enough, is its counter
greater, is its MAC right; only then it is decrypted and its counter taken over.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from devices.errors import UsageError
from devices.ports.radio import Reception
from devices.protocols.mbus.afl import Reassembly
from devices.protocols.mbus.compact_frame import unfold
from devices.protocols.mbus.control import FROM_METER, c_name
from devices.protocols.mbus.errors import MbusError, RecordError
from devices.protocols.mbus.records import Contents, Record, decode_records
from devices.protocols.mbus.telegram import Parsed, Telegram, open_, parse, whole
from firmware.control import Control
from firmware.display import Display
from firmware.fault_codes import RADIO_MODULE_CODES
from firmware.lmn.trouble import Trouble
from firmware.lmn.wireless.answers import EMPTY, Answers
from firmware.lmn.wireless.counters import Counters
from firmware.lmn.wireless.entries import past, present
from firmware.lmn.wireless.formats import Formats
from firmware.lmn.wireless.policy import LEAST_MAC, STRONG, TROUBLE_EVENTS, weak_rule
from firmware.metering.radio_registration import Heard, RadioRegistration
from firmware.metering.registration import ActiveProfile
from firmware.metering.values import Entry
from firmware.own_clock import OwnClock
from firmware.storage.writer import StorageWriter
from firmware.unit import Unit

COMPACT_FRAMES = frozenset({0x73, 0x79, 0x7B})
"""CI fields of compact frames (lmn-wireless 2.5)."""
DATA_FRAMES = frozenset({0x72, 0x78, 0x7A}) | COMPACT_FRAMES
"""CI fields that carry values of a meter."""
PROTOCOL = "EN 13757"


class RadioService:
    """Everything about radio meters in one run of the firmware.

    Args:
        unit: antenna, options, memory.
        control: where events go.
        writer: how counters and formats are kept.
        own: the gateway's clock.
        display: shows the wMT LED.
        registration: where values go.
    """

    def __init__(
        self,
        unit: Unit,
        control: Control,
        writer: StorageWriter,
        own: OwnClock,
        display: Display,
        registration: RadioRegistration,
    ) -> None:
        options = unit.options
        self._unit = unit
        self._control = control
        self._own = own
        self._display = display
        self._registration = registration
        self._trouble = Trouble(unit, control)
        self._weak = weak_rule(options.radio_weak_modes)
        self._zone = _zone(options.radio_meter_time_zone)
        self._formats = Formats(unit.memory, writer)
        self.counters = Counters(unit.memory, writer, own, options.radio_counter_store_interval_s)
        self.on_telegram: Callable[[ActiveProfile, Telegram], None] = lambda profile, telegram: None
        """An authentic telegram of a meter with a profile came in."""
        self._seen: dict[str, dict[str, Any]] = {}
        self.foreign = 0
        self._pieces = Reassembly()
        antenna = unit.cables.antenna
        self._answers = None if antenna is None else Answers(unit.clock, antenna, unit.config.device_id)

    def start(self) -> None:
        """Listen."""
        if self._unit.cables.antenna is not None:
            self._unit.cables.antenna.on_reception = self._received

    def stop(self) -> None:
        """Hear nothing more."""
        antenna = self._unit.cables.antenna
        if antenna is not None and antenna.on_reception == self._received:
            antenna.on_reception = None
        self.counters.stop()
        if self._answers is not None:
            self._answers.stop()

    def module_failed(self, defect: str) -> None:
        """The radio module inside has a defect, one of `RADIO_MODULE_CODES`: nothing is received until it is mended."""
        code = RADIO_MODULE_CODES[defect]
        text = defect.replace("_", " ")
        told = {"warning": f"{code} {text}", "error": f"{code} {text}", "reason": text}
        known = self._unit.product.data.events
        event = "metering_error" if "metering_error" in known else "radio_module_failed"
        self._control.event(event, outcome="failure", code=code, **told)

    def shown(self) -> list[dict[str, Any]]:
        """The radio meters as the maintenance port shows them."""
        return [
            {"meter": name, "counter": self.counters.last(name, one.key), **self._seen.get(name, {"telegrams": 0})}
            for name, one in self._registration.profiles.items()
        ]

    # --- one telegram

    def _received(self, reception: Reception) -> None:
        if self._unit.memory.fault("radio_module") is not None:
            return
        try:
            parsed = parse(reception.telegram)
        except MbusError:
            self._light(None)
            return
        profile = self._profile_of(parsed)
        self._light(profile)
        if profile is None:
            self.foreign += 1
            return
        try:
            self._take(profile, parsed, reception)
        except MbusError as error:
            self._reject(profile, str(error))

    def _light(self, profile: ActiveProfile | None) -> None:
        if profile is not None or self._unit.options.radio_led_foreign_meters:
            self._display.radio_packet()

    def _profile_of(self, parsed: Parsed) -> ActiveProfile | None:
        address = parsed.meter
        known = self._registration.profiles.values()
        return next((one for one in known if one.radio is not None and one.radio.is_at(address)), None)

    def _take(self, profile: ActiveProfile, parsed: Parsed, reception: Reception) -> None:
        if parsed.link.c in EMPTY:
            self._answer(parsed, reception)
        elif parsed.to_meter:
            pass  # somebody talks to the meter: that counts with a counter of its own (TR-03116-3 7.1)
        elif parsed.link.c not in FROM_METER:
            self._reject(profile, f"{c_name(parsed.link.c)} is nothing that a meter sends")
        else:
            self._take_data(profile, parsed, reception)

    def _take_data(self, profile: ActiveProfile, parsed: Parsed, reception: Reception) -> None:
        if parsed.afl is not None and parsed.afl.is_fragment:
            complete = self._pieces.feed(profile.meter, parsed.afl, parsed.message)
            if complete is None:
                return
            parsed = whole(parsed, *complete)
        strong = parsed.security in STRONG
        if not strong and self._weak == "refuse":
            self._tell(profile, "meter_telegram_rejected", f"its protection, {parsed.security}, is not allowed")
            return
        if strong and not self._counter_rises(profile, parsed.counter):
            return
        telegram = open_(parsed, profile.key)
        if not strong and telegram.security in STRONG and telegram.state == "decrypted":
            strong = True  # the extended link layer hid what is inside
            if not self._counter_rises(profile, telegram.counter):
                return
        if telegram.state in ("failed", "encrypted"):
            event = TROUBLE_EVENTS.get(telegram.trouble_kind, "meter_data_undecryptable")
            self._tell(profile, event, telegram.trouble or "it cannot be read")
            return
        if strong and not self._is_genuine(profile, telegram):
            return
        self._answer(parsed, reception)
        self._note(profile, telegram, reception)
        self.on_telegram(profile, telegram)
        if telegram.apl and (telegram.tpl is None or telegram.tpl.ci in DATA_FRAMES):
            self._values(profile, telegram, not_for_billing=not strong and self._weak == "mark")

    def _is_genuine(self, profile: ActiveProfile, telegram: Telegram) -> bool:
        """Whether its MAC is right and something is encrypted; only then its counter is taken over."""
        if telegram.counter is None:
            return True
        if telegram.mac_valid is not True or telegram.mac_octets < LEAST_MAC:
            self._tell(profile, "radio_mac_invalid", "it has no MAC, or one that is too short")
            return False
        if telegram.apl and telegram.state != "decrypted":
            self._reject(profile, "nothing of it is encrypted")
            return False
        self.counters.accept(profile.meter, profile.key, telegram.counter)
        return True

    def _answer(self, parsed: Parsed, reception: Reception) -> None:
        if self._answers is not None:
            self._answers.answer(parsed, reception)

    def _counter_rises(self, profile: ActiveProfile, counter: int | None) -> bool:
        if counter is None:
            self._reject(profile, "it has no transmission counter")
            return False
        last = self.counters.last(profile.meter, profile.key)
        if last is not None and counter <= last:
            reason = f"transmission counter {counter} is not greater than {last}"
            self._tell(profile, "meter_counter_unexpected", reason, expected=last + 1, actual=counter)
            return False
        return True

    def _values(self, profile: ActiveProfile, telegram: Telegram, *, not_for_billing: bool) -> None:
        contents = self._contents(profile, telegram)
        if contents is None:
            return
        if contents.trouble and not contents.records:
            self._reject(profile, contents.trouble)
            return
        assert profile.radio is not None
        medium = profile.radio.medium
        heard = Heard(
            at_us=self._own.now_us(),
            entries=present(medium, contents.records, profile.obis),
            profile=self._past(medium, contents.records, profile.obis),
            error_flags=next((bytes(one.raw) for one in contents.records if one.vib[:2] == b"\xfd\x17"), b""),
            status=0 if telegram.tpl is None else telegram.status or 0,
            not_for_billing=not_for_billing,
        )
        if self._unit.options.log_meter_packets:
            self._control.event("meter_packet_received", meter=profile.meter)
        self._registration.heard(profile.meter, heard)

    def _contents(self, profile: ActiveProfile, telegram: Telegram) -> Contents | None:
        apl = telegram.apl
        if telegram.tpl is not None and telegram.tpl.ci in COMPACT_FRAMES:
            try:
                full = unfold(apl, self._formats.of(profile.meter))
            except RecordError:
                return None  # the format comes with the next full frame
            if not full.whole:
                self._tell(profile, "radio_mac_invalid", "the CRC of the full frame is wrong")
                return None
            return decode_records(full.apl)
        contents = decode_records(apl)
        if not contents.trouble:
            self._formats.learn(profile.meter, apl)
        return contents

    def _past(
        self, medium: int, records: tuple[Record, ...], registers: frozenset[str]
    ) -> dict[int, tuple[Entry, ...]]:
        """Values of the compact profiles in a telegram, by instant."""
        return {self._instant(moment): found for moment, found in past(medium, records, registers)}

    def _instant(self, told: datetime) -> int:
        """A meter's time as seconds since 1970."""
        moment = told if told.tzinfo is not None else told.replace(tzinfo=self._zone)
        return int(moment.astimezone(UTC).timestamp())

    # --- what is told

    def _note(self, profile: ActiveProfile, telegram: Telegram, reception: Reception) -> None:
        seen = self._seen.setdefault(profile.meter, {"telegrams": 0})
        seen["telegrams"] += 1
        seen["security"] = telegram.security
        seen["mode"] = reception.mode.value
        seen["rssi_dbm"] = reception.rssi_dbm

    def _reject(self, profile: ActiveProfile, reason: str) -> None:
        self._tell(profile, "meter_telegram_rejected", reason)

    def _tell(self, profile: ActiveProfile, event: str, reason: str, **more: object) -> None:
        self._trouble.tell(event, profile.meter, None, reason, protocol=PROTOCOL, **more)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise UsageError(f"there is no time zone {name!r}", hint="UTC or Europe/Berlin") from None
