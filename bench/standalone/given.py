"""The files that a stand-alone gateway was given, and their copies in its folder: by these it comes back without them.

    DIR/given-DIGEST/config.yaml, meters.yaml    as they were written
    DIR/given-DIGEST/config/, meters/            certificates and loads that they name

`gateway.json` says which of these folders counts and what is in it, so that a change is there whole or not at all.
"""

from __future__ import annotations

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
from bench.standalone.data_dir import DataFolder, copies_in, copies_name
from bench.standalone.plan import Plan, make_plan
from bench.store import write_octets
from bench.written import Written
from devices.errors import BenchError, UsageError

_CONFIG: Final = "config"
_METERS: Final = "meters"


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
        return copies_name(digest.hexdigest()) if self.octets else ""

    @property
    def marks(self) -> dict[str, str]:
        """Name of each copy -> its SHA-256, hex."""
        return {name: sha256(octets).hexdigest() for name, octets in self.octets.items()}

    def copy_to(self, data: DataFolder) -> str:
        """Write the copies; returns the name of their folder, which counts once the identity says so.

        Raises BenchError.
        """
        for name, octets in self.octets.items():
            file = data.path / self.name / name
            if _octets_of(file) == octets:
                continue
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
        if (data.kept.given, data.kept.files) != (name, self.marks):
            data.note(given=name, files=self.marks)


def take(kind: str, config: Path | None, meters: Path | None, data: DataFolder) -> Given:
    """The files that were named, and for those that were not the copies in the folder.

    Raises:
        UsageError: a file is wrong, with its place; or the copies are gone, or other ones.
    """
    given, marks = ("", {}) if data.kept is None else (data.kept.given, data.kept.files)
    for left in copies_in(data.path):  # of a start before this one
        if left.name != given:
            shutil.rmtree(left, ignore_errors=True)
    copies, files = data.path / given, {_CONFIG: config, _METERS: meters}
    kept = [name for name, file in files.items() if file is None and given and _was_given(name, copies, marks)]
    broken = [name for name in kept if not _is_whole(name, copies, marks)]
    if broken:
        raise _broken(copies, broken if marks else list(files))
    for name in kept:
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
            found = _octets_of(folder / (copy if name in kept else one))
            if found is not None:  # else who needs it tells what is wrong, with the place
                octets[copy] = found
    plan = _with_copies(raw, certificates=_CONFIG in kept, loads=of_meters if of_meters in kept else None)
    taken = Given(plan, octets, tuple(f"{name}.yaml" for name in kept))
    if config is None and meters is None and taken.name != given:
        raise _broken(copies, list(files))
    return taken


def _was_given(part: str, copies: Path, marks: Mapping[str, str]) -> bool:
    """Whether there was such a file. Without marks, those of an earlier version, what lies there must tell."""
    name = f"{part}.yaml"
    return name in marks if marks else (copies / name).exists() or (part == _CONFIG and not copies.is_dir())


def _is_whole(part: str, copies: Path, marks: Mapping[str, str]) -> bool:
    """Whether the copies of a part, and of the files that it names, are what they were."""
    noted = {name: mark for name, mark in marks.items() if name == f"{part}.yaml" or name.startswith(f"{part}/")}
    found = {name: _octets_of(copies / name) for name in noted or (f"{part}.yaml",)}
    return all(
        octets is not None and noted.get(name) in (None, sha256(octets).hexdigest()) for name, octets in found.items()
    )


def _broken(copies: Path, parts: list[str]) -> UsageError:
    hint = f"name them with {' and '.join(f'--{part}' for part in parts)}"
    if not copies.is_dir():
        return UsageError(f"{copies}, with files that this gateway was given, is gone", hint=hint)
    return UsageError(f"{copies} does not hold the files any more that this gateway was given", hint=hint)


def _octets_of(file: Path) -> bytes | None:
    """None: it cannot be read."""
    try:
        return file.read_bytes()
    except OSError:
        return None


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
