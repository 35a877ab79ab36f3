"""Profiles as plain data, both ways.

This is the form of the maintenance port and of the memory. The administrator's XML comes with the WAN service: it will
be checked against the class schemas and then made into this plain data, so that everything behind `profile_of` and
`container_of` stays as it is (rule V1, wan-core 6.2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, get_args

from firmware.profiles.evaluation_form import plain_tariff, tariff_of
from firmware.profiles.kinds import (
    WEEK,
    Address,
    Authentication,
    Endpoint,
    HanProfile,
    HanRole,
    Kind,
    Link,
    Medium,
    Profile,
    ProxyProfile,
    Right,
    Role,
    Scenario,
    SensorProfile,
    Suite,
    TariffProfile,
    WanProfile,
    Window,
    kind_of,
)
from firmware.profiles.plain import Fields

MOST_PROFILES: Final = 100
"""Profiles in one container."""
MOST_CERTIFICATE: Final = 4096
"""Octets of a certificate."""
LONGEST_ID: Final = 255
"""Characters of an id that are read at all; how many are right is rule V2."""
DAY_S: Final = 86_400
MASKED: Final = "masked"
SECRETS: Final = frozenset(("key", "password_digest"))
"""Fields that are never read out (wan-core 6.4.1.4, 6.4.2.4)."""


def profile_of(data: Any, place: str = "profile") -> Profile:
    """The profile that plain data describe. Raises PlainDataError."""
    fields = Fields(data, place)
    kind = fields.choice("kind", [str(one) for one in Kind])
    found = _READ[Kind(kind)](fields)
    fields.end()
    return found


def container_of(data: Any) -> tuple[Profile, ...]:
    """The profiles of one order: one profile, a list of them, or ``{"profiles": [...]}``. Raises PlainDataError."""
    if isinstance(data, Mapping) and "profiles" not in data:
        return (profile_of(data),)
    fields = Fields(data if isinstance(data, Mapping) else {"profiles": data}, "")
    found = fields.each("profiles", _inner, most=MOST_PROFILES, least=1)
    fields.end()
    return found


def plain_of(profile: Profile) -> dict[str, Any]:
    """A profile as plain data, secrets included."""
    return {"kind": str(kind_of(profile)), **_WRITE[type(profile)](profile)}


def masked(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Plain data without secrets."""
    return {name: MASKED if name in SECRETS and value is not None else value for name, value in plain.items()}


def _inner(fields: Fields) -> Profile:
    kind = fields.choice("kind", [str(one) for one in Kind])
    return _READ[Kind(kind)](fields)


# --- meters


def _sensor(fields: Fields) -> SensorProfile:
    return SensorProfile(
        id=fields.text("id", most=LONGEST_ID, least=1),
        meter=fields.text("meter", least=1),
        link=fields.choice("link", get_args(Link)),
        medium=fields.choice("medium", get_args(Medium), "electricity"),
        active=fields.flag("active", True),
        period_s=fields.optional("period_s", lambda name: fields.whole(name, 1, 31 * DAY_S)),
        registers=fields.texts("registers", most=100),
        key=fields.optional("key", lambda name: fields.octets(name, 64)),
        certificate=fields.optional("certificate", lambda name: fields.octets(name, MOST_CERTIFICATE)),
        transformer_factor=fields.decimal("transformer_factor", "1"),
        display_factor=fields.decimal("display_factor", "1"),
        consumer=fields.text("consumer", "consumer-1", least=1),
    )


def _plain_sensor(one: SensorProfile) -> dict[str, Any]:
    return {
        "id": one.id,
        "meter": one.meter,
        "link": one.link,
        "medium": one.medium,
        "active": one.active,
        "period_s": one.period_s,
        "registers": list(one.registers),
        "key": _hex(one.key),
        "certificate": _hex(one.certificate),
        "transformer_factor": str(one.transformer_factor),
        "display_factor": str(one.display_factor),
        "consumer": one.consumer,
    }


# --- peers in the WAN


def _wan(fields: Fields) -> WanProfile:
    role = fields.choice("role", get_args(Role))
    triple = role != "NTP"
    return WanProfile(
        id=fields.text("id", most=LONGEST_ID, least=1),
        role=role,
        endpoints=fields.each("endpoints", _endpoint, most=16, least=1),
        tls=fields.octets("tls", MOST_CERTIFICATE),
        encryption=_one_of_triple(fields, "encryption", triple),
        signature=_one_of_triple(fields, "signature", triple),
        issuers=fields.octet_strings("issuers", MOST_CERTIFICATE, most=4),
        sni=fields.text("sni", "", most=253),
        retry_s=fields.wholes("retry_s", 1, 7 * DAY_S, most=16),
        max_idle_s=fields.whole("max_idle_s", 1, DAY_S, 300),
        suite=fields.choice("suite", get_args(Suite), "ECKAEG_AES_128_GCM"),
        session_s=fields.whole("session_s", 1, 2 * DAY_S, 2 * DAY_S),
    )


def _one_of_triple(fields: Fields, name: str, needed: bool) -> bytes | None:
    """Administrator and market participants have three certificates (wan-core 5.1)."""
    if needed:
        return fields.octets(name, MOST_CERTIFICATE)
    return fields.optional(name, lambda one: fields.octets(one, MOST_CERTIFICATE))


def _endpoint(fields: Fields) -> Endpoint:
    return Endpoint(fields.choice("scenario", get_args(Scenario)), _address(fields))


def _address(fields: Fields) -> Address:
    return Address(fields.host("host"), fields.whole("port", 1, 65_535))


def _plain_wan(one: WanProfile) -> dict[str, Any]:
    return {
        "id": one.id,
        "role": one.role,
        "endpoints": [{"scenario": each.scenario, **_plain_address(each.address)} for each in one.endpoints],
        "tls": one.tls.hex(),
        "encryption": _hex(one.encryption),
        "signature": _hex(one.signature),
        "issuers": [each.hex() for each in one.issuers],
        "sni": one.sni,
        "retry_s": list(one.retry_s),
        "max_idle_s": one.max_idle_s,
        "suite": one.suite,
        "session_s": one.session_s,
    }


# --- people at the home interface


def _han(fields: Fields) -> HanProfile:
    authentication = fields.choice("authentication", get_args(Authentication))
    by_certificate = authentication == "certificate"
    found = HanProfile(
        id=fields.text("id", most=LONGEST_ID, least=1),
        role=fields.choice("role", get_args(HanRole)),
        user=fields.text("user", least=1),
        authentication=authentication,
        certificate=fields.octets("certificate", MOST_CERTIFICATE)
        if by_certificate
        else fields.optional("certificate", lambda name: fields.octets(name, MOST_CERTIFICATE)),
        password_digest=fields.optional("password_digest", lambda name: fields.octets(name, 64)),
        rights=fields.choices("rights", get_args(Right)),
    )
    if not by_certificate and found.password_digest is None:
        raise fields.wrong("password_digest", "it is missing", "the digest of a password, or certificate")
    return found


def _plain_han(one: HanProfile) -> dict[str, Any]:
    return {
        "id": one.id,
        "role": one.role,
        "user": one.user,
        "authentication": one.authentication,
        "certificate": _hex(one.certificate),
        "password_digest": _hex(one.password_digest),
        "rights": list(one.rights),
    }


# --- devices at the CLS interface


def _proxy(fields: Fields) -> ProxyProfile:
    hks = fields.choice("hks", (3, 4, 5))
    called = hks != 3
    return ProxyProfile(
        id=fields.text("id", most=LONGEST_ID, least=1),
        hks=hks,  # type: ignore[arg-type]
        cls_certificate=fields.octets("cls_certificate", MOST_CERTIFICATE),
        local_server_name=fields.text("local_server_name", most=LONGEST_ID),
        peer=fields.text("peer", least=1),
        peer_addresses=fields.each("peer_addresses", _address, most=16, least=1),
        enabled=fields.flag("enabled", True),
        cls_address=_inner_address(fields)
        if called
        else fields.optional("cls_address", lambda _: _inner_address(fields)),
        sni=fields.text("sni", "", most=253),
        windows=fields.each("windows", _window, most=50),
        max_duration_s=fields.optional("max_duration_s", lambda name: fields.whole(name, 1, 31 * DAY_S)),
    )


def _inner_address(fields: Fields) -> Address:
    inner = fields.inner("cls_address")
    found = _address(inner)
    inner.end()
    return found


def _window(fields: Fields) -> Window:
    return Window(fields.choices("days", WEEK, least=1), fields.clock("begin"), fields.clock("end"))


def _plain_proxy(one: ProxyProfile) -> dict[str, Any]:
    return {
        "id": one.id,
        "hks": one.hks,
        "cls_certificate": one.cls_certificate.hex(),
        "local_server_name": one.local_server_name,
        "peer": one.peer,
        "peer_addresses": [_plain_address(each) for each in one.peer_addresses],
        "enabled": one.enabled,
        "cls_address": None if one.cls_address is None else _plain_address(one.cls_address),
        "sni": one.sni,
        "windows": [
            {"days": list(each.days), "begin": f"{each.begin:%H:%M}", "end": f"{each.end:%H:%M}"}
            for each in one.windows
        ],
        "max_duration_s": one.max_duration_s,
    }


def _plain_address(one: Address) -> dict[str, Any]:
    return {"host": one.host, "port": one.port}


def _hex(octets: bytes | None) -> str | None:
    return None if octets is None else octets.hex()


_READ: Final[Mapping[Kind, Callable[[Fields], Profile]]] = MappingProxyType(
    {Kind.METER: _sensor, Kind.EVALUATION: tariff_of, Kind.WAN: _wan, Kind.HAN: _han, Kind.PROXY: _proxy}
)
_WRITE: Final[Mapping[type, Callable[[Any], dict[str, Any]]]] = MappingProxyType(
    {
        SensorProfile: _plain_sensor,
        TariffProfile: plain_tariff,
        WanProfile: _plain_wan,
        HanProfile: _plain_han,
        ProxyProfile: _plain_proxy,
    }
)
