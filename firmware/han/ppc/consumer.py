"""`/cgi-bin/hanservice.cgi`: the consumer's portal, logins and sessions; `actions` has what it can do (han 2)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from aiohttp import web

from devices.protocols.http_digest import Credentials, DigestError, parse_authorization
from firmware.han import pages
from firmware.han.authentication import Checked
from firmware.han.desk import HanDesk
from firmware.han.ppc import answers, wording
from firmware.han.ppc.actions import ACTIONS
from firmware.han.ppc.call import WELCOME, Call, Entry, frame
from firmware.han.ppc.english import told
from firmware.han.ppc.sessions import Session, Sessions
from firmware.han.server import certificate_of, from_elsewhere, target_of
from firmware.han.users import HanUser


class ConsumerService:
    """The portal of one run of the firmware.

    Args:
        desk: the gateway.
    """

    def __init__(self, desk: HanDesk) -> None:
        self._desk = desk
        self._actions: Mapping[str, Entry] = MappingProxyType({**ACTIONS, "logout": Entry(self._logout)})
        options = desk.options
        self._sessions = Sessions(desk.unit.clock, desk.unit.rng, options.han_idle_s, options.han_session_s)
        self._version = wording.footer_version(desk)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        checked = self._check(request)
        if isinstance(checked, web.Response):
            return checked
        user = checked.user
        assert user is not None
        if user.role != "consumer":
            return self._stranger(request, wording.FORBIDDEN)
        form = await answers.form_of(request)
        session, begun = self._session(request, form, user, checked.nonce)
        if session is None:
            return self._stranger(request, wording.EXPIRED if not begun else wording.FORBIDDEN)
        call = Call(self._desk, user, session, form, request, begun, self._version, self._desk.view(user))
        token = form.get("tkn")
        checked_token = token is not None and not begun
        foreign = form.get("action") == "selftest" and not checked_token and from_elsewhere(request)
        if foreign or (checked_token and not session.knows(token or "")):
            return call.problem(wording.FORBIDDEN)
        entry = self._actions.get(form.get("action", "") or WELCOME)
        if entry is None:
            return call.problem(f"Unbekannte Aktion {form['action']}", f"Unknown action {form['action']}")
        if not call.may(entry.right):
            return call.problem(wording.FORBIDDEN)
        return await entry.run(call)

    # --- who it is

    def _check(self, request: web.Request) -> Checked | web.Response:
        """Who asks, or the answer that he gets instead."""
        authentication = self._desk.authentication
        header = request.headers.get("Authorization")
        if header is None:
            checked = authentication.certificate(certificate_of(request), "consumer")
            if checked.user is not None:
                return checked
            if checked.why == "locked":
                return self._refused(request)
            return answers.challenge(authentication.challenge())
        given = _credentials(header)
        if given is not None and self._sessions.was_used(given.nonce):  # empty, as after an earlier cycle (han 2.1)
            authentication.forget(given.nonce)
            return answers.html("")
        checked = authentication.digest(request.method, target_of(request), given or header)
        if checked.user is not None:
            return checked
        if checked.why in ("wrong", "locked"):
            return self._refused(request)
        return answers.challenge(authentication.challenge(stale=checked.why in ("stale", "replayed")))

    def _session(
        self, request: web.Request, form: Mapping[str, str], user: HanUser, nonce: str
    ) -> tuple[Session | None, bool]:
        """His session and whether it begins; without one True says that this is not for whoever asks.

        A GET is a login, unless a page of the session asks for another language; so is a request without any session.
        ``?lang=`` in the target of a POST asks for a language as well, for the answer and what follows.
        Out of the page of another host a form begins none, and a link none in place of one that is open.
        """
        language = pages.language_chosen(request)
        given = answers.session_cookies(request)
        if form.get("sessionid"):
            given = (form["sessionid"], *given)
        action = form.get("action", "")
        asked = pages.language_asked(request)
        switch = not action and asked is not None
        if action or switch:
            session, why = self._sessions.find(user.id, given, nonce)
            if session is not None:
                if asked is not None:
                    session.language = asked
                return session, False
            if why != "none" and not switch:
                return None, why == "foreign"
        if from_elsewhere(request) and (request.method != "GET" or self._sessions.of(user.id) is not None):
            return None, True
        self._desk.admit(user)
        self._desk.event("consumer_logged_in", consumer=user.id, user=user.login, errors="-")
        return self._sessions.begin(user.id, language, nonce), True

    def _refused(self, request: web.Request) -> web.Response:
        """A login that failed, or none because of those before: 200 without cookie (han 2.1)."""
        left = round(self._desk.authentication.locked_for_s)
        language = pages.language_chosen(request)
        return answers.page(
            "refused.html",
            **frame(self._desk, language, self._version),
            title=told(wording.LOGIN_FAILED, language),
            minutes=left // 60,
            seconds=left % 60,
            left=left,
        )

    def _stranger(self, request: web.Request, message: str) -> web.Response:
        """Somebody without a session of his own."""
        language = pages.language_chosen(request)
        head = frame(self._desk, language, self._version)
        return answers.page("stranger.html", **head, title=told("Fehler", language), message=told(message, language))

    async def _logout(self, call: Call) -> web.Response:
        self._sessions.end(call.user.id)
        return answers.page(
            "stranger.html",
            **frame(self._desk, call.session.language, self._version),
            title=call.told("Abgemeldet"),
            message="",
        )


def _credentials(header: str) -> Credentials | None:
    try:
        return parse_authorization(header)
    except DigestError:
        return None
