"""LED sensing: edges from emulation, GPIO or a recorded waveform, and what they mean as patterns.

``lines`` is the common form of edges; ``emulated``, ``gpio`` and ``vcd`` are sources of them. ``pattern`` holds what a
LED can show, ``waveform`` and ``groups`` read it out of edges (``template`` and ``reading`` are their parts, ``limits``
their numbers), and ``watch`` does so for a running bench.
"""
