"""LED sensing: edges from emulation, GPIO or a recorded waveform, and what they mean as patterns.

``emulated``, ``gpio`` and ``vcd`` are sources of edges, whose common form stands in ``devices.ports.led_lines``.
``pattern`` holds what a LED can show, ``waveform`` and ``groups`` read it out of edges (``template`` and ``reading``
are their parts, ``limits`` their numbers), and ``watch`` does so for a running bench.
"""
