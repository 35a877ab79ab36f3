"""A meter's way through a request file: message by message, an answer or an attention for each (lmn-wired 4.2, 4.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from devices.protocols.crc import x25
from devices.protocols.sml import SmlError
from devices.protocols.sml.messages import (
    ActionCosemRequest,
    Attention,
    Body,
    CloseRequest,
    CloseResponse,
    GetCosemRequest,
    GetListRequest,
    GetProcParameterRequest,
    GetProfileListRequest,
    GetProfilePackRequest,
    Message,
    OpenRequest,
    OpenResponse,
    SetCosemRequest,
    SetProcParameterRequest,
    SmlTime,
    TimeKind,
    attention_number,
    encode_messages,
)
from devices.protocols.sml.transport import FileReader, SmlFile, encode_file

UNKNOWN_ID: Final = 0xFE01
NO_SUCH_RECIPIENT: Final = 0xFE03
NO_REQUEST_FIELD: Final = 0xFE04
CANNOT_WRITE: Final = 0xFE05
CANNOT_READ: Final = 0xFE06
NOT_UNDERSTOOD: Final = 0xFE08
OUT_OF_RANGE: Final = 0xFE09
NOT_EXECUTED: Final = 0xFE0A
CHECKSUM_WRONG: Final = 0xFE0B
UNEXPECTED_MESSAGE: Final = 0xFE0D
UNKNOWN_OBIS: Final = 0xFE0E
TYPE_UNSUPPORTED: Final = 0xFE0F
NO_ENTRIES: Final = 0xFE11
END_BEFORE_START: Final = 0xFE12
RANGE_EMPTY: Final = 0xFE13
CLOSE_MISSING: Final = 0xFE14

_SKIP_GROUP = 0x01
_STOP = 0xFF
_REQUESTS = (
    GetListRequest
    | GetProcParameterRequest
    | SetProcParameterRequest
    | GetProfileListRequest
    | GetProfilePackRequest
    | GetCosemRequest
    | SetCosemRequest
    | ActionCosemRequest
)


class Refused(Exception):
    """A request that the meter answers with an attention.

    Attributes:
        code: last two octets of the attention number.
    """

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(f"refused with attention {code:04X}")


@dataclass
class SmlService:
    """Answers request files for one meter.

    Attributes:
        server_id: of the meter.
        second_index: asked for the meter's time.
        serve: gives the answer to the requests between open and close (several messages for some), or raises Refused.
        claimed_id: server id that it falsely tells in its answers; None: its own.
    """

    server_id: bytes
    second_index: Callable[[], int]
    serve: Callable[[Body], Body | Sequence[Body]]
    claimed_id: bytes | None = None

    def answer(self, request: bytes) -> bytes:
        """The answer file to `request`, which is the raw octets of one request file (or of several)."""
        reader = FileReader()
        found = [*reader.feed(request), *reader.idle()]
        if not found:
            found.append(SmlError("the octets hold no file", 0, request))
        return b"".join(self._file(one) for one in found)

    @property
    def shown_id(self) -> bytes:
        """The server id that stands in answers."""
        return self.server_id if self.claimed_id is None else self.claimed_id

    def time(self) -> SmlTime:
        """The meter's second index as SML time."""
        return SmlTime(TimeKind.SECOND_INDEX, self.second_index() & 0xFFFF_FFFF)

    def _file(self, file: SmlFile | SmlError) -> bytes:
        if isinstance(file, SmlError):
            return encode_file(encode_messages([self._attention(b"\0", 0, _fault_of(file))]))
        answers: list[Message] = []
        opened = closed = False
        skipped: int | None = None
        for message in file.messages:
            if closed or message.group == skipped:
                continue
            try:
                bodies = self._bodies(message.body, opened)
            except Refused as refused:
                answers.append(self._attention(message.transaction_id, message.group, refused.code))
                if message.abort_on_error == _STOP:
                    break
                if message.abort_on_error == _SKIP_GROUP:
                    skipped = message.group
                continue
            opened = opened or isinstance(bodies[0], OpenResponse)
            closed = isinstance(bodies[0], CloseResponse)
            answers += [Message(message.transaction_id, message.group, 0, body) for body in bodies]
        answers += [self._attention(b"\0", 0, NOT_UNDERSTOOD) for _ in file.errors]
        if opened and not any(isinstance(message.body, CloseRequest) for message in file.messages):
            answers.append(self._attention(answers[-1].transaction_id, answers[-1].group, CLOSE_MISSING))
        return encode_file(encode_messages(answers))

    def _bodies(self, body: Body, opened: bool) -> Sequence[Body]:
        if isinstance(body, OpenRequest):
            self._for_me(body.server_id)
            return (OpenResponse(body.req_file_id, self.shown_id, body.client_id, self.time()),)
        if not opened:
            raise Refused(UNEXPECTED_MESSAGE)
        if isinstance(body, CloseRequest):
            return (CloseResponse(),)
        if isinstance(body, _REQUESTS):
            self._for_me(body.server_id)
            answer = self.serve(body)
            return answer if isinstance(answer, Sequence) else (answer,)
        raise Refused(UNKNOWN_ID)

    def _for_me(self, server_id: bytes | None) -> None:
        # Discovery records fill short ids with 00 behind; whoever knows the meter from there may ask it so.
        known = (self.server_id.rstrip(b"\0"), self.shown_id.rstrip(b"\0"))
        if server_id is not None and server_id.rstrip(b"\0") not in known:
            raise Refused(NO_SUCH_RECIPIENT)

    def _attention(self, transaction_id: bytes, group: int, code: int) -> Message:
        return Message(transaction_id, group, 0, Attention(self.shown_id, attention_number(code)))


def _fault_of(error: SmlError) -> int:
    """Attention for a file that did not arrive whole: its checksum, or anything else."""
    raw = error.raw
    wrong = len(raw) >= 16 and raw[-8:-3] == b"\x1b\x1b\x1b\x1b\x1a" and x25(raw[:-2]).to_bytes(2, "little") != raw[-2:]
    return CHECKSUM_WRONG if wrong else NOT_UNDERSTOOD
