"""What the home interface remembers of logins: failures by name, the lock, and what clients make up."""

from __future__ import annotations

import random
from types import MappingProxyType, SimpleNamespace
from typing import Any, cast

import pytest

from devices.clock import Clock
from devices.protocols.http_digest import Credentials, ha1, response
from firmware.han import authentication as module
from firmware.han.authentication import Authentication, Figures
from firmware.han.users import Directory, HanUser

REALM = "SMGW"
PASSWORDS = {"anna": "one.", "ben": "two."}
FIGURES = Figures(REALM, attempts=5, lock_s=300.0, forget_s=300.0, nonce_s=600.0)


def _user(name: str) -> HanUser:
    digests = MappingProxyType({one: ha1(name, REALM, PASSWORDS[name], one) for one in ("MD5", "SHA-256")})
    return HanUser(name, "consumer", name, digests, frozenset(), ())


@pytest.fixture
def logins(clock: Clock) -> Authentication:
    users = tuple(map(_user, PASSWORDS))
    directory = SimpleNamespace(by_login=lambda login: next((one for one in users if one.login == login), None))
    return Authentication(clock, cast(Any, None), cast(Directory, directory), FIGURES, random.Random(1))


def _fail(logins: Authentication, name: str, times: int) -> None:
    for _ in range(times):
        assert logins.password(name, "wrong").why == "wrong"


def _nonce(logins: Authentication) -> str:
    return logins.challenge().split('nonce="')[1].split('"')[0]


def _header(nonce: str, cnonce: str, user: str = "anna", password: str = "one.", algorithm: str = "MD5") -> str:
    given = Credentials(user, REALM, nonce, "/", "", algorithm, qop="auth", count="00000001", cnonce=cnonce)
    answer = response(ha1(user, REALM, password, algorithm), "GET", given)
    return (
        f'Digest username="{user}", realm="{REALM}", nonce="{nonce}", uri="/", response="{answer}", qop=auth, '
        f'nc=00000001, cnonce="{cnonce}", algorithm={algorithm}'
    )


async def test_an_account_of_ones_own_does_not_help_to_guess_others(logins: Authentication) -> None:
    _fail(logins, "ben", 4)
    assert logins.password("anna", "one.").user is not None
    assert logins.digest("GET", "/", _header(_nonce(logins), "a")).user is not None
    _fail(logins, "ben", 1)
    assert logins.locked_for_s == 300.0
    assert logins.password("anna", "one.").why == "locked"


async def test_a_login_takes_back_the_failures_with_its_own_name(logins: Authentication) -> None:
    for _ in range(3):
        _fail(logins, "anna", 4)
        assert logins.password("anna", "one.").user is not None
    _fail(logins, "nobody", 1)
    _fail(logins, "anna", 3)
    assert logins.locked_for_s == 0.0
    _fail(logins, "nobody else", 1)
    assert logins.locked_for_s == 300.0


async def test_failures_are_forgotten_with_time(logins: Authentication, clock: Clock) -> None:
    _fail(logins, "ben", 4)
    await clock.sleep(301)
    _fail(logins, "ben", 4)
    assert logins.locked_for_s == 0.0


async def test_a_good_answer_is_taken_once(logins: Authentication) -> None:
    header = _header(_nonce(logins), "a")
    assert logins.digest("GET", "/", header).user is not None
    assert logins.digest("GET", "/", header).why == "replayed"


async def test_nothing_is_remembered_of_answers_that_are_wrong(
    clock: Clock, logins: Authentication, monkeypatch: pytest.MonkeyPatch
) -> None:
    logins.on_locked = lambda user, login, count: logins.unlock()
    monkeypatch.setattr(module, "MOST_NAMES", 3)
    nonce = _nonce(logins)
    for number in range(200):
        assert logins.digest("GET", "/", _header(nonce, f"{number}", f"user {number}", "guess")).why == "wrong"
    assert logins._nonces[nonce].counts == set()
    assert len(logins._failures) <= 3
    assert logins.digest("GET", "/", _header(nonce, "x" * 65)).why == "malformed"
    assert logins.digest("GET", "/", _header(nonce, "x" * 64)).user is not None
    assert [len(one) for one in logins._nonces[nonce].counts] == [32]


@pytest.mark.parametrize(
    ("taken", "good"), [(("MD5",), "MD5"), (("SHA-256",), "SHA-256"), (("MD5", "SHA-256"), "both")]
)
async def test_only_the_algorithms_that_are_taken_log_in_and_others_do_not_count(
    logins: Authentication, taken: tuple[str, ...], good: str
) -> None:
    """An algorithm that a gateway announces and does not mean is no wrong password (han 3.1)."""
    nonce = _nonce(logins)
    for algorithm in ("MD5", "SHA-256"):
        for number in range(FIGURES.attempts + 1):
            header = _header(nonce, f"{algorithm}{number}", algorithm=algorithm)
            found = logins.digest("GET", "/", header, algorithms=taken)
            assert found.why == ("" if good in (algorithm, "both") else "algorithm")
    assert logins.locked_for_s == 0.0


async def test_nonces_go_with_age(logins: Authentication, clock: Clock) -> None:
    old = [_nonce(logins) for _ in range(50)]
    await clock.sleep(300)
    young = _nonce(logins)
    await clock.sleep(301)
    newest = _nonce(logins)
    assert list(logins._nonces) == [young, newest]
    assert logins.digest("GET", "/", _header(old[0], "a")).why == "stale"
