"""Fault codes that go into log entries of products that have such codes ([CASA] 9.4), by what happened."""

from __future__ import annotations

from collections.abc import Mapping

CAUSE_CODES: Mapping[str, int] = {
    "storage_full": 1900082,
    "selftest_critical": 1900010,
    "sync_interval_exceeded": 1500069,
    "deviation_exceeded": 1500056,
    "storage_integrity": 2500350,
    "consumer_log_full": 1400523,
    "wan_han_not_separated": 900137,
    "wan_han_swapped": 900135,
    "component_cannot_restart": 1900103,
    "hardware_change": 1900010,
    "firmware_integrity": 1900109,
    "kernel_corrupt": 1900309,
    "log_write_failed": 1400513,
    "log_service_died": 1400509,
}
"""Cause of an operating state -> code; where the document names several, the one that fits best (assumed)."""

BUS_CODES: Mapping[str, int] = {
    "hdlc_undecodable": 103106,
    "hdlc_unexpected": 103117,
    "hdlc_no_answer": 103118,
    "hdlc_not_ready": 103190,
    "hdlc_read_timeout": 103191,
    "meter_unreachable": 100706,
    "meter_data_invalid": 103106,
    "meter_id_mismatch": 103117,
    "lmn_tls_failed": 103165,
    "meter_data_undecryptable": 103106,
    "meter_telegram_rejected": 103106,
    "meter_counter_unexpected": 103117,
    "radio_mac_invalid": 103106,
    "own_lmn_certificate_ends_soon": 100704,
    "lmn_certificate_ends_soon": 100705,
}
"""Trouble with a wired meter -> code; what has none of its own has that of the frame it came in (assumed)."""

RADIO_MODULE_CODES: Mapping[str, int] = {
    "port_closed": 200701,
    "port_settings": 200702,
    "no_answer": 200504,
    "wrong_name": 200505,
    "wrong_firmware": 200506,
    "no_understanding": 200507,
    "restart_failed": 200710,
}
"""What is wrong with the radio module inside -> code ([CASA] 9.4)."""

LOG_CODES: Mapping[str, int] = {"running": 1400005, "start": 1400550}
"""A log entry that does not fit its chain, found by a self-test or at the start -> code; there are three for the
first (assumed)."""

START_CODES: Mapping[str, int] = {
    "power": 1900602,
    "unknown": 1900601,
    "unexpected_command": 1900603,
    "external_watchdog": 1900604,
    "internal_watchdog": 1900605,
    "hardware_reset": 1900606,
}
"""Start that nobody ordered, value of `firmware.unit.Start` -> code."""

COMPONENT_CODE = 1900501
"""A process that was not started, as the message of a service that died carries it (assumed)."""

PACKAGE_CODE = 1300800
"""An update package that failed its check."""

BUS_EVENTS: Mapping[str, tuple[str, ...]] = {
    "hdlc_undecodable": ("meter_checksum_invalid", "metering_warning"),
    "meter_data_invalid": ("meter_checksum_invalid", "metering_warning"),
    "hdlc_unexpected": ("metering_warning",),
    "hdlc_no_answer": ("metering_warning",),
    "hdlc_not_ready": ("metering_warning",),
    "hdlc_read_timeout": ("metering_warning",),
    "meter_id_mismatch": ("metering_warning",),
    "lmn_tls_failed": ("metering_warning",),
    "meter_data_undecryptable": ("meter_data_undecryptable", "metering_warning"),
    "meter_telegram_rejected": ("meter_telegram_rejected", "metering_warning"),
    "meter_counter_unexpected": ("meter_counter_unexpected", "metering_warning"),
    "radio_mac_invalid": ("meter_checksum_invalid", "metering_warning"),
    "radio_module_failed": ("metering_error",),
    "own_lmn_certificate_ends_soon": ("metering_warning",),
    "lmn_certificate_ends_soon": ("metering_warning",),
}
"""Trouble with a wired meter -> events that tell it, the first that the product has; none: our own message."""
