"""The data against the manuals: ids, levels, fault codes, sections, and that no sentence was copied.

Tables that were read out of the manuals once lie beside this file, so that the comparison runs without them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from manuals import casa_faults, casa_levels, casa_sections, joined_words, manual, ppc_levels

from devices import gateway_types
from devices.gateway_types.model import Event, GatewayType
from devices.gateway_types.parts import Documented, Part

HERE = Path(__file__).parent
MANUALS = {"ppc": "PPC", "conexa": "CONEXA", "casa": "CASA"}


def table(name: str) -> list[list[str]]:
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return [line.split(",") for line in lines if not line.startswith("#")]


def stored_ppc_levels() -> dict[int, tuple[str, str]]:
    return {int(number): (level, failure) for number, level, failure in table("ppc_levels.csv")}


def stored_casa_levels() -> dict[tuple[int, int], str]:
    return {(int(number), int(sub)): level for number, sub, level in table("casa_levels.csv")}


def stored_casa_faults() -> dict[int, bool]:
    return {int(code): mark == "x" for code, mark in table("casa_faults.csv")}


def numbered(product: GatewayType) -> dict[str, Event]:
    """Events whose number a document gives."""
    return {name: one for name, one in product.events.items() if one.id is not None and "id" not in one.assumed}


def test_every_message_of_ppc_10_is_there_with_its_level() -> None:
    events = numbered(gateway_types.load("ppc"))
    levels = {one.id: (one.level_for("success"), one.level_for("failure")) for one in events.values()}
    assert levels == stored_ppc_levels()
    assert len(levels) == len(events) == 148


def test_every_message_of_casa_9_3_is_there_with_its_level() -> None:
    events = numbered(gateway_types.load("casa"))
    levels = {(one.id, one.sub_id): one.level for one in events.values()}
    assert levels == stored_casa_levels()
    assert len(levels) == len(events) == 51


def test_every_fault_of_casa_9_4_is_there_and_says_whether_it_locks_the_device() -> None:
    faults = gateway_types.load("casa").faults
    assert {code: fault.soft_lockdown for code, fault in faults.items()} == stored_casa_faults()
    assert len(faults) == 300


def test_the_stored_tables_are_those_of_the_manuals() -> None:
    assert stored_ppc_levels() == ppc_levels()
    assert stored_casa_levels() == casa_levels()
    assert stored_casa_faults() == casa_faults()


def test_the_vendor_ids_of_casa_are_two_s_complements_of_their_group() -> None:
    """wan-core 8.2: 2^32 - 4294948294 = 19002."""
    vendor = [number for number, _ in stored_casa_levels() if number > 2**31]
    assert sorted((2**32 - number) // 1000 for number in vendor) == [13, 19, 19, 19, 19, 19, 19, 21]


def test_the_section_of_a_casa_message_is_the_one_that_lists_it() -> None:
    sections = casa_sections()
    for name, event in numbered(gateway_types.load("casa")).items():
        assert event.source == f"[CASA] {sections[event.id or 0, event.sub_id or 0]}", name


def parts_of(product: GatewayType) -> Iterator[Documented]:
    """Everything in a gateway type that cites a document."""

    def within(value: object) -> Iterator[Documented]:
        if isinstance(value, Documented):
            yield value
        if isinstance(value, Part):
            for name in type(value).model_fields:
                yield from within(getattr(value, name))
        elif isinstance(value, dict):
            for one in value.values():
                yield from within(one)
        elif isinstance(value, tuple):
            for one in value:
                yield from within(one)

    yield from within(product)
    for lazy in (product.events, product.modems, product.faults):
        yield from within(dict(lazy))


def citations(product: GatewayType) -> set[tuple[str, str]]:
    """(document, section) of every entry; a fact sheet's chapter has its name as document."""
    found = set()
    for part in parts_of(product):
        for source in part.source.split("; "):
            match = re.match(r"\[(\w+)\] (.+)|([a-z-]+) (.+)", source)
            assert match is not None, source
            document = match[1] or match[3]
            found |= {(document, section) for section in (match[2] or match[4]).split(", ")}
    return found


@pytest.mark.parametrize("name", gateway_types.names())
def test_every_entry_cites_a_document_of_its_product_with_a_section(name: str) -> None:
    product = gateway_types.load(name)
    cited = citations(product)
    assert len(list(parts_of(product))) > 90
    assert {document for document, _ in cited} - {"wan-core", "han"} == set(product.documents)
    assert all(re.fullmatch(r"[A-E]-\d(\.\d)?|\d{1,2}(\.\d)*", section) for _, section in cited)


@pytest.mark.parametrize("name", gateway_types.names())
def test_the_cited_sections_are_in_the_manual(name: str) -> None:
    text = manual(MANUALS[name])
    for document, section in citations(gateway_types.load(name)):
        if document == MANUALS[name]:
            assert re.search(rf"^{re.escape(section)}[ \t]", text, re.MULTILINE), section


@pytest.mark.parametrize("name", gateway_types.names())
def test_no_text_is_copied_from_the_manual(name: str) -> None:
    text = joined_words(manual(MANUALS[name])).lower()
    product = gateway_types.load(name)
    ours = [event.text_de for event in product.events.values()] + [one.text_de for one in product.faults.values()]
    pieces = {piece.strip(" .:;,()%").lower() for one in ours for piece in re.split(r"\{\w+\}", one)}
    assert [piece for piece in pieces if len(piece.split()) > 3 and piece in text] == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ppc", ["Regelbetrieb", "Eingeschränkter Betrieb", "Minimalbetrieb"]),
        ("conexa", ["Secure State Boot", "Secure State Application", "Secure State Connectivity"]),
        ("casa", ["Soft Lock-Down Mode", "Hard Lock-Down Mode"]),
    ],
)
def test_states_are_called_what_the_manual_calls_them(name: str, words: list[str]) -> None:
    text = manual(MANUALS[name])
    called = {state.name for state in gateway_types.load(name).states.values()}
    assert all(word in text and word in called for word in words)
