"""What the maintenance port makes go wrong at the home interface: the same for all three products (han 2.1, 7)."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from aiohttp import ClientSession, CookieJar, DigestAuthMiddleware, TCPConnector
from han_casa_rack import MAIN, START, Casa, casa
from han_casa_rack import counted as casa_counted
from han_conexa_calls import TAF7, TAF10, channels
from han_conexa_rig import METER as CONEXA_METER
from han_conexa_rig import NOW as CONEXA_NOW
from han_conexa_rig import Bench, bench
from han_ppc_clients import PATH, context
from han_ppc_rack import IMPORT, METER, NOW, PASSWORDS, Ppc, ppc
from han_rack import reading_statements
from lxml import html

from devices.clock import Clock
from devices.errors import UsageError
from firmware.han.desk import HanDesk
from firmware.han.view import ConsumerView
from firmware.metering import derived
from firmware.metering.derived import DerivedEntry
from firmware.metering.tariffs.entries import Derived, Kind
from firmware.metering.tariffs.readings import Amount, word_of
from firmware.metering.values import Entry, Reading
from firmware.security.module import SecurityModule
from firmware.storage.memory import NonVolatileMemory

GOOD = "A000000020000000"


@dataclass
class Product:
    """A gateway, and what all three have in common.

    Attributes:
        gateway: the emulated gateway.
        ask: asks for the newest value of the first meter: status, and what came back.
    """

    gateway: Any
    ask: Callable[[], Awaitable[tuple[int, str]]]

    async def do(self, name: str, **fields: Any) -> Any:
        result = self.gateway._faults.commands()["do"][name].carry_out(**fields)
        return result if isinstance(result, dict) else await result

    def desk(self) -> HanDesk:
        return cast("HanDesk", self.gateway._session.han._desk)

    def view(self) -> ConsumerView:
        desk = self.desk()
        return desk.view(next(one for one in desk.directory.users() if one.role == "consumer"))

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(*self.gateway.han_address, ssl=context())


@asynccontextmanager
async def product(name: str, clock: Clock, memory: NonVolatileMemory, **options: Any) -> AsyncIterator[Product]:
    if name == "ppc":
        async with ppc(**options) as one:
            yield Product(one.rack.gateway, lambda: _ask_ppc(one))
    elif name == "casa":
        async with casa(clock, **options) as found:
            yield Product(found.rack.gateway, lambda: _ask_casa(found))
    else:
        async with bench(memory, **options) as conexa:
            yield Product(conexa.gateway, lambda: _ask_conexa(conexa))


async def _ask_ppc(one: Ppc, action: str = "showMeterProfile") -> tuple[int, str]:
    """In the loop of the test, whose time stands still while threads work."""
    made = context()
    digest, jar = DigestAuthMiddleware("alice", PASSWORDS["alice"]), CookieJar(unsafe=True)
    host, port = one.address
    base = f"https://{host}:{port}"
    async with ClientSession(base, connector=TCPConnector(ssl=made), middlewares=(digest,), cookie_jar=jar) as client:
        async with client.get(PATH) as answer:
            if answer.status != 200:
                assert answer.headers["Server"] == "SmartMeterGateway"
                return answer.status, await answer.text()
        async with client.post(PATH, data={"action": "meterform"}) as answer:
            form = html.fromstring(await answer.text())
        mid = form.xpath("//select[@id='meterform_select_meter']/option/@value")[0]
        async with client.post(PATH, data={"action": action, "mid": mid}) as answer:
            return answer.status, await answer.text()


async def _ask_casa(found: Casa) -> tuple[int, str]:
    async with found.client("alice") as client, client.get(f"/json/metering/origin/{MAIN.lower()}/extended") as answer:
        return answer.status, await answer.text()


async def _ask_conexa(conexa: Bench) -> tuple[int, str]:
    answer = await conexa.call("readings", **{"usage-point-id": TAF7, "database": "origin", "last-reading": True})
    return answer.status, answer.body.decode()


PRODUCTS = pytest.mark.parametrize("name", ["ppc", "conexa", "casa"])


@PRODUCTS
async def test_dropped_connections_are_cut_behind_the_handshake(
    name: str, clock: Clock, stored_conexa: NonVolatileMemory
) -> None:
    async with product(name, clock, stored_conexa) as one:
        open_before = await one.connect()
        await one.do("disturb_han", how="dropped")
        assert await ended(*open_before)
        assert await ended(*await one.connect()), "accepted, its handshake done, and cut"
        await one.do("mend", fault="han")
        assert (await one.ask())[0] == 200
        assert not one.gateway.crashes


async def until(fulfilled: Callable[[], bool]) -> None:
    for _ in range(4000):
        if fulfilled():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it does not come")


async def ended(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    try:
        return await asyncio.wait_for(reader.read(1), 5) == b""
    except (ConnectionError, ssl.SSLError):
        return True
    finally:
        writer.transport.abort()


@PRODUCTS
async def test_a_busy_gateway_answers_500_also_after_a_restart(
    name: str, clock: Clock, stored_conexa: NonVolatileMemory
) -> None:
    async with product(name, clock, stored_conexa) as one:
        await one.do("disturb_han", how="busy")
        assert (await one.ask())[0] == 500
        await one.do("restart")
        await until(lambda: one.gateway.han_address is None)
        await until(lambda: one.gateway.han_address is not None)
        assert (await one.ask())[0] == 500
        await one.do("mend")
        assert (await one.ask())[0] == 200
        assert not one.gateway.crashes


@PRODUCTS
async def test_a_slow_gateway_answers_so_much_later(name: str, clock: Clock, stored_conexa: NonVolatileMemory) -> None:
    async with product(name, clock, stored_conexa, han_request_s=20.0) as one:
        for seconds in (0, 61, 20, float("nan")):
            with pytest.raises(UsageError, match="above 0, at most 60 s, less than the option han_request_s, 20 s"):
                await one.do("disturb_han", how="slow", seconds=seconds)
        with pytest.raises(UsageError, match="only 'slow' has seconds"):
            await one.do("disturb_han", how="busy", seconds=3)
        now = asyncio.get_running_loop().time
        await one.do("disturb_han", how="slow", seconds=0.4)
        begun = now()
        assert (await one.ask())[0] == 200
        assert now() - begun >= 0.79, "each of the requests, the challenge too"
        await one.do("disturb_han", how="slow")
        assert one.gateway._unit.memory.fault("han") == {"how": "slow", "seconds": 15.0}
        await one.do("mend", fault="han")


@PRODUCTS
async def test_an_empty_gateway_has_its_lists_without_values(
    name: str, clock: Clock, stored_conexa: NonVolatileMemory
) -> None:
    async with product(name, clock, stored_conexa) as one:
        view = one.view()
        contracts, meters = view.contracts(), view.meters()
        assert any(list(view.derived(each.id)) for each in contracts) or name == "ppc"
        await one.do("disturb_han", how="empty")
        status, told = await one.ask()
        assert status == 200
        view = one.view()
        assert (view.contracts(), view.meters()) == (contracts, meters)
        assert view.log().entries
        assert not any(list(view.originals(each.meter, 0, 1 << 40)) for each in meters)
        for each in contracts:
            assert not list(view.derived(each.id))
            assert not view.newest_derived(each.id, 0, 1 << 40, 0, 9)
            assert not view.newest_originals(each.id, 0, 1 << 40, 0, 9)
            assert not view.sent(each.id)
            assert view.periods(each.id)[:1] or each.state == "ready"
        if name == "ppc":
            rows = html.fromstring(told).xpath("//table[@id='metervalue']/tr")
            assert len(rows) == 1, "the table is there, with its head"
        elif name == "casa":
            assert '"values":[]' in told
        else:
            assert told.count('"readings":[]') + told.count('"readings": []') == 2


async def test_the_log_goes_on_while_values_are_frozen_at_a_ppc() -> None:
    async with ppc() as one:
        await one.rack.console.do("disturb_han", how="frozen")

        before = (await _ask_ppc(one, "log"))[1].count(">10228<")
        await one.clock.sleep(1)  # until it is stored
        assert (await _ask_ppc(one, "log"))[1].count(">10228<") == before + 1


# --- frozen


def later(memory: NonVolatileMemory, meter: str, at: datetime, count: int) -> None:
    """A reading that comes later than all others."""
    grid_s = int(at.timestamp())
    reading = Reading(meter, grid_s, grid_s * 1_000_000, GOOD, (Entry(IMPORT, count, -1, 30),))
    memory.commit(reading_statements(SecurityModule(memory), (reading,)))


def evaluated(memory: NonVolatileMemory, contract: str, at: datetime) -> None:
    """A derived value."""
    value = Derived(Kind.BILLING, int(at.timestamp()), IMPORT, Amount(123, -1), word_of(GOOD), 30)
    memory.commit(derived.store([DerivedEntry(contract, 0, value, None)], [bytes(64)]))


_SENT = (
    "INSERT INTO sent (profile, recipient, cause, begin_s, end_s, count, sent_us, signature) "
    "VALUES (?, 'r', 'c', 1, 2, 1, 3, x'00')"
)
EVER = (0, 1 << 40, 0, 5000)


def everything(view: ConsumerView) -> list[Any]:
    """All values that all surfaces read."""
    found: list[Any] = []
    for one in view.meters():
        found += [view.latest(one.meter), list(view.originals(one.meter, 0, 1 << 40))]
    for each in view.contracts():
        found += [view.periods(each.id), view.sent(each.id), list(view.derived(each.id))]
        found += [view.newest_derived(each.id, *EVER), view.newest_originals(each.id, *EVER)]
    return found


@pytest.mark.parametrize(
    ("name", "meter", "now"),
    [("ppc", METER, NOW), ("casa", MAIN, START), ("conexa", CONEXA_METER, CONEXA_NOW)],
)
async def test_frozen_values_stay_those_of_the_moment(
    name: str, meter: str, now: datetime, clock: Clock, stored_conexa: NonVolatileMemory
) -> None:
    async with product(name, clock, stored_conexa) as one:
        memory = one.gateway._unit.memory
        shown, told = everything(one.view()), value_in(name, (await one.ask())[1])
        await one.do("disturb_han", how="frozen")
        owner = one.view().contracts()[0].id
        missed = now - timedelta(minutes=6)
        for at in (missed, now + timedelta(minutes=8), now + timedelta(days=40)):
            later(memory, meter, at, 99_999_999)
            evaluated(memory, owner, at)
        memory.commit([(_SENT, (owner,))])
        assert everything(one.view()) == shown, "also what was missed before and is stored now"
        assert value_in(name, (await one.ask())[1]) == told
        await one.do("mend", fault="han")
        assert everything(one.view()) != shown
        assert value_in(name, (await one.ask())[1]) != told
        assert one.view().newest_derived(owner, *EVER)[0].derived.at_s == int((now + timedelta(days=40)).timestamp())
        assert one.view().sent(owner)[-1] == (1, 2)


def value_in(name: str, told: str) -> Any:
    """The newest values of an answer, without what differs with every answer."""
    if name != "ppc":
        return told.partition('"readings"')[2] if name == "conexa" else told
    return html.fromstring(told).xpath("//table[@id='metervalue']//td/text()")


async def test_frozen_periods_begin_and_close_no_more(clock: Clock) -> None:
    """A new month is none for them, and what was open stays so."""
    async with casa(clock) as found:
        one = Product(found.rack.gateway, lambda: _ask_casa(found))
        await one.do("disturb_han", how="frozen")
        view, desk = one.view(), one.desk()
        contract = next(each for each in view.contracts() if each.contract.use_case == 1)
        periods = view.periods(contract.id)
        assert not periods[-1].closed
        in_march = datetime(2026, 3, 5, tzinfo=UTC).timestamp()
        asked = (view.user, desk.store, desk.unit.memory, desk.product, in_march)
        assert ConsumerView(*asked, desk.bound).periods(contract.id) == periods
        assert len(ConsumerView(*asked).periods(contract.id)) > len(periods)


async def test_frozen_needs_a_running_gateway_and_lasts_over_restarts(clock: Clock) -> None:
    async with casa(clock) as found:
        one = Product(found.rack.gateway, lambda: _ask_casa(found))
        before = (await one.ask())[1]
        await one.do("disturb_han", how="frozen")
        found.rack.gateway.power_off()
        assert (await found.rack.console.ask(do="disturb_han", how="frozen"))["refused"]
        found.store(MAIN, START + timedelta(minutes=5))
        found.rack.gateway.power_on()
        await found.rack.ready()
        await clock.sleep(1)
        assert (await found.rack.console.info())["faults"] == ["han"]
        assert (await one.ask())[1] == before
        assert str(casa_counted(START - timedelta(minutes=10), MAIN)) in before


async def test_samples_that_are_not_stored_freeze_too(stored_conexa: NonVolatileMemory) -> None:
    """TAF-10 of a CONEXA: present values, from the moment at which it was planted."""
    async with bench(stored_conexa) as conexa:
        one = Product(conexa.gateway, lambda: _ask_conexa(conexa))
        register = (CONEXA_METER, "1-0:16.7.0*255")
        shown = {"value": 111}

        def present(profile: str) -> dict[tuple[str, str], Derived]:
            if profile != "taf10-1":
                return {}
            amount, (meter, obis) = Amount(shown["value"], 0), register
            return {register: Derived(Kind.PERIOD, int(CONEXA_NOW.timestamp()), obis, amount, word_of(GOOD), 27, meter)}

        one.gateway._session.han.present = present

        async def value() -> list[str]:
            found = await channels(conexa, TAF10, **{"last-reading": True})
            return [each["value"] for lists in found.values() for each in lists]

        assert await value() == ["111"]
        await one.do("disturb_han", how="frozen")
        shown["value"] = 222
        assert await value() == ["111"]
        await one.do("disturb_han", how="empty")
        assert await value() == []
        await one.do("mend")
        assert await value() == ["222"]


# --- a changed certificate, other ids


@PRODUCTS
async def test_a_changed_certificate_is_shown_to_new_connections(
    name: str, clock: Clock, stored_conexa: NonVolatileMemory
) -> None:
    async with product(name, clock, stored_conexa) as one:
        before = await shown_certificate(one)
        told = await one.do("renew_certificate", which="han")
        await until(lambda: one.gateway.han_address is not None)
        assert told["fingerprint"] == await shown_certificate(one) != before
        assert (await one.ask())[0] == 200


async def shown_certificate(one: Product) -> str:
    _, writer = await one.connect()
    shown = writer.get_extra_info("ssl_object").getpeercert(True)
    writer.transport.abort()
    return hashlib.sha256(shown).hexdigest()


async def test_the_table_of_values_may_have_another_id() -> None:
    async with ppc(han_ppc_table_id="meterwerte") as one:
        _, told = await _ask_ppc(one)
        page = html.fromstring(told)
        assert not page.xpath("//table[@id='metervalue']")
        assert page.xpath("//table[@id='meterwerte']//td[@id='table_metervalues_col_wert']")
