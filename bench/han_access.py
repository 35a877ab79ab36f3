"""The bench's users at the gateway's home interface: their clients, how gently they ask, and what they saw."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.han_assumptions import CYCLE_S, Assume, Use, note_every, note_used
from bench.han_models import GENTLE, joined
from bench.han_pause import LAST, NOBODY
from bench.store import write_json
from bench.timeline import Timeline
from devices.clock import Clock
from devices.errors import BenchError, UsageError
from devices.han.content import DeviceInfo
from devices.han.errors import (
    CertificateChanged,
    HanError,
    HanUnreachable,
    LoginLocked,
    LoginRefused,
    NotUnderstood,
    Refused,
)
from devices.han.login import Exchange, Login, Settings

if TYPE_CHECKING:
    from devices.han.client import HanClient

_TAKEN: Final[set[tuple[str, int, str]]] = set()
"""Host, port and user of those logins at real gateways which were taken in this process."""
_REFUSED: Final[dict[tuple[str, int, str], str]] = {}
"""Host, port and user whose credentials a real gateway refused -> what it said; it is not asked with them again."""


class HanAccess:
    """Users at one gateway.

    Args:
        clock: the bench's.
        timeline: gets every exchange.
        product: ppc, conexa or casa.
        settings: where the gateway is now; None: it has no home interface at the moment.
        logins: name -> user; the first is the one who is meant where nobody is named.
        rng: makes client nonces; None: the system's, for a real gateway.
        every: time from one login to the next, none for an emulated gateway.
        real: whether it is one that the bench file says how to reach. What that says may be wrong, and then it is the
            bench's trouble: no connection at all, another certificate or refused credentials from the begin.

    Attributes:
        before: awaited before a client is made, such as the introduction of users at an emulated gateway.
        assume: takes the facts that were relied on without certainty.
        told: what the gateway told of itself, for the report.
        pinned: fingerprint that the gateway has shown, None: it was not asked yet.
        paused_s: seconds for which the gateway was left alone, in all.
    """

    def __init__(
        self,
        clock: Clock,
        timeline: Timeline,
        product: str,
        settings: Callable[[], Settings | None],
        logins: dict[str, Login],
        *,
        rng: random.Random | None = None,
        every: timedelta = timedelta(0),
        real: bool = False,
    ) -> None:
        self.told: dict[str, str] = {}
        self.before: Callable[[], Awaitable[None]] | None = None
        self.assume: Assume = lambda *_: None
        self.logins = logins
        self.product = product
        self._clock = clock
        self._timeline = timeline
        self._settings = settings
        self._rng = rng
        self._every = every
        self._real = real
        self._clients: dict[str, HanClient] = {}
        self._used: dict[str, float] = {}
        self._exchanges: list[Exchange] = []
        self._opened: list[HanClient] = []
        self._undo: tuple[datetime | None] | None = None
        self.pinned: str | None = None
        self.paused_s = 0.0

    @property
    def first(self) -> str:
        """The user who is meant where nobody is named."""
        return next(iter(self.logins))

    def now(self) -> datetime:
        """The bench's time."""
        return self._clock.now()

    def used(self, *uses: Use) -> None:
        """Note what somebody relies on who does this."""
        note_used(self.assume, self.product, uses)

    def login_of(self, user: str | None) -> Login:
        """A user's credentials. Raises UsageError for one whom this bench does not know."""
        name = user or self.first
        if name not in self.logins:
            raise UsageError(f"this bench has no user {name!r} at the home interface ({', '.join(self.logins)})")
        return self.logins[name]

    async def client(self, user: str | None = None) -> HanClient:
        """The client of a user, logged in; a session that may be over is not taken up again."""
        name = user or self.first
        found = self._clients.get(name)
        if found is not None and self._clock.seconds() - self._used[name] > CYCLE_S:
            self.used("session")
            await self._end(name)
            found = None
        if found is None:
            self._refuse(name)
            found = await self.fresh(self.login_of(name))
            await self.pause()
            try:
                await found.login()
            except LoginRefused as error:
                await found.close()
                raise self._wrong_file(name, error) from None
            except (NotUnderstood, Refused) as error:
                await found.close()
                raise self._wrong_product(error) from None
            except BaseException:
                await found.close()
                raise
            if self._real:
                _TAKEN.add((*self._where(), self.login_of(name).user))
            self._clients[name] = found
            await self._note(found)
        self._used[name] = self._clock.seconds()
        return found

    def _where(self) -> tuple[str, int]:
        settings = self._settings()
        assert settings is not None  # a real gateway always has some
        return settings.host, settings.port

    def _known(self) -> bool:
        """Whether somebody has logged in there before."""
        return any(one[:2] == self._where() for one in _TAKEN)

    def _refuse(self, user: str) -> None:
        """Raise BenchError when these credentials were refused before: more failures would lock consumers out."""
        said = _REFUSED.get((*self._where(), self.login_of(user).user)) if self._real else None
        if said is not None:
            raise BenchError(f"not asked again: {said}")

    def _wrong_file(self, user: str, error: LoginRefused) -> Exception:
        """What is raised for a refused login: credentials that have never been good are the bench file's mistake."""
        login = self.login_of(user)
        if not self._real or (*self._where(), login.user) in _TAKEN:
            return error
        if isinstance(error, LoginLocked):  # by somebody: this says nothing of the file
            left = "" if error.remaining_s is None else f" until {self._local(error.remaining_s)}"
            return BenchError(f"the gateway is locked{left}, after others have failed to log in: {error}")
        fields = "'user' and 'certificate'" if login.password is None else "'user' and password ('password_file')"
        text = f"the gateway does not take what the bench file says of its user: {error}; look at {fields}"
        if self.product == "conexa":
            text += ". A conexa that is locked may say the same: then wait some minutes"
        _REFUSED[(*self._where(), login.user)] = text
        return BenchError(text)

    def _local(self, after_s: float) -> str:
        """The time so much later, as the clock on the wall shows it."""
        return f"{(self._clock.now() + timedelta(seconds=after_s)).astimezone():%H:%M:%S}"

    def _wrong_product(self, error: HanError) -> Exception:
        """What is raised where the first login ever is answered as this product does not: the type may be wrong.

        403 is what a CONEXA documents while it tests itself (han 3.1), and says nothing of the type.
        """
        if not self._real or self._known() or (isinstance(error, Refused) and error.status == 403):
            return error
        where = joined(*self._where())
        return BenchError(f"{where} does not answer a login as a {self.product} does; is the type right? {error}")

    def _judge(self, error: HanError) -> Exception:
        """At a real gateway the bench cannot tell cable, address and device apart."""
        if not self._real:
            return error
        if isinstance(error, CertificateChanged):
            if self._known():
                return error
            return BenchError(
                f"{joined(*self._where())} shows the certificate {error.shown}, the bench file names "
                f"{error.expected}: another gateway, or a new certificate; nothing was sent to it"
            )
        before = "; it answered before" if self._known() else ""
        return BenchError(f"{error}{before}: look at cable, address and supply")

    async def fresh(self, login: Login, *, may_be_gone: bool = False) -> HanClient:
        """A client of its own that is not logged in; raises HanUnreachable while there is no interface.

        Args:
            login: who asks.
            may_be_gone: that it cannot be reached is an answer, not the bench's trouble.
        """
        if self.before is not None:
            await self.before()
        settings = self._settings()
        if settings is None:
            raise HanUnreachable("the gateway has no home interface at the moment")
        settings = replace(settings, fingerprint=settings.fingerprint or self.pinned)
        self.used("login", *(("secret",) if login.password is not None else ()))
        from devices.han.open import open_client

        made: HanClient = open_client(
            self._clock,
            self.product,
            settings,
            login,
            rng=self._rng,
            on_exchange=lambda one: self._heard(one, made),
            judge=None if may_be_gone else self._judge,
        )
        self._opened.append(made)
        return made

    def pin(self, fingerprint: str | None) -> None:
        """Take the gateway for the one with this certificate; None: the next one that it shows."""
        self.pinned = fingerprint

    async def pause(self) -> None:
        """Wait until the next login is due (han 2.1), which is now."""
        await self.until_due()
        settings = self._settings()
        if self._real:
            default_s = GENTLE.total_seconds() if self.product == "ppc" else 0.0
            note_every(self.assume, self._every.total_seconds(), default_s)
        if settings is not None and self._every:
            where = joined(settings.host, settings.port)
            self._undo = (LAST.at(where),)
            LAST.note(where, self._clock.now())

    async def until_due(self) -> None:
        """Wait until the next login is due (han 2.1); nobody waits for a gateway that is not there."""
        settings = self._settings()
        self._undo = None
        if settings is None or not self._every:
            return
        where = joined(settings.host, settings.port)
        if not self._to_wait(where) or (where in NOBODY and not await self._anybody()):
            return
        if wait := self._to_wait(where):
            seconds, until = wait.total_seconds(), self._clock.now() + wait
            told = {"until": until.isoformat(), "every": self._every.total_seconds()}
            self._timeline.add("note", "han_pause", {"seconds": round(seconds, 3), **told})
            self.paused_s += seconds
            await self._clock.sleep(seconds)

    def _to_wait(self, where: str) -> timedelta:
        """Time until the next login is due: never more than the pause, even if the clock was set back."""
        last = LAST.at(where)
        gone = self._every if last is None else self._clock.now() - last
        return min(self._every, max(timedelta(0), self._every - gone))

    async def _anybody(self) -> bool:
        """Whether anybody is there, asked without credentials."""
        client = await self.fresh(Login("nobody"), may_be_gone=True)
        try:
            await client.raw("GET", "/", authenticate=False)
        except HanError:
            return bool(client.link.certificate)
        finally:
            await client.close()
        return True

    def _heard(self, one: Exchange, client: HanClient) -> None:
        """Learn from an exchange whether anybody is there; a login that nobody heard was none."""
        self._exchanged(one)
        if not self._every:
            return
        where = joined(*self._where())
        if one.status:
            NOBODY.discard(where)
        else:
            NOBODY.add(where)
            if self._undo is not None and not client.link.certificate:
                LAST.note(where, self._undo[0])
        self._undo = None

    def forget(self, user: str | None = None) -> None:
        """The next call logs in anew, as after a restart of the gateway.

        Args:
            user: the bench's name of him, whatever the gateway calls him.
        """
        self._clients.pop(user or self.first, None)

    def proven(self, user: str | None) -> bool:
        """Whether a user's credentials need no trial: they were taken before, or the bench has introduced him."""
        return not self._real or (*self._where(), self.login_of(user).user) in _TAKEN

    def open(self, user: str | None) -> bool:
        """Whether a user is logged in."""
        return (user or self.first) in self._clients

    async def end(self, user: str | None) -> None:
        """Log a user out, if he is logged in."""
        if (user or self.first) in self._clients:
            await self._end(user or self.first)

    async def _note(self, client: HanClient) -> None:
        """What the gateway says of itself, once."""
        if "id" in self.told:
            return
        self.used("device")
        info: DeviceInfo = await client.device()
        self.told = {
            "id": info.id or client.link.number or "not told",
            "firmware": info.firmware,
            "components": "; ".join(f"{one.name} {one.version} {one.checksum}".strip() for one in info.components),
            "certificate": client.link.fingerprint,
            "user": client.link.login.user,
        }
        self._timeline.add("han", "device", dict(self.told))

    def _exchanged(self, one: Exchange) -> None:
        self._exchanges.append(one)
        if self.pinned is None:
            self.pinned = next(
                (made.link.fingerprint for made in reversed(self._opened) if made.link.certificate), None
            )
        data: dict[str, Any] = {"user": one.user, "method": one.method, "target": one.target, "status": one.status}
        if one.form:
            data["form"] = dict(one.form)
        if one.problem:
            data["problem"] = one.problem
        self._timeline.add("han", "exchange", {**data, "octets": one.octets})

    async def _end(self, name: str) -> None:
        client = self._clients.pop(name)
        try:
            await client.logout()
        except (HanError, BenchError) as error:
            self._timeline.add("note", "han_logout", {"user": name, "problem": str(error)})
        finally:
            await client.close()

    async def close(self) -> None:
        """Log out and close all connections."""
        for name in tuple(self._clients):
            await self._end(name)
        for client in self._opened:
            await client.close()

    def keep(self, folder: Path) -> None:
        """Write the exchanges as HAR, without bodies, cookies and credentials."""
        if self._exchanges:
            write_json(folder / "han.har", {"log": _har(self._clock, self._settings(), self._exchanges)})


def _har(clock: Clock, settings: Settings | None, exchanges: list[Exchange]) -> dict[str, Any]:
    host = "gateway" if settings is None else f"{settings.host}:{settings.port}"
    entries = []
    for one in exchanges:
        begin = (clock.start + timedelta(seconds=one.began)).astimezone(UTC)
        took_ms = round((one.ended - one.began) * 1000, 3)
        empty: dict[str, Any] = {"httpVersion": "HTTP/1.1", "cookies": [], "headers": [], "headersSize": -1}
        request = {
            **empty,
            "method": one.method,
            "url": f"https://{host}{one.target}",
            "queryString": [],
            "bodySize": -1,
        }
        if one.form:
            pairs = [{"name": name, "value": value} for name, value in one.form.items()]
            request["postData"] = {"mimeType": "application/x-www-form-urlencoded", "params": pairs}
        content = {"size": one.octets, "mimeType": ""}
        answer = {**empty, "status": one.status, "statusText": one.problem, "redirectURL": "", "content": content}
        entries.append(
            {
                "startedDateTime": begin.isoformat(),
                "time": took_ms,
                "request": request,
                "response": {**answer, "bodySize": one.octets},
                "cache": {},
                "timings": {"send": 0, "wait": took_ms, "receive": 0},
                "comment": one.user,
            }
        )
    return {"version": "1.2", "creator": {"name": "smgw-bench", "version": "1"}, "entries": entries}
