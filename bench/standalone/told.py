"""What a stand-alone gateway tells of itself when it is ready: lines for people, one JSON object for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from bench.scenario.contract_models import LOCAL
from bench.standalone.plan import Plan
from bench.standalone.users import P12_PASSWORD, Told

PATHS: Final[Mapping[str, Mapping[str, str]]] = {
    "ppc": {"consumer": "/cgi-bin/hanservice.cgi", "technician": "/cgi-bin/hanservicetech.cgi"},
    "conexa": {"consumer": "/", "technician": "/", "m2m": "/smgw/m2m"},
    "casa": {"consumer": "/", "technician": "/service", "json": "/json/systeminformations"},
}
"""Product -> role or service -> path at its home interface (han 2.1, 3.1, 4.1)."""


@dataclass(frozen=True)
class Announcement:
    """What is told.

    Attributes:
        plan: what the gateway is.
        state: operating state.
        software: version that runs.
        address: where its home interface listens, None: it does not.
        fingerprint: SHA-256 of the certificate there, hex; None: there is none.
        users: who may log in.
        data: folder of its data.
        temporary: that goes at the end.
        control: the control socket.
        since: begin of its values.
        pid: of this process.
    """

    plan: Plan
    state: str
    software: str
    address: tuple[str, int] | None
    fingerprint: str | None
    users: tuple[Told, ...]
    data: Path
    temporary: bool
    control: Path
    since: datetime
    pid: int

    @property
    def urls(self) -> dict[str, str]:
        """Role or service -> where it is."""
        if self.address is None:
            return {}
        base = f"https://{host_text(*self.address)}"
        return {name: base + path for name, path in PATHS[self.plan.product.id].items()}

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        address = None if self.address is None else {"host": self.address[0], "port": self.address[1]}
        contracts = {name: one.taf for name, one in self.plan.given.contracts.items()}
        return {
            "type": self.plan.product.id,
            "device_id": self.plan.device_id,
            "software": self.software,
            "state": self.state,
            "address": address,
            "urls": self.urls,
            "fingerprint": self.fingerprint,
            "users": [one.as_json() for one in self.users],
            "meters": self.plan.numbers,
            "contracts": contracts,
            "since": self.since.isoformat(),
            "data": str(self.data.absolute()),
            "temporary": self.temporary,
            "control": str(self.control.absolute()),
            "pid": self.pid,
        }

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"{self.plan.product.name} {self.plan.device_id}, software {self.software}: {self.state}"
        for what, text in self._rows():
            yield f"  {what:<12}{text}"

    def _rows(self) -> Iterator[tuple[str, str]]:
        if self.address is None:
            yield "HAN", "the home interface is off in this state"
        else:
            yield "HAN", host_text(*self.address)
        for name, url in self.urls.items():
            yield name, url
        if self.fingerprint is not None:
            pairs = ":".join(self.fingerprint[at : at + 2] for at in range(0, len(self.fingerprint), 2))
            yield "certificate", f"SHA-256 {pairs.upper()}"
        for user in self.users:
            yield user.role, "  ".join([user.id, *_credentials(user)])
        for name, number in self.plan.numbers.items():
            yield "meter", f"{name}  {number}"
        for name, one in self.plan.given.contracts.items():
            yield "contract", f"{name}  TAF-{one.taf}  {', '.join(one.meters)}  {one.consumer}"
        yield "values", f"since {self.since.astimezone(LOCAL):%Y-%m-%d %H:%M}"
        yield "data", f"{self.data}" + (" (temporary: name a folder with --data to keep it)" if self.temporary else "")
        yield "control", f"smgw-bench gateway-control {self.data} commands"


def _credentials(user: Told) -> Iterator[str]:
    if user.password is not None:
        yield f"password {user.password}" + (" (made up)" if user.made else "")
    if user.certificate is not None:
        yield f"certificate {user.certificate}"
    if user.key is not None:
        yield f"key {user.key}"
    if user.p12 is not None:
        yield f"for browsers {user.p12} (password {P12_PASSWORD})"


def host_text(host: str, port: int) -> str:
    """Host and port as in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
