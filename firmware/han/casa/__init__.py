"""CASA's home interface: portal, JSON paths, technician's service (han 4; [CASA] 6 to 8)."""

from firmware.han.casa.site import SERVES_WITHOUT_HAN, application

__all__ = ["SERVES_WITHOUT_HAN", "application"]
