"""An entry of the consumer's log that is missing is judged by what is known of those that are there, at any gateway."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from bench.products import gateway_type
from bench.steps.counting import Count
from bench.steps.han_checks import Asked, AtHome, LogHas, Tried
from devices.han.content import LogEntry

AT = datetime(2026, 1, 5, tzinfo=UTC)


def entry(text: str, event: int | None = None, sub: int | None = None) -> LogEntry:
    return LogEntry(None, AT, "INFO", text, event=event, sub_event=sub)


async def judged(
    product: str, entries: list[LogEntry], *, emulated: bool, count: Count | None = None
) -> tuple[bool | None, str]:
    """What the bench says of `selftest_passed`."""

    class Client:
        async def log(self) -> list[LogEntry]:
            return entries

    rig: Any = SimpleNamespace(
        gateway_type=gateway_type(product),
        bench=SimpleNamespace(gateway=SimpleNamespace(emulated=emulated)),
        han=SimpleNamespace(used=lambda *_: None),
    )
    client: Any = Client()
    return await LogHas("selftest_passed", None, count or Count(1, None), None).ask(rig, client)


@pytest.mark.parametrize("emulated", [True, False])
@pytest.mark.parametrize(
    ("product", "entries", "good"),
    [
        ("conexa", [], False),
        ("conexa", [entry("Selbsttest ohne Befund.")], True),
        ("conexa", [entry("Selbsttest fehlgeschlagen.")], None),
        ("conexa", [entry("Der Selbsttest ist gut ausgegangen")], None),
        ("conexa", [entry("Der Selbsttest ist gut ausgegangen", 4711)], None),
        ("casa", [entry("Der Selbsttest ist gut ausgegangen", 4711)], False),
        ("casa", [entry("Wie auch immer", 15001, 0)], True),
        ("casa", [entry("Der Selbsttest ist gut ausgegangen")], None),
    ],
)
async def test_the_verdict_is_of_one_kind_whether_the_gateway_is_emulated_or_not(
    product: str, entries: list[LogEntry], good: bool | None, *, emulated: bool
) -> None:
    found, seen = await judged(product, entries, emulated=emulated)
    assert found is good, seen
    assert ("neither number nor words are known of 1" in seen) == (good is None)


@pytest.mark.parametrize("emulated", [True, False])
async def test_entries_in_known_words_are_read_and_so_the_missing_one_is_missing(*, emulated: bool) -> None:
    """Nothing but what the emulated gateways write: the log is read whole, so it is a fail at both."""
    product = gateway_type("conexa")
    known = [entry(event.text_de) for name, event in product.events.items()
             if "consumer" in event.books and name != "selftest_passed"]  # fmt: skip
    assert len(known) >= 5
    assert (await judged("conexa", known, emulated=emulated))[0] is False


@pytest.mark.parametrize(
    ("count", "good"), [(Count(1, None), True), (Count(1, 1), None), (Count(3, None), False), (Count(0, 0), False)]
)
async def test_what_is_not_understood_matters_only_where_it_can_change_the_count(
    count: Count, good: bool | None
) -> None:
    entries = [entry("Selbsttest ohne Befund."), entry("Irgendetwas")]
    assert (await judged("conexa", entries, emulated=False, count=count))[0] is good


@pytest.mark.parametrize("base", [AtHome, Asked, Tried])
def test_a_condition_that_does_not_say_how_it_asks_cannot_be_made(base: type) -> None:
    class Half(base):  # type: ignore[misc]
        def sentence(self) -> str:
            return "half"

    with pytest.raises(TypeError, match="abstract"):
        Half()
