"""Verifies an export of log books as docs/logs.md describes it, with the openssl command, nothing of the firmware."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def der(signature: bytes) -> bytes:
    """r || s as the SEQUENCE of two INTEGERs that OpenSSL reads."""
    half = len(signature) // 2
    parts = b""
    for number in (signature[:half], signature[half:]):
        octets = number.lstrip(b"\0") or b"\0"
        octets = b"\0" + octets if octets[0] & 0x80 else octets
        parts += b"\x02" + bytes([len(octets)]) + octets
    return b"\x30" + (bytes([len(parts)]) if len(parts) < 0x80 else b"\x81" + bytes([len(parts)])) + parts


def octets_of(line: dict[str, Any]) -> bytes:
    """The text of an entry."""
    fields = [
        "smgw-log-1", line["book"], line["owner"], line["number"], line["time_us"],
        "known" if line["dated"] else "unknown", line["event"],
        "" if line["vendor_id"] is None else line["vendor_id"], "" if line["sub_id"] is None else line["sub_id"],
        line["level"], line["outcome"], line["parameters"], line["text"],
    ]  # fmt: skip
    return "".join(f"{field}\n" for field in fields).encode()


def mark_of(line: dict[str, Any]) -> bytes:
    """The text of an anchor or a head."""
    fields = [f"smgw-log-{line['kind']}-1", line["book"], line["owner"], line["number"], line["chain"]]
    return "".join(f"{field}\n" for field in [*fields, line["entry_signature"]]).encode()


class OpenSsl:
    """The command, with one public key."""

    def __init__(self, folder: Path, pem: str) -> None:
        self._folder = folder
        (folder / "key.pem").write_text(pem, encoding="ascii")

    def good(self, octets: bytes, signature: str) -> bool:
        (self._folder / "text").write_bytes(octets)
        (self._folder / "signature").write_bytes(der(bytes.fromhex(signature)))
        command = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "signature", "text"]
        done = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, check=False)
        return done.returncode == 0 and "Verified OK" in done.stdout


def vouched(first: dict[str, Any], folder: Path) -> list[str]:
    """What is wrong with the certificates of the first line."""
    for number, pem in enumerate(first["certificates"]):
        (folder / f"certificate{number}.pem").write_text(pem, encoding="ascii")

    def openssl(*words: str) -> str:
        done = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    own, last = "certificate0.pem", f"certificate{len(first['certificates']) - 1}.pem"
    above = ["verify", "-no_check_time", "-CAfile", last, "-untrusted", "certificate1.pem", own]
    wrong = [] if openssl(*above) == f"{own}: OK" else ["certificates"]
    subject = openssl("x509", "-in", own, "-noout", "-subject", "-nameopt", "multiline")
    if not re.search(rf"^ +commonName += {re.escape(first['device'])}\.SMGW$", subject, re.MULTILINE):
        wrong.append("device")
    return wrong if openssl("x509", "-in", own, "-noout", "-pubkey") == first["public_key"].strip() else [*wrong, "key"]


def wrong_in(lines: list[str], folder: Path) -> list[str]:
    """What is wrong with an export; nothing when it is sound."""
    first, *rest = [json.loads(line) for line in lines]
    assert first["format"] == "smgw-log-export-1"
    openssl, wrong = OpenSsl(folder, first["public_key"]), []
    wrong += vouched(first, folder)
    books: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for line in rest:
        books.setdefault((line["book"], line["owner"]), []).append(line)
    for (book, owner), told in books.items():
        number, chain, signature = 0, hashlib.sha256(b"start of the log").digest(), b""
        for line in told:
            where = f"{book} {owner} {line['kind']} {line['number']}"
            if line["kind"] == "entry":
                if datetime.fromisoformat(line["time"]) != EPOCH + timedelta(microseconds=line["time_us"]):
                    wrong.append(f"{where} time")
                octets = octets_of(line)
                chain = hashlib.sha256(chain + signature + octets).digest()
                signature = bytes.fromhex(line["signature"])
                number += 1
                if line["number"] != number or line["chain"] != chain.hex():
                    wrong.append(where)
                if book == "calibration" and not openssl.good(octets + f"{chain.hex()}\n".encode(), line["signature"]):
                    wrong.append(f"{where} signature")
                continue
            if (line["kind"] == "anchor" or book == "calibration") and not openssl.good(
                mark_of(line), line["signature"]
            ):
                wrong.append(f"{where} signature")
            if line["kind"] == "anchor":
                number, chain = line["number"], bytes.fromhex(line["chain"])
                signature = bytes.fromhex(line["entry_signature"])
            elif (line["number"], line["chain"], line["entry_signature"]) != (number, chain.hex(), signature.hex()):
                wrong.append(where)
    return wrong
