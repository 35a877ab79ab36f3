"""Collects scenario files as pytest items."""
