"""The security module of the gateway and its certificates (wan-core 5)."""
