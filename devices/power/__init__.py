"""Mains and reference instruments: a relay and an energy meter on Modbus, and their emulated counterparts."""
