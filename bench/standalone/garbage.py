"""The garbage collector while a program starts."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def made_to_stay() -> Iterator[None]:
    """What is made meanwhile, and was before, the collector does not look at: neither now nor later.

    Looking through modules and tables takes a tenth of a start, and later holds up answers. `gc.unfreeze` ends it.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()
