"""What answers the gateway on its WAN: the time server of the back office."""
