"""PPC's exports: CMS that openssl verifies, XML as han 6 has it, and the readers that the sheet describes."""

from __future__ import annotations

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_der_x509_certificate
from han_ppc_clients import Answer, Browser, options
from han_ppc_rack import BAD, DEVICE, EXPORT, GAP, METER, PASSWORDS, Ppc, counted, ppc

from devices.protocols import cms
from firmware.metering.signed_octets import signed_octets
from firmware.security.module import verify

NS = {"p": "urn:k461-dke-de:profile_generic-1", "e": "urn:k461-dke-de:extension-1"}
BERLIN = ZoneInfo("Europe/Berlin")
SPAN = {"from": "2026-03-27 23:00:00", "to": "2026-03-29 00:15:00"}
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command")


@pytest.fixture
async def gateway() -> AsyncIterator[Ppc]:
    async with ppc() as found:
        yield found


def fetch(host: str, port: int, action: str, fields: dict[str, str]) -> Answer:
    one = Browser(host, port, "alice", PASSWORDS["alice"])
    one.login()
    mid = options(one.post("meterform").text, "meterform_select_meter")[0][0]
    tid = options(one.post("tariffform").text, "tarifform_select_profile")[0][0]
    return one.post(action, mid=mid, tid=tid, **fields)


def openssl_content(octets: bytes, folder: Path) -> bytes:
    """What openssl finds signed. Fails unless it verifies."""
    (folder / "export.cms").write_bytes(octets)
    command = ["openssl", "cms", "-verify", "-inform", "DER", "-in", "export.cms", "-noverify", "-binary"]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_openssl
@pytest.mark.parametrize(
    ("action", "fields", "end"),
    [
        ("exportMeterValues", SPAN, b"</ns1:object>"),
        ("exportLogData", {}, b"</ns1:object>"),
        ("exportMeterProfile", {}, b"</klc:container>"),
        ("exportTariffProfile", {}, b"</taf01:object>"),
        ("exportCommProfile", {}, b"</khw:container>"),
    ],
)
async def test_openssl_verifies_every_export(
    gateway: Ppc, tmp_path: Path, action: str, fields: dict[str, str], end: bytes
) -> None:
    answer = await gateway.outside(fetch, action, fields)
    content = openssl_content(answer.body, tmp_path)
    assert content.startswith(b"<?xml") and content.endswith(end)
    ET.fromstring(content)
    # readers without ASN.1 search for these octets in the file itself (han 6)
    start = answer.body.find(b"<?xml")
    assert answer.body[start : answer.body.rfind(end) + len(end)] == content
    subject = load_der_x509_certificate(cms.read(answer.body).certificates[0]).subject.rfc4514_string()
    assert f"CN={DEVICE}.SMGW" in subject
    (signer,) = cms.read(answer.body).signers
    assert signer.key_identifier is not None
    assert signer.signing_time is not None and signer.signing_time.date().isoformat() == "2026-03-30"
    assert re.search(r'attachment; filename="[\w.]+\.xml\.cms"', answer.header("Content-Disposition") or "")


def _extractor(octets: bytes) -> dict[str, list[tuple[datetime, str]]]:
    """The published extractor: literal `<?xml` to `</ns1:object>`, columns by id (han 6)."""
    start = octets.find(b"<?xml")
    text = octets[start:].decode("utf-8", errors="ignore")
    root = ET.fromstring(text[: text.rfind("</ns1:object>") + len("</ns1:object>")])
    names = {
        one.attrib["id"]: one.findtext("e:logical_name", "", NS).split(".")[0]
        for one in root.findall("p:attributes/p:capture_objects/p:capture_object", NS)
    }
    found: dict[str, list[tuple[datetime, str]]] = {}
    for column in root.findall("p:attributes/p:buffer/p:simple_data/p:column", NS):
        entries = column.findall("p:entry_gateway_signed", NS)
        assert len(entries) == int(column.attrib["count"])
        assert [one.attrib["id"] for one in entries] == [str(at) for at in range(1, len(entries) + 1)]
        found[names[column.attrib["id"]]] = [
            (datetime.fromisoformat(one.findtext("e:capture_time", "", NS)), one.findtext("e:value/e:long64", "", NS))
            for one in entries
        ]
    return found


async def test_the_extractor_finds_every_quarter_hour_of_both_registers(gateway: Ppc) -> None:
    answer = await gateway.outside(fetch, "exportMeterValues", SPAN)
    assert answer.header("Content-Disposition") == f'attachment; filename="{METER.lower()}.sm_data.xml.cms"'
    found = _extractor(answer.body)
    assert list(found) == ["0100010800ff", "0100020800ff"]
    begin, end = datetime(2026, 3, 27, 22, tzinfo=UTC), datetime(2026, 3, 28, 23, tzinfo=UTC)
    wanted = [begin + timedelta(minutes=15) * at for at in range(int((end - begin) / timedelta(minutes=15)) + 1)]
    for obis, code in (("0100010800ff", "1-0:1.8.0*255"), ("0100020800ff", EXPORT)):
        expected = [
            (one, "") if one == GAP else (one + timedelta(seconds=1), str(counted(one, code)))
            for one in reversed(wanted)
        ]
        assert found[obis] == expected, "newest first, one second after the quarter hour"


@pytest.mark.parametrize(("day", "quarters"), [("2026-03-29", 92), ("2025-10-26", 100)])
async def test_days_of_the_change_have_92_and_100_quarter_hours(gateway: Ppc, day: str, quarters: int) -> None:
    answer = await gateway.outside(fetch, "exportMeterValues", {"from": f"{day} 00:00:00", "to": f"{day} 23:59:59"})
    times = [time for time, _ in _extractor(answer.body)["0100010800ff"]]
    assert len(times) == quarters
    assert {time.astimezone(BERLIN).date().isoformat() for time in times} == {day}


async def test_entries_have_status_scaler_unit_and_a_signature_with_the_key(gateway: Ppc) -> None:
    """Han 6: status 0, 3, 4; scaler -1, unit 30; r, s and the signer's public key, which is that of the certificate."""
    answer = await gateway.outside(fetch, "exportMeterValues", SPAN)
    message = cms.read(answer.body)
    message.verify()
    key = load_der_x509_certificate(message.certificates[0]).public_key()
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
    root = ET.fromstring(message.content)
    assert root.tag == f"{{{NS['p']}}}object"
    assert root.attrib == {"class_id": "7", "class_version": "1", "id": f"01005e31803c.{METER.lower()}.sm"}
    first = root.find("p:attributes/p:capture_objects/p:capture_object", NS)
    assert first is not None
    assert [(one.tag.split("}")[1], one.text) for one in first] == [
        ("logical_name", f"0100010800ff.{METER.lower()}.sm"),
        ("class_id", "32822"),
        ("class_version", "1"),
        ("attr_reference", "0"),
        ("index_reference", "0"),
    ]
    assert root.find("p:attributes/p:buffer[@id='3']/p:simple_data[@count='2']", NS) is not None
    states = {}
    for entry in root.findall(".//p:column[@id='1']/p:entry_gateway_signed", NS):
        time = entry.findtext("e:capture_time", "", NS)
        states[time] = entry.findtext("e:status/e:unsigned", "", NS)
        signature = bytes.fromhex(entry.findtext("e:smgw_signature", "", NS))
        assert len(signature) == 128 and signature[64:] == point
        value = entry.findtext("e:value/e:long64", "", NS)
        if value:
            assert (entry.findtext("e:scaler", "", NS), entry.findtext("e:unit", "", NS)) == ("-1", "30")
            word = "A040000020000000" if time == f"{BAD:%Y-%m-%dT%H:%M:01Z}" else "A000000020000000"
            at_us = int(datetime.fromisoformat(time).timestamp()) * 1_000_000
            octets = signed_octets(f"0100010800ff.{METER.lower()}.sm", word, at_us, int(value), -1, 30)
            assert verify(key, octets, signature[:64])  # type: ignore[arg-type]
    assert states.pop(f"{GAP:%Y-%m-%dT%H:%M:00Z}") == "3"
    assert states.pop(f"{BAD:%Y-%m-%dT%H:%M:01Z}") == "4"
    assert set(states.values()) == {"0"}


async def test_the_meter_profile_has_what_the_library_looks_for(gateway: Ppc) -> None:
    answer = await gateway.outside(fetch, "exportMeterProfile", {})
    spaces = {
        "klc": "urn:k461-dke-de:kaf_lmn_container-1",
        "adevs": "urn:k461-dke-de:abstract_device_setup-1",
        "ems": "urn:k461-dke-de:e_meter_sensor_setup-1",
    }
    root = ET.fromstring(cms.read(answer.body).content)
    assert root.tag == f"{{{spaces['klc']}}}container"
    device = root.find(".//klc:e_meter_device_object", spaces)
    assert device is not None and device.attrib["class_id"] == "32809"
    told = {
        name: device.findtext(f".//adevs:{name}", "", spaces) for name in ("device_identifier", "samplerate", "active")
    }
    assert told == {"device_identifier": METER.lower(), "samplerate": "900", "active": "0"}
    assert device.findtext(".//adevs:device_type", None, spaces) is not None
    codes = [one.text for one in device.findall(".//ems:values/ems:value", spaces)]
    assert codes == ["0100010800ff", "0100020800ff"]


async def test_the_log_is_exported_with_numbers_texts_and_places(gateway: Ppc) -> None:
    await gateway.outside(fetch, "welcomePage", {})
    await gateway.clock.sleep(1)  # what is logged is stored in the gateway's own time
    answer = await gateway.outside(fetch, "exportLogData", {})
    parser = ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))
    root = ET.fromstring(cms.read(answer.body).content, parser)
    assert root.findtext("p:attributes/e:logical_name", "", NS) == f"0000636203ff.{DEVICE.lower()}.sm"
    entries = root.findall("p:attributes/p:buffer/p:logbook/p:entry", NS)
    numbers = [int(one.findtext("e:record_number", "", NS)) for one in entries]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    login = next(one for one in entries if one.findtext("e:event/e:type/e:event_id", "", NS) == "10228")
    event = login.find("e:event", NS)
    assert event is not None
    assert (event.findtext("e:level", "", NS), event.findtext("e:outcome", "", NS)) == ("INFO", "SUCCESS")
    assert re.fullmatch(r"2026-03-30T10:0\d:\d\dZ", event.findtext("e:timestamp", "", NS))
    template = next((node.text or "").strip() for node in event.iter() if node.tag is ET.Comment)
    values = [one.text or "" for one in event.findall("e:message_extensions/e:message_extension", NS)]
    assert len(re.findall(r"\[[^\]]+\]", template)) == len(values)
    assert "alice" in values


async def test_too_many_or_no_records_give_a_text_in_place_of_a_file(gateway: Ppc) -> None:
    """Han 2.2: more than 1000 log records, status 200, a text that programs know by its end."""

    memory = gateway.rack.memory
    last = memory.query("SELECT MAX(number) FROM log WHERE book = 'consumer' AND owner = 'alice'")[0][0]
    columns = "time_us, dated, event, vendor_id, sub_id, level, outcome, parameters, text, chain, signature"
    where = "WHERE book = 'consumer' AND owner = 'alice' AND number = ?"
    copy = f"INSERT INTO log SELECT book, owner, ?, {columns} FROM log {where}"
    memory.commit([(copy, (last + at, last)) for at in range(1, 1001)])
    answer = await gateway.outside(fetch, "exportLogData", {})
    found = re.fullmatch(
        r"Die Abfrage liefert (\d+) Datens&auml;tze zur&uuml;ck\. Es sind nur 1000 erlaubt\. .*\n", answer.text
    )
    assert answer.status == 200 and found is not None and int(found[1]) > 1000
    none = {"from": "2020-01-01", "to": "2020-01-02"}
    for action in ("exportLogData", "exportMeterValues"):
        assert (await gateway.outside(fetch, action, none)).text == "Keine Daten vorhanden.\n"


async def test_the_limit_of_values_can_be_set() -> None:
    async with ppc(han_ppc_export_limit=50) as gateway:
        text = (await gateway.outside(fetch, "exportMeterValues", SPAN)).text
        assert "Es sind nur 50 erlaubt." in text


async def test_a_consumer_whose_register_is_hidden_exports_none_of_it(gateway: Ppc) -> None:
    def look(host: str, port: int) -> bytes:
        one = Browser(host, port, "bob", PASSWORDS["bob"])
        one.login()
        mids = options(one.post("meterform").text, "meterform_select_meter")
        mid = next(mid for mid, label in mids if "1lgz0072999212" in label)
        return one.post("exportMeterValues", mid=mid, **{"from": "2026-03-30", "to": "2026-03-30"}).body

    assert list(_extractor(await gateway.outside(look))) == ["0100010800ff"]
