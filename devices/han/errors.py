"""What can go wrong at the home interface.

HanError (DeviceError)
├── HanUnreachable      no connection, no TLS, or no answer in time
├── CertificateChanged  another certificate than the pinned one
├── LoginRefused        user, password or certificate is not taken
│   └── LoginLocked     too many failures: nobody gets in for a while
├── SessionEnded        the session is over or was taken over by another login
├── Refused             the gateway understood and refuses (self-test too soon ...)
└── NotUnderstood       an answer that is not what the product documents
"""

from __future__ import annotations

from devices.errors import DeviceError


class HanError(DeviceError):
    """Base of all of them."""


class HanUnreachable(HanError):
    """No connection, a failed TLS handshake, or no answer in time."""


class CertificateChanged(HanError):
    """The gateway shows another certificate than the one that is known.

    Attributes:
        expected, shown: SHA-256 of both in DER, hex.
    """

    def __init__(self, expected: str, shown: str) -> None:
        super().__init__(f"the gateway shows another certificate: {shown}, known is {expected}")
        self.expected = expected
        self.shown = shown


class LoginRefused(HanError):
    """User, password or certificate is not taken."""


class LoginLocked(LoginRefused):
    """Too many failed logins: nobody gets in for a while.

    Attributes:
        remaining_s: seconds until the next attempt, None: not said.
    """

    def __init__(self, message: str, remaining_s: int | None = None) -> None:
        super().__init__(message)
        self.remaining_s = remaining_s


class SessionEnded(HanError):
    """The session is over, or another login of the same user has ended it."""


class Refused(HanError):
    """The gateway understood what was asked and refuses it.

    Attributes:
        status: HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class NotUnderstood(HanError):
    """An answer that is not what the product documents.

    Attributes:
        field: what of it.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"answer not understood: {field}: {problem}")
        self.field = field
