"""What the manuals say of each product, as data: LEDs, states, causes, events, limits.

`load` gives a built-in product, `load_file` a maker's own; the model is in :mod:`devices.gateway_types.model`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from devices.errors import UsageError, UsageErrors
from devices.gateway_types.model import GatewayType, from_file, unknown_name
from devices.gateway_types.reading import read

__all__ = ["GatewayType", "load", "load_file", "names"]

_FOLDER = Path(__file__).parent
_NAMES = ("ppc", "conexa", "casa")


def names() -> tuple[str, ...]:
    """The built-in products, in the order in which they are run and reported."""
    return _NAMES


@cache
def load(name: str) -> GatewayType:
    """The built-in product of that name, read once; UsageError when there is none."""
    if name not in _NAMES:
        raise unknown_name("gateway type", name, _NAMES)
    return from_file(_FOLDER / f"{name}.yaml")


def load_file(path: str | Path) -> GatewayType:
    """A maker's own gateway type, checked whole.

    Raises:
        UsageError: with file, line and field of what is wrong, all mistakes at once.
    """
    file = Path(path)
    product = from_file(file)
    problems = list(product.problems())
    if problems:
        document = read(file)
        mistakes = [
            UsageError(f"{'.'.join(map(str, place))}: {text}", place=document.place(place)) for place, text in problems
        ]
        raise mistakes[0] if len(mistakes) == 1 else UsageErrors(mistakes)
    return product
