"""A gateway that gives one consumer's data to another is found out, whatever its product."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "han_clients"))

from han_casa_answers import METER, StandIn
from han_stand_in import make_certificate, serving

from bench.steps.han_checks import steal
from devices.clock import Clock
from devices.han.casa import CasaClient
from devices.han.content import HanContract, RawAnswer
from devices.han.errors import LoginRefused
from devices.han.link import HanLink
from devices.han.login import Login, Settings


class _Rig:
    """Two users at one gateway."""

    def __init__(self, victim: Any, thief: Any) -> None:
        self._victim, self._thief = victim, thief
        self.han = SimpleNamespace(client=self._client, fresh=self._fresh, login_of=Login)

    async def _client(self, _: str) -> Any:
        return self._victim

    async def _fresh(self, _: Login) -> Any:
        return self._thief


class _Client:
    def __init__(self, *answers: RawAnswer | Exception) -> None:
        self._answers = answers

    async def meters(self) -> tuple[str, ...]:
        return ("1LGZ0072999211",)

    async def contracts(self) -> tuple[HanContract, ...]:
        return (HanContract("01005e318027.profile.sm", 7, "profile"),)

    async def borrow(self, other: object) -> tuple[RawAnswer, ...]:
        for one in self._answers:
            if isinstance(one, Exception):
                raise one
        return cast(tuple[RawAnswer, ...], self._answers)

    async def close(self) -> None:
        """Nothing."""


def answer(status: int, text: str) -> RawAnswer:
    return RawAnswer(status, {}, text.encode(), {})


@pytest.mark.parametrize(
    ("answers", "refused"),
    [
        ((answer(200, ""), answer(404, "1lgz0072999211")), True),
        ((LoginRefused("no"),), True),
        ((answer(200, "nothing"), answer(200, "<td>1lgz0072999211</td>")), False),
        ((answer(403, ""), answer(200, '"01005e318027.profile.sm"')), False),
    ],
)
async def test_what_is_another_users_must_not_be_shown(answers: tuple[Any, ...], refused: bool) -> None:
    rig = cast(Any, _Rig(_Client(), _Client(*answers)))
    assert (await steal(rig, "anna", "otto"))[0] is refused


async def test_a_gateway_that_looks_at_no_user_is_found_out(clock: Clock, tmp_path: Path) -> None:
    """The stand-in takes any path of any user who is logged in."""
    async with serving(StandIn(), make_certificate(tmp_path, "gateway")) as port:
        links = [HanLink(clock, Settings("127.0.0.1", port), Login("hks2", "geheim.")) for _ in range(2)]
        anna, otto = (CasaClient(one) for one in links)
        refused, seen = await steal(cast(Any, _Rig(anna, otto)), "anna", "otto")
        await anna.close()
    assert (refused, METER in seen) == (False, True)
