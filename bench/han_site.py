"""The home interface of an emulated gateway: introduces its users, and lets it run before scenarios for any gateway."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench import contract_orders
from bench.han_credentials import make_credential
from bench.han_models import CONSUMER, GivenHanUser
from devices.errors import BenchError
from devices.han.login import ClientCertificate, Login
from devices.maintenance import Refused
from devices.protocols.http_digest import MD5, SHA_256, ha1

if TYPE_CHECKING:
    from bench.rig import Rig

RIGHTS: Final[Mapping[str, tuple[str, ...]]] = {
    "consumer": ("values", "tariffs", "consumer_log", "selftest", "device_data"),
    "technician": ("system_log", "selftest", "device_data"),
}
READY_S: Final = 600.0
"""Bench seconds within which an emulated gateway is ready after its mains came on."""
_POLL_S: Final = 1.0


@dataclass(frozen=True)
class Introduced:
    """A user as the administrator introduces him: his credentials, and the profile that the gateway gets."""

    login: Login
    profile: dict[str, Any]


def given_users(rig: Rig) -> dict[str, GivenHanUser]:
    """The users of the scenario; one consumer when it names none."""
    return dict(rig.scenario.given.han.users) or {CONSUMER: GivenHanUser()}


def make_users(rig: Rig, realm: str, folder: Path, rng: random.Random) -> dict[str, Introduced]:
    """Credentials and profiles of all users; certificates go into `folder`."""
    found = {}
    for name, given in given_users(rig).items():
        common = {"kind": "han_communication", "role": given.role, "user": name, "rights": list(RIGHTS[given.role])}
        if given.by_certificate:
            file, der = _certificate(name, folder, rng, rig.clock.start, rig.gateway_type.id)
            profile = {**common, "id": f"han-{name}", "authentication": "certificate", "certificate": der.hex()}
            found[name] = Introduced(Login(name, None, ClientCertificate(file)), profile)
            continue
        password = given.password or f"password-of-{name}."
        digest = "".join(ha1(name, realm, password, one) for one in (MD5, SHA_256))
        profile = {**common, "id": f"han-{name}", "authentication": "password", "password_digest": digest}
        found[name] = Introduced(Login(name, password), profile)
    return found


def _certificate(name: str, folder: Path, rng: random.Random, now: datetime, product: str) -> tuple[Path, bytes]:
    """A certificate with its key in one file, and its DER."""
    made = make_credential(name, product, now, rng)
    file = folder / f"{name}.pem"
    try:
        file.touch(0o600)
        file.write_bytes(made.key_pem + made.pem)
    except OSError as error:
        raise BenchError(f"{file} cannot be written: {error.strerror}") from error
    return file, made.der


class EmulatedSite:
    """What has to happen at an emulated gateway before a user can be there.

    Args:
        rig: the bench.
        users: whom the administrator introduces.
        served: whether the home interface is there at this moment.
    """

    def __init__(self, rig: Rig, users: Mapping[str, Introduced], served: Callable[[], bool]) -> None:
        self._rig = rig
        self._users = dict(users)
        self._served = served

    async def introduce(self) -> None:
        """Introduce those users whom the gateway does not know; a gateway that is off is left alone."""
        for name in tuple(self._users):
            try:
                await self._rig.maintenance.do("install_profile", profile=self._users[name].profile)
            except Refused as refused:
                if self._served():
                    raise BenchError(f"the emulated gateway does not take the user {name!r}: {refused}") from refused
                return
            del self._users[name]
            self._rig.timeline.add("wan", "user_introduced", {"user": name})

    async def run_in(self) -> None:
        """Mains on, users and contracts installed, and some time gone by, as with a gateway that is in use."""
        rig = self._rig
        await rig.mains.on()
        deadline = rig.clock.seconds() + READY_S
        while not self._served():
            if rig.clock.seconds() >= deadline:
                raise BenchError(f"the emulated gateway has no home interface {READY_S:g} s after its mains came on")
            await rig.clock.sleep(_POLL_S)
        await self.introduce()
        for contract in rig.scenario.given.contracts:
            await contract_orders.install(rig, contract)
        await rig.clock.sleep(rig.scenario.given.han.history.total_seconds())
