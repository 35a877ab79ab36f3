"""What goes wrong with wired meters, told to the logs: which message of the product, and how often."""

from __future__ import annotations

from firmware.control import Control
from firmware.fault_codes import BUS_CODES, BUS_EVENTS
from firmware.unit import Unit


class Trouble:
    """Tells trouble on the bus, the same one with the same meter at most once per interval.

    Args:
        unit: clock, interval, product.
        control: where events go.
    """

    def __init__(self, unit: Unit, control: Control) -> None:
        self._unit = unit
        self._control = control
        self._told: dict[tuple[str, int | str], float] = {}

    def tell(self, event: str, meter: str, address: int | None, reason: str, **more: object) -> None:
        """Log `event` under the name that the product has for it.

        Args:
            event: neutral name.
            meter: number of the meter, or its server id.
            address: HDLC address, None: not known.
            reason: what happened, in words.
            more: what else the message may name.
        """
        now = self._unit.clock.seconds()
        where = meter if address is None else address
        last = self._told.get((event, where))
        if last is not None and now - last < self._unit.options.bus_error_log_interval_s:
            return
        self._told[event, where] = now
        known = self._unit.product.data.events
        name = next((one for one in BUS_EVENTS.get(event, ()) if one in known), event)
        code = BUS_CODES.get(event, "")
        told = {"device": self._unit.config.device_id, "reason": reason, "warning": f"{code} {reason}".strip()}
        self._control.event(name, outcome="failure", meter=meter, code=code, **{**told, **more})
