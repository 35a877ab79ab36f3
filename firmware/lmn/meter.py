"""One wired meter as the running firmware sees it; everything here is gone without power."""

from __future__ import annotations

import asyncio

from firmware.lmn.links import MeterLink
from firmware.lmn.sessions import TlsSession
from firmware.lmn.states import MeterState, Sign, after
from firmware.metering.registration import ActiveProfile


class WiredMeter:
    """State, link and session of one meter.

    Args:
        device_id: as its station record says.

    Attributes:
        state: see MeterState.
        address: HDLC address, None: it is not there.
        profile: its profile, None: nobody wants its values.
        busy: held by whoever talks to it on a link.
        session: the TLS session, None: there is none.
        clear_link: the link on which it is read in the clear, None: there is none.
        failures: attempts in a row to pair it or to shake hands that failed.
        retry_at: time before which there is no further attempt, seconds of the clock.
        barred: the last attempt failed for its keys or certificates, so that a reading need not try.
        keeps_key: it refused an operational key.
    """

    def __init__(self, device_id: bytes) -> None:
        self.device_id = device_id
        self.state = MeterState.UNKNOWN
        self.address: int | None = None
        self.profile: ActiveProfile | None = None
        self.busy = asyncio.Lock()
        self.session: TlsSession | None = None
        self.clear_link: MeterLink | None = None
        self.failures = 0
        self.retry_at = 0.0
        self.barred = False
        self.keeps_key = False

    @property
    def name(self) -> str:
        """Number of the meter, else its id in hex."""
        return self.device_id.hex() if self.profile is None else self.profile.meter

    @property
    def secured(self) -> bool:
        """Whether it is to be read through TLS."""
        return self.profile is not None and self.profile.secured

    def follow(self, *signs: Sign) -> None:
        """Signs came, one after the other."""
        for sign in signs:
            self.state = after(self.state, sign)

    def found(self, address: int) -> None:
        """It is on the bus."""
        if address != self.address:
            self.hang_up()
        self.address = address
        self.give_chance()
        self.follow(Sign.FOUND)

    def lost(self) -> None:
        """It is not on the bus any more."""
        self.hang_up()
        self.address = None
        self.follow(Sign.LOST)

    def hang_up(self) -> None:
        """The link is down, and with it the session."""
        self.session = self.clear_link = None
        self.follow(Sign.LINK_DOWN)

    def give_chance(self) -> None:
        """Something has changed: whatever failed may be tried again at once."""
        self.failures = 0
        self.retry_at = 0.0
        self.barred = self.keeps_key = False
