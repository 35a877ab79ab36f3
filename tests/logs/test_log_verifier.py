"""The verifier of log books: every changed bit is found, and an outside program comes to the same result (issue 5)."""

from __future__ import annotations

import io
import json
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key
from independent_log import wrong_in
from log_rack import filled

from bench.cli import main
from devices.errors import UsageError
from devices.protocols.sm_pki import Usage, make_root
from firmware.logs.exchange import export_lines, from_lines
from firmware.logs.stored import RawLogs, from_database, from_memory
from firmware.logs.verifier import verify_logs
from firmware.security.module import GW_WAN_SIG
from firmware.storage.memory import NonVolatileMemory, setting_statement

EMPTY = '{"format": "smgw-log-export-1", "device": "", "public_key": "", "certificates": []}'
COLUMNS = {
    "log": "book owner number time_us dated event vendor_id sub_id level outcome parameters text chain signature",
    "log_anchor": "book owner number chain entry_signature signature",
    "log_head": "book owner number chain entry_signature signature",
}


def opened(file: Path) -> sqlite3.Connection:
    """A copy of the memory in the working memory, texts as octets."""
    source, database = sqlite3.connect(file), sqlite3.connect(":memory:", isolation_level=None)
    source.backup(database)
    source.close()
    database.text_factory = bytes
    return database


def made(folder: Path, entries: int, **more: Any) -> Path:
    file = folder / "memory.sqlite"
    filled(file, entries, **more).close()
    return file


def flips(value: object, kind: str) -> Iterator[tuple[str, object]]:
    """How SQL is told the value with each single bit flipped: octets, text by its UTF-8, a 64 bit number."""
    if kind == "integer":
        assert isinstance(value, int)
        yield from (("?", value ^ (1 << bit) if bit < 63 else value - (1 << 63)) for bit in range(64))
        return
    assert isinstance(value, bytes)
    for bit in range(8 * len(value)):
        bent = bytearray(value)
        bent[bit // 8] ^= 1 << bit % 8
        yield "CAST(? AS TEXT)" if kind == "text" else "?", bytes(bent)


def values_of(database: sqlite3.Connection, book: bytes) -> Iterator[tuple[str, str, str, list[Any], object, str]]:
    """Table, column, condition with its parameters, value and kind of everything that is stored of a book."""
    for table, columns in COLUMNS.items():
        names = columns.split()
        kinds = ", ".join(f"typeof({name})" for name in names)
        sql = f"SELECT {', '.join(names)}, {kinds} FROM {table} WHERE book = CAST(? AS TEXT)"
        for row in database.execute(sql, (book,)).fetchall():
            where = "book = CAST(? AS TEXT) AND number = ?"
            for name, value, kind in zip(names, row[: len(names)], row[len(names) :], strict=True):
                yield table, name, where, [book, row[2]], value, kind.decode()


def test_every_bit_of_a_small_calibration_log_is_guarded(tmp_path: Path) -> None:
    """Each bit of each column of each row: entries, anchor and head."""
    database = opened(made(tmp_path, 3, drop=1, curve="secp256r1"))
    database.execute("DELETE FROM log WHERE book = 'consumer'")  # less to verify each time; the others are looked at
    database.execute("DELETE FROM log_anchor WHERE book = 'consumer'")
    database.execute("DELETE FROM log_head WHERE book = 'consumer'")
    assert verify_logs(from_database(database)).sound
    database.execute("DELETE FROM setting WHERE name LIKE 'certificate/%'")  # the same for all, and slow to verify
    before = verify_logs(from_database(database)).findings
    assert [one.what for one in before] == ["no certificate vouches for the number of the gateway"]
    tried, missed = 0, []
    for table, column, where, which, value, kind in list(values_of(database, b"calibration")):
        if kind == "null":
            continue
        for place, bent in flips(value, kind):
            database.execute("BEGIN")
            database.execute(f"UPDATE OR REPLACE {table} SET {column} = {place} WHERE {where}", (bent, *which))
            if verify_logs(from_database(database)).findings == before:
                missed.append((table, column, which, bent))
            database.execute("ROLLBACK")
            tried += 1
    assert missed == []
    assert tried > 6000


@pytest.mark.parametrize("column", ["vendor_id", "sub_id", "time_us", "dated", "chain", "text", "parameters"])
@pytest.mark.parametrize("value", [None, 7, 0.5, b"\0", "x"])
def test_a_value_of_another_kind_is_found_and_told(tmp_path: Path, column: str, value: object) -> None:
    database = opened(made(tmp_path, 3, curve="secp256r1"))
    try:
        database.execute(f"UPDATE log SET {column} = ? WHERE book = 'calibration' AND number = 3", (value,))
    except sqlite3.IntegrityError:
        return  # the database itself does not take it
    findings = verify_logs(from_database(database)).findings
    assert any((one.book, one.number) == ("calibration", 3) for one in findings)


def test_random_bits_of_a_large_log_are_found_in_their_entry(tmp_path: Path) -> None:
    database = opened(made(tmp_path, 120, drop=20, curve="secp256r1"))
    rng, whole = random.Random(11), list(values_of(database, b"calibration"))
    for _ in range(80):
        table, column, where, which, value, kind = rng.choice(
            [one for one in whole if one[5] != "null" and one[4] != b""]
        )
        place, bent = rng.choice(list(flips(value, kind)))
        database.execute("BEGIN")
        database.execute(f"UPDATE OR REPLACE {table} SET {column} = {place} WHERE {where}", (bent, *which))
        findings = verify_logs(from_database(database)).findings
        database.execute("ROLLBACK")
        assert findings, (table, column, which)
        if table == "log" and column not in ("book", "owner", "number"):
            assert which[1] in {one.number for one in findings}


@pytest.mark.parametrize("book", [b"system", b"consumer"])
def test_accidents_in_unsigned_books_are_found_too(tmp_path: Path, book: bytes) -> None:
    database = opened(made(tmp_path, 2, curve="secp256r1"))
    rng = random.Random(3)
    for table, column, where, which, value, kind in list(values_of(database, book)):
        if kind == "null" or not value or (table, column) == ("log_head", "signature"):
            continue
        place, bent = rng.choice(list(flips(value, kind)))
        database.execute("BEGIN")
        database.execute(f"UPDATE OR REPLACE {table} SET {column} = {place} WHERE {where}", (bent, *which))
        assert not verify_logs(from_database(database)).sound, (table, column)
        database.execute("ROLLBACK")


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("DELETE FROM log WHERE book = 'calibration' AND number = 3", "entry 3 is wanted here"),
        ("DELETE FROM log WHERE book = 'calibration' AND number <= 3", "entry 3 is wanted here"),
        ("DELETE FROM log WHERE book = 'calibration' AND number > 4", "up to 6, are missing"),
        ("DELETE FROM log WHERE book = 'calibration'", "up to 6, are missing"),
        ("DELETE FROM log_anchor WHERE book = 'calibration'", "entry 1 is wanted here"),
        ("DELETE FROM log_head WHERE book = 'calibration'", "the head is missing"),
        ("UPDATE log SET number = number + 1000 WHERE book = 'calibration' AND number = 6", "entry 6 is wanted here"),
    ],
)
def test_entries_that_are_missing_at_any_end_are_found(tmp_path: Path, sql: str, told: str) -> None:
    database = opened(made(tmp_path, 6, drop=2))
    database.execute(sql)
    assert any(told in one.what for one in verify_logs(from_database(database)).findings)


def test_a_calibration_book_that_is_gone_is_missed(tmp_path: Path) -> None:
    database = opened(made(tmp_path, 3))
    for table in COLUMNS:
        database.execute(f"DELETE FROM {table} WHERE book = 'calibration'")
    assert [str(one) for one in verify_logs(from_database(database)).findings] == ["calibration: the book is missing"]


def test_the_newest_entries_cannot_be_cut_off_by_writing_a_new_head(tmp_path: Path) -> None:
    """Somebody without the key makes the last but one entry look like the last: the head's signature is missing."""
    database = opened(made(tmp_path, 3))
    database.execute("DELETE FROM log WHERE book = 'calibration' AND number = 3")
    database.execute(
        "UPDATE log_head SET (number, chain, entry_signature) ="
        " (SELECT number, chain, signature FROM log WHERE book = 'calibration' AND number = 2)"
        " WHERE book = 'calibration'"
    )
    assert "the head is not signed by this gateway" in [
        one.what for one in verify_logs(from_database(database)).findings
    ]


def test_a_whole_memory_put_back_is_found_by_an_earlier_export_alone(tmp_path: Path) -> None:
    """What one memory cannot tell by itself, as the documentation says."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    old = from_memory(made(tmp_path / "a", 3))
    new = from_memory(made(tmp_path / "b", 5))
    assert verify_logs(old).sound
    assert verify_logs(new, earlier=old).sound
    assert [one.number for one in verify_logs(old, earlier=new).findings if one.book == "calibration"] == [4, 5]


def test_another_gateway_s_logs_do_not_pass_for_this_one_s(tmp_path: Path) -> None:
    logs = from_memory(made(tmp_path, 2))
    (tmp_path / "other").mkdir()
    other = from_memory(made(tmp_path / "other", 1, curve="secp256r1")).key
    assert verify_logs(logs).sound
    wrong = verify_logs(logs, key=other)
    assert {one.number for one in wrong.findings} == {None, 1, 2}
    assert wrong.key != verify_logs(logs).key


def test_a_damaged_file_is_told_and_breaks_nothing(tmp_path: Path) -> None:
    """Bits of the file itself: found, or nothing of the logs has changed by it."""
    file = made(tmp_path, 40, curve="secp256r1")
    sqlite3.connect(file).execute("PRAGMA wal_checkpoint(TRUNCATE)").connection.close()
    whole, before = file.read_bytes(), from_memory(file)
    rng, found = random.Random(5), 0
    for _ in range(150):
        bent = bytearray(whole)
        bent[rng.randrange(len(bent))] ^= 1 << rng.randrange(8)
        damaged = tmp_path / "damaged.sqlite"
        for rest in tmp_path.glob("damaged.sqlite*"):
            rest.unlink()
        damaged.write_bytes(bent)
        try:
            logs = from_memory(damaged)
        except UsageError:
            found += 1
            continue
        if verify_logs(logs, key=before.key).sound:
            assert logs.books == before.books
        else:
            found += 1
    assert found > 20


@pytest.mark.parametrize("curve", ["brainpoolP256r1", "secp384r1"])
def test_openssl_verifies_an_export_by_the_documentation_alone(tmp_path: Path, curve: str) -> None:
    logs = from_memory(made(tmp_path, 6, drop=2, curve=curve))
    lines = list(export_lines(logs))
    assert wrong_in(lines, tmp_path) == []
    bent = [line.replace("a step of 4 ms", "a step of 5 ms") for line in lines]
    assert wrong_in(bent, tmp_path)[0] == "calibration  entry 4"


def test_openssl_finds_a_changed_octet_anywhere_in_an_export(tmp_path: Path) -> None:
    lines = list(export_lines(from_memory(made(tmp_path, 3)), ["calibration"]))
    told = json.loads(lines[2])
    for name in ("time_us", "event", "text", "chain", "signature", "dated", "level"):
        changed = dict(told)
        value = changed[name]
        if isinstance(value, bool):
            changed[name] = not value
        elif isinstance(value, int):
            changed[name] = value + 1
        else:
            changed[name] = value[:-1] + ("0" if value[-1] != "0" else "1")
        assert wrong_in([*lines[:2], json.dumps(changed), *lines[3:]], tmp_path), name


def test_an_export_comes_back_octet_by_octet(tmp_path: Path) -> None:
    logs = from_memory(made(tmp_path, 5, drop=1))
    again = from_lines(export_lines(logs))
    assert again.books == logs.books
    assert verify_logs(again).sound
    assert verify_logs(again) == verify_logs(logs)


def found_in(text: str) -> bool:
    """Whether the verifier finds something in an export of the calibration log, or it cannot be read."""
    try:
        logs = from_lines(io.StringIO(text, newline="\n"))
    except UsageError:
        return True
    told = logs.trouble or any(book.malformed for book in logs.books.values())  # quick: all of these are findings
    return bool(told) or [str(one) for one in verify_logs(logs).findings] != ["system: the book is missing"]


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@pytest.mark.timeout(300)
def test_a_changed_character_anywhere_in_an_export_is_found(tmp_path: Path) -> None:
    """Header, anchor, entries, head: one bit of each character, of every other letter the one that makes it small."""
    logs = from_memory(made(tmp_path, 3, drop=1, curve="secp256r1"))
    whole = "".join(f"{line}\n" for line in export_lines(logs, ["calibration"]))
    assert not found_in(whole)
    rng, missed = random.Random(17), []
    for place, character in enumerate(whole):
        bit = 0x20 if character.isalpha() and rng.random() < 0.5 else 1 << rng.randrange(7)
        bent = chr(ord(character) ^ bit)
        if not found_in(whole[:place] + bent + whole[place + 1 :]):
            missed += [(place, whole[max(0, place - 30) : place + 5], bent)]
    assert missed == []
    assert len(whole) > 4000


@pytest.mark.parametrize(
    ("line", "old", "new", "told"),
    [
        (2, '"time": "2026-', '"time": "2019-', "calibration entry 2: its time reads '2019-"),
        (0, "EEMH0009264154", "EEMH0009264155", "the number of the gateway is 'EEMH0009264155', its certificate says"),
        (1, '{"kind"', '{ "kind"', "line 2 is not as an export writes it"),
        (2, '"vendor_id": null', '"vendor_id": null, "vendor_id": null', "line 3 is not as an export writes it"),
    ],
)
def test_what_an_export_says_beside_the_signed_fields_is_compared(
    tmp_path: Path, line: int, old: str, new: str, told: str
) -> None:
    lines = list(export_lines(from_memory(made(tmp_path, 3, drop=1))))
    assert old in lines[line]
    lines[line] = lines[line].replace(old, new)
    [finding] = verify_logs(from_lines(lines)).findings
    assert str(finding).startswith(told)


def test_another_hierarchy_cannot_rename_a_gateway_whose_certificate_is_known(tmp_path: Path) -> None:
    """Certificates for the same key and another number can be made by anybody: only one from elsewhere helps."""
    file = made(tmp_path, 2)
    known = from_memory(file).certificates[0]
    memory = NonVolatileMemory(file)
    key = load_der_private_key(memory.secret(GW_WAN_SIG) or b"", None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    root = make_root(random.Random(1), datetime(2026, 1, 1, tzinfo=UTC))
    der = root.issue("EXXX0001.SMGW", "Bench", key.public_key(), Usage.SIGNATURE, datetime(2026, 1, 1, tzinfo=UTC))
    memory.commit(
        [
            setting_statement("hardware", "EXXX0001"),
            setting_statement("certificate/GW_WAN_SIG", {"der": der.hex(), "issuer": "SM_ROOT"}),
            setting_statement("certificate/SM_ROOT", {"der": root.der.hex(), "issuer": "SM_ROOT"}),
        ]
    )
    memory.close()
    assert verify_logs(from_memory(file)).sound
    assert [one.what for one in verify_logs(from_memory(file), certificate=known).findings] == [
        "the logs are of 'EXXX0001', the given certificate of 'EEMH0009264154.SMGW'"
    ]


@pytest.mark.parametrize("form", ["certificate.pem", "certificate.der", "key.pem", "key.der"])
def test_the_known_key_may_be_a_certificate_pem_or_der(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    """The certificate that `export certificates` writes, and its key as OpenSSL takes it out."""
    made(tmp_path, 2)
    assert main(["export", "certificates", "--data", str(tmp_path), "--out", str(tmp_path)]) == 0
    pem = tmp_path / "gw_wan_sig.pem"
    what = {"certificate.pem": ["x509"], "certificate.der": ["x509", "-outform", "DER"]}
    key = subprocess.run(["openssl", "x509", "-in", pem, "-noout", "-pubkey"], check=True, capture_output=True).stdout
    (tmp_path / "plain.pem").write_bytes(key)
    inner, outer = (pem, what[form]) if form in what else (tmp_path / "plain.pem", ["ec", "-pubin"])
    outer = [*outer, "-outform", "DER"] if form == "key.der" else outer
    subprocess.run(["openssl", *outer, "-in", inner, "-out", tmp_path / form], check=True, capture_output=True)
    capsys.readouterr()
    assert main(["logs", "verify", "--data", str(tmp_path), "--key", str(tmp_path / form)]) == 0
    (tmp_path / "other").mkdir()
    made(tmp_path / "other", 2, curve="secp256r1")
    assert main(["logs", "verify", "--data", str(tmp_path / "other"), "--key", str(tmp_path / form)]) == 1
    assert "the key that came with the logs is not the given one" in capsys.readouterr().out
    (tmp_path / form).write_bytes(b"nonsense")
    assert main(["logs", "verify", "--data", str(tmp_path), "--key", str(tmp_path / form)]) == 2


@pytest.mark.parametrize(
    "lines",
    [[], ["{}"], ["nonsense"], [EMPTY, '{"kind": "x"}']],
)
def test_what_is_no_export_is_refused(lines: list[str]) -> None:
    with pytest.raises(UsageError, match="log export"):
        from_lines(lines)


def test_an_empty_memory_has_no_books(tmp_path: Path) -> None:
    assert [one.what for one in verify_logs(RawLogs()).findings][-2:] == ["the book is missing"] * 2


def test_the_command_verifies_exports_and_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = made(tmp_path, 4)
    assert main(["logs", "verify", "--data", str(tmp_path)]) == 0
    assert "Nothing is wrong." in capsys.readouterr().out
    export = tmp_path / "logs.jsonl"
    assert main(["logs", "export", "--data", str(file), "--out", str(export)]) == 0
    key = tmp_path / "key.pem"
    key.write_text(json.loads(export.read_text().splitlines()[0])["public_key"])
    assert main(["logs", "verify", "--data", str(export), "--key", str(key), "--earlier", str(export)]) == 0
    capsys.readouterr()
    spoilt = sqlite3.connect(file)
    spoilt.execute("UPDATE log SET level = 'fatal' WHERE book = 'calibration' AND number = 2")
    spoilt.commit()
    spoilt.close()
    assert main(["logs", "verify", "--data", str(tmp_path), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["sound"] is False
    assert {one["number"] for one in told["findings"]} == {2}
    shutil.copy(file, tmp_path / "x.bin")
    (tmp_path / "x.bin").write_bytes(b"nonsense")
    assert main(["logs", "verify", "--data", str(tmp_path / "x.bin")]) == 2
    assert main(["logs", "verify", "--data", str(tmp_path / "nowhere")]) == 2
