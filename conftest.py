"""Settings of the project's own test runs; scenarios are collected by the plug-in `bench.pytest_plugin`."""

from __future__ import annotations

import os

pytest_plugins = ["pytester"]

try:
    from hypothesis import HealthCheck, settings
except ImportError:  # scenarios alone need no Hypothesis
    pass
else:
    # Deterministic: the same examples in every run, and no deadline, because other work may share the cores.
    settings.register_profile(
        "ci", max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.register_profile("long", max_examples=5000, deadline=None)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
