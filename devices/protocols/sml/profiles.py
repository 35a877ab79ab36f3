"""Profiles: what GetProfilePack and GetProfileList ask for and answer (SML 1.03).

A pack is a table: one header with the objects, below it one line of values for each time. A list answers with one
message for each time, holding objects with unit and scaler. Event logs are read as lists (lmn-wired 4.4).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from devices.protocols.sml.coding import (
    LOGIN,
    Coding,
    Schema,
    boolean_field,
    maybe_octets,
    octets_field,
    optional,
    scaler_field,
    time_field,
    unsigned_field,
    value_field,
)
from devices.protocols.sml.entries import SmlTime, Value
from devices.protocols.sml.parameters import ParameterTree, read_path, tree_field, write_path
from devices.protocols.sml.periods import PERIOD_ENTRY, PeriodEntry


@dataclass(frozen=True, slots=True)
class GetProfilePackRequest:
    """Asks for a profile as a table.

    Attributes:
        path: which profile, see `parameters`.
        server_id, username, password: see OpenRequest.
        with_raw_data: whether the meter's own octets shall come along.
        begin, end: which part of it; None: from the first, to the last.
        objects: OBIS codes of the columns; None: all.
        details: parameters of the reading.
    """

    path: tuple[bytes, ...]
    server_id: bytes | None = None
    username: bytes | None = None
    password: bytes | None = None
    with_raw_data: bool | None = None
    begin: SmlTime | None = None
    end: SmlTime | None = None
    objects: tuple[bytes, ...] | None = None
    details: ParameterTree | None = None


@dataclass(frozen=True, slots=True)
class GetProfileListRequest:
    """Asks for a profile, one answer for each time; fields as in GetProfilePackRequest."""

    path: tuple[bytes, ...]
    server_id: bytes | None = None
    username: bytes | None = None
    password: bytes | None = None
    with_raw_data: bool | None = None
    begin: SmlTime | None = None
    end: SmlTime | None = None
    objects: tuple[bytes, ...] | None = None
    details: ParameterTree | None = None


@dataclass(frozen=True, slots=True)
class ProfileHeader:
    """A column of a pack: OBIS code, unit and scaler of its values."""

    obis: bytes
    unit: int | None = None
    scaler: int | None = None
    heads: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ProfileValue:
    """One value of a pack, to be read with the header of its column."""

    value: Value = None
    signature: bytes | None = None
    heads: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ProfilePeriod:
    """A line of a pack.

    Attributes:
        values: one for each header.
        val_time: when they were valid.
        status: status word then.
        signature: over the line.
    """

    values: tuple[ProfileValue, ...]
    val_time: SmlTime | None = None
    status: int | None = None
    signature: bytes | None = None
    heads: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class GetProfilePackResponse:
    """A profile as a table.

    Attributes:
        server_id: the meter.
        path: as in the request.
        headers, periods: columns and lines.
        act_time: when the answer was made.
        period_s: seconds between two lines.
        raw_data: the meter's own octets.
        signature: over all.
    """

    server_id: bytes
    path: tuple[bytes, ...]
    headers: tuple[ProfileHeader, ...]
    periods: tuple[ProfilePeriod, ...]
    act_time: SmlTime | None = None
    period_s: int | None = None
    raw_data: bytes | None = None
    signature: bytes | None = None
    heads: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class GetProfileListResponse:
    """A profile at one time.

    Attributes:
        server_id: the meter.
        path: as in the request.
        entries: objects with their values.
        act_time: when the answer was made.
        period_s: seconds between two entries of the profile.
        val_time: when the values were valid.
        status: status word then.
        raw_data: the meter's own octets.
        signature: over all.
    """

    server_id: bytes
    path: tuple[bytes, ...]
    entries: tuple[PeriodEntry, ...]
    act_time: SmlTime | None = None
    period_s: int | None = None
    val_time: SmlTime | None = None
    status: int | None = None
    raw_data: bytes | None = None
    signature: bytes | None = None
    heads: bytes = field(default=b"", compare=False, repr=False)


_PATH = Coding("path", read_path, write_path)
_REQUEST: Final = (
    *LOGIN,
    boolean_field("with_raw_data"),
    time_field("begin"),
    time_field("end"),
    _PATH,
    optional(Coding("objects", read_path, write_path)),
    optional(tree_field("details")),
)
_HEADER = Schema(ProfileHeader, octets_field("obis"), unsigned_field("unit", 1), scaler_field("scaler"))
_VALUE = Schema(ProfileValue, value_field("value"), maybe_octets("signature"))
_PERIOD = Schema(
    ProfilePeriod,
    time_field("val_time"),
    unsigned_field("status"),
    _VALUE.list_coding("values"),
    maybe_octets("signature"),
)
_REGISTER_PERIOD_OCTETS = 4
_ANSWER: Final = (
    octets_field("server_id"),
    time_field("act_time"),
    unsigned_field("period_s", _REGISTER_PERIOD_OCTETS),
    _PATH,
)

PROFILE_SCHEMAS: Final[dict[int, Schema[Any]]] = {
    0x0300: Schema(GetProfilePackRequest, *_REQUEST),
    0x0301: Schema(
        GetProfilePackResponse,
        *_ANSWER,
        _HEADER.list_coding("headers"),
        _PERIOD.list_coding("periods"),
        maybe_octets("raw_data"),
        maybe_octets("signature"),
    ),
    0x0400: Schema(GetProfileListRequest, *_REQUEST),
    0x0401: Schema(
        GetProfileListResponse,
        *_ANSWER,
        time_field("val_time"),
        unsigned_field("status"),
        PERIOD_ENTRY.list_coding("entries"),
        maybe_octets("raw_data"),
        maybe_octets("signature"),
    ),
}
"""Message type to coding."""
