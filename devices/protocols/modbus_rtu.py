"""Modbus frames, without a clock or a line: RTU (address, data, check) and TCP (MBAP header).

Sources: MODBUS Application Protocol 1.1b3; MODBUS over Serial Line 1.02; MODBUS Messaging on TCP/IP 1.0b.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

BROADCAST = 0
LARGEST_RTU = 256
"""Octets of an RTU frame, address and check included."""
LARGEST_PDU = 253
_POLYNOMIAL = 0xA001


class ModbusError(ValueError):
    """Octets that are no Modbus frame.

    Attributes:
        offset: of the octet that is wrong or missing.
    """

    def __init__(self, reason: str, offset: int) -> None:
        self.offset = offset
        super().__init__(f"{reason} (at octet {offset})")


class ExceptionCode(IntEnum):
    """Why a server refuses (Application Protocol, chapter 7)."""

    ILLEGAL_FUNCTION = 1
    ILLEGAL_DATA_ADDRESS = 2
    ILLEGAL_DATA_VALUE = 3
    SERVER_DEVICE_FAILURE = 4
    ACKNOWLEDGE = 5
    SERVER_DEVICE_BUSY = 6
    MEMORY_PARITY_ERROR = 8
    GATEWAY_PATH_UNAVAILABLE = 10
    GATEWAY_TARGET_FAILED_TO_RESPOND = 11


def exception_name(code: int) -> str:
    """The code in words, with its number: "illegal data address (2)"."""
    try:
        return f"{ExceptionCode(code).name.lower().replace('_', ' ')} ({code})"
    except ValueError:
        return f"unknown exception ({code})"


def _table() -> tuple[int, ...]:
    table = []
    for octet in range(256):
        value = octet
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return tuple(table)


_CRC_TABLE = _table()


def crc(data: bytes) -> int:
    """CRC-16/MODBUS; it follows the frame with its low octet first."""
    value = 0xFFFF
    for octet in data:
        value = value >> 8 ^ _CRC_TABLE[(value ^ octet) & 0xFF]
    return value


def rtu_frame(unit: int, pdu: bytes) -> bytes:
    """Address, `pdu` and check."""
    body = bytes([unit]) + pdu
    return body + crc(body).to_bytes(2, "little")


def parse_rtu(frame: bytes) -> tuple[int, bytes]:
    """Unit and data of a whole RTU frame. Raises ModbusError for a wrong length or check."""
    if not 4 <= len(frame) <= LARGEST_RTU:
        raise ModbusError(f"a frame of {len(frame)} octets", min(len(frame), LARGEST_RTU))
    if crc(frame[:-2]) != int.from_bytes(frame[-2:], "little"):
        raise ModbusError("the check is wrong", len(frame) - 2)
    return frame[0], frame[1:-2]


@dataclass(frozen=True, slots=True)
class TcpFrame:
    """One frame of Modbus TCP.

    Attributes:
        transaction: number that the answer repeats.
        unit: address behind a gateway.
        pdu: function code and data.
    """

    transaction: int
    unit: int
    pdu: bytes

    def to_bytes(self) -> bytes:
        """MBAP header and data."""
        return struct.pack(">HHHB", self.transaction, 0, len(self.pdu) + 1, self.unit) + self.pdu


class TcpFrameReader:
    """Cuts the stream of a Modbus TCP connection into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[TcpFrame]:
        """The frames that `data` completes. Raises ModbusError when the stream is no Modbus: close the connection."""
        self._buffer += data
        frames = []
        while len(self._buffer) >= 7:
            transaction, protocol, length, unit = struct.unpack_from(">HHHB", self._buffer)
            if protocol != 0:
                raise ModbusError(f"protocol {protocol} instead of 0", 2)
            if not 2 <= length <= LARGEST_PDU + 1:
                raise ModbusError(f"a length of {length}", 4)
            if len(self._buffer) < 6 + length:
                break
            frames.append(TcpFrame(transaction, unit, bytes(self._buffer[7 : 6 + length])))
            del self._buffer[: 6 + length]
        return frames
