"""The two objects of a meter that are about keys, written by SetProcParameter: operational key and crypto reset.

They lie in front of the meter. A request file that names one of them is worked off message by message by the same rules
as any other: open first, the right recipient, the object's class and attribute. What concerns other objects goes on to
the meter, whose answers come back in their places (lmn-wired 3.2, 4.2, 4.3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from devices.meters.cosem_objects import CosemObject, CosemObjects, Shape, ValueType
from devices.meters.sml_service import NOT_EXECUTED, OUT_OF_RANGE, Refused, SmlService
from devices.protocols.sml import SmlError
from devices.protocols.sml.messages import (
    ActionCosemRequest,
    Attention,
    Body,
    CloseRequest,
    CloseResponse,
    GetCosemRequest,
    GetProcParameterRequest,
    Message,
    OpenRequest,
    OpenResponse,
    SetCosemRequest,
    SetProcParameterRequest,
    attention_code,
    encode_messages,
)
from devices.protocols.sml.transport import FileReader, SmlFile, decode_file, encode_file

__all__ = ["NOT_AUTHORISED", "NOT_EXECUTED", "OUT_OF_RANGE", "KeyObjects", "Write"]

NOT_AUTHORISED: Final = 0xFE02
_REFUSALS: Final = range(0xFE00, 0xFF00)

Write = Callable[[object], None]
"""Takes the value that was written; raises Refused with an attention's code."""


@dataclass(frozen=True, slots=True)
class _LeftToTheWrite(Shape):
    """Any value: a key of another length and one of another kind get the same attention (lmn-wired 3.2), so whoever
    takes it looks at both."""

    def check(self, value: object, head: int) -> None:
        """Nothing is refused."""


@dataclass
class KeyObjects:
    """Answers request files for a meter whose key objects are served here.

    Attributes:
        server_id: of the meter.
        answer: the meter behind: request file in, answer file out; empty while it is silent.
        writes: what to do, by OBIS code.
    """

    server_id: bytes
    answer: Callable[[bytes], bytes]
    writes: dict[bytes, Write]

    def message(self, request: bytes) -> bytes:
        """The answer to `request`, the raw octets of one request file (or of several)."""
        reader = FileReader()
        found = [*reader.feed(request), *reader.idle()]
        if not any(isinstance(one, SmlFile) and self._concerned(one) for one in found):
            return self.answer(request)
        return b"".join(
            self._file(one) if isinstance(one, SmlFile) and self._concerned(one) else self.answer(one.raw)
            for one in found
        )

    def _concerned(self, file: SmlFile) -> bool:
        return any(_obis(message.body) in self.writes for message in file.messages)

    def _file(self, file: SmlFile) -> bytes:
        """The answer to a file of which one message at least is about keys; empty while the meter is silent."""
        opened = self._behind()
        if opened is None:
            return b""
        shown, time = opened.server_id, opened.ref_time
        shape = _LeftToTheWrite(ValueType.OCTETS)
        objects = CosemObjects(
            lambda: shown, [CosemObject(obis, shape, None, write) for obis, write in self.writes.items()]
        )

        def serve(body: Body) -> Body | Sequence[Body]:
            return _served(objects, body) if _obis(body) in self.writes else self._passed_on(body)

        index = 0 if time is None else time.seconds
        return SmlService(self.server_id, lambda: index, serve, claimed_id=shown).answer(file.raw)

    def _behind(self) -> OpenResponse | None:
        """Who the meter says it is, and its time."""
        bodies = self._asked()
        return bodies[0] if bodies and isinstance(bodies[0], OpenResponse) else None

    def _passed_on(self, body: Body) -> Sequence[Body]:
        """What the meter answers to one message. Raises Refused as it does, and when it says nothing."""
        bodies = [one for one in self._asked(body) if not isinstance(one, OpenResponse | CloseResponse)]
        if not bodies:
            raise Refused(NOT_EXECUTED)
        if isinstance(bodies[0], Attention) and (code := attention_code(bodies[0].number)) in _REFUSALS:
            assert code is not None
            raise Refused(code)
        return bodies

    def _asked(self, *bodies: Body) -> Sequence[Body]:
        between = (OpenRequest(b"", b"\0"), *bodies, CloseRequest())
        messages = [Message(bytes((place,)), 0, 0, body) for place, body in enumerate(between)]
        try:
            return [one.body for one in decode_file(self.answer(encode_file(encode_messages(messages)))).messages]
        except SmlError:  # silent, or not to be understood
            return ()


def _obis(body: Body) -> bytes | None:
    """Code of the object that a message is about; None when it is about none, or about several."""
    if isinstance(body, SetProcParameterRequest | GetProcParameterRequest):
        return body.path[0][:6] if body.path else None
    return body.obis if isinstance(body, SetCosemRequest | GetCosemRequest | ActionCosemRequest) else None


def _served(objects: CosemObjects, body: Any) -> Body:
    """What the key objects say to a message. Raises Refused."""
    if isinstance(body, SetProcParameterRequest):
        return objects.set_parameter(body)
    if isinstance(body, GetProcParameterRequest):
        return objects.get_parameter(body)
    if isinstance(body, SetCosemRequest):
        return objects.set_cosem(body)
    if isinstance(body, GetCosemRequest):
        return objects.get_cosem(body)
    objects.find(body.obis, body.class_id)
    raise Refused(NOT_EXECUTED)
