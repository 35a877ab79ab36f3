"""SYM, the symmetric pairing of gateway and meter on selector 6: both ends (lmn-wired 3.2).

Five steps: the gateway asks for the counter, for suites and curves, hands over the meter's certificate with its key,
then its own certificate, then asks how much the meter takes at once. Both ends are tables of steps without a clock;
messages and keys are in :mod:`devices.protocols.sym_message`, whose names can be had from here as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from devices.protocols.lmn_certificate import Identity
from devices.protocols.sym_message import (
    ANSWER,
    COUNTER_ASKED,
    HEAD_OCTETS,
    KEY_OCTETS,
    MAX_OCTETS,
    REASONS,
    Abilities,
    Purpose,
    Step,
    SymError,
    SymMessage,
    aes_cmac,
    derive_key,
    join_identity,
    operational_key,
    read_peer,
    split_identity,
)

__all__ = [
    "ANSWER",
    "COUNTER_ASKED",
    "HEAD_OCTETS",
    "KEY_OCTETS",
    "MAX_OCTETS",
    "REASONS",
    "Abilities",
    "BadRequest",
    "Purpose",
    "Step",
    "SymError",
    "SymGateway",
    "SymMessage",
    "SymMeter",
    "SymResult",
    "aes_cmac",
    "derive_key",
    "operational_key",
    "split_identity",
]

# --- the gateway's end


@dataclass(frozen=True, slots=True)
class SymResult:
    """What the gateway learned.

    Attributes:
        suites, curves: of TLS, as the meter named them.
        max_octets: longest message that the meter takes.
        counter: the last that was used; to be remembered.
    """

    suites: tuple[int, ...]
    curves: tuple[int, ...]
    max_octets: int
    counter: int


class SymGateway:
    """The gateway's end of one pairing.

    Attributes:
        step: the step whose answer is awaited, None before the start and after the end.
        counter: last counter that was used or learned.
        result: what was learned, None until step 5 is answered.
    """

    def __init__(
        self,
        key: bytes,
        server_id: bytes,
        meter: Identity,
        gateway_certificate: bytes,
        *,
        counter: int = 0,
        max_octets: int | None = None,
    ) -> None:
        """Make an end.

        Args:
            key: the meter's, initial or operational, 16 octets.
            server_id: the meter's, 10 octets.
            meter: certificate and key that the meter is to get.
            gateway_certificate: DER of the own certificate.
            counter: last that is known of this meter; a lower one is refused as stale.
            max_octets: own limit, told in step 5; None: the request is empty (assumed).
        """
        self.step: Step | None = None
        self.counter = counter
        self.result: SymResult | None = None
        self._key = key
        self._server_id = server_id
        self._known = counter
        self._abilities = Abilities((), ())
        self._payloads: dict[Step, bytes] = {
            Step.METER_CERTIFICATE: join_identity(meter),
            Step.GATEWAY_CERTIFICATE: gateway_certificate,
            Step.MAX_SIZE: b"" if max_octets is None else max_octets.to_bytes(2, "big"),
        }
        self._read: dict[Step, Callable[[bytes], None]] = {
            Step.COUNTER: self._nothing,
            Step.SUITES: self._take_abilities,
            Step.METER_CERTIFICATE: self._nothing,
            Step.GATEWAY_CERTIFICATE: self._nothing,
            Step.MAX_SIZE: self._take_size,
        }

    def start(self) -> bytes:
        """The request of step 1; begins anew when called again."""
        self.result = None
        return self._request(Step.COUNTER)

    def feed(self, answer: bytes) -> bytes | None:
        """Take the answer to the last request; the next request, or None when the pairing is done.

        Raises SymError, after which only `start` goes on.
        """
        step, self.step = self.step, None
        if step is None:
            raise SymError("order", "no request is under way")
        message = SymMessage.decode(answer, self._key, self._server_id)
        if message.kind != ANSWER | step:
            raise SymError("order", f"type {message.kind:02X} is no answer to step {step}")
        self._check_counter(step, message.counter)
        self._read[step](message.payload)
        self.counter = message.counter
        if step is Step.MAX_SIZE:
            size = int.from_bytes(message.payload, "big")
            self.result = SymResult(self._abilities.suites, self._abilities.curves, size, self.counter)
            return None
        return self._request(Step(step + 1))

    def _request(self, step: Step) -> bytes:
        counter = COUNTER_ASKED if step is Step.COUNTER else self.counter + 1
        octets = SymMessage(step, counter, self._payloads.get(step, b"")).encode(self._key, self._server_id)
        self.step = step
        return octets

    def _check_counter(self, step: Step, counter: int) -> None:
        if step is Step.COUNTER:
            if counter < self._known:
                raise SymError("counter", f"counter {counter} is older than {self._known}, which is known", 5)
            if counter > COUNTER_ASKED - 2 * len(Step):
                raise SymError("counter", "the meter's counter is used up", 5)
        elif counter != self.counter + 2:
            raise SymError("counter", f"counter {counter} came, {self.counter + 2} is next", 5)

    @staticmethod
    def _nothing(payload: bytes) -> None:
        if payload:
            raise SymError("content", f"{len(payload)} octets of payload came, none belong here", HEAD_OCTETS)

    def _take_abilities(self, payload: bytes) -> None:
        self._abilities = Abilities.from_bytes(payload)

    @staticmethod
    def _take_size(payload: bytes) -> None:
        if len(payload) != 2:
            raise SymError("content", f"a size has 2 octets, {len(payload)} came", HEAD_OCTETS)


# --- the meter's end


class BadRequest(Enum):
    """What a meter does with a request that is wrong; no document says (assumed: silent)."""

    SILENT = "silent"
    REPEAT = "repeat"
    """It sends its last answer once more."""


class SymMeter:
    """The meter's end.

    The pairing counts once step 5 is answered (assumed); until then the one before stays in force.

    Attributes:
        key: initial or operational, 16 octets; may be set.
        counter: last that was used.
        abilities: suites and curves that it names; may be set.
        identity: certificate and key in force, None before the first pairing.
        gateway_certificate: the other end's, None likewise.
        refused: why the last request was not answered, None when it was.
        pairings: how many were completed.
        reply: may alter an answer before it is encoded, for faults.
    """

    def __init__(
        self,
        key: bytes,
        server_id: bytes,
        *,
        counter: int = 0,
        abilities: Abilities | None = None,
        max_octets: int = MAX_OCTETS,
        on_bad_request: BadRequest = BadRequest.SILENT,
    ) -> None:
        """Make an end.

        Args:
            key: 16 octets.
            server_id: 10 octets.
            counter: where it stands.
            abilities: suites and curves that it names.
            max_octets: what it says in step 5.
            on_bad_request: see BadRequest.
        """
        self.key = key
        self.server_id = server_id
        self.counter = counter
        self.identity: Identity | None = None
        self.gateway_certificate: bytes | None = None
        self.refused: SymError | None = None
        self.pairings = 0
        self.reply: Callable[[SymMessage], SymMessage] | None = None
        self.abilities = abilities or Abilities()
        self._max_octets = max_octets
        self._on_bad_request = on_bad_request
        self._next = Step.COUNTER
        self._new_identity: Identity | None = None
        self._new_certificate: bytes | None = None
        self._last_answer = b""
        self._work: dict[Step, Callable[[bytes], bytes]] = {
            Step.COUNTER: self._begin,
            Step.SUITES: self._tell_abilities,
            Step.METER_CERTIFICATE: self._take_identity,
            Step.GATEWAY_CERTIFICATE: self._take_certificate,
            Step.MAX_SIZE: self._finish,
        }

    @property
    def paired(self) -> bool:
        """Whether it holds its own certificate and the gateway's."""
        return self.identity is not None and self.gateway_certificate is not None

    def answer(self, request: bytes) -> bytes:
        """The answer to a request; to a wrong one what `on_bad_request` says. Never raises."""
        try:
            message = self._checked(request)
            payload = self._work[message.step](message.payload)
        except SymError as problem:
            self.refused = problem
            return self._last_answer if self._on_bad_request is BadRequest.REPEAT else b""
        self.refused = None
        if message.step is not Step.COUNTER:
            self.counter = message.counter + 1
        self._next = Step(message.step + 1) if message.step is not Step.MAX_SIZE else Step.COUNTER
        reply = SymMessage(ANSWER | message.step, self.counter, payload)
        if self.reply is not None:
            reply = self.reply(reply)
        self._last_answer = reply.encode(self.key, self.server_id)
        return self._last_answer

    def break_off(self) -> None:
        """Forget a pairing that is under way; what is in force stays."""
        self._next = Step.COUNTER
        self._new_identity = self._new_certificate = None
        self._last_answer = b""

    def forget(self) -> None:
        """Forget certificates and key of TLS, and a pairing that is under way."""
        self.break_off()
        self.identity = self.gateway_certificate = None

    def _checked(self, request: bytes) -> SymMessage:
        message = SymMessage.decode(request, self.key, self.server_id)
        if message.is_answer:
            raise SymError("type", "an answer is no request")
        if message.step is Step.COUNTER:
            if message.counter != COUNTER_ASKED:
                raise SymError("counter", f"step 1 has counter FFFFFFFF, not {message.counter:08X}", 5)
            return message
        if message.counter != self.counter + 1 or message.counter + 1 >= COUNTER_ASKED:
            raise SymError("counter", f"counter {message.counter} came, {self.counter + 1} is next", 5)
        if message.step != self._next:
            raise SymError("order", f"step {message.step} came, {self._next} is next")
        return message

    def _begin(self, payload: bytes) -> bytes:
        _without(payload)
        self.break_off()
        return b""

    def _tell_abilities(self, payload: bytes) -> bytes:
        _without(payload)
        return self.abilities.to_bytes()

    def _take_identity(self, payload: bytes) -> bytes:
        self._new_identity = split_identity(payload)
        return b""

    def _take_certificate(self, payload: bytes) -> bytes:
        self._new_certificate = read_peer(payload)
        return b""

    def _finish(self, payload: bytes) -> bytes:
        if len(payload) not in (0, 2):
            raise SymError("content", f"a size has 2 octets, {len(payload)} came", HEAD_OCTETS)
        self.identity, self.gateway_certificate = self._new_identity, self._new_certificate
        self.pairings += 1
        return self._max_octets.to_bytes(2, "big")


def _without(payload: bytes) -> None:
    if payload:
        raise SymError("content", f"{len(payload)} octets of payload came, none belong here", HEAD_OCTETS)
