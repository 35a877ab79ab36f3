"""How profiles lie in the memory: one setting each with its digest, named by a number that gives their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from devices.errors import UsageError
from firmware.profiles.forms import plain_of, profile_of
from firmware.profiles.kinds import Profile
from firmware.storage.memory import NonVolatileMemory, Statement, setting_statement

PREFIX: Final = "profile/"
REMOVED: Final = "profiles_removed"
"""Numbers of meters that are in the configuration and whose profile was deleted all the same."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A profile with what the gateway notes of it.

    Attributes:
        number: place in the order of installation, from 1; 0: it comes with the configuration and is not stored.
        profile: the profile.
        changed: it was changed since.
        was_active: a meter profile that was active once.
        archived: an evaluation profile that was deleted, but has values that are kept.
        since_s: from when the consumer of a meter profile has the meter, seconds since 1970; None: from the begin.
    """

    number: int
    profile: Profile
    changed: bool = False
    was_active: bool = False
    archived: bool = False
    since_s: int | None = None

    @property
    def statement(self) -> Statement:
        """The statement that stores it."""
        noted: dict[str, bool | int] = {
            "changed": self.changed, "was_active": self.was_active, "archived": self.archived,
        }  # fmt: skip
        if self.since_s is not None:
            noted["since_s"] = self.since_s
        return setting_statement(_name(self.number), {"profile": plain_of(self.profile), **noted})

    @property
    def deletion(self) -> Statement:
        """The statement that forgets it."""
        return ("DELETE FROM setting WHERE name = ?", (_name(self.number),))


def entries(memory: NonVolatileMemory) -> tuple[list[Entry], list[str], int]:
    """The stored profiles in their order, names of settings that cannot be read, and the highest number among these.

    What cannot be read is left where it lies: the self-test finds it by its digest.
    """
    rows = memory.query("SELECT name FROM setting WHERE substr(name, 1, ?) = ? ORDER BY name", (len(PREFIX), PREFIX))
    found: list[Entry] = []
    broken: list[str] = []
    taken = 0
    for (name,) in rows:
        digits = str(name).removeprefix(PREFIX)
        number = int(digits) if digits.isdecimal() else 0
        try:
            found.append(_entry(number, memory.setting(name)))
        except (UsageError, ValueError, KeyError, TypeError):
            broken.append(str(name))
            taken = max(taken, number)
    return found, broken, taken


def _entry(number: int, stored: Any) -> Entry:
    flags = (bool(stored["changed"]), bool(stored["was_active"]), bool(stored["archived"]))
    since_s = stored.get("since_s")
    return Entry(number, profile_of(stored["profile"]), *flags, None if since_s is None else int(since_s))


def _name(number: int) -> str:
    return f"{PREFIX}{number:08}"
