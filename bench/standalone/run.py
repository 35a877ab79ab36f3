"""`smgw-bench gateway`: a stand-alone gateway from its files to its end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import shutil
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from bench.emulation import last_known
from bench.quantity import printable
from bench.scenario.contract_models import LOCAL
from bench.standalone.control import Control, listening
from bench.standalone.data_dir import CRASHES, DataFolder, Kept
from bench.standalone.garbage import made_to_stay
from bench.standalone.given import Given, take
from bench.standalone.history import LEAD, Stopped, Stretch, begin_of_history, fill, unless_stopped
from bench.standalone.meters import Meters
from bench.standalone.plan import Plan, Profile
from bench.standalone.told import Announcement, host_text
from bench.standalone.unit import Unit, apply, plugged_in
from bench.standalone.users import Told, introduce
from bench.tools.stopping import stopped
from devices.clock import Clock, run, wall_now
from devices.errors import BenchError, UsageError, UsageErrors
from devices.ports.memory import memory_pair

if TYPE_CHECKING:
    from devices.leds.watch import LedWatch

HAN_WITHIN_S: Final = 60.0
"""How long the home interface may take once the firmware is ready."""
LEDS_AFTER_S: Final = 1.0
"""The LEDs are watched from so long after it is ready, or since somebody asks for them: clients come first."""
Gap = Literal["leave", "fill"]


@dataclass(frozen=True)
class Options:
    """What `smgw-bench gateway` was asked.

    Attributes:
        kind: product.
        han: host and TCP port of the home interface, port 0: any.
        config: the configuration.
        data: folder of its data, None: a temporary one.
        meters: file of meters in place of those of the configuration.
        history: how far back a new gateway's values go, None: not at all.
        gap: what becomes of the time since the last run.
        faults: made when it is ready.
        real_boot: it starts as slowly as the product.
        as_json: told as JSON.
    """

    kind: str
    han: tuple[str, int]
    config: Path | None = None
    data: Path | None = None
    meters: Path | None = None
    history: str | None = None
    gap: Gap = "leave"
    faults: tuple[Mapping[str, Any], ...] = field(default=())
    real_boot: bool = False
    as_json: bool = False


def gateway(options: Options) -> int:
    """Run a gateway until SIGINT or SIGTERM; returns 130 or 143 after these, 0 when the control socket ended it.

    Raises:
        UsageError: what was asked for makes no sense, or a file is wrong.
        BenchError: the address or folder cannot be had.
    """
    before = os.umask(0o077)  # keys, passwords and values are nobody else's
    try:
        return _run(options)
    finally:
        os.umask(before)


def _run(options: Options) -> int:
    now = wall_now()
    begin = None if options.history is None else begin_of_history(options.history, now)
    address = free_address(*options.han)
    with DataFolder(options.data) as folder:
        try:
            given = take(options.kind, options.config, options.meters, folder)
            plan = given.plan
            if given.kept:
                warn(f"the files that {folder.path} keeps are used: {', '.join(given.kept)}")
            prepare(plan, folder, begin, now, given)
            users, ways = introduce(plan, folder)
            profiles = _profiles(plan, folder, ways)
            if not folder.memory.exists():
                if begin is not None:
                    _fill_new(plan, folder, profiles)
            else:
                if options.history is not None:
                    _say_what_is_there(folder, options.history)
                if options.gap == "fill":
                    _fill_gap(plan, folder, profiles)
            gc.collect()  # the gateway that made the history: what is there when it serves is kept for good
            return run(_serve(given, folder, options, address, users, profiles), virtual=False)
        except Stopped as end:
            return end.code
        finally:
            folder.clear_if_new()
            if folder.temporary:
                shutil.rmtree(folder.path, ignore_errors=True)


def free_address(host: str, port: int) -> tuple[str, int]:
    """Host and port, which somebody may listen at now; port 0 becomes a free one. Raises BenchError."""
    try:
        family, kind, _, _, found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(found)
            probe.listen(1)
            return host, int(probe.getsockname()[1])
    except OSError as error:
        reason = error.strerror or str(error)
        raise BenchError(f"--han {host_text(host, port)}: nobody can listen there: {reason}") from error


def prepare(plan: Plan, folder: DataFolder, begin: datetime | None, now: datetime, given: Given | None = None) -> None:
    """Make the folder that of this gateway, or check that it is. Raises UsageError."""
    kept = folder.kept
    if kept is not None and kept.type != plan.product.id:
        raise UsageError(
            f"{folder.path} holds the data of a {kept.type} gateway", hint=f"--type {kept.type}, or a new folder"
        )
    if kept is not None and kept.device_id != plan.device_id:
        raise UsageError(
            f"{folder.path} holds the data of the gateway {kept.device_id}, not of {plan.device_id}",
            hint="a new folder, or that id in the configuration",
        )
    if kept is not None and folder.memory.exists():
        return
    began = begin or now
    origin = began - LEAD if begin is not None else now
    passwords = {} if kept is None else kept.passwords
    who = Kept(plan.product.id, plan.device_id, origin, began, passwords)
    if given is not None:  # a first start that is killed comes back with these
        who = replace(who, given=given.copy_to(folder), files=given.marks)
    folder.keep(who)
    shutil.rmtree(folder.meters, ignore_errors=True)  # of a gateway that never was
    _remove(_part_of(folder))


def _profiles(plan: Plan, folder: DataFolder, ways: Sequence[Profile]) -> Callable[[datetime], list[Profile]]:
    """What the gateway is given at an instant; the begin of a contract is worked out once and stays."""

    def make(now: datetime) -> list[Profile]:
        assert folder.kept is not None
        begins = dict(folder.kept.begins)
        for name in plan.given.contracts:
            if name not in begins:
                begins[name] = plan.begin_of(name, max(now, folder.kept.began)).isoformat()
        folder.note(begins=begins)
        contracts = [
            plan.contract_profile(name, plan.begin_of(name, datetime.fromisoformat(begins[name])))
            for name in plan.given.contracts
        ]
        return [*ways, *plan.meter_profiles(), *contracts]

    return make


def _say_what_is_there(folder: DataFolder, history: str) -> None:
    """A history is made for a new gateway only: who asks for one later is told."""
    assert folder.kept is not None
    since = f"{folder.kept.began.astimezone(LOCAL):%Y-%m-%d %H:%M}"
    warn(f"--history {history}: {folder.path} is that of a gateway since {since}, nothing is added")


def _fill_new(plan: Plan, folder: DataFolder, profiles: Callable[[datetime], list[Profile]]) -> None:
    """The history of a new gateway; it counts once it is whole."""
    assert folder.kept is not None
    part = _part_of(folder)
    try:
        fill(Stretch(plan, folder, part, folder.kept.origin, profiles, _progress(), durable=False))
        with part.open("rb") as octets:
            os.fsync(octets.fileno())
        part.rename(folder.memory)
    except Stopped:
        warn("the history was broken off, nothing of it is kept")
        raise
    finally:
        _remove(part)


def _fill_gap(plan: Plan, folder: DataFolder, profiles: Callable[[datetime], list[Profile]]) -> None:
    """What was missed since the last run, as if it had gone on."""
    since = last_known(folder.memory)
    if since is not None and since < wall_now():
        fill(Stretch(plan, folder, folder.memory, since, profiles, _progress(), durable=True))


def _part_of(folder: DataFolder) -> Path:
    """The memory while its history is made."""
    return folder.memory.with_name(folder.memory.name + ".part")


def _remove(part: Path) -> None:
    for left in part.parent.glob(f"{part.name}*"):
        left.unlink(missing_ok=True)


def _progress() -> Callable[[float], None]:
    """Tell the share that is done: on a terminal in one line, else each tenth."""
    terminal, told = sys.stderr.isatty(), -1

    def tell(share: float) -> None:
        nonlocal told
        tenth = int(share * (100 if terminal else 10))
        if tenth != told:
            told = tenth
            text = f"history: {share:4.0%}"
            sys.stderr.write(f"\r{text}" + ("\n" if share >= 1 else "") if terminal else f"{text}\n")
            sys.stderr.flush()

    return tell


async def _serve(
    given: Given,
    folder: DataFolder,
    options: Options,
    address: tuple[str, int],
    users: Sequence[Told],
    profiles: Callable[[datetime], list[Profile]],
) -> int:
    assert folder.kept is not None
    plan = given.plan
    loop = asyncio.get_running_loop()
    clock = Clock(loop, folder.kept.origin, elapsed_s=(wall_now() - folder.kept.origin).total_seconds())
    loop.set_exception_handler(_crashed(folder))
    async with AsyncExitStack() as stack:
        starting = stack.enter_context(ExitStack())
        starting.enter_context(made_to_stay())
        stop = stopped(stack.enter_context(ExitStack()))
        bus, lmn = memory_pair(clock, ("LMN", "gateway LMN"))
        meters = Meters(clock, plan, folder, bus)
        stack.callback(meters.close)
        firmware = plan.options(real_boot=options.real_boot)
        unit = await stack.enter_async_context(
            plugged_in(clock, plan, folder.memory, lmn, meters.antenna, options=firmware, han=address)
        )
        leds = _leds_of(unit, stack)
        if options.real_boot:
            leds()
        try:
            told = await unless_stopped(_bring_up(unit, given, folder, options, users, profiles), stop)
        except Stopped as end:
            return end.code
        control = Control(unit, meters, leds, lambda: replace(told, **_present(unit)).as_json())
        await stack.enter_async_context(listening(folder.socket, control.answer))
        _say(told, as_json=options.as_json)
        starting.close()
        stack.callback(loop.call_later(LEDS_AFTER_S, leds).cancel)
        await asyncio.wait((stop, control.stop), return_when=asyncio.FIRST_COMPLETED)
        control.stop.cancel()
        return stop.result() if stop.done() else 0


def _leds_of(unit: Unit, stack: AsyncExitStack) -> Callable[[], LedWatch]:
    """Gives what watches the LEDs; it is made at the first call, and closed with `stack`."""

    @cache
    def leds() -> LedWatch:
        from devices.leds.watch import LedWatch

        watch = LedWatch(unit.clock.seconds, unit.plug.leds)
        stack.callback(watch.close)
        return watch

    return leds


async def _bring_up(
    unit: Unit,
    given: Given,
    folder: DataFolder,
    options: Options,
    users: Sequence[Told],
    profiles: Callable[[datetime], list[Profile]],
) -> Announcement:
    """Wait for the firmware, give it what it does not have yet, make the faults; what is told then."""
    assert folder.kept is not None
    info = await unit.ready()
    if info["phase"] == "ready":
        try:
            for left in await apply(unit, folder, profiles(unit.clock.now())):
                warn(left)
        except UsageErrors:
            folder.refuse()
            if options.config is None and options.meters is None:  # a first start was killed before they were looked at
                warn("the files that are kept are refused: name others with --config and --meters")
            raise
        given.keep_in(folder)  # at a later start only files that were not refused take the place of those before
    else:
        warn(f"the gateway is in the state {info['state']}: the files are not looked at")
    for fault in options.faults:
        told = await unit.port.ask(dict(fault))
        if not told.get("ok"):
            raise UsageError(f"--fault {fault.get('do')}: {told.get('error')}")
    deadline = unit.clock.deadline(HAN_WITHIN_S if info["state"] == "run" and not options.faults else 0.5)
    while unit.plug.han_address is None and not deadline.passed:
        await unit.clock.sleep(0.01)
    if unit.plug.han_address is None and info["state"] == "run" and not options.faults:
        raise BenchError(f"the home interface did not come up within {HAN_WITHIN_S:g} s")
    info = await unit.port.read("info")
    return Announcement(
        given.plan,
        str(info["state"]),
        str(info["software"]),
        unit.plug.han_address,
        unit.plug.han_fingerprint,
        tuple(users),
        folder.path,
        folder.temporary,
        folder.socket,
        folder.kept.began,
        os.getpid(),
    )


def _present(unit: Unit) -> dict[str, Any]:
    return {"address": unit.plug.han_address, "fingerprint": unit.plug.han_fingerprint}


def _say(told: Announcement, *, as_json: bool) -> None:
    text = json.dumps(told.as_json(), ensure_ascii=False) if as_json else "\n".join(map(printable, told.lines()))
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def warn(text: str) -> None:
    """On standard error, also when the output is for programs."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"smgw-bench: {printable(text)}\n")
        sys.stderr.flush()


def _crashed(folder: DataFolder) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    """What the emulation does wrong is told and kept, and the gateway goes on."""

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        import traceback

        error = context.get("exception")
        text = "".join(traceback.format_exception(error)) if isinstance(error, BaseException) else f"{context}\n"
        path = folder.path / CRASHES
        with contextlib.suppress(OSError), path.open("a", encoding="utf-8") as file:
            file.write(f"{wall_now().isoformat()} {context.get('message')}\n{text}")
        warn(f"the emulation failed: {context.get('message')}: {error!r} (see {path})")

    return handle
