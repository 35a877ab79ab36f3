"""The metering core beside its bare signatures, on one core and with a second one that signs ahead, and its memory."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

SPANS = (("1mo", 0), ("1mo", 1), ("15mo", 1))
"""Span and threads that sign ahead beside the one that does the rest."""


def _run(folder: Path, span: str, ahead: int) -> dict[str, float]:
    command = [str(Path(sys.executable).with_name("smgw-bench")), "simulate", "--meters", "8", "--span", span]
    command += ["--taf", "7", "--sign-ahead", str(ahead), "--out", str(folder), "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=3600)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print values, ratio to bare signatures, peak memory and octets on disk."""
    print("span  ahead   values  wall s  bare s  ratio  peak MB  octets/value")
    with tempfile.TemporaryDirectory() as folder:
        for number, (span, ahead) in enumerate(SPANS):
            one = _run(Path(folder) / str(number), span, ahead)
            ratio = one["wall_s"] / one["bare_signature_s"]
            print(
                f"{span:>4}  {ahead:>5}  {one['values']:>7.0f}  {one['wall_s']:>6.1f}  {one['bare_signature_s']:>6.1f}"
                f"  {ratio:>5.2f}  {one['peak_rss_mb']:>7.1f}  {one['disk_octets_per_value']:>12.1f}"
            )
    print("goals: ratio at most 1.25 without and 0.7 with a second core,")
    print("       peak memory of 15 months within 20 % of that of one")


if __name__ == "__main__":
    main()
