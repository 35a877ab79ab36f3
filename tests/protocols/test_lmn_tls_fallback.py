"""TLS of the LMN where OpenSSL cannot be reached behind Python's `ssl`: one curve, validity judged afterwards."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from devices.protocols import libssl
from devices.protocols.lmn_certificate import CURVES, make_identity
from devices.protocols.lmn_tls import SUITES, LmnTlsError, TlsEnd, TlsSettings

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture(autouse=True)
def unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libssl, "available", lambda: False)


def shake_hands(curve: str, now: datetime, suite: int = 0xC023) -> tuple[TlsEnd, TlsEnd]:
    rng = random.Random(5)
    own = make_identity("EEMH0012345678.sm", curve, BEGIN, 2555, rng)
    other = make_identity("1SAG0021061001.sm", curve, BEGIN, 2555, rng)
    gateway = TlsEnd.gateway(own, other.certificate, now)
    meter = TlsEnd.meter(other, own.certificate, BEGIN, TlsSettings(suites=(suite,)))
    gateway.feed(meter.feed(gateway.feed(meter.feed(gateway.start()))))
    return gateway, meter


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("suite", SUITES)
def test_all_suites_shake_hands_on_all_curves(curve: str, suite: int) -> None:
    gateway, meter = shake_hands(curve, BEGIN, suite)
    assert gateway.established
    assert meter.established
    assert gateway.suite == meter.suite == suite


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (datetime(2034, 1, 1, tzinfo=UTC), "certificate_expired"),
        (datetime(2026, 1, 4, tzinfo=UTC), "certificate_not_yet_valid"),
    ],
)
def test_validity_is_still_judged_by_the_clock_that_is_given(now: datetime, reason: str) -> None:
    with pytest.raises(LmnTlsError) as error:
        shake_hands("brainpoolP256r1", now)
    assert error.value.reason == reason
