"""Which signals the LEDs show: power, bus, operating state, update; the patterns are the product's."""

from __future__ import annotations

from firmware.leds import LedPanel, Waveform, constant
from firmware.product import Product

_PORTS, _POWER, _BUS, _RADIO, _STATE, _UPDATE, _BOOT, _ALARM = range(8)
"""Priorities: what comes later covers what comes before on the same LED."""

SOCKETS = ("HAN", "CLS", "WAN")


class Display:
    """Shows the signals of one product on one panel.

    Args:
        product: names the patterns.
        panel: where they are shown.
    """

    def __init__(self, product: Product, panel: LedPanel) -> None:
        self._product = product
        self._panel = panel
        self._shown: dict[str, int] = {}

    def boot(self, meaning: str) -> None:
        """A boot phase begins."""
        self._show("boot", self._product.signal(meaning), _BOOT)

    def ready(self) -> None:
        """Ready for operation."""
        self._show("boot", (), _BOOT)
        self._show("power", self._product.signal("ready"), _POWER)

    def state(self, state: str, variant: str | None, phase: str) -> None:
        """An operating state was entered; what it shows covers the other signals."""
        priority = _ALARM if state == "stopped" else _STATE
        self._show("state", self._product.state_signal(state, variant, phase), priority)

    def bus(self, meaning: str) -> None:
        """State of the wired bus, by its meaning."""
        self._show("bus", self._product.signal(meaning), _BUS)

    def radio_packet(self) -> None:
        """A telegram of a radio meter came in: a flash, begun anew by the next one."""
        self._show("radio", (), _RADIO)
        self._show("radio", self._product.signal("radio_packet"), _RADIO)

    def updating(self, on: bool) -> None:
        """An update is being installed."""
        self._show("update", self._product.signal("updating") if on else (), _UPDATE)

    def ports(self, linked: frozenset[str], dark: frozenset[str]) -> None:
        """Link LEDs of the Ethernet sockets: lit where a cable is plugged in, but for `dark` ones."""
        for socket in SOCKETS:
            line = f"{socket}.link"
            if line in self._panel.lines:
                lit = socket in linked and socket not in dark
                self._panel.show(f"port {socket}", constant([line], lit=lit), priority=_PORTS)

    def dark(self) -> None:
        """All signals end."""
        self._shown.clear()
        self._panel.dark()

    def _show(self, name: str, waveforms: tuple[Waveform, ...], priority: int) -> None:
        for index in range(max(len(waveforms), self._shown.get(name, 0))):
            if index < len(waveforms):
                self._panel.show(f"{name} {index}", waveforms[index], priority=priority)
            else:
                self._panel.hide(f"{name} {index}")
        self._shown[name] = len(waveforms)
