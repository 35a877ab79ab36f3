"""Byte pipes with one interface (`base.BytePort`): memory, pseudo-terminal, serial line, TCP.

A `tap` listens on any of them, `pcapng` stores what it heard, `wire` models the time that octets take on a line.
"""
