"""A relay on Modbus that switches the mains of the gateway."""

from __future__ import annotations

from typing import Literal, Protocol

from devices.clock import Clock, Deadline
from devices.errors import BenchError
from devices.power.modbus_link import WITHIN_S, ModbusLink, ModbusRtu, ModbusTcp

AtClose = Literal["leave", "on", "off"]
"""What becomes of the mains when the bench lets go of the relay."""


class Switch(Protocol):
    """Something that switches the mains of one device."""

    async def set(self, on: bool, deadline: Deadline | None = None) -> None:
        """Switch, and return when it is done. Raises BenchError."""

    async def read(self, deadline: Deadline | None = None) -> bool:
        """Whether the mains is on. Raises BenchError."""


class ModbusRelay:
    """One coil of a relay board; use as an asynchronous context manager.

    Args:
        clock: the bench's clock.
        connection: settings of a line of its own, or a link that is shared with other devices.
        unit: Modbus address of the board, 1 to 247.
        coil: number of the coil, counted from 0.
        energise_means_on: True: the mains runs over the normally open contact; False: over the normally closed one,
            so that a dead bench leaves the gateway powered.
        at_close: what becomes of the mains when the relay is closed.
        read_back: read the coil after each switching and compare.
    """

    def __init__(
        self,
        clock: Clock,
        connection: ModbusRtu | ModbusTcp | ModbusLink,
        *,
        unit: int = 1,
        coil: int = 0,
        energise_means_on: bool = True,
        at_close: AtClose = "leave",
        read_back: bool = True,
    ) -> None:
        self.unit = unit
        self.coil = coil
        self.energise_means_on = energise_means_on
        self.at_close = at_close
        self.read_back = read_back
        self._clock = clock
        self._own = not isinstance(connection, ModbusLink)
        self._link = connection if isinstance(connection, ModbusLink) else ModbusLink(clock, connection)
        self._open = False

    def __str__(self) -> str:
        return f"relay {self.coil} of unit {self.unit} at {self._link.settings}"

    async def open(self, deadline: Deadline | None = None) -> None:
        """Connect and read the coil once, so that a wrong address shows at once. Raises BenchError."""
        await self.read(deadline)
        self._open = True

    async def set(self, on: bool, deadline: Deadline | None = None) -> None:
        """Switch the mains on or off and read back what became of it.

        Raises:
            BenchError: no connection, no answer before the deadline, refused, or the coil did not follow.
        """
        deadline = deadline or self._clock.deadline(WITHIN_S)
        await self._link.write_coil(self.unit, self.coil, on == self.energise_means_on, deadline)
        if self.read_back and await self.read(deadline) != on:
            raise BenchError(f"{self} was switched {_word(on)} but reads back as {_word(not on)}")

    async def read(self, deadline: Deadline | None = None) -> bool:
        """Whether the mains is on, as the coil tells. Raises BenchError."""
        (energised,) = await self._link.read_coils(self.unit, self.coil, 1, deadline)
        return energised == self.energise_means_on

    async def close(self, deadline: Deadline | None = None) -> None:
        """Bring the mains to the state asked for and let go; may be called twice.

        A relay that was never reached is left alone. Raises BenchError when the state could not be reached; the
        line is let go of all the same.
        """
        was_open, self._open = self._open, False
        try:
            if was_open and self.at_close != "leave":
                await self.set(self.at_close == "on", deadline)
        finally:
            if self._own:
                self._link.close()

    async def __aenter__(self) -> ModbusRelay:
        try:
            await self.open()
        except BenchError:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _word(on: bool) -> str:
    return "on" if on else "off"
