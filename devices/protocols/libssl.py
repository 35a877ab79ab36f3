"""What `ssl` does not offer, through ctypes on the very OpenSSL that it has loaded: curve lists, signature algorithms,
the time of judgement, reproducible randomness.

Only public functions of libssl are called; the one thing read from inside is the `SSL_CTX *` that CPython keeps right
behind the object head of an `ssl.SSLContext` (feasibility 1), and it is compared with what `ssl` says of the context.
Where that does not work `available` is False.
"""

from __future__ import annotations

import _ssl
import ctypes
import os
import random
import ssl
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any, Final

NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME: OpenSSL does not judge validity."""
NO_EXTENDED_MASTER_SECRET: Final = 0x1
"""SSL_OP_NO_EXTENDED_MASTER_SECRET."""
NO_ENCRYPT_THEN_MAC: Final = 0x80000
"""SSL_OP_NO_ENCRYPT_THEN_MAC."""

_SET_GROUPS_LIST = 92
_SET_SIGALGS_LIST = 98
_SET_CLIENT_SIGALGS_LIST = 102

_Fill = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
_Status = ctypes.CFUNCTYPE(ctypes.c_int)
_POINTER = ctypes.c_void_p

_FUNCTIONS: Final = {
    "SSL_CTX_ctrl": (ctypes.c_long, [_POINTER, ctypes.c_int, ctypes.c_long, ctypes.c_char_p]),
    "SSL_CTX_get_options": (ctypes.c_uint64, [_POINTER]),
    "SSL_CTX_get0_param": (_POINTER, [_POINTER]),
    "X509_VERIFY_PARAM_set_time": (None, [_POINTER, ctypes.c_long]),
    "d2i_X509": (_POINTER, [_POINTER, ctypes.POINTER(ctypes.c_char_p), ctypes.c_long]),
    "X509_free": (None, [_POINTER]),
    "SSL_CTX_add_client_CA": (ctypes.c_int, [_POINTER, _POINTER]),
    "RAND_set_rand_method": (ctypes.c_int, [_POINTER]),
    "RAND_get_rand_method": (_POINTER, []),
}


class LibsslError(RuntimeError):
    """This Python's OpenSSL cannot be reached, or refuses a setting."""


class _RandMethod(ctypes.Structure):
    """RAND_METHOD of OpenSSL."""

    _fields_ = (
        ("seed", _POINTER),
        ("bytes", _POINTER),
        ("cleanup", _POINTER),
        ("add", _POINTER),
        ("pseudorand", _POINTER),
        ("status", _POINTER),
    )


@cache
def _library() -> Any:
    """The library with the functions that are used here; None when they cannot be reached."""
    path = getattr(_ssl, "__file__", None)
    if sys.implementation.name != "cpython" or path is None:
        return None
    try:
        library = ctypes.CDLL(path)
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError):
        return None
    probe = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    pointer = _pointer(probe)
    if not pointer or pointer % ctypes.sizeof(_POINTER) or library.SSL_CTX_get_options(pointer) != int(probe.options):
        return None
    return library


def available() -> bool:
    """Whether what this module offers works in this Python."""
    return _library() is not None


def set_groups(context: ssl.SSLContext, names: Sequence[str]) -> None:
    """Offer these curves, in this order, by OpenSSL's names (``P-256``, ``brainpoolP256r1``).

    Raises LibsslError when OpenSSL knows one of them not, or cannot be reached.
    """
    _control(context, _SET_GROUPS_LIST, names)


def set_signature_algorithms(context: ssl.SSLContext, names: Sequence[str]) -> None:
    """Offer these, in this order, for one's own handshake (``ECDSA+SHA256``). Raises LibsslError as `set_groups`."""
    _control(context, _SET_SIGALGS_LIST, names)


def set_client_signature_algorithms(context: ssl.SSLContext, names: Sequence[str]) -> None:
    """Ask these of a client certificate. Raises LibsslError as `set_groups`."""
    _control(context, _SET_CLIENT_SIGALGS_LIST, names)


def set_verify_time(context: ssl.SSLContext, now: datetime) -> None:
    """Let sessions that are made of `context` from now on judge certificates at `now` instead of at this computer's
    time. Raises LibsslError when OpenSSL cannot be reached."""
    library, pointer = _reach(context)
    library.X509_VERIFY_PARAM_set_time(library.SSL_CTX_get0_param(pointer), int(now.timestamp()))


def add_client_authority(context: ssl.SSLContext, der: bytes) -> None:
    """Name the subject of the certificate `der` among those that a client's certificate may come from.

    Raises LibsslError when it is no certificate, or OpenSSL cannot be reached.
    """
    library, pointer = _reach(context)
    octets = ctypes.c_char_p(der)
    certificate = library.d2i_X509(None, ctypes.byref(octets), len(der))
    if not certificate:
        raise LibsslError("OpenSSL does not take these octets for a certificate")
    try:
        if library.SSL_CTX_add_client_CA(pointer, certificate) != 1:
            raise LibsslError("OpenSSL refuses the name of the authority")
    finally:
        library.X509_free(certificate)


@contextmanager
def seeded_randomness(rng: random.Random) -> Iterator[bool]:
    """While this lasts, OpenSSL behind `ssl` draws its randomness for this thread from `rng`: for emulations only.

    TLS sessions between emulated ends then give the same octets for the same seed. Other threads get the system's
    randomness; the `cryptography` package has an OpenSSL of its own and is not touched. May be nested; yields whether
    it works, and what was there before is put back at the end.
    """
    library = _library()
    if library is None:
        yield False
        return
    thread = threading.get_ident()

    def fill(buffer: int, size: int) -> int:
        octets = rng.randbytes(size) if threading.get_ident() == thread else os.urandom(size)
        ctypes.memmove(buffer, octets, size)
        return 1

    kept = (_Fill(fill), _Status(lambda: 1))  # OpenSSL holds no reference of its own
    octets, status = (ctypes.cast(one, _POINTER) for one in kept)
    method = _RandMethod(None, octets, None, None, octets, status)
    before = library.RAND_get_rand_method()
    library.RAND_set_rand_method(ctypes.byref(method))
    try:
        yield True
    finally:
        library.RAND_set_rand_method(before)


def _pointer(context: ssl.SSLContext) -> int:
    return ctypes.c_void_p.from_address(id(context) + object.__basicsize__).value or 0


def _reach(context: ssl.SSLContext) -> tuple[Any, int]:
    """The library and its `SSL_CTX *` behind `context`."""
    library = _library()
    if library is None:
        raise LibsslError("the OpenSSL of this Python cannot be reached")
    return library, _pointer(context)


def _control(context: ssl.SSLContext, command: int, names: Sequence[str]) -> None:
    library, pointer = _reach(context)
    if library.SSL_CTX_ctrl(pointer, command, 0, ":".join(names).encode("ascii")) != 1:
        raise LibsslError(f"OpenSSL refuses the list {':'.join(names)}")
