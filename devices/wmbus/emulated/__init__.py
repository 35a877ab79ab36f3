"""The other end of each stick's cable: what the stick does with the host's octets, and with an antenna."""
