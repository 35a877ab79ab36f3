"""Requests to an emulated CONEXA that nobody foresaw: always a documented status, never somebody else's data."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from han_conexa_rig import JSON, METER, OTHER, OTHER_METER, USER, Digest, bench, stored_memory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware.han.conexa.body import Refused, call_of
from firmware.storage.memory import NonVolatileMemory

STATUS = {200, 307, 400, 401, 403, 404, 405}
SECRETS = (OTHER_METER.lower(), OTHER_METER, OTHER, "fremd", "taf7-2")
"""What belongs to the other consumer."""

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
points = st.sampled_from(
    [
        "01005e318021.taf1-1.sm",
        "01005e318022.taf2-1.sm",
        "01005e318027.taf7-1.sm",
        "01005e31803f.taf10-1.sm",
        "01005e318027.taf7-2.sm",
        "01005e318021.taf7-2.sm",
        "taf7-2",
    ]
)
times = st.sampled_from(
    ["2026-03-01T00:00:00Z", "2026-03-29", "2026-03-30T12:00:00+02:00", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"]
) | st.datetimes().map(lambda one: one.isoformat())
codes = st.sampled_from(
    [f"0100010800ff.{METER.lower()}.sm", "0100010800ff", f"0100010800ff.{OTHER_METER.lower()}.sm", "ff"]
)


def either(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly something that makes sense."""
    return good | good | plain


calls = st.fixed_dictionaries(
    {"method": either(st.sampled_from(["smgw-info", "user-info", "usage-point-info", "log", "readings", "self-test"]))},
    optional={
        "usage-point-id": either(points),
        "database": either(st.sampled_from(["origin", "derived", "calculated", "daily"])),
        "channels": either(st.lists(st.fixed_dictionaries({"channel": codes}), max_size=3)),
        "last-reading": either(st.sampled_from([True, False, "true", "false"])),
        "fromtime": either(times),
        "totime": either(times),
        "fromindex": either(st.integers(0, 20) | st.integers(0, 20).map(str)),
        "count": either(st.integers(0, 1600)),
    },
)
bodies = (
    calls.map(lambda one: json.dumps(one).encode())
    | st.binary(max_size=60)
    | plain.map(lambda one: json.dumps(one).encode())
)
users = st.sampled_from([f"{USER}.sm", USER, f"{OTHER}.sm", "", "..", "%00", "%2e%2e%2f", "a" * 300])
paths = (
    st.just(f"/smgw/m2m/{USER}.sm/json")
    | users.map(lambda one: f"/smgw/m2m/{one}/json")
    | st.sampled_from(
        [
            "/smgw/m2m",
            "/smgw/m2m/",
            f"/smgw/web/{OTHER}.sm",
            "/smgw",
            "/smgw/m2m/x/getdata?request=userinfo",
            "//",
            "/?a=%ff",
        ]
    )
)
requests = st.tuples(st.sampled_from(["POST", "POST", "POST", "GET", "PUT", "HEAD", "OPTIONS"]), paths, bodies)


@pytest.fixture(scope="module")
def memory() -> NonVolatileMemory:
    return stored_memory()


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(asked=st.lists(requests, min_size=15, max_size=40))
def test_random_requests_give_a_documented_status_and_nothing_of_others(
    memory: NonVolatileMemory, asked: list[tuple[str, str, bytes]]
) -> None:
    async def all_of_them() -> None:
        async with bench(memory, han_login_attempts=0) as conexa:
            digest = Digest()
            for method, path, body in asked:
                answer = await conexa.signed(method, path, digest, JSON, None if method == "HEAD" else body)
                assert answer.status in STATUS | {303}, (method, path, body, answer)
                text = answer.body.decode()
                assert not any(secret in text for secret in SECRETS), (path, body, text)
            assert conexa.gateway.crashes == []
            assert (await conexa.call("smgw-info", digest)).status == 200

    asyncio.run(all_of_them())


@settings(max_examples=300, deadline=None, derandomize=True)
@given(octets=st.binary(max_size=200) | bodies)
def test_a_body_is_a_call_or_refused(octets: bytes) -> None:
    try:
        method, _ = call_of(octets)
    except Refused as refused:
        assert refused.status == 400
    else:
        assert isinstance(method, str)
