"""Which orders the gateway takes: V2 to V4 and V11 to V14 here, V5 to V10 by the tariff rules (wan-core 6.2).

V1 is decided where plain data are read (:mod:`firmware.profiles.forms`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from devices.errors import UsageError
from devices.protocols.sym import KEY_OCTETS
from firmware.metering.tariffs import rules as tariffs
from firmware.metering.tariffs.profile import REGISTERED, EvaluationProfile
from firmware.metering.tariffs.readings import factor_of
from firmware.profiles.evaluation_form import FIELD_NAMES
from firmware.profiles.findings import NO_ROOM, REJECTED, SIGNER_WRONG, UNTRUSTED, Finding, of_tariff
from firmware.profiles.forms import plain_of
from firmware.profiles.kinds import (
    MEDIA,
    HanProfile,
    Kind,
    Profile,
    ProxyProfile,
    SensorProfile,
    TariffProfile,
    WanProfile,
    kind_of,
)
from firmware.profiles.meters import active
from firmware.profiles.trust import Trust, fingerprint, problems
from firmware.storage.memory import plain_json

ID: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
SERVER_NAME: Final = re.compile(r"[a-z0-9.-]{1,63}")
"""Names that devices at the CLS interface ask for (wan-core 6.4.4.2)."""
_NUMBER: Final = re.compile(r"\d[A-Z]{3}[0-9A-Fa-f]{2}[0-9A-Fa-f]{8}")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an evaluation profile has come.

    Attributes:
        decided_s: last instant that is evaluated, None: nothing yet.
        ended: its last reading is done.
    """

    decided_s: int | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """Figures and choices of the rules, `firmware.config.Options` with ``profile_``.

    Attributes:
        meters: most meter profiles.
        grid_s: registration period of wired meters.
        foreign_signer: HTTP status for a signer who is not the administrator.
        lawful_meter: fields of a meter profile whose change goes to the calibration log.
        lawful_time_server: the same of the communication profile of a time server.
    """

    meters: int = 32
    grid_s: int = 900
    foreign_signer: int = 422
    lawful_meter: frozenset[str] = frozenset(("registers", "period_s", "transformer_factor"))
    lawful_time_server: frozenset[str] = frozenset(("endpoints", "tls"))


@dataclass(frozen=True, slots=True)
class View:
    """What an order is judged by.

    Attributes:
        profiles: by id, as they will be when it has been carried out.
        taken: further ids that nobody may have again.
        consumers: those who have no profile of their own at the home interface.
        progress: of an evaluation profile.
        trust: what certificates are judged by.
        now_s: time of the gateway.
        limits: figures.
    """

    profiles: Mapping[str, Profile]
    taken: frozenset[str]
    consumers: frozenset[str]
    progress: Callable[[str], Progress]
    trust: Trust
    now_s: int
    limits: Limits

    def having(self, profiles: Iterable[Profile]) -> View:
        """The same with some profiles new or replaced."""
        return replace(self, profiles={**self.profiles, **{one.id: one for one in profiles}})

    def without(self, name: str) -> View:
        """The same without a profile."""
        return replace(self, profiles={key: one for key, one in self.profiles.items() if key != name})

    @property
    def sensors(self) -> list[SensorProfile]:
        """Meter profiles."""
        return [one for one in self.profiles.values() if isinstance(one, SensorProfile)]

    @property
    def evaluations(self) -> list[EvaluationProfile]:
        """Evaluation profiles, as the tariff engine knows them."""
        return [one.evaluation for one in self.profiles.values() if isinstance(one, TariffProfile)]

    @property
    def all_consumers(self) -> frozenset[str]:
        """Everybody whose values and log may be asked for."""
        people = (one for one in self.profiles.values() if isinstance(one, HanProfile))
        return self.consumers | {one.user for one in people if one.role == "consumer"}

    @property
    def known(self) -> tariffs.Known:
        """What evaluation profiles may refer to; whether names are taken is decided here for all kinds alike."""
        peers = (one for one in self.profiles.values() if isinstance(one, WanProfile))
        return tariffs.Known(
            registers={one.meter: _registers(one) for one in self.sensors},
            consumers=self.all_consumers,
            recipients=frozenset(one.id for one in peers if one.role == "EMT"),
        )


# --- the orders


def signer_findings(signer: str | None, profiles: Iterable[Profile], limits: Limits) -> list[Finding]:
    """V14: who has signed is an administrator with a communication profile.

    Args:
        signer: SHA-256 of the signer's certificate in hexadecimal digits; None: the order did not come signed, but
            over a way that is the administrator's own.
        profiles: those in force.
        limits: which status is answered.
    """
    if signer is None:
        return []
    administrators = [one for one in profiles if isinstance(one, WanProfile) and one.role == "GWA"]
    if any(one.signature is not None and fingerprint(one.signature) == signer.lower() for one in administrators):
        return []
    told = "there is no administrator yet" if not administrators else "the signer is not the administrator"
    details = {"key": signer[:64].lower(), "serial": ""}
    return [Finding("V14", limits.foreign_signer, SIGNER_WRONG, told, details=details)]


def install_findings(new: Sequence[Profile], before: View) -> list[Finding]:
    """What is wrong with profiles that are to be added together; they may refer to each other."""
    view, found = before.having(new), []
    seen: set[str] = set()
    for one in new:
        if one.id in before.profiles or one.id in before.taken or one.id in seen:
            found.append(_finding(one, "V2", 409, f"there is a profile {one.id!r} already"))
        seen.add(one.id)
        found += _ids(one, view)
        found += _content(one, view)
        found += _references(one, view)
        if isinstance(one, TariffProfile):
            bad = tariffs.findings(one.evaluation, view.known, view.now_s)
            found += [of_tariff(each, one.id) for each in bad]
        found += _certificates(one, view.trust)
    if len(view.sensors) > view.limits.meters and any(isinstance(one, SensorProfile) for one in new):
        told = f"{len(view.sensors)} meter profiles; there is room for {view.limits.meters}"
        found.append(Finding("V11", 409, NO_ROOM, told))
    return found


def change_findings(new: Sequence[Profile], before: View) -> list[Finding]:
    """What is wrong with profiles that are to take the place of those with their ids, which must be there."""
    view, found = before.having(new), []
    for one in new:
        old = before.profiles[one.id]
        if kind_of(old) is not kind_of(one):
            found.append(_finding(one, "V2", 409, f"{one.id!r} is a {kind_of(old)} profile"))
            continue
        if len([each for each in new if each.id == one.id]) > 1:
            found.append(_finding(one, "V2", 409, f"the profile {one.id!r} is there more than once"))
        found += _ids(one, view)
        found += _content(one, view)
        found += _references(one, view)
        found += _in_use(old, one, view)
        if isinstance(one, TariffProfile) and isinstance(old, TariffProfile):
            decided_s = before.progress(one.id).decided_s
            bad = tariffs.change_findings(old.evaluation, one.evaluation, view.known, view.now_s, decided_s)
            found += [of_tariff(each, one.id) for each in bad]
            if before.progress(one.id).ended:
                found.append(_finding(one, "V5", 409, f"evaluation profile {one.id} has ended"))
        found += _certificates(one, view.trust)
    return found


def delete_findings(profile: Profile, view: View) -> list[Finding]:
    """V4: why a profile may not be deleted."""
    found = []
    names = referring(profile, view)
    if names:
        found.append(_finding(profile, "V4", 409, f"{', '.join(names)} refer{'s' * (len(names) == 1)} to it"))
    if isinstance(profile, WanProfile) and _last_administrator(profile, view.without(profile.id)):
        found.append(_finding(profile, "V4", 409, "it is the last one of an administrator"))
    if isinstance(profile, TariffProfile):
        progress = view.progress(profile.id)
        running = tariffs.deletion_finding(profile.evaluation, progress.decided_s, ended=progress.ended)
        if running is not None:
            found.append(of_tariff(running, profile.id))
    return found


def referring(profile: Profile, view: View) -> list[str]:
    """Ids of the profiles that would refer to nothing without this one."""
    others = view.without(profile.id)
    if isinstance(profile, SensorProfile):
        return tariffs.referring(others.evaluations, meter=profile.meter)
    if isinstance(profile, WanProfile):
        proxies = (one for one in others.profiles.values() if isinstance(one, ProxyProfile))
        names = tariffs.referring(others.evaluations, recipient=profile.id)
        return names + [one.id for one in proxies if one.peer == profile.id]
    if isinstance(profile, HanProfile) and profile.role == "consumer" and profile.user not in others.all_consumers:
        names = tariffs.referring(others.evaluations, consumer=profile.user)
        return names + [one.id for one in others.sensors if one.consumer == profile.user]
    return []


def lawful_changes(old: Profile, new: Profile, limits: Limits) -> list[tariffs.Change]:
    """V13: the changes that go to the calibration log, values as plain data."""
    wanted: frozenset[str] = frozenset()
    if isinstance(new, TariffProfile):
        wanted = frozenset(FIELD_NAMES.get(one, one) for one in tariffs.LEGALLY_RELEVANT)
    elif isinstance(new, SensorProfile):
        wanted = limits.lawful_meter
    elif isinstance(new, WanProfile) and new.role == "NTP":
        wanted = limits.lawful_time_server
    before, after = plain_of(old), plain_of(new)
    return [
        tariffs.Change(name, _said(before.get(name)), _said(value))
        for name, value in after.items()
        if name in wanted and before.get(name) != value
    ]


# --- the rules


def _finding(profile: Profile, rule: str, answer: int, reason: str, **details: Any) -> Finding:
    return Finding(rule, answer, REJECTED[kind_of(profile)], reason, profile.id[: tariffs.MOST_ID], details)


def _ids(one: Profile, view: View) -> Iterator[Finding]:
    """V2; the id of an evaluation profile is the tariff rules' business."""
    if not isinstance(one, TariffProfile):
        if len(one.id) > tariffs.MOST_ID:
            told = f"the id has {len(one.id)} characters, at most {tariffs.MOST_ID} are right"
            yield _finding(one, "V2", 400, told)
        elif not ID.fullmatch(one.id):
            yield _finding(one, "V2", 400, f"the id {one.id!r} is not made of letters, digits, '.', '-' and '_'")
    if isinstance(one, SensorProfile):
        yield from _meter_ids(one, view)
    elif isinstance(one, HanProfile):
        if not ID.fullmatch(one.user):
            yield _finding(one, "V2", 400, f"the user {one.user!r} is not made of letters, digits, '.', '-' and '_'")
    elif isinstance(one, ProxyProfile):
        yield from _server_name(one, view)


def _meter_ids(one: SensorProfile, view: View) -> Iterator[Finding]:
    key = one.key if one.key is None or len(one.key) == KEY_OCTETS else bytes(KEY_OCTETS)
    try:
        active(replace(one.read_as, key=key))
    except UsageError as error:
        yield _finding(one, "V2", 400, str(error))
    if _NUMBER.fullmatch(one.meter) and MEDIA.get(one.meter[0], "other") != one.medium:
        medium = MEDIA.get(one.meter[0], "other")
        yield _finding(one, "V2", 400, f"the number {one.meter} is that of a meter of {medium}, not of {one.medium}")
    for other in view.sensors:
        if other.id != one.id and other.meter == one.meter:
            yield _finding(one, "V2", 409, f"meter {one.meter} has the profile {other.id} already")


def _server_name(one: ProxyProfile, view: View) -> Iterator[Finding]:
    name = one.local_server_name
    if not SERVER_NAME.fullmatch(name):
        yield _finding(one, "V2", 400, f"the server name {name!r} is not made of 1 to 63 of [a-z0-9.-]")
    for other in view.profiles.values():
        if isinstance(other, ProxyProfile) and other.id != one.id and other.local_server_name == name:
            yield _finding(one, "V2", 409, f"the proxy profile {other.id} has the server name {name!r} already")


def _content(one: Profile, view: View) -> Iterator[Finding]:
    """What the fields of a profile mean together."""
    if isinstance(one, SensorProfile):
        if one.key is not None and len(one.key) != KEY_OCTETS:
            yield _finding(one, "V1", 400, f"the key has {len(one.key)} octets, {KEY_OCTETS} are right")
        if one.link == "wired_symmetric":
            told = "this gateway reads wired meters through TLS or in the clear, not with symmetric keys alone"
            yield _finding(one, "V1", 422, told)
        elif one.link == "wired_tls" and one.key is None:
            yield _finding(one, "V1", 400, "the initial key is missing, without which the meter cannot be paired")
        if min(one.transformer_factor, one.display_factor) <= 0:
            yield _finding(one, "V1", 400, "factors are greater than zero")
        if factor_of(one.transformer_factor) is None:
            told = f"with a transformer factor of {one.transformer_factor} values cannot be exact in 64 bits"
            yield _finding(one, "V1", 400, f"{told}; right: at most 100000, with at most four decimals")
        wired = one.link != "radio"
        if wired and one.period_s not in {None, view.limits.grid_s}:
            told = f"a registration period of {one.period_s} s; wired meters are read every {view.limits.grid_s} s"
            yield _finding(one, "V6", 400, told)
    elif isinstance(one, WanProfile):
        right = _SCENARIOS[one.role]
        for scenario in dict.fromkeys(each.scenario for each in one.endpoints):
            if scenario not in right:
                told = f"a {one.role} has no endpoint for {scenario}; right: {', '.join(sorted(right))}"
                yield _finding(one, "V1", 400, told)
    elif isinstance(one, TariffProfile):
        yield from _periods(one, view)


_SCENARIOS: Final[Mapping[str, frozenset[str]]] = {
    "GWA": frozenset(("management", "admin_service", "info_report")),
    "EMT": frozenset(("info_report",)),
    "NTP": frozenset(("time_sync",)),
}
"""Role of a peer -> what it is connected for (wan-core 3.1)."""


def _periods(one: TariffProfile, view: View) -> Iterator[Finding]:
    """V6: the registration period is a whole multiple of that of each meter, where its profile names one."""
    profile = one.evaluation
    if profile.use_case not in REGISTERED:
        return
    periods = {sensor.meter: sensor.period_s for sensor in view.sensors}
    for meter in dict.fromkeys(source.meter for source in profile.sources):
        period_s = periods.get(meter)
        if period_s is not None and profile.period_s % period_s:
            told = f"the registration period is {profile.period_s} s, meter {meter} has a value every {period_s} s"
            yield _finding(one, "V6", 409, told)


def _references(one: Profile, view: View) -> Iterator[Finding]:
    """V3; the references of an evaluation profile are the tariff rules' business."""
    if isinstance(one, SensorProfile) and one.consumer not in view.all_consumers:
        yield _finding(one, "V3", 409, f"there is no consumer {one.consumer!r}")
    if isinstance(one, ProxyProfile):
        peer = view.profiles.get(one.peer)
        if not isinstance(peer, WanProfile) or peer.role != "EMT":
            yield _finding(one, "V3", 409, f"there is no communication profile {one.peer!r} of a market participant")


def _in_use(old: Profile, new: Profile, view: View) -> Iterator[Finding]:
    """What may not change because others need it; `view` is what there will be."""
    if isinstance(old, SensorProfile) and isinstance(new, SensorProfile):
        yield from _meter_in_use(old, new, view)
    elif isinstance(old, WanProfile) and isinstance(new, WanProfile) and old.role != new.role:
        names = referring(old, view)
        if names:
            yield _finding(new, "V4", 409, f"{', '.join(names)} refer to it as {old.role}")
        if _last_administrator(old, view):
            yield _finding(new, "V4", 409, "it is the last one of an administrator")
    elif isinstance(old, HanProfile) and isinstance(new, HanProfile):
        names = referring(old, view) if old.user not in view.all_consumers else []
        if names:
            yield _finding(new, "V4", 409, f"{', '.join(names)} refer to the consumer {old.user!r}")


def _meter_in_use(old: SensorProfile, new: SensorProfile, view: View) -> Iterator[Finding]:
    if old.meter != new.meter:
        yield _finding(new, "V2", 409, f"it is the profile of meter {old.meter}; another meter has another profile")
        return
    kept = _registers(new)
    for evaluation in view.evaluations:
        if view.progress(evaluation.name).ended:
            continue
        used = [one.obis for one in evaluation.sources if one.meter == new.meter]
        if not used:
            continue
        if old.active and not new.active:
            yield _finding(new, "V4", 409, f"evaluation profile {evaluation.name} needs its values")
        for obis in used:
            if kept and obis not in kept:
                yield _finding(new, "V3", 409, f"evaluation profile {evaluation.name} needs the register {obis}")
        decided_s = view.progress(evaluation.name).decided_s
        begun = decided_s is not None and decided_s >= evaluation.begin_s
        if begun and old.transformer_factor != new.transformer_factor:
            told = f"evaluation profile {evaluation.name} reckons with the factor {old.transformer_factor}"
            yield _finding(new, "V4", 409, told)
        period_s = new.period_s
        if evaluation.use_case in REGISTERED and period_s is not None and evaluation.period_s % period_s:
            told = f"evaluation profile {evaluation.name} needs a value every {evaluation.period_s} s"
            yield _finding(new, "V6", 409, told)


def _last_administrator(profile: WanProfile, view: View) -> bool:
    """Whether there is no administrator in `view`, where this profile is no longer one."""
    if profile.role != "GWA":
        return False
    return not any(isinstance(one, WanProfile) and one.role == "GWA" for one in view.profiles.values())


def _certificates(one: Profile, trust: Trust) -> Iterator[Finding]:
    """V12."""
    for problem in problems(one, trust):
        details = {"code": UNTRUSTED} if problem.untrusted else {}
        yield _finding(one, "V12", problem.answer, problem.reason, **details)


def _registers(one: SensorProfile) -> frozenset[str]:
    """OBIS codes that it keeps in their long form; empty: all."""
    try:
        return active(replace(one.read_as, key=None, security=None)).obis
    except UsageError:
        return frozenset(one.registers)


def _said(value: Any) -> str:
    return value if isinstance(value, str) else plain_json(value)


KINDS_IN_ORDER: Final = (Kind.HAN, Kind.WAN, Kind.METER, Kind.EVALUATION, Kind.PROXY)
"""In which they are put in force, so that what is referred to is there."""
