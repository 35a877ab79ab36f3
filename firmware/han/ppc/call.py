"""One request of a consumer who is logged in, and the pages that answer it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from aiohttp import web
from markupsafe import Markup

from firmware.han import pages
from firmware.han.desk import HanDesk
from firmware.han.ppc import answers
from firmware.han.ppc.english import told
from firmware.han.ppc.sessions import Session
from firmware.han.ppc.wording import read_time, shown_time
from firmware.han.users import HanUser
from firmware.han.view import ConsumerView
from firmware.profiles.kinds import Right

PATH: Final = "/cgi-bin/hanservice.cgi"
WELCOME: Final = "welcomePage"
_SECTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        WELCOME: WELCOME,
        "meterform": "meterform",
        "showMeterProfile": "meterform",
        "showMeterValuesForm": "meterform",
        "showMeterValues": "meterform",
        "tariffform": "tariffform",
        "showTariffProfile": "tariffform",
        "showTarificationForm": "tariffform",
        "showTarification": "tariffform",
        "showTarificationRegister": "tariffform",
        "log": "log",
        "commprofile": "commprofile",
        "swversions": "swversions",
        "selftestform": "selftestform",
        "selftest": "selftestform",
    }
)
"""Action -> entry of the menu that it belongs to."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request of somebody who is logged in.

    Attributes:
        desk: the gateway.
        user: who asks.
        session: his session.
        form: fields of the request.
        request: itself.
        begun: whether the session begins with it.
        version: ``25456-25471``.
        view: what he may see.
    """

    desk: HanDesk
    user: HanUser
    session: Session
    form: Mapping[str, str]
    request: web.Request
    begun: bool
    version: str
    view: ConsumerView

    def may(self, right: Right | None) -> bool:
        """Whether he may do what needs a right."""
        return self.user.may(right)

    def text(self, german: str, english: str) -> str:
        """In the language of the session."""
        return german if self.session.language == "de" else english

    def page(self, template: str, title: str, **values: Any) -> web.Response:
        """A page of his."""
        in_body = self.desk.options.han_ppc_session == "body"
        token, in_fields = self.session.token(), self.session.id if in_body else ""
        return answers.page(
            template,
            cookie=self.session.id if self.begun and not in_body else None,
            prefix=f"sessionid={self.session.id}&" if self.begun and in_body else "",
            **frame(self.desk, self.session.language, self.version),
            title=title,
            tkn=token,
            sessionid=in_fields,
            user=self.user.login,
            menu=self._menu(token, in_fields),
            **values,
        )

    def _menu(self, token: str, session: str) -> Markup:
        """The menu, most of the forms that a page has; in all pages of a section it is the same."""
        section = _SECTIONS.get(self.form.get("action", "") or WELCOME, "")
        language, menus = self.session.language, self.session.menus
        if (language, section) not in menus:
            values = {"path": PATH, "lang": language, "tkn": token, "sessionid": session, "section": section}
            menus[language, section] = Markup(pages.render(answers.PRODUCT, "menu.html", **values))
        return menus[language, section]

    def told(self, german: str) -> str:
        """One of the fixed texts in the language of the session."""
        return told(german, self.session.language)

    def facts(self, rows: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Rows with their labels in the language of the session."""
        return [(self.told(label), value) for label, value in rows]

    def problem(self, message: str, english: str = "") -> web.Response:
        """A page that says what is wrong; clients know it by "Fehler"."""
        said = self.text(message, english or self.told(message))
        return self.page("problem.html", self.told("Fehler"), message=said)

    def wrong_time(self, text: str) -> web.Response:
        """The page for a time that is none."""
        return self.problem(f"Ungültige Zeitangabe {text}", f"Invalid time {text}: write YYYY-MM-DD HH:MM:SS")

    def span(self) -> tuple[int | None, int | None] | web.Response:
        """``from`` and ``to``, seconds since 1970, None for what is not there; or the page for a time that is none."""
        found: list[int | None] = []
        for name in ("from", "to"):
            text = self.form.get(name, "")
            try:
                found.append(read_time(text, end=name == "to") if text else None)
            except ValueError:
                return self.wrong_time(text)
        return found[0], found[1]

    @property
    def number(self) -> int:
        """Number of the page of a list."""
        return pages.page_number(self.form.get("page"))


Action = Callable[[Call], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Entry:
    """An action of the portal.

    Attributes:
        run: what it does.
        right: that it needs, None: none.
    """

    run: Action
    right: Right | None = None


def frame(desk: HanDesk, language: pages.Language, version: str) -> dict[str, Any]:
    """What every page needs: head, foot, and the words in its language."""
    synced_s = desk.last_sync_s()
    return {
        "lang": language,
        "device": f"{desk.device_id.lower()}.sm",
        "path": PATH,
        "version": version,
        "now": shown_time(desk.now_s()),
        "told": partial(told, language=language),
        "synced": "-" if synced_s is None else shown_time(synced_s),
    }
