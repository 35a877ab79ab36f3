"""The step `han`: what a consumer does and sees at the gateway's home interface, real or emulated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from bench.expect import Condition, Outcome
from bench.han_models import CONSUMER
from bench.quantity import Duration
from bench.register_units import span_of
from bench.steps.base import ExpectingStep
from bench.steps.counting import Count, Counted
from bench.steps.han_checks import (
    Consistent,
    ContractCount,
    CurrentValue,
    Device,
    ListCount,
    Locked,
    LogHas,
    Reachable,
    Sees,
    steal,
)
from bench.verdict import Verdict
from bench.written import Written
from devices.errors import UsageError
from devices.han.errors import CertificateChanged, HanError, LoginLocked, LoginRefused, SessionEnded
from devices.han.login import TARGET, Login
from devices.protocols.sml.obis import parse_obis

if TYPE_CHECKING:
    from bench.rig import Rig
    from bench.scenario.models import Scenario

WRONG_PASSWORD: Final = "this is not the password"
_LOCAL: Final = ZoneInfo("Europe/Berlin")


class HanLog(Written):
    """Entries of the consumer's log.

    Attributes:
        has: neutral name of an event.
        text: what stands in the message; with neither all entries are meant.
        count: how many (default: at least one).
    """

    has: str | None = None
    text: str | None = None
    count: Counted | None = None

    @model_validator(mode="after")
    def _one(self) -> HanLog:
        if self.has is not None and self.text is not None:
            raise ValueError("say either 'has: EVENT' or 'text: WORDS'")
        if self.has is None and self.text is None and self.count is None:
            raise ValueError("say 'has: EVENT', 'text: WORDS' or 'count' of all entries")
        return self


class HanDevice(Written):
    """What the gateway tells of itself.

    Attributes:
        number: its number.
        components: how many parts of its software it lists.
        clock_within: how far its time may be from the bench's.
    """

    number: str | None = None
    components: Counted | None = None
    clock_within: Duration | None = None


class HanStep(ExpectingStep):
    """Do something at the home interface as a consumer, or expect what it shows.

    Attributes:
        login: user who logs in; `password`: ``right``, ``wrong`` or one as written; `times`; `accepted`.
        logout: user who logs out.
        locked: consumers are locked out, or not.
        reachable: the interface answers, or gives no access.
        values: meter, or ``all``: its newest values; with `register`, `equals` or `between`, `young`.
        list: meter, or ``all``: its original list of `day` (local), or from `since` to `until`: `count`, `grid`.
        consistent: meter, or ``all``: newest values and list agree.
        contracts: how many there are; with `taf`, `state`, `named`.
        log: entries of the consumer's log.
        device: what the gateway tells of itself.
        sees: exactly these meters.
        selftest: ``order`` one; `accepted`.
        get: path; `status` of the answer, `anonymous` without any credentials. ``4xx`` is any refusal; with credentials
            it is one of the path, not of the login.
        steal_from: user whose session or values another one (`as`) tries to get; it must be refused.
        export: ``trudi``: files of all contracts with values for the transparency software, by its rules.
        archive: ``everything``: all values, contracts and the log are fetched into the case's folder.
        certificate: ``same``: the gateway shows the certificate that it showed before; ``changed``: another one, which
            is the known one from now on.
        as_user: who does it (written ``as``); default: the bench's user, or the first one given.
    """

    key: ClassVar[str] = "han"
    doc: ClassVar[str] = "log in, read and try things at the home interface as a consumer"
    base_needs: ClassVar[frozenset[str]] = frozenset({"han"})

    login: str | None = None
    logout: str | None = None
    locked: bool | None = None
    reachable: bool | None = None
    values: str | None = None
    list_of: str | None = Field(default=None, alias="list")
    consistent: str | None = None
    contracts: Counted | None = None
    log: HanLog | None = None
    device: HanDevice | None = None
    sees: tuple[str, ...] | None = None
    selftest: Literal["order"] | None = None
    get: str | None = None
    steal_from: str | None = None
    export: Literal["trudi"] | None = None
    archive: Literal["everything"] | None = None
    certificate: Literal["same", "changed"] | None = None

    as_user: str | None = Field(default=None, alias="as")
    password: str | None = None
    times: int = Field(default=1, ge=1, le=100)
    accepted: bool | None = None
    obis: str | None = Field(default=None, alias="register")
    equals: str | None = None
    between: tuple[str, str] | None = None
    young: Duration | None = None
    count: Counted | None = None
    day: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    grid: Duration | None = None
    taf: int | None = None
    state: Literal["ready", "running", "archive"] | None = None
    named: str | None = None
    status: Annotated[int, Field(ge=100, le=599)] | Literal["4xx"] | None = None
    anonymous: bool = False

    @model_validator(mode="after")
    def _one_thing(self) -> HanStep:
        said = [name for name in _DEEDS if getattr(self, name) is not None]
        if len(said) != 1:
            raise ValueError(f"say exactly one of {', '.join(_WRITTEN.get(name, name) for name in _DEEDS)}")
        allowed = _DETAILS[said[0]]
        for name in sorted(self.model_fields_set - set(_DEEDS) - {"within", "hold", "as_user"}):
            if name not in allowed:
                raise ValueError(f"{_WRITTEN.get(name, name)!r} does not belong to {_WRITTEN.get(said[0], said[0])!r}")
        if said[0] in _ACTS and (self.within is not None or self.hold is not None):
            raise ValueError(f"{said[0]!r} is done once: 'within' and 'for' do not belong here")
        if self.get is not None and not TARGET.fullmatch(self.get):
            raise ValueError(f"{self.get[:60]!r} is no path")
        if self.get is not None and self.status is None:
            raise ValueError("'get' needs the 'status' that is expected")
        if self.equals is not None and self.between is not None:
            raise ValueError("say either 'equals' or 'between'")
        if (self.equals or self.between) and self.obis is None:
            raise ValueError("'equals' and 'between' need a 'register', such as 1.8.0")
        if self.obis is not None:
            parse_obis(self.obis)
        self._bounds()
        if self.list_of is not None:
            self._span()
        return self

    @field_validator("since", "until")
    @classmethod
    def _aware(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("the instant needs a zone: write it like 2026-01-05T00:00:00Z")
        return value

    @property
    def deed(self) -> str:
        """Which of the things it is."""
        return next(name for name in _DEEDS if getattr(self, name) is not None)

    @property
    def judges(self) -> bool:
        return self.deed != "logout"

    @property
    def watchable(self) -> bool:
        return self.deed not in _ACTS

    def needs(self) -> frozenset[str]:
        """Whatever is more than reading is asked for by name."""
        more = set()
        if self.selftest is not None:
            more.add("han_selftest")
        if self.password not in (None, "right") or (self.locked and self.deed == "locked"):
            more.add("han_wrong_logins")
        return self.base_needs | more

    def check(self, scenario: Scenario) -> list[str]:
        users = tuple(scenario.given.han.users) or (CONSUMER,)
        problems = [
            f"there is no user {name!r} under given.han.users ({', '.join(users)})"
            for name in (self.login, self.logout, self.as_user, self.steal_from)
            if name is not None and name not in users
        ]
        if scenario.given.han.site == "own":
            problems += [
                f"a real gateway has its own meters, none is called {name!r}: write 'all'"
                for name in (self.values, self.list_of, self.consistent)
                if name not in (None, "all")
            ]
            return problems
        known = {*scenario.given.meters, *scenario.given.radio_meters, "all", None}
        problems += [
            f"there is no meter {name!r} under given.meters"
            for name in (self.values, self.list_of, self.consistent, *(self.sees or ()))
            if name not in known
        ]
        if self.log is not None and self.log.has is not None:
            from bench.products import gateway_type

            for product in scenario.gateways:
                try:
                    gateway_type(product).event(self.log.has)
                except UsageError as error:
                    problems.append(str(error))
        return problems[:3]

    def _bounds(self) -> tuple[Decimal | None, Decimal | None, str]:
        texts = self.between or ((self.equals, self.equals) if self.equals else None)
        if texts is None:
            return None, None, ""
        return span_of(self.obis or "", *texts)

    def _span(self) -> tuple[datetime, datetime]:
        if self.day is not None:
            if self.since is not None or self.until is not None:
                raise ValueError("say either 'day' or 'since' and 'until'")
            try:
                begin = date.fromisoformat(self.day)
            except ValueError:
                raise ValueError(f"{self.day!r} is no day: write it like 2026-03-29") from None
            return (
                datetime.combine(begin, time(), _LOCAL) + timedelta(seconds=1),
                datetime.combine(begin + timedelta(days=1), time(), _LOCAL),
            )
        if self.since is None or self.until is None or self.until < self.since:
            raise ValueError("'list' needs a 'day', or 'since' and 'until'")
        return self.since, self.until

    def condition(self) -> Condition:
        return _CONDITIONS[self.deed](self)

    def sentence(self) -> str:
        if self.deed not in _ACTS:
            return super().sentence()
        who = self.as_user or "The consumer"
        taken = "refused" if self.accepted is False else "taken"
        if self.login is not None:
            how = {None: "", "right": ""}.get(self.password, f" with {self.password!r} as password")
            how = " with a wrong password" if self.password == "wrong" else how
            often = "" if self.times == 1 else f" {self.times} times"
            return f"{self.login} logs in{how}{often}; it must be {taken}."
        return {
            "logout": f"{self.logout} logs out.",
            "selftest": f"{who} orders a self-test; it must be {taken}.",
            "get": f"{'Somebody' if self.anonymous else who} asks for {self.get}; the answer is {self.status}.",
            "steal_from": f"{who} asks with the session or address of {self.steal_from}; it must be refused.",
            "export": f"{who} fetches the values of all contracts for the transparency software; all its rules hold.",
            "archive": f"{who} fetches all values, contracts and the log, and archives them.",
            "certificate": f"Expect that the gateway's certificate is {_THAN.get(self.certificate or '')} before.",
        }[self.deed]

    async def run(self, rig: Rig) -> Outcome:
        if self.deed not in _ACTS:
            if self.within is not None or self.hold is not None:
                rig.han.used("poll" if rig.bench.gateway.emulated else "poll_gently")
            return await super().run(rig)
        return await _DOINGS[self.deed](self, rig)

    # --- what is done

    async def _log_in(self, rig: Rig) -> Outcome:
        login = rig.han.login_of(self.login)
        if self.password not in (None, "right"):
            login = replace(login, password=WRONG_PASSWORD if self.password == "wrong" else self.password)
        wanted = self.accepted is not False
        expected = "taken" if wanted else "refused"
        if wanted and self.password in (None, "right") and self.times == 1 and not rig.han.open(self.login):
            return await self._begin(rig, expected)
        for number in range(1, self.times + 1):
            taken, seen = await _try(rig, self.login or rig.han.first, login)
            if taken != wanted:
                return Outcome(Verdict.FAIL, expected, seen, f"login {number}: {seen}")
        return Outcome(Verdict.PASS, expected, seen)

    async def _begin(self, rig: Rig, expected: str) -> Outcome:
        """A login whose session the next steps go on with: a gateway is not asked for more of them than need be."""
        try:
            await rig.han.client(self.login)
        except HanError as error:
            return Outcome(Verdict.FAIL, expected, str(error), str(error))
        return Outcome(Verdict.PASS, expected, "taken")

    async def _log_out(self, rig: Rig) -> Outcome:
        await rig.han.end(self.logout)
        return Outcome(Verdict.NONE)

    async def _order_selftest(self, rig: Rig) -> Outcome:
        client = await rig.han.client(self.as_user)
        rig.han.used("selftest")
        answer = await client.selftest()
        rig.timeline.add("han", "selftest", {"accepted": answer.accepted, "text": answer.text})
        if answer.accepted:
            rig.han.forget(self.as_user)
        wanted = self.accepted is not False
        after = "" if answer.next_at is None else f", again from {answer.next_at.isoformat()}"
        seen = f"{'taken' if answer.accepted else 'refused'}, status {answer.status}{after}: {answer.text[:80]}"
        if answer.accepted == wanted:
            return Outcome(Verdict.PASS, "taken" if wanted else "refused", seen)
        return Outcome(Verdict.FAIL, "taken" if wanted else "refused", seen, seen)

    async def _get(self, rig: Rig) -> Outcome:
        from devices.han.open import login_refused

        if not self.anonymous and not rig.han.proven(self.as_user):
            await rig.han.client(self.as_user)  # before a refused login can be taken for the gateway's
        client = await rig.han.fresh(Login("nobody") if self.anonymous else rig.han.login_of(self.as_user))
        refused = False
        try:
            if not self.anonymous:
                await rig.han.pause()  # a PPC begins a session for it
            answer = await client.raw("GET", self.get or "/", authenticate=not self.anonymous)
            status, seen = answer.status, f"status {answer.status}, {len(answer.body)} octets"
            refused = not self.anonymous and login_refused(rig.han.product, answer)
        except LoginRefused as error:
            status, seen, refused = 401, str(error), True
        finally:
            await client.close()
        if not self.anonymous and status < 400 and not refused:
            rig.han.forget(self.as_user)
        if refused:
            seen += ": the login was refused, not the path"
        if self.status == "4xx":
            good = 400 <= status < 500 and not refused
        else:
            good = status == self.status and not (refused and status < 400)
        return Outcome(Verdict.PASS if good else Verdict.FAIL, f"status {self.status}", seen, "" if good else seen)

    async def _steal(self, rig: Rig) -> Outcome:
        assert self.steal_from is not None
        refused, seen = await steal(rig, self.steal_from, self.as_user or rig.han.first)
        return Outcome(Verdict.PASS if refused else Verdict.FAIL, "refused", seen, "" if refused else seen)

    async def _export(self, rig: Rig) -> Outcome:
        from bench.han_archive import export

        seen, problem = await export(rig, self.as_user)
        expected = "every contract with values makes a file that keeps the rules"
        return Outcome(Verdict.FAIL if problem else Verdict.PASS, expected, seen, problem)

    async def _archive(self, rig: Rig) -> Outcome:
        from bench.han_archive import archive

        seen, problem = await archive(rig, self.as_user)
        return Outcome(Verdict.FAIL if problem else Verdict.PASS, "values, contracts and log are there", seen, problem)

    async def _compare_certificate(self, rig: Rig) -> Outcome:
        """What is known is what the first connection of the case, or the bench file, has shown."""
        known = rig.han.pinned
        expected = f"{self.certificate}: {known or 'none is known yet'}"
        client = await rig.han.fresh(rig.han.login_of(self.as_user))
        try:
            await client.raw("GET", "/", authenticate=False)  # no login, so it may be done at any time
            shown = client.link.fingerprint
        except CertificateChanged as error:
            shown = error.shown
        finally:
            await client.close()
        good = (shown == (known or shown)) == (self.certificate == "same")
        if good:
            rig.han.pin(shown)
        return Outcome(Verdict.PASS if good else Verdict.FAIL, expected, shown, "" if good else f"it is {shown}")


async def _try(rig: Rig, name: str, login: Login) -> tuple[bool, str]:
    """One login of its own: whether it was taken, and what was seen.

    Args:
        name: the bench's name of the user.
        login: what he is called at the gateway, and his credentials.
    """
    client = await rig.han.fresh(login)
    await rig.han.pause()
    try:
        await client.login()
    except LoginLocked as error:
        rest = "" if error.remaining_s is None else f", {error.remaining_s} s left"
        return False, f"locked out{rest}"
    except (LoginRefused, SessionEnded, CertificateChanged) as error:
        return False, str(error)
    else:
        rig.han.forget(name)
        try:
            await client.logout()
        except HanError as error:
            return False, f"it was taken, but the session ended at once: {error}"
        return True, "taken"
    finally:
        await client.close()


_ACTS: Final = frozenset(("login", "logout", "selftest", "get", "steal_from", "export", "archive", "certificate"))
_THAN: Final = {"same": "the same as", "changed": "another than"}
_WRITTEN: Final = {"list_of": "list", "obis": "register", "as_user": "as"}
_DETAILS: Final[dict[str, tuple[str, ...]]] = {
    "login": ("password", "times", "accepted"),
    "logout": (),
    "locked": (),
    "reachable": (),
    "values": ("obis", "equals", "between", "young"),
    "list_of": ("count", "day", "since", "until", "grid"),
    "consistent": (),
    "contracts": ("taf", "state", "named"),
    "log": (),
    "device": (),
    "sees": (),
    "selftest": ("accepted",),
    "get": ("status", "anonymous"),
    "steal_from": (),
    "export": (),
    "archive": (),
    "certificate": (),
}
"""What may be said beside each thing."""
_DEEDS: Final = tuple(_DETAILS)


def _current(step: HanStep) -> Condition:
    least, most, unit = step._bounds()
    age = None if step.young is None else step.young.total_seconds()
    return CurrentValue(step.values or "all", step.obis, least, most, unit, age, step.as_user)


def _list(step: HanStep) -> Condition:
    begin, end = step._span()
    return ListCount(
        step.list_of or "all", "original", step.count or Count(1, None), begin, end, step.grid, step.as_user
    )


def _device(step: HanStep) -> Condition:
    assert step.device is not None
    wanted = {name: value for name in HanDevice.model_fields if (value := getattr(step.device, name)) is not None}
    return Device(wanted, step.as_user)


def _logged(step: HanStep) -> Condition:
    assert step.log is not None
    return LogHas(step.log.has, step.log.text, step.log.count or Count(1, None), step.as_user)


_CONDITIONS: Final[dict[str, Callable[[HanStep], Condition]]] = {
    "locked": lambda step: Locked(bool(step.locked), lambda rig: rig.han.login_of(step.as_user)),
    "reachable": lambda step: Reachable(bool(step.reachable), step.as_user),
    "values": _current,
    "list_of": _list,
    "consistent": lambda step: Consistent(step.consistent or "all", step.as_user),
    "contracts": lambda step: ContractCount(
        step.contracts or Count(1, None), step.taf, step.state, step.named, step.as_user
    ),
    "log": _logged,
    "device": _device,
    "sees": lambda step: Sees(step.sees or (), step.as_user),
}
_DOINGS: Final[dict[str, Callable[[HanStep, Rig], Awaitable[Outcome]]]] = {
    "login": HanStep._log_in,
    "logout": HanStep._log_out,
    "selftest": HanStep._order_selftest,
    "get": HanStep._get,
    "steal_from": HanStep._steal,
    "export": HanStep._export,
    "archive": HanStep._archive,
    "certificate": HanStep._compare_certificate,
}
