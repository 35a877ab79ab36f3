"""The home interface: what consumers and technicians see of the gateway (han)."""
