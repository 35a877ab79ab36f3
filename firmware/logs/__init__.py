"""The three log books: system, calibration, and one per consumer; each a hash chain."""
