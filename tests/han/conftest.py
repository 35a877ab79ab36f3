"""The racks of the gateway's own tests serve here too."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "firmware"))

from han_conexa_rig import Bench, bench, stored_memory

from firmware.storage.memory import NonVolatileMemory


@pytest.fixture(scope="module")
def stored_conexa() -> NonVolatileMemory:
    """A CONEXA's memory with values and users."""
    return stored_memory()


@pytest.fixture
async def conexa(stored_conexa: NonVolatileMemory) -> AsyncIterator[Bench]:
    """A CONEXA at work."""
    async with bench(stored_conexa) as one:
        yield one
