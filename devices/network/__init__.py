"""The Ethernet cabling around the gateway: which socket goes where, and wrong patch cables."""
