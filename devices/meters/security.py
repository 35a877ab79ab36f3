"""Keys, certificates and sessions of a wired meter: pairing by SYM, TLS around the meter, reading in the clear.

What the sheet says (lmn-wired 3.1, 3.2): before pairing data may be read in the clear; once the gateway has handed
certificates over only TLS is allowed. The gateway may write an operational key over TLS, and put the meter back to
the key of its delivery, which takes certificates and keys away.

Kept without mains: key, counter and certificates. Lost: sessions and a pairing under way.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from devices.clock import Clock
from devices.meters.key_objects import NOT_AUTHORISED, NOT_EXECUTED, OUT_OF_RANGE, KeyObjects, Write
from devices.meters.model import Meter, Service
from devices.meters.security_faults import CERTIFICATE_FAULTS, FLIGHT_FAULTS, SecurityFaults, forged
from devices.meters.sml_service import Refused
from devices.protocols import tls_records
from devices.protocols.hdlc import Selector
from devices.protocols.libssl import seeded_randomness
from devices.protocols.lmn_certificate import Identity, read_certificate
from devices.protocols.lmn_tls import LmnTlsError, TlsEnd, TlsSettings
from devices.protocols.sml import SmlError
from devices.protocols.sml.objects import CRYPTO_RESET, OPERATIONAL_KEY
from devices.protocols.sml.transport import FileReader, SmlFile
from devices.protocols.sym import COUNTER_ASKED, KEY_OCTETS, BadRequest, SymMessage, SymMeter, operational_key

HANDSHAKE_FAILURE: Final = 40
FOREIGN_SUITE: Final = 0xC009
"""ECDHE-ECDSA-AES128-SHA, which no gateway of the LMN offers: chosen under the fault ``suite_not_offered``."""

OnEvent = Callable[[str, dict[str, object]], None]

EVENTS: Final = {
    "paired": "pairing is complete: certificate (SHA-256), gateway (SHA-256), counter",
    "pairing_refused": "a SYM request was not answered: reason",
    "secured": "a TLS session stands: suite",
    "tls_failed": "a TLS session did not come about or broke: reason",
    "tls_closed": "a TLS session ended: reason",
    "key": "an operational key is in force",
    "crypto_reset": "back to the key of delivery, certificates are gone",
    "fault": "a fault that was set happened: kind",
}
"""Kinds of events, with their meaning and details."""


@dataclass(frozen=True)
class SecuritySettings:
    """What the documents leave open.

    Attributes:
        tls: suites of the meter, best first, and the limits of a session (limits assumed).
        check_gateway: whether the meter insists on the gateway's certificate; one public firmware does not.
        reset_window: how long after mains on, pairing or a new key a crypto reset is possible (120 s in one public
            firmware, which does not say what counts as a new key; all three assumed).
        on_bad_request: what a meter does with a wrong SYM request (assumed: nothing).
        counter: where the counter of a new meter stands (assumed).
    """

    tls: TlsSettings = field(default_factory=TlsSettings)
    check_gateway: bool = True
    reset_window: timedelta = timedelta(seconds=120)
    on_bad_request: BadRequest = BadRequest.SILENT
    counter: int = 0


class MeterSecurity:
    """Security of one meter; stands in for it as the :class:`Meter` of a station.

    Attributes:
        meter: the meter itself.
        sym: its end of pairing, which holds key, counter and certificates.
        initial_key: the key of its delivery.
        faults: see SecurityFaults; `fault` and `clear_faults` are shorter.
        sessions: TLS sessions that stood so far.
        on_event: told what happens, see EVENTS; None: nobody listens.
    """

    def __init__(
        self,
        clock: Clock,
        meter: Meter,
        initial_key: bytes,
        rng: random.Random,
        settings: SecuritySettings | None = None,
    ) -> None:
        """Secure a meter as it was delivered.

        Args:
            clock: the laboratory's.
            meter: with a server id of 10 octets.
            initial_key: 16 octets. SymError (``key``) when either has another size.
            rng: what the meter draws in TLS.
            settings: see SecuritySettings.
        """
        self.settings = settings or SecuritySettings()
        operational_key(initial_key, bytes(KEY_OCTETS))
        self.meter = meter
        self.initial_key = initial_key
        self.sym = SymMeter(
            initial_key,
            meter.server_id,
            counter=self.settings.counter,
            on_bad_request=self.settings.on_bad_request,
        )
        SymMessage(1, COUNTER_ASKED).encode(initial_key, meter.server_id)
        self.sym.reply = self._sym_reply
        self.faults = SecurityFaults()
        self.sessions = 0
        self.on_event: OnEvent | None = None
        self._clock = clock
        self._rng = rng
        self._fresh_at = clock.seconds()
        self._tls = _TlsService(self)
        writes: dict[bytes, Write] = {OPERATIONAL_KEY: self._write_key, CRYPTO_RESET: self._write_reset}
        forbidden: dict[bytes, Write] = dict.fromkeys(writes, _forbidden)
        self._secured = KeyObjects(meter.server_id, meter.answer, writes)
        self._clear = KeyObjects(meter.server_id, meter.answer, forbidden)

    # --- as a meter

    @property
    def server_id(self) -> bytes:
        """Of the meter."""
        return self.meter.server_id

    @property
    def sensor_id(self) -> bytes:
        """Of the meter."""
        return self.meter.sensor_id

    def power(self, on: bool) -> None:
        """Mains on or off, for the meter too. Sessions and a pairing under way are gone, the rest is kept."""
        self._tls.drop()
        self.sym.break_off()
        if on:
            self._fresh_at = self._clock.seconds()
        self.meter.power(on)

    def answer(self, request: bytes) -> bytes:
        """The answer in the clear; empty once the meter is paired."""
        return self._clear.message(request) if self.clear_allowed else b""

    def services(self) -> dict[int, Service]:
        """What answers on the selectors of a station: TLS, in the clear, SYM."""
        return {
            int(Selector.TLS_COSEM): self._tls,
            int(Selector.COSEM_CLEAR): _ClearService(self),
            int(Selector.SYM): _SymService(self),
        }

    # --- state

    @property
    def key(self) -> bytes:
        """Initial or operational key, whichever is in force."""
        return self.sym.key

    @property
    def paired(self) -> bool:
        """Whether certificates were handed over."""
        return self.sym.paired

    @property
    def secured(self) -> bool:
        """Whether a TLS session stands."""
        return self._tls.established

    @property
    def clear_allowed(self) -> bool:
        """Whether the meter may still be read in the clear; a station answers DM on that selector if not (assumed)."""
        return not self.paired

    def preset(self, identity: Identity, gateway_certificate: bytes) -> None:
        """Make it a meter that was paired before; raises CertificateError when a certificate cannot be read."""
        read_certificate(identity.certificate)
        read_certificate(gateway_certificate)
        self._tls.drop()
        self.sym.identity, self.sym.gateway_certificate = identity, gateway_certificate

    def fault(self, kind: str, times: int | None = None, *, step: int | None = None) -> None:
        """Set a fault of SECURITY_FAULTS; see `SecurityFaults.set`."""
        self.faults.set(kind, times, step=step)

    def clear_faults(self) -> None:
        """No faults from now on."""
        self.faults.clear()

    def crypto_reset(self) -> bool:
        """Back to the key of delivery, without certificates or session; False when the time for it is over."""
        if not self._reset():
            return False
        self._tls.drop()
        return True

    def _reset(self) -> bool:
        if self._clock.seconds() - self._fresh_at > self.settings.reset_window.total_seconds():
            return False
        self.sym.key = self.initial_key
        self.sym.forget()
        self.tell("crypto_reset")
        return True

    def tell(self, kind: str, /, **details: object) -> None:
        """Tell whoever listens."""
        if self.on_event is not None:
            self.on_event(kind, details)

    # --- objects

    def _write_key(self, value: object) -> None:
        if not isinstance(value, bytes) or len(value) != KEY_OCTETS:
            raise Refused(OUT_OF_RANGE)
        self.sym.key = operational_key(self.initial_key, value)
        self._fresh_at = self._clock.seconds()
        self.tell("key")

    def _write_reset(self, value: object) -> None:
        if value is not True:
            raise Refused(OUT_OF_RANGE)
        if not self._reset():
            raise Refused(NOT_EXECUTED)
        self._tls.end_soon()

    # --- used by the services

    def pair(self, request: bytes) -> bytes:
        """A SYM request and its answer."""
        step = request[0] if request else None
        if self.faults.strikes("no_pairing", step):
            self.tell("fault", kind="no_pairing")
            return b""
        before = self.sym.pairings
        answer = self.sym.answer(request)
        if self.sym.refused is not None:
            self.tell("pairing_refused", reason=self.sym.refused.reason)
        elif self.faults.strikes("wrong_mac", step):
            self.tell("fault", kind="wrong_mac")
            answer = answer[:-1] + bytes((answer[-1] ^ 0x01,))
        if self.sym.pairings != before:
            self._paired()
        return answer

    def make_end(self) -> TlsEnd:
        """The meter's end of a new session, with the faults of its certificate; LmnTlsError when it cannot be made."""
        identity, gateway = self.sym.identity, self.sym.gateway_certificate
        if identity is None or gateway is None:
            raise LmnTlsError("identity", "the meter has no certificates", no_tls())
        kind = self.faults.first(CERTIFICATE_FAULTS)
        if kind is not None:
            self.tell("fault", kind=kind)
            identity = forged(identity, kind, self._clock.now())
        return TlsEnd.meter(identity, gateway, self._clock.now(), self.settings.tls, check=self.settings.check_gateway)

    def secured_answer(self, request: bytes) -> bytes:
        """The answer to a request that came through TLS."""
        return self._secured.message(request)

    def seconds(self) -> float:
        """Time of the laboratory."""
        return self._clock.seconds()

    def randomness(self) -> contextlib.AbstractContextManager[bool]:
        """OpenSSL draws from the meter's generator meanwhile."""
        return seeded_randomness(self._rng)

    def _paired(self) -> None:
        self._fresh_at = self._clock.seconds()
        self._tls.drop()
        assert self.sym.identity is not None and self.sym.gateway_certificate is not None
        own, other = (read_certificate(one) for one in (self.sym.identity.certificate, self.sym.gateway_certificate))
        self.tell("paired", certificate=own.fingerprint, gateway=other.fingerprint, counter=self.sym.counter)

    def _sym_reply(self, message: SymMessage) -> SymMessage:
        if not self.faults.strikes("stale_counter", message.step):
            return message
        self.tell("fault", kind="stale_counter")
        return replace(message, counter=max(0, message.counter - 2))


class _ClearService:
    """COSEM in the clear."""

    def __init__(self, security: MeterSecurity) -> None:
        self._security = security

    @property
    def available(self) -> bool:
        """Whether the selector is served at the moment."""
        return self._security.clear_allowed

    def opened(self) -> None:
        """Nothing is under way between two messages."""

    def message(self, data: bytes) -> bytes:
        """The meter's answer."""
        return self._security.answer(data)


class _SymService:
    """Pairing."""

    def __init__(self, security: MeterSecurity) -> None:
        self._security = security

    def opened(self) -> None:
        """The link is new: a pairing under way is broken off."""
        self._security.sym.break_off()

    def message(self, data: bytes) -> bytes:
        """The answer to a request."""
        return self._security.pair(data)


class _TlsService:
    """TLS around the meter."""

    def __init__(self, security: MeterSecurity) -> None:
        self._security = security
        self._end: TlsEnd | None = None
        self._reader = FileReader()
        self._began: float | None = None
        self._flight_fault: str | None = None
        self._cut = False
        self._ending = False

    @property
    def established(self) -> bool:
        """Whether a session stands."""
        return self._end is not None and self._end.established

    def opened(self) -> None:
        """The link is new: so is the session (lmn-wired 1.7)."""
        self.drop()
        self._cut = False

    def drop(self) -> None:
        """Forget the session without a word."""
        if self.established:
            self._security.tell("tls_closed", reason="dropped")
        self._end = None
        self._reader = FileReader()
        self._ending = False

    def end_soon(self) -> None:
        """End the session behind the answer that is under way."""
        self._ending = self.established

    def message(self, data: bytes) -> bytes:
        """Records in, records out."""
        if self._cut:
            return b""
        with self._security.randomness():
            try:
                return self._records(data)
            except LmnTlsError as problem:
                closed = problem.reason == "closed"
                self._security.tell("tls_closed" if closed else "tls_failed", reason=problem.reason)
                self._end, self._ending = None, False
                return problem.answer

    def _records(self, data: bytes) -> bytes:
        fresh = self._end is None
        end = self._end if self._end is not None else self._begin()
        out = end.feed(data)
        if fresh and self._flight_fault is not None:
            self._security.tell("fault", kind=self._flight_fault)
            out = _FLIGHTS[self._flight_fault](out)
        if fresh and self._security.faults.strikes("tls_cut"):
            self._security.tell("fault", kind="tls_cut")
            self._cut = True
        if not end.established:
            return out
        if self._began is None:
            self._began = self._security.seconds()
            self._security.sessions += 1
            self._security.tell("secured", suite=end.suite)
        return out + self._answered(end, self._began)

    def _begin(self) -> TlsEnd:
        if self._security.faults.strikes("no_tls"):
            self._security.tell("fault", kind="no_tls")
            raise LmnTlsError("handshake", "the meter does not speak TLS", no_tls())
        self._end = self._security.make_end()
        self._reader = FileReader()
        self._began = None
        self._flight_fault = self._security.faults.first(FLIGHT_FAULTS)
        return self._end

    def _answered(self, end: TlsEnd, began: float) -> bytes:
        """Answers to whole request files; what is only begun waits for the rest."""
        out = b""
        for one in self._reader.feed(end.received()):
            answer = self._security.secured_answer(one.raw if isinstance(one, SmlFile | SmlError) else one)
            sent = end.send(answer) if answer else b""
            if sent and self._security.faults.strikes("corrupted_record"):
                self._security.tell("fault", kind="corrupted_record")
                sent = tls_records.spoil_data(sent)
            out += sent
        limits = self._security.settings.tls
        age = self._security.seconds() - began
        spent = end.octets >= limits.session_octets or age >= limits.session_age_s
        if self._ending or spent:
            out += end.close()
            self._security.tell("tls_closed", reason="crypto reset" if self._ending else "session limit")
            self._end = None
            self._ending = False
        return out


_FLIGHTS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "wrong_key": tls_records.spoil_signature,
    "suite_not_offered": lambda flight: tls_records.choose_suite(flight, FOREIGN_SUITE),
}


def no_tls() -> bytes:
    """What a meter without certificates answers to a ClientHello (assumed)."""
    return tls_records.alert(HANDSHAKE_FAILURE)


def _forbidden(_: object) -> None:
    raise Refused(NOT_AUTHORISED)
