"""Radio of meters (wM-Bus): the air, and the USB sticks that hear it and send into it."""
