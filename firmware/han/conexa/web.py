"""The pages for browsers: home page, self-test, log-out, and nothing more ([CONEXA] E-4).

A visit is a cookie and, with each request, digest or certificate: neither alone is enough. Where the pages lie is
assumed, but for the bare address, which leads to the home page of whoever logs in ([CONEXA] E-4.2.8, E-4.3.2).
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from aiohttp import web

from firmware.han import pages
from firmware.han.authentication import Checked
from firmware.han.conexa.access import Access
from firmware.han.conexa.sessions import Sessions, WebSession
from firmware.han.conexa.texts import STATES, WORDS, refusal_of
from firmware.han.desk import HanDesk
from firmware.han.reasons import message
from firmware.han.sessions import Limits, same
from firmware.han.users import HanUser

COOKIE: Final = "smgw_session"
GOODBYE: Final = "/smgw/logged-out"
PER_PAGE: Final = 50
"""Entries of the system log on a page (assumed)."""
_PLACES: Final = {"consumer": "/smgw/web", "technician": "/smgw/srv"}


class Web:
    """The pages.

    Args:
        desk: the gateway.
        access: who it is.
    """

    def __init__(self, desk: HanDesk, access: Access) -> None:
        self._desk = desk
        self._access = access
        options = desk.options
        self._sessions = Sessions(desk.unit.clock, desk.unit.rng, Limits(options.han_idle_s, options.han_session_s))

    def add_to(self, application: web.Application) -> None:
        """The paths."""
        router = application.router
        router.add_get("/", self.login)
        router.add_get(GOODBYE, self.goodbye)
        consumer, technician = _PLACES["consumer"] + "/{user}", _PLACES["technician"] + "/{user}"
        router.add_get(consumer, self.home)
        router.add_get(consumer + "/selftest", self.selftest)
        router.add_post(consumer + "/selftest", self.start_selftest)
        router.add_post(consumer + "/logout", self.logout)
        router.add_get(technician, self.diagnosis)
        router.add_get(technician + "/log", self.system_log)
        router.add_post(technician + "/logout", self.logout)

    # --- coming and going

    async def login(self, request: web.Request) -> web.StreamResponse:
        """The bare address: to the home page, after a login unless there was one."""
        self._tidy()
        session = self._sessions.of(request.cookies.get(COOKIE))
        found = self._access.check(request)
        if found.user is None:
            if session is not None and found.why == "stale":
                return self._unknown(request, found)
            return self._unknown(request, found, anew=True)
        if session is None or session.user.id != found.user.id or session.user.role != found.user.role:
            self._desk.admit(found.user)
            session = self._sessions.begin(found.user)
            self._access.told(found)
        self._sessions.used(session, found.nonce)
        answer = _other(_place(found.user), request)
        answer.set_cookie(COOKIE, session.id, path="/", secure=True, httponly=True, samesite="Strict")
        return answer

    async def logout(self, request: web.Request) -> web.StreamResponse:
        """The session ends; who comes back has to log in anew."""
        found, answer = await self._posted(request)
        if found is None:
            return answer
        self._end(found)
        if found.user.role == "consumer":
            self._desk.event("consumer_logged_out", consumer=found.user.id, user=found.user.id)
        answer = _other(GOODBYE, request)
        answer.del_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="Strict")
        return answer

    async def goodbye(self, request: web.Request) -> web.StreamResponse:
        """Says that the session is over."""
        return self._page(request, "goodbye.html", "logged_out", None)

    # --- pages of a consumer

    async def home(self, request: web.Request) -> web.StreamResponse:
        """What the gateway is ([CONEXA] E-4.4.1)."""
        session, answer = self._visit(request, "consumer")
        if session is None:
            return answer
        name = quote(session.user.id.removesuffix(".sm"), safe="")
        m2m = f"https://{request.host}/smgw/m2m/{name}{self._desk.options.han_conexa_user_suffix}/json"
        return self._page(request, "home.html", "home", session, **self._facts(request), m2m=m2m)

    async def selftest(self, request: web.Request) -> web.StreamResponse:
        """Whether one was started, and the countdown to the next ([CONEXA] E-4.4.3)."""
        session, answer = self._visit(request, "consumer")
        if session is None:
            return answer
        note = request.query.get("note", "")
        note = note if note in ("selftest_running", "selftest_refused", "not_allowed") else ""
        return self._page(request, "selftest.html", "selftest", session, note=note, left_s=self._left_s())

    def _left_s(self) -> int:
        """Seconds until the next one can be ordered, 0: now; at most those of the lock if the clock was set back."""
        again_s, lock_s = self._desk.selftest_again_s(), self._desk.product.selftest.lock_s or 0.0
        return 0 if again_s is None else round(min(lock_s, again_s - self._desk.now_s()))

    async def start_selftest(self, request: web.Request) -> web.StreamResponse:
        """Order one."""
        found, answer = await self._posted(request)
        if found is None:
            return answer
        note = "not_allowed"
        if found.user.may("selftest"):
            order = await self._desk.order_selftest(found.user)
            note = "selftest_running" if order.accepted else "selftest_refused"
        return _other(f"{_place(found.user)}/selftest", request, note=note)

    # --- pages of a technician

    async def diagnosis(self, request: web.Request) -> web.StreamResponse:
        """What the gateway is ([CONEXA] A-8.4)."""
        session, answer = self._visit(request, "technician")
        if session is None:
            return answer
        return self._page(request, "diagnosis.html", "diagnosis", session, **self._facts(request))

    async def system_log(self, request: web.Request) -> web.StreamResponse:
        """The system log, the newest entries first ([CONEXA] A-8.4)."""
        session, answer = self._visit(request, "technician")
        if session is None:
            return answer
        if not session.user.may("system_log"):
            raise web.HTTPForbidden
        entries = self._desk.system_log(session.user).entries[::-1]
        last = max(1, -(-len(entries) // PER_PAGE))
        number = min(last, pages.page_number(request.query.get("page")))
        shown = entries[(number - 1) * PER_PAGE : number * PER_PAGE]
        return self._page(
            request,
            "system_log.html",
            "system_log",
            session,
            entries=[(one, message(self._desk.product, one, pages.language_of(request))) for one in shown],
            number=number,
            last=last,
            count=len(entries),
        )

    # --- sessions

    def _visit(
        self, request: web.Request, role: str
    ) -> tuple[WebSession, web.StreamResponse] | tuple[None, web.StreamResponse]:
        """The session of a request, or what to answer without one."""
        self._tidy()
        session = self._sessions.of(request.cookies.get(COOKIE))
        if session is None:
            return None, _other("/", request)
        found = self._access.check(request, session.user.role)
        if found.user is None:
            return None, self._unknown(request, found)
        if found.user.id != session.user.id:
            return None, _other("/", request)
        if session.user.role != role or request.match_info["user"].removesuffix(".sm") != session.user.id.removesuffix(
            ".sm"
        ):
            raise web.HTTPNotFound
        session.user = found.user  # his rights are those of now, not those of the begin
        self._sessions.used(session, found.nonce)
        return session, web.Response()

    async def _posted(
        self, request: web.Request
    ) -> tuple[WebSession, web.StreamResponse] | tuple[None, web.StreamResponse]:
        """The same for a form, which has to carry the session's token."""
        role = "technician" if request.path.startswith(_PLACES["technician"] + "/") else "consumer"
        session, answer = self._visit(request, role)
        if session is None:
            return None, answer
        token = (await request.post()).get("token", "")
        if not isinstance(token, str) or not same(token, session.token):
            raise web.HTTPForbidden
        return session, answer

    def _unknown(self, request: web.Request, found: Checked, *, anew: bool = False) -> web.Response:
        """401 with a page for those who give up."""
        left_s = round(self._desk.authentication.locked_for_s)
        answer = self._page(request, "login.html", "login_needed", None, status=401, left_s=left_s)
        answer.headers["WWW-Authenticate"] = self._access.header(found, anew=anew)
        return answer

    def _tidy(self) -> None:
        """Sessions that are over take the nonces with them that were used in them."""
        for one in self._sessions.left_behind():
            self._end(one)

    def _end(self, session: WebSession) -> None:
        for nonce in session.nonces:
            self._desk.authentication.forget(nonce)
        self._sessions.end(session)

    # --- what pages show

    def refusal(self, request: web.Request, status: int) -> web.Response:
        """A page that says why there is no answer."""
        reason = refusal_of(status)
        return self._page(request, "refusal.html", "refused", None, status=status, path="/", reason=reason)

    def _facts(self, request: web.Request) -> dict[str, Any]:
        desk = self._desk
        state = desk.product.data.states.get(desk.state)
        name = desk.state if state is None else state.name
        if pages.language_of(request) == "en":
            name = STATES.get(desk.state, name)
        components = desk.components()
        return {
            "version": next((one.version for one in components if one.name == "firmware"), ""),
            "now_s": desk.now_s(),
            "last_sync_s": desk.last_sync_s(),
            "time_valid": desk.time_valid(),
            "state": name,
            "components": components,
            "fingerprint": desk.certificate.fingerprint,
        }

    def _page(
        self,
        request: web.Request,
        template: str,
        current: str,
        session: WebSession | None,
        *,
        status: int = 200,
        path: str = "",
        **values: Any,
    ) -> web.Response:
        lang = pages.language_of(request)
        words = WORDS[lang]
        query = f"?lang={lang}" if request.query.get("lang") == lang else ""
        text = pages.render(
            "conexa",
            template,
            lang=lang,
            t=words,
            title=words[current],
            current=current,
            product_name=self._desk.product.data.name,
            device=self._desk.device_id,
            place="" if session is None else _place(session.user),
            user=None if session is None else session.user,
            token="" if session is None else session.token,
            query=query,
            path=path or request.path,
            **values,
        )
        return pages.page(text, status=status)


def _place(user: HanUser) -> str:
    return f"{_PLACES[user.role]}/{quote(user.id.removesuffix('.sm'), safe='')}.sm"


def _other(place: str, request: web.Request, **query: str) -> web.Response:
    """303 to another page, in the same language."""
    if request.query.get("lang") in ("de", "en"):
        query["lang"] = request.query["lang"]
    tail = "&".join(f"{name}={value}" for name, value in query.items())
    return web.Response(
        status=303, headers={"Location": place + (f"?{tail}" if tail else ""), "Cache-Control": "no-store"}
    )
