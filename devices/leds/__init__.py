"""LED sensing: edges from emulation, GPIO or a recorded waveform, and what they mean as patterns."""
