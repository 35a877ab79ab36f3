"""What an emulated meter keeps in a file, so that log, keys and counters survive a restart of the program.

A real meter keeps them in its own memory; the file stands in for that. Who changes it forges a meter, and the
signatures of its log will say so.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bench.store import write_json
from devices.errors import BenchError, Place, UsageError
from devices.meters.base_meter import BaseMeter
from devices.meters.security import MeterSecurity
from devices.meters.smarty_bz import SmartyBz
from devices.meters.update_log_store import Journal
from devices.protocols.lmn_certificate import Identity
from devices.protocols.p256 import SigningKey

SCHEMA: Final = "smgw-bench/meter-state/1"


class MeterState:
    """The file of one meter.

    Attributes:
        second_index: where the meter goes on counting, 0 for a new one.
    """

    WORTH_SAVING: Final = frozenset({"logged", "stage", "paired", "key", "crypto_reset", "secured"})
    """Kinds of events after which the file is written anew."""

    def __init__(self, folder: Path, server_id: bytes) -> None:
        """The state in `folder` of the meter with this id; the folder is made.

        Raises UsageError for a file that is no such state, BenchError for a folder that cannot be used or a meter
        that another process plays from it.
        """
        self._path = folder / f"{server_id.hex()}.json"
        self._lock = _locked(folder, self._path)
        self._meter: BaseMeter | None = None
        self._security: MeterSecurity | None = None
        try:
            self._kept = self._read(server_id)
            with self._understood():
                self.second_index = _second_index(self._kept) if self._kept else 0
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Leave the file to others; may be called twice."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def attach(self, meter: BaseMeter, security: MeterSecurity | None, *, registers: bool = True) -> None:
        """Give `meter` what was kept, and keep its state from now on. Raises as the constructor.

        Args:
            meter: the meter.
            security: its keys, None: it has none.
            registers: False: what they show follows from elsewhere.
        """
        if self._kept:
            with self._understood():
                _restore(meter, self._kept, registers=registers)
                if security is not None:
                    _restore_security(security, self._kept["security"])
        self._meter, self._security = meter, security
        self.save()

    def _read(self, server_id: bytes) -> dict[str, Any]:
        try:
            text = self._path.read_text("utf-8")
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise BenchError(f"{self._path} cannot be used: {error.strerror}") from error
        except UnicodeDecodeError:
            text = ""
        with self._understood():
            value: dict[str, Any] = json.loads(text)
            if value["schema"] != SCHEMA or value["server_id"] != server_id.hex():
                raise ValueError("it is that of something else")
        return value

    @contextmanager
    def _understood(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, struct.error) as error:
            problem = f"no state of this meter ({error})"
            raise UsageError(problem, place=Place(self._path), hint="delete it for a new meter") from None

    def save(self) -> None:
        """Write the file, whole or not at all. Raises BenchError."""
        meter = self._meter
        if meter is None:
            return
        reading = meter.metrology.reading()
        value: dict[str, Any] = {
            "schema": SCHEMA,
            "server_id": meter.server_id.hex(),
            "second_index": meter.metrology.second_index(),
            "registers": {
                register.obis.hex(): register.value(reading) for register in meter.registers if register.billing
            },
        }
        if isinstance(meter, SmartyBz):
            store = meter.metrology_cpu.store
            value["update_log"] = {"key": f"{store.key.secret:064x}", "journal": store.journal().to_bytes().hex()}
        if self._security is not None:
            value["security"] = _security(self._security)
        write_json(self._path, value)


def check_state(folder: Path | None) -> None:
    """Raise UsageError for what cannot be the folder behind ``--state``, before anything is opened."""
    if folder is not None and folder.exists() and not folder.is_dir():
        raise UsageError(f"--state: {folder} is a file, a folder is wanted")


def _locked(folder: Path, path: Path) -> int:
    """A descriptor that keeps other processes away from `path`; the folder is made."""
    lock = -1
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise BenchError(f"{path} is in use: another process plays this meter; end it or name another folder") from None
    except OSError as error:
        if lock >= 0:
            os.close(lock)
        raise BenchError(f"{folder} cannot be used: {error.strerror}") from error
    return lock


def _second_index(kept: dict[str, Any]) -> int:
    value = int(kept["second_index"])
    if not 0 <= value <= 0xFFFF_FFFF:
        raise ValueError(f"no second index: {value}")
    return value


def _restore(meter: BaseMeter, kept: dict[str, Any], *, registers: bool) -> None:
    starts = {bytes.fromhex(obis): int(counts) for obis, counts in kept["registers"].items() if registers}
    meter.registers = tuple(
        replace(register, start=starts.get(register.obis, register.start)) for register in meter.registers
    )
    if isinstance(meter, SmartyBz):
        log = kept["update_log"]
        store = meter.metrology_cpu.store
        store.key = SigningKey(int(log["key"], 16))
        store.commit(Journal.from_bytes(bytes.fromhex(log["journal"])))
        # As after a power cut: an installation that was under way is judged by what boots now.
        meter.power(False)
        meter.power(True)


def _security(security: MeterSecurity) -> dict[str, Any]:
    sym = security.sym
    kept: dict[str, Any] = {"key": sym.key.hex(), "counter": sym.counter}
    if sym.identity is not None and sym.gateway_certificate is not None:
        kept["certificate"] = sym.identity.certificate.hex()
        kept["private_key"] = sym.identity.key.hex()
        kept["gateway_certificate"] = sym.gateway_certificate.hex()
    return kept


def _restore_security(security: MeterSecurity, kept: dict[str, Any]) -> None:
    security.sym.key = bytes.fromhex(kept["key"])
    security.sym.counter = int(kept["counter"])
    if "certificate" in kept:
        identity = Identity(bytes.fromhex(kept["certificate"]), bytes.fromhex(kept["private_key"]))
        security.preset(identity, bytes.fromhex(kept["gateway_certificate"]))
