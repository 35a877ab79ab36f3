"""Coverage-guided fuzzing of the codecs with atheris: ``python tests/fuzz/atheris_codecs.py [libFuzzer options]``.

The first octet chooses the target; the seeds of all targets are the corpus to begin with. Needs the extra ``fuzz``.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

with atheris.instrument_imports(include=["devices.protocols", "bench.decode"]):
    from fuzz_targets import TARGETS

_ORDER = [target for target, _ in TARGETS.values()]


def one_input(data: bytes) -> None:
    """One execution."""
    if data:
        _ORDER[data[0] % len(_ORDER)](data[1:])


def main() -> None:
    """Fuzz until the options say stop; an input that breaks a rule is kept by libFuzzer, which ends with an error."""
    with tempfile.TemporaryDirectory() as folder:
        for number, (_, seeds) in enumerate(TARGETS.values()):
            for count, seed in enumerate(seeds()):
                (Path(folder) / f"{number}-{count}").write_bytes(bytes((number,)) + seed)
        atheris.Setup([sys.argv[0], *sys.argv[1:], folder], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
