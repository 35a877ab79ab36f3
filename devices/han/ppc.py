"""Client of the PPC's consumer interface, by the pages that people see and by its signed exports (han 2, 6).

A PPC is easily asked too much: a cycle is one login, and whoever uses this leaves a quarter of an hour between two
(han 2.1).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from devices.errors import BenchError
from devices.han.content import (
    Component,
    DeviceInfo,
    HanCertificate,
    HanContract,
    LogEntry,
    Period,
    RawAnswer,
    Reading,
    SelfTestAnswer,
    State,
    Value,
)
from devices.han.errors import LoginLocked, LoginRefused, NotUnderstood, Refused, SessionEnded
from devices.han.fields import bare
from devices.han.link import HanLink
from devices.han.ppc_export import Exported, read_values
from devices.han.ppc_pages import Page, ValueRow, field_in, full_code, value_of
from devices.han.times import TOLERANCE, local_text, maybe, nearest, plain, raster, rising

if TYPE_CHECKING:
    from devices.han.client import HanClient

PATH: Final = "/cgi-bin/hanservice.cgi"
RASTER_S: Final = 900
"""Period of a contract that tells none."""
MOST_PAGES: Final = 2000
_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)
_TAF: Final = re.compile(r"TAF[- ]?(\d+)\b\s*(.*)", re.IGNORECASE)
_SUCCESS: Final = {"erfolgreich": True, "fehlgeschlagen": False}


class PpcClient:
    """A consumer at a PPC. Use it for one cycle: log in, read, log out.

    Args:
        link: to the gateway.
        use_token: send the token of each page, as older clients must (han 2.1).
    """

    product = "ppc"

    def __init__(self, link: HanLink, *, use_token: bool = True) -> None:
        self.link = link
        self._use_token = use_token
        self._token = ""
        self._welcome: Page | None = None
        self._choices: dict[str, str] = {}
        """Id of a contract -> its text in the choice, as far as they were seen."""

    # --- session

    async def login(self) -> None:
        """Begin a session; one that this user has elsewhere ends.

        Raises:
            LoginLocked, LoginRefused: it was not taken.
        """
        self.link.cookies.clear()
        self.link.forget_nonce()
        answer = await self.link.request("GET", PATH)
        if answer.status != 200:
            raise Refused(f"login: status {answer.status}", answer.status)
        page = Page(answer.body, "login")
        session = answer.cookies.get("session") or page.old_session
        if not session:
            if page.remaining_s is not None:
                raise LoginLocked(f"the gateway takes no logins for {page.remaining_s} s", page.remaining_s)
            if page.failed or "Fehler" in page.text:
                raise LoginRefused(f"the gateway refuses {self.link.login.user!r}: {page.text[:80]}")
            if page.empty:
                raise SessionEnded("an empty page in place of a login")
            raise NotUnderstood("login", "neither a session nor a word on why not")
        self.link.cookies["session"] = session
        self._token, self._welcome = page.token, page

    async def logout(self) -> None:
        """End the session, if there is one."""
        if self._welcome is None:
            return
        self._welcome = None
        try:
            await self.link.request("POST", PATH, form=self._form("logout", {}))
        finally:
            self.link.cookies.clear()
            self.link.forget_nonce()

    # --- the gateway

    async def device(self) -> DeviceInfo:
        """Versions with checksums, time of the last synchronisation; the number stands in the log only (han 2.2)."""
        page = await self._page("swversions")
        components = tuple(Component(*three) for three in page.three() if any(sign.isdigit() for sign in three[1]))
        assert self._welcome is not None
        return DeviceInfo(
            id="",
            firmware=page.versions or self._welcome.versions,
            components=components,
            time=page.now(),
            synchronised=page.synchronised() or self._welcome.synchronised(),
            consumer=await self._consumer(),
        )

    async def _consumer(self) -> str:
        page = await self._page("commprofile")
        return bare(page.labels().get("Benutzer-ID", ""))

    async def certificates(self) -> tuple[HanCertificate, ...]:
        """That of the connection, and the one with which exports are signed, if there is anything to export."""
        found = [HanCertificate("tls", self.link.certificate)]
        for meter in (await self.meters())[:1]:
            exported = await self.exported_profile(meter)
            found += [HanCertificate("signature", der) for der in exported.certificates]
        return tuple(found)

    # --- values

    async def meters(self) -> tuple[str, ...]:
        """Numbers of the meters in the choice."""
        return tuple(await self._meter_ids())

    async def _meter_ids(self) -> dict[str, str]:
        """Number -> id of this session."""
        page = await self._page("meterform")
        if not page.has("meterform_select_meter") and page.no_data:
            return {}
        found = {}
        for ident, text in page.options("meterform_select_meter"):
            if ident and text:
                found[_meter_of(text)] = ident
        return found

    async def _mid(self, meter: str) -> str:
        ids = await self._meter_ids()
        if meter not in ids:
            raise Refused(f"there is no meter {meter} ({', '.join(ids) or 'none'})", 404)
        return ids[meter]

    async def current(self, meter: str) -> Reading:
        """The newest reading."""
        page = await self._page("showMeterProfile", {"mid": await self._mid(meter)})
        readings = _readings(meter, page.values(), None)
        if not readings:
            raise NotUnderstood("showMeterProfile", f"there is no value of meter {meter}")
        return readings[-1]

    async def profile(self, meter: str) -> Mapping[str, str]:
        """What the page of a meter says of it: label -> value."""
        return (await self._page("showMeterProfile", {"mid": await self._mid(meter)})).labels()

    async def originals(self, meter: str, begin: datetime, end: datetime) -> tuple[Reading, ...]:
        """The original list, page by page; an hour wider than asked, since times have no zone, and cut again."""
        form = await self._page("showMeterValuesForm", {"mid": await self._mid(meter)})
        asked = {
            "mid": form.hidden("mid"),
            "from": local_text(begin - _HOUR),
            "to": local_text(end + _HOUR),
        }
        rows: list[ValueRow] = []
        async for page in self._pages("showMeterValues", asked, "table_metervalues_button_nextpage"):
            rows += page.values()
        found = _readings(meter, rows, None)
        return tuple(one for one in found if begin <= one.instant <= end)

    async def exported(self, meter: str, begin: datetime, end: datetime) -> Exported:
        """The signed export of the original list: times in UTC, signatures of single values (han 6)."""
        form = await self._page("showMeterValuesForm", {"mid": await self._mid(meter)})
        asked = {"mid": form.hidden("mid"), "from": local_text(begin - _HOUR), "to": local_text(end + _HOUR)}
        answer = await self._post("exportMeterValues", asked)
        return read_values(answer.body, meter, begin, end)

    async def exported_profile(self, meter: str) -> Exported:
        """The signed profile of a meter."""
        answer = await self._post("exportMeterProfile", {"mid": await self._mid(meter)})
        return read_values(answer.body, meter, None, None)

    async def signed(self, contract: HanContract, begin: datetime, end: datetime) -> tuple[Reading, ...]:
        """The signed exports of the contract's meters; a capture belongs to its instant of the raster."""
        period_s = contract.capture_s or RASTER_S
        apart = timedelta(seconds=period_s * TOLERANCE)
        found = [await self.exported(meter, begin - apart, end + apart) for meter in contract.meters]
        readings = [replace(one, target=raster(one.at, period_s)) for some in found for one in some.readings]
        return tuple(one for one in readings if begin <= one.instant <= end)

    async def with_profile(self, contract: HanContract) -> HanContract:
        """The contract with the signed export of its profile."""
        tid = await self._tid(contract.id)
        if tid is None:
            return contract
        answer = await self._post("exportTariffProfile", {"tid": tid})
        return replace(contract, profile=answer.body if answer.body[:1] == b"\x30" else b"")

    # --- contracts

    async def _tariff_ids(self) -> dict[str, str]:
        """Text of the choice, numbered where it comes again, -> id of this session."""
        page = await self._page("tariffform")
        if not page.has("tarifform_select_profile"):
            return {}
        found: dict[str, str] = {}
        seen: Counter[str] = Counter()
        for ident, text in page.options("tarifform_select_profile"):
            if ident and text:
                seen[text] += 1
                found[text if seen[text] == 1 else f"{text} ({seen[text]})"] = ident
        return found

    async def _tid(self, contract: str) -> str | None:
        """The id of this session of a contract, None: there is no such contract."""
        if contract not in self._choices:
            await self.contracts()  # a contract that another client has read
        return (await self._tariff_ids()).get(self._choices.get(contract, contract))

    async def contracts(self) -> tuple[HanContract, ...]:
        """All tariff profiles of the consumer, with their billing periods."""
        found: list[HanContract] = []
        for text, tid in (await self._tariff_ids()).items():
            page = await self._page("showTariffProfile", {"tid": tid})
            name = page.labels().get("Profil-ID", "")
            if not name or any(one.id == name for one in found):
                name = text  # what is left to tell them apart by
            self._choices[name] = text
            found.append(await self._contract(name, text, page))
        return tuple(found)

    async def _contract(self, name: str, text: str, page: Page) -> HanContract:
        labels = page.labels()
        what = f"showTariffProfile {text}"
        match = _TAF.match(labels.get("TAF-Typ", ""))
        if match is None:
            raise NotUnderstood(f"{what}: TAF-Typ", f"{labels.get('TAF-Typ', '')!r} is no use case")
        taf = int(match[1])
        begin = _local(f"{what}: Beginn", labels.get("Beginn Validierungsperiode"))
        end = _local(f"{what}: Ende", labels.get("Ende Validierungsperiode"))
        now = page.now() or page.synchronised()
        state: State = "running"
        if now is not None and begin is not None and now < begin:
            state = "ready"
        elif now is not None and end is not None and now >= end:
            state = "archive"
        spans = {} if taf == 7 else await self._spans(name)
        period = labels.get("Registerperiode (sek.)", "")
        domains = [_meter_of(one) for one in page.column("domain") if one]
        registers = tuple(
            dict.fromkeys(
                (meter, full_code(what, obis)) for meter, obis in zip(domains, page.column("obis"), strict=False)
            )
        )
        return HanContract(
            id=name,
            taf=taf,
            name=labels.get("Profilname", "") or text,
            description=match[2].strip(),
            meters=tuple(dict.fromkeys(meter for meter, _ in registers)),
            registers=registers,
            metering_point=labels.get("Zählpunktbezeichnung", ""),
            supplier=labels.get("Profilname Empfänger", ""),
            begin=begin,
            end=end,
            periods=tuple(sorted(spans, key=lambda one: one.begin)),
            state=state,
            capture_s=int(period) if period.isdecimal() else None,
        )

    async def _spans(self, contract: str) -> dict[Period, list[str]]:
        """Billing periods of a contract, each with the ids of its registers in this session."""
        tid = await self._tid(contract)
        if tid is None:
            raise Refused(f"there is no contract {contract}", 404)
        low, high = datetime(2000, 1, 1, tzinfo=UTC), datetime(2099, 12, 31, tzinfo=UTC)
        asked = {"tid": tid, "from": local_text(low), "to": local_text(high)}
        found: dict[Period, list[str]] = {}
        async for page in self._pages("showTarification", asked, "table_tarification_button_nextpage"):
            for cells, row in page.rows("table_tarification_line"):
                begin = _local("showTarification: periodbegin", cells.get("periodbegin"))
                if begin is None:
                    continue
                running = "laufend" in (cells.get("status", "") + cells.get("periodend", "")).lower()
                until = cells.get("periodend", "")
                end = None if running and not until[:1].isdigit() else _local("showTarification: periodend", until)
                found.setdefault(Period(begin, end), []).append(field_in(row, "ttid"))
        return found

    async def derived(self, contract: HanContract, begin: datetime, end: datetime) -> tuple[Reading, ...]:
        """The derived registers of the billing periods that touch the span, cut to it."""
        found: dict[tuple[datetime, str], Reading] = {}
        for period, idents in (await self._spans(contract.id)).items():
            if period.begin > end or (period.end is not None and period.end < begin):
                continue
            for ttid in dict.fromkeys(idents):
                if not ttid:
                    continue
                for one in await self._registers(contract.id, ttid):
                    if begin <= one.instant <= end:
                        for value in one.values:
                            found[one.instant, value.obis] = one
        return tuple(found[key] for key in sorted(found))

    async def _registers(self, contract: str, ttid: str) -> list[Reading]:
        """Rows of all registers, oldest first; an hour that comes twice is told apart by the order of a register's."""
        rows: dict[str, list[dict[str, str]]] = {}
        what = "showTarificationRegister"
        async for page in self._pages(what, {"ttid": ttid}, "table_tafregister_button_nextpage"):
            for cells, _ in page.rows("table_tafregister_line"):
                if cells.get("zeitstempel") or cells.get("sollzeitpunkt"):
                    rows.setdefault(cells.get("obis", ""), []).append(cells)
        readings = []
        for some in rows.values():
            some.reverse()
            times = rising([plain(what, cells.get("sollzeitpunkt") or cells["zeitstempel"]) for cells in some])
            readings += [_register(what, contract, at, cells) for at, cells in zip(times, some, strict=True)]
        return readings

    async def daily(self, contract: HanContract, begin: datetime, end: datetime) -> tuple[Reading, ...]:
        """The daily values are the derived registers of a contract of TAF-6."""
        return await self.derived(contract, begin, end)

    # --- log

    async def log(self, begin: datetime | None = None, end: datetime | None = None) -> tuple[LogEntry, ...]:
        """The consumer's log, page by page."""
        asked = {
            "from": local_text((begin or datetime(2000, 1, 1, tzinfo=UTC)) - _HOUR),
            "to": local_text((end or datetime(2099, 12, 31, tzinfo=UTC)) + _HOUR),
        }
        rows: list[dict[str, str]] = []
        async for page in self._pages("log", asked, "table_logs_button_nextpage"):
            rows += [cells for cells, _ in page.rows("table_log_line") if "zeit" in cells]
        rows.reverse()
        times = rising([plain("log: zeit", cells["zeit"]) for cells in rows])
        found = []
        for at, cells in zip(times, rows, strict=True):
            if (begin is not None and at < begin) or (end is not None and at >= end):
                continue
            ident = cells.get("logid", "")
            found.append(
                LogEntry(
                    number=None,
                    at=at,
                    level=cells.get("loglevel", ""),
                    text=cells.get("msgtext", ""),
                    success=_SUCCESS.get(cells.get("outcome", "").lower()),
                    event=int(ident) if ident.isdecimal() else None,
                )
            )
        return tuple(found)

    async def selftest(self) -> SelfTestAnswer:
        """Order a self-test: the gateway restarts (han 2.2)."""
        answer = await self._post("selftest", {})
        page = Page(answer.body, "selftest")
        accepted = answer.status == 200 and "Fehler" not in page.text
        self._welcome = None
        return SelfTestAnswer(accepted, page.text[:200], answer.status)

    async def raw(self, method: str, target: str, *, authenticate: bool = True) -> RawAnswer:
        """One request as it is."""
        return await self.link.request(method, target, authenticate=authenticate)

    async def borrow(self, other: HanClient) -> tuple[RawAnswer, ...]:
        """Ask with the other's ids in a session of one's own, and with the other's session and token."""
        assert isinstance(other, PpcClient)
        ids = [("showMeterProfile", {"mid": mid}) for mid in (await other._meter_ids()).values()]
        ids += [("showTariffProfile", {"tid": tid}) for tid in (await other._tariff_ids()).values()]
        await self.login()
        answers = [await self.link.request("POST", PATH, form=self._form(*one)) for one in ids]
        await self.logout()
        self.link.cookies.update(other.link.cookies)
        forms = [("meterform", {}), ("tariffform", {}), *ids]
        stolen = [await self.link.request("POST", PATH, form=other._form(*one)) for one in forms]
        self.link.cookies.clear()
        return (*answers, *stolen)

    async def close(self) -> None:
        """Close all connections, without logging out."""
        await self.link.close()

    # --- requests

    def _form(self, action: str, fields: Mapping[str, str]) -> dict[str, str]:
        token = {"tkn": self._token} if self._use_token and self._token else {}
        return {**token, "action": action, **fields}

    async def _post(self, action: str, fields: Mapping[str, str]) -> RawAnswer:
        if self._welcome is None:
            await self.login()
        answer = await self.link.request("POST", PATH, form=self._form(action, fields))
        if answer.status != 200:
            raise Refused(f"{action}: status {answer.status}", answer.status)
        if not answer.body.strip():
            raise SessionEnded(f"{action}: an empty page, as after another login of {self.link.login.user!r}")
        return answer

    async def _page(self, action: str, fields: Mapping[str, str] | None = None) -> Page:
        answer = await self._post(action, fields or {})
        page = Page(answer.body, action)
        if page.ended:
            raise SessionEnded(f"{action}: {page.text[:80] or 'an empty page'}")
        if page.failed:
            raise LoginRefused(f"{action}: {page.text[:80]}")
        self._token = page.token or self._token
        return page

    async def _pages(self, action: str, fields: Mapping[str, str], more: str) -> AsyncIterator[Page]:
        """All pages of an answer, as long as there is a button to the next. Raises BenchError for too many."""
        for number in range(1, MOST_PAGES + 1):
            page = await self._page(action, {**fields, **({"page": str(number)} if number > 1 else {})})
            yield page
            if not page.has(more):
                return
        raise BenchError(f"{action} has more than {MOST_PAGES} pages, of which the bench reads no more: ask for less")


def _meter_of(text: str) -> str:
    """``1lgz0072999211`` out of ``01005e318002.1lgz0072999211.sm``."""
    parts = text.strip().split(".")
    return parts[1] if len(parts) == 3 and parts[2] == "sm" else bare(text.strip())


def _local(what: str, text: str | None) -> datetime | None:
    """A local time as an instant; an hour that comes twice is taken for its first pass."""
    if text is None or not text.strip()[:1].isdigit():
        return None
    if "+" in text or text.endswith("Z"):
        return maybe(what, text)
    return rising([plain(what, text)])[0]


def _register(what: str, contract: str, at: datetime, cells: Mapping[str, str]) -> Reading:
    """A row of a derived register that is for the instant `at`."""
    values: tuple[Value, ...] = ()
    if cells.get("wert"):
        sign = cells.get("sign", "")
        values = (value_of(what, cells.get("obis", ""), cells["wert"], cells.get("einheit", ""), sign),)
    told, captured = cells.get("qualitaet", ""), cells.get("zeitstempel")
    return Reading(
        meter=contract,
        at=at if not captured else nearest(plain(f"{what}: zeitstempel", captured), at),
        target=at if cells.get("sollzeitpunkt") else None,
        values=values,
        status=told if re.fullmatch("[0-9A-Fa-f]{16}", told) else "",
    )


def _readings(meter: str, rows: list[ValueRow], since: datetime | None) -> list[Reading]:
    """Rows, newest first, as readings, oldest first; rows without a time belong to the one before them."""
    groups: list[list[ValueRow]] = []
    for row in rows:
        if groups and (row.time is None or (row.time == groups[-1][0].time and not _repeats(groups[-1], row))):
            groups[-1].append(row)
        elif row.time is not None:
            groups.append([row])
        else:
            raise NotUnderstood("metervalue: timestamp", "the first row has none")
    groups.reverse()
    times = rising([group[0].time for group in groups if group[0].time is not None], since)
    found = []
    for at, group in zip(times, groups, strict=True):
        known = [row.valid for row in group if row.valid is not None]
        found.append(
            Reading(
                meter=meter,
                at=at,
                target=None,
                values=tuple(row.value for row in group if row.value is not None),
                status=next((row.status for row in group if row.status), ""),
                valid=all(known) if known else None,
            )
        )
    return found


def _repeats(group: list[ValueRow], row: ValueRow) -> bool:
    """Whether a row of the same time has a register that is there already, as in an hour that comes twice."""
    return row.value is not None and any(one.value is not None and one.value.obis == row.value.obis for one in group)
