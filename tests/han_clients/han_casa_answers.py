"""A stand-in with the answers of the fact sheet, chapter 4.2."""

from __future__ import annotations

import json
from typing import Any

from han_stand_in import Digest, Headers

METER = "1emh0012345678"
NOW = "2026-04-03T18:14:43+02:00"
EXTENDED = {
    "capture_time": "2026-04-03T18:00:01+02:00",
    "status": "a000000010229100",
    "timestamp": "2026-04-03T18:00:00+02:00",
    "values": [
        {
            "logical_name": f"0100010800ff.{METER}.sm",
            "scaler": -1,
            "signature": "ab" * 64,
            "unit": 30,
            "value": "231636270",
        },
        {"logical_name": f"0100020800ff.{METER}.sm", "scaler": -1, "signature": None, "unit": 30, "value": "17"},
    ],
}
ANSWERS: dict[str, Any] = {
    "/json/systeminformations": {
        "firmwareversion": "2900000000X026a",
        "huid": "emh0009264154",
        "systemtime": NOW,
        "user_domain": "hks2.sm",
        "vendor": "emh",
        "firmware": [{"name": "kernel", "version": "1", "hash": "00ff"}],
    },
    "/json/metering/origin/": [METER],
    f"/json/metering/origin/{METER}/extended": EXTENDED,
    "/json/metering/derived": ["taf1-1"],
    "/json/metering/derived/taf1-1": {
        "taf_type": "TAF-1",
        "taf_name": "Basis",
        "taf_identifier": "taf1-1",
        "sensor_domains": [f"{METER}.sm"],
        "metering_point_id": "DE0001",
        "emt_channel_name": "lieferant",
        "capture_period": 900,
        "active_tariff": 0,
        "validity_start": "2026-01-01T00:00:00+01:00",
        "validity_end": None,
    },
    "/json/metering/derived/taf1-1/billingperiods": [
        {"start": "2026-03-01T00:00:00+01:00", "end": "2026-04-01T00:00:00+02:00"}
    ],
    "/json/conlogbook/0": [
        {
            "recordnumber": 484,
            "level": "INFO",
            "text": "Selbsttest erfolgreich",
            "outcome": "success",
            "timestamp": "2026-04-02T15:34:42+02:00",
            "repetition": 1,
        }
    ],
}


class StandIn:
    """Answers as the sheet has them."""

    def __init__(self) -> None:
        self.digest = Digest("hks2", "geheim.")
        self.answers = dict(ANSWERS)
        self.asked: list[str] = []
        self.plain: tuple[int, Headers, bytes] | None = None

    def __call__(self, method: str, target: str, headers: Headers, body: bytes) -> tuple[int, Headers, bytes]:
        self.asked.append(target)
        if self.plain is not None:
            return self.plain
        if not self.digest.right(method, target, headers):
            return 401, self.digest.challenge(), b"login"
        if target not in self.answers:
            return 404, {}, b""
        return 200, {"Content-Type": "application/json"}, json.dumps(self.answers[target]).encode()
