"""Start page, log, software, communication profile, self-test (han 2.2)."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from firmware.han.desk import HanDesk
from firmware.han.ppc import answers, exports, wording
from firmware.han.ppc.call import Call
from firmware.han.ppc.meters import label_of, too_many
from firmware.han.reasons import message
from firmware.han.users import HanUser

_ANSWER_S: Final = 0.5
"""Time in which the page that confirms a self-test goes out before the restart."""


async def welcome(call: Call) -> web.Response:
    """The start page."""
    meters = [label_of(one.meter) for one in call.view.meters()] if call.may("values") else []
    return call.page("welcome.html", call.told("Willkommen"), meters=meters)


async def communication(call: Call) -> web.Response:
    """The profile by which the consumer logs in."""
    password = ["Passwort (Digest)"] if wording.digests(call.user) else []
    certificate = ["Zertifikat (TLS)"] if call.user.fingerprints else []
    ways = [call.told(one) for one in (*password, *certificate)]
    facts = [
        ("Benutzer-ID", call.user.id),
        ("Benutzername", call.user.login),
        ("Schnittstelle", "HAN"),
        ("Anmeldung", ", ".join(ways)),
    ]
    return call.page(
        "commprofile.html", call.text("Kommunikationsprofil", "Communication profile"), facts=call.facts(facts)
    )


async def export_communication(call: Call) -> web.Response:
    """The same as a file."""
    xml = exports.communication_profile(call.desk, call.user)
    return answers.file(exports.export(call.desk, xml), "commprofile.xml.cms")


async def software(call: Call) -> web.Response:
    """Versions and checksums of the software."""
    return call.page("swversions.html", call.text("Softwareversionen", "Software"), rows=wording.versions(call.desk))


async def log(call: Call) -> web.Response:
    """The consumer's log, the newest entry first, page by page."""
    bounds = call.span()
    if isinstance(bounds, web.Response):
        return bounds
    begin_s, end_s = bounds
    number = call.number
    after_s = None if end_s is None else end_s + 1
    found = call.view.log_page(number, begin_s=begin_s, end_s=after_s, newest_first=True)
    rows = [
        (
            wording.shown_time(one.time_us / 1e6),
            wording.LEVELS[one.level],
            "" if one.vendor_id is None else str(one.vendor_id),
            message(call.desk.product, one, call.session.language),
            call.told(wording.OUTCOMES[one.outcome]),
        )
        for one in found.entries
    ]
    return call.page(
        "log.html",
        call.text("Logs", "Log"),
        since="" if begin_s is None else wording.shown_time(begin_s),
        until=wording.shown_time(call.desk.now_s() if end_s is None else end_s),
        asked_since=call.form.get("from", ""),
        asked_until=call.form.get("to", ""),
        number=number,
        more=found.most is not None and number * found.most < found.found,
        rows=rows,
    )


async def export_log(call: Call) -> web.Response:
    """The log as a file, or a text when there is none or too much of it."""
    bounds = call.span()
    if isinstance(bounds, web.Response):
        return bounds
    begin_s, end_s = bounds
    found = call.view.log(begin_s=begin_s, end_s=None if end_s is None else end_s + 1)
    if found.refused:
        return answers.html(too_many(call, found.found, found.most or 0))
    if not found.entries:
        return answers.html(f"{call.told(wording.NO_DATA)}\n")
    xml = exports.log(call.desk, found.entries)
    return answers.file(exports.export(call.desk, xml), f"{call.desk.device_id.lower()}.sm_log.xml.cms")


async def selftest_form(call: Call) -> web.Response:
    """Asks before a self-test, which restarts the gateway."""
    return call.page("selftestform.html", call.text("Selbsttest", "Self-test"))


async def selftest(call: Call) -> web.Response:
    """Order a self-test: the page says so at once, then the gateway restarts ([PPC] 4.4)."""
    rules = call.desk.product.selftest
    if "consumer" not in rules.initiators:
        return call.problem(wording.FORBIDDEN)
    order_soon(call.desk, call.user)
    return call.page("selftest.html", call.text("Selbsttest", "Self-test"))


def order_soon(desk: HanDesk, user: HanUser) -> None:
    """Order a self-test when the answer has gone out."""

    async def order() -> None:
        await desk.unit.clock.sleep(_ANSWER_S)
        await desk.order_selftest(user)

    desk.spawn(order())
