"""Tests run on the virtual loop unless they ask for the real one; both are the project's own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from devices.clock import Clock, RealLoop, VirtualLoop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    marker = item.get_closest_marker("asyncio")
    if marker is not None and marker.kwargs.get("loop_factories"):
        return {"virtual": VirtualLoop, "real": RealLoop}
    return {"virtual": VirtualLoop}


@pytest.fixture
async def clock() -> Clock:
    """The laboratory's clock on the loop of this test."""
    return Clock(asyncio.get_running_loop())


@pytest.fixture
def rng() -> random.Random:
    """Seeded randomness, the same in every run."""
    return random.Random(20260105)


def pytest_configure(config: Any) -> None:
    config.addinivalue_line("markers", "slow: takes more than a few seconds")
