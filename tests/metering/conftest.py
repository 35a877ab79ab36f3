"""Clocks that begin at a given instant."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from devices.clock import Clock


@pytest.fixture
async def clock_at() -> Callable[[datetime], Clock]:
    """Makes a clock that shows a minute before an instant."""
    loop = asyncio.get_running_loop()
    return lambda instant: Clock(loop, instant - timedelta(seconds=60))
