"""Programs at a CONEXA's M2M interface: HA, LC, KL, TRuDI 1.0.6, and two more (han 3.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

from devices.han.assumed import CONEXA_PROFILE
from devices.han.content import UNITS, RawAnswer
from devices.han.errors import NotUnderstood
from devices.han.fields import part, register, text, whole
from devices.han.sequences.visit import REDIRECTS, Findings, NothingThere, Told, Visit, body_of, json_of, must
from devices.han.times import maybe, utc_text, zoned

ROOT: Final = "/smgw/m2m"
JSON: Final = {"Content-Type": "application/json"}
PLAIN_CODES: Final = frozenset({"0100010800ff", "0100020800ff"})
"""What LC takes, and nothing behind it (han 3.2)."""
WINDOW: Final = timedelta(days=31)
LEAST_VERSION: Final = (1, 2, 0)
"""From which on the transparency software chooses JSON (han 3.2, 3.3)."""
Row = Mapping[str, Any]


async def call(visit: Visit, path: str, method: str, headers: Mapping[str, str] = JSON, **parameters: Any) -> Any:
    """A method of the interface: status 200, JSON, the same ``method`` in the answer."""
    answer = await visit.ask("POST", path, headers, body_of({"method": method, **parameters}))
    return _method(method, answer)


def _method(method: str, answer: RawAnswer) -> Any:
    found = json_of(method, answer)
    must(part(method, found, "method") == method, f"{method}.method", f"{str(found['method'])[:40]!r}")
    return found


def full_path(user: str) -> str:
    """The address that people enter, ``/smgw/m2m/<userid>.sm/json``."""
    return f"{ROOT}/{quote(user, safe='')}.sm/json"


def points_of(user_info: Any) -> list[Row]:
    """Usage points of an answer to user-info."""
    points = part("user-info", part("answer", user_info, "user-info"), "usage-points")
    must(isinstance(points, list), "usage-points", "no list")
    if not points:
        raise NothingThere("the user has no usage point")
    for one in points:
        for name in ("usage-point-id", "taf-number", "taf-state", "meter"):
            part("usage-point", one, name)
    return list(points)


def running_points(user_info: Any) -> list[Row]:
    """Those of TAF-7 that run, else all that run. Raises NothingThere without any."""
    running = [one for one in points_of(user_info) if one["taf-state"] == "running"]
    if not running:
        raise NothingThere("no usage point is running")
    sevens = [one for one in running if one["taf-number"] == "7"]
    return sevens or running


def _channels(answer: Any) -> list[Row]:
    found = part("readings", part("answer", answer, "readings"), "channels")
    must(isinstance(found, list), "channels", "no list")
    return list(found)


def _told(point: Row, channel: Row, reading: Row, scaler: int = -1, unit: str = "Wh") -> Told:
    """A value in 0.1 Wh, as HA takes it, unless the channel's scaler and unit were asked for."""
    code, _, meter = text("obis", part("channel", channel, "obis")).partition(".")
    if not meter:
        meters = part("usage-point", point, "meter")
        meter = text("meter-id", part("meter", meters[0], "meter-id")) if meters else ""
    number = part("reading", reading, "value")
    must(isinstance(number, str), "value", f"{number!r} is no text; all values are texts")
    at = zoned("capture-time", part("reading", reading, "capture-time"))
    value = Decimal(whole("value", number)).scaleb(scaler)
    return Told(meter.removesuffix(".sm").lower(), register("obis", code), value, unit, at)


async def _last(visit: Visit, path: str, headers: Mapping[str, str], point: Row, wish: object) -> list[Told]:
    """The newest reading of a usage point; a channel with none or several is an error."""
    parameters = {"usage-point-id": point["usage-point-id"], "database": "origin", "last-reading": wish}
    found = []
    for channel in _channels(await call(visit, path, "readings", headers, **parameters)):
        readings = part("channel", channel, "readings")
        must(len(readings) == 1, "readings", f"{len(readings)} readings of {channel['obis']}, not one")
        found.append(_told(point, channel, readings[0]))
    return found


async def home_assistant(visit: Visit) -> Findings:
    """HA: smgw-info, user-info, readings with ``"last-reading": "true"``; MD5 whatever is announced."""
    path = full_path(visit.link.login.user)
    info = part("answer", await call(visit, path, "smgw-info"), "smgw-info")
    firmware = text("version", part("firmware-info", part("smgw-info", info, "firmware-info"), "version"))
    found: list[Told] = []
    for point in running_points(await call(visit, path, "user-info")):
        found += await _last(visit, path, JSON, point, "true")
    if not found:
        raise NothingThere("no channel has a reading")
    return Findings(tuple(found), {"firmware": firmware})


async def own_lengths(visit: Visit) -> Findings:
    """LC: the same with length headers of its own; it takes two registers only, and those without a meter behind."""
    path = full_path(visit.link.login.user)

    async def ask(**request: Any) -> Any:
        body = body_of(request)
        headers = {**JSON, "X-Content-Length": str(len(body)), "Accept": "application/json"}
        return _method(request["method"], await visit.ask("POST", path, headers, body))

    part("answer", await ask(method="smgw-info"), "smgw-info")
    found: list[Told] = []
    for point in running_points(await ask(method="user-info")):
        wish = {"usage-point-id": point["usage-point-id"], "database": "origin", "last-reading": True}
        for channel in _channels(await ask(method="readings", **wish)):
            if text("obis", part("channel", channel, "obis")) in PLAIN_CODES:
                found += [_told(point, channel, one) for one in part("channel", channel, "readings")[:1]]
    if not found:
        raise NothingThere("no register that is exactly 0100010800ff or 0100020800ff")
    return Findings(tuple(found))


async def follow(visit: Visit, method: str, body: bytes | None) -> tuple[str, RawAnswer]:
    """A request to the root whose redirects are followed with the same method and body, signed anew."""
    target = ROOT
    for number in range(REDIRECTS):
        answer = await visit.ask(method, target, JSON, body)
        if answer.status != 307:
            must(number > 0, ROOT, f"status {answer.status}, not 307")
            return target, answer
        target = answer.headers.get("location", "")
        must(target.startswith("/"), "Location", f"{target[:60]!r} is no path")
    raise NotUnderstood("Location", f"more than {REDIRECTS} redirects")


async def scripts(visit: Visit) -> Findings:
    """KL: smgw-info at the full address, then at the root, where two of the scripts follow the redirect.

    They read no register; one may be behind a proxy and one pings first, which is not done here.
    """
    path = full_path(visit.link.login.user)
    infos = [part("answer", await call(visit, path, "smgw-info"), "smgw-info")]
    for _ in range(2):
        visit.digest.challenge = {}  # another script
        _, answer = await follow(visit, "POST", body_of({"method": "smgw-info"}))
        infos.append(part("answer", _method("smgw-info", answer), "smgw-info"))
    numbers = {text("smgw-id", part("smgw-info", one, "smgw-id")) for one in infos}
    must(len(numbers) == 1, "smgw-id", f"{', '.join(sorted(numbers))}: two numbers of one gateway")
    return Findings((), {"smgw-id": numbers.pop()})


async def keeps_the_old_uri(visit: Visit) -> Findings:
    """A client that follows the redirect with the digest of the first address is challenged again (han 3.1)."""
    body = body_of({"method": "smgw-info"})
    asked = await visit.send("POST", ROOT, JSON, body)
    must(asked.status == 401, ROOT, f"status {asked.status} without a login, not 401")
    visit.digest.learn(asked)
    answer = await visit.send("POST", ROOT, {**JSON, "Authorization": visit.digest.header("POST", ROOT)}, body)
    must(answer.status == 307, ROOT, f"status {answer.status}, not 307")
    target = answer.headers.get("location", "")
    old = visit.digest.header("POST", ROOT)
    answer = await visit.send("POST", target, {**JSON, "Authorization": old}, body)
    must(answer.status == 401, target, f"status {answer.status} to a digest of another address, not 401")
    return Findings((), {"target": target})


async def transparency(visit: Visit, begin: datetime | None = None) -> Findings:
    """TRuDI 1.0.6: user id by redirect, smgw-info, user-info, usage-point-info, readings, log.

    Args:
        begin: of the values; None: the last two days.
    """
    answer = await visit.ask("GET", ROOT, JSON)
    must(answer.status == 307, ROOT, f"status {answer.status}, not 307")
    path = answer.headers.get("location", "")
    user, _, form = path.removeprefix(f"{ROOT}/").partition("/")
    must(bool(user) and form == "json", "Location", f"{path[:60]!r} is not {ROOT}/<user id>/json")
    info = await call(visit, path, "smgw-info")
    version = text("version", part("smgw-info", info, "version"))
    must(version_of(version) >= LEAST_VERSION, "version", f"{version[:20]!r} is older than 1.2.0")
    found: list[Told] = []
    more: dict[str, Any] = {"user": user, "rows": {}, "unready": [], "info": part("answer", info, "smgw-info")}
    since = begin or visit.now - timedelta(days=2)
    for point in points_of(await call(visit, path, "user-info")):
        if point["taf-state"] == "ready":
            continue
        name: dict[str, Any] = {"usage-point-id": point["usage-point-id"]}
        told = await call(visit, path, "usage-point-info", **name)
        detail = part("answer", told, "usage-point-info")
        if not part("usage-point-info", detail, "taf-profile"):
            _must_be_young(point, visit.now)
            more["unready"].append(point["usage-point-id"])
        for database in part("usage-point-info", detail, "databases"):
            which = text("database", part("databases", database, "database"))
            scales = _scales(database)
            rows = []
            for channel, reading in await _spans(visit, path, {**name, "database": which}, since):
                rows.append(reading)
                if which == "origin" and reading["value"] is not None:
                    code = text("obis", channel["obis"]).partition(".")[0]
                    scaler, unit = scales.get(code, (0, 0))
                    must(code in scales, "channels", f"{code} has readings, but no scaler")
                    found.append(_told(point, channel, reading, scaler, UNITS.get(unit, "")))
            more["rows"][point["usage-point-id"], which] = rows
    span: dict[str, Any] = {"fromtime": utc_text(since), "totime": utc_text(visit.now + timedelta(days=1))}
    entries = part("log", part("answer", await call(visit, path, "log", **span), "log"), "entries")
    must(bool(entries), "log.entries", "the log has no entry")
    if not found:
        raise NothingThere("no value in the span")
    return Findings(tuple(found), {**more, "log": entries})


def _must_be_young(point: Row, now: datetime) -> None:
    """A profile is made some time after the begin of its contract only. Raises NotUnderstood when that is over."""
    begin = maybe("start-time", point.get("start-time"))
    since = "no begin of the contract is told" if begin is None else f"the contract began at {begin.isoformat()}"
    must(begin is not None and now < begin + CONEXA_PROFILE, "taf-profile", f"empty, and {since}")


def version_of(written: str) -> tuple[int, ...]:
    """The numbers of a version like 1.2.0. Raises NotUnderstood."""
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9}){2}", written) is None:
        raise NotUnderstood("version", f"{written[:20]!r} is no version like 1.2.0")
    return tuple(int(one) for one in written.split("."))


def _scales(database: Row) -> dict[str, tuple[int, int]]:
    """12 hex digits of a register -> scaler and DLMS unit."""
    return {
        text("obis", part("channels", one, "obis")).partition(".")[0]: (
            whole("scaler", part("channels", one, "scaler")),
            whole("unit", part("channels", one, "unit")),
        )
        for one in part("databases", database, "channels")
    }


async def _spans(visit: Visit, path: str, wish: Row, since: datetime) -> list[tuple[Row, Row]]:
    """Channel and reading of all readings from `since` on, in pieces of 31 days."""
    found = []
    while since < visit.now:
        until = min(visit.now, since + WINDOW)
        span: dict[str, Any] = {"fromtime": utc_text(since), "totime": utc_text(until)}
        for channel in _channels(await call(visit, path, "readings", **wish, **span)):
            for reading in part("channel", channel, "readings"):
                for name in ("capture-time", "smgw-status", "meter-status", "target-time", "signature", "value"):
                    part("reading", reading, name)
                found.append((channel, reading))
        since = until
    return found


async def databases(visit: Visit) -> Findings:
    """A client on aiohttp: posts to the root, follows the redirect, reads ``databases[0].channels`` of a point."""
    path, answer = await follow(visit, "POST", body_of({"method": "user-info"}))
    point = points_of(_method("user-info", answer))[0]
    told = await call(visit, path, "usage-point-info", **{"usage-point-id": point["usage-point-id"]})
    listed = part("usage-point-info", part("answer", told, "usage-point-info"), "databases")
    must(bool(listed), "databases", "empty")
    codes = [text("obis", part("channels", one, "obis")) for one in part("databases[0]", listed[0], "channels")]
    must(bool(codes), "databases[0].channels", "empty")
    for one in codes:
        register("obis", one.partition(".")[0])
    return Findings((), {"codes": codes})


async def walks_back(visit: Visit, most: int = 10) -> Findings:
    """A client on .NET: windows of 31 days, back until nothing comes, of the first points named ...BEZUG and ...EINSP.

    Args:
        most: windows.
    """
    path = full_path(visit.link.login.user)
    points = points_of(await call(visit, path, "user-info"))
    names = [(text("name", part("usage-point", one, "usage-point-name")), one) for one in points]
    named = [[one for name, one in names if name.endswith(ending)][:1] for ending in ("BEZUG", "EINSP")]
    if not any(named):
        raise NothingThere("no usage point has a name that ends with BEZUG or EINSP")
    found: list[Told] = []
    for (point,) in filter(None, named):
        until = visit.now
        for _ in range(most):
            since = until - WINDOW
            span = {"fromtime": utc_text(since), "totime": utc_text(until)}
            wish = {"usage-point-id": point["usage-point-id"], "database": "origin", **span}
            channels = _channels(await call(visit, path, "readings", **wish))
            rows = [(one, row) for one in channels[:1] for row in part("channel", one, "readings")]
            if not rows:
                break
            found += [_told(point, one, row) for one, row in rows if part("reading", row, "value") is not None]
            until = since
    if not found:
        raise NothingThere("no reading in any window")
    return Findings(tuple(found), {"since": until.astimezone(UTC)})
