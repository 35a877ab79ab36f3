"""Pairing, sessions and certificates of the wired meters, kept in order beside the readings (lmn-wired 3).

One meter is attended at a time, the one first whose turn is first; the bus is taken for each exchange only and no
attendance begins while readings are under way, so that readings come first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from devices.ports.hdlc_master import HdlcMaster, LinkTrouble
from devices.protocols.hdlc import Selector
from devices.protocols.lmn_certificate import Identity
from devices.protocols.lmn_tls import LmnTlsError
from devices.protocols.sml.errors import SmlError
from devices.protocols.sym import operational_key
from firmware.control import Control
from firmware.lmn import key_orders
from firmware.lmn.certificates import Age, CertificateRules, tls_settings
from firmware.lmn.keys import KeyStore, MeterKeys, Pairing, certificate_of
from firmware.lmn.links import MeterLink, link_limits
from firmware.lmn.meter import WiredMeter
from firmware.lmn.object_writing import WriteRefused
from firmware.lmn.pairing import PairingFailed, pair
from firmware.lmn.sessions import TlsSession
from firmware.lmn.states import Sign
from firmware.lmn.trouble import Trouble
from firmware.lmn.turns import Turns
from firmware.own_clock import OwnClock
from firmware.unit import Unit

CAUSE: Final = "lmn_certificate_expired"
LINK_REST_S: Final = 100.0
"""A link unused for longer is set up anew: meters forget it after 120 s (lmn-wired 1.7)."""
TIME_WAIT_S: Final = 5.0
"""Until the gateway knows the time it makes no certificates; it looks again after so long."""

_PAIRING_EVENTS: Final[Mapping[str, str]] = {
    "mac": "meter_data_undecryptable",
    "padding": "meter_data_undecryptable",
    "counter": "meter_counter_unexpected",
    "length": "meter_telegram_rejected",
    "type": "meter_telegram_rejected",
    "order": "meter_telegram_rejected",
    "content": "meter_telegram_rejected",
}
"""Why a pairing failed -> what else is told of it."""


class Upkeep:
    """What keeps meters paired and their sessions alive.

    Args:
        unit: clock, options, randomness.
        control: where events and causes go.
        own: the gateway's clock, by which certificates are judged.
        store: keys and certificates.
        master: the bus.
        meters: on the bus or lost, by their ids; belongs to the service.
        trouble: tells what goes wrong.
    """

    def __init__(
        self,
        unit: Unit,
        control: Control,
        own: OwnClock,
        store: KeyStore,
        master: HdlcMaster,
        meters: Mapping[bytes, WiredMeter],
        trouble: Trouble,
    ) -> None:
        self.store = store
        self.rules = CertificateRules.of(unit.options, _warning_s(unit))
        self._settings = tls_settings(unit.options)
        self._unit = unit
        self._control = control
        self._own = own
        self._master = master
        self._meters = meters
        self._trouble = trouble
        self._limits = link_limits(unit.options, unit.options.lmn_pairing_patience_s)
        self._holds = unit.product.rule(CAUSE) is not None
        self._warned: set[str] = set()
        self._readings = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._woken = asyncio.Event()
        self._look_at_s = 0.0
        self._turns = Turns(own, meters, self._due, self._stands_until)
        own.on_step.append(self._stepped)
        self.next_request: Callable[[], int] = lambda: 1
        """Numbers the requests to meters."""

    # --- what others tell

    def wake(self, meter: WiredMeter | None = None) -> None:
        """Something has changed, of one meter or of more: look whose turn it is."""
        self._turns.changed(meter)
        self._woken.set()

    def reading(self, begins: bool) -> None:
        """A reading begins or has ended."""
        self._readings += 1 if begins else -1
        if self._readings:
            self._quiet.clear()
        else:
            self._quiet.set()

    async def order_reset(self, server_id: bytes) -> None:
        """The administrator orders a crypto reset of a meter; it is carried out when its session stands."""
        await self.store.put(server_id, replace(self.store.of(server_id), reset_ordered=True))
        for meter in self._meters.values():
            if meter.profile is not None and meter.profile.server_id == server_id:
                meter.give_chance()
        self.wake()

    async def renew(self) -> None:
        """The administrator orders new certificates: the gateway's own at once, the meters' by pairing anew."""
        if self.store.own is not None:
            await self._make_own()
            for meter in self._meters.values():
                meter.give_chance()
            self.wake()

    def _stepped(self, _step_us: int) -> None:
        """The clock was set: certificates may stand elsewhere now."""
        self._look_at_s = 0.0
        self.wake()

    # --- the loop

    async def run(self) -> None:
        """Attend the meters for ever."""
        clock = self._unit.clock
        while True:
            self._woken.clear()
            if clock.seconds() >= self._look_at_s:
                await self._look_at_certificates()
                self._look_at_s = clock.seconds() + self._unit.options.lmn_certificate_check_interval_s
            meter, turn = self._turns.next()
            due = min(turn, self._look_at_s)
            if due > clock.seconds():
                timer = clock.call_at(due, self._woken.set)
                await self._woken.wait()
                timer.cancel()
            elif meter is not None:
                if self._due(meter) <= clock.seconds():
                    await self._quiet.wait()
                    async with meter.busy:
                        if self._due(meter) <= clock.seconds():
                            await self.attend(meter)
                self._turns.changed(meter)

    def _due(self, meter: WiredMeter) -> float:
        """When `meter` wants to be attended, in seconds of the clock."""
        if meter.address is None or not meter.secured or self._held(meter):
            return float("inf")
        keys = self._keys(meter)
        if not self._own.known and self._pairing_due(keys):
            return self._unit.clock.seconds() + TIME_WAIT_S
        session, keepalive_s = meter.session, self._unit.options.lmn_keepalive_s
        if session is None or not session.alive or self._pairing_due(keys) or self._order_due(meter, keys):
            return meter.retry_at
        return session.link.used_at + keepalive_s if keepalive_s else float("inf")

    def _stands_until(self, meter: WiredMeter) -> datetime | None:
        """Until when the certificates that count for `meter` stand as they do now."""
        paired = self._keys(meter).paired if meter.secured else None
        counts = [one for one in (self.store.own, None if paired is None else paired.identity) if one is not None]
        now = self._own.now()
        ends = [self.rules.next_age(certificate_of(one), now) for one in counts]
        return min((end for end in ends if end is not None), default=None)

    async def attend(self, meter: WiredMeter) -> None:
        """Do what is due for `meter`; hold its `busy`."""
        session = self.standing(meter)
        keys = self._keys(meter)
        if session is not None and not self._pairing_due(keys) and not self._order_due(meter, keys):
            await self._keep(meter, session)
            return
        session = await self.session(meter)
        if session is None or not self._order_due(meter, self._keys(meter)):
            return
        try:
            await self._carry_out_orders(meter, session)
        except (LinkTrouble, LmnTlsError, SmlError, WriteRefused) as error:
            self._failed(meter, error)
            meter.barred = False
        else:
            self._succeeded(meter)

    def standing(self, meter: WiredMeter) -> TlsSession | None:
        """The session of `meter` that can be used as it is, though certificates may be about to be replaced."""
        session = meter.session
        if session is None or not session.alive or session.spent or self._held(meter):
            return None
        idle_s = self._unit.clock.seconds() - session.link.used_at
        return session if self._unit.options.lmn_keepalive_s or idle_s < LINK_REST_S else None

    async def session(self, meter: WiredMeter) -> TlsSession | None:
        """The session of `meter`, made if need be; None when that fails, which is told. Hold its `busy`."""
        if self._held(meter):
            return None
        try:
            session = await self._secured(meter)
        except (PairingFailed, LinkTrouble, LmnTlsError) as error:
            self._failed(meter, error)
            return None
        if not self._order_due(meter, self._keys(meter)):
            self._succeeded(meter)
        return session

    def broken(self, meter: WiredMeter, error: LinkTrouble | LmnTlsError) -> None:
        """The session of `meter` failed while it was used; hold its `busy`."""
        meter.hang_up()
        if isinstance(error, LinkTrouble):
            self._trouble.tell(f"hdlc_{error.kind}", meter.name, meter.address, str(error))
        elif error.reason != "closed":  # ended in order, as for its age
            self._trouble.tell("meter_data_undecryptable", meter.name, meter.address, str(error))

    # --- one meter

    def _keys(self, meter: WiredMeter) -> MeterKeys:
        assert meter.profile is not None
        return self.store.of(meter.profile.server_id)

    def _pairing_due(self, keys: MeterKeys) -> bool:
        """Whether there is no pairing, one under way, or one whose certificates are to be replaced."""
        if keys.paired is None or keys.begun is not None or keys.paired.own != self.store.own_fingerprint:
            return True
        age = self.rules.age(certificate_of(keys.paired.identity), self._own.now())
        return age is Age.TO_RENEW or (age is Age.EXPIRED and not self._holds)

    def _order_due(self, meter: WiredMeter, keys: MeterKeys) -> bool:
        return keys.reset_ordered or (
            self._unit.options.lmn_operational_key and keys.operational is None and not meter.keeps_key
        )

    def _held(self, meter: WiredMeter) -> bool:
        """Whether an expired certificate stops everything with `meter` until the administrator renews it."""
        if not self._holds or meter.profile is None or self.store.own is None:
            return False
        now = self._own.now()
        if self.rules.age(certificate_of(self.store.own), now) is Age.EXPIRED:
            return True
        paired = self._keys(meter).paired
        if paired is None or paired.own != self.store.own_fingerprint:
            return False
        return self.rules.age(certificate_of(paired.identity), now) is Age.EXPIRED

    async def _keep(self, meter: WiredMeter, session: TlsSession) -> None:
        try:
            await session.keep()
        except (LinkTrouble, LmnTlsError) as error:
            self.broken(meter, error)

    async def _secured(self, meter: WiredMeter) -> TlsSession:
        renew = self._own.known and self._pairing_due(self._keys(meter))
        standing = self.standing(meter)
        if standing is not None and not renew:
            return standing
        if meter.session is not None:
            if meter.session.alive:
                await meter.session.close()
            meter.hang_up()
        if renew or self._keys(meter).paired is None:
            await self._pair(meter)
            return await self._shake_hands(meter)
        try:
            return await self._shake_hands(meter)
        except LmnTlsError as error:
            self._trouble.tell("lmn_tls_failed", meter.name, meter.address, f"{error.reason}: {error}")
            meter.follow(Sign.UNPAIRED)
            await self._pair(meter)
            return await self._shake_hands(meter)

    async def _shake_hands(self, meter: WiredMeter) -> TlsSession:
        pairing = self._keys(meter).paired
        own = None if pairing is None else self.store.own_of(pairing)
        if pairing is None or own is None:
            raise LmnTlsError("identity", "there is no certificate of the gateway that goes with the meter's")
        link = await self._connect(meter, Selector.TLS_COSEM)
        meter.follow(Sign.CERTIFIED)
        try:
            session = await TlsSession.open(
                self._unit.clock, link, own, pairing.identity.certificate, self._own.now(), self._settings
            )
        except LinkTrouble as trouble:
            if trouble.alive:
                raise LmnTlsError("handshake", "the meter does not go on with the handshake") from trouble
            raise
        meter.session = session
        meter.follow(Sign.SECURED)
        return session

    async def _connect(self, meter: WiredMeter, selector: Selector) -> MeterLink:
        if meter.address is None:
            raise LinkTrouble("no_answer", "the meter has no address")
        link = MeterLink(self._unit.clock, self._master, meter.address, selector, self._limits)
        await link.connect()
        meter.follow(Sign.LINKED)
        return link

    async def _pair(self, meter: WiredMeter) -> None:
        """Pair `meter`. Raises PairingFailed, LinkTrouble."""
        profile = meter.profile
        assert profile is not None
        server_id = profile.server_id
        if profile.key is None:
            raise PairingFailed("key", "no initial key of the meter is known")
        if not self._own.known:
            raise PairingFailed("time", "the gateway does not know the time")
        meter.keeps_key = False
        own = await self._own_certificate()
        begun = await self._begin(meter, server_id)
        keys = self.store.of(server_id)
        link = await self._connect(meter, Selector.SYM)
        result, key = await pair(
            link, _candidates(profile.key, keys), server_id, begun.identity, own.certificate, keys.counter
        )
        initial = key == profile.key
        done = MeterKeys(
            counter=result.counter,
            operational=None if initial else key,
            paired=begun,
            reset_ordered=keys.reset_ordered and not initial,
        )
        await self.store.put(server_id, done)
        meter.follow(Sign.CERTIFIED)
        self._control.event("meter_paired", meter=meter.name, server_id=server_id.hex())

    async def _begin(self, meter: WiredMeter, server_id: bytes) -> Pairing:
        """The certificate that the meter is to get: one of an attempt before, or a new one; stored in any case."""
        keys = self.store.of(server_id)
        begun = keys.begun
        if begun is not None and begun.own == self.store.own_fingerprint:
            age = self.rules.age(certificate_of(begun.identity), self._own.now())
            if age in (Age.GOOD, Age.ENDS_SOON):
                return begun
        identity = self.rules.make(meter.name, self._own.now(), self._unit.rng)
        begun = Pairing(identity, self.store.own_fingerprint)
        await self.store.put(server_id, replace(keys, begun=begun))
        self._control.event("meter_certificate_created", meter=meter.name)
        return begun

    async def _own_certificate(self) -> Identity:
        own = self.store.own
        if own is None or self.rules.age(certificate_of(own), self._own.now()) is Age.EXPIRED:
            own = await self._make_own()
        return own

    async def _make_own(self) -> Identity:
        identity = self.rules.make(self._unit.config.device_id, self._own.now(), self._unit.rng)
        meters = [one.profile.server_id for one in self._meters.values() if one.profile is not None]
        await self.store.put_own(identity, meters)
        self._turns.changed()
        return identity

    async def _carry_out_orders(self, meter: WiredMeter, session: TlsSession) -> None:
        """A crypto reset, or else an operational key. Raises LinkTrouble, LmnTlsError, SmlError, WriteRefused."""
        assert meter.profile is not None
        orders = key_orders.KeyOrders(self.store, meter.profile, session, self._unit, self.next_request)
        if self._keys(meter).reset_ordered:
            await orders.reset()
            meter.hang_up()
            meter.give_chance()
            self._control.event("meter_reset", meter=meter.name)
            return
        try:
            key = await orders.operational_key()
        except WriteRefused as refused:
            meter.keeps_key = True
            self._trouble.tell("meter_key_refused", meter.name, meter.address, str(refused))
            return
        self._control.event("meter_key_exchanged", meter=meter.name, key=key_orders.shown(key))

    # --- outcomes

    def _succeeded(self, meter: WiredMeter) -> None:
        meter.failures = 0
        meter.retry_at = 0.0
        meter.barred = False

    def _failed(self, meter: WiredMeter, error: Exception) -> None:
        """Tell why, and wait longer each time before the next attempt."""
        options = self._unit.options
        meter.hang_up()
        pause_s = options.lmn_pairing_retry_s * 2.0 ** min(meter.failures, 30)
        meter.failures += 1
        meter.retry_at = self._unit.clock.seconds() + min(pause_s, options.lmn_pairing_retry_max_s)
        trouble = error.trouble if isinstance(error, PairingFailed) else error
        meter.barred = not isinstance(error, LinkTrouble)
        if isinstance(trouble, LinkTrouble) and not trouble.alive:
            self._trouble.tell(f"hdlc_{trouble.kind}", meter.name, meter.address, str(trouble))
        if isinstance(error, PairingFailed):
            self._tell_pairing(meter, error)
        elif isinstance(error, LmnTlsError):
            self._trouble.tell("lmn_tls_failed", meter.name, meter.address, f"{error.reason}: {error}")
            self._trouble.tell("meter_pairing_failed", meter.name, meter.address, f"no TLS after pairing: {error}")
        elif isinstance(error, SmlError | WriteRefused):
            self._trouble.tell("meter_data_invalid", meter.name, meter.address, str(error))

    def _tell_pairing(self, meter: WiredMeter, error: PairingFailed) -> None:
        event = _PAIRING_EVENTS.get(error.kind)
        if event is not None:
            counters = {} if error.actual is None else {"expected": error.expected, "actual": error.actual}
            self._trouble.tell(event, meter.name, meter.address, error.reason, protocol="SYM", **counters)
        self._trouble.tell("meter_pairing_failed", meter.name, meter.address, error.reason)

    # --- certificates

    async def _look_at_certificates(self) -> None:
        """Warn of ends that are near, renew the own certificate in time, and meet those that are over."""
        if not self._own.known:
            return
        now = self._own.now()
        own = self.store.own
        if own is not None:
            age = self.rules.age(certificate_of(own), now)
            self._warn("own_lmn_certificate_ends_soon", self._unit.config.device_id, own, age)
            if age is Age.EXPIRED:
                self._expired("LMN")
            elif age is Age.TO_RENEW:
                await self._make_own()
        for meter in tuple(self._meters.values()):
            paired = self._keys(meter).paired if meter.secured else None
            if paired is None:
                continue
            age = self.rules.age(certificate_of(paired.identity), now)
            self._warn("lmn_certificate_ends_soon", meter.name, paired.identity, age)
            if age is Age.EXPIRED and paired.own == self.store.own_fingerprint:
                self._expired(meter.name)

    def _expired(self, profile: str) -> None:
        self._control.cause(CAUSE, device=self._unit.config.device_id, profile=profile)

    def _warn(self, event: str, name: str, identity: Identity, age: Age) -> None:
        """Once for each certificate and run, where the product has such a warning."""
        certificate = certificate_of(identity)
        if self.rules.warning is None or age is Age.GOOD or certificate.fingerprint in self._warned:
            return
        self._warned.add(certificate.fingerprint)
        self._trouble.tell(event, name, None, f"{name}: the LMN certificate ends {certificate.not_after:%F}")


def _warning_s(unit: Unit) -> float | None:
    """How long before the end of certificates this product warns; None: it has no such message."""
    limit = unit.product.data.limits.get("lmn_certificate_warning")
    return None if limit is None else limit.number


def _candidates(initial: bytes, keys: MeterKeys) -> tuple[bytes, ...]:
    """The keys that the meter may have, the likeliest first."""
    offered = None if keys.offered is None else operational_key(initial, keys.offered)
    order = (initial, keys.operational, offered) if keys.reset_ordered else (keys.operational, offered, initial)
    return tuple(dict.fromkeys(one for one in order if one is not None))
