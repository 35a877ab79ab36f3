"""Client of the Theben CONEXA's M2M interface (han 3)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.serialization import Encoding

from devices.han.assumed import CONEXA_EDGE
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
from devices.han.errors import LoginLocked, LoginRefused, NotUnderstood, Refused
from devices.han.fields import bare, mapping, objects, octets, part, read_json, register, text, whole
from devices.han.link import HanLink
from devices.han.times import maybe, utc_text, windows, zoned
from devices.protocols.certificates import read_der, read_pem

if TYPE_CHECKING:
    from devices.han.client import HanClient

ROOT: Final = "/smgw/m2m"
LONGEST: Final = timedelta(days=31)
"""Span that one call of `readings` may have (han 3.2)."""
LOG_COUNT: Final = 1500
TESTING: Final = "a self-test runs, or was less than 10 minutes ago"
"""What status 403 means (han 3.1)."""
_JSON: Final = {"Accept": "application/json", "Content-Type": "application/json"}
_STATES: Final[tuple[State, ...]] = ("ready", "running", "archive")
_LEVELS: Final = {"1": "INFO", "2": "WARNING", "3": "ERROR", "4": "FATAL", "5": "EXTENSION"}
_WITH_STAGES: Final = 2
"""Use case whose stages are in the database ``calculated``."""
_NUMBERS: Final = re.compile(r"\d+")
MOST_CALLS: Final = 200


class ConexaClient:
    """A consumer at a CONEXA.

    Args:
        link: to the gateway.

    Attributes:
        user_id: by which the gateway names the user; empty before the first call.
    """

    product = "conexa"

    def __init__(self, link: HanLink) -> None:
        self.link = link
        self.user_id = ""
        self._path = ""
        self._scales: dict[tuple[str, str, str], tuple[int, int]] = {}

    async def login(self) -> None:
        """Ask where the user's own address is: 307 with his id (han 3.1)."""
        answer = await self.link.request("GET", ROOT, headers=_JSON)
        if answer.status != 307:
            self._check(answer, ROOT)
            raise NotUnderstood(ROOT, f"status {answer.status} where a redirection to the user's address is due")
        path = urlsplit(answer.headers.get("location", "")).path
        match = re.fullmatch(r"/smgw/m2m/([^/]+)/json", path)
        if match is None:
            raise NotUnderstood(f"{ROOT} Location", f"{path[:60]!r} is no address of a user")
        self._path, self.user_id = path, match[1].removesuffix(".sm")

    async def logout(self) -> None:
        """The M2M interface has no session."""

    async def device(self) -> DeviceInfo:
        """Number, firmware with checksums, clock, status word."""
        what = "smgw-info"
        told = await self._call(what)
        components = tuple(
            Component(
                text(f"{place}.component", one.get("component")),
                text(f"{place}.version", one.get("version")),
                text(f"{place}.hash", one.get("hash")),
            )
            for place, one in objects(f"{what}.firmware-info", _listed(told.get("firmware-info")))
        )
        return DeviceInfo(
            id=text(f"{what}.smgw-id", part(what, told, "smgw-id")),
            firmware=components[0].version if components else "",
            components=components,
            time=_without_zone(f"{what}.smgw-time", part(what, told, "smgw-time")),
            state=text(f"{what}.smgw-state", told.get("smgw-state")),
            consumer=self.user_id,
        )

    async def meters(self) -> tuple[str, ...]:
        """Meters of all contracts."""
        return tuple(dict.fromkeys(meter for one in await self.contracts() for meter in one.meters))

    async def contracts(self) -> tuple[HanContract, ...]:
        """All usage points of the user."""
        what = "user-info"
        told = await self._call(what)
        points = objects(f"{what}.usage-points", part(what, told, "usage-points"))
        return tuple([_contract(place, one, self.user_id) for place, one in points])

    async def with_profile(self, contract: HanContract) -> HanContract:
        """The contract with its signed profile and supplier."""
        what = "usage-point-info"
        told = await self._call(what, {"usage-point-id": contract.id})
        emts = [text(f"{what}.emts", one) if not isinstance(one, dict) else next(iter(one.values()), "")
                for one in told.get("emts") or ()]  # fmt: skip
        return replace(
            contract,
            profile=octets(f"{what}.taf-profile", told.get("taf-profile")),
            supplier=contract.supplier or (str(emts[0]) if emts else ""),
        )

    async def current(self, meter: str) -> Reading:
        """The newest values: of the running contract of TAF-7 with this meter, else of another running one."""
        found = [one for one in await self.contracts() if _has(one, meter) and one.state == "running"]
        if not found:
            raise Refused(f"no running contract has meter {meter}", 404)
        found.sort(key=lambda one: one.taf != 7)
        readings = await self._readings(found[0], "origin", {"last-reading": "true"}, meter)
        if not readings:
            raise NotUnderstood("readings", f"there is none of meter {meter}")
        return readings[-1]

    async def originals(self, meter: str, begin: datetime, end: datetime) -> tuple[Reading, ...]:
        """The original lists of all contracts with this meter, put together."""
        found: dict[tuple[datetime, str], Reading] = {}
        for contract in await self.contracts():
            if _has(contract, meter):
                for one in await self._span(contract, "origin", begin, end, meter):
                    for value in one.values:
                        found.setdefault((one.instant, value.obis), one)
        return _joined(found)

    async def signed(self, contract: HanContract, begin: datetime, end: datetime) -> tuple[Reading, ...]:
        """The original lists of the contract."""
        found = [await self._span(contract, "origin", begin, end, meter) for meter in contract.meters]
        return tuple(one for some in found for one in some)

    async def derived(self, contract: HanContract, begin: datetime, end: datetime) -> tuple[Reading, ...]:
        """The derived list; stages and errors of TAF-2 are in a database of their own (han 3.2)."""
        found = await self._span(contract, "derived", begin, end, None)
        if contract.taf != _WITH_STAGES:
            return found
        stages = await self._span(contract, "calculated", begin, end, None)
        both = {(one.instant, value.obis): one for one in (*found, *stages) for value in one.values}
        return _joined(both)

    async def daily(self, contract: HanContract, begin: datetime, end: datetime) -> tuple[Reading, ...]:
        """The daily values."""
        return await self._span(contract, "daily", begin, end, None)

    async def log(self, begin: datetime | None = None, end: datetime | None = None) -> tuple[LogEntry, ...]:
        """The consumer's log, in pieces of 1500 entries."""
        found: dict[int, LogEntry] = {}
        index: int | None = None
        for _ in range(MOST_CALLS):
            asked: dict[str, Any] = {} if begin is None else {"fromtime": utc_text(begin)}
            if end is not None:
                asked["totime"] = utc_text(end)
            if index is not None:
                asked = {"fromindex": str(index), "count": str(LOG_COUNT)}
            told = part("log", {"log": (await self._answer("log", asked)).get("log")}, "log")
            entries = [_entry(*one) for one in objects("log.entries", part("log", told, "entries"))]
            new = [one for one in entries if one.number is not None and one.number not in found]
            for one in new:
                assert one.number is not None
                found[one.number] = one
            if not new or len(entries) < LOG_COUNT:
                break
            index = max(found) + 1
        kept = [one for one in found.values()
                if (begin is None or one.at >= begin) and (end is None or one.at < end)]  # fmt: skip
        return tuple(sorted(kept, key=lambda one: one.number or 0))

    async def certificates(self) -> tuple[HanCertificate, ...]:
        """Signature certificate and Sub-CA with the seal's index 0, and that of the connection."""
        what = "smgw-info.certificates"
        told = mapping(what, part("smgw-info", await self._call("smgw-info"), "certificates"))
        found: list[HanCertificate] = []
        for place, one in objects(f"{what}.wan", told.get("wan") or []):
            if text(f"{place}.cert-index", one.get("cert-index")) not in ("", "0"):
                continue
            for key in ("sig", "sub-ca"):
                der = _certificate(f"{place}.{key}", one.get(key))
                if der:
                    found.append(HanCertificate("signature" if key == "sig" else "sub_ca", der))
        return (*found, HanCertificate("tls", self.link.certificate))

    async def selftest(self) -> SelfTestAnswer:
        """Order the self-test: 200, or 403 while one runs and within 10 minutes of one (han 3.2)."""
        answer = await self._post("self-test", {})
        if answer.status == 403:
            return SelfTestAnswer(False, TESTING, 403)
        self._check(answer, "self-test")
        return SelfTestAnswer(True, "", answer.status)

    async def raw(self, method: str, target: str, *, authenticate: bool = True) -> RawAnswer:
        """One request as it is."""
        return await self.link.request(method, target, headers=_JSON, authenticate=authenticate)

    async def borrow(self, other: HanClient) -> tuple[RawAnswer, ...]:
        """Ask at the other's address, in both of its spellings, and for the other's contracts at one's own."""
        assert isinstance(other, ConexaClient)
        points = [one.id for one in await other.contracts()]
        await self.login()
        asked = [(f"{ROOT}/{other.user_id}{end}/json", {"method": method})
                 for end in (".sm", "") for method in ("user-info", "log")]  # fmt: skip
        asked += [(self._path, {"method": "usage-point-info", "usage-point-id": one}) for one in points]
        answers = []
        for target, told in asked:
            body = json.dumps(told).encode()
            try:
                answers.append(await self.link.request("POST", target, body=body, headers=_JSON))
            except LoginRefused:
                continue
        return tuple(answers)

    async def close(self) -> None:
        """Close all connections."""
        await self.link.close()

    async def _span(
        self, contract: HanContract, database: str, begin: datetime, end: datetime, meter: str | None
    ) -> tuple[Reading, ...]:
        """A list in windows of 31 days, cut to the span."""
        found: dict[tuple[datetime, str], Reading] = {}
        low = begin if contract.begin is None else max(begin, contract.begin)
        high = end if contract.end is None else min(end, contract.end)
        if high < low:
            return ()
        for since, until in windows(low - CONEXA_EDGE, high + CONEXA_EDGE, LONGEST):
            asked = {"fromtime": utc_text(since), "totime": utc_text(until)}
            for one in await self._readings(contract, database, asked, meter):
                if low <= one.instant <= high:
                    for value in one.values:
                        found[one.instant, value.obis] = one
        return _joined(found)

    async def _readings(
        self, contract: HanContract, database: str, asked: Mapping[str, str], meter: str | None
    ) -> tuple[Reading, ...]:
        channels = await self._channels(contract.id, database)
        if meter is not None:
            channels = [one for one in channels if _meter_of(one).lower() in ("", meter.lower())]
        if not channels:
            return ()
        request = {
            "usage-point-id": contract.id,
            "database": database,
            "channels": [{"channel": one} for one in channels],
            **asked,
        }
        told = mapping("readings", part("readings", await self._answer("readings", request), "readings"))
        owner = meter or (contract.meters[0] if contract.meters and database == "origin" else contract.id)
        found: dict[datetime, Reading] = {}
        for place, channel in objects("readings.channels", part("readings", told, "channels")):
            name = text(f"{place}.obis", part(place, channel, "obis"))
            scaler, unit = self._scales.get((contract.id, database, name[:12].lower()), (-1, 0))
            for at, one in objects(f"{place}.readings", part(place, channel, "readings")):
                reading = _reading(at, owner, name, scaler, unit, one)
                before = found.get(reading.instant)
                values = reading.values if before is None else (*before.values, *reading.values)
                found[reading.instant] = _with(reading, values)
        return tuple(found[at] for at in sorted(found))

    async def _channels(self, usage_point: str, database: str) -> list[str]:
        """Registers of a database, and what their numbers mean."""
        what = "usage-point-info"
        told = await self._call(what, {"usage-point-id": usage_point})
        names = []
        for place, one in objects(f"{what}.databases", part(what, told, "databases")):
            if text(f"{place}.database", part(place, one, "database")) != database:
                continue
            for where, channel in objects(f"{place}.channels", one.get("channels") or []):
                name = text(f"{where}.obis", part(where, channel, "obis"))
                scale = (whole(f"{where}.scaler", channel.get("scaler")), whole(f"{where}.unit", channel.get("unit")))
                self._scales[usage_point, database, name[:12].lower()] = scale
                names.append(name)
        return names

    async def _call(self, method: str, fields: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """The part of the answer that has the method's name."""
        return mapping(method, part(method, await self._answer(method, fields or {}), method))

    async def _answer(self, method: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = await self._post(method, fields)
        self._check(answer, method)
        return mapping(method, read_json(answer, method))

    async def _post(self, method: str, fields: Mapping[str, Any]) -> RawAnswer:
        if not self._path:
            await self.login()
        body = json.dumps({"method": method, **fields}).encode()
        headers = {**_JSON, "X-Content-Length": str(len(body))}
        return await self.link.request("POST", self._path, body=body, headers=headers)

    def _check(self, answer: RawAnswer, what: str) -> None:
        if answer.status in (401, 403) and "retry-after" in answer.headers and what == ROOT:
            after = answer.headers["retry-after"]
            raise LoginLocked("the gateway takes no logins for now", int(after) if after.isdecimal() else None)
        if answer.status == 401:
            raise LoginRefused(f"the gateway refuses {self.link.login.user!r}")
        if answer.status == 403 and what == ROOT:
            raise Refused(f"{ROOT}: status 403: {TESTING} {answer.text[:80]}".strip(), 403)
        if answer.status >= 300 and answer.status != 307:
            raise Refused(f"{what}: status {answer.status} {answer.text[:80]}".strip(), answer.status)


def _without_zone(what: str, value: object) -> datetime:
    """The gateway's time, which has no zone: UTC like all other times of the interface (assumed)."""
    written = text(what, value)
    return zoned(what, f"{written}Z" if len(written) == len("2026-01-31T00:00:00") else written)


def _listed(value: object) -> object:
    """A list; one object alone is a list of one."""
    return [value] if isinstance(value, dict) else value or []


def _contract(what: str, told: Mapping[str, Any], user: str) -> HanContract:
    taf = _NUMBERS.search(text(f"{what}.taf-number", part(what, told, "taf-number")))
    if taf is None:
        raise NotUnderstood(f"{what}.taf-number", f"{told['taf-number']!r} is no number")
    state = text(f"{what}.taf-state", told.get("taf-state"))
    if state not in _STATES:
        raise NotUnderstood(f"{what}.taf-state", f"{state!r} is none of {', '.join(_STATES)}")
    number = int(taf[0])
    periods = []
    for place, one in objects(f"{what}.billing-Periods", told.get("billing-Periods") or []):
        begin = zoned(f"{place}.start-time", part(place, one, "start-time"))
        periods.append(Period(begin, maybe(f"{place}.end-time", one.get("end-time"))))
    return HanContract(
        id=text(f"{what}.usage-point-id", part(what, told, "usage-point-id")),
        taf=number,
        name=text(f"{what}.usage-point-name", told.get("usage-point-name")),
        meters=tuple(bare(text(f"{place}.meter-id", part(place, one, "meter-id")))
                     for place, one in objects(f"{what}.meter", told.get("meter") or [])),
        metering_point=text(f"{what}.metering-point-id", told.get("metering-point-id")),
        supplier=text(f"{what}.delivery-id", told.get("delivery-id")),
        consumer=user,
        begin=maybe(f"{what}.start-time", told.get("start-time")),
        end=maybe(f"{what}.end-time", told.get("end-time")),
        periods=() if number == 7 else tuple(periods),
        state=state,
        capture_s=_seconds(f"{what}.capture-time", told.get("capture-time")),
    )  # fmt: skip


def _seconds(what: str, value: object) -> int | None:
    return None if value in (None, "") else whole(what, value)


def _reading(what: str, owner: str, name: str, scaler: int, unit: int, told: Mapping[str, Any]) -> Reading:
    status = text(f"{what}.cosem-status", told.get("cosem-status"))
    halves = text(f"{what}.smgw-status", told.get("smgw-status")) + text(
        f"{what}.meter-status", told.get("meter-status")
    )
    word = status if len(status) == 16 else halves if len(halves) == 16 else ""
    values: tuple[Value, ...] = ()
    if told.get("value") not in (None, ""):
        number = whole(f"{what}.value", told["value"])
        signature = octets(f"{what}.signature", told.get("signature"))
        values = (Value(register(f"{what}.obis", name), number, scaler, unit, signature),)
    return Reading(
        meter=_meter_of(name) or owner,
        at=zoned(f"{what}.capture-time", part(what, told, "capture-time")),
        target=maybe(f"{what}.target-time", told.get("target-time")),
        values=values,
        status=word,
    )


def _has(contract: HanContract, meter: str) -> bool:
    """Whether a contract is about a meter; the interface writes its number in small letters."""
    return meter.lower() in (one.lower() for one in contract.meters)


def _meter_of(name: str) -> str:
    """The meter in ``0100010800ff.<meter>.sm``, empty without one."""
    return bare(name[13:]) if len(name) > 13 else ""


def _with(reading: Reading, values: tuple[Value, ...]) -> Reading:
    return Reading(reading.meter, reading.at, reading.target, values, reading.status, reading.valid)


def _joined(found: Mapping[tuple[datetime, str], Reading]) -> tuple[Reading, ...]:
    """One reading for each instant, with all registers that were found for it."""
    by_instant: dict[datetime, list[tuple[str, Reading]]] = {}
    for (at, obis), one in found.items():
        by_instant.setdefault(at, []).append((obis, one))
    return tuple(_with(by_instant[at][0][1], tuple(_values(by_instant[at]))) for at in sorted(by_instant))


def _values(found: list[tuple[str, Reading]]) -> Iterator[Value]:
    for obis, one in sorted(found, key=lambda pair: pair[0]):
        value = one.value(obis)
        if value is not None:
            yield value


def _entry(what: str, told: Mapping[str, Any]) -> LogEntry:
    outcome = text(f"{what}.outcome", told.get("outcome")).lower()
    event, sub = told.get("event-id"), told.get("event-sub-id")
    level = text(f"{what}.level", told.get("level"))
    return LogEntry(
        number=whole(f"{what}.index", part(what, told, "index")),
        at=zoned(f"{what}.time", part(what, told, "time")),
        level=_LEVELS.get(level, level.upper()),
        text=text(f"{what}.message", told.get("message")),
        success=None if not outcome else outcome in ("success", "0", "true", "erfolgreich"),
        event=None if event in (None, "") else whole(f"{what}.event-id", event),
        sub_event=None if sub in (None, "") else whole(f"{what}.event-sub-id", sub),
        vendor=text(f"{what}.vendor-id", told.get("vendor-id")),
    )


def _certificate(what: str, value: object) -> bytes:
    """DER of a certificate that is written as hex of PEM or of DER; empty: there is none."""
    written = octets(what, value)
    if not written:
        return b""
    try:
        found = read_der(written) if written[:1] == b"\x30" else read_pem(written)
    except ValueError:
        raise NotUnderstood(what, "no certificate") from None
    return found.public_bytes(Encoding.DER)
