"""Client of the EMH CASA's JSON interface (han 4.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.serialization import Encoding

from devices.han.assumed import CASA_SELFTEST
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
from devices.han.errors import HanUnreachable, LoginLocked, LoginRefused, NotUnderstood, Refused
from devices.han.fields import (
    bare,
    is_register,
    mapping,
    objects,
    octets,
    part,
    read_json,
    register,
    rows,
    text,
    whole,
)
from devices.han.link import HanLink
from devices.han.times import maybe, months_back, zoned
from devices.protocols import cms
from devices.protocols.certificates import read_chain

if TYPE_CHECKING:
    from devices.han.client import HanClient

_INSTANTS: Final = ("capture_time", "timestamp_act", "timestamp")
_JSON: Final = {"Accept": "application/json", "Content-Type": "application/json"}
_OUTCOMES: Final = {
    "success": True,
    "erfolgreich": True,
    "0": True,
    "failure": False,
    "fehlgeschlagen": False,
    "1": False,
}
_TAF: Final = re.compile(r"TAF[- ]?(\d+)", re.IGNORECASE)
_LOCKED: Final = re.compile(r"(\d+)\s*Min\w*(?:\D{1,8}(\d+)\s*Sek)?", re.IGNORECASE)
MOST_MONTHS: Final = 40
"""Months of a log or list that are asked for at most: values are kept for three years."""
_LOGICAL: Final = re.compile(r"\b([0-9A-Fa-f]{12})\.([0-9A-Za-z]{1,64})\.sm\b")
_TAGS: Final = re.compile(r"<(style|script|title)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_TITLE: Final = re.compile(r"(?:am|at|on)\s*(?:<[^>]*>\s*)*(\d{4}-\d{2}-\d{2})\s*(?:um|at)?\s*(\d{2}:\d{2}:\d{2})")


class CasaClient:
    """A consumer at a CASA; every request carries its digest or certificate, so there is no session to open or end.

    Args:
        link: to the gateway.
    """

    product = "casa"

    def __init__(self, link: HanLink) -> None:
        self.link = link

    async def login(self) -> None:
        """See whether user and password, or the certificate, are taken."""
        await self._json("/json/systeminformations")

    async def logout(self) -> None:
        """The JSON interface has no session."""

    async def device(self) -> DeviceInfo:
        """Number, firmware with checksums, clock."""
        what = "systeminformations"
        answer = mapping(what, await self._json(f"/json/{what}"))
        return DeviceInfo(
            id=text(f"{what}.huid", part(what, answer, "huid")),
            firmware=text(f"{what}.firmwareversion", part(what, answer, "firmwareversion")),
            components=tuple(_components(what, answer)),
            time=zoned(f"{what}.systemtime", part(what, answer, "systemtime")),
            consumer=bare(text(f"{what}.user_domain", answer.get("user_domain"))),
        )

    async def meters(self) -> tuple[str, ...]:
        """Numbers of the user's meters."""
        what = "metering/origin"
        return tuple(text(what, one) for one in rows(what, await self._json("/json/metering/origin/")))

    async def current(self, meter: str) -> Reading:
        """The newest reading with signatures."""
        what = f"metering/origin/{meter}/extended"
        row = mapping(what, await self._json(f"/json/{what}"))
        if not row.get("values") and not any(row.get(name) for name in _INSTANTS):
            raise NotUnderstood(what, f"there is no value of meter {meter}")
        return _reading(what, meter, row)

    async def originals(self, meter: str, begin: datetime, end: datetime) -> tuple[Reading, ...]:
        """The lists of all months that the span touches, cut to it."""
        now = await self._now()
        found: dict[datetime, Reading] = {}
        for back in months_back(now, begin - timedelta(seconds=1), end):
            if back >= MOST_MONTHS:
                break
            what = f"metering/origin/{meter}/{back}/extended"
            answer = await self._json_or_none(f"/json/{what}")
            for place, row in objects(what, answer or []):
                one = _reading(place, meter, row)
                if begin <= one.instant <= end:
                    found[one.instant] = one
        return tuple(found[at] for at in sorted(found))

    async def signed(self, contract: HanContract, begin: datetime, end: datetime) -> tuple[Reading, ...]:
        """The lists of the contract's meters."""
        return tuple([one for meter in contract.meters for one in await self.originals(meter, begin, end)])

    async def with_profile(self, contract: HanContract) -> HanContract:
        """It has its profile already."""
        return contract

    async def contracts(self) -> tuple[HanContract, ...]:
        """All contracts with their billing periods."""
        now = await self._now()
        ids = rows("metering/derived", await self._json("/json/metering/derived"))
        return tuple([await self._contract(text("metering/derived", one), now) for one in ids])

    async def _contract(self, name: str, now: datetime) -> HanContract:
        what = f"metering/derived/{name}"
        told = mapping(what, await self._json(f"/json/{what}"))
        match = _TAF.search(text(f"{what}.taf_type", part(what, told, "taf_type")))
        if match is None:
            raise NotUnderstood(f"{what}.taf_type", f"{told['taf_type']!r} is no use case like TAF-1")
        begin, end = (maybe(f"{what}.{key}", told.get(key)) for key in ("validity_start", "validity_end"))
        taf = int(match[1])
        signed = await self._or_none(f"/json/{what}/signedprofile")
        profile = b"" if signed is None else _cms(f"{what}/signedprofile", signed)
        meters = tuple(bare(text(f"{what}.sensor_domains", one)) for one in told.get("sensor_domains") or ())
        return HanContract(
            id=name,
            taf=taf,
            name=text(f"{what}.taf_name", told.get("taf_name")) or name,
            description=text(f"{what}.taf_identifier", told.get("taf_identifier")),
            meters=meters,
            registers=_registers(profile, meters),
            metering_point=text(f"{what}.metering_point_id", told.get("metering_point_id")),
            supplier=text(f"{what}.emt_channel_name", told.get("emt_channel_name")),
            begin=begin,
            end=end,
            periods=() if taf == 7 else tuple([period for _, period in await self._periods(name)]),
            state=_state(begin, end, now),
            capture_s=_seconds(f"{what}.capture_period", told.get("capture_period")),
            profile=profile,
        )

    async def _periods(self, contract: str) -> list[tuple[str, Period]]:
        """Billing periods with the number under which each is asked for."""
        what = f"metering/derived/{contract}/billingperiods"
        answer = await self._json_or_none(f"/json/{what}")
        found = []
        for number, (place, row) in enumerate(objects(what, answer or [])):
            own = next(
                (text(f"{place}.{key}", row[key]) for key in ("id", "index", "number") if key in row), str(number)
            )
            begin = zoned(f"{place}.start", part(place, row, "start"))
            found.append((own, Period(begin, maybe(f"{place}.end", row.get("end")))))
        return found

    async def derived(self, contract: HanContract, begin: datetime, end: datetime) -> tuple[Reading, ...]:
        """The derived values of all billing periods that touch the span, cut to it."""
        found: dict[tuple[datetime, str], Reading] = {}
        for number, period in await self._periods(contract.id):
            if period.begin > end or (period.end is not None and period.end < begin):
                continue
            what = f"metering/derived/{contract.id}/billingperiods/{number}/extended"
            for place, row in objects(what, await self._json_or_none(f"/json/{what}") or []):
                one = _reading(place, contract.id, row)
                if begin <= one.instant <= end:
                    found[one.instant, ",".join(value.obis for value in one.values)] = one
        return tuple(found[key] for key in sorted(found))

    async def daily(self, contract: HanContract, begin: datetime, end: datetime) -> tuple[Reading, ...]:
        """The daily values of a contract of TAF-6."""
        what = f"metering/derived/{contract.id}/daily"
        answer = await self._json_or_none(f"/json/{what}")
        readings = [_reading(place, contract.id, row) for place, row in objects(what, answer or [])]
        return tuple(sorted((one for one in readings if begin <= one.instant <= end), key=lambda one: one.instant))

    async def log(self, begin: datetime | None = None, end: datetime | None = None) -> tuple[LogEntry, ...]:
        """The user's log, month by month backwards, until the span is left or nothing more comes."""
        now = await self._now()
        found: dict[object, LogEntry] = {}
        last = 0 if begin is None else months_back(now, begin, now)[-1]
        for back in range(MOST_MONTHS):
            if begin is not None and back > last:
                break
            what = f"conlogbook/{back}"
            entries = [_entry(*one) for one in objects(what, await self._json_or_none(f"/json/{what}") or [])]
            if not entries and begin is None and back:
                break
            for one in entries:
                if (begin is None or one.at >= begin) and (end is None or one.at < end):
                    found[one.number if one.number is not None else one] = one
        return tuple(sorted(found.values(), key=lambda one: (one.at, one.number or 0)))

    async def certificates(self) -> tuple[HanCertificate, ...]:
        """The signature certificate, with those above it if they come with it, and that of the connection."""
        answer = await self._checked(await self.link.request("GET", "/download/certificate.pem"), "certificate.pem")
        try:
            found = read_chain(answer.body)
        except ValueError:
            raise NotUnderstood("certificate.pem", "no certificates in PEM") from None
        kinds = ["signature", *["sub_ca"] * (len(found) - 1)]
        chain = [HanCertificate(kind, one.public_bytes(Encoding.DER)) for kind, one in zip(kinds, found, strict=True)]  # type: ignore[arg-type]
        return (*chain, HanCertificate("tls", self.link.certificate))

    async def selftest(self) -> SelfTestAnswer:
        """Order the self-test on the portal's start page, once in 24 h ([CASA] 7.4); its path is assumed."""
        answer = await self.link.request("POST", CASA_SELFTEST, form={"action": "selftest"})
        if answer.status != 403 or _LOCKED.search(answer.text):
            await self._checked(answer, "selftest")
        shown = _TITLE.search(answer.text)
        after = None if shown is None else zoned("selftest", f"{shown[1]} {shown[2]}")
        accepted = answer.status == 200 and after is None
        return SelfTestAnswer(accepted, _words(answer.text), answer.status, after)

    async def raw(self, method: str, target: str, *, authenticate: bool = True) -> RawAnswer:
        """One request as it is."""
        return await self.link.request(method, target, headers=_JSON, authenticate=authenticate)

    async def borrow(self, other: HanClient) -> tuple[RawAnswer, ...]:
        """Ask for the paths of the other's meters and contracts."""
        meters, contracts = await other.meters(), await other.contracts()
        targets = [f"/json/metering/origin/{one}{end}" for one in meters for end in ("/extended", "/0/extended")]
        targets += [f"/json/metering/derived/{one.id}{end}" for one in contracts for end in ("", "/signedprofile")]
        answers = []
        for target in targets:
            try:
                answers.append(await self.raw("GET", target))
            except LoginRefused:
                continue
        return tuple(answers)

    async def close(self) -> None:
        """Close all connections."""
        await self.link.close()

    async def _now(self) -> datetime:
        told = (await self.device()).time
        assert told is not None
        return told

    async def _json(self, target: str) -> Any:
        answer = await self._checked(await self.link.request("GET", target, headers=_JSON), target)
        return read_json(answer, target)

    async def _json_or_none(self, target: str) -> Any:
        answer = await self._or_none(target)
        return None if answer is None else read_json(answer, target)

    async def _or_none(self, target: str) -> RawAnswer | None:
        """The answer, None for what the gateway does not have."""
        answer = await self.link.request("GET", target, headers=_JSON)
        return None if answer.status in (204, 404) else await self._checked(answer, target)

    async def _checked(self, answer: RawAnswer, what: str) -> RawAnswer:
        if answer.status in (401, 403):
            match = _LOCKED.search(answer.text)
            if is_locked(answer):
                after = answer.headers.get("retry-after", "")
                remaining = int(after) if after.isdecimal() else None
                if remaining is None and match is not None:
                    remaining = int(match[1]) * 60 + int(match[2] or 0)
                raise LoginLocked(f"the gateway takes no logins for now ({_words(answer.text)[:80]})", remaining)
            if answer.status == 401:
                raise LoginRefused(f"the gateway refuses {self.link.login.user!r}: {_words(answer.text)[:80]}")
        if answer.status == 503:
            raise HanUnreachable(f"the gateway gives no access: {_words(answer.text)[:120]}")
        if answer.status >= 300:
            raise Refused(f"{what}: status {answer.status} {_words(answer.text)[:80]}".strip(), answer.status)
        return answer


def _components(what: str, told: Mapping[str, Any]) -> Iterator[Component]:
    """The list of components, whatever its name: the sheet says only what is in it."""
    for key, value in told.items():
        if not (isinstance(value, list) and value and isinstance(value[0], dict) and "name" in value[0]):
            continue
        for place, row in objects(f"{what}.{key}", value):
            sums = next((row[name] for name in ("hash", "checksum") if name in row), "")
            name, version = (text(f"{place}.{word}", row.get(word)) for word in ("name", "version"))
            yield Component(name, version, text(f"{place}.hash", sums))


def _reading(what: str, meter: str, row: Mapping[str, Any]) -> Reading:
    """A reading, as it is written in `extended` answers, or in the lists with one key for each register."""
    at = next((row[key] for key in _INSTANTS if row.get(key) is not None), None)
    nominal = row.get("timestamp_nom", row.get("timestamp"))
    values = []
    if "values" in row:
        for place, one in objects(f"{what}.values", row["values"] or []):
            if one.get("value") not in (None, ""):
                values.append(_value(place, part(place, one, "logical_name"), one))
    else:
        for key, one in row.items():
            if not is_register(key) or one in (None, ""):
                continue
            given = one if isinstance(one, dict) else {"value": one}
            if given.get("value") not in (None, ""):
                values.append(_value(f"{what}.{key}", key, given))
    status = text(f"{what}.status", row.get("status"))
    return Reading(
        meter=meter,
        at=zoned(f"{what}.capture_time", at),
        target=maybe(f"{what}.timestamp_nom", nominal),
        values=tuple(values),
        status=status if re.fullmatch(r"[0-9a-fA-F]{16}", status) else "",
    )


def _value(what: str, name: object, one: Mapping[str, Any]) -> Value:
    number, scaler = text(f"{what}.value", one["value"]), whole(f"{what}.scaler", one.get("scaler", -1))
    return Value(
        obis=register(f"{what}.logical_name", name),
        number=whole(f"{what}.value", number),
        scaler=scaler,
        unit=whole(f"{what}.unit", one.get("unit", 0)),
        signature=octets(f"{what}.signature", one.get("signature")),
    )


def _entry(what: str, row: Mapping[str, Any]) -> LogEntry:
    outcome = row.get("outcome")
    told = outcome if isinstance(outcome, bool) else _OUTCOMES.get(text(f"{what}.outcome", outcome).lower())
    event, sub = row.get("event_id", row.get("id")), row.get("event_sub_id", row.get("sub_id"))
    return LogEntry(
        number=None if row.get("recordnumber") is None else whole(f"{what}.recordnumber", row["recordnumber"]),
        at=zoned(f"{what}.timestamp", part(what, row, "timestamp")),
        level=text(f"{what}.level", row.get("level")),
        text=text(f"{what}.text", row.get("text")),
        success=told,
        event=None if event in (None, "") else whole(f"{what}.event_id", event),
        sub_event=None if sub in (None, "") else whole(f"{what}.event_sub_id", sub),
    )


def _state(begin: datetime | None, end: datetime | None, now: datetime) -> State:
    if begin is not None and now < begin:
        return "ready"
    return "archive" if end is not None and now >= end else "running"


def _seconds(what: str, value: object) -> int | None:
    return None if value in (None, "") else whole(what, value)


def _cms(what: str, answer: RawAnswer) -> bytes:
    """A signed profile: DER as it is, hex as text, or either of them in JSON."""
    if answer.body[:1] == b"\x30":
        return answer.body
    written = answer.body.strip()
    if written[:1] in (b"{", b'"'):
        told = read_json(answer, what)
        if isinstance(told, dict):
            told = next((one for one in told.values() if isinstance(one, str)), "")
        written = text(what, told).encode()
    try:
        return bytes.fromhex(written.decode("ascii"))
    except ValueError:
        raise NotUnderstood(what, "neither DER nor hexadecimal digits") from None


def _registers(profile: bytes, meters: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Meter and OBIS code of what the signed profile names; none where it is not such a file (its form is assumed)."""
    try:
        told = cms.read(profile).content.decode("utf-8", "replace") if profile else ""
    except cms.CmsError:
        return ()
    names = dict.fromkeys((match[2].lower(), match[1]) for match in _LOGICAL.finditer(told))
    known = {one.lower(): one for one in meters}
    return tuple((known[meter], register("signedprofile", code)) for meter, code in names if meter in known)


def is_locked(answer: RawAnswer) -> bool:
    """Whether it says that consumers are locked out for a while, after too many failed logins (han 4.1)."""
    return answer.status in (401, 403) and ("retry-after" in answer.headers or _LOCKED.search(answer.text) is not None)


def in_lockdown(answer: RawAnswer) -> bool:
    """Whether it is the page of a soft lock-down: no access, the administrator is informed (han 4.1)."""
    return answer.status == 503 and "administrator" in _words(answer.text).lower()


def _words(page: str) -> str:
    """The words of a page, without tags."""
    return " ".join(_TAGS.sub(" ", page).split())
