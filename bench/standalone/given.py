"""The files that a stand-alone gateway was given, and their copies in its folder: by these it comes back without them.

    DIR/given-DIGEST/config.yaml, meters.yaml    as they were written
    DIR/given-DIGEST/config/, meters/            certificates and loads that they name

`gateway.json` says which of these folders counts, so that a change is there whole or not at all.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any, Final

from bench.scenario.meter_models import GivenMeter
from bench.scenario.radio_models import GivenRadioMeter
from bench.scenario.source import Source
from bench.standalone.config import GENERATE, User
from bench.standalone.data_dir import GIVEN, DataFolder
from bench.standalone.plan import Plan, make_plan
from bench.store import write_octets
from bench.written import Written
from devices.errors import BenchError, UsageError

_CONFIG: Final = "config"
_METERS: Final = "meters"
_AGAIN: Final = "name them with --config and --meters"


@dataclass(frozen=True)
class Given:
    """What a start has to go by.

    Attributes:
        plan: worked out of the files.
        octets: name in the folder of copies -> what is in that file; empty: nobody gave a file.
        kept: names of the copies that are used because no file was named.
    """

    plan: Plan
    octets: Mapping[str, bytes]
    kept: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of the folder of copies, empty when there is nothing to keep."""
        digest = sha256()
        for name, octets in sorted(self.octets.items()):
            digest.update(sha256(name.encode()).digest() + sha256(octets).digest())
        return f"{GIVEN}{digest.hexdigest()[:16]}" if self.octets else ""

    def copy_to(self, data: DataFolder) -> str:
        """Write the copies; returns the name of their folder, which counts once the identity says so.

        Raises BenchError.
        """
        for name, octets in self.octets.items():
            file = data.path / self.name / name
            if file.exists():
                continue  # the folder has the name of what is in it
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise BenchError(f"{file.parent} cannot be made: {error.strerror}") from error
            write_octets(file, octets)
        return self.name

    def keep_in(self, data: DataFolder) -> None:
        """From now on the gateway comes back with these files. Raises BenchError."""
        assert data.kept is not None
        name = self.copy_to(data)
        if data.kept.given != name:
            data.note(given=name)


def take(kind: str, config: Path | None, meters: Path | None, data: DataFolder) -> Given:
    """The files that were named, and for those that were not the copies in the folder.

    Raises:
        UsageError: a file is wrong, with its place; or the copies are gone, or other ones.
    """
    given = "" if data.kept is None else data.kept.given
    for left in data.path.glob(f"{GIVEN}*"):  # of a start before this one
        if left.name != given:
            shutil.rmtree(left, ignore_errors=True)
    copies = data.path / given if given else None
    if copies is not None and not copies.is_dir() and config is None:
        raise UsageError(f"{copies}, with the files that this gateway was given, is gone", hint=_AGAIN)
    files = {_CONFIG: config, _METERS: meters}
    kept = [
        name
        for name, file in files.items()
        if file is None and copies is not None and (copies / f"{name}.yaml").exists()
    ]
    for name in kept:
        assert copies is not None
        files[name] = copies / f"{name}.yaml"
    raw = make_plan(kind, files[_CONFIG], files[_METERS])
    octets: dict[str, bytes] = {}
    of_meters = _CONFIG if raw.meters_source is None else _METERS
    sources: dict[str, tuple[Source | None, Path]] = {
        _CONFIG: (raw.source, raw.folder),
        _METERS: (raw.meters_source, raw.meters_folder),
    }
    for name, (source, folder) in sources.items():
        if source is None:
            continue
        octets[f"{name}.yaml"] = source.text.encode()
        named = [*(_certificates(raw) if name == _CONFIG else ()), *(_loads(raw) if name == of_meters else ())]
        for one in named:
            copy = _copy_of(name, one)
            with contextlib.suppress(OSError):  # who needs it tells what is wrong, with the place
                octets[copy] = (folder / (copy if name in kept else one)).read_bytes()
    plan = _with_copies(raw, certificates=_CONFIG in kept, loads=of_meters if of_meters in kept else None)
    found = Given(plan, octets, tuple(f"{name}.yaml" for name in kept))
    if config is None and meters is None and found.name != given:
        raise UsageError(f"{copies} does not hold the files any more that this gateway was given", hint=_AGAIN)
    return found


def _certificates(plan: Plan) -> Iterator[str]:
    for user in (*plan.given.consumers.values(), *plan.given.technicians.values()):
        if _names_a_file(user):
            assert user.certificate is not None
            yield user.certificate


def _loads(plan: Plan) -> Iterator[str]:
    meters: list[GivenMeter | GivenRadioMeter] = [*plan.given.meters.values(), *plan.given.radio_meters.values()]
    for one in meters:
        if _is_file(one.load):
            yield str(one.load)


def _names_a_file(user: User) -> bool:
    return user.certificate not in (None, GENERATE)


def _is_file(load: Any) -> bool:
    return isinstance(load, str) and load.lower().endswith(".csv")


def _copy_of(part: str, name: str) -> str:
    """Where the copy of a file lies that `part` names so, which may be anywhere."""
    return f"{part}/{sha256(name.encode()).hexdigest()[:16]}{PurePath(name).suffix}"


def _with_copies(plan: Plan, *, certificates: bool, loads: str | None) -> Plan:
    """The plan with the copies in place of files that were beside the configuration once.

    Args:
        plan: as the copy of the configuration says.
        certificates: those are copies.
        loads: part whose copies the loads are, None: they are none.
    """
    given, changes = plan.given, dict[str, Any]()
    if certificates:
        for role in ("consumers", "technicians"):
            users: dict[str, User] = getattr(given, role)
            changes[role] = {
                name: _changed(user, "certificate", _copy_of(_CONFIG, str(user.certificate)), _names_a_file(user))
                for name, user in users.items()
            }
    if loads is not None:
        for kind in ("meters", "radio_meters"):
            changes[kind] = {
                name: _changed(one, "load", _copy_of(loads, str(one.load)), _is_file(one.load))
                for name, one in getattr(given, kind).items()
            }
    return replace(plan, given=given.model_copy(update=changes)) if changes else plan


def _changed(model: Written, name: str, value: str, wanted: bool) -> Written:
    return model.model_copy(update={name: value}) if wanted else model
