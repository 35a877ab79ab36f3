"""Self-test, its lock, operating states and rights at the M2M interface of an emulated CONEXA (han 3.4)."""

from __future__ import annotations

import asyncio

from han_conexa_calls import FOREIGN, MINE
from han_conexa_rig import (
    OTHER,
    OTHER_PASSWORD,
    Bench,
    Digest,
    bench,
)

from firmware.profiles.forms import plain_of
from firmware.selftest import LAST
from firmware.storage.memory import NonVolatileMemory


async def test_a_self_test_locks_the_next_for_600_seconds(conexa: Bench) -> None:
    before = len(conexa.log())
    answer = await conexa.call("self-test")
    assert (answer.status, set(answer.json)) == (200, {"elapsed-time", "method", "version"})
    assert conexa.log()[before:].count("selftest_passed") == 1
    assert (await conexa.call("self-test")).status == 403
    assert (await conexa.call("self-test", Digest(OTHER, OTHER_PASSWORD))).status == 403
    assert (await conexa.call("smgw-info")).status == 200
    conexa.clock.forward(590)
    assert (await conexa.call("self-test")).status == 403
    conexa.clock.forward(11)
    assert (await conexa.call("self-test")).status == 200


async def test_a_self_test_goes_on_when_its_client_leaves(stored_conexa: NonVolatileMemory) -> None:
    async with bench(stored_conexa, separation_wait_s=0.3) as conexa:
        digest = Digest()
        assert (await conexa.call("smgw-info", digest)).status == 200
        session, before = conexa.gateway._session, len(conexa.log())
        assert session is not None
        begun = session.unit.memory.setting(LAST)
        body = b'{"method":"self-test"}'
        lines = [
            f"POST {MINE} HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {len(body)}",
            f"Authorization: {digest.header('POST', MINE)}", "", "",
        ]  # fmt: skip
        _, writer = await asyncio.open_connection("127.0.0.1", conexa.port, ssl=conexa.context())
        writer.write("\r\n".join(lines).encode() + body)
        for _ in range(400):
            if session.unit.memory.setting(LAST) != begun:
                break
            await asyncio.sleep(0.005)
        writer.transport.abort()
        assert "selftest_passed" not in conexa.log()[before:]
        for _ in range(200):
            await asyncio.sleep(0.02)
            if "selftest_passed" in conexa.log()[before:]:
                break
        await conexa.stored()
        assert conexa.log()[before:].count("selftest_passed") == 1
        assert session.selftest.result is not None
        assert session.selftest.result["initiator"] == "consumer"


async def test_the_socket_is_dead_while_networks_are_not_separated(conexa: Bench) -> None:
    session = conexa.gateway._session
    assert session is not None
    session.control.cause("wan_han_not_separated", via="selftest")
    assert (session.control.states.state, conexa.gateway.han_address) == ("connectivity_cut", None)
    session.control.cleared("wan_han_not_separated")
    for _ in range(200):
        if conexa.gateway.han_address is not None:
            break
        await conexa.clock.sleep(0.01)
    assert (await conexa.call("smgw-info")).status == 200


async def test_an_invalid_time_shows_in_the_state(conexa: Bench) -> None:
    session = conexa.gateway._session
    assert session is not None
    session.han._time.state = type(session.time.state).INVALID  # type: ignore[attr-defined]
    info = (await conexa.call("smgw-info")).json["smgw-info"]
    assert info["smgw-state"] == "a0400000"


async def test_many_wrong_passwords_lock_consumers_out(conexa: Bench) -> None:
    for _ in range(5):
        assert (await conexa.call("smgw-info", Digest(password="falsch"))).status == 401
    assert (await conexa.call("smgw-info")).status == 401
    conexa.clock.forward(301)
    assert (await conexa.call("smgw-info")).status == 200


async def test_rights_that_are_not_given_are_refused(conexa: Bench) -> None:
    session = conexa.gateway._session
    assert session is not None
    other = plain_of(session.profiles.profiles[f"han-{OTHER}"])
    assert session.profiles.change(other | {"rights": ["values"]}).good
    digest = Digest(OTHER, OTHER_PASSWORD)
    assert (await conexa.call("self-test", digest)).status == 403
    assert (await conexa.call("log", digest)).status == 403
    assert (await conexa.call("readings", digest, **{"usage-point-id": FOREIGN, "last-reading": True})).status == 200
