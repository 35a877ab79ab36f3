"""Steps that do what people's programs do at the home interface, and compare what these have read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from itertools import takewhile
from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import Field

from bench.expect import Outcome
from bench.han_models import CONSUMER
from bench.steps.base import Step
from bench.steps.han_checks import same
from bench.verdict import Verdict
from devices.errors import UsageError
from devices.han.errors import CertificateChanged, HanError, HanUnreachable
from devices.han.login import Login
from devices.han.sequences.programs import PROGRAMS, Program, program_named, replay
from devices.han.sequences.visit import BoundReached, Findings, NothingThere, Told, Visit

if TYPE_CHECKING:
    from bench.rig import Rig
    from bench.scenario.models import Scenario

_AROUND: Final = timedelta(seconds=30)
"""How far around an instant a list is asked for; a capture is later than its instant by 1 % of the period at most."""
_FACTORS: Final = {"kWh": ("Wh", 1000), "kW": ("W", 1000)}


def _key(program: str, user: str) -> tuple[str, str]:
    """Where a program's findings are kept."""
    return f"han_sequence {program}", user


def _users(scenario: Scenario) -> tuple[str, ...]:
    """Those whom a scenario may name; the first is meant where it names nobody."""
    return tuple(scenario.given.han.users) or (CONSUMER,)


def _strangers(as_user: str | None, scenario: Scenario) -> list[str]:
    """A mistake where nobody of that name is introduced."""
    users = _users(scenario)
    known = as_user is None or as_user in users
    return [] if known else [f"there is no user {as_user!r} under given.han.users ({', '.join(users)})"]


Stored = Mapping[tuple[str, str, datetime], tuple[Decimal, str]]
"""Meter in small letters, register, second -> value and unit."""


class HanSequenceStep(Step):
    """Do what a program does, call by call; it must find everything that it needs.

    Attributes:
        program: name of the program.
        as_user: who does it (written ``as``); default: the bench's user, or the first one given.
    """

    key: ClassVar[str] = "han_sequence"
    shorthand: ClassVar[str | None] = "program"
    doc: ClassVar[str] = "do at the home interface, call by call, what a program of users does"
    base_needs: ClassVar[frozenset[str]] = frozenset({"han"})

    program: str
    as_user: str | None = Field(default=None, alias="as")

    @property
    def judges(self) -> bool:
        return True

    def check(self, scenario: Scenario) -> list[str]:
        try:
            product = program_named(self.program).product
        except UsageError as error:
            return [f"{error.message} ({error.hint})"]
        problems = [f"{self.program} reads a {product}, not a {one}" for one in scenario.gateways if one != product]
        return problems + _strangers(self.as_user, scenario)

    def sentence(self) -> str:
        whose = "" if self.as_user is None else f" for {self.as_user}"
        source = PROGRAMS[self.program].source
        return f"Read the gateway as {self.program} does{whose} ({source}); it must get through."

    async def run(self, rig: Rig) -> Outcome:
        program, login = program_named(self.program), rig.han.login_of(self.as_user)
        expected = "the program gets through all its calls"
        if login.password is None:
            return Outcome(Verdict.INCONC, expected, "nothing", "such programs log in with a password; there is none")
        try:
            if not rig.han.proven(self.as_user):
                await rig.han.client(self.as_user)  # before a program's failure can be taken for the gateway's
            await rig.han.end(self.as_user)
            findings, statuses = await self._visit(rig, program, login)
        except NothingThere as error:
            verdict = Verdict.FAIL if rig.bench.gateway.emulated else Verdict.INCONC
            return Outcome(verdict, expected, "nothing to read", str(error))
        except BoundReached as error:
            return Outcome(Verdict.INCONC, expected, "not all was read", f"{self.program}: {error}")
        except HanError as error:
            return Outcome(Verdict.FAIL, expected, str(error), f"{self.program}: {error}")
        if findings.more.get("unready"):
            rig.han.used("unready")
        rig.remembered[_key(self.program, self.as_user or rig.han.first)] = findings
        meters = len({one.meter for one in findings.told})
        values = f"{len(findings.told)} values of {meters} meters" if program.reach != "none" else "no value is read"
        return Outcome(Verdict.PASS, expected, f"{statuses} requests, {values}")

    async def _visit(self, rig: Rig, program: Program, login: Login) -> tuple[Findings, int]:
        client = await rig.han.fresh(login, may_be_gone=True)
        client.link.settings = replace(client.link.settings, curves=program.curves)
        await rig.han.pause()
        visit = Visit(client.link, rig.han.now(), md5=program.md5)
        try:
            return await replay(program, visit), len(visit.statuses)
        except (HanUnreachable, CertificateChanged):
            await _look(rig, login)
            raise
        finally:
            await client.close()


async def _look(rig: Rig, login: Login) -> None:
    """Raise BenchError where the bench cannot reach the gateway either: then nothing is said of it."""
    client = await rig.han.fresh(login)
    try:
        await client.raw("GET", "/", authenticate=False)
    finally:
        await client.close()


class SequenceValuesStep(Step):
    """Compare every register that a program has read with what is stored in the gateway.

    An emulated gateway's memory is read; of a real one the bench reads the original list by its own client.

    Attributes:
        of: name of the program; it must have run before.
        as_user: whose values they are (written ``as``), as at `han_sequence`.
    """

    key: ClassVar[str] = "sequence_values"
    shorthand: ClassVar[str | None] = "of"
    doc: ClassVar[str] = "expect that every register that a program has read is what the gateway has stored"
    base_needs: ClassVar[frozenset[str]] = frozenset({"han"})

    of: str
    as_user: str | None = Field(default=None, alias="as")

    @property
    def judges(self) -> bool:
        return True

    def check(self, scenario: Scenario) -> list[str]:
        if problems := _strangers(self.as_user, scenario):
            return problems
        before = takewhile(lambda step: step is not self, scenario.all_steps())
        runs = [one for one in before if isinstance(one, HanSequenceStep) and one.program == self.of]
        if not runs:
            return [f"{self.of!r} has read nothing before: 'han_sequence: {self.of}'"]
        first = _users(scenario)[0]
        if (self.as_user or first) not in {one.as_user or first for one in runs}:
            return [f"{self.of!r} has read nothing for {self.as_user or first!r} before: write who it was behind 'as'"]
        return [f"{self.of} reads no register"] if PROGRAMS[self.of].reach == "none" else []

    def sentence(self) -> str:
        whose = "" if self.as_user is None else f" for {self.as_user}"
        return f"Expect that every register that {self.of} has read{whose} is what the gateway has stored."

    async def run(self, rig: Rig) -> Outcome:
        user = self.as_user or rig.han.first
        found: Findings | None = rig.remembered.get(_key(self.of, user))
        if found is None:  # a bench file's first user is another than the scenario's
            raise UsageError(f"{self.of} has read nothing for {user!r} before")
        expected = "all as stored, and none left out"
        try:
            own = await rig.han.client(self.as_user)
            meters = {one.lower() for one in await own.meters()}
            stored = await self._stored(rig, found)
            registers = await self._registers(rig)
        except HanError as error:
            rig.han.forget(self.as_user)
            return Outcome(Verdict.FAIL, expected, str(error), str(error))
        emulated = rig.bench.gateway.emulated
        wrong, unknown = compared(found.told, stored)
        absent = missing(PROGRAMS[self.of], found.told, meters, stored, registers)
        seen = f"{len(found.told)} values of {len({(one.meter, one.obis) for one in found.told})} registers"
        if wrong or (emulated and unknown):
            return Outcome(Verdict.FAIL, expected, seen, (wrong or unknown)[0])
        if absent and (emulated or PROGRAMS[self.of].reach != "contracts"):
            return Outcome(Verdict.FAIL, expected, seen, absent[0])
        if unknown or absent:
            return Outcome(Verdict.INCONC, expected, seen, (unknown or absent)[0])
        return Outcome(Verdict.PASS, expected, seen)

    async def _registers(self, rig: Rig) -> set[tuple[str, str]]:
        """Meters and registers of the user's contracts, as far as they are known."""
        if rig.bench.gateway.emulated:
            user = self.as_user or rig.han.first
            contracts = [one for one in rig.scenario.given.contracts.values() if one.consumer == user]
            return {(rig.meter_id(meter).lower(), obis) for one in contracts for meter, obis, _ in one.terms}
        client = await rig.han.client(self.as_user)
        return {(meter.lower(), obis) for one in await client.contracts() for meter, obis in one.registers}

    async def _stored(self, rig: Rig, found: Findings) -> Stored:
        """What is stored of the instants that were read, by capture and by grid."""
        if rig.bench.gateway.emulated:
            memory: dict[tuple[str, str, datetime], tuple[Decimal, str]] = {}
            for row in await rig.records.values(attributes=True):
                number = _number(row["value"])
                if number is not None:
                    for name in ("grid_time", "capture_time"):
                        second = _second(datetime.fromisoformat(row[name]))
                        memory[row["meter"].lower(), row["obis"], second] = (number, row["unit"] or "")
            return memory
        client = await rig.han.client(self.as_user)
        stored: dict[tuple[str, str, datetime], tuple[Decimal, str]] = {}
        for name in await client.meters():
            times = [at for one in found.told if same(one.meter, name) and (at := one.at or one.instant) is not None]
            if not times:
                continue
            for reading in await client.originals(name, min(times) - _AROUND, max(times) + _AROUND):
                for value in reading.values:
                    for at in (reading.at, reading.instant):
                        stored[name.lower(), value.obis, _second(at)] = (value.exact, value.symbol)
        return stored


def compared(told: tuple[Told, ...], stored: Stored) -> tuple[list[str], list[str]]:
    """What differs from what is stored, and what is not known to be stored, in words."""
    wrong, unknown = [], []
    for one in told:
        at = one.at or one.instant
        what = f"{one.obis} of meter {one.meter} of {'no instant' if at is None else at.isoformat()}"
        known = None if at is None else stored.get((one.meter, one.obis, _second(at)))
        unit, factor = _FACTORS.get(one.unit, (one.unit, 1))
        if known is None:
            unknown.append(f"{what}: {one.value} {one.unit}, nothing of that instant is stored")
        elif known[1] != unit or not _shows(one.value * factor, known[0]):
            wrong.append(f"{what}: {one.value} {one.unit} was read, {known[0]} {known[1]} is stored")
    return wrong, unknown


def missing(
    program: Program, told: tuple[Told, ...], meters: set[str], stored: Stored, contracted: set[tuple[str, str]]
) -> list[str]:
    """Meters and registers that the program should have read as well, in words.

    Args:
        program: says how much it reads.
        told: what it has read.
        meters: that the user sees.
        stored: what is stored.
        contracted: meters and registers of the user's contracts.
    """
    if program.reach == "part":
        return []
    read = {one.meter for one in told}
    absent = [f"meter {one} was left out" for one in sorted(meters - read)] if program.reach == "all" else []
    seen = {(one.meter, one.obis) for one in told}
    instants = {(one.meter, _second(at)) for one in told if (at := one.at or one.instant) is not None}
    absent += [
        f"register {obis} of meter {meter} was left out"
        for (meter, obis, at), (_, unit) in sorted(stored.items())
        if unit and (meter, at) in instants and (meter, obis) not in seen
        if program.reach != "contracts" or (meter, obis) in contracted
    ]
    return list(dict.fromkeys(absent))


def _number(value: object) -> Decimal | None:
    """A stored number; an octet string is none."""
    try:
        return None if value is None else Decimal(str(value))
    except InvalidOperation:
        return None


def _shows(read: Decimal, stored: Decimal) -> bool:
    """Whether what was read is what is stored, or that cut to the digits that are shown (CONEXA: tenths of a Wh)."""
    exponent = read.as_tuple().exponent
    assert isinstance(exponent, int)
    return read == stored or read == stored.quantize(Decimal(1).scaleb(exponent), ROUND_DOWN)


def _second(at: datetime) -> datetime:
    """Times are told in whole seconds."""
    return at.astimezone(UTC).replace(microsecond=0)
