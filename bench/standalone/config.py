"""The file that says what a stand-alone gateway is: meters, consumers, technicians, contracts, time."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, ValidationError, WithJsonSchema, field_validator, model_validator

from bench.assumed_values import AssumedOfMeters
from bench.products import ALL, gateway_type
from bench.scenario.contract_models import GivenContract, Instant, contract_mistakes
from bench.scenario.meter_models import GivenMeter
from bench.scenario.mistakes import translate
from bench.scenario.radio_models import GivenRadioMeter
from bench.scenario.source import Source, read
from bench.tools.meter_ids import id_of
from bench.written import Written
from devices.errors import Place, UsageError, UsageErrors
from devices.protocols.sml.obis import parse_obis

GENERATE: Final = "generate"
"""Word for a password or certificate that is made at the first start."""
UNSAID: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Begin of a contract whose file does not say it."""
EXAMPLES: Final = Path(__file__).parent.parent / "examples"
"""Folder of the example configurations, ``gateway-ppc.yaml`` and so on."""

_USER: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?\Z")
_NUMBER: Final = re.compile(r"E[A-Z]{3}\d{10}\Z")
_SERVER: Final = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::(\d{1,5}))?\Z")

Right = Literal["values", "tariffs", "consumer_log", "system_log", "selftest", "device_data"]
CONSUMER_RIGHTS: Final[tuple[Right, ...]] = ("values", "tariffs", "consumer_log", "selftest", "device_data")
TECHNICIAN_RIGHTS: Final[tuple[Right, ...]] = ("system_log", "selftest", "device_data")


def _as_written(value: Any) -> Any:
    """Digits are a text as well; true and false must be quoted."""
    if isinstance(value, bool) or value is None:
        raise ValueError('put it into quotes, such as "true"')
    return str(value)


Text = Annotated[str, BeforeValidator(_as_written), WithJsonSchema({"type": "string"})]


def _quoted(value: Any) -> Any:
    """A number may be written otherwise than it is read: +1 and 1 are two passwords."""
    if value is not None and not isinstance(value, str):
        raise ValueError(f'put it into quotes, such as "{_as_shown(value)}"')
    return value


def _as_shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "12345"


class User(Written):
    """Somebody at the home interface.

    Attributes:
        password: of his digest login; ``generate``: made at the first start.
        certificate: PEM or DER file of his client certificate, beside this file; ``generate``: key and certificate are
            made at the first start, in the data folder.
        rights: what he may read and do; unless told, what his role may.
    """

    password: Annotated[str | None, BeforeValidator(_quoted), Field(min_length=1, max_length=128)] = None
    certificate: Text | None = None
    rights: tuple[Right, ...] | None = None


class Consumer(User):
    """A consumer; with neither password nor certificate his password is made at the first start."""


class Technician(User):
    """A service technician; his certificate is made at the first start unless one is named."""

    @model_validator(mode="after")
    def _no_password(self) -> Technician:
        if self.password is not None:
            raise ValueError("a technician has a certificate only: leave 'password' away")
        return self


class Contract(GivenContract):
    """A contract: what a scenario says of one, and what the transparency software wants to know beyond.

    Attributes:
        begin: first instant of its validity; unless told, as early as it can be: TAF-1 on the first of a month.
        usage_point: metering point.
        supplier: id of the supplier.
        tariff: name of the tariff.
    """

    begin: Instant = UNSAID
    usage_point: Text = Field(default="", min_length=1, max_length=63)
    supplier: Text = Field(default="", min_length=1, max_length=63)
    tariff: Text = Field(default="", min_length=1, max_length=63)


class KeptOfMeter(Written):
    """What the gateway's profile of a meter says.

    Attributes:
        id: name of the profile.
        registers: OBIS codes that are kept; ``all``: whatever the meter sends. Unless told: its energies.
        consumer: whose log tells of it; unless told, that of its first contract.
        transformer_factor: by which readings are multiplied for display.
    """

    id: Text | None = None
    registers: Literal["all"] | tuple[Text, ...] | None = None
    consumer: str | None = None
    transformer_factor: Text | None = None

    @field_validator("registers")
    @classmethod
    def _codes(cls, value: Any) -> Any:
        for code in value if isinstance(value, tuple) else ():
            parse_obis(code)
        return value


class Identity(Written):
    """The unit.

    Attributes:
        type: product; must be that of the command line.
        id: number on its case.
        software: version as delivered.
        options: other values for facts that the documents leave open.
    """

    type: Literal["ppc", "conexa", "casa"] | None = None
    id: Text | None = None
    software: Text | None = Field(default=None, min_length=1, max_length=40)
    options: dict[str, Any] = Field(default_factory=dict)

    @field_validator("id")
    @classmethod
    def _number(cls, value: str | None) -> str | None:
        if value is not None and not _NUMBER.match(value):
            raise ValueError(f"{value!r} is no number of a gateway: write it like EPPC0210495730")
        return value

    @field_validator("options")
    @classmethod
    def _known(cls, value: dict[str, Any]) -> dict[str, Any]:
        from bench.emulation import wrong_option

        for name, given in value.items():
            error = wrong_option(name, given)
            if error is not None:
                raise ValueError(str(error))
        return value


def _is_host(text: str) -> bool:
    """Whether it is a name, or an address where its last label is a number."""
    if text.rpartition(".")[2].isdecimal():
        try:
            IPv4Address(text)
        except ValueError:
            return False
        return True
    return len(text) <= 253 and all(0 < len(label) <= 63 for label in text.split("."))


class TimeOfGateway(Written):
    """Where it gets the time from.

    Attributes:
        server: ``own``: this computer's time, by a time server inside the program; ``none``; or a host, perhaps with
            its UDP port, that answers NTP.
    """

    server: Text = "own"

    @field_validator("server")
    @classmethod
    def _host(cls, value: str) -> str:
        match = _SERVER.match(value)
        if match is None or not 0 < int(match[2] or 123) < 65536 or not _is_host(match[1]):
            raise ValueError(f"{value!r} is no time server: write own, none, or a host such as 192.0.2.7:123")
        return value

    @property
    def address(self) -> tuple[str, int] | None:
        """Of a server outside, None: there is none."""
        match = _SERVER.match(self.server)
        if self.server in ("own", "none") or match is None:
            return None
        return match[1], int(match[2] or 123)


class GatewayFile(Written):
    """A stand-alone gateway.

    Attributes:
        gateway: the unit.
        meters: name -> wired meter, as in a scenario's ``given``.
        radio_meters: name -> meter on the air.
        assumed: other values for what the documents leave open about wired meters.
        profiles: name of a meter -> what its profile says.
        consumers: id -> consumer.
        technicians: id -> technician.
        contracts: name -> contract.
        time: where the time comes from.
    """

    gateway: Identity = Identity()
    meters: dict[str, GivenMeter] = Field(default_factory=dict)
    radio_meters: dict[str, GivenRadioMeter] = Field(default_factory=dict)
    assumed: AssumedOfMeters = Field(default_factory=dict)
    profiles: dict[str, KeptOfMeter] = Field(default_factory=dict)
    consumers: dict[str, Consumer] = Field(default_factory=dict)
    technicians: dict[str, Technician] = Field(default_factory=dict)
    contracts: dict[str, Contract] = Field(default_factory=dict)
    time: TimeOfGateway = TimeOfGateway()


class MetersFile(Written):
    """A file of meters for ``--meters``: that of ``smgw-bench meter``, of ``smgw-bench air``, or both in one."""

    meters: dict[str, GivenMeter] = Field(default_factory=dict)
    radio_meters: dict[str, GivenRadioMeter] = Field(default_factory=dict)
    assumed: AssumedOfMeters = Field(default_factory=dict)


def read_gateway_file(file: Path) -> tuple[GatewayFile, Source]:
    """The configuration in a file. Raises UsageError with file, line and field."""
    source = _source(file, "gateway:, meters:, consumers: or contracts:")
    try:
        return GatewayFile.model_validate(source.data), source
    except ValidationError as error:
        raise UsageErrors(list(translate(error, source, GatewayFile))) from None


def read_meters_file(file: Path) -> tuple[MetersFile, Source]:
    """The meters in a file. Raises UsageError with file, line and field."""
    source = _source(file, "meters: or radio_meters:")
    try:
        found = MetersFile.model_validate(source.data)
    except ValidationError as error:
        raise UsageErrors(list(translate(error, source, MetersFile))) from None
    if not found.meters and not found.radio_meters:
        raise UsageError("the file names no meter", place=Place(file, 1), hint="it begins with 'meters:'")
    return found, source


def _source(file: Path, begin: str) -> Source:
    source = read(file)
    if not isinstance(source.data, dict):
        raise UsageError("the file holds no mapping", place=Place(file, 1), hint=f"it begins with {begin}")
    return source


def check_meters(meters: GatewayFile | MetersFile, source: Source) -> None:
    """Names and ids are each there once. Raises UsageError with the place."""
    ids: dict[bytes, str] = {}
    for name, one in meters.meters.items():
        if one.type == "replay":
            place = source.place(("meters", name, "type"))
            raise UsageError(f"meter {name!r} is a recording, which knows no other time than its own", place=place)
        if one.id is not None:
            _once(ids, id_of(one.id), name, source.place(("meters", name, "id")))
    for name, radio in meters.radio_meters.items():
        if name in meters.meters:
            place = source.place(("radio_meters", name), of_key=True)
            raise UsageError(f"there are two meters called {name!r}", place=place, hint="each has its own name")
        _once(ids, radio.id.upper().encode(), name, source.place(("radio_meters", name, "id")))


def _once(ids: dict[bytes, str], identity: bytes, name: str, place: Place) -> None:
    other = ids.setdefault(identity, name)
    if other != name:
        raise UsageError(f"{name!r} has the id of {other!r}", place=place, hint="each meter has its own")


def check_unit(given: GatewayFile, source: Source | None, kind: str) -> None:
    """The file is one of this product, and so is the number in it. Raises UsageError with the place."""
    unit = given.gateway
    if unit.type not in (None, kind):
        place = None if source is None else source.place(("gateway", "type"))
        raise UsageError(f"--type {kind}: the file is that of a {unit.type} gateway", place=place)
    others = {gateway_type(one).device_id_prefix: one for one in ALL if one != kind}
    other = others.get((unit.id or "")[:4])
    if other is not None:
        place = None if source is None else source.place(("gateway", "id"))
        hint = f"that of a {kind} begins with {gateway_type(kind).device_id_prefix}"
        raise UsageError(f"'id': {unit.id} is the number of a {other} gateway", place=place, hint=hint)


def check_references(given: GatewayFile, source: Source | None, meters: set[str]) -> None:
    """Whatever is named is there. Raises UsageErrors with the places."""
    found = list(_wrong_references(given, meters))
    if found:
        raise UsageErrors(
            [UsageError(text, place=None if source is None else source.place(path)) for path, text in found]
        )


def _wrong_references(given: GatewayFile, meters: set[str]) -> list[tuple[tuple[str, ...], str]]:
    found = [
        (("contracts", *path), text.replace("given.meters", "meters"))
        for path, text in contract_mistakes(dict(given.contracts), meters)
    ]
    consumers = ", ".join(given.consumers) or "none"
    for name, contract in given.contracts.items():
        if contract.consumer not in given.consumers:
            told = f"there is no consumer {contract.consumer!r} under consumers ({consumers})"
            found.append((("contracts", name, "consumer"), told))
        if contract.recipients:
            told = "a gateway without WAN has nobody to send to: leave 'recipients' away"
            found.append((("contracts", name, "recipients"), told))
    for name, kept in given.profiles.items():
        if name not in meters:
            found.append((("profiles", name), f"there is no meter {name!r} ({', '.join(sorted(meters)) or 'none'})"))
        if kept.consumer is not None and kept.consumer not in given.consumers:
            told = f"there is no consumer {kept.consumer!r} under consumers ({consumers})"
            found.append((("profiles", name, "consumer"), told))
    for role in ("consumers", "technicians"):
        wrong = [user for user in getattr(given, role) if not _USER.match(user)]
        found += [((role, user), f"{user!r} is not made of letters, digits, '.', '-' and '_'") for user in wrong]
    both = sorted(set(given.consumers) & set(given.technicians))
    return found + [(("technicians", one), f"{one!r} is a consumer already: each has his own name") for one in both]
