"""Visits of two consumers to PPC's portal."""

from __future__ import annotations

import re

from han_ppc_clients import PATH, Browser, options, tokens
from han_ppc_rack import PASSWORDS
from lxml import html

ACTIONS = (
    "welcomePage", "meterform", "showMeterProfile", "showMeterValuesForm", "showMeterValues", "tariffform",
    "showTariffProfile", "showTarificationForm", "showTarification", "showTarificationRegister", "commprofile", "log",
    "swversions", "selftestform",
)  # fmt: skip


def alice(host: str, port: int) -> Browser:
    return Browser(host, port, "alice", PASSWORDS["alice"])


def bob(host: str, port: int) -> Browser:
    return Browser(host, port, "bob", PASSWORDS["bob"])


def every_page(one: Browser, language: str = "") -> dict[str, str]:
    """All good pages of the portal, each asked for with what it needs."""
    target = f"{PATH}?lang={language}" if language else PATH
    first = one.request("GET", target=target)
    token = tokens(first.text)[0]
    found = {"login": first.text}
    mid = options(one.post("meterform", token).text, "meterform_select_meter")[0][0]
    tid = options(one.post("tariffform", token).text, "tarifform_select_profile")[0][0]
    ttid = re.findall(r"name='ttid' value='([0-9a-f]+)'", one.post("showTarification", token, tid=tid).text)[0]
    for action in ACTIONS:
        found[action] = one.post(action, token, mid=mid, tid=tid, ttid=ttid).text
    return found


GERMAN = re.compile(
    r"[äöüß]|\b(Fehler|Keine|Seite|Von|von|bis|Zeit|Wert|Einheit|Signatur|Beginn|Ende|Name des|Profil|Komponente"
    r"|erfolgreich|unbegrenzt|laufend|abgeschlossen|Willkommen|Anmeldung|Benutzer|Beschreibung|Elektri|Tag|Tarif|Letzte|Bezug|JJJJ)\b"
)


def shown(text: str) -> str:
    """What a person reads on a page: its text, what is on its buttons, and what is read to her."""
    document = html.fromstring(text)
    for gone in document.xpath("//style | //li[@class='lang']"):
        gone.getparent().remove(gone)
    said = document.xpath("//input[@type='submit']/@value | //@aria-label")
    return " ".join([document.text_content(), *said])
