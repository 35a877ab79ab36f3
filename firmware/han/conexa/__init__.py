"""The home interface of the CONEXA 3.0: `m2m` for programs, `web` for browsers ([CONEXA] E; han 3)."""

from firmware.han.conexa.application import application

SERVES_WITHOUT_HAN = False
"""Secure State Connectivity switches the socket off, Secure State Application leaves the administrator's functions
only ([CONEXA] D-2.2, D-2.3)."""

__all__ = ["SERVES_WITHOUT_HAN", "application"]
