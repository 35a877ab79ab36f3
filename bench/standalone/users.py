"""The users of a stand-alone gateway: their passwords and certificates, and the profiles that they log in by."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from bench.emulation import realm_of
from bench.han_credentials import make_credential
from bench.standalone.config import CONSUMER_RIGHTS, GENERATE, TECHNICIAN_RIGHTS, User
from bench.standalone.data_dir import DataFolder
from bench.standalone.plan import Plan, Profile
from bench.store import write_text
from devices.clock import wall_now
from devices.errors import BenchError, Place, UsageError
from devices.protocols.http_digest import MD5, SHA_256, ha1

P12_PASSWORD: Final = "smgw"
"""Of the .p12 files that are made; browsers take none without."""
Role = Literal["consumer", "technician"]


@dataclass(frozen=True)
class Told:
    """A user, as people and programs are told of him.

    Attributes:
        id: his name, the user name of the digest.
        role: consumer or technician.
        password: None: he has none.
        made: the password was made up here.
        certificate, key, p12: files of his certificate; those that the file of the configuration names have no key.
    """

    id: str
    role: Role
    password: str | None = None
    made: bool = False
    certificate: Path | None = None
    key: Path | None = None
    p12: Path | None = None

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        files = {"certificate": self.certificate, "key": self.key, "p12": self.p12}
        told: dict[str, Any] = {"id": self.id, "role": self.role}
        if self.password is not None:
            told["password"] = self.password
        return told | {name: str(path.absolute()) for name, path in files.items() if path is not None}


def introduce(plan: Plan, folder: DataFolder) -> tuple[list[Told], list[Profile]]:
    """The users, and a profile for each way in which one of them logs in.

    Passwords and certificates that nobody named are made, and the same the next time.

    Raises:
        UsageError: a certificate that cannot be read, with its place.
        BenchError: a file cannot be written.
    """
    told: list[Told] = []
    profiles: list[Profile] = []
    roles: tuple[tuple[Role, Mapping[str, User]], ...] = (
        ("consumer", plan.given.consumers),
        ("technician", plan.given.technicians),
    )
    for role, users in roles:
        for name, user in users.items():
            one, ways = _user(plan, folder, role, name, user)
            told.append(one)
            profiles += ways
    return told, profiles


def _user(plan: Plan, folder: DataFolder, role: Role, name: str, user: User) -> tuple[Told, list[Profile]]:
    password, made = _password(folder, role, name, user)
    files = _certificate(plan, folder, role, name, user)
    rights = user.rights or (CONSUMER_RIGHTS if role == "consumer" else TECHNICIAN_RIGHTS)
    common = {"kind": "han_communication", "role": role, "user": name, "rights": list(rights)}
    place, ways = plan.place(f"{role}s", name), []
    if password is not None:
        realm = realm_of(plan.product.id, plan.device_id)
        digest = "".join(ha1(name, realm, password, one) for one in (MD5, SHA_256))
        plain = {**common, "id": f"han-{name}", "authentication": "password", "password_digest": digest}
        ways.append(Profile(plain, place, f"{role} {name!r}"))
    if files is not None:
        plain = {
            **common,
            "id": f"han-{name}-certificate",
            "authentication": "certificate",
            "certificate": _der(files[0], plan.place(f"{role}s", name, "certificate")).hex(),
        }
        ways.append(Profile(plain, place, f"certificate of {role} {name!r}"))
    certificate, key, p12 = files or (None, None, None)
    return Told(name, role, password, made, certificate, key, p12), ways


def _password(folder: DataFolder, role: Role, name: str, user: User) -> tuple[str | None, bool]:
    nothing = user.password is None and user.certificate is None
    if role == "technician" or (user.password is None and not nothing):
        return None, False
    if user.password not in (None, GENERATE):
        return user.password, False
    assert folder.kept is not None
    known = folder.kept.passwords.get(name)
    if known is None:
        known = secrets.token_urlsafe(9)
        folder.note(passwords={**folder.kept.passwords, name: known})
    return known, True


_Files = tuple[Path, Path | None, Path | None]


def _certificate(plan: Plan, folder: DataFolder, role: Role, name: str, user: User) -> _Files | None:
    wanted = user.certificate or (GENERATE if role == "technician" else None)
    if wanted is None:
        return None
    if wanted != GENERATE:
        return plan.folder / wanted, None, None
    stem = folder.certificates / name
    files = (stem.with_name(f"{name}.pem"), stem.with_name(f"{name}.key.pem"), stem.with_name(f"{name}.p12"))
    if not all(one.exists() for one in files):
        _make(name, role, plan.product.id, files)
    return files


def _make(name: str, role: Role, product: str, files: tuple[Path, Path, Path]) -> None:
    """A certificate, its key, and both in a file for browsers."""
    made = make_credential(name, product, datetime.combine(wall_now().date(), datetime.min.time(), UTC))
    try:
        files[0].parent.mkdir(parents=True, exist_ok=True)
        write_text(files[1], made.key_pem.decode())
        files[2].write_bytes(made.p12(f"{role} {name}", P12_PASSWORD))
        write_text(files[0], made.pem.decode())
    except OSError as error:
        raise BenchError(f"{files[0].parent} cannot be used: {error.strerror}") from error


def _der(file: Path, place: Place | None) -> bytes:
    try:
        octets = file.read_bytes()
        if b"-----BEGIN" in octets:
            found = x509.load_pem_x509_certificate(octets)
        else:
            found = x509.load_der_x509_certificate(octets)
    except OSError as error:
        raise UsageError(f"the certificate {file} cannot be read: {error.strerror}", place=place) from None
    except ValueError:
        raise UsageError(f"{file} holds no certificate", place=place, hint="PEM or DER") from None
    return found.public_bytes(Encoding.DER)
