"""What a gateway keeps without power: settings, firmware images, log books, readings, and the hardware itself."""
