"""What can be asked at the home interface: conditions of the step `han`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bench.expect import Look, Truth
from bench.han_assumptions import BEFORE_S, BEHIND_S, CLOCK_S, GENTLE_S, GRID_S, POLL_S, Use
from bench.quantity import text_of
from bench.records import event_names
from bench.steps.counting import Count
from devices.han.errors import HanError, HanUnreachable, LoginLocked, LoginRefused, SessionEnded
from devices.han.login import Login
from devices.han.times import TOLERANCE
from devices.protocols.sml.obis import format_obis, parse_obis

if TYPE_CHECKING:
    from bench.rig import Rig
    from devices.han.client import HanClient
    from devices.han.content import HanContract, LogEntry, Reading


def again(rig: Rig) -> float:
    """When to look again."""
    return rig.clock.seconds() + (POLL_S if rig.bench.gateway.emulated else GENTLE_S)


def full(code: str) -> str:
    """``1-0:1.8.0*255`` of ``1.8.0``."""
    return format_obis(parse_obis(code))


def meter_named(rig: Rig, name: str) -> str:
    """The number of a meter of the scenario, or a number as it is written."""
    return rig.meter_id(name) if name in rig.meters or name in rig.radio_meters else name


def same(one: str, other: str) -> bool:
    """Whether two numbers of meters are the same; some products write small letters."""
    return one.lower() == other.lower()


async def meters_of(client: HanClient, rig: Rig, name: str) -> list[str]:
    """The meter of that name, or all that the user sees, as the gateway calls them. Raises HanError without one."""
    seen = await client.meters()
    found = [one for one in seen if name == "all" or same(one, meter_named(rig, name))]
    if not found:
        raise HanError(f"{client.link.login.user} sees no meter {name} ({', '.join(seen) or 'none at all'})")
    return found


class AtHome(ABC):
    """Base of all conditions about the home interface: they ask, and what they see may change by itself."""

    settle_s: float = 0.0
    polled: bool = True
    asks: bool = True
    user: str | None = None
    uses: tuple[Use, ...] = ()

    @abstractmethod
    def sentence(self) -> str:
        """What is asked, to stand after "expect that"."""

    @abstractmethod
    async def prepare(self, rig: Rig) -> Look | None:
        """What is the bench's own time before a look; the first look where it went wrong."""

    @abstractmethod
    async def look(self, rig: Rig) -> Look:
        """Look now."""


class Asked(AtHome):
    """Base of conditions that ask the gateway: an error of the interface is a no, with its text."""

    @abstractmethod
    async def ask(self, rig: Rig, client: HanClient) -> tuple[bool | None, str]:
        """Whether it is so (None: that cannot be told), and what was seen."""

    async def prepare(self, rig: Rig) -> Look | None:
        """Log in, so that neither the login nor the pause before it counts against the gateway."""
        try:
            await rig.han.client(self.user)
        except HanError as error:
            rig.han.forget(self.user)
            return Look(Truth.NO, str(error), again(rig))
        return None

    async def look(self, rig: Rig) -> Look:
        """Ask. The answer tells what was so when the first request for it began, however long the exchange takes."""
        entered, paused_s = rig.clock.seconds(), rig.han.paused_s
        try:
            client = await rig.han.client(self.user)
            rig.han.used(*self.uses)
            begun = rig.clock.seconds()
            good, seen = await self.ask(rig, client)
        except HanError as error:
            rig.han.forget(self.user)
            return Look(Truth.NO, str(error), again(rig))
        truth = Truth.UNDECIDED if good is None else Truth.YES if good else Truth.NO
        blind = entered if rig.han.paused_s > paused_s else None
        return Look(truth, seen, again(rig), since=begun, blind_since=blind)


class Tried(AtHome):
    """Base of conditions that find out by a login of their own."""

    @abstractmethod
    async def attempt(self, rig: Rig) -> tuple[Truth, str]:
        """One login: what it says, and what was seen."""

    async def prepare(self, rig: Rig) -> Look | None:
        """Wait until a login is due: that is the bench's own time."""
        await rig.han.until_due()
        return None

    async def look(self, rig: Rig) -> Look:
        """Try. The answer tells what was so when the login began."""
        entered, paused_s = rig.clock.seconds(), rig.han.paused_s
        await rig.han.pause()
        begun = rig.clock.seconds()
        truth, seen = await self.attempt(rig)
        blind = entered if rig.han.paused_s > paused_s else None
        return Look(truth, seen, again(rig), since=begun, blind_since=blind)


@dataclass(frozen=True)
class CurrentValue(Asked):
    """The newest values of one meter, or of all."""

    meter: str
    obis: str | None
    least: Decimal | None
    most: Decimal | None
    unit: str
    age_s: float | None
    user: str | None

    uses = ("current",)

    def sentence(self) -> str:
        of = "every meter" if self.meter == "all" else f"meter {self.meter}"
        what = f"register {self.obis} of {of}" if self.obis else f"values of {of}"
        shown = f"{self.least}" if self.least == self.most else f"{self.least} to {self.most}"
        bounds = "" if self.least is None else f" with {shown} {self.unit}"
        young = "" if self.age_s is None else f", at most {self.age_s:g} s old"
        return f"the home interface shows {what}{bounds}{young}"

    async def ask(self, rig: Rig, client: HanClient) -> tuple[bool, str]:
        told, good = [], True
        for meter in await meters_of(client, rig, self.meter):
            reading = await client.current(meter)
            ok, seen = self._of(rig, reading, (await client.device()).time if self.age_s is not None else None)
            good = good and ok
            told.append(f"{meter}: {seen}")
        return good, "; ".join(told)

    def _of(self, rig: Rig, reading: Reading, now: datetime | None) -> tuple[bool, str]:
        shown = ", ".join(f"{one.obis} {one.exact} {one.symbol}" for one in reading.values)
        seen = f"{shown or 'no register'} of {reading.at.isoformat()}"
        if self.age_s is not None:
            age_s = ((now or rig.clock.now()) - reading.at).total_seconds()
            if age_s > self.age_s:
                return False, f"{seen}, {age_s:g} s old"
        if self.obis is None:
            return bool(reading.values), seen
        value = reading.value(full(self.obis))
        if value is None:
            return False, seen
        if self.least is None or self.most is None:
            return True, seen
        return value.symbol == self.unit and self.least <= value.exact <= self.most, seen


@dataclass(frozen=True)
class ListCount(Asked):
    """So many instants of the original list, or of the derived one."""

    of: str
    kind: str
    count: Count
    begin: datetime
    end: datetime
    grid: timedelta | None
    user: str | None

    uses = ("list",)

    def sentence(self) -> str:
        span = f"from {self.begin:%Y-%m-%d %H:%M:%S} to {self.end:%Y-%m-%d %H:%M:%S} UTC"
        count = self.count.of("instant", "instants")
        text = f"the home interface shows {count} in the {self.kind} list of {self.of} {span}"
        return text if self.grid is None else f"{text}, each once and {self.grid.total_seconds():g} s apart"

    async def ask(self, rig: Rig, client: HanClient) -> tuple[bool, str]:
        told, good = [], True
        for name in await meters_of(client, rig, self.of):
            found = await client.originals(name, self.begin, self.end)
            if self.grid is not None and any(one.target is None for one in found):
                rig.han.used("grid")
            instants = [_on_grid(one, self.grid) for one in found if one.values]
            different = sorted(set(instants))
            told.append(
                f"{name}: {len(instants)} instants" + (f", {instants[0]} to {instants[-1]}" if instants else "")
            )
            good = good and len(instants) in self.count
            if len(different) != len(instants):
                return False, f"{name}: {len(instants) - len(different)} instants stand there twice"
            if self.grid is not None:
                apart = [later for first, later in pairwise(different) if later - first != self.grid]
                if apart:
                    return False, f"{name}: {apart[0].isoformat()} is not {self.grid} behind the one before"
        return good, "; ".join(told)


def _on_grid(one: Reading, grid: timedelta | None) -> datetime:
    """The instant of the grid; where the product tells the capture only, the one that it is nearest behind (1 %)."""
    if one.target is not None or grid is None:
        return one.instant
    step = grid.total_seconds()
    seconds = one.at.timestamp()
    near = round(seconds / step) * step
    return one.at if abs(near - seconds) > step * TOLERANCE + GRID_S else one.at + timedelta(seconds=near - seconds)


@dataclass(frozen=True)
class ContractCount(Asked):
    """So many contracts, of a use case or in a state."""

    count: Count
    taf: int | None
    state: str | None
    name: str | None
    user: str | None

    uses = ("contracts",)

    def sentence(self) -> str:
        kind = "" if self.taf is None else f" of TAF-{self.taf}"
        state = "" if self.state is None else f" in the state {self.state}"
        named = "" if self.name is None else f" called {self.name}"
        return f"the home interface shows {self.count.of('contract', 'contracts')}{kind}{named}{state}"

    async def ask(self, rig: Rig, client: HanClient) -> tuple[bool, str]:
        all_of_them = await client.contracts()
        found = [one for one in all_of_them if self._meant(one)]
        told = ", ".join(f"{one.id} (TAF-{one.taf}, {one.state})" for one in all_of_them)
        return len(found) in self.count, told or "no contract"

    def _meant(self, one: HanContract) -> bool:
        return (
            self.taf in (None, one.taf)
            and self.state in (None, one.state)
            and (self.name is None or self.name in one.id or self.name == one.name)
        )


@dataclass(frozen=True)
class LogHas(Asked):
    """Entries of the consumer's log.

    The log has been read whole where every entry is known to be the event that is meant, or another one; else those of
    which that is not known may change the count, and what they may change cannot be told.
    """

    event: str | None
    text: str | None
    count: Count
    user: str | None

    uses = ("log",)

    def sentence(self) -> str:
        if self.event is None and self.text is None:
            count = self.count.of("entry", "entries")
            return f"the home interface shows {count} in the consumer's log, each with words and none of the future"
        what = self.event or f"with the text {self.text!r}"
        return f"the home interface shows {self.count.of('entry', 'entries')} {what} in the consumer's log"

    async def ask(self, rig: Rig, client: HanClient) -> tuple[bool | None, str]:
        entries = await client.log()
        if self.event is None and self.text is None:
            rig.han.used("clock")
            now = (await client.device()).time or rig.clock.now()
            for one in entries:
                if not one.text.strip() or one.at > now + timedelta(seconds=CLOCK_S):
                    return False, f"entry of {one.at.isoformat()}: {one.text[:60]!r}; now it is {now.isoformat()}"
        found = [one for one in entries if self._meant(rig, one)]
        first = f", first of {found[0].at.isoformat()}: {found[0].text[:60]}" if found else ""
        seen = f"{len(found)} of {len(entries)} entries{first}"
        unread = [one for one in entries if not self._meant(rig, one) and not self._another(rig, one)]
        possible = [number in self.count for number in range(len(found), len(found) + len(unread) + 1)]
        if any(possible) and not all(possible):
            told = f"neither number nor words are known of {len(unread)}, first of {unread[0].at.isoformat()}"
            return None, f"{seen}; {told}: {unread[0].text[:60]}"
        return possible[0], seen

    def _another(self, rig: Rig, one: LogEntry) -> bool:
        """Whether an entry that is not meant is certainly another one: by a documented number, or by its words."""
        if self.event is None:
            return True
        product = rig.gateway_type
        if one.event and not product.unknown_in(self.event):
            return True
        numbered = event_names(product, one) if one.event else ()
        return any(not product.unknown_in(name) for name in numbered) or bool(
            event_names(product, replace(one, event=None))
        )

    def _meant(self, rig: Rig, one: LogEntry) -> bool:
        named = self.event is None or self.event in event_names(rig.gateway_type, one)
        return named and (self.text is None or self.text in one.text)


@dataclass(frozen=True)
class Sees(Asked):
    """The user sees these meters, and no others."""

    meters: tuple[str, ...]
    user: str | None

    def sentence(self) -> str:
        return f"{self.user or 'the consumer'} sees the meters {', '.join(self.meters) or 'none'} and no others"

    async def ask(self, rig: Rig, client: HanClient) -> tuple[bool, str]:
        seen = await client.meters()
        wanted = sorted(meter_named(rig, one).lower() for one in self.meters)
        return sorted(one.lower() for one in seen) == wanted, ", ".join(seen) or "none"


@dataclass(frozen=True)
class Device(Asked):
    """What the gateway tells of itself."""

    wanted: dict[str, Any] = field(default_factory=dict)
    user: str | None = None

    def sentence(self) -> str:
        words = {"clock_within": "a time right within", "components": "components:"}
        told = ", ".join(
            f"{words.get(name, name)} {text_of(value) if isinstance(value, timedelta) else value}"
            for name, value in self.wanted.items()
        )
        return f"the gateway tells of itself: {told or 'its firmware'}"

    async def ask(self, rig: Rig, client: HanClient) -> tuple[bool, str]:
        asked = rig.clock.now()
        info = await client.device()
        answered = rig.clock.now()
        parts = "; ".join(f"{one.name} {one.version}" for one in info.components)
        seen = (
            f"number {info.id or 'not told'}, firmware {info.firmware}, components {parts or 'none'}, time {info.time}"
        )
        if "number" in self.wanted and info.id.lower() != str(self.wanted["number"]).lower():
            return False, seen
        if "components" in self.wanted and len(info.components) not in self.wanted["components"]:
            return False, seen
        if "clock_within" in self.wanted:
            rig.han.used("clock")
            if info.time is None:
                return False, f"{seen}: it tells no time"
            off_s = max((asked - info.time).total_seconds(), (info.time - answered).total_seconds(), 0.0)
            if off_s > self.wanted["clock_within"].total_seconds() + CLOCK_S:
                return False, f"{seen}, off by {off_s:g} s"
        return bool(info.firmware), seen


@dataclass(frozen=True)
class Consistent(Asked):
    """The newest reading is the same in the original list as among the current values."""

    meter: str
    user: str | None

    uses = ("current", "list", "consistent")

    def sentence(self) -> str:
        return f"current values and original list of {self.meter} agree at the home interface"

    async def ask(self, rig: Rig, client: HanClient) -> tuple[bool, str]:
        told = []
        before, behind = timedelta(seconds=BEFORE_S), timedelta(seconds=BEHIND_S)
        for name in await meters_of(client, rig, self.meter):
            now = await client.current(name)
            listed = await client.originals(name, now.at - before, now.at + behind)
            twin = next((one for one in reversed(listed) if one.at == now.at or one.instant == now.instant), None)
            if twin is None:
                return False, f"{name}: the list has nothing of {now.at.isoformat()}"
            for value in now.values:
                other = twin.value(value.obis)
                if other is not None and other.exact != value.exact:
                    return False, f"{name}: {value.obis} is {value.exact} now and {other.exact} in the list"
            told.append(f"{name}: {len(now.values)} registers of {now.at.isoformat()}")
        return True, "; ".join(told)


@dataclass(frozen=True)
class Locked(Tried):
    """Nobody gets in for a while, with the right password neither."""

    locked: bool
    login: Callable[[Rig], Login]

    def sentence(self) -> str:
        return "the gateway has locked consumers out" if self.locked else "the gateway lets consumers in"

    async def attempt(self, rig: Rig) -> tuple[Truth, str]:
        try:
            client = await rig.han.fresh(self.login(rig))
            try:
                await client.login()
            finally:
                await _leave(client)
        except LoginLocked as error:
            rest = "" if error.remaining_s is None else f", {error.remaining_s} s left"
            return Truth.YES if self.locked else Truth.NO, f"locked{rest}"
        except LoginRefused as error:
            return Truth.YES if self.locked else Truth.NO, f"refused: {error}"
        except HanError as error:
            return Truth.NO, str(error)
        return Truth.NO if self.locked else Truth.YES, "a login with the right password was taken"


@dataclass(frozen=True)
class Reachable(Tried):
    """Whether anybody answers at all."""

    reachable: bool
    user: str | None

    def sentence(self) -> str:
        return f"the home interface {'answers' if self.reachable else 'gives no access'}"

    async def attempt(self, rig: Rig) -> tuple[Truth, str]:
        try:
            client = await rig.han.fresh(rig.han.login_of(self.user), may_be_gone=True)
            try:
                await client.login()
            finally:
                await _leave(client)
        except (HanUnreachable, LoginRefused) as error:
            return Truth.NO if self.reachable else Truth.YES, str(error)
        except HanError as error:
            return Truth.NO, str(error)
        return Truth.YES if self.reachable else Truth.NO, "a login was taken"


async def _leave(client: HanClient) -> None:
    try:
        await client.logout()
    except HanError:
        pass  # what it was for has been said already
    finally:
        await client.close()


async def steal(rig: Rig, victim: str, thief: str) -> tuple[bool, str]:
    """Let a user ask for what is another's with what the other's client knows; whether it was refused, what was seen.

    Refused is whatever is not status 200 with a meter or contract of the other's in it.
    """
    theirs = await rig.han.client(victim)
    secrets = [*await theirs.meters(), *(one.id for one in await theirs.contracts())]
    client = await rig.han.fresh(rig.han.login_of(thief))
    try:
        answers = await client.borrow(theirs)
    except (LoginRefused, SessionEnded) as error:
        return True, f"refused: {error}"
    finally:
        await client.close()
    for answer in answers:
        shown = next((one for one in secrets if one.lower() in answer.text.lower()), None)
        if shown is not None and answer.status == 200:
            return False, f"status 200 with {shown}, which is {victim}'s"
    told = ", ".join(str(one) for one in sorted({one.status for one in answers})) or "401"
    return True, f"refused: {len(answers)} answers of status {told}, nothing of {victim}'s shown"
