"""Building frozen dataclasses quickly, for codecs that make thousands of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def builder(cls: type[T], *order: str) -> Callable[..., T]:
    """A function that makes a `cls` from all its fields, by position and without defaults; in the order of the class,
    or in that of the names in `order`.

    The constructor of a frozen dataclass goes through ``object.__setattr__`` for every field, which costs five times
    what plain assignment does. Here a twin with the same slots that is not frozen is filled and then becomes a
    `cls`. `cls` must be a dataclass with slots and without ``__post_init__``.
    """
    names = tuple(field.name for field in dataclasses.fields(cls))  # type: ignore[arg-type]
    twin = dataclasses.make_dataclass(f"_{cls.__name__}", order or names, slots=True, eq=False, repr=False)
    if hasattr(cls, "__post_init__") or sorted(order or names) != sorted(cls.__slots__):  # type: ignore[attr-defined]
        raise TypeError(f"{cls.__name__} is no plain dataclass with the slots {', '.join(order or names)}")

    def build(*values: object) -> T:
        made = twin(*values)
        made.__class__ = cls
        return made  # type: ignore[no-any-return]

    return build
