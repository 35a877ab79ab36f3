"""The vocabulary of the scenario language, one file per theme; importing this package registers all of it."""

from bench.steps import (
    contracts,
    deliveries,
    gateway,
    han,
    han_sequences,
    leds,
    lmn,
    logs,
    meters,
    power,
    radio,
    reference,
    service,
    supply,
    time,
    values,
)
from bench.steps.base import REGISTRY, Step

__all__ = [
    "REGISTRY",
    "Step",
    "contracts",
    "deliveries",
    "gateway",
    "han",
    "han_sequences",
    "leds",
    "lmn",
    "logs",
    "meters",
    "power",
    "radio",
    "reference",
    "service",
    "supply",
    "time",
    "values",
]
