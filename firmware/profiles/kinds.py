"""The kinds of profiles with their fields (wan-core 6.1); plain values, `rules` says whether they make sense."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal, get_args

from firmware.config import MeterProfile
from firmware.metering.tariffs.profile import EvaluationProfile

Medium = Literal["other", "electricity", "heat_cost", "cooling", "heat", "gas", "cold_water", "warm_water"]
MEDIA: Final[Mapping[str, Medium]] = MappingProxyType(
    {
        "1": "electricity",
        "4": "heat_cost",
        "5": "cooling",
        "6": "heat",
        "7": "gas",
        "8": "cold_water",
        "9": "warm_water",
    }
)
"""First digit of a meter's number (DIN 43863-5) -> what it measures."""

Link = Literal["wired_tls", "wired_symmetric", "wired_clear", "radio"]
Role = Literal["GWA", "EMT", "NTP"]
Scenario = Literal["management", "admin_service", "info_report", "time_sync"]
"""What a connection is for: the three channels (wan-core 3.1), and the time server's."""
Suite = Literal["ECKAEG_AES_128_GCM", "ECKAEG_AES_128_CBCCMAC", "ECKAEG_AES_192_CBCCMAC", "ECKAEG_AES_256_CBCCMAC"]
"""Content protection (wan-core 4.2)."""
HanRole = Literal["consumer", "technician"]
Authentication = Literal["certificate", "password"]
Right = Literal["values", "tariffs", "consumer_log", "system_log", "selftest", "device_data"]
"""What somebody may read or do at the home interface (wan-core 8.1); the words are ours.

``values``: the meters and their readings; ``tariffs``: contracts and all that stands in them, also the readings of a
TAF-7; ``consumer_log``, ``system_log``: the log; ``selftest``: order one; ``device_data``: a CONEXA's ``smgw-info``,
a CASA's settings for technicians. Versions and number stand on pages and in answers for all who are logged in.
"""
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEK: Final[tuple[Weekday, ...]] = get_args(Weekday)


class Kind(StrEnum):
    """Of what kind a profile is, ``kind`` in plain data."""

    METER = "meter"
    EVALUATION = "evaluation"
    WAN = "wan_communication"
    HAN = "han_communication"
    PROXY = "proxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorProfile:
    """A meter profile (sensor object, class 32809 in published samples).

    Attributes:
        id: logical name of the profile.
        meter: device identifier, ``1SAG0021061001``, or the meter's server id in hex when it has no such number.
        medium: what it measures.
        active: whether it is read.
        period_s: registration period, seconds; None: the gateway's for its kind.
        link: how it is reached and protected.
        registers: OBIS codes to keep, ``1-0:1.8.0*255``; empty: all that it sends.
        key: its initial key, by radio that of its telegrams; None: not known.
        certificate: the meter's own TLS certificate, DER; None: it gets one when it is paired.
        transformer_factor: by which energy and power are multiplied in all that is derived; originals stay the meter's.
        display_factor: by which they are multiplied for display only.
        consumer: whose it is.
    """

    id: str
    meter: str
    link: Link
    medium: Medium = "electricity"
    active: bool = True
    period_s: int | None = None
    registers: tuple[str, ...] = ()
    key: bytes | None = field(default=None, repr=False)
    certificate: bytes | None = field(default=None, repr=False)
    transformer_factor: Decimal = Decimal(1)
    display_factor: Decimal = Decimal(1)
    consumer: str = "consumer-1"

    @classmethod
    def of(cls, given: MeterProfile) -> SensorProfile:
        """The profile of a meter that is named in a configuration."""
        wired: Link = "wired_tls" if given.secured else "wired_clear"
        return cls(
            id=given.name or f"meter-{given.device_number.replace(' ', '')}",
            meter=given.device_number,
            link="radio" if given.radio else wired,
            medium=MEDIA.get(given.device_number[:1], "other") if len(given.device_number) == 14 else "other",
            period_s=given.period_s,
            registers=given.obis,
            key=given.key,
            transformer_factor=given.transformer_factor,
            consumer=given.consumer,
        )

    @property
    def read_as(self) -> MeterProfile:
        """What the metrological network needs of it."""
        return MeterProfile(
            self.meter,
            self.registers,
            self.consumer,
            self.id,
            self.key,
            {"wired_tls": "tls", "wired_clear": "clear"}.get(self.link),  # type: ignore[arg-type]
            self.link == "radio",
            self.period_s,
            self.transformer_factor,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffProfile:
    """An evaluation profile, and what the contract says beyond it (han 5.1).

    Attributes:
        evaluation: what is derived from which registers.
        usage_point: metering point; empty: the id.
        supplier: id of the supplier; empty: the first recipient.
        tariff: name of the tariff, which ties exports to the supplier's file; empty: the id.
    """

    evaluation: EvaluationProfile
    usage_point: str = ""
    supplier: str = ""
    tariff: str = ""

    @property
    def id(self) -> str:
        """Its name."""
        return self.evaluation.name


TARIFF_OBJECTS: Final[Mapping[int, str]] = MappingProxyType({1: "21", 2: "22", 6: "26", 7: "27", 10: "3f"})
"""TAF -> NN of the object's name 01005e3180NN; 22 and 26 are inferred, those of TAF-9 and 14 unknown (wan-core 6.1)."""


def logical_name(profile: EvaluationProfile) -> str | None:
    """``01005e3180NN.<name>.sm``; None for a use case whose code is not known."""
    code = TARIFF_OBJECTS.get(profile.use_case)
    return None if code is None else f"01005e3180{code}.{profile.name}.sm"


@dataclass(frozen=True, slots=True)
class Address:
    """A host, by name or number, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a peer is reached for what; several of one scenario are tried in their order."""

    scenario: Scenario
    address: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class WanProfile:
    """A communication profile of a peer in the WAN.

    Attributes:
        id: its name.
        role: administrator, market participant or time server.
        endpoints: where it is reached.
        tls, encryption, signature: its certificates, DER; a time server has the first only.
        issuers: certificates between them and a root that the gateway trusts, DER, in any order.
        sni: server name in TLS; empty: the host.
        retry_s: pauses before another attempt, seconds; after the last it is given up.
        max_idle_s: time without data after which the gateway closes.
        suite: content protection towards it.
        session_s: longest life of a TLS session.
    """

    id: str
    role: Role
    endpoints: tuple[Endpoint, ...]
    tls: bytes = field(repr=False)
    encryption: bytes | None = field(default=None, repr=False)
    signature: bytes | None = field(default=None, repr=False)
    issuers: tuple[bytes, ...] = field(default=(), repr=False)
    sni: str = ""
    retry_s: tuple[int, ...] = ()
    max_idle_s: int = 300
    suite: Suite = "ECKAEG_AES_128_GCM"
    session_s: int = 172_800


@dataclass(frozen=True, slots=True, kw_only=True)
class HanProfile:
    """A communication profile of somebody at the home interface.

    Attributes:
        id: its name.
        role: consumer or technician.
        user: id of the consumer or technician.
        authentication: with a certificate or with user name and password.
        certificate: the one that is expected, or of the authority above it for technicians; DER.
        password_digest: digest of user name, realm and password, never the password.
        rights: what may be read and done.
    """

    id: str
    role: HanRole
    user: str
    authentication: Authentication
    certificate: bytes | None = field(default=None, repr=False)
    password_digest: bytes | None = field(default=None, repr=False)
    rights: tuple[Right, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """When a connection may be, in local time: on these days from begin until end, to 00:00 meaning midnight."""

    days: tuple[Weekday, ...]
    begin: time
    end: time


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyProfile:
    """A proxy profile: which device at the CLS interface is joined with which market participant.

    Attributes:
        id: its name.
        hks: communication scenario, 3: the device starts, 4: the administrator orders, 5: the gateway starts.
        enabled: whether connections are made.
        cls_certificate: the device's certificate, DER.
        cls_address: where the device is reached; needed where the gateway connects to it, HKS 4 and 5.
        local_server_name: name that the device asks for, 1 to 63 of ``[a-z0-9.-]``.
        peer: id of the communication profile of the market participant.
        peer_addresses: where that one takes the connection.
        sni: server name in TLS towards it; empty: the host.
        windows: when; empty: at any time.
        max_duration_s: longest connection, None: no limit.
    """

    id: str
    hks: Literal[3, 4, 5]
    cls_certificate: bytes = field(repr=False)
    local_server_name: str
    peer: str
    peer_addresses: tuple[Address, ...]
    enabled: bool = True
    cls_address: Address | None = None
    sni: str = ""
    windows: tuple[Window, ...] = ()
    max_duration_s: int | None = None


Profile = SensorProfile | TariffProfile | WanProfile | HanProfile | ProxyProfile
_KINDS: Final[Mapping[type, Kind]] = MappingProxyType(
    {
        SensorProfile: Kind.METER,
        TariffProfile: Kind.EVALUATION,
        WanProfile: Kind.WAN,
        HanProfile: Kind.HAN,
        ProxyProfile: Kind.PROXY,
    }
)


def kind_of(profile: Profile) -> Kind:
    """Of what kind a profile is."""
    return _KINDS[type(profile)]
