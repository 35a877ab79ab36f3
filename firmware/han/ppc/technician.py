"""`/cgi-bin/hanservicetech.cgi`: the service technician's pages, by certificate alone ([PPC] 4, 6.2; han 2.5)."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from firmware.han import pages
from firmware.han.desk import HanDesk
from firmware.han.ppc import answers, wording
from firmware.han.ppc.call import frame
from firmware.han.ppc.device import order_soon
from firmware.han.ppc.english import told
from firmware.han.ppc.sessions import Session, Sessions
from firmware.han.server import certificate_of
from firmware.han.users import HanUser

PATH: Final = "/cgi-bin/hanservicetech.cgi"
LOG_IN_AGAIN: Final = "Sie müssen das Fenster schließen und sich erneut anmelden"
NO_STORAGE: Final = "Keine Verbindung zum Persistenzdienst"
NO_ENTRIES: Final = "Keine Einträge vorhanden"
NO_SESSION: Final = "Invalide Session"
_SECTIONS: Final[Mapping[str, str]] = {"logs": "logs", "showLogs": "logs"}
"""Action -> entry of the menu that it belongs to; the others are entries themselves."""


@dataclass(frozen=True, slots=True)
class _Call:
    desk: HanDesk
    user: HanUser
    session: Session
    form: Mapping[str, str]
    version: str

    def page(self, template: str, title: str, **values: Any) -> web.Response:
        """A page of the technician's."""
        head = frame(self.desk, self.session.language, self.version) | {"path": PATH}
        action = self.form.get("action", "")
        section = _SECTIONS.get(action, action)
        return answers.page(template, **head, title=title, session=self.session.id, section=section, **values)

    def problem(self, message: str, english: str = "") -> web.Response:
        """A page that says what is wrong."""
        said = self.text(message, english or self.told(message))
        return self.page("tech_problem.html", self.told("Fehler"), message=said)

    def text(self, german: str, english: str) -> str:
        """In the language of the session."""
        return german if self.session.language == "de" else english

    def told(self, german: str) -> str:
        """One of the fixed texts in the language of the session."""
        return told(german, self.session.language)


class TechnicianService:
    """The pages of one run of the firmware.

    Args:
        desk: the gateway.
    """

    def __init__(self, desk: HanDesk) -> None:
        self._desk = desk
        options = desk.options
        self._sessions = Sessions(desk.unit.clock, desk.unit.rng, options.han_idle_s, options.han_session_s)
        self._version = wording.footer_version(desk)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a request: without an action it is a login."""
        user = self._desk.authentication.certificate(certificate_of(request), "technician").user
        language = pages.language_chosen(request)
        if user is None:
            return self._stranger(language, LOG_IN_AGAIN, status=403)
        form = await answers.form_of(request)
        action = form.get("action", "")
        if not action:
            self._desk.event("technician_logged_in", profile=user.id)
            session = self._sessions.begin(user.id, language)
            return _Call(self._desk, user, session, form, self._version).page("tech_start.html", "Service")
        if not form.get("session"):
            return self._stranger(language, NO_SESSION)
        found, _ = self._sessions.find(user.id, (form["session"],))
        if found is None:
            return self._stranger(language, LOG_IN_AGAIN)
        found.language = pages.language_asked(request) or found.language
        call = _Call(self._desk, user, found, form, self._version)
        try:
            return self._run(call, action)
        except sqlite3.ProgrammingError:
            return call.problem(NO_STORAGE)
        except sqlite3.Error as error:
            return call.problem(f"Datenbankfehler {error}", f"Database error {error}")

    def _run(self, call: _Call, action: str) -> web.Response:
        if action == "logs":
            return call.page(
                "tech_logs.html",
                call.text("Logs", "Log"),
                since="",
                until="",
                shown=False,
                rows=[],
                number=1,
                more=False,
            )
        if action == "showLogs":
            return self._logs(call)
        if action == "systeminfo":
            facts = [(call.told(label), call.told(value)) for label, value in self._facts()]
            return call.page("tech_system.html", call.told("Systeminformationen"), facts=facts)
        if action == "selftest":
            return self._selftest(call)
        if action == "logout":
            self._sessions.end(call.user.id)
            return self._stranger(call.session.language, "", title="Abgemeldet")
        return call.problem(f"Unbekannte Aktion {action}", f"Unknown action {action}")

    def _logs(self, call: _Call) -> web.Response:
        """System log between two instants, the newest entry first, ten on a page."""
        if not call.form.get("from") and not call.form.get("to"):
            return call.problem(wording.NO_DATA)
        bounds = []
        for name in ("from", "to"):
            text = call.form.get(name, "")
            try:
                bounds.append(wording.read_time(text, end=name == "to"))
            except ValueError:
                return call.problem(f"Ungültige Zeitangabe {text}", f"Invalid time {text}")
        number = pages.page_number(call.form.get("page"))
        try:
            found = call.desk.system_log_page(
                call.user, number, begin_s=bounds[0], end_s=bounds[1] + 1, newest_first=True
            )
        except PermissionError:
            return call.problem(wording.FORBIDDEN)
        if not found.entries:
            return call.problem(NO_ENTRIES)
        rows = [
            (
                wording.shown_time(one.time_us / 1e6),
                wording.LEVELS[one.level],
                wording.numbered_message(call.desk, one, call.session.language),
                call.told(wording.OUTCOMES[one.outcome]),
            )
            for one in found.entries
        ]
        return call.page(
            "tech_logs.html",
            call.text("Logs", "Log"),
            since=wording.shown_time(bounds[0]),
            until=wording.shown_time(bounds[1]),
            shown=True,
            rows=rows,
            number=number,
            more=found.most is not None and number * found.most < found.found,
        )

    def _facts(self) -> list[tuple[str, str]]:
        """What [PPC] fig. 13 shows."""
        return [
            ("Aktuelle Uhrzeit ist", wording.shown_time(self._desk.now_s())),
            ("Produktbezeichnung", "SMGW Rev. 1 Standalone"),
            ("Leistungsaufnahme", "ca. 3 W"),
            ("Nennspannung", "230 VAC, 50 HZ"),
            ("Schnittstellen:", "2 x ETH (RJ45)"),
            ("", "1 x WMBus (EN 13757-4)"),
            ("", "1 x RS485 (EIA-485, half duplex)"),
            ("Überspannungskategorie", "III"),
            ("Schutzklasse", "II"),
            ("Schutzart", "IP20"),
            ("Betriebstemperatur", "-25 °C bis +55 °C"),
            ("Luftfeuchtigkeit", "10% - 90% (nicht kondensierend)"),
            ("SMGW Id", f"{self._desk.device_id.lower()}.sm"),
        ]

    def _selftest(self, call: _Call) -> web.Response:
        """The page confirms at once that it has begun; the result is in the log ([PPC] 4.4)."""
        if "technician" not in self._desk.product.selftest.initiators:
            return call.problem(wording.FORBIDDEN)
        order_soon(self._desk, call.user)
        return call.page("tech_selftest.html", call.told("Selbsttest"))

    def _stranger(
        self, language: pages.Language, message: str, *, title: str = "Fehler", status: int = 200
    ) -> web.Response:
        head = frame(self._desk, language, self._version) | {"path": PATH}
        return answers.page(
            "stranger.html", status=status, **head, title=told(title, language), message=told(message, language)
        )
