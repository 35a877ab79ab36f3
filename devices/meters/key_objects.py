"""The two objects of a meter that are about keys, written by SetProcParameter: operational key and crypto reset.

They lie in front of the meter: a request file is looked through, what writes them is carried out and acknowledged
here, and the rest of the file goes to the meter, whose answers come back in their places (lmn-wired 3.2, 4.2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from devices.meters.sml_service import Refused
from devices.protocols.sml import SmlError
from devices.protocols.sml.messages import (
    ATTENTION_OK,
    Attention,
    CloseRequest,
    Message,
    OpenRequest,
    ParameterTree,
    SetProcParameterRequest,
    attention_number,
    encode_messages,
)
from devices.protocols.sml.transport import FileReader, SmlFile, decode_file, encode_file

NOT_AUTHORISED: Final = 0xFE02
OUT_OF_RANGE: Final = 0xFE09
NOT_EXECUTED: Final = 0xFE0A

Write = Callable[[object], None]
"""Takes the value that was written; raises Refused with an attention's code."""


@dataclass
class KeyObjects:
    """Answers request files for a meter whose key objects are served here.

    Attributes:
        server_id: of the meter.
        answer: the meter behind: request file in, answer file out.
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
        return b"".join(self._file(one) if isinstance(one, SmlFile) else self.answer(one.raw) for one in found)

    def _concerned(self, file: SmlFile) -> bool:
        return any(self._write_of(message) is not None for message in file.messages)

    def _write_of(self, message: Message) -> Write | None:
        body = message.body
        if not isinstance(body, SetProcParameterRequest) or not body.path:
            return None
        return self.writes.get(body.path[0][:6])

    def _file(self, file: SmlFile) -> bytes:
        if not self._concerned(file) or not self._in_order(file):
            return self.answer(file.raw)
        others = [message for message in file.messages if self._write_of(message) is None]
        answers = self._answers_to(others)
        for place, message in enumerate(file.messages):
            write = self._write_of(message)
            if write is not None:
                answers.insert(min(place, len(answers)), self._written(message, write))
        return encode_file(encode_messages(answers))

    def _answers_to(self, messages: list[Message]) -> list[Message]:
        try:
            return list(decode_file(self.answer(encode_file(encode_messages(messages)))).messages)
        except SmlError:  # the meter keeps silent or speaks otherwise; the acknowledgement stands alone
            return []

    @staticmethod
    def _in_order(file: SmlFile) -> bool:
        """Whether the file opens first and closes last; the meter itself finds the words when it does not."""
        bodies = [message.body for message in file.messages]
        return (
            not file.errors
            and isinstance(bodies[0], OpenRequest)
            and isinstance(bodies[-1], CloseRequest)
            and not any(isinstance(body, OpenRequest | CloseRequest) for body in bodies[1:-1])
        )

    def _written(self, message: Message, write: Write) -> Message:
        code = ATTENTION_OK
        try:
            assert isinstance(message.body, SetProcParameterRequest)
            write(_value(message.body.tree))
        except Refused as refused:
            code = refused.code
        body = Attention(self.server_id, attention_number(code))
        return Message(message.transaction_id, message.group, 0, body)


def _value(tree: ParameterTree) -> object:
    """The value that is written: that of the tree, or of its only child (both forms occur with other objects)."""
    if tree.value is None and len(tree.children) == 1:
        return tree.children[0].value
    return tree.value
