"""`smgw-bench export trudi --han`: a contract's values for the transparency software, read as its consumer."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from pydantic import ValidationError

from bench.han_look import WrongPlace, look
from bench.han_models import HanOnBench
from bench.quantity import printable
from bench.tools.han_signatures import checked
from bench.tools.han_signatures import told as lines_of
from devices.errors import BenchError, UsageError
from devices.han.errors import CertificateChanged, HanError, HanUnreachable, NotUnderstood, Refused
from devices.han.open import open_client
from devices.han.trudi import EXPORTED, Span, content, fetch, span_of
from devices.protocols.trudi.errors import ExportRefused
from devices.protocols.trudi.writer import to_bytes

if TYPE_CHECKING:
    from devices.clock import Clock
    from devices.han.client import HanClient
    from devices.han.content import HanContract
    from devices.protocols.trudi.content import GatewayExport


@dataclass(frozen=True)
class Asked:
    """What is to be exported.

    Attributes:
        product: ppc, conexa or casa.
        han: how the gateway is reached.
        contract: its id or name; empty: the only one with values.
        begin_s, end_s: span, seconds since 1970; None: the newest billing period that is over, or all there is.
        usage_point, supplier, tariff: in place of what the gateway says.
    """

    product: str
    han: HanOnBench
    contract: str = ""
    begin_s: int | None = None
    end_s: int | None = None
    usage_point: str = ""
    supplier: str = ""
    tariff: str = ""


@dataclass(frozen=True)
class Made:
    """An export.

    Attributes:
        octets: the file.
        content: what is in it.
        told: the same in figures, without a word on signatures: they are verified when the file is safe.
    """

    octets: bytes
    content: GatewayExport
    told: dict[str, Any]


async def export(clock: Clock, asked: Asked) -> Made:
    """Read what the file needs, and make it.

    Raises:
        UsageError: no such contract, no values, rules of the file that they break, or a gateway that refuses.
    """
    client = open_client(clock, asked.product, asked.han.settings(), asked.han.login())
    try:
        await client.login()
        try:
            return await _export(clock, client, asked)
        finally:
            await client.logout()
    except (NotUnderstood, Refused, HanUnreachable, CertificateChanged) as error:
        await _look(clock, asked)
        raise UsageError(printable(" ".join(str(error).split()))) from None
    except HanError as error:
        raise UsageError(str(error)) from None
    finally:
        await client.close()


async def _look(clock: Clock, asked: Asked) -> None:
    """See what it is that does not answer as it should. Raises UsageError, and BenchError where nothing is there."""
    try:
        await look(clock, asked.product, asked.han)
    except WrongPlace as error:
        if error.field == ("han", "address"):
            raise BenchError(f"--han: {error}") from None
        hint = f"write --type {error.right}" if error.right else "a new certificate, or another gateway"
        raise UsageError(f"--{error.field[-1]}: {error.problem}", hint=hint) from None


async def _export(clock: Clock, client: HanClient, asked: Asked) -> Made:
    contract = _chosen(await client.contracts(), asked.contract)
    now = (await client.device()).time or clock.now()
    fetched = await fetch(client, contract, _span(contract, now, asked))
    if not fetched.originals and not fetched.derived:
        span = fetched.span
        raise UsageError(
            f"contract {contract.id} has no values from {span.begin.isoformat()} to {span.end.isoformat()}"
        )
    made, query = content(fetched, asked.han.user)
    made = replace(
        made,
        usage_point=asked.usage_point or made.usage_point,
        supplier=asked.supplier or made.supplier,
        tariff=asked.tariff or made.tariff,
    )
    try:
        octets = to_bytes(made, query)
    except ExportRefused as error:
        raise UsageError(f"the values of contract {contract.id} do not make a TRuDI file: {error}") from None
    told = {
        "contract": contract.id,
        "octets": len(octets),
        "lists": len(made.lists),
        "values": sum(len(tuple(block.readings)) for one in made.lists for block in one.blocks),
        "begin": fetched.span.begin.isoformat(),
        "end": fetched.span.end.isoformat(),
        "gateway": made.gateway.id,
        "fingerprint": client.link.fingerprint,
    }
    return Made(octets, made, told)


def _chosen(contracts: tuple[HanContract, ...], name: str) -> HanContract:
    known = ", ".join(f"{one.id} (TAF-{one.taf}, {one.state})" for one in contracts) or "there is none"
    found = [one for one in contracts if name == one.id or f".{name}." in one.id]
    found = found or [one for one in contracts if name == one.name]
    if not name:
        found = [one for one in contracts if one.taf in EXPORTED and one.state != "ready"]
    if len(found) != 1:
        what = f"the gateway shows no contract {name!r}" if name else "say which contract with --contract"
        raise UsageError(what, hint=known)
    return found[0]


def _span(contract: HanContract, now: datetime, asked: Asked) -> Span:
    given = span_of(contract, now)
    begin = given.begin if asked.begin_s is None else datetime.fromtimestamp(asked.begin_s, UTC)
    if asked.end_s is not None:
        end, closed = datetime.fromtimestamp(asked.end_s, UTC), True
    elif asked.begin_s is not None and not given.begin <= begin <= given.end:
        end, closed = now.replace(microsecond=0), False
    else:
        end, closed = given.end, given.closed
    if contract.begin is not None and contract.begin > now and asked.begin_s is None and asked.end_s is None:
        raise UsageError(
            f"contract {contract.id} has no values yet: it begins at {contract.begin.isoformat()}, "
            f"and now it is {now.replace(microsecond=0).isoformat()}"
        )
    if end < begin:
        raise UsageError(f"the span ends before it begins: {begin.isoformat()} to {end.isoformat()}")
    return Span(begin, end, closed)


def run(
    asked: Asked, out: Path | None, as_json: bool, whole: Callable[[Path], AbstractContextManager[BinaryIO]]
) -> int:
    """Write the file to `out` or to the standard output; 0 when it is there. Raises UsageError."""
    from bench.tools.arguments import run_in_real_time

    if as_json and out is None:
        raise UsageError("--json tells what was written, which needs a file", hint="name one with --out")
    made: list[Made] = []

    async def work(clock: Clock) -> int:
        one = await export(clock, asked)
        if out is None:
            sys.stdout.flush()
            sys.stdout.buffer.write(one.octets)
        else:
            with whole(out) as file:
                file.write(one.octets)
        made.append(one)
        return 0

    code = run_in_real_time(work)
    if code or out is None:
        return code
    (one,) = made
    told = one.told
    if as_json:
        sys.stdout.write(json.dumps(told | checked(one.content)) + "\n")
        return 0
    sys.stdout.write(
        f"{out}: {told['values']} values in {told['lists']} lists of contract {told['contract']}, "
        f"{told['begin']} to {told['end']}, {told['octets']} octets\n"
        f"gateway {told['gateway']}, certificate {told['fingerprint']}\n"
    )
    sys.stdout.flush()
    sys.stdout.write("".join(f"{line}\n" for line in lines_of(checked(one.content))))
    return 0


def access(
    *,
    address: str,
    user: str | None,
    password_file: Path | None,
    certificate: Path | None,
    key: Path | None,
    known: str | None,
) -> HanOnBench:
    """How the gateway is reached, from the command line. Raises UsageError."""
    ways = {"password_file": password_file, "certificate": certificate, "key": key}
    given: dict[str, Any] = {name: str(path) for name, path in ways.items() if path is not None}
    if password_file is None and certificate is None:
        raise UsageError("say how you log in", hint="--password-file FILE or --certificate PEM")
    try:
        if user is not None:
            given["user"] = user
        return HanOnBench.model_validate({"address": address, "fingerprint": known, **given})
    except ValidationError as error:
        mistake = error.errors(include_url=False)[0]
        field = str(mistake["loc"][0]) if mistake["loc"] else "address"
        cause = mistake.get("ctx", {}).get("error")
        option = _OPTIONS.get(field, f"--{field.replace('_', '-')}")
        raise UsageError(f"{option}: {printable(str(cause or mistake['msg']))}") from None


_OPTIONS: Final = {"address": "--han", "port": "--han"}
"""Field of the bench file -> option, where they are not called alike."""
