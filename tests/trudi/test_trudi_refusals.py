"""`smgw-bench tariff` refuses what must not be billed, says where and why, bills the rest exactly (han 5.2 to 5.6)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from trudi_export_files import VECTORS, certificate
from trudi_files import EXAMPLES, export, reading, supplier, value_list
from trudi_refusal_shell import (
    DAY,
    GOOD,
    METER,
    Shell,
    day,
    listed,
    replaced,
    whole,
)

from bench.cli import main
from devices.protocols.trudi.elements import PARTS
from devices.protocols.trudi.errors import StatusWordError
from devices.protocols.trudi.export import read_export
from devices.protocols.trudi.received import check
from devices.protocols.trudi.supplier import read_supplier
from devices.protocols.trudi.tariff import bill_of


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys)


# --- text of elements, and what may stand where


@pytest.mark.parametrize("inner", ["10<!-- x -->00", "10<?pi x?>00", "10<![CDATA[00]]>", "\n 1000 \n"])
def test_a_value_is_the_whole_text_of_its_element(shell: Shell, inner: str) -> None:
    values = whole().replace(b"<espi:value>1000<", f"<espi:value>{inner}<".encode())
    assert shell.bill(values) == GOOD


def test_a_comment_inside_any_text_changes_nothing(shell: Shell) -> None:
    """Each text of both files is cut in its middle by a comment."""
    cut = re.compile(rb">([^<>]{2,})<")

    def commented(octets: bytes) -> bytes:
        head, _, rest = octets.partition(b"?>")
        return head + b"?>" + cut.sub(lambda one: b">" + one[1][:1] + b"<!-- c -->" + one[1][1:] + b"<", rest)

    assert shell.bill(commented(whole()), commented(supplier(DAY, 1))) == GOOD


@pytest.mark.parametrize(
    ("before", "text"),
    [
        ("<tariffName>", "UsagePoint has an element foo"),
        ("<espi:value>", "IntervalReading has an element foo"),
        ("<smgwId>", "SMGW has an element foo"),
    ],
)
def test_an_unknown_element_is_refused(shell: Shell, before: str, text: str) -> None:
    wrong = whole().replace(before.encode(), b"\n<foo/>" + before.encode(), 1)
    assert f"v.xml:2: {text}, which is none of this format" in shell.refusal(wrong)


def test_what_the_schema_has_but_the_software_does_not_know_is_refused(shell: Shell) -> None:
    """A week profile would change the bill; the transparency software takes special days only (han 5.4)."""
    week = b"<WeekProfile><weekProfileName>w</weekProfileName></WeekProfile><SpecialDayProfile>"
    wrong = supplier(DAY, 1).replace(b"<SpecialDayProfile>", week, 1)
    assert "s.xml:1: TimeTrigger has an element WeekProfile" in shell.refusal(whole(), wrong)
    wrong = whole().replace(b"naesb.org/espi", b"naesb.org/espi2")
    assert "ServiceCategory of the namespace http://naesb.org/espi2" in shell.refusal(wrong)


def test_every_known_element_is_one_of_the_schema_where_it_stands() -> None:
    """Read from the published schema, not from what is read here."""
    xs = "{http://www.w3.org/2001/XMLSchema}"
    roots = {"": etree.parse(str(VECTORS / "AR_2418-6.xsd")), "espi:": etree.parse(str(VECTORS / "espi_derived.xsd"))}

    def parts(space: str, kind: str) -> dict[str, tuple[str, str]]:
        """Name with prefix -> where its type is, of all parts of a complex type."""
        if kind.startswith("espi:"):
            space, kind = "espi:", kind.removeprefix("espi:")
        found: dict[str, tuple[str, str]] = {}
        for one in roots[space].getroot().findall(f"{xs}complexType[@name='{kind}']"):
            for base in one.iter(f"{xs}extension"):
                found |= parts(space, base.get("base"))
            found |= {
                f"{space}{part.get('name')}": (space, part.get("type") or "") for part in one.iter(f"{xs}element")
            }
        return found

    seen = set()
    todo = [("UsagePoints", "", "Usagepoints")]
    while todo:
        name, space, kind = todo.pop()
        there = parts(space, kind)
        if name in PARTS:
            seen.add(name)
            assert PARTS[name] <= set(there), name
            todo += [(part, *there[part]) for part in PARTS[name]]
    assert seen == set(PARTS)


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the published examples are not beside the repository")
def test_the_published_examples_are_read_and_keep_the_rules() -> None:
    """Those of 2017 have status words in the old order; only those with test data have a certificate that is one."""
    odd = {
        name: len(check(read_export((EXAMPLES / name).read_bytes(), order)))  # type: ignore[arg-type]
        for name, order in {
            "IF_Adapter_TRuDI_DatenTAF2.xml": "msb",
            "IF_Adapter_TRuDI_DatenTAF7.xml": "msb",
            "IF_Adapter_TRuDI_v1.4_current.xml": "msb",
            "result_single_day.xml": "lsb",
            "result_single_day_2h-gap.xml": "lsb",
        }.items()
    }
    assert odd == {name: 0 if name.startswith("result") else 1 for name in odd}
    for name in ("IF_Lieferant_TRuDI_example.xml", "Lieferanten-XML_Jan_2018.xml", "supplier_single_day.xml"):
        assert read_supplier((EXAMPLES / name).read_bytes()).days


@pytest.mark.parametrize(("order", "other"), [("lsb", "msb"), ("msb", "lsb")])
def test_a_list_with_words_in_both_orders_is_read_in_neither(order: Any, other: str) -> None:
    """The commented example of the adapter documentation has both."""
    with pytest.raises(StatusWordError) as refused:
        read_export((VECTORS / "IF_Adapter_TRuDI_v1.4_data.xml").read_bytes(), order)
    assert refused.value.fits == other


def test_a_list_with_words_in_both_orders_is_read_word_by_word() -> None:
    found = read_export((VECTORS / "IF_Adapter_TRuDI_v1.4_data.xml").read_bytes())
    assert {one.older_word for each in found.lists for one in each.readings} == {True, False}


# --- rules of an export


def without_certificate(octets: bytes) -> bytes:
    return re.sub(rb"<Certificate>.*</Certificate>", b"", octets)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (without_certificate, "there is no Certificate"),
        (replaced("<SMGW><certId>1</certId>", "<SMGW>"), "SMGW has no certId"),
        (replaced("<Certificate><certId>1<", "<Certificate><certId>2<"), "the certIds [1], the certificates have [2]"),
        (replaced("<SMGW>", "<SMGW><certId>2</certId>"), "SMGW names the certIds [1, 2], the certificates have [1]"),
        (replaced("<certContent>30", "<certContent>zz"), "certContent is 'zz"),
        (replaced("<certContent>30", "<certContent>3"), "pairs of hexadecimal digits are right"),
        (replaced("<certType>1", "<certType>4"), "certType is 4, 1 to 3 are right"),
        (replaced("<duration>86400<", "<duration>10<"), "was captured at 2026-01-10T00:15:00+01:00, outside its block"),
        (replaced("<duration>86400<", "<duration>85500<"), "was captured at 2026-01-11T00:00:00+01:00, outside its"),
        (replaced(f"0100010800ff.{METER}.sm", f"0100020800ff.{METER}.sm"), "qualifiedLogicalName of the list"),
        (replaced(f"0100010800ff.{METER}.sm", "foo"), "0100010800ff.<meter or TAF>.sm is right"),
        (replaced("<espi:uom>72", "<espi:uom>9999"), "uom of the list 1-0:1.8.0*255"),
        (replaced("Multiplier>0<", "Multiplier>5<"), "powerOfTenMultiplier of the list 1-0:1.8.0*255"),
        (replaced("<scaler>-1<", "<scaler>200<"), "scaler is 200, -128 to 127 are right"),
        (replaced("<espi:kind>0<", "<espi:kind>3<"), "kind is 3, 0, 1, 2, 4, 5, 6, 7, 8 are right"),
        (replaced("<tariffName>T<", "<tariffName><"), "tariffName is missing or empty"),
        (replaced("<Customer><customerId>c</customerId></Customer>", ""), "customerId is missing or empty"),
    ],
)  # fmt: skip
def test_an_export_that_breaks_a_rule_is_refused(shell: Shell, change: Callable[[bytes], bytes], text: str) -> None:
    err = shell.refusal(change(whole()))
    assert text in err
    assert err.startswith("smgw-bench: v.xml:1: ")


@pytest.mark.parametrize(("gap_s", "text"), [(900, "there is a gap between"), (-900, "there is an overlap of")])
def test_blocks_follow_each_other(shell: Shell, gap_s: int, text: str) -> None:
    noon = DAY + timedelta(hours=12)
    first = [reading(at, value) for at, value, _ in day()[:48]]
    second = [reading(at, value) for at, value, _ in day()[48 + (gap_s > 0) :]]

    def blocks(gap: int) -> bytes:
        begin = noon + timedelta(seconds=gap)
        one = value_list(first, meter=METER, begin=DAY.isoformat(), seconds=43_200, scaler=-1)
        other = value_list(second, meter=METER, begin=begin.isoformat(), seconds=43_200 - gap, scaler=-1)
        block = re.search(r"<IntervalBlock>.*</IntervalBlock>", other)
        assert block is not None
        return whole(one.replace("</MeterReading>", f"{block[0]}</MeterReading>"))

    assert f"{text} two blocks of the list 1-0:1.8.0*255" in shell.refusal(blocks(gap_s))
    assert shell.bill(blocks(0)) == GOOD


def test_a_reading_may_be_beside_the_end_of_its_block_as_far_as_it_may_be_registered(shell: Shell) -> None:
    late = [(at + timedelta(seconds=9), value, status) for at, value, status in day()]
    assert shell.bill(whole(listed(late))) == GOOD
    late[-1] = (late[-1][0] + timedelta(seconds=1), *late[-1][1:])
    assert "2026-01-11T00:00:10+01:00, outside its block" in shell.refusal(whole(listed(late)))


def test_a_certificate_that_is_none_is_told_but_registers_follow(shell: Shell) -> None:
    """Published examples have such placeholders; no register depends on a certificate."""
    at = certificate().index(bytes.fromhex("a003020102")) + 4
    of_version_9 = certificate()[:at] + b"\x09" + certificate()[at + 1 :]
    for none in (bytes(8), of_version_9):
        code, out, err = shell.run(export(listed(day()), certificate=none), supplier(DAY, 1), "--json")
        assert (code, list(json.loads(out).values())) == (0, GOOD)
        assert err.startswith("smgw-bench: warning: v.xml: the certificate 1 is no X.509 certificate")


def test_a_certificate_may_be_der_pem_or_base64(shell: Shell) -> None:
    """Real gateways wrote PEM, even two certificates in one, and bare Base64 (test data of TRuDI)."""
    plain = base64.b64encode(certificate())
    pem = b"-----BEGIN CERTIFICATE-----\n" + plain[:112] + b"\n" + plain[112:] + b"\n-----END CERTIFICATE-----\n"
    for content in (certificate(), plain, pem, pem + pem):
        assert shell.bill(export(listed(day()), certificate=content)) == GOOD


# --- suppliers' files that contradict themselves


def without(tag: str) -> Callable[[bytes], bytes]:
    return lambda octets: re.sub(f"<{tag}>.*</{tag}>".encode(), b"", octets)


@pytest.mark.parametrize(
    ("tariff", "change", "text"),
    [
        ({"switches": [(0, 0, 1), (12, 0, 2), (12, 0, 2)]}, None, "the day profile '1' has two entries for 12:00"),
        ({"switches": [(0, 0, 1), (12, 0, 2), (12, 0, 1)]}, None, "the day profile '1' has two entries for 12:00"),
        ({"stages": [(1, "0100010801ff"), (2, "0100010801FF")]}, None, "stages 1 and 2 have the same obisCode, 1-0"),
        ({"stages": [(1, "0100010800ff"), (2, "0100010802ff")]}, None, "1-0:1.8.0*255, which is that of the total"),
        ({"default": 9}, None, "defaultTariffNumber is 9, but no TariffStage has that number (there are: 1, 2)"),
        ({"switches": [(0, 0, 5)]}, None, "tariffNumber is 5, but no TariffStage has that number (there are: 1, 2)"),
        ({"days": 2, "seconds": 86_400}, None, "an entry for 2026-01-11, which is outside the billing period"),
        ({"begin": DAY.replace(minute=7)}, None, "the billing period begins at 2026-01-10T00:07:00+01:00, a full"),
        ({"seconds": 86_407}, None, "the billing period ends at 2026-01-11T00:00:07+01:00, a full quarter"),
        ({}, without("TariffChangeTrigger"), "there is no TariffChangeTrigger with a TimeTrigger"),
        ({}, without("TimeTrigger"), "there is no TariffChangeTrigger with a TimeTrigger"),
        ({}, without("SpecialDayProfile"), "TimeTrigger has no SpecialDayProfile"),
        ({}, replaced("<hour>21</hour>", "<hour>9999999999999999</hour>"), "hour is 9999999999999999, 0 to 255"),
        ({}, replaced("<minute>0</minute>", "<minute>0</minute><hundreds>1</hundreds>"), "no multiple of 15 min"),
    ],
)  # fmt: skip
def test_a_suppliers_file_that_contradicts_itself_is_refused(
    shell: Shell, tariff: dict[str, Any], change: Callable[[bytes], bytes] | None, text: str
) -> None:
    octets = supplier(**({"begin": DAY, "days": 1} | tariff))
    err = shell.refusal(whole(), octets if change is None else change(octets))
    assert text in err
    assert err.startswith("smgw-bench: s.xml:1: ")


def test_a_period_may_begin_at_any_quarter_of_an_hour(shell: Shell) -> None:
    """TRuDI has test data that are billed from 04:00 to 04:00."""
    begin = DAY.replace(hour=4)
    values = [*day(), *day(DAY + timedelta(days=1), first=1960)[1:]]
    tariff = supplier(begin, 2, seconds=86_400)
    assert shell.bill(whole(listed(values, seconds=2 * 86_400)), tariff) == GOOD


# --- files that cannot be worked with


@pytest.mark.parametrize("year", ["0001", "1969", "2200", "9999"])
def test_a_year_that_no_reading_has_is_refused(shell: Shell, year: str) -> None:
    for wrong in (whole(), supplier(DAY, 1)):
        other = [whole(), supplier(DAY, 1)]
        other[wrong == other[1]] = wrong.replace(b"<start>2026-01-10", f"<start>{year}-01-10".encode())
        assert f"start is '{year}-01-10T00:00:00+01:00', a year from 1970 to 2199 is right" in shell.refusal(*other)


@pytest.mark.parametrize("octets", [b"", b" \n", b"<UsagePoints", b'{"a": 1}', b"\x1f\x8b", b"<a>\0</a>"])
def test_a_file_that_is_no_xml_cannot_be_read(shell: Shell, octets: bytes) -> None:
    assert "v.xml:" in shell.refusal(octets, code=2)
    err = shell.refusal(whole(), octets, code=2)
    assert re.match(r"smgw-bench: s\.xml(:1)?: cannot be read: (this is no XML|the file is empty)", err)


def test_the_help_tells_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["tariff", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "1 refused, with the reason; 2 wrong use, or a file that cannot be read" in told


def test_swapped_files_are_told(shell: Shell) -> None:
    for values, tariff, name in (
        (supplier(DAY, 1), whole(), "v.xml"),
        (whole(), whole(), "s.xml"),
        (supplier(DAY, 1), supplier(DAY, 1), "v.xml"),
    ):
        err = shell.refusal(values, tariff)
        assert err.startswith(f"smgw-bench: {name}:1: this is a ")
        assert "(are the two files swapped?)" in err


def test_a_message_stays_on_its_line_whatever_the_file_says(shell: Shell) -> None:
    wrong = supplier(DAY, 1).replace(b"<dayId>1</dayId></Special", b"<dayId>1\n\x85x&#x2028;y</dayId></Special")
    assert "there is no day profile with the dayId" in shell.refusal(whole(), wrong.replace(b"\x85", b"\xc2\x85"))


def test_every_register_of_a_bill_has_the_scale_of_its_quantity() -> None:
    tariff = supplier(DAY, 1, stages=[(1, "0100010801ff"), (2, "0100010802ff"), (63, "010001083fff")])
    bill = bill_of(read_export(whole(listed(day(), scaler=-2))), read_supplier(tariff))
    assert {(one.unit, one.exponent) for one in bill.scales.values()} == {(72, -2)}
    assert list(bill.scales) == list(bill.amounts)
    assert [str(one) for one in bill.amounts] == ["1-0:1.8.1*255", "1-0:1.8.2*255", "1-0:1.8.63*255"]
