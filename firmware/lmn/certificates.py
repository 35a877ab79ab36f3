"""Certificates of the wired LMN as the gateway makes and watches them (wan-core 5.3)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from devices.errors import UsageError
from devices.protocols.lmn_certificate import CURVES, Identity, LmnCertificate, make_identity
from devices.protocols.lmn_tls import LmnTlsError, TlsSettings
from firmware.config import Options


class Age(Enum):
    """Where a certificate stands."""

    GOOD = "good"
    ENDS_SOON = "ends soon"
    """Close enough to its end for a warning."""
    TO_RENEW = "to renew"
    EXPIRED = "expired"


@dataclass(frozen=True)
class CertificateRules:
    """Of what kind certificates are made, and when they are replaced.

    Attributes:
        curve: OpenSSL's name.
        life: validity from the moment they are made.
        backdate: how much earlier it begins.
        renewal: how long before the end a certificate is replaced; zero: never.
        warning: how long before the end it is warned of, None: never.
    """

    curve: str
    life: timedelta
    backdate: timedelta
    renewal: timedelta
    warning: timedelta | None

    @classmethod
    def of(cls, options: Options, warning_s: float | None) -> CertificateRules:
        """As the options say; UsageError for those that make no sense."""
        if options.lmn_certificate_curve not in CURVES:
            raise UsageError(
                f"there is no curve {options.lmn_certificate_curve!r} in the LMN", hint=f"one of {', '.join(CURVES)}"
            )
        if options.lmn_certificate_days <= 0:
            raise UsageError(f"a certificate cannot last {options.lmn_certificate_days:g} days")
        return cls(
            options.lmn_certificate_curve,
            timedelta(days=options.lmn_certificate_days),
            timedelta(seconds=options.lmn_certificate_backdate_s),
            timedelta(days=min(options.lmn_renewal_days, options.lmn_certificate_days / 4)),
            None if warning_s is None else timedelta(seconds=warning_s),
        )

    def make(self, name: str, now: datetime, rng: random.Random) -> Identity:
        """A new pair for `name`, the number of a gateway or meter."""
        days = (self.life + self.backdate) / timedelta(days=1)
        return make_identity(f"{name}.sm", self.curve, now - self.backdate, days, rng)

    def age(self, certificate: LmnCertificate, now: datetime) -> Age:
        """Where a certificate stands."""
        left = certificate.not_after - now
        if left < timedelta():
            return Age.EXPIRED
        if self.renewal and left <= self.renewal:
            return Age.TO_RENEW
        if self.warning is not None and left <= self.warning:
            return Age.ENDS_SOON
        return Age.GOOD

    def next_age(self, certificate: LmnCertificate, now: datetime) -> datetime | None:
        """When the certificate will stand otherwise than `now`, None: not any more."""
        end = certificate.not_after
        instants = [end - span for span in (self.renewal, self.warning) if span is not None]
        instants.append(end + timedelta.resolution)
        return min((one for one in instants if one > now), default=None)


def tls_settings(options: Options) -> TlsSettings:
    """Suites and limits of sessions as the options say; UsageError for suites that the LMN does not have."""
    try:
        suites = tuple(int(one, 16) for one in options.lmn_suites.replace(",", " ").split())
        return TlsSettings(
            suites=suites,
            session_age_s=options.lmn_session_days * 86_400,
            session_octets=options.lmn_session_octets,
        )
    except (LmnTlsError, ValueError) as error:
        raise UsageError(f"lmn_suites {options.lmn_suites!r}: {error}", hint="such as 'C023 C02B'") from None
