"""What people write about the home interface: how a gateway is reached (bench file), who may log in (scenario)."""

from __future__ import annotations

import ipaddress
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, field_validator, model_validator

from bench.han_assumptions import GENTLE_S
from bench.quantity import Duration
from bench.written import Written
from devices.errors import UsageError
from devices.han.login import ClientCertificate, Login, Settings

CONSUMER: Final = "consumer-1"
"""The consumer of an emulated gateway unless a scenario names others."""
GENTLE: Final = timedelta(seconds=GENTLE_S)
"""Time from one login to the next that a PPC bears (han 2.1)."""
_FINGERPRINT: Final = re.compile(r"(?:[0-9A-Fa-f]{2}:?){32}")
_HOST: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_BRACKETS: Final = re.compile(r"\[([^\[\]]*)\](?::(.*))?")
_MOST_PASSWORD: Final = 4096


class HanOnBench(Written):
    """How the home interface of a real gateway is reached.

    Attributes:
        address: host name or IP address; a port behind a colon goes before `port`.
        port: TCP port.
        user: user name.
        password_file, password_env: file or environment variable that holds the password; a bench file goes into every
            report, so it cannot stand here itself.
        certificate: PEM file with the user's certificate; its private key may be in it, or in `key`.
        key_password_env: environment variable with the password of the key.
        fingerprint: SHA-256 of the gateway's certificate; without it the certificate is trusted on first use in a case.
        host_name: name by which the gateway wants to be asked, as CASA does.
        every: time from one login to the next; a PPC is left alone for 15 min unless told otherwise.
        self_test: ``allowed``: scenarios may order self-tests; a PPC restarts for one.
        wrong_logins: ``allowed``: scenarios may try wrong passwords, which locks consumers out for a while.
    """

    address: str = Field(min_length=1, max_length=255)
    port: int = Field(default=443, ge=1, le=65535)
    user: str = Field(default="consumer", min_length=1, max_length=255)
    password_file: str | None = None
    password_env: str | None = None
    certificate: str | None = None
    key: str | None = None
    key_password_env: str | None = None
    fingerprint: str | None = None
    host_name: str | None = None
    every: Duration | None = None
    self_test: Literal["allowed", "forbidden"] = "forbidden"
    wrong_logins: Literal["allowed", "forbidden"] = "forbidden"

    @field_validator("address")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        if "://" in value or "/" in value:
            raise ValueError("host and port alone, without 'https://' and path: write it like 192.168.1.200:443")
        host, port = _parted(value)
        if port is not None and not (port.isdecimal() and 1 <= int(port) <= 65535):
            raise ValueError(f"{port!r} is no port from 1 to 65535: write it like 192.168.1.200:443")
        if not _HOST.fullmatch(host) and not _is_ipv6(host):
            raise ValueError(f"{host!r} is no host name and no IP address: write it like 192.168.1.200:443")
        return value

    @field_validator("fingerprint")
    @classmethod
    def _hex(cls, value: str | None) -> str | None:
        if value is not None and not _FINGERPRINT.fullmatch(value):
            raise ValueError("a fingerprint is the SHA-256 of the certificate, 64 hex digits")
        return value

    @model_validator(mode="after")
    def _one_way(self) -> HanOnBench:
        ways = [name for name in ("password_file", "password_env", "certificate") if getattr(self, name)]
        if len(ways) != 1:
            raise ValueError("say how the user logs in: one of password_file, password_env, certificate")
        if self.certificate is None and (self.key is not None or self.key_password_env is not None):
            raise ValueError("'key' and 'key_password_env' belong to 'certificate'")
        if "user" not in self.model_fields_set and self.certificate is None:
            raise ValueError("a password needs its 'user'")
        return self

    @property
    def where(self) -> tuple[str, int]:
        """Host and port."""
        host, port = _parted(self.address)
        return host, self.port if port is None else int(port)

    def pause(self, product: str | None) -> timedelta:
        """Time from one login to the next at that product."""
        if self.every is not None:
            return self.every
        return GENTLE if product == "ppc" else timedelta(0)

    def settings(self) -> Settings:
        """As the client wants it."""
        host, port = self.where
        return Settings(host, port, self.fingerprint, server_name=self.host_name)

    def login(self) -> Login:
        """Who asks. Raises UsageError for a password or certificate that cannot be read."""
        if self.certificate is not None:
            return Login(self.user, None, client_certificate(self.certificate, self.key, self.key_password_env))
        return Login(self.user, read_password(self.password_file, self.password_env))


def _parted(address: str) -> tuple[str, str | None]:
    """Host without brackets, and what stands for the port behind a colon; None: nothing does."""
    match = _BRACKETS.fullmatch(address)
    if match is not None:
        return match[1], match[2]
    host, colon, port = address.partition(":")
    return (address, None) if not colon or ":" in port else (host, port)


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


_FROM: Final = "a path begins at the folder in which the bench is started"


def read_password(file: str | None, variable: str | None) -> str:
    """A password out of a file (its first line) or an environment variable. Raises UsageError."""
    if variable is not None:
        found = os.environ.get(variable)
        if not found:
            raise UsageError(f"the environment variable {variable} holds no password")
        return found
    assert file is not None
    try:
        with Path(file).open(encoding="utf-8") as lines:
            found = lines.readline(_MOST_PASSWORD).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise UsageError(f"the password file {Path(file).absolute()} cannot be read: {reason}", hint=_FROM) from None
    if not found:
        raise UsageError(f"the password file {file} is empty")
    return found


def client_certificate(certificate: str, key: str | None, key_password_env: str | None) -> ClientCertificate:
    """A user's certificate. Raises UsageError for a file that is not there."""
    for name in (certificate, key):
        if name is not None and not Path(name).is_file():
            raise UsageError(f"there is no file {Path(name).absolute()}", hint=_FROM)
    password = None if key_password_env is None else read_password(None, key_password_env)
    return ClientCertificate(Path(certificate), None if key is None else Path(key), password)


def joined(host: str, port: int) -> str:
    """``host:port``, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class GivenHanUser(Written):
    """A user whom the administrator has introduced.

    Attributes:
        role: consumer or technician; a technician logs in with a certificate.
        password: of a consumer; made from his name unless given.
        login: how he logs in.
    """

    role: Literal["consumer", "technician"] = "consumer"
    password: str | None = Field(default=None, min_length=1, max_length=64)
    login: Literal["password", "certificate"] | None = None

    @property
    def by_certificate(self) -> bool:
        """Whether he logs in with a certificate."""
        return (self.login or ("certificate" if self.role == "technician" else "password")) == "certificate"

    @model_validator(mode="after")
    def _fits(self) -> GivenHanUser:
        if self.role == "technician" and self.login == "password":
            raise ValueError("a technician logs in with a certificate only")
        if self.by_certificate and self.password is not None:
            raise ValueError("who logs in with a certificate has no password")
        return self


class GivenHan(Written):
    """The home interface at the begin.

    Attributes:
        users: name -> user; without any an emulated gateway has ``consumer-1``.
        site: ``given``: meters and contracts are those of this file. ``own``: a real gateway has its own; those of this
            file are there for an emulated one only, which is switched on and has run for `history`.
        history: how long an emulated gateway has run before the first step (``site: own``).
    """

    users: dict[str, GivenHanUser] = Field(default_factory=dict)
    site: Literal["given", "own"] = "given"
    history: Duration = Field(default="65 min", validate_default=True)

    @model_validator(mode="after")
    def _fits(self) -> GivenHan:
        if self.site == "own" and self.users:
            raise ValueError("'site: own' is for any gateway, whose users nobody can name: leave 'users' away")
        if self.site != "own" and "history" in self.model_fields_set:
            raise ValueError("'history' belongs to 'site: own'")
        return self
