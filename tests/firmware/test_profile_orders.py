"""Profiles of all kinds through the maintenance port of a whole gateway: answers, logs, what they set going, cuts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from gateway_rack import Rack
from secure_rack import SecureRack
from small_meter import SmallBus, SmallMeter

from devices import gateway_types
from devices.clock import Clock
from firmware.config import GatewayConfig, MeterProfile
from firmware.metering.tariffs.standard import standard_profile
from firmware.profiles.changes import Change
from firmware.storage.memory import NonVolatileMemory, Statement

NUMBER, OTHER = "1SAG0021061001", "1EMH0000000002"
OBIS = "1-0:1.8.0*255"
METER = {"kind": "meter", "id": "house", "meter": NUMBER, "link": "wired_clear", "registers": [OBIS]}
PERSON = {
    "kind": "han_communication", "id": "phone", "role": "consumer", "user": "anna", "authentication": "password",
    "password_digest": "ab" * 16, "rights": ["values"],
}  # fmt: skip


def rack_of(clock: Clock, product: str = "ppc", memory: NonVolatileMemory | None = None, **fields: Any) -> Rack:
    data = gateway_types.load(product)
    options = {"sync_max_interval_s": 1e8, **fields.pop("options", {})}
    return Rack(clock, data, GatewayConfig(device_id=data.device_id, options=options, **fields), memory=memory)


async def ready(rack: Rack, *numbers: str) -> Rack:
    """On, with meters on the bus."""
    SmallBus(rack.clock, rack.lmn[1], [SmallMeter(number) for number in numbers])
    rack.gateway.power_on()
    await rack.ready()
    return rack


def load_profile(clock: Clock, **fields: Any) -> dict[str, Any]:
    """A TAF-7 profile of the meter that begins with the next hour."""
    begin = clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return {
        "kind": "evaluation", "id": "taf7", "use_case": 7, "consumer": "consumer-1", "begin": begin.isoformat(),
        "terms": [{"meter": NUMBER, "obis": OBIS}], "billing_relevant": True,
    } | fields  # fmt: skip


async def state(rack: Rack, name: str) -> str:
    """State of a profile as the port shows it."""
    return str((await rack.console.ask(read="profiles", profile=name))["profile"]["state"])


async def logged(rack: Rack, event: str, book: str = "system") -> list[dict[str, Any]]:
    """Entries of an event."""
    entries = (await rack.console.ask(read="log", book=book))["entries"]
    return [one for one in entries if one["event"] == event]


@pytest.mark.parametrize(("product", "created"), [("ppc", 10166), ("casa", 20010)])
async def test_an_evaluation_profile_lives_from_ready_to_archive(clock: Clock, product: str, created: int) -> None:
    rack = await ready(rack_of(clock, product), NUMBER)
    assert (await rack.console.do("install_profile", profile=[METER, load_profile(clock)]))["status"] == 201
    assert await state(rack, "taf7") == "ready"
    names = {10166: "tariff_profile_created", 20010: "evaluation_profile_created"}
    (entry,) = await logged(rack, names[created], "consumer")
    assert entry["id"] == created
    await clock.sleep(2 * 3600)
    assert await state(rack, "taf7") == "running"
    refused = await rack.console.ask(do="delete_profile", profile="taf7")
    assert (refused["refused"], refused["status"]) == (True, 409)
    end = clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    ending = load_profile(clock) | {"end": end.isoformat()}
    ending["begin"] = (await rack.console.ask(read="profiles", profile="taf7"))["profile"]["begin"]
    assert (await rack.console.do("change_profile", profile=ending))["status"] == 204
    changes = await logged(rack, "calibrated_parameter_changed", "calibration")
    assert [one["parameters"]["parameter"] for one in changes] == (["end"] if product == "ppc" else [])
    await clock.sleep(2 * 3600)
    assert await state(rack, "taf7") == "terminated"
    rack.gateway.power_off()
    rack.gateway.power_on()
    await rack.ready()
    assert await state(rack, "taf7") == "terminated"
    assert (await rack.console.do("delete_profile", profile="taf7"))["status"] == 204
    assert (await rack.console.do("delete_profile", profile="house"))["status"] == 204
    before = len(await rack.console.rows(NUMBER))
    await clock.sleep(3600)
    assert len(await rack.console.rows(NUMBER)) == before > 0
    await rack.close()


async def test_the_end_of_a_running_profile_survives_a_cut_right_after_the_answer(clock: Clock) -> None:
    rack = await ready(rack_of(clock), NUMBER)
    await rack.console.do("install_profile", profile=[METER, load_profile(clock)])
    await clock.sleep(2 * 3600)
    plain = (await rack.console.ask(read="profiles", profile="taf7"))["profile"]
    end = clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=3)
    changed = load_profile(clock, begin=plain["begin"], end=end.isoformat())
    await rack.console.do("change_profile", profile=changed)
    rack.gateway.power_off()
    rack.gateway.power_on()
    await rack.ready()
    assert datetime.fromisoformat((await rack.console.ask(read="profiles", profile="taf7"))["profile"]["end"]) == end
    await clock.sleep(4 * 3600)
    assert await state(rack, "taf7") == "terminated"
    await rack.close()


async def test_the_factor_of_a_meter_stays_while_its_values_are_evaluated(clock: Clock) -> None:
    """V4: free until the first reading, then refused with 409, also after a power cut; nothing is derived otherwise."""
    rack = await ready(rack_of(clock), NUMBER)
    await rack.console.do("install_profile", profile=[METER, load_profile(clock)])
    assert (await rack.console.do("change_profile", profile=METER | {"transformer_factor": "20"}))["status"] == 204
    await clock.sleep(2 * 3600)
    for _ in range(2):
        answer = await rack.console.ask(do="change_profile", profile=METER | {"transformer_factor": "40"})
        assert (answer["refused"], answer["status"], answer["findings"][0]["rule"]) == (True, 409, "V4")
        assert (await rack.console.ask(read="profiles", profile="house"))["profile"]["transformer_factor"] == "20"
        rack.gateway.power_off()
        rack.gateway.power_on()
        await rack.ready()
    assert [one["id"] for one in await logged(rack, "meter_profile_rejected")] == [10218] * 2
    changes = await logged(rack, "calibrated_parameter_changed", "calibration")
    assert [(one["parameters"]["old_value"], one["parameters"]["new_value"]) for one in changes] == [("1", "20")]
    await rack.close()


async def test_a_refused_order_says_why_and_is_logged(clock: Clock) -> None:
    rack = await ready(rack_of(clock))
    answer = await rack.console.ask(do="install_profile", profile=load_profile(clock))
    assert (answer["ok"], answer["refused"], answer["status"]) == (False, True, 409)
    assert answer["findings"][0]["rule"] == "V3"
    assert f"no meter profile of meter {NUMBER}" in answer["error"]
    (entry,) = await logged(rack, "evaluation_profile_rejected")
    assert (entry["id"], entry["outcome"]) == (10219, "failure")
    answer = await rack.console.ask(do="install_profile", profile={"kind": "meter", "id": "x"})
    assert (answer["status"], answer["findings"][0]["rule"]) == (400, "V1")
    assert [one["id"] for one in await logged(rack, "wan_xml_invalid")] == [10180]
    answer = await rack.console.ask(do="delete_profile", profile="nobody")
    assert answer["status"] == 404
    assert not (await rack.console.ask(do="install_profile", profile="text"))["ok"]
    await rack.close()


async def test_there_is_room_for_so_many_meters(clock: Clock) -> None:
    rack = await ready(rack_of(clock, meters=(MeterProfile(OTHER),), options={"profile_meter_limit": 1}))
    answer = await rack.console.ask(do="install_profile", profile=METER)
    assert (answer["status"], answer["findings"][0]["rule"]) == (409, "V11")
    assert [one["id"] for one in await logged(rack, "meter_profile_limit_reached")] == [10197]
    await rack.console.do("delete_profile", profile=f"meter-{OTHER}")
    await rack.console.do("install_profile", profile=METER)
    await rack.close()


async def test_a_new_consumer_gets_a_log_that_outlives_profile_and_power(clock: Clock) -> None:
    rack = await ready(rack_of(clock), NUMBER)
    assert not (await rack.console.ask(read="log", book="consumer", consumer="anna"))["ok"]
    await rack.console.do("install_profile", profile=[PERSON, METER | {"consumer": "anna"}])
    await rack.console.do("install_profile", profile=load_profile(clock, consumer="anna"))
    for _ in range(2):
        entries = (await rack.console.ask(read="log", book="consumer", consumer="anna"))["entries"]
        assert [one["event"] for one in entries if one["event"].startswith("tariff")] == ["tariff_profile_created"]
        rack.gateway.power_off()
        rack.gateway.power_on()
        await rack.ready()
    others = (await rack.console.ask(read="log", book="consumer"))["entries"]
    assert "tariff_profile_created" not in [one["event"] for one in others]
    for name in ("taf7", "house", "phone"):
        await rack.console.do("delete_profile", profile=name)
    rack.gateway.power_off()
    rack.gateway.power_on()
    await rack.ready()
    assert (await rack.console.ask(read="log", book="consumer", consumer="anna"))["entries"]
    assert (await rack.console.do("selftest"))["accepted"]
    await rack.ready()
    assert "selftest_failed" not in await rack.console.events()
    await rack.close()


async def test_secrets_are_not_read_out_nor_logged(clock: Clock) -> None:
    rack = await ready(rack_of(clock))
    key = "5ec4e7" * 5 + "00"
    await rack.console.do("install_profile", profile=METER | {"link": "wired_tls", "key": key})
    shown = await rack.console.ask(read="profiles", profile="house")
    assert shown["profile"]["key"] == "masked"
    assert key not in str([await rack.console.ask(read="log", book=book) for book in ("system", "calibration")])
    assert (await rack.console.ask(read="profiles"))["count"] == 1
    await rack.close()


async def test_a_paired_meter_whose_profile_goes_is_left_alone_and_its_keys_are_deleted(clock: Clock) -> None:
    rack = SecureRack(clock)
    rack.gateway.power_on()
    await rack.secured()
    name = f"meter-{rack.meter.number}"
    await clock.sleep(5)
    assert await state(rack, name) == "paired"
    keys = "SELECT name FROM setting WHERE name LIKE 'lmn_meter %'"
    assert rack.memory.query(keys)
    await rack.console.do("delete_profile", profile=name)
    await clock.sleep(120)
    assert rack.memory.query(keys) == []
    assert (await rack.console.info())["profiles"] == []
    readings = len(rack.meter.events)
    await clock.sleep(1800)
    assert [kind for _, kind, _ in rack.meter.events[readings:] if kind in ("handshake", "paired")] == []
    await rack.close()


async def test_a_profile_that_goes_while_its_meter_is_being_paired_disturbs_nothing(clock: Clock) -> None:
    for pause_s in (0.5, 1.0, 1.5, 2.0, 3.0, 5.0):
        rack = SecureRack(clock, profiles=())
        rack.gateway.power_on()
        await rack.ready()
        key = rack.meter.security.initial_key.hex()
        plain = {"kind": "meter", "id": "house", "meter": rack.meter.number, "link": "wired_tls", "key": key}
        await rack.console.do("install_profile", profile=plain)
        await clock.sleep(pause_s)
        await rack.console.do("delete_profile", profile="house")
        await clock.sleep(60)
        assert rack.memory.query("SELECT name FROM setting WHERE name LIKE 'lmn_meter %'") == []
        await rack.close()  # raises what failed inside


class Watched(NonVolatileMemory):
    """A memory that notes when commits end."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.times: list[float] = []
        self._clock = clock

    def commit(self, statements: Iterable[Statement]) -> None:
        self.times.append(self._clock.seconds())
        super().commit(statements)


async def test_mains_lost_at_any_commit_of_an_order_leaves_all_of_it_or_nothing(clock: Clock) -> None:
    async def order(rack: Rack) -> dict[str, Any]:
        profiles = [PERSON, METER | {"consumer": "anna"}, load_profile(clock, consumer="anna")]
        return await rack.console.ask(do="install_profile", profile=profiles)

    memory = Watched(clock)
    rack = await ready(rack_of(clock, memory=memory), NUMBER)
    await clock.sleep(10)
    begin = clock.seconds()
    assert (await order(rack))["ok"]
    cuts = [round(one - begin, 4) for one in memory.times if one >= begin]
    await rack.close()
    assert cuts
    offsets = sorted({max(0.0, one + shift) for one in cuts for shift in (-0.009, -0.001, 0.001)})
    seen = set()
    for offset in offsets:
        rack = await ready(rack_of(clock), NUMBER)
        await clock.sleep(10)
        rack.clock.call_later(offset, rack.gateway.power_off)
        answer = await order(rack)
        rack.gateway.power_on()
        await rack.ready()
        held = (await rack.console.ask(read="profiles"))["count"]
        created = len(await logged(rack, "meter_profile_added"))
        assert (held, created) in {(0, 0), (3, 1)}, offset
        assert held == 3 or not answer["ok"], offset
        assert bool(rack.memory.query("SELECT 1 FROM setting WHERE name LIKE 'contract/%'")) == (held == 3)
        seen.add(held)
        await rack.close()
    assert seen == {0, 3}


async def test_an_order_needs_a_gateway_that_is_ready(clock: Clock) -> None:
    rack = rack_of(clock)
    for command in ({"do": "install_profile", "profile": METER}, {"do": "delete_profile", "profile": "x"}):
        answer = await rack.console.ask(**command)
        assert answer["refused"]
        assert "without power" in answer["error"]
    await rack.close()


async def test_who_gets_values_may_change_while_the_profile_runs(clock: Clock) -> None:
    """wan-core 6.4.3.3: from the change on the new participant gets readings on demand, and the old one none."""
    rack = await ready(rack_of(clock), NUMBER)
    assert (await rack.console.do("install_profile", profile=[METER]))["status"] == 201
    session = rack.gateway._session
    assert session is not None
    midnight = clock.now().replace(hour=23, minute=0, second=0, microsecond=0)
    old = standard_profile(6, NUMBER, OBIS, "consumer-1", int(midnight.timestamp()), None)
    old = replace(old, recipients=("first",))
    session.profiles.on_evaluation_profile(Change.ADDED, old, None)
    await clock.sleep(30 * 3600)
    day = midnight.date() + timedelta(days=1)
    order = session.metering.order_reading
    assert order(old.name, day, "first") == ""
    assert order(old.name, day, "second")
    session.profiles.on_evaluation_profile(Change.CHANGED, replace(old, recipients=("second",)), old)
    assert order(old.name, day, "first")
    assert order(old.name, day, "second") == ""
    assert [one.recipient for one in session.metering.outbox.waiting] == ["first", "second"]
    await rack.close()


@pytest.mark.parametrize("told", [False, True])
async def test_ppc_tells_data_packets_where_it_is_set_up_to_and_overload(clock: Clock, told: bool) -> None:
    """[PPC] 10: 10164 and 10273."""
    rack = await ready(rack_of(clock, options={"log_meter_packets": told}), NUMBER)
    assert (await rack.console.do("install_profile", profile=METER))["status"] == 201
    await clock.sleep(1900)
    packets = await logged(rack, "meter_packet_received")
    assert [(one["id"], one["parameters"]["meter"]) for one in packets] == [(10164, NUMBER)] * (2 if told else 0)
    await rack.console.do("overload_bus", on=True)
    (entry,) = await logged(rack, "overload_detected")
    assert entry["id"] == 10273
    await rack.close()
