"""Which registers of what was read at the home interface a file has."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from devices.han.content import DeviceInfo, HanContract, Reading, Value
from devices.han.trudi import Fetched, Span, content

AT = datetime(2026, 1, 5, tzinfo=UTC)
IMPORT, EXPORT = "1-0:1.8.0*255", "1-0:2.8.0*255"
A, B = "1sag0021061001", "1sag0021061002"


@pytest.mark.parametrize(
    ("registers", "lists"),
    [
        (((A, IMPORT), (B, EXPORT)), {(A, "0100010800ff"), (B, "0100020800ff")}),
        (((A.upper(), IMPORT), (B, IMPORT)), {(A, "0100010800ff"), (B, "0100010800ff")}),
        ((), {(meter, code) for meter in (A, B) for code in ("0100010800ff", "0100020800ff")}),
    ],
)
def test_a_file_has_the_registers_of_the_contract_of_each_meter(
    registers: tuple[tuple[str, str], ...], lists: set[tuple[str, str]]
) -> None:
    values = tuple(Value(obis, 1000, -1, 30) for obis in (IMPORT, EXPORT))
    originals = tuple(Reading(meter, AT, AT, values) for meter in (A, B))
    contract = HanContract("taf7-1", 7, "house", meters=(A, B), registers=registers, capture_s=900)
    fetched = Fetched(contract, Span(AT, AT, False), DeviceInfo("e", "1"), (), originals, (), ())
    export, _ = content(fetched, "anna")
    assert {(one.meter, one.type.obis) for one in export.lists} == lists
