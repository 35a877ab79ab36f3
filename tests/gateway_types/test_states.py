"""States, causes, stores, limits and events: complete, after the manuals, and without loose ends."""

from __future__ import annotations

import pytest

from devices import gateway_types
from devices.errors import UsageError
from devices.gateway_types.model import Effects, Event

COMMON = [
    "meter_address_assigned",
    "metering_suspended",
    "metering_resumed",
    "gateway_started",
    "time_synchronised",
    "time_restored",
    "time_sync_overdue",
    "time_server_silent",
    "sync_interval_exceeded",
    "deviation_exceeded",
    "clock_reserve_exhausted",
    "selftest_started",
    "selftest_passed",
    "selftest_failed",
    "calibration_log_full",
    "consumer_log_full",
    "storage_exhausted",
    "meter_error",
    "meter_fatal_error",
    "operation_stopped",
    "integrity_violated",
    "restart_commanded",
    "service_died",
    "service_restarted",
    "update_started",
    "update_done",
    "update_failed",
    "update_rolled_back",
    "lmn_certificate_expired",
    "power_lost",
    "meter_added",
    "meter_profile_added",
    "meter_unreachable",
    "system_log_wraps",
    "calibration_log_low",
    "consumer_log_low",
]


@pytest.mark.parametrize("name", gateway_types.names())
def test_no_reference_leads_nowhere(name: str) -> None:
    assert list(gateway_types.load(name).problems()) == []


@pytest.mark.parametrize("name", gateway_types.names())
def test_events_with_the_same_meaning_have_the_same_name_in_every_product(name: str) -> None:
    events = gateway_types.load(name).events
    assert [event for event in COMMON if event not in events] == []


def test_an_event_without_a_documented_number_says_so() -> None:
    ppc, conexa, casa = (gateway_types.load(name) for name in gateway_types.names())
    assert not ppc.unknown_in("meter_address_assigned")
    assert conexa.unknown_in("meter_address_assigned") and casa.unknown_in("meter_address_assigned")
    assert not conexa.unknown_in("special_functions")
    assert ppc.unknown_in("no_such_event")
    assert casa.events["sync_interval_exceeded"].assumed == ("id", "books")
    assert casa.unknown_in("sync_interval_exceeded"), "a number that was assumed is not documented"


def test_a_number_is_found_with_the_documented_event_first() -> None:
    casa = gateway_types.load("casa")
    assert casa.events_numbered(13001, 1)[0] == "time_invalid"
    assert casa.events_numbered(15001) == ("selftest_passed", "selftest_failed")
    assert gateway_types.load("ppc").events_numbered(10175) == ("meter_address_assigned",)
    assert gateway_types.load("ppc").events_numbered(4711) == ()


def test_an_unknown_event_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match=r"SMGW: event 'selftest_passd' is unknown \(did you mean 'selftest_passed'"):
        gateway_types.load("ppc").event("selftest_passd")


def test_a_message_is_filled_with_what_is_known() -> None:
    event = gateway_types.load("ppc").event("consumer_log_room")
    assert event.text({"consumer": "k1", "percent": 9}) == "9 % of the log of consumer k1 is free."
    assert event.text({"percent": 9}, "de") == "Im Logbuch von {consumer} sind 9 % frei."


def test_the_level_of_a_message_may_depend_on_its_outcome() -> None:
    """[PPC] 10, 10228: WARNING when the status is failure."""
    event = gateway_types.load("ppc").event("consumer_logged_in")
    assert (event.level_for("success"), event.level_for("failure")) == ("info", "warning")
    assert gateway_types.load("ppc").event("selftest_passed").level_for("failure") == "info"


def works(effects: Effects) -> set[str]:
    return {name for name, value in effects.model_dump().items() if value is True}


ALL = {"capture", "process", "send", "han", "cls", "wan", "update", "services"}
METERING = {"capture", "process", "send"}


@pytest.mark.parametrize(
    ("name", "state", "gone"),
    [
        ("ppc", "run", set()),
        ("ppc", "restricted", METERING),
        ("ppc", "minimal", METERING | {"han", "update"}),
        ("ppc", "stopped", ALL),
        ("conexa", "restricted", METERING | {"han", "cls"}),
        ("conexa", "connectivity_cut", {"han", "cls"}),
        ("conexa", "stopped", ALL),
        ("casa", "restricted", METERING | {"han"}),
        ("casa", "stopped", ALL),
    ],
)
def test_a_state_takes_away_what_the_manual_says(name: str, state: str, gone: set[str]) -> None:
    """[PPC] 2.6, [CONEXA] D-2, [CASA] 7.6 and 8."""
    assert works(gateway_types.load(name).state(state).effects) == ALL - gone


@pytest.mark.parametrize(
    ("name", "states"),
    [
        ("ppc", {"off", "run", "restricted", "minimal", "stopped", "updating"}),
        ("conexa", {"off", "run", "restricted", "connectivity_cut", "stopped", "boot_loop"}),
        ("casa", {"off", "run", "restricted", "stopped"}),
    ],
)
def test_a_product_has_its_own_states_and_no_others(name: str, states: set[str]) -> None:
    """wan-core 9.1"""
    product = gateway_types.load(name)
    assert set(product.states) == states
    with pytest.raises(UsageError, match="is unknown"):
        product.state("sleeping")


@pytest.mark.parametrize(
    ("name", "cause", "via", "state"),
    [
        ("ppc", "component_does_not_start", None, "restricted"),
        ("ppc", "component_cannot_restart", None, "stopped"),
        ("ppc", "sync_interval_exceeded", None, "restricted"),
        ("ppc", "consumer_log_full", None, "restricted"),
        ("ppc", "storage_full", None, "restricted"),
        ("ppc", "lmn_certificate_expired", None, "restricted"),
        ("ppc", "calibration_log_full", None, "minimal"),
        ("ppc", "storage_integrity", None, "minimal"),
        ("ppc", "security_violation", None, "stopped"),
        ("ppc", "base_software_missing", None, "off"),
        ("conexa", "kernel_corrupt", None, "stopped"),
        ("conexa", "log_memory_critical", None, "stopped"),
        ("conexa", "inactive_partition_bad_30_days", None, "stopped"),
        ("conexa", "software_version_differs", None, "stopped"),
        ("conexa", "storage_full", None, "restricted"),
        ("conexa", "sync_interval_exceeded", None, "restricted"),
        ("conexa", "deviation_exceeded", None, "restricted"),
        ("conexa", "wan_han_not_separated", None, "connectivity_cut"),
        ("conexa", "boot_checks_fail", None, "boot_loop"),
        ("casa", "storage_full", None, "restricted"),
        ("casa", "selftest_critical", None, "restricted"),
        ("casa", "hardware_change", None, "restricted"),
        ("casa", "clock_reserve_exhausted", None, "restricted"),
        ("casa", "wan_han_swapped", None, "restricted"),
        ("casa", "wan_han_not_separated", None, "restricted"),
        ("casa", "firmware_integrity", None, "stopped"),
        ("casa", "firmware_integrity", "runtime", None),
        ("casa", "firmware_integrity", "boot_check", "stopped"),
    ],
)
def test_a_cause_leads_where_the_manual_says(name: str, cause: str, via: str | None, state: str | None) -> None:
    """[PPC] 2.4 and 2.6, [CONEXA] D-2, [CASA] 8 and 9.4; wan-core 9.2."""
    assert gateway_types.load(name).cause(cause, via).leads_to == state


def test_an_unknown_cause_or_way_is_an_error() -> None:
    casa = gateway_types.load("casa")
    with pytest.raises(UsageError, match="did you mean 'storage_full'"):
        casa.cause("storage_ful")
    with pytest.raises(UsageError, match="runtime, boot_check"):
        casa.cause("firmware_integrity", "telepathy")


@pytest.mark.parametrize("name", gateway_types.names())
def test_every_state_but_run_has_a_way_in_and_every_cause_logs_what_is_known(name: str) -> None:
    product = gateway_types.load(name)
    without = [state for state in product.states if not product.causes_of(state)]
    assert set(without) <= {"run", "off", "updating"}
    pairs = [(cause.cause, cause.via) for cause in product.causes]
    assert len(pairs) == len(set(pairs))


def test_casa_faults_that_name_a_cause_agree_with_it() -> None:
    """[CASA] 9.4: what is marked leads into the soft lock-down, and only that."""
    casa = gateway_types.load("casa")
    causes = {cause.cause: cause for cause in casa.causes if cause.leads_to == "restricted"}
    for code, fault in casa.faults.items():
        if fault.event in causes:
            assert fault.soft_lockdown, code
    assert casa.fault_code("wan_han_not_separated") == 900137
    assert casa.fault_code("hdlc_no_answer") == 103118
    assert casa.fault_code("weather") is None


def test_limits_of_the_documents() -> None:
    """[CONEXA] D-2.2: 36 h and 3 %; [CASA] 2.6: 48 h, 8: 10 %; [PPC] 10: 30, 20 and 10 %."""
    ppc, conexa, casa = (gateway_types.load(name) for name in gateway_types.names())
    assert conexa.limit("sync_max_interval").number == 36 * 3600
    assert conexa.cause("sync_interval_exceeded").after_s == 36 * 3600
    assert conexa.limit("deviation_share").number == casa.limit("deviation_share").number == 0.03
    assert (casa.limit("clock_reserve").number, casa.limit("clock_reserve").assumed) == (48 * 3600, ())
    assert conexa.limit("inactive_partition_bad").number == 30 * 86400
    assert casa.store("storage").full_at_free == 0.1
    assert [(step.free, ppc.event(step.event).id) for step in ppc.store("storage").warnings] == [
        (0.3, 10257),
        (0.2, 10258),
    ]
    assert [step.free for step in ppc.store("calibration").warnings] == [0.1]
    assert ppc.limit("time_invalid_policy").value == "mark"
    with pytest.raises(TypeError, match="no number"):
        _ = ppc.limit("time_invalid_policy").number
    with pytest.raises(UsageError, match="did you mean 'clock_reserve'"):
        ppc.limit("clock_resrve")


def test_self_test_rules_of_the_documents() -> None:
    """[PPC] 4.4 restarts; [CONEXA] E-5.8 at start and every 4 h, han 3.4 lock of 600 s; [CASA] 7.4 once in 24 h."""
    ppc, conexa, casa = (gateway_types.load(name).selftest for name in gateway_types.names())
    assert (ppc.restarts, conexa.restarts, casa.restarts) == (True, False, False)
    assert (ppc.period_s, conexa.period_s, casa.period_s) == (None, 4 * 3600, None)
    assert (ppc.lock_s, conexa.lock_s, casa.lock_s) == (None, 600, 24 * 3600)
    assert conexa.at_start


def test_a_number_of_an_event_belongs_to_one_documented_event() -> None:
    for name in gateway_types.names():
        seen: dict[tuple[int, int | None], str] = {}
        for event_name, event in gateway_types.load(name).events.items():
            if event.id is not None and "id" not in event.assumed:
                assert (event.id, event.sub_id) not in seen, event_name
                seen[event.id, event.sub_id] = event_name


def test_values_are_not_changed_by_accident() -> None:
    event: Event = gateway_types.load("ppc").event("selftest_passed")
    with pytest.raises(ValueError, match="frozen"):
        event.level = "fatal"
    with pytest.raises(TypeError):
        gateway_types.load("ppc").events["new"] = event  # type: ignore[index]
