"""From files to cases: reads, fills in parameters, checks everything, and names file, line and column of mistakes."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench.products import ALL, DEVICES, METER_TYPES, METERS
from bench.scenario.contract_models import contract_mistakes
from bench.scenario.mistakes import UnknownWord, did_you_mean, translate, unknown_word
from bench.scenario.models import Scenario
from bench.scenario.source import Path_, Source, fingerprint, read, regular
from devices.errors import Place, UsageError, UsageErrors

SUFFIXES = (".yaml", ".yml")
MAX_VARIANTS = 2000
"""Combinations of parameters of one scenario; more is taken for a mistake."""

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_HEADER = ("parameters", "per_gateway")
_PLAIN = re.compile(r"[a-z0-9.+-]+( [a-z]+)?")
"""Values of parameters that no other value resembles once blanks are replaced, such as ``2 s``."""
MAX_FOLDER = 160
"""Characters of a folder's name; file systems take 255 octets."""


@dataclass(frozen=True)
class Case:
    """One scenario with one set of parameters against one gateway type: what is run and reported.

    Attributes:
        scenario: the checked scenario.
        source: the file with the place of everything in it.
        gateway: gateway type, or meter when the scenario is about one (`bench.products.DEVICES`).
        parameters: name -> value of this variant.
        suite: folder of the file below the folder that was asked for.
        files: parameters whose values are names of files.
    """

    scenario: Scenario
    source: Source
    gateway: str
    parameters: dict[str, Any] = field(default_factory=dict)
    suite: str = ""
    files: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """Unique name, such as ``MP-6.2[casa,meter=base_meter]``."""
        values = ((name, _brief(value, name in self.files)) for name, value in self.parameters.items())
        details = [self.gateway, *(f"{name}={value}" for name, value in values)]
        return f"{self.scenario.id}[{','.join(details)}]"

    @property
    def folder(self) -> str:
        """Name of the case's folder: the key in characters that every file system takes.

        Where that could be the name of another case, on a file system that knows no small and capital letters either,
        a check sum of the key is put behind it.
        """
        name = re.sub(r"[^A-Za-z0-9._=+-]+", "_", self.key).strip("_")
        values = (_brief(value, name in self.files) for name, value in self.parameters.items())
        if len(name) <= MAX_FOLDER and all(_PLAIN.fullmatch(value) for value in values):
            return name
        return f"{name[:MAX_FOLDER]}-{fingerprint(self.key)[:10]}"

    def step_line(self, index: int) -> int:
        """Line of step `index` (from 0) in the file."""
        return self.source.line(("steps", index))


def _brief(value: Any, is_file: bool) -> str:
    return Path(str(value)).stem if is_file else str(value)


def find_files(paths: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Scenario files named by or below `paths`, each with the folder that it was found from; in stable order."""
    found: dict[Path, Path] = {}
    for path in paths:
        if path.is_dir():
            files = sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and _is_scenario(p))
            if not files:
                raise UsageError("no scenario in this folder", place=Place(path), hint="a scenario is a .yaml file")
            for file in files:
                found.setdefault(file, path)
        elif path.exists():
            found.setdefault(path, path.parent)
        else:
            near = difflib.get_close_matches(path.name, _siblings(path), 1)
            if path.is_symlink():
                raise UsageError(f"the link leads to {path.readlink()}, which is not there", place=Place(path))
            raise UsageError("no such file or folder", place=Place(path), hint=did_you_mean(near))
    return list(found.items())


def _siblings(path: Path) -> list[str]:
    try:
        return [p.name for p in path.parent.iterdir()]
    except OSError:
        return []


def _is_scenario(path: Path) -> bool:
    """Catalogues and recordings may lie beside scenarios: those are files that have no steps."""
    try:
        if not regular(path):
            return False
        return re.search(r"^steps\s*:", path.read_text(encoding="utf-8"), re.MULTILINE) is not None
    except (OSError, UnicodeDecodeError, UsageError):
        return True  # let the reader complain


def load(paths: Sequence[Path], gateways: Iterable[str] = DEVICES) -> list[Case]:
    """All cases of the scenarios in `paths`; raises UsageErrors with everything that is wrong in them."""
    cases: list[Case] = []
    errors: list[UsageError] = []
    wanted = tuple(gateways)
    first: dict[str, Source] = {}
    for file, root in find_files(paths):
        try:
            source = read(file)
            suite = "/".join(file.parent.relative_to(root).parts) or root.name
            loaded = cases_of(source, wanted, suite)
        except UsageErrors as several:
            errors.extend(several.errors)
            continue
        except UsageError as error:
            errors.append(error)
            continue
        ident = str(source.data["id"])
        other = first.setdefault(ident.casefold(), source)
        if other is not source:
            taken = f"id {ident!r} is taken by {other.place(('id',))}"
            hint = None if ident == str(other.data["id"]) else "ids must differ in more than small and capital letters"
            errors.append(UsageError(taken, place=source.place(("id",)), hint=hint))
        cases.extend(loaded)
    if errors:
        raise UsageErrors(errors)
    return cases


def cases_of(source: Source, gateways: Sequence[str] = DEVICES, suite: str = "") -> list[Case]:
    """The cases of one file, in the order gateway, parameters."""
    data = source.data
    if not isinstance(data, dict):
        what = "is empty" if data is None else "holds no mapping"
        raise UsageError(f"the file {what}", place=Place(source.file, 1), hint="a scenario begins with 'id: ...'")
    header = {name: data.get(name) for name in _HEADER}
    body = {name: value for name, value in data.items() if name not in _HEADER}
    variants, files = _variants(header["parameters"], source)
    per_gateway = _per_gateway(header["per_gateway"], source)
    _check_placeholders(source, variants[0], per_gateway)
    cache: dict[str, Scenario] = {}
    checked: set[tuple[str, str]] = set()
    cases = []
    for gateway in _meant(body, source):
        if gateway not in gateways:
            continue
        for variant in variants:
            values = {
                **variant,
                **{name: table[gateway] for name, table in per_gateway.items()},
                "gateway": gateway,
            }
            filled = _fill(body, values)
            token = repr(filled)
            if token not in cache:
                cache[token] = _validate(filled, source)
            if (token, gateway) not in checked:
                checked.add((token, gateway))
                _check_steps(cache[token], gateway, source)
            cases.append(Case(cache[token], source, gateway, variant, suite, files))
    return cases


def _meant(body: dict[str, Any], source: Source) -> Sequence[str]:
    named = body.get("gateways")
    device = body.get("device")
    if device is not None:
        if device not in METERS:
            raise unknown_word(UnknownWord("meter", str(device), tuple(METERS)), source.place(("device",)))
        if named is not None:
            raise UsageError(
                "a scenario about a meter has no gateways", place=source.place(("gateways",)), hint="leave them away"
            )
        return [str(device)]
    if named is None:
        return ALL
    if not isinstance(named, list) or not named:
        raise UsageError(
            "'gateways' is a list of gateway types",
            place=source.place(("gateways",)),
            hint=f"such as [{', '.join(ALL)}]",
        )
    for index, name in enumerate(named):
        if name not in ALL:
            raise unknown_word(UnknownWord("gateway", str(name), ALL), source.place(("gateways", index)))
    return [str(name) for name in named]


def _variants(parameters: Any, source: Source) -> tuple[list[dict[str, Any]], frozenset[str]]:
    """All combinations of the parameters, and which of them are names of files."""
    if parameters is None:
        return [{}], frozenset()
    if not isinstance(parameters, dict):
        raise UsageError("'parameters' maps names to lists of values", place=source.place(("parameters",)))
    columns: list[list[Any]] = []
    files: set[str] = set()
    for name, written in parameters.items():
        place = source.place(("parameters", name))
        if name == "gateway":
            raise UsageError("'gateway' is always a parameter: use 'gateways' to choose", place=place)
        by_name = isinstance(written, dict) and set(written) == {"files"}
        values = _matching_files(written["files"], source, place) if by_name else written
        if not isinstance(values, list) or not values or any(isinstance(v, (dict, list)) for v in values):
            raise UsageError(f"parameter {name!r} wants a list of plain values", place=place)
        if by_name:
            files.add(name)
        _all_different(name, values, source, is_file=by_name)
        columns.append(values)
    variants = [
        dict(zip(parameters, row, strict=True))
        for row in itertools.islice(itertools.product(*columns), MAX_VARIANTS + 1)
    ]
    if len(variants) > MAX_VARIANTS:
        raise UsageError(f"the parameters make more than {MAX_VARIANTS} cases", place=source.place(("parameters",)))
    return variants, frozenset(files)


def _all_different(name: str, values: list[Any], source: Source, *, is_file: bool) -> None:
    """Two equal values would make two cases of one name."""
    first: dict[str, int] = {}
    for index, value in enumerate(values):
        brief = _brief(value, is_file)
        if brief in first:
            path: Path_ = ("parameters", name) if is_file else ("parameters", name, index)
            what = "two files are called" if is_file else "the value stands here twice:"
            raise UsageError(f"{what} {_short(brief)}", place=source.place(path), hint="each value makes its own case")
        first[brief] = index


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _matching_files(patterns: Any, source: Source, place: Place) -> list[str]:
    """Files that match, relative to the scenario; of two with the same name the first pattern's wins.

    A pattern that begins with ``!`` leaves out the files of that name.
    """
    if isinstance(patterns, str):
        patterns = [patterns]
    found: dict[str, str] = {}
    base = source.file.parent
    for pattern in map(str, patterns):
        if pattern.startswith("!"):
            found = {name: file for name, file in found.items() if not fnmatchcase(name, pattern[1:])}
            continue
        folder, _, name = pattern.rpartition("/")
        for file in sorted((base / folder).glob(name)) if (base / folder).is_dir() else []:
            found.setdefault(file.name, f"{folder}/{file.name}" if folder else file.name)
    if not found:
        raise UsageError(f"no file matches {', '.join(map(str, patterns))}", place=place)
    return [found[name] for name in sorted(found)]


def _per_gateway(table: Any, source: Source) -> dict[str, dict[str, Any]]:
    if table is None:
        return {}
    if not isinstance(table, dict):
        raise UsageError("'per_gateway' maps names to one value per gateway", place=source.place(("per_gateway",)))
    meant = _meant(source.data, source)
    if source.data.get("device") is not None:
        place = source.place(("per_gateway",), of_key=True)
        raise UsageError("a scenario about a meter has no gateways", place=place, hint="use 'parameters'")
    for name, values in table.items():
        place = source.place(("per_gateway", name))
        if not isinstance(values, dict):
            raise UsageError(f"{name!r} wants one value per gateway", place=place, hint="such as {ppc: 3 s, casa: 0 s}")
        for key in values:
            if key not in ALL:
                raise unknown_word(
                    UnknownWord("gateway", key, ALL), source.place(("per_gateway", name, key), of_key=True)
                )
        missing = [gateway for gateway in meant if gateway not in values]
        if missing:
            raise UsageError(f"{name!r} has no value for {', '.join(missing)}", place=place)
    return table


def _check_placeholders(source: Source, variant: dict[str, Any], per_gateway: dict[str, Any]) -> None:
    known = {*variant, *per_gateway, "gateway"}
    used: set[str] = set()
    for path, text in _texts(source.data, ()):
        if path[:1] in (("parameters",), ("per_gateway",)):
            continue
        for name in _PLACEHOLDER.findall(text):
            used.add(name)
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = did_you_mean(near) or "it must stand under 'parameters' or 'per_gateway'"
                raise UsageError(f"{{{name}}} is no parameter", place=source.place(path), hint=hint)
    for name in (*variant, *per_gateway):
        if name not in used:
            table = "parameters" if name in variant else "per_gateway"
            place = source.place((table, name), of_key=True)
            raise UsageError(
                f"parameter {name!r} is never used", place=place, hint=f"write {{{name}}} where it belongs"
            )


def _texts(value: Any, path: Path_) -> Iterator[tuple[Path_, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))


def _fill(value: Any, values: dict[str, Any]) -> Any:
    if isinstance(value, str):
        whole = _PLACEHOLDER.fullmatch(value)
        if whole:
            return values[whole[1]]
        return _PLACEHOLDER.sub(lambda match: str(values[match[1]]), value) if "{" in value else value
    if isinstance(value, dict):
        return {key: _fill(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, values) for item in value]
    return value


def _validate(filled: dict[str, Any], source: Source) -> Scenario:
    try:
        scenario = Scenario.model_validate(filled)
    except ValidationError as error:
        raise UsageErrors(list(translate(error, source, Scenario, extra=_HEADER))) from None
    if "emulated" in scenario.all_needs() and "emulated" not in scenario.needs:
        what, path = _emulated_only(scenario)
        hint = "say so with 'needs: [emulated]'"
        raise UsageError(f"{what} works on an emulated gateway only", place=source.place(path), hint=hint)
    return scenario


def _emulated_only(scenario: Scenario) -> tuple[str, Path_]:
    """What in `scenario` works on an emulated gateway only, and where it stands."""
    for index, step in enumerate(scenario.steps):
        if "emulated" in step.needs():
            return f"the step {step.key!r}", ("steps", index)
    return "'options'", ("given", "gateway", "options")


_AT_A_METER = frozenset({"service_adapter", "emulated_meter", "wired_lmn"})
"""What a step may need where a meter is the device under test, on a bus without a gateway."""


def _without_gateway(scenario: Scenario, source: Source) -> Iterator[UsageError]:
    """What makes no sense where the device under test is a meter."""
    if scenario.device is None:
        return
    kind = METER_TYPES[scenario.device]
    for name, meter in scenario.given.meters.items():
        if meter.type != kind:
            place = source.place(("given", "meters", name, "type"))
            yield UsageError(f"meter {name!r} is a {meter.type}, the device under test is a {kind}", place=place)
    steps = [(("steps", index), step) for index, step in enumerate(scenario.steps)]
    watched = [(("watch", index), watch.step) for index, watch in enumerate(scenario.watch)]
    for path, step in (*steps, *watched):
        if step.needs() - _AT_A_METER:
            text = f"'{step.key}' is for gateways: this scenario is about a meter"
            yield UsageError(text, place=source.place(path))


def _check_steps(scenario: Scenario, gateway: str, source: Source) -> None:
    """What only the whole scenario can tell, and that `gateway` knows the events and states which are named for it."""
    from bench.config import check_options

    meant = scenario.model_copy(update={"gateways": (gateway,)})
    errors = list(_without_gateway(scenario, source))
    if errors:  # the steps would look for a gateway that there is not
        raise UsageErrors(errors)
    check_options(scenario.given.gateway.options, source, ("given", "gateway", "options"))
    meters = {*scenario.given.meters, *scenario.given.radio_meters}
    for path, text in contract_mistakes(scenario.given.contracts, meters):
        errors.append(UsageError(text, place=source.place(("given", "contracts", *path))))
    for index, step in enumerate(scenario.steps):
        errors += [UsageError(text, place=source.place(("steps", index))) for text in step.check(meant)]
    for index, watch in enumerate(scenario.watch):
        errors += [UsageError(text, place=source.place(("watch", index))) for text in watch.step.check(meant)]
    if errors:
        raise UsageErrors(errors)
