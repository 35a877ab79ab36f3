"""Measurements, each beside a peer on the same data in the same run; printed as ratios, never asserted."""
