"""What the messages carry, what is to be done about them, who reads the logs, how faults come about."""

from __future__ import annotations

from pathlib import Path

import pytest
from manuals import casa_places, ppc_actions

from devices import gateway_types
from devices.gateway_types.model import Event
from devices.gateway_types.parts import ACTIONS, FaultTable, Provocation

HERE = Path(__file__).parent
LOST_PLACES = {10166: 1, 10167: 1, 10207: 1}
"""Places that the extraction of the manual's text has lost with the line they stand in."""


def table(name: str) -> list[list[str]]:
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return [line.split(",") for line in lines if not line.startswith("#")]


def stored_actions() -> dict[int, tuple[str, str, int]]:
    return {int(number): (good, bad, int(places)) for number, good, bad, places in table("ppc_actions.csv")}


def stored_places() -> dict[tuple[int, int], int]:
    return {(int(number), int(sub)): int(places) for number, sub, places in table("casa_places.csv")}


def numbered(name: str) -> list[Event]:
    events = gateway_types.load(name).events.values()
    return [one for one in events if one.id is not None and "id" not in one.assumed]


def test_every_message_of_ppc_10_says_what_to_do_and_carries_what_the_manual_says() -> None:
    data = {
        one.id: (one.action_for("success"), one.action_for("failure"), len(one.parameters)) for one in numbered("ppc")
    }
    wanted = {
        number: (good, bad, places + LOST_PLACES.get(number, 0))
        for number, (good, bad, places) in stored_actions().items()
    }
    assert data == wanted
    assert len(wanted) == 148


def test_every_message_of_casa_9_3_carries_what_the_manual_says() -> None:
    assert {(one.id, one.sub_id): len(one.parameters) for one in numbered("casa")} == stored_places()
    assert len(stored_places()) == 51


def test_the_stored_tables_are_those_of_the_manuals() -> None:
    assert stored_actions() == ppc_actions()
    assert stored_places() == casa_places()


@pytest.mark.parametrize("name", gateway_types.names())
def test_places_of_a_message_are_all_used_in_both_languages_or_in_none(name: str) -> None:
    """A parameter that no text shows would be lost to the reader; what a fault code is, is said beside the text."""
    for event, one in gateway_types.load(name).events.items():
        english = {place for place in one.parameters if f"{{{place}}}" in one.text_en}
        german = {place for place in one.parameters if f"{{{place}}}" in one.text_de}
        assert english == german, event


def test_every_fault_of_casa_says_what_to_do_and_how_it_comes_about_or_why_not() -> None:
    casa = gateway_types.load("casa")
    assert {one.action for one in casa.faults.values()} == {"inform_metering_operator"}
    assert [code for code, one in casa.faults.items() if one.provoke is None] == []
    reasons = {one.provoke.none for one in casa.faults.values() if one.provoke is not None}
    assert reasons - {None} == set(casa.reasons), "a reason that nobody gives"
    assert sum(one.provoke is not None and one.provoke.none is None for one in casa.faults.values()) >= 40


def test_actions_are_told_in_both_languages() -> None:
    assert all(texts.keys() == {"en", "de"} for texts in ACTIONS.values())


@pytest.mark.parametrize(
    "wrong", [{}, {"none": "a", "scenario": "b"}, {"steps": [{"go": 1}]}, {"steps": [{"do": "x", "cut": 1}]}]
)
def test_a_provocation_is_one_way(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="one of"):
        Provocation.model_validate(wrong)


def test_a_reason_that_is_not_explained_is_refused() -> None:
    fault = {"text_en": "a", "text_de": "b", "provoke": {"none": "because"}}
    with pytest.raises(ValueError, match="there is no reason 'because'"):
        FaultTable.model_validate({"source": "[CASA] 9.4", "faults": {1: fault}})


def test_the_stores_say_who_reads_which_log() -> None:
    """wan-core 8.1, the same for all three; nobody deletes."""
    for name in gateway_types.names():
        stores = gateway_types.load(name).stores
        assert dict(stores["system"].read) == {"technician": ("HAN",), "administrator": ("WAN",)}
        assert dict(stores["consumer"].read) == {"consumer": ("HAN", "CLS")}
        assert dict(stores["calibration"].read) == {"administrator": ("WAN",)}
        assert [store.delete for store in stores.values()] == [()] * 4
