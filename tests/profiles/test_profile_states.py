"""The course of life of each kind of profile, and the log entries on the way (wan-core 1.4)."""

from __future__ import annotations

from profile_parts import METER, Shelf, meter, peer, person, proxy, tariff

from firmware.profiles import Progress

BEGIN_S = 1_769_900_400
NAME = f"meter-{METER}"


def test_a_meter_profile_is_created_active_paired_inactive_deleted(shelf: Shelf) -> None:
    store = shelf.store
    assert store.install(meter(active=False)).good
    assert store.state(NAME) == "created"
    assert shelf.names == ["meter_profile_added", "meter_added"]
    assert store.change(meter()).good
    assert store.state(NAME) == "active"
    store.paired = lambda number: number == METER
    assert store.state(NAME) == "paired"
    assert store.change(meter(active=False)).good
    assert store.state(NAME) == "inactive"
    assert shelf.names[2:] == [
        "meter_profile_changed", "meter_profile_activated", "meter_profile_changed", "meter_profile_deactivated",
    ]  # fmt: skip
    assert store.delete(NAME).good
    assert shelf.names[6:] == ["meter_profile_removed", "meter_removed"]


def test_an_evaluation_profile_is_ready_running_terminated_archive(shelf: Shelf) -> None:
    store = shelf.store
    assert store.install([meter(), tariff(7)]).good
    shelf.progress["taf7"] = Progress(BEGIN_S - 900)
    assert store.state("taf7") == "ready"
    shelf.progress["taf7"] = Progress(BEGIN_S)
    assert store.state("taf7") == "running"
    shelf.progress["taf7"] = Progress(BEGIN_S + 900, ended=True)
    assert store.state("taf7") == "terminated"
    assert store.change(tariff(7, end="2026-03-01T00:00:00Z")).status == 409
    store.ended("taf7")
    shelf.events.clear()
    assert store.delete("taf7").good
    assert store.state("taf7") == "archive"
    assert shelf.names == ["tariff_profile_deleted", "evaluation_profile_deleted"]


def test_a_communication_profile_is_present_and_updated(full: Shelf) -> None:
    assert full.store.state("emt") == "present"
    assert full.store.change(peer(full.pki, retry_s=[1])).good
    assert full.store.state("emt") == "updated"
    assert full.events == [
        (
            "communication_profile_changed",
            {"profile": "emt", "count": 0, "errors": "none", "addresses": "emt.example:443"},
        )
    ]


def test_new_credentials_of_a_consumer_are_told(full: Shelf) -> None:
    assert full.store.change(person(password_digest="cd" * 16)).good
    assert full.names == ["communication_profile_changed", "user_credentials_changed"]
    full.events.clear()
    assert full.store.change(person(password_digest="cd" * 16, rights=[])).good
    assert full.names == ["communication_profile_changed"]


def test_a_proxy_profile_is_present_or_enabled(full: Shelf) -> None:
    assert full.store.state("box") == "enabled"
    assert full.store.change(proxy(full.pki, enabled=False)).good
    assert full.store.state("box") == "present"
    assert full.names == ["cls_profile_changed"]
    assert full.store.delete("box").good
    assert full.names[1:] == ["cls_profile_removed"]


def test_a_new_evaluation_profile_is_told_in_the_log_of_its_consumer(shelf: Shelf) -> None:
    assert shelf.store.install([meter(), tariff(7)]).good
    told = dict(shelf.events)
    assert shelf.names[-3:] == [
        "tariff_profile_created", "evaluation_profile_created", "evaluation_profile_activated",
    ]  # fmt: skip
    assert told["evaluation_profile_created"]["consumer"] == "consumer-1"


def test_listeners_hear_of_changes_that_concern_them(full: Shelf) -> None:
    assert full.store.change(tariff(recipients=["emt"], usage_point="elsewhere")).good
    assert full.told == []  # nothing that is evaluated has changed
    assert full.store.change(tariff(recipients=[])).good
    assert full.store.change(tariff(recipients=[])).good
    assert full.store.delete("taf1").good
    assert full.told == [("evaluation", "changed", "taf1"), ("evaluation", "removed", "taf1")]


def test_a_switch_table_that_says_the_same_has_not_changed(shelf: Shelf) -> None:
    assert shelf.store.install([meter(), tariff(2)]).good
    shelf.told.clear()
    assert shelf.store.change(tariff(2)).good
    assert shelf.told == []


def test_reading_is_logged_and_tells_no_secret(full: Shelf) -> None:
    body = full.store.read("han-consumer-2").body
    assert (body["password_digest"], body["state"]) == ("masked", "present")
    assert full.store.read("taf1").body["logical_name"] == "01005e318021.taf1.sm"
    assert full.store.read(NAME).body["referring"] == ["taf1"]
    assert full.names == [
        "wan_object_read", "wan_object_read", "evaluation_profile_read", "wan_object_read", "sensor_profile_read",
    ]  # fmt: skip
    assert full.store.read().body["count"] == 7
