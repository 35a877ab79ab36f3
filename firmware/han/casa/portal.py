"""The user portal: login, start page, user log, value lists, self-test ([CASA] 7.2 to 7.5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final
from urllib.parse import parse_qs, quote

from aiohttp import web

from firmware.han.casa import log, values
from firmware.han.casa.csv_files import csv_answer, csv_sent
from firmware.han.casa.doorkeeper import Doorkeeper, Refused
from firmware.han.casa.downloads import csv_of, json_of
from firmware.han.casa.formats import hex_code, shown_unit, shown_value
from firmware.han.casa.json_paths import HEADERS
from firmware.han.casa.look import Look
from firmware.han.casa.periods import ShownPeriod, shown_periods
from firmware.han.casa.sessions import COOKIE, Session, Sessions, is_token
from firmware.han.casa.streams import sent
from firmware.han.casa.tables import parts, tables
from firmware.han.desk import HanDesk
from firmware.han.pages import page_number, shown_local
from firmware.han.server import certificate_of, from_elsewhere
from firmware.han.users import HanUser
from firmware.han.view import ConsumerView, HanContract
from firmware.metering.tariffs.local_time import local, midnight
from firmware.own_clock import from_us
from firmware.profiles.kinds import Right
from firmware.security.certificates import certificate
from firmware.security.module import GW_WAN_SIG

LOG_DAYS: Final = 30
"""Days of the log that are shown unless somebody asks for others."""
LOG_ROWS: Final = 50
MOST_FIELDS: Final = 20
"""Fields of a form."""
_KEEP: Final = {"secure": True, "httponly": True, "samesite": "Strict", "path": "/"}

Page = Callable[[web.Request, "Visit"], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who is logged in looks at a page.

    Attributes:
        session: his.
        user: who he is.
        view: what he may see.
        look: language and words.
    """

    session: Session
    user: HanUser
    view: ConsumerView
    look: Look


@dataclass(frozen=True, slots=True)
class _Range:
    """Days of a log, both included, as they were asked for."""

    first: date
    last: date
    wrong: bool

    @property
    def begin_s(self) -> int:
        return midnight(self.first)

    @property
    def end_s(self) -> int:
        return midnight(self.last + timedelta(days=1))


class Portal:
    """The pages.

    Args:
        desk: the gateway.
        door: lets consumers in.
        sessions: who is in.
    """

    def __init__(self, desk: HanDesk, door: Doorkeeper, sessions: Sessions) -> None:
        self._desk = desk
        self._door = door
        self._sessions = sessions

    def routes(self) -> list[web.RouteDef]:
        """All of its paths."""
        within = self._within
        return [
            web.get("/", self._front),
            web.post("/login", self._log_in),
            web.post("/login/certificate", self._log_in_with_certificate),
            web.get("/download/certificate.pem", self._certificate),
            web.post("/logout", self._log_out),
            web.get("/start", within(self._start)),
            web.post("/selftest", self._selftest),
            web.get("/log", within(self._log, "consumer_log")),
            web.get("/log.csv", within(self._log_file, "consumer_log")),
            web.get("/values", within(self._contracts, "tariffs")),
            web.get("/values/{taf}", within(self._periods, "tariffs")),
            web.get("/values/{taf}/{begin}", within(self._period, "tariffs")),
            web.get("/values/{taf}/{begin}/csv", within(self._period_file, "tariffs")),
            web.get("/values/{taf}/{begin}/json", within(self._period_json, "tariffs")),
        ]

    def look(self, request: web.Request) -> Look:
        """How pages look for this request."""
        return Look.of(request, self._desk)

    def _within(self, page: Page, right: Right | None = None) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """A page for those who are logged in; others are led to the login."""

        async def answer(request: web.Request) -> web.StreamResponse:
            if self._door.locked_for_s:
                return self._locked(request)
            found = self._door.session(request)
            if found is None:
                known = COOKIE in request.cookies
                return self._login(request, "ended" if known else "", status=200)
            session, user = found
            if right is not None and not user.may(right):
                raise web.HTTPForbidden
            return await page(request, Visit(session, user, self._desk.view(user), self.look(request)))

        return answer

    # --- in and out

    async def _front(self, request: web.Request) -> web.StreamResponse:
        if self._door.locked_for_s:
            return self._locked(request)
        if self._door.session(request) is None:
            return self._login(request, "")
        look = self.look(request)
        return _see_other(f"/start?lang={look.language}" if look.chosen else "/start")

    def _login(self, request: web.Request, said: str, status: int = 200) -> web.Response:
        return self.look(request).page("login.html", title="login", said=said, here="", status=status)

    def _locked(self, request: web.Request) -> web.Response:
        left_s = int(self._door.locked_for_s) + 1
        answer = self.look(request).page("locked.html", title="locked", left_s=left_s, here="", status=403)
        answer.headers["Retry-After"] = str(left_s)
        return answer

    async def _log_in(self, request: web.Request) -> web.StreamResponse:
        form = await _form(request)
        return self._entered(request, lambda: self._door.log_in(form.get("user", ""), form.get("password", "")))

    async def _log_in_with_certificate(self, request: web.Request) -> web.StreamResponse:
        return self._entered(request, lambda: self._door.log_in_with_certificate(certificate_of(request)))

    def _entered(self, request: web.Request, enter: Callable[[], Session]) -> web.Response:
        if from_elsewhere(request):
            raise web.HTTPForbidden
        try:
            session = enter()
        except Refused as refused:
            if refused.why == "locked" or self._door.locked_for_s:
                return self._locked(request)
            by_password = request.path == "/login"
            return self._login(request, "wrong" if by_password else "no_certificate", status=403)
        answer = _see_other("/start")
        answer.set_cookie(COOKIE, session.id, **_KEEP)  # type: ignore[arg-type]
        return answer

    async def _log_out(self, request: web.Request) -> web.StreamResponse:
        form = await _form(request)
        found = self._door.session(request)
        if found is None:
            return _see_other("/")
        if not is_token(found[0], form.get("token")):
            raise web.HTTPForbidden
        self._sessions.end(found[0])
        answer = self._login(request, "logged_out")
        answer.del_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="Strict")
        return answer

    async def _certificate(self, request: web.Request) -> web.StreamResponse:
        """The certificate of the signatures, for everybody ([CASA] 7.2)."""
        pem = certificate(self._desk.unit.memory, GW_WAN_SIG).pem
        answer = web.Response(body=pem, content_type="application/x-pem-file")
        answer.headers["Content-Disposition"] = 'attachment; filename="certificate.pem"'
        return answer

    # --- start page and self-test

    async def _start(self, request: web.Request, visit: Visit) -> web.StreamResponse:
        meters = []
        for one in visit.view.meters() if visit.user.may("values") else ():
            newest = visit.view.latest(one.meter)
            registers = [
                {
                    "code": hex_code(entry.obis),
                    "value": shown_value(entry.value, entry.scaler, entry.unit, visit.look.language),  # type: ignore[arg-type]
                    "unit": shown_unit(entry.unit),
                }
                for entry in (() if newest is None else newest.entries)
                if values.is_number(entry)
            ]
            captured_s = None if newest is None or newest.capture_us is None else newest.capture_us // 1_000_000
            name = one.meter.lower()
            path = f"/json/metering/origin/{quote(name, safe='')}/extended"
            meters.append({"name": name, "at_s": captured_s, "registers": registers, "json": path})
        desk = self._desk
        return visit.look.page(
            "start.html",
            title="start",
            here="start",
            visit=visit,
            now_s=desk.now_s(),
            time_valid=desk.time_valid(),
            firmware=next((one.version for one in desk.components() if one.name == "firmware"), ""),
            huid=desk.device_id.lower(),
            meters=meters,
            may_test=visit.user.may("selftest"),
            next_s=desk.selftest_again_s(),
        )

    async def _selftest(self, request: web.Request) -> web.StreamResponse:
        """Order a self-test, from the start page, or with a digest as programs do."""
        form = await _form(request)
        if self._door.locked_for_s:
            return self._locked(request)
        session: Session | None = None
        if "Authorization" in request.headers:
            if from_elsewhere(request):
                raise web.HTTPForbidden
            user = self._by_digest(request)
        else:
            found = self._door.session(request)
            if found is None:
                return self._login(request, "ended" if COOKIE in request.cookies else "")
            session, user = found
            if not is_token(session, form.get("token")):
                raise web.HTTPForbidden
        if not user.may("selftest"):
            raise web.HTTPForbidden
        order = await self._desk.order_selftest(user)
        next_at = None if order.next_us is None else from_us(order.next_us).timestamp()
        look = self.look(request)
        said = "selftest_begun" if order.accepted else "selftest_wait" if next_at is not None else "selftest_not"
        visit = None if session is None else Visit(session, user, self._desk.view(user), look)
        shown = ("", "") if next_at is None else tuple(shown_local(next_at).split(" "))
        status = 200 if order.accepted else 403
        return look.page(
            "selftest.html",
            title="selftest",
            here="",
            visit=visit,
            said=said,
            day=shown[0],
            clock=shown[1],
            status=status,
        )

    def _by_digest(self, request: web.Request) -> HanUser:
        try:
            return self._door.consumer(request)
        except Refused as refused:
            stale = refused.why in ("stale", "replayed")
            challenge = self._desk.authentication.challenge(stale=stale)
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": challenge}) from None

    # --- log

    async def _log(self, request: web.Request, visit: Visit) -> web.StreamResponse:
        span = self._range(request)
        entries = list(reversed(visit.view.log(begin_s=span.begin_s, end_s=span.end_s).entries))
        count = max(1, -(-len(entries) // LOG_ROWS))
        number = min(page_number(request.query.get("page")), count)
        return visit.look.page(
            "log.html",
            title="log",
            here="log",
            visit=visit,
            columns=log.COLUMNS,
            rows=log.rows(
                self._desk.product, entries[(number - 1) * LOG_ROWS : number * LOG_ROWS], visit.look.language
            ),
            span=span,
            number=number,
            count=count,
        )

    async def _log_file(self, request: web.Request, visit: Visit) -> web.StreamResponse:
        span = self._range(request)
        entries = reversed(visit.view.log(begin_s=span.begin_s, end_s=span.end_s).entries)
        name = f"{self._desk.device_id.lower()}-{visit.user.id}-log.csv"
        return csv_answer(name, [log.COLUMNS, *log.rows(self._desk.product, entries, visit.look.language)])

    def _range(self, request: web.Request) -> _Range:
        today = local(int(self._desk.now_s())).date()
        usual = _Range(today - timedelta(days=LOG_DAYS), today, wrong=False)
        try:
            first = _day(request, "from", usual.first)
            last = _day(request, "to", usual.last)
        except ValueError:
            return replace(usual, wrong=True)
        return _Range(first, last, wrong=False) if first <= last else replace(usual, wrong=True)

    # --- value lists

    async def _contracts(self, request: web.Request, visit: Visit) -> web.StreamResponse:
        shown = [(one, f"/values/{quote(one.id, safe='')}") for one in visit.view.contracts()]
        return visit.look.page("contracts.html", title="value_lists", here="values", visit=visit, contracts=shown)

    async def _periods(self, request: web.Request, visit: Visit) -> web.StreamResponse:
        contract = _contract(request, visit)
        base = f"/values/{quote(contract.id, safe='')}"
        found = [(one, f"{base}/{one.begin_s}") for one in self._shown(visit, contract)]
        return visit.look.page(
            "periods.html", title="periods", here="values", visit=visit, contract=contract, periods=found
        )

    async def _period(self, request: web.Request, visit: Visit) -> web.StreamResponse:
        contract = _contract(request, visit)
        period = self._chosen(request, visit, contract)
        pieces = parts(contract, period, self._desk.now_s())
        number = min(page_number(request.query.get("page")), len(pieces))
        part = pieces[number - 1]
        return visit.look.page(
            "period.html",
            title="period",
            here="values",
            visit=visit,
            contract=contract,
            period=period,
            part=part,
            number=number,
            count=len(pieces),
            base=f"/values/{quote(contract.id, safe='')}",
            tables=tables(visit.view, contract, part, visit.look.language, notation=visit.look.language),
        )

    async def _period_file(self, request: web.Request, visit: Visit) -> web.StreamResponse:
        contract = _contract(request, visit)
        period = self._chosen(request, visit, contract)
        lines = csv_of(visit.view, contract, period, self._desk.now_s(), visit.look)
        return await csv_sent(request, f"{self._desk.device_id.lower()}-{contract.id}-{period.begin_s}.csv", lines)

    async def _period_json(self, request: web.Request, visit: Visit) -> web.StreamResponse:
        contract = _contract(request, visit)
        period = self._chosen(request, visit, contract)
        return await sent(request, json_of(visit.view, contract, period), HEADERS)

    def _shown(self, visit: Visit, contract: HanContract) -> tuple[ShownPeriod, ...]:
        return shown_periods(contract, visit.view.periods(contract.id), self._desk.now_s())

    def _chosen(self, request: web.Request, visit: Visit, contract: HanContract) -> ShownPeriod:
        begin = request.match_info["begin"]
        found = next((one for one in self._shown(visit, contract) if str(one.begin_s) == begin), None)
        if found is None:
            raise web.HTTPNotFound
        return found


def _contract(request: web.Request, visit: Visit) -> HanContract:
    found = visit.view.contract(request.match_info["taf"])
    if found is None:
        raise web.HTTPNotFound
    return found


def _see_other(path: str) -> web.Response:
    return web.Response(status=303, headers={"Location": path, "Cache-Control": "no-store"})


async def _form(request: web.Request) -> Mapping[str, str]:
    """Fields of a form, the last of each name. Raises HTTPBadRequest for what is none."""
    if request.content_type not in ("application/x-www-form-urlencoded", "application/octet-stream"):
        raise web.HTTPBadRequest
    raw = await request.read()
    try:
        fields: Iterable[tuple[str, list[str]]] = parse_qs(
            raw.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS
        ).items()
    except ValueError:
        raise web.HTTPBadRequest from None
    return {name: found[-1] for name, found in fields}


def _day(request: web.Request, name: str, usual: date) -> date:
    text = request.query.get(name, "")
    if not text:
        return usual
    found = date.fromisoformat(text)
    if not 1970 <= found.year <= 2999:
        raise ValueError(text)
    return found
