"""In which state a profile is; each kind has its own course of life (wan-core 1.4)."""

from __future__ import annotations

from enum import StrEnum

from firmware.profiles.kinds import Profile, ProxyProfile, SensorProfile, TariffProfile
from firmware.profiles.rules import Progress


class State(StrEnum):
    """States of profiles; what is deleted for good has none.

    Meter profiles: created, active, paired, inactive. Evaluation profiles: ready, running, terminated (the last reading
    is done), archive (deleted, and its values are still kept, so that its id stays taken). Communication profiles:
    present, updated. Proxy profiles: present, enabled.
    """

    CREATED = "created"
    ACTIVE = "active"
    PAIRED = "paired"
    INACTIVE = "inactive"
    READY = "ready"
    RUNNING = "running"
    TERMINATED = "terminated"
    ARCHIVE = "archive"
    PRESENT = "present"
    UPDATED = "updated"
    ENABLED = "enabled"


def state_of(
    profile: Profile, *, changed: bool, was_active: bool, archived: bool, progress: Progress, paired: bool
) -> State:
    """The state of a profile.

    Args:
        profile: the profile.
        changed: it was changed since it was installed.
        was_active: a meter profile that was active once.
        archived: an evaluation profile that was deleted.
        progress: of an evaluation profile.
        paired: the meter of a meter profile is paired.
    """
    if archived:
        return State.ARCHIVE
    if isinstance(profile, SensorProfile):
        if not profile.active:
            return State.INACTIVE if was_active else State.CREATED
        return State.PAIRED if paired else State.ACTIVE
    if isinstance(profile, TariffProfile):
        if progress.ended:
            return State.TERMINATED
        begun = progress.decided_s is not None and progress.decided_s >= profile.evaluation.begin_s
        return State.RUNNING if begun else State.READY
    if isinstance(profile, ProxyProfile):
        return State.ENABLED if profile.enabled else State.PRESENT
    return State.UPDATED if changed else State.PRESENT
