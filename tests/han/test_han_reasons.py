"""Why logins and self-tests are refused, and who asked: every word that a log keeps, in both languages."""

from __future__ import annotations

from typing import get_args

import pytest

from devices.gateway_types import load
from firmware.han.reasons import CERTIFICATE_OUTDATED, LOCKED_OUT, REASONS, WORDS, WRONG_PASSWORD, in_words, message
from firmware.logs.book import LogEntry
from firmware.own_clock import iso
from firmware.product import Product
from firmware.profiles.kinds import HanRole
from firmware.selftest import ADMINISTRATOR, NOT_ALLOWED, NOT_BEFORE, UNDER_WAY

AGAIN = iso(1_774_865_220_000_000)
INITIATORS = {"consumer": "Letztverbraucher", "technician": "Service-Techniker", "administrator": "Administrator"}
WAYS = {"password": "Passwort", "certificate": "Zertifikat"}
CERTIFICATE = {CERTIFICATE_OUTDATED: "Zertifikat zurzeit nicht gültig", LOCKED_OUT: "Anmeldung gesperrt"}
LOGIN = {**CERTIFICATE, WRONG_PASSWORD: "Benutzername oder Passwort falsch"}
SELFTEST = {
    UNDER_WAY: "ein Selbsttest läuft schon",
    NOT_BEFORE.format(time=AGAIN): f"der nächste ist möglich ab {AGAIN}",
    **{NOT_ALLOWED.format(initiator=one): f"{german} darf ihn nicht anstoßen" for one, german in INITIATORS.items()},
}
PLACES: list[tuple[str, str, str, dict[str, str]]] = [
    ("conexa", "consumer_logged_in", "way", WAYS),
    ("conexa", "certificate_login_refused", "error", CERTIFICATE),
    ("conexa", "selftest_started", "initiator", INITIATORS),
    ("conexa", "selftest_refused", "initiator", INITIATORS),
    ("conexa", "selftest_refused", "reason", SELFTEST),
    ("conexa", "special_functions", "functions", {"none": "keine"}),
    ("ppc", "consumer_logged_in", "errors", LOGIN),
    ("ppc", "tariff_profile_created", "errors", {"none": "keine"}),
    ("ppc", "selftest_started", "initiator", INITIATORS),
    ("casa", "certificate_login_failed", "error", {LOCKED_OUT: CERTIFICATE[LOCKED_OUT]}),
    ("casa", "selftest_started", "initiator", INITIATORS),
    ("casa", "selftest_refused", "initiator", INITIATORS),
    ("casa", "selftest_refused", "reason", SELFTEST),
]
"""Product, event, place, what the gateway fills it with -> German."""


@pytest.mark.parametrize(("product", "event", "place", "words"), PLACES)
def test_a_message_has_each_of_its_words_in_its_language(
    product: str, event: str, place: str, words: dict[str, str]
) -> None:
    gateway, data = Product(load(product)), load(product).events[event]
    for kept, german in words.items():
        others = dict.fromkeys(data.parameters, "-")
        entry = LogEntry(1, 0, event, None, None, "info", "success", {**others, place: kept}, "")
        assert message(gateway, entry, "de") == data.text({**others, place: german}, "de")
        english = in_words({place: kept}, "en")[place]
        assert message(gateway, entry, "en") == data.text({**others, place: english}, "en")
        assert (english and english != german) or kept == ADMINISTRATOR


def test_no_word_of_the_gateway_is_left_out() -> None:
    assert set(REASONS) == {*LOGIN, UNDER_WAY, NOT_BEFORE, NOT_ALLOWED}
    assert set(WORDS["initiator"]) == {*get_args(HanRole), ADMINISTRATOR}


def test_what_others_have_written_stays_as_it_is() -> None:
    told = {"user": "password", "error": 17, "errors": "-", "reason": "a self-test is under way, they say", "way": "?"}
    assert in_words(told, "de") == told
