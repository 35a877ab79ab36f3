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
from firmware.han.ppc.device import ANSWER_S
from firmware.han.ppc.sessions import Session, Sessions
from firmware.han.server import certificate_of
from firmware.han.users import HanUser

PATH: Final = "/cgi-bin/hanservicetech.cgi"
LOG_IN_AGAIN: Final = "Sie müssen das Fenster schließen und sich erneut anmelden"
NO_STORAGE: Final = "Keine Verbindung zum Persistenzdienst"
NO_ENTRIES: Final = "Keine Einträge vorhanden"
NO_SESSION: Final = "Invalide Session"
_MEANINGS: Final[Mapping[str, str]] = {
    LOG_IN_AGAIN: "Your certificate is wrong or your session is over: close the window and log in again.",
    NO_STORAGE: "The storage service does not answer.",
    NO_ENTRIES: "There are no entries.",
    NO_SESSION: "The request names no session.",
    wording.NO_DATA: "The request names no span of time.",
}


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
        return answers.page(template, **head, title=title, session=self.session.id, **values)

    def problem(self, message: str, english: str = "") -> web.Response:
        """A page that says what is wrong."""
        detail = "" if self.session.language == "de" else english or _MEANINGS.get(message, "")
        return self.page("tech_problem.html", "Fehler", message=message, detail=detail)

    def text(self, german: str, english: str) -> str:
        """In the language of the session."""
        return german if self.session.language == "de" else english


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
        language = pages.language_of(request)
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
        call = _Call(self._desk, user, found, form, self._version)
        try:
            return self._run(call, action)
        except sqlite3.ProgrammingError:
            return call.problem(NO_STORAGE)
        except sqlite3.Error as error:
            return call.problem(f"Datenbankfehler {error}", "The storage service reports an error.")

    def _run(self, call: _Call, action: str) -> web.Response:
        if action == "logs":
            return call.page("tech_logs.html", "Logs", since="", until="", shown=False, rows=[], number=1, more=False)
        if action == "showLogs":
            return self._logs(call)
        if action == "systeminfo":
            facts = self._facts()
            return call.page("tech_system.html", "Systeminformationen", facts=facts)
        if action == "selftest":
            return self._selftest(call)
        if action == "logout":
            self._sessions.end(call.user.id)
            return self._stranger(call.session.language, "", title=call.text("Abgemeldet", "Logged out"))
        return call.problem(f"Unbekannte Aktion {action}", "There is no such action.")

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
                return call.problem(f"Ungültige Zeitangabe {text}", "A time is written as YYYY-MM-DD HH:MM:SS.")
        page = call.form.get("page", "1")
        number = max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 8 else 1
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
                wording.OUTCOMES[one.outcome],
            )
            for one in found.entries
        ]
        return call.page(
            "tech_logs.html",
            "Logs",
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
        desk, user = self._desk, call.user

        async def order() -> None:
            await desk.unit.clock.sleep(ANSWER_S)
            await desk.order_selftest(user)

        desk.spawn(order())
        return call.page("tech_selftest.html", "Selbsttest")

    def _stranger(
        self, language: pages.Language, message: str, *, title: str = "Fehler", status: int = 200
    ) -> web.Response:
        detail = "" if language == "de" else _MEANINGS.get(message, "")
        head = frame(self._desk, language, self._version) | {"path": PATH}
        return answers.page("stranger.html", status=status, **head, title=title, message=message, detail=detail)
