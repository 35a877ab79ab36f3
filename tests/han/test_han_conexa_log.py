"""The method log of an emulated CONEXA: fields, parameters that go together, limits (han 3.2)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from han_conexa_calls import ROOT
from han_conexa_rig import (
    JSON,
    USER,
    Bench,
    Digest,
    bench,
    client_certificate,
)

from devices.errors import UsageError
from firmware.config import Options
from firmware.han.conexa.logbook import log_language
from firmware.storage.memory import NonVolatileMemory


async def test_log_entries_have_every_field(conexa: Bench) -> None:
    result = (await conexa.call("log")).json["log"]
    assert result["records"] == str(len(result["entries"]))
    for one in result["entries"]:
        assert set(one) == {
            "event-id", "event-sub-id", "index", "level", "message", "outcome", "subject-identity", "time",
            "user-identity", "vendor-id", "version",
        }  # fmt: skip
        assert all(isinstance(value, str) for value in one.values())
    marks = [one for one in result["entries"] if one["event-id"] == "19013"]
    assert {(one["vendor-id"], one["event-sub-id"]) for one in marks} == {("THE", "0")}
    assert [one["index"] for one in result["entries"]] == [str(at + 1) for at in range(len(result["entries"]))]


PARTS = {"fromtime": "2026-02-01T00:00:00Z", "totime": "2026-04-01T00:00:00Z", "fromindex": "2", "count": "1"}
ALLOWED = ["", "fromtime", "totime", "fromtime totime", "fromindex", "count", "fromindex count", "fromtime count",
           "fromtime totime count"]  # fmt: skip


async def test_only_some_parameters_of_the_log_go_together(conexa: Bench) -> None:
    digest = Digest()
    for chosen in range(16):
        names = [name for at, name in enumerate(PARTS) if chosen >> at & 1]
        answer = await conexa.call("log", digest, **{name: PARTS[name] for name in names})
        allowed = sorted(names) in [sorted(one.split()) for one in ALLOWED]
        assert answer.status == (200 if allowed else 400), names


async def test_the_log_can_be_narrowed(conexa: Bench) -> None:
    digest = Digest()

    async def indices(**parameters: Any) -> list[int]:
        answer = await conexa.call("log", digest, **parameters)
        assert answer.status == 200
        return [int(one["index"]) for one in answer.json["log"]["entries"]]

    await indices()
    await conexa.stored()
    whole = await indices()
    assert await indices(fromindex=3) == whole[2:]
    assert await indices(fromindex="3", count=2) == [3, 4]
    assert await indices(count="1") == [1]
    entries = (await conexa.call("log", digest)).json["log"]["entries"]
    third = entries[2]["time"]
    earlier = [int(one["index"]) for one in entries if one["time"] < third]
    assert await indices(totime=third) == earlier
    assert min(await indices(fromtime=third)) == 3


async def test_more_than_1500_entries_cannot_be_asked_for(conexa: Bench) -> None:
    digest = Digest()
    for count in (0, 1501, "1501", "", "many", -1, 1.5, True, [1]):
        assert (await conexa.call("log", digest, count=count)).status == 400, count
    assert (await conexa.call("log", digest, count=1500)).status == 200


async def test_no_more_than_1500_entries_are_given(stored_conexa: NonVolatileMemory) -> None:
    async with bench(stored_conexa, consumer_log_capacity=5000) as conexa:
        assert conexa.gateway._session is not None
        for _ in range(1600):
            conexa.gateway._session.control.event("selftest_passed", consumer=USER)
        await conexa.stored()
        result = (await conexa.call("log")).json["log"]
        assert (result["records"], result["entries"][0]["index"]) == ("1500", "1")
        rest = (await conexa.call("log", fromindex=1501)).json["log"]
        assert rest["entries"][0]["index"] == "1501"


async def test_words_of_the_log_can_be_numbers(stored_conexa: NonVolatileMemory) -> None:
    async with bench(stored_conexa, han_conexa_log_numbers=True) as conexa:
        entries = (await conexa.call("log")).json["log"]["entries"]
        assert {(one["level"], one["outcome"]) for one in entries} == {("1", "0")}


async def test_messages_are_german_as_the_pages_are_and_can_be_english(stored_conexa: NonVolatileMemory) -> None:
    said = {
        "de": {"Selbsttest ohne Befund.", "Eingeschaltete Sonderfunktionen: keine",
               f"Letztverbraucher {USER} ist an der HAN-Schnittstelle angemeldet (Passwort)."},
        "en": {"Self-test passed.", "Special functions that are on: none",
               f"Consumer {USER} has logged in at the HAN interface (password)."},
    }  # fmt: skip
    for language, wanted in said.items():
        async with bench(stored_conexa, han_conexa_log_language=language) as conexa:
            digest = Digest()
            assert (await conexa.call("self-test", digest)).status == 200
            await conexa.stored()
            entries = (await conexa.call("log", digest)).json["log"]["entries"]
            assert wanted <= {one["message"] for one in entries}


async def test_a_refused_self_test_is_told_in_german_through_and_through(conexa: Bench) -> None:
    for status in (200, 403):
        assert (await conexa.call("self-test")).status == status
    await conexa.stored()
    newest = (await conexa.call("log")).json["log"]["entries"]
    (message,) = {one["message"] for one in newest if "fand nicht statt" in one["message"]}
    assert re.fullmatch(
        r"Selbsttest, von Letztverbraucher verlangt, fand nicht statt: der nächste ist möglich ab \S+", message
    )


async def test_whom_the_gateway_refuses_is_told_in_german(conexa: Bench, tmp_path: Path) -> None:
    session = conexa.gateway._session
    assert session is not None
    assert not (await session.selftest.order("technician")).accepted
    (tmp_path / USER).write_bytes(client_certificate(USER)[1])
    for _ in range(5):
        assert (await conexa.call("smgw-info", Digest(password="falsch"))).status == 401
    assert (await conexa.ask("GET", ROOT, JSON, certificate=tmp_path / USER)).status == 401
    conexa.clock.forward(301)
    await conexa.stored()
    messages = {one["message"] for one in (await conexa.call("log")).json["log"]["entries"]}
    assert {
        "Selbsttest, von Service-Techniker verlangt, fand nicht statt: Service-Techniker darf ihn nicht anstoßen",
        f"Anmeldung von {USER} mit Zertifikat an der HAN-Schnittstelle ohne Erfolg: Anmeldung gesperrt",
    } <= messages


def test_no_log_is_written_in_another_language() -> None:
    with pytest.raises(UsageError, match="'fr'"):
        log_language(Options(han_conexa_log_language="fr"))
