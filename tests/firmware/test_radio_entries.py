"""Which M-Bus records are registers of the value list, and which only look alike (lmn-wireless 4.4)."""

from __future__ import annotations

import pytest

from devices.protocols.mbus.records import decode_records
from firmware.lmn.wireless.entries import past, present

NUMBER = "D2040000"
"""1234"""


def registers(medium: int, record: str) -> dict[str, int]:
    found = present(medium, decode_records(bytes.fromhex(record)).records, frozenset())
    return {one.obis: one.value for one in found}


@pytest.mark.parametrize(
    ("medium", "record", "code"),
    [
        (1, "0403" + NUMBER, "1-0:1.8.0*255"),
        (1, "04833B" + NUMBER, "1-0:1.8.0*255"),
        (1, "04833C" + NUMBER, "1-0:2.8.0*255"),
        (1, "841003" + NUMBER, "1-0:1.8.1*255"),
        (1, "04831D" + NUMBER, "1-0:1.8.0*255"),
        (1, "042A" + NUMBER, "1-0:1.7.0*255"),
        (1, "04FDC8FC02" + NUMBER, "1-0:52.7.0*255"),
        (7, "0413" + NUMBER, "7-0:3.1.0*255"),
        (7, "04933A" + NUMBER, "7-0:3.0.0*255"),
        (7, "04933E" + NUMBER, "7-0:3.2.0*255"),
        (8, "04933C" + NUMBER, "8-0:2.0.0*255"),
    ],
)
def test_what_is_a_register(medium: int, record: str, code: str) -> None:
    assert list(registers(medium, record)) == [code]


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ("0483FC01", "of one phase"),
        ("048318", "a data error"),
        ("04837E", "a future value"),
        ("048340", "a lower limit"),
        ("048339", "the start of"),
        ("0483A8", "per pulse"),
        ("0483FF01", "the maker's own"),
        ("04AA12", "an average"),
        ("04837B", "with a constant to be added"),
        ("04833D", "a VIFE that nobody knows"),
        ("0483BB3C", "both directions"),
        ("0483FC0C", "import less export"),
    ],
)
def test_what_only_looks_like_a_register(record: str, why: str) -> None:
    more = "00" if record == "0483A8" else ""
    assert registers(1, record + more + NUMBER) == {}, why


def test_a_factor_is_applied() -> None:
    """VIFE 70 to 77: times 10^(n-6)."""
    assert registers(1, "048376" + NUMBER) == {"1-0:1.8.0*255": 1234}
    (one,) = present(1, decode_records(bytes.fromhex("048375" + NUMBER)).records, frozenset())
    assert isinstance(one.value, int)
    assert one.scaler is not None
    assert one.value * 10.0**one.scaler == pytest.approx(123.4)


def test_a_compact_profile_is_of_its_register() -> None:
    """The constructed load profile of lmn-wireless 4.6."""
    octets = bytes.fromhex("84046D002A4F3184040387D612008D04831F0A520FFA000401FF00F500")
    told = past(1, decode_records(octets).records, frozenset())
    assert [[one.obis for one in entries] for _, entries in told] == [["1-0:1.8.0*255"]] * 5
