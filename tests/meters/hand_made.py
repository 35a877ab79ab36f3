"""Frames of a gateway made by hand from the fact sheet, with a checksum of their own: no codec of the project."""

from __future__ import annotations


def x25(data: bytes) -> int:
    """CRC-16/X-25 bit by bit (lmn-wired 1.2)."""
    crc = 0xFFFF
    for octet in data:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
    return crc ^ 0xFFFF


def frame(head: str, information: bytes = b"") -> bytes:
    """`head` is destination, source and control in hex; format, checksums and flags are added."""
    octets = bytes.fromhex(head)
    length = 2 + len(octets) + 2 + (len(information) + 2 if information else 0)
    body = bytes([0xA0 | length >> 8, length & 0xFF]) + octets
    body += x25(body).to_bytes(2, "little")
    if information:
        body += information
        body += x25(body).to_bytes(2, "little")
    return b"\x7e" + body + b"\x7e"


def cut(octets: bytes) -> list[bytes]:
    """Frames in a stream that holds nothing else, cut by their length field and checked by their checksums."""
    frames = []
    while octets:
        assert octets[0] == 0x7E, octets.hex(" ")
        end = ((octets[1] & 7) << 8 | octets[2]) + 2
        one, octets = octets[:end], octets[end:]
        assert len(one) == end, one.hex(" ")
        assert one[-1] == 0x7E, one.hex(" ")
        assert x25(one[1:8]).to_bytes(2, "little") == one[8:10], one.hex(" ")
        assert x25(one[1:-3]).to_bytes(2, "little") == one[-3:-1], one.hex(" ")
        frames.append(one)
    return frames


def record(address: int, slot: int, server_id: bytes) -> bytes:
    """Station record of 32 octets (lmn-wired 1.5), the id twice."""
    return bytes([address, slot]) + server_id.ljust(14, b"\0") * 2 + b"\0\0"
