"""What stands around the gateway and what goes over its wires: codecs, ports, drivers, emulated other ends."""
