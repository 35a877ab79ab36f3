"""A judge of exports for the transparency software, written from its rules alone (han 5.2 to 5.6).

It shares nothing with the program: lxml with the published schema, OpenSSL for certificates and signatures, and sums of
its own. It also writes a supplier's file, for which the program works out the registers.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from lxml import etree

XSD = Path(__file__).parents[1] / "vectors" / "trudi"
AR, ESPI = "{http://vde.de/AR_2418-6.xsd}", "{http://naesb.org/espi}"
BERLIN = ZoneInfo("Europe/Berlin")
QUARTER = timedelta(minutes=15)
WORDS = ("A000000020803800", "A0000000209E3800")
"""Without errors; voltage on all phases; energy drawn, and fed in."""
UNITS = {72: 30, 38: 27, 73: 32, 63: 29, 71: 31, 61: 28}
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")


class _Local(etree.Resolver):  # type: ignore[misc]
    def resolve(self, url: str | None, public_id: str | None, context: Any) -> Any:
        if url is not None and url.endswith("/xml.xsd"):
            return self.resolve_filename(str(XSD / "xml.xsd"), context)
        return None


def schema(folder: Path = XSD) -> Any:
    """AR 2418-6, version 1.4."""
    parser = etree.XMLParser()
    parser.resolvers.add(_Local())
    return etree.XMLSchema(etree.parse(str(folder / "AR_2418-6.xsd"), parser))


@dataclass(frozen=True)
class One:
    """A value of a list: instant, capture, whole number, class of its status, signature, words of its status."""

    at: datetime
    captured: datetime
    value: int
    severity: int
    signature: bytes
    fnn: str
    vendor: str
    start: str


@dataclass(frozen=True)
class List:
    """A MeterReading; `original`: the middle of its name is the meter."""

    meter: str
    obis: str
    middle: str
    scaler: int
    uom: int
    name: str
    original: bool
    block: tuple[datetime, datetime]
    values: tuple[One, ...]

    @property
    def by_instant(self) -> dict[datetime, int]:
        """Usable values."""
        return {one.at: one.value for one in self.values if one.severity < 3}


class File:
    """A gateway's export.

    Attributes:
        root: of the document.
        problems: rules that it breaks.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root = etree.parse(str(path)).getroot()
        self.point = self.root.find(f"{AR}UsagePoint")
        self.problems: list[str] = []
        self.lists = tuple(self._list(one) for one in self.point.iter(f"{AR}MeterReading"))
        self.originals = tuple(one for one in self.lists if one.original)
        self.derived = tuple(one for one in self.lists if not one.original)

    def text(self, path: str) -> str:
        """The text of an element, empty without; `path` in the words of the schema, ``espi:`` for the other."""
        steps = (f"{ESPI}{one[5:]}" if one.startswith("espi:") else f"{AR}{one}" for one in path.split("/"))
        return str(self.point.findtext("/".join(steps)) or "")

    def _must(self, good: bool, rule: str) -> None:
        if not good:
            self.problems.append(rule)

    def _instant(self, text: str | None) -> datetime:
        self._must(RFC_3339.fullmatch(text or "") is not None, f"{text!r} is no instant with its zone")
        return datetime.fromisoformat(text or "").astimezone(UTC)

    def _list(self, one: Any) -> List:
        kind = one.find(f"{AR}ReadingType")
        obis, meter = kind.findtext(f"{AR}obisCode"), one.findtext(f"{AR}Meter/{AR}meterId")
        name = kind.findtext(f"{AR}qualifiedLogicalName")
        parts = name.split(".")
        self._must(len(parts) == 3 and parts[2] == "sm" and parts[0] == obis, f"{name} is not OBIS, owner, sm")
        self._must(re.fullmatch(r"[0-9a-f]{12}", obis) is not None, f"{obis} is not 12 digits")
        self._must(int(kind.findtext(f"{ESPI}powerOfTenMultiplier")) == 0, f"{name}: a multiplier")
        self._must(int(kind.findtext(f"{ESPI}uom")) in UNITS, f"{name}: a strange unit")
        values: list[One] = []
        before: datetime | None = None
        for block in one.findall(f"{AR}IntervalBlock"):
            begin = self._instant(block.findtext(f"{AR}interval/{AR}start"))
            end = begin + timedelta(seconds=int(block.findtext(f"{AR}interval/{AR}duration")))
            self._must(before in (None, begin), f"{name}: blocks with a gap or overlap at {begin}")
            before = end
            some = tuple(self._value(name, each) for each in block.findall(f"{AR}IntervalReading"))
            self._must(all(begin <= each.captured <= end for each in some), f"{name}: a capture outside its block")
            values += some
        self._must(bool(values), f"{name}: no values")
        instants = [each.at for each in values]
        self._must(instants == sorted(set(instants)), f"{name}: instants twice or not in order")
        scaler = int(kind.findtext(f"{AR}scaler") or 0)
        uom = int(kind.findtext(f"{ESPI}uom"))
        original = parts[1] == meter
        period = kind.findtext(f"{AR}measurementPeriod")
        if original and period is not None:
            for each in values:
                off = abs((each.captured - each.at).total_seconds())
                self._must(off <= int(period) / 100, f"{name}: {each.captured} is {off} s off its instant")
        first = self._instant(one.findtext(f"{AR}IntervalBlock/{AR}interval/{AR}start"))
        assert before is not None
        self._must(before - first <= timedelta(days=1096), f"{name}: more than 1096 days")
        return List(meter, obis, parts[1], scaler, uom, name, original, (first, before), tuple(values))

    def _value(self, name: str, one: Any) -> One:
        start = one.findtext(f"{AR}timePeriod/{AR}start")
        self._must(one.findtext(f"{AR}timePeriod/{AR}duration") == "0", f"{name}: a value with a duration")
        captured = self._instant(start)
        target = one.findtext(f"{AR}targetTime")
        ptb, fnn = one.findtext(f"{AR}statusPTB"), one.findtext(f"{AR}statusFNN") or ""
        self._must(ptb is not None or bool(fnn), f"{name}: no status at {start}")
        self._must(ptb is None or ptb in "01234", f"{name}: class {ptb}")
        told = -1 if ptb is None else int(ptb)
        if fnn:
            found = self._severity(name, fnn)
            self._must(told in (-1, found), f"{name}: {fnn} is of class {found}, told is {told}")
            told = found
        signature = bytes.fromhex(one.findtext(f"{AR}signature") or "")
        self._must(not signature or (len(signature) == 64 and one.findtext(f"{AR}certId") == "1"), f"{name}: signature")
        vendor = one.findtext(f"{AR}statusVendor") or ""
        at = captured if target is None else self._instant(target)
        return One(at, captured, int(one.findtext(f"{ESPI}value")), told, signature, fnn, vendor, start)

    def _severity(self, name: str, word: str) -> int:
        """The class of a status word that is written least significant bit first (han 5.3)."""
        self._must(re.fullmatch(r"[0-9A-Fa-f]{16}", word) is not None, f"{name}: {word} is no status word")
        gateway, meter = (int(f"{int(half, 16):032b}"[::-1], 2) for half in (word[:8], word[8:]))
        self._must(gateway & 0x5 == 0x5 and meter & 0x4 == 0x4, f"{name}: {word} is not marked as a status word")
        if gateway & 0x100 or meter & 0x20000:
            return 4
        if gateway & 0x4200 or meter & 0x600:
            return 3
        return 2 if gateway & 0x2000 else 1 if gateway & 0x1000 else 0

    # --- rules of the whole file

    def judge(self, use_case: int, *, closed: bool, signature_key: Path) -> list[str]:
        """All rules that are broken.

        Args:
            use_case: 1, 2, 6 or 7.
            closed: whether the billing period is over.
            signature_key: written: the public key of the signatures, PEM.
        """
        must = self._must
        must(schema().validate(etree.parse(str(self.path))), "the schema does not take it")
        must(len(self.root.findall(f"{AR}UsagePoint")) == 1, "one usage point")
        for path in ("usagePointId", "tariffName", "InvoicingParty/invoicingPartyId", "SMGW/smgwId"):
            must(bool(self.text(path)), f"{path} is empty")
        must(self.text("espi:ServiceCategory/espi:kind") == "0", "electricity is kind 0")
        customer = self.text("Customer/customerId")
        must(bool(customer) and not customer.endswith(".sm"), f"customer {customer!r}")
        must(bool(self.text("SMGW/FirmwareVersion")), "no firmware")
        for one in self.point.iter(f"{AR}FirmwareComponent"):
            must(all(one.findtext(f"{AR}{part}") for part in ("name", "version", "checksum")), "a part of the firmware")
        must(bytes.fromhex(self.text("VendorConfig/tafProfile"))[:1] == b"\x30", "no signed profile")
        self._certificates(signature_key)
        for one in self.point.iter(f"{AR}LogEvent"):
            must(one.findtext(f"{AR}level") in set("12345"), "level of a log entry")
            must(one.findtext(f"{AR}outcome") in set("012"), "outcome of a log entry")
            self._instant(one.findtext(f"{AR}timestamp"))
        {1: self._taf1, 2: self._taf2, 6: self._taf6, 7: self._taf7}[use_case](closed)
        return self.problems

    def _certificates(self, key: Path) -> None:
        told = sorted(int(one.text) for one in self.point.findall(f"{AR}SMGW/{AR}certId"))
        found = list(self.point.findall(f"{AR}Certificate"))
        self._must(
            bool(told) and told == sorted(int(one.findtext(f"{AR}certId")) for one in found), "ids of certificates"
        )
        for one in found:
            der = bytes.fromhex(one.findtext(f"{AR}certContent"))
            read = subprocess.run(
                ["openssl", "x509", "-inform", "DER", "-noout", "-pubkey"], input=der, capture_output=True, check=False
            )
            self._must(read.returncode == 0, "a certificate that OpenSSL does not read")
            self._must(one.findtext(f"{AR}certType") in set("123"), "kind of a certificate")
            if one.findtext(f"{AR}certId") == "1":
                self._must(one.findtext(f"{AR}certType") == "1", "certificate 1 is that of the signatures")
                key.write_bytes(read.stdout)

    def _raster(self, one: List, begin: datetime, end: datetime) -> None:
        missing = [at for at in quarters(begin, end) if at not in one.by_instant]
        self._must(not missing, f"{one.name}: {len(missing)} quarter hours are missing, first {missing[:1]}")

    def _taf1(self, closed: bool) -> None:
        self._must(len(self.lists) >= 2 if closed else bool(self.originals), "TAF-1 has two lists")
        self._must(1 <= len(self.originals) <= 3, "TAF-1 has at most three original lists")
        begin, end = self.originals[0].block
        local = begin.astimezone(BERLIN)
        self._must((local.day, local.hour, local.minute) == (1, 0, 0), f"TAF-1 begins at {local}")
        for one in self.originals:
            self._raster(one, begin, end)
        for one in self.derived:
            ends = {begin, end} if closed else {begin}
            self._must(ends <= set(one.by_instant), f"{one.name}: not at begin and end")

    def _taf2(self, closed: bool) -> None:
        self._must(len(self.lists) >= 5 if closed else len(self.lists) >= 2, "TAF-2 has five lists")
        self._must(len({len(one.values) for one in self.derived}) == 1, "derived lists of TAF-2 are equally long")
        begin, end = self.originals[0].block
        self._raster(self.originals[0], begin, end)
        stages = {int(one.obis[8:10], 16): one for one in self.derived}
        self._must({1, 2, 63} <= set(stages), f"stages {sorted(stages)}")

    def _taf6(self, closed: bool) -> None:
        self._must(bool(self.derived) and not self.originals, "TAF-6 has daily values only")
        for one in self.derived:
            self._must(len(one.values) <= 42, f"{one.name}: {len(one.values)} daily values")
            days = [each.at.astimezone(BERLIN) for each in one.values]
            self._must(all(day.time() == time() for day in days), f"{one.name}: not at midnight")
            apart = [later.date() - first.date() for first, later in pairwise(days)]
            self._must(all(each == timedelta(days=1) for each in apart), f"{one.name}: a day is missing")

    def _taf7(self, closed: bool) -> None:
        self._must(bool(self.originals) and not self.derived, "TAF-7 has original lists only")
        told = {one.obis for one in self.originals}
        self._must(told == {"0100010800ff", "0100020800ff"}, f"the contract is about two registers, not {told}")
        for one in self.originals:
            self._raster(one, one.values[0].at, one.values[-1].at)

    # --- signatures

    def signatures(self, key: Path, work: Path, every: int = 1) -> tuple[int, list[str]]:
        """How many signatures OpenSSL takes, and those that it does not; every Nth value of each list is looked at.

        Octets and order of the lines are those of docs/trudi.md. Of a product that tells no status word it must be one
        of `WORDS`.
        """
        good, bad = 0, []
        for one in self.lists:
            for value in one.values[::every]:
                words = (value.vendor or value.fnn,) if value.vendor or value.fnn else WORDS
                if any(self._fits(one, value, word, key, work) for word in words):
                    good += 1
                else:
                    bad.append(f"{one.name} {value.start}")
        return good, bad

    def _fits(self, one: List, value: One, word: str, key: Path, work: Path) -> bool:
        lines = ["smgw-value-1", one.name.lower(), word, value.start, str(value.value)]
        lines += [str(one.scaler), str(UNITS[one.uom])]
        octets, signature = work / "octets", work / "signature"
        octets.write_bytes("".join(f"{line}\n" for line in lines).encode())
        signature.write_bytes(_sequence(value.signature))
        command = ["openssl", "dgst", "-sha256", "-verify", str(key), "-signature", str(signature), str(octets)]
        return b"Verified OK" in subprocess.run(command, capture_output=True, check=False).stdout


def _sequence(pair: bytes) -> bytes:
    """r || s as ASN.1; nothing for no signature."""
    if not pair:
        return b""

    def number(octets: bytes) -> bytes:
        octets = octets.lstrip(b"\0") or b"\0"
        octets = b"\0" + octets if octets[0] & 0x80 else octets
        return bytes([2, len(octets)]) + octets

    both = number(pair[:32]) + number(pair[32:])
    return bytes([0x30, len(both)]) + both


def quarters(begin: datetime, end: datetime) -> Iterator[datetime]:
    """All quarter hours, both bounds included."""
    at = datetime.fromtimestamp(-(-begin.timestamp() // 900) * 900, UTC)
    while at <= end:
        yield at
        at += QUARTER


def tariff_of(at: datetime, switches: Iterable[tuple[int, int]]) -> int:
    """The stage at an instant, by the local wall clock; `switches` are hour and stage, the first at 0."""
    hour = at.astimezone(BERLIN).hour
    return [stage for begin, stage in switches if begin <= hour][-1]


def stages_of(one: List, switches: Iterable[tuple[int, int]]) -> dict[int, int]:
    """TAF-2 as han 5.6 says: each pair of neighbours goes to its stage; across a switch it goes to 63."""
    found: dict[int, int] = {63: 0}
    switches = tuple(switches)
    for (begin, low), (end, high) in pairwise(sorted(one.by_instant.items())):
        touched = {tariff_of(at, switches) for at in quarters(begin, end - QUARTER)}
        stage = touched.pop() if len(touched) == 1 else 63
        found[stage] = found.get(stage, 0) + high - low
    return found


def supplier_file(file: File, use_case: int, tariffs: Mapping[str, Iterable[tuple[int, int]]]) -> str:
    """The supplier's tariff for the span of the first original list, with an entry for every day of it.

    Args:
        file: the gateway's export.
        use_case: 1 or 2.
        tariffs: begin of the OBIS code, such as ``01000108`` -> hour and stage of each switch, the first at 0.
    """
    begin, end = file.originals[0].block
    first, last = begin.astimezone(BERLIN).date(), (end - QUARTER).astimezone(BERLIN).date()
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    named, profiles, calendar, number = "", "", "", 0
    for day_id, (code, switches) in enumerate(tariffs.items(), 1):
        by_hour = tuple(switches)
        numbers = {}
        for stage in sorted({stage for _, stage in by_hour}):
            number += 1
            numbers[stage] = number
            named += (
                f"<TariffStage><tariffNumber>{number}</tariffNumber><description>stage {stage}</description>"
                f"<obisCode>{code}{stage:02x}ff</obisCode></TariffStage>"
            )
        slots = "".join(
            f"<DayTimeProfile><startTime><hour>{at // 4}</hour><minute>{at % 4 * 15}</minute></startTime><tariffNumber>"
            f"{numbers[[stage for hour, stage in by_hour if hour <= at // 4][-1]]}</tariffNumber></DayTimeProfile>"
            for at in range(96)
        )
        profiles += f"<DayProfile><dayId>{day_id}</dayId>{slots}</DayProfile>"
        calendar += "".join(
            f"<SpecialDayProfile><specialDayDate><year>{day.year}</year><month>{day.month}</month><day_of_month>"
            f"{day.day}</day_of_month></specialDayDate><dayId>{day_id}</dayId></SpecialDayProfile>"
            for day in days
        )
    return (
        '<?xml version="1.0" encoding="utf-8"?><UsagePoints xmlns="http://vde.de/AR_2418-6.xsd" '
        'xmlns:espi="http://naesb.org/espi"><UsagePoint><espi:ServiceCategory><espi:kind>0</espi:kind>'
        f"</espi:ServiceCategory><usagePointId>{file.text('usagePointId')}</usagePointId><InvoicingParty>"
        f"<invoicingPartyId>{file.text('InvoicingParty/invoicingPartyId')}</invoicingPartyId></InvoicingParty>"
        f"<SMGW><smgwId>{file.text('SMGW/smgwId').upper()}</smgwId></SMGW><tariffName>{file.text('tariffName')}"
        f"</tariffName><AnalysisProfile><tariffUseCase>{use_case}</tariffUseCase><tariffId>T</tariffId>"
        f"<billingPeriod><duration>{int((end - begin).total_seconds())}</duration><start>"
        f"{begin.astimezone(BERLIN).isoformat()}</start></billingPeriod>{named}<defaultTariffNumber>1"
        f"</defaultTariffNumber><TariffChangeTrigger><TimeTrigger>{profiles}{calendar}</TimeTrigger>"
        "</TariffChangeTrigger></AnalysisProfile></UsagePoint></UsagePoints>"
    )
