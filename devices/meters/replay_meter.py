"""A meter that speaks as a real one was recorded: other people's octets, in their order, unchanged."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from devices.clock import Clock
from devices.errors import UsageError
from devices.meters.sml_service import UNKNOWN_OBIS, Refused, SmlService
from devices.protocols.sml import SmlError
from devices.protocols.sml.messages import (
    Body,
    GetListRequest,
    GetListResponse,
    Message,
    OpenResponse,
    read_messages,
)
from devices.protocols.sml.transport import START, FileReader, SmlFile, split_raw

AtEnd = Literal["repeat", "silent"]
"""What the meter does when it has played everything: give the last file again, or nothing."""


class ReplayMeter:
    """Answers each list request with the next complete file of a dump.

    A dump is what came out of a meter: whole files, perhaps beginning and ending in the middle of one. Files count
    whether or not their checksum is good; cut off ones at either end are left out. A dump without any complete file
    is played as one piece, from its first start sequence on, or all of it where there is none.

    Attributes:
        server_id: of the recorded meter.
        sensor_id: the same.
        files: what is played, one piece for each request.
        played: list requests answered so far.
        at_end: see AtEnd.
    """

    def __init__(
        self, clock: Clock, server_id: bytes | None, dump: bytes, *, at_end: AtEnd = "repeat", powered: bool = True
    ) -> None:
        """Raises UsageError for an empty dump, and for one that does not tell its server id when none is given."""
        if not dump:
            raise UsageError("a dump without a single octet cannot be played")
        recorded = recorded_server_id(dump) if server_id is None else server_id
        if recorded is None:
            raise UsageError("the dump holds no server id", hint="say which meter it is from (id: ...)")
        self.server_id = recorded
        self.sensor_id = recorded
        self.files = tuple(split_raw(dump)) or (dump[max(0, dump.find(START)) :],)
        self.played = 0
        self.at_end: AtEnd = at_end
        self._clock = clock
        self._began = clock.seconds()
        self._powered = powered
        self._listed = False
        self._service = SmlService(recorded, self._second_index, self._serve)

    @property
    def finished(self) -> bool:
        """Whether every recorded file was played."""
        return self.played >= len(self.files)

    @property
    def progress(self) -> tuple[int, int]:
        """Recorded files played so far, and how many there are."""
        return min(self.played, len(self.files)), len(self.files)

    def power(self, on: bool) -> None:
        """Mains of the meter on or off; where it is in the dump stays."""
        self._powered = on

    def answer(self, request: bytes) -> bytes:
        """The next recorded file when `request` holds a list request; else what a base meter without objects says."""
        if not self._powered:
            return b""
        self._listed = False
        answered = self._service.answer(request)
        if not self._listed:
            return answered
        position = self.played
        self.played += 1
        if position < len(self.files):
            return self.files[position]
        return self.files[-1] if self.at_end == "repeat" else b""

    def _serve(self, body: Body) -> Body:
        if not isinstance(body, GetListRequest):
            raise Refused(UNKNOWN_OBIS)
        self._listed = True
        return GetListResponse(self.server_id, (), body.client_id, body.list_name)

    def _second_index(self) -> int:
        return int(self._clock.seconds() - self._began)


def recorded_server_id(dump: bytes) -> bytes | None:
    """The server id that the lists in a dump carry most often; that of an open response or of the damaged parts of
    the dump where there is no list; None when nothing names one."""
    lists: Counter[bytes] = Counter()
    opens: Counter[bytes] = Counter()
    reader = FileReader(max_file=max(len(dump), len(START)))
    for file in (*reader.feed(dump), *reader.idle()):
        for message in file.messages if isinstance(file, SmlFile) else _messages_in(file):
            if isinstance(message.body, GetListResponse):
                lists[message.body.server_id] += 1
            elif isinstance(message.body, OpenResponse):
                opens[message.body.server_id] += 1
    named = lists or opens
    return named.most_common(1)[0][0] if named else None


def _messages_in(error: SmlError) -> tuple[Message, ...]:
    return read_messages(error.raw[len(START) :])[0] if error.raw.startswith(START) else ()
